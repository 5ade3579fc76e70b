//! The objects a service consists of, and the writes that bring them about.
//!
//! Order matters when the process ends between two writes: the record comes first, so that what follows is always
//! explained by one; volumes and identities come before the Deployments whose pods need them.

mod guard;
mod workload;

use std::collections::{BTreeMap, BTreeSet};

use api::service::KubernetesService;
use serde_json::{Value, json};

use super::context::Context;
use super::counts::Counts;
use super::daemon;
use super::identify::Deployments;
use super::record::Record;
use super::resolve::Resolution;
use super::revision::ServiceRevision;
use super::snapshot::ServiceSnapshot;
use crate::core::diff::{Difference, first_difference, seal};
use crate::core::facts::ClusterFeatures;
use crate::core::integration::Integration;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::object::{child, owner_reference, put};
use crate::core::op::{FIELD_MANAGER, Op};
use crate::core::report::Refusal;
use crate::core::world::World;
use crate::permission;
use crate::pod::users_metadata::{Members, UsersMetadata};

/// A name that a child needs and somebody else has.
pub(super) struct Conflict {
    pub(super) key: ObjectKey,
    /// Whether it is the remains of an earlier object of ours, about to disappear.
    pub(super) is_leaving: bool,
}

/// The writes that bring the children about.
#[derive(Default)]
pub(super) struct Children {
    pub(super) ops: Vec<Op>,
    /// Why something of a deployment is not made: the namespace is not allowed what it was started with.
    pub(super) not_permitted: Vec<Refusal>,
    /// Names that are taken.
    pub(super) conflicts: Vec<Conflict>,
}

/// The record of a deployment that begins now: the first write of all.
pub(super) fn record(context: Context<'_>, deployments: &Deployments) -> Option<Op> {
    let record = deployments.began()?;
    let owner = owner_reference(Kind::Service, &context.snapshot.metadata, true);
    let labels = BTreeMap::from([(labels::SERVICE.to_owned(), ecs::name::label_value(&record.spec.service))]);
    let mut body = child(&record.key, std::slice::from_ref(&owner), labels);
    put(&mut body, "spec", serde_json::to_value(record.spec.as_ref()).ok()?);
    Some(Op::Create { key: record.key.clone(), body })
}

/// Plans every child besides the record.
pub(super) fn plan(
    context: Context<'_>,
    resolution: &Resolution,
    deployments: &Deployments,
    counts: &Counts,
) -> Children {
    let Some((service, primary)) = resolution.service().zip(deployments.primary.as_ref()) else {
        return Children::default();
    };
    let snapshot = context.snapshot;
    let owner = owner_reference(Kind::Service, &snapshot.metadata, true);
    let mut ensure = Ensure {
        world: context.world,
        snapshot,
        facts: &context.settings.facts,
        permissions: BTreeMap::new(),
        children: Children::default(),
    };
    ensure.shared(primary);
    ensure.forget_secrets(primary, &deployments.in_use);
    for workload in &counts.workloads {
        ensure.runs(&workload.record, &workload.key, workload::body(workload, snapshot, &owner));
    }
    for (key, replicas) in &counts.orphans {
        ensure.scaled(key, *replicas);
    }
    if let Some((daemon, record)) = counts.daemon.as_ref().and_then(|daemon| Some((daemon, daemon.record.as_ref()?))) {
        ensure.runs(record, &daemon::key(snapshot), daemon::body(snapshot, record, daemon.update, &owner));
    }
    // What keeps tasks running comes before what leads to them: a webhook that is away must not hold it up.
    ensure.kubernetes_service(&primary.revision, &service.kubernetes_service, &owner);
    ensure.pod_disruption_budget(&primary.revision, counts, service.has_disruption_budget, &owner);
    for key in &counts.finished {
        ensure.remove(key);
    }
    for record in &deployments.obsolete {
        ensure.remove(&record.key);
    }
    ensure.children
}

struct Ensure<'a> {
    world: &'a dyn World,
    snapshot: &'a ServiceSnapshot,
    facts: &'a ClusterFeatures,
    /// Why a deployment is not permitted, by its id.
    permissions: BTreeMap<String, Vec<Refusal>>,
    children: Children,
}

