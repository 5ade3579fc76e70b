//! Draining nodes: tasks of DAEMON services stop last.
//!
//! On ECS the daemon tasks of an instance in DRAINING go after all others. A DaemonSet knows nothing of that and keeps its
//! pods on a cordoned node for ever. So the operator marks a draining node with [`labels::DAEMON_TASKS`] once no other task
//! of a service is left on it; daemons are not for marked nodes. The mark goes when the node is ACTIVE again.

use api::cluster::ContainerInstanceStatus;
use serde_json::json;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::op::{Op, Plan};
use crate::core::world::{Term, World};
use crate::nodes::instance::instance;
use crate::pod::observe::PodView;

/// The mark has a manager of its own: whoever applies other labels keeps them.
const MANAGER: &str = "ecs-operator/daemon-tasks";

/// What to do about one node now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey) -> Plan {
    let mut plan = Plan::default();
    let Some(instance) = instance(world, &root.name) else { return plan };
    let is_marked = instance.labels.get(labels::DAEMON_TASKS).is_some_and(|value| value == labels::STOPPED);
    let is_draining = instance.status() == ContainerInstanceStatus::Draining;
    if is_draining == is_marked || (is_draining && !has_daemons(world)) {
        return plan;
    }
    // The last of them wakes this plan when it goes.
    if is_draining && has_other_tasks(world, &instance.name) {
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

/// Whether any service runs daemons.
fn has_daemons(world: &dyn World) -> bool {
    world.last(Kind::Service, |_| Term::Daemon, "").is_some()
}

/// Whether a task of a REPLICA service is on the node, also one that is being stopped.
fn has_other_tasks(world: &dyn World, node: &str) -> bool {
    let pods = world.find(Kind::Pod, None, &Term::Node(node.to_owned()));
    pods.iter().filter_map(|stored| stored.view::<PodView>().ok()).any(|pod| {
        let labels = &pod.metadata.labels;
        labels.contains_key(labels::SERVICE)
            && labels.get(labels::SCHEDULING_STRATEGY).is_none_or(|strategy| strategy != labels::DAEMON)
            && !pod.is_over()
    })
}
