//! The objects a service consists of, and the writes that bring them about.
//!
//! Order matters when the process ends between two writes: the record comes first, so that what follows is always
//! explained by one; volumes and identities come before the Deployments whose pods need them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::record::Record;
use super::revision::ServiceRevision;
use super::rollout::{Rollout, WantedWorkload};
use super::snapshot::ServiceSnapshot;
use super::{daemon, guard};
use crate::core::diff::{Difference, first_difference, seal};
use crate::core::facts::Facts;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::object::{child, owner_reference};
use crate::core::op::{FIELD_MANAGER, Op, Plan};
use crate::core::world::World;
use crate::nodes::constraint::all_of;

/// A name that a child needs and somebody else has.
pub(super) struct Conflict {
    pub(super) key: ObjectKey,
    /// Whether it is the remains of an earlier object of ours, about to disappear.
    pub(super) is_leaving: bool,
}

/// The Deployment controller's own deadline is no circuit breaker: as good as never (its largest value).
const PROGRESS_DEADLINE_SECONDS: i64 = 2_147_483_647;

/// Plans every child. Answers which names are taken.
pub(super) fn ensure(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    rollout: &Rollout,
    facts: &Facts,
    plan: &mut Plan,
) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    let Some(primary) = &rollout.primary else { return conflicts };
    if rollout.bounds.is_none() {
        return conflicts;
    }
    let owner = owner_reference(Kind::Service, &snapshot.metadata, true);
    let mut ensure = Ensure { world, snapshot, facts, plan, conflicts: &mut conflicts };
    if !primary.exists {
        ensure.plan.ops.push(Op::Create { key: primary.key.clone(), body: record_body(primary, &owner) });
    }
    ensure.shared(primary);
    ensure.forget_secrets(primary, &rollout.in_use);
    ensure.kubernetes_service(&primary.revision, &owner);
    ensure.pod_disruption_budget(rollout, &owner);
    for workload in &rollout.workloads {
        let body = deployment_body(workload, snapshot, &owner);
        ensure.own(&workload.key, body);
    }
    if let Some((daemon, record)) = rollout.daemon.as_ref().and_then(|daemon| Some((daemon, daemon.record.as_ref()?))) {
        ensure.own(&daemon::key(snapshot), daemon::body(snapshot, record, daemon.update, &owner));
    }
    for key in &rollout.finished {
        ensure.remove(key);
    }
    for record in &rollout.obsolete {
        ensure.remove(&record.key);
    }
    conflicts
}

struct Ensure<'a> {
    world: &'a dyn World,
    snapshot: &'a ServiceSnapshot,
    facts: &'a Facts,
    plan: &'a mut Plan,
    conflicts: &'a mut Vec<Conflict>,
}