impl Ensure<'_> {
    /// Whether the namespace is still allowed what a deployment was started with.
    fn is_permitted(&mut self, record: &Record) -> bool {
        let refusals = self
            .permissions
            .entry(record.id().to_owned())
            .or_insert_with(|| permission::refusals(self.world, &self.snapshot.namespace, record.revision.frozen()));
        refusals.is_empty()
    }

    /// Remembers that something is not made because a deployment is not permitted.
    fn withhold(&mut self, record: &Record) {
        let refusals = self.permissions.get(record.id()).into_iter().flatten();
        let path = |path: &str| format!("{}: {path}", record.key.name);
        let refusals = refusals.map(|refusal| Refusal { path: path(&refusal.path), ..refusal.clone() });
        self.children.not_permitted.extend(refusals);
    }

    /// What runs the tasks of a deployment. One that is there may be asked for more and for fewer of the tasks that it
    /// runs; nothing begins to run what the namespace is not allowed.
    fn runs(&mut self, record: &Record, key: &ObjectKey, body: Value) {
        const TEMPLATE: &str = "/spec/template";
        if !self.is_permitted(record) {
            let live = self.world.get(key).map(|live| live.value());
            let is_running = live.is_some_and(|live| {
                let templates = body.pointer(TEMPLATE).zip(live.pointer(TEMPLATE));
                templates.is_some_and(|(wanted, live)| first_difference(wanted, live).is_none())
            });
            if !is_running {
                return self.withhold(record);
            }
        }
        self.own(key, body);
    }

    /// A child that only this service owns. It is created, never applied, the first time: a foreign object of the same
    /// name must not be taken over.
    fn own(&mut self, key: &ObjectKey, mut body: Value) {
        seal(&mut body);
        let Some(live) = self.world.get(key) else {
            self.children.ops.push(Op::Create { key: key.clone(), body });
            return;
        };
        let metadata = Metadata::of(&live);
        if metadata.is_deleting() || !metadata.is_owned_by(&self.snapshot.metadata.uid) {
            self.children.conflicts.push(Conflict { key: key.clone(), is_leaving: metadata.is_deleting() });
        } else if let Some(Difference(because)) = first_difference(&body, &live.value()) {
            let manager = FIELD_MANAGER.to_owned();
            self.children.ops.push(Op::Apply { key: key.clone(), body, manager, because });
        }
    }

    /// A Deployment of which nothing but the count can be written. Under a name of its own: what the operator applied before
    /// stays as it is.
    fn scaled(&mut self, key: &ObjectKey, replicas: i64) {
        let (api_version, kind) = (key.kind.api_version(), key.kind.kind());
        let body = json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": { "name": key.name, "namespace": key.namespace },
            "spec": { "replicas": replicas },
        });
        let manager = format!("{FIELD_MANAGER}/replicas");
        self.children.ops.push(Op::Apply { key: key.clone(), body, manager, because: "spec.replicas".to_owned() });
    }

    /// Removes a child that is not wanted any more, if it is there and ours.
    fn remove(&mut self, key: &ObjectKey) {
        let Some(live) = self.world.get(key) else { return };
        let metadata = Metadata::of(&live);
        if metadata.is_owned_by(&self.snapshot.metadata.uid) && !metadata.is_deleting() {
            self.children.ops.push(Op::delete(&live));
        }
    }

    /// Whether the API server knows the kind: what a revision asked for may have been uninstalled since.
    fn is_served(&self, key: &ObjectKey) -> bool {
        Integration::serves(self.facts, key.kind)
    }

    /// ServiceAccounts, claims of file systems, snapshots, NetworkPolicies and configurations of log routers are shared by every service
    /// that needs the same one. Each service applies its own owner reference with its own field manager: the server merges
    /// them, and the garbage collector removes the object after its last owner. What holds files has no owner.
    fn shared(&mut self, primary: &Record) {
        if !self.is_permitted(primary) {
            return;
        }
        let namespace = &self.snapshot.namespace;
        for object in &primary.revision.cluster_children {
            let Some(key) = guard::cluster_scoped(object, namespace).filter(|key| self.is_served(key)) else {
                continue;
            };
            if self.world.get(&key).is_none() {
                self.children.ops.push(Op::Create { key, body: object.clone() });
            }
        }
        let owner = owner_reference(Kind::Service, &self.snapshot.metadata, false);
        for shared in &primary.revision.shared_children {
            let Some(key) = guard::shared(shared, namespace).filter(|key| self.is_served(key)) else { continue };
            let mut body = shared.clone();
            // What holds files is made once. From then on it is the administrator's, who may want it larger.
            let is_kept = is_kept(&body);
            if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut).filter(|_| !is_kept) {
                metadata.insert("ownerReferences".to_owned(), json!([owner]));
            }
            match self.world.get(&key) {
                None => self.children.ops.push(Op::Create { key, body }),
                Some(live) if Metadata::of(&live).is_deleting() => {
                    self.children.conflicts.push(Conflict { key, is_leaving: true });
                }
                Some(_) if is_kept => {}
                Some(live) => {
                    if let Some(Difference(because)) = first_difference(&body, &live.value()) {
                        let manager = format!("{FIELD_MANAGER}/{}", self.snapshot.metadata.uid);
                        self.children.ops.push(Op::Apply { key, body, manager, because });
                    }
                }
            }
        }
    }

    /// Removes what fetched the secrets of deployments that nothing runs from any more: each deployment has its own, and
    /// a value that was replaced should not be kept.
    fn forget_secrets(&mut self, primary: &Record, in_use: &[Record]) {
        let kept: BTreeSet<(Kind, &str)> = std::iter::once(primary)
            .chain(in_use)
            .flat_map(|record| &record.revision.shared_children)
            .filter_map(|body| Some((guard::kind_of(body)?, guard::name_of(body)?)))
            .collect();
        for stored in &self.snapshot.fetchers {
            if !kept.contains(&(stored.key.kind, stored.key.name.as_str())) {
                self.remove(&stored.key);
            }
        }
    }

    /// A Service in front of the tasks, when the task definition has ports.
    fn kubernetes_service(&mut self, revision: &ServiceRevision, options: &KubernetesService, owner: &Value) {
        let key = ObjectKey::namespaced(
            Kind::KubernetesService,
            &self.snapshot.namespace,
            ecs::name::dns_1035_label(&self.snapshot.key.name, 63),
        );
        if !options.enabled.unwrap_or(true) || revision.service_ports.is_empty() {
            self.remove(&key);
            return;
        }
        let mut labels = UsersMetadata::of(options.labels.as_ref(), "", Members::Labels).own;
        labels.extend(self.snapshot.child_labels());
        let mut body = child(&key, std::slice::from_ref(owner), labels);
        let type_name = options.type_.unwrap_or_default();
        put(
            &mut body,
            "spec",
            json!({
                "type": type_name,
                "selector": { labels::SERVICE: self.snapshot.label() },
                "ports": revision.service_ports,
            }),
        );
        let annotations = UsersMetadata::of(options.annotations.as_ref(), "", Members::Annotations).own;
        if let Some(metadata) = body.get_mut("metadata").filter(|_| !annotations.is_empty()) {
            put(metadata, "annotations", json!(annotations));
        }
        self.own(&key, body);
    }

    /// Node drains respect the same minimum as deployments: `minAvailable` is the integer the bounds give.
    fn pod_disruption_budget(&mut self, revision: &ServiceRevision, counts: &Counts, is_enabled: bool, owner: &Value) {
        let key = ObjectKey::namespaced(
            Kind::PodDisruptionBudget,
            &self.snapshot.namespace,
            ecs::name::dns_label(&self.snapshot.key.name, 63),
        );
        // A daemon has no other node to go to: a budget would only keep nodes from being drained.
        if counts.daemon.is_some() || !is_enabled {
            self.remove(&key);
            return;
        }
        let Some(bounds) = counts.bounds else { return };
        let mut body = child(&key, std::slice::from_ref(owner), self.snapshot.child_labels());
        put(
            &mut body,
            "spec",
            json!({
                "minAvailable": bounds.minimum_healthy,
                "selector": { "matchLabels": { labels::SERVICE: self.snapshot.label() } },
                "unhealthyPodEvictionPolicy": eviction_of_unready(revision),
            }),
        );
        self.own(&key, body);
    }
}

/// Whether tasks that are not Ready may be evicted whatever the budget says. A task of which a container that is not essential
/// has ended is in service for ECS and not Ready for Kubernetes: a drain would evict all such tasks at once.
fn eviction_of_unready(revision: &ServiceRevision) -> &'static str {
    let containers = revision.pod_template.pointer("/spec/containers").and_then(Value::as_array);
    let stays_stopped = |container: &Value| container.get("restartPolicy").and_then(Value::as_str) == Some("Never");
    if containers.into_iter().flatten().any(stays_stopped) { "IfHealthyBudget" } else { "AlwaysAllow" }
}

/// Whether files would go with an object: then it stays when its services go.
fn is_kept(object: &Value) -> bool {
    object.pointer("/metadata/annotations").is_some_and(|annotations| annotations.get(labels::KEPT).is_some())
}
