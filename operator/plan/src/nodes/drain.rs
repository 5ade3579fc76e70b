//! Draining nodes: tasks of DAEMON services stop last.
//!
//! On ECS the daemon tasks of an instance in DRAINING go after all others. A DaemonSet knows nothing of that and keeps its
//! pods on a cordoned node for ever. So the operator marks a draining node with [`labels::DAEMON_TASKS`] once no other task
//! of a service is left on it; daemons are not for marked nodes. The mark goes when the node is ACTIVE again.

use std::collections::BTreeSet;

use api::cluster::ContainerInstanceStatus;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::op::{Op, Plan};
use crate::core::world::{Term, World};
use crate::nodes::instance::Instance;

/// The mark has a manager of its own: whoever applies other labels keeps them.
const MANAGER: &str = "ecs-operator/daemon-tasks";
/// How often a draining node is looked at while tasks are left on it.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// What to do about one node now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some(instance) = world.get(root).and_then(|stored| Instance::read(&stored)) else { return plan };
    let is_marked = instance.labels.get(labels::DAEMON_TASKS).is_some_and(|value| value == labels::STOPPED);
    let is_draining = instance.status() == ContainerInstanceStatus::Draining;
    if is_draining == is_marked || (is_draining && world.find(Kind::Service, None, &Term::Daemon).is_empty()) {
        return plan;
    }
    if is_draining && has_other_tasks(world, &instance.name) {
        plan.wake_at(now + LOOK_AGAIN);
        return plan;
    }
    let mut metadata = json!({ "name": instance.name });
    if let Some(metadata) = metadata.as_object_mut().filter(|_| is_draining) {
        metadata.insert("labels".to_owned(), json!({ labels::DAEMON_TASKS: labels::STOPPED }));
    }
    plan.ops.push(Op::Apply {
        key: root.clone(),
        body: json!({ "apiVersion": "v1", "kind": "Node", "metadata": metadata }),
        manager: MANAGER.to_owned(),
        because: format!("metadata.labels.{}", labels::DAEMON_TASKS),
    });
    plan
}

/// Whether a task of a REPLICA service is on the node, also one that is being stopped.
fn has_other_tasks(world: &dyn World, node: &str) -> bool {
    world.list(Kind::Pod, None).iter().filter_map(|stored| stored.decode::<PodView>().ok()).any(|pod| {
        let labels = &pod.metadata.labels;
        pod.spec.node_name == node
            && labels.contains_key(labels::SERVICE)
            && labels.get(labels::SCHEDULING_STRATEGY).is_none_or(|strategy| strategy != labels::DAEMON)
            && !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
    })
}

/// Namespace and label of the services that have a task on a node.
pub(crate) fn services_on(world: &dyn World, node: &str) -> BTreeSet<(String, String)> {
    let pods = world.list(Kind::Pod, None).into_iter().filter_map(|stored| {
        let pod = stored.decode::<PodView>().ok().filter(|pod| pod.spec.node_name == node)?;
        Some((stored.key.namespace.clone()?, pod.metadata.labels.get(labels::SERVICE)?.clone()))
    });
    pods.collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodView {
    metadata: Metadata,
    spec: PodSpec,
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    phase: String,
}