impl Ensure<'_> {
    /// A child that only this service owns. It is created, never applied, the first time: a foreign object of the same
    /// name must not be taken over.
    fn own(&mut self, key: &ObjectKey, mut body: Value) {
        seal(&mut body);
        let Some(live) = self.world.get(key) else {
            self.plan.ops.push(Op::Create { key: key.clone(), body });
            return;
        };
        let metadata = Metadata::of(&live);
        if metadata.is_deleting() || !metadata.is_owned_by(&self.snapshot.metadata.uid) {
            self.conflicts.push(Conflict { key: key.clone(), is_leaving: metadata.is_deleting() });
        } else if let Some(Difference(because)) = first_difference(&body, &live.value()) {
            let manager = FIELD_MANAGER.to_owned();
            self.plan.ops.push(Op::Apply { key: key.clone(), body, manager, because });
        }
    }

    /// Removes a child that is not wanted any more, if it is there and ours.
    fn remove(&mut self, key: &ObjectKey) {
        let Some(live) = self.world.get(key) else { return };
        let metadata = Metadata::of(&live);
        if metadata.is_owned_by(&self.snapshot.metadata.uid) && !metadata.is_deleting() {
            self.plan.ops.push(Op::Delete {
                key: key.clone(),
                uid: live.uid.clone(),
                resource_version: live.resource_version.clone(),
                only_if_absent: Vec::new(),
            });
        }
    }

    /// Whether the API server knows the kind: what a revision asked for may have been uninstalled since.
    fn is_served(&self, key: &ObjectKey) -> bool {
        !key.kind.is_optional() || self.facts.serves(&key.kind.api_version())
    }

    /// ServiceAccounts, claims of file systems, snapshots, NetworkPolicies and configurations of log routers are shared by every service
    /// that needs the same one. Each service applies its own owner reference with its own field manager: the server merges
    /// them, and the garbage collector removes the object after its last owner. What holds files has no owner.
    fn shared(&mut self, primary: &Record) {
        let namespace = &self.snapshot.namespace;
        for object in &primary.revision.cluster_children {
            let Some(key) = guard::cluster_scoped(object, namespace).filter(|key| self.is_served(key)) else {
                continue;
            };
            if self.world.get(&key).is_none() {
                self.plan.ops.push(Op::Create { key, body: object.clone() });
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
                None => self.plan.ops.push(Op::Create { key, body }),
                Some(live) if Metadata::of(&live).is_deleting() => {
                    self.conflicts.push(Conflict { key, is_leaving: true });
                }
                Some(_) if is_kept => {}
                Some(live) => {
                    if let Some(Difference(because)) = first_difference(&body, &live.value()) {
                        let manager = format!("{FIELD_MANAGER}/{}", self.snapshot.metadata.uid);
                        self.plan.ops.push(Op::Apply { key, body, manager, because });
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
    fn kubernetes_service(&mut self, revision: &ServiceRevision, owner: &Value) {
        let key = ObjectKey::namespaced(
            Kind::KubernetesService,
            &self.snapshot.namespace,
            ecs::name::dns_1035_label(&self.snapshot.key.name, 63),
        );
        let kubernetes = self.snapshot.spec.as_ref().ok().and_then(|spec| spec.kubernetes.as_ref());
        let options = kubernetes.and_then(|kubernetes| kubernetes.service.as_ref());
        let is_enabled = options.and_then(|options| options.enabled).unwrap_or(true);
        if !is_enabled || revision.service_ports.is_empty() {
            self.remove(&key);
            return;
        }
        let mut labels = options.and_then(|options| options.labels.clone()).unwrap_or_default();
        labels.extend(self.snapshot.child_labels());
        let mut body = child(&key, std::slice::from_ref(owner), labels);
        let service_type = options.and_then(|options| options.type_);
        let type_name = service_type.map_or_else(|| Value::from("ClusterIP"), |kind| json!(kind));
        put(
            &mut body,
            "spec",
            json!({
                "type": type_name,
                "selector": { labels::SERVICE: self.snapshot.label() },
                "ports": revision.service_ports,
            }),
        );
        let annotations = options.and_then(|options| options.annotations.clone()).unwrap_or_default();
        if let Some(metadata) = body.get_mut("metadata").filter(|_| !annotations.is_empty()) {
            put(metadata, "annotations", json!(annotations));
        }
        self.own(&key, body);
    }

    /// Node drains respect the same minimum as deployments: `minAvailable` is the integer the bounds give.
    fn pod_disruption_budget(&mut self, rollout: &Rollout, owner: &Value) {
        let key = ObjectKey::namespaced(
            Kind::PodDisruptionBudget,
            &self.snapshot.namespace,
            ecs::name::dns_label(&self.snapshot.key.name, 63),
        );
        let kubernetes = self.snapshot.spec.as_ref().ok().and_then(|spec| spec.kubernetes.as_ref());
        let options = kubernetes.and_then(|kubernetes| kubernetes.pod_disruption_budget.as_ref());
        // A daemon has no other node to go to: a budget would only keep nodes from being drained.
        if rollout.daemon.is_some() || !options.and_then(|options| options.enabled).unwrap_or(true) {
            self.remove(&key);
            return;
        }
        let Some(bounds) = rollout.bounds else { return };
        let mut body = child(&key, std::slice::from_ref(owner), self.snapshot.child_labels());
        put(
            &mut body,
            "spec",
            json!({
                "minAvailable": bounds.minimum_healthy,
                "selector": { "matchLabels": { labels::SERVICE: self.snapshot.label() } },
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            }),
        );
        self.own(&key, body);
    }
}

impl ServiceSnapshot {
    /// The service's object name as a label value.
    pub(super) fn label(&self) -> String {
        ecs::name::label_value(&self.key.name)
    }

    /// Labels of every child.
    pub(super) fn child_labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (labels::APP_NAME.to_owned(), ecs::name::label_value(&self.ecs_name)),
            (labels::SERVICE.to_owned(), self.label()),
            (labels::CLUSTER.to_owned(), ecs::name::label_value(&self.cluster)),
        ])
    }
}

fn record_body(record: &Record, owner: &Value) -> Value {
    let labels = BTreeMap::from([(labels::SERVICE.to_owned(), ecs::name::label_value(&record.spec.service))]);
    let mut body = child(&record.key, std::slice::from_ref(owner), labels);
    put(&mut body, "spec", serde_json::to_value(&record.spec).unwrap_or_default());
    body
}

fn deployment_body(wanted: &WantedWorkload, snapshot: &ServiceSnapshot, owner: &Value) -> Value {
    let provider = wanted.part.label();
    let selected = BTreeMap::from([
        (labels::SERVICE, snapshot.label()),
        (labels::CAPACITY_PROVIDER, provider.clone()),
        (labels::DEPLOYMENT, wanted.record.digits().to_owned()),
    ]);
    let mut own_labels = snapshot.child_labels();
    own_labels.extend(selected.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let mut body = child(&wanted.key, std::slice::from_ref(owner), own_labels);
    if let Some(metadata) = body.get_mut("metadata") {
        put(metadata, "annotations", json!({ labels::DESIRED_COUNT: wanted.asked_for.to_string() }));
    }
    let spec = json!({
        "replicas": wanted.replicas,
        "selector": { "matchLabels": selected },
        "minReadySeconds": wanted.record.revision.min_ready_seconds,
        "revisionHistoryLimit": 0,
        "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
        "strategy": { "type": "RollingUpdate", "rollingUpdate": {
            "maxSurge": wanted.budget.max_surge,
            "maxUnavailable": wanted.budget.max_unavailable,
        } },
        "template": template(wanted, &provider),
    });
    put(&mut body, "spec", spec);
    body
}

/// Where an affinity has the alternatives that a `memberOf` constraint allows.
const NODE_TERMS: &str = "/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";

/// The frozen pod template with what differs per deployment and provider.
fn template(wanted: &WantedWorkload, provider: &str) -> Value {
    let mut template = wanted.record.revision.pod_template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels") {
        put(labels, labels::DEPLOYMENT, Value::from(wanted.record.digits()));
        put(labels, labels::CAPACITY_PROVIDER, Value::from(provider));
    }
    if let Some((affinity, tolerations)) = &wanted.kept {
        if let Some(spec) = template.get_mut("spec") {
            for (name, value) in [("affinity", affinity), ("tolerations", tolerations)] {
                if let Some(value) = value {
                    put(spec, name, value.clone());
                }
            }
        }
        return template;
    }
    let placement = &wanted.part.placement;
    if let Some(spec) = template.get_mut("spec") {
        if !placement.node_selector_terms.is_empty() {
            let mut affinity = spec.get("affinity").cloned().unwrap_or_else(|| Value::Object(Map::new()));
            let constraint = affinity.pointer(NODE_TERMS).and_then(Value::as_array).map(Vec::as_slice);
            let terms = all_of(constraint.unwrap_or_default(), &placement.node_selector_terms);
            // Required, never preferred: ECS does not spill over to another provider.
            let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } });
            put(&mut affinity, "nodeAffinity", required);
            put(spec, "affinity", affinity);
        }
        if !placement.tolerations.is_empty() {
            put(spec, "tolerations", json!(placement.tolerations));
        }
    }
    template
}

/// Sets one member of an object; of anything else, nothing.
fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}

/// Whether files would go with an object: then it stays when its services go.
fn is_kept(object: &Value) -> bool {
    object.pointer("/metadata/annotations").is_some_and(|annotations| annotations.get(labels::KEPT).is_some())
}
