//! Clusters: counters over what runs in them, the state of their capacity providers, and the guard on deletion.

mod capacity;
mod count;

use std::sync::Arc;

use api::cluster::{ClusterCapacityProviderState, ClusterSpec, ClusterState, ClusterStatus};
use api::conditions::{ConditionType, Reason};
use jiff::{SignedDuration, Timestamp};

use crate::capacity::selector_rights;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::op::Plan;
use crate::core::policy::NamespacePolicy;
use crate::core::report::{Conditions, Refusal};
use crate::core::root::{Root, add_finalizer, remove_finalizer};
use crate::core::settings::Settings;
use crate::core::world::{Term, World};
use crate::permission;
use crate::pod::observe::PodView;
use crate::support::{self, Document};
use crate::validate;

/// How often a cluster looks whether the last tasks have stopped that keep it, or one of its providers.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// What a cluster counts of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceCounts {
    is_deleting: bool,
    capacity: count::Capacity,
    running: i32,
    pending: i32,
}

/// What to do about one cluster now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, settings: &Settings, now: Timestamp) -> Plan {
    let Some(root) = Root::open(world, root) else { return Plan::default() };
    let Root { key, metadata, document, .. } = &root;
    let namespace = key.namespace.as_deref();
    let mut plan = root.plan();
    let previous: ClusterStatus = root.previous_status();
    let name = root.ecs_name("clusterName").to_owned();
    let services = world.find(Kind::Service, namespace, &Term::Cluster(name.clone()));
    let mut conditions = Conditions::new(&previous.conditions, metadata.generation, now);
    if metadata.is_deleting() {
        let names: Vec<&str> = services.iter().map(|service| service.key.name.as_str()).collect();
        let Some(message) = in_use(world, namespace.unwrap_or_default(), &name, &names) else {
            plan.ops.extend(remove_finalizer(key, metadata));
            return plan;
        };
        if names.is_empty() {
            plan.wake_at(now + LOOK_AGAIN);
        }
        conditions.set(ConditionType::DeletionBlocked, true, Reason::InUse, &message);
        conditions.stalled(Reason::Deleting, &message);
    } else {
        plan.ops.extend(add_finalizer(key, metadata));
    }
    let views: Vec<Arc<ServiceCounts>> = services.iter().filter_map(|service| service.view().ok()).collect();
    let mut status = ClusterStatus {
        observed_generation: Some(metadata.generation),
        cluster_arn: Some(settings.identity.cluster_arn(&name)),
        cluster_name: Some(name.clone()),
        status: Some(if metadata.is_deleting() { ClusterState::Deprovisioning } else { ClusterState::Active }),
        ..previous
    };
    count::services(&views, &mut status);
    let mut refusals = validate::stored(&root.stored, &root.object);
    // Cluster names are unique in a namespace, which stands for an account and region.
    if let Some(other) = root.older_namesake(world, &[Term::EcsName(name.clone())]) {
        let message = format!("ECSCluster {other} already has the ECS name {name}");
        refusals.push(Refusal { path: "spec.clusterName".to_owned(), exception: Reason::NameTaken, message });
    }
    let spec = serde_json::from_value::<ClusterSpec>(document.clone());
    if let Ok(spec) = &spec {
        let policy = NamespacePolicy::of(world, namespace.unwrap_or_default());
        let asked = selector_rights(spec).map(|(key, right)| (format!("spec.kubernetes.nodeSelector[{key}]"), right));
        refusals.extend(permission::refuse(&policy, namespace.unwrap_or_default(), asked.collect()));
    }
    if !metadata.is_deleting() {
        conditions.accept(&refusals);
    }
    if let (Ok(spec), true) = (spec, refusals.is_empty()) {
        count::instances(world, &spec, &mut status);
        let before = std::mem::take(&mut status.capacity_providers);
        status.capacity_providers = capacity::providers(world, &spec, namespace.unwrap_or_default(), &name, &before);
        if !metadata.is_deleting() {
            plan.findings = support::findings(Document::Cluster, document);
            conditions.fields(&plan.findings);
            capacity::judge(&status.capacity_providers, &mut conditions);
        }
        if status.capacity_providers.iter().any(|provider| provider.state == ClusterCapacityProviderState::InUse) {
            plan.wake_at(now + LOOK_AGAIN);
        }
    }
    status.conditions = conditions.finish();
    plan.refusals = refusals;
    plan.status = serde_json::to_value(status).ok();
    plan
}

/// Why the cluster may not go yet, as DeleteCluster says it.
fn in_use(world: &dyn World, namespace: &str, cluster: &str, services: &[&str]) -> Option<String> {
    if services.is_empty() {
        let tasks = live_tasks(world, namespace, cluster).len();
        return (tasks > 0).then(|| format!("The Cluster cannot be deleted while Tasks are active: {tasks}"));
    }
    let names: Vec<&str> = services.iter().copied().take(10).collect();
    let more = services.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("The Cluster cannot be deleted while Services are active: {}{more}", names.join(", ")))
}

/// The pods of a cluster that have not ended.
fn live_tasks(world: &dyn World, namespace: &str, cluster: &str) -> Vec<Arc<PodView>> {
    let label = ecs::name::label_value(cluster);
    let pods = world.find(Kind::Pod, Some(namespace), &Term::Cluster(label));
    pods.iter().filter_map(|stored| stored.view::<PodView>().ok()).filter(|pod| !pod.is_over()).collect()
}
