//! Which nodes tasks may be on whose constraints compare values that nodes have: `=~` and `ec2InstanceId`.
//!
//! ECS evaluates such constraints whenever it places a task. No node affinity says as much, and a pod template that followed the
//! nodes would replace what runs. So these pods are made with a scheduling gate, and the operator opens it: it resolves the
//! constraints over the nodes of that moment, and writes them into the pod as its node affinity. While no node meets them the
//! gate stays closed.
//!
//! What was written cannot be changed. A pod that is still without a node when other nodes have joined or left, so that its
//! constraints mean others by now, is deleted, and its ReplicaSet makes the next one: nothing of it has run.

use std::collections::BTreeMap;

use api::conditions::Reason;
use serde_json::{Value, json};

use super::record::Record;
use crate::capacity::{Placement, placement_of_label};
use crate::core::diff;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::op::Op;
use crate::core::world::World;
use crate::launch::placement::{Alternatives, alternatives};
use crate::pod::observe::{Placing, Task, Trouble};

/// The nodes for tasks that wait, by service deployment and provider label.
#[derive(Default)]
pub(super) struct Places(BTreeMap<(String, String), Place>);

struct Place {
    alternatives: Alternatives,
    hash: String,
}

/// What is said of a task that waits while no node meets its constraints. The scheduler, which has not seen it, says nothing.
const NO_NODE: &str = "no node meets the placement constraints";

impl Places {
    /// Resolves the constraints of tasks that are without a node.
    pub(super) fn find(world: &dyn World, records: &[Record], tasks: &[Task]) -> Self {
        let mut places = BTreeMap::new();
        for task in tasks.iter().filter(|task| waits(task)) {
            let (deployment, provider) = of(task);
            let key = (deployment.to_owned(), provider.to_owned());
            let record = records.iter().find(|record| record.digits() == deployment);
            let Some(record) = record.filter(|_| !places.contains_key(&key)) else { continue };
            let frozen = record.revision.capacity.iter().find(|part| part.label() == provider);
            // A provider that joined the strategy later is not in the record.
            let placement = frozen.map(|part| part.placement.clone()).or_else(|| placement_of_label(world, provider));
            if let Some(placement) = placement {
                places.insert(key, Place::now(world, record, &placement));
            }
        }
        Self(places)
    }

    fn of(&self, task: &Task) -> Option<&Place> {
        let (deployment, provider) = of(task);
        self.0.get(&(deployment.to_owned(), provider.to_owned())).filter(|_| waits(task))
    }

    /// Why a task gets no node, if none meets its constraints.
    pub(super) fn trouble(&self, task: &Task) -> Option<Trouble> {
        let place = self.of(task).filter(|_| matches!(task.placing, Placing::Gated(_)))?;
        let trouble = Trouble { reason: Reason::TaskPlacementFailure, message: NO_NODE.to_owned() };
        (!place.alternatives.is_met).then_some(trouble)
    }

    /// Opens gates, and deletes what was said of nodes that have changed since.
    pub(super) fn ops(&self, world: &dyn World, namespace: &str, tasks: &[Task]) -> Vec<Op> {
        tasks.iter().filter_map(|task| self.op(world, namespace, task)).collect()
    }

    fn op(&self, world: &dyn World, namespace: &str, task: &Task) -> Option<Op> {
        let place = self.of(task)?;
        let key = ObjectKey::namespaced(Kind::Pod, namespace, task.pod_name.clone());
        match &task.placing {
            Placing::Gated(others) if place.alternatives.is_met => {
                let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": place.alternatives.terms,
                } });
                let body = json!({
                    "metadata": {
                        "uid": task.uid,
                        "resourceVersion": task.resource_version,
                        "annotations": { labels::PLACED_BY: place.hash },
                    },
                    "spec": { "affinity": { "nodeAffinity": required }, "schedulingGates": others },
                });
                Some(Op::Place { key, body })
            }
            Placing::By(hash) if *hash != place.hash => world.get(&key).map(|pod| Op::delete(&pod)),
            Placing::By(_) | Placing::Gated(_) | Placing::Template => None,
        }
    }
}

impl Place {
    fn now(world: &dyn World, record: &Record, placement: &Placement) -> Self {
        let alternatives = alternatives(world, &record.revision.constraints_on_nodes, placement);
        let hash = diff::hash(&Value::from(alternatives.terms.clone()));
        Self { alternatives, hash }
    }
}

fn waits(task: &Task) -> bool {
    task.node.is_none() && !task.is_stopping && task.placing != Placing::Template
}

fn of(task: &Task) -> (&str, &str) {
    (task.deployment_id.as_deref().unwrap_or_default(), task.capacity_provider.as_deref().unwrap_or_default())
}
