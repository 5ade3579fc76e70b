//! Which tasks go when a Deployment is asked for fewer: the ones ECS would stop.
//!
//! A ReplicaSet deletes pods that are not ready first and ready ones by their deletion cost. So the tasks that are to go are
//! marked before the count is lowered, and the count is only lowered by those whose mark has been seen.

use std::collections::BTreeMap;

use api::service::PlacementStrategyType;
use ecs::scale_in::{Candidate, Strategy, victims};
use jiff::Timestamp;

use super::rollout::is_of;
use super::snapshot::ServiceSnapshot;
use super::stopping;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::op::Op;
use crate::core::world::World;
use crate::nodes::attribute::ZONE;
use crate::pod::observe::Task;

/// Above this a scale-in without protected tasks leaves the choice to the ReplicaSet, which also takes from the fullest
/// nodes first: a write for each of thousands of tasks would hold it up.
const MOST_MARKED: usize = 100;

/// What lowering one Deployment comes to.
#[derive(Default)]
pub(super) struct ScaleIn {
    /// Uids of the tasks that are to go.
    pub(super) victims: Vec<String>,
    /// How many of them may go now.
    pub(super) prepared: i64,
    /// What prepares the others.
    pub(super) marks: Vec<Op>,
}

/// Chooses `count` tasks of a Deployment that keeps others.
pub(super) fn choose(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    (deployment, provider): (&str, &str),
    count: usize,
    now: Timestamp,
) -> ScaleIn {
    let tasks: Vec<&Task> =
        snapshot.tasks.iter().filter(|task| !task.is_stopping && is_of(task, deployment, provider)).collect();
    let must_choose =
        |task: &&&Task| task.protected_until.is_some() || stopping::is_to_be_replaced(snapshot, task, now);
    if count > MOST_MARKED && !tasks.iter().any(|task| must_choose(&task)) {
        return ScaleIn { prepared: i64::try_from(count).unwrap_or(i64::MAX), ..ScaleIn::default() };
    }
    let zones = zones(world, &tasks);
    let mut on_node: BTreeMap<&str, i64> = BTreeMap::new();
    for node in tasks.iter().filter_map(|task| task.node.as_deref()) {
        *on_node.entry(node).or_default() += 1;
    }
    let candidates: Vec<Candidate<'_>> = tasks
        .iter()
        .map(|task| {
            let instance = task.node.as_deref().unwrap_or_default();
            Candidate {
                id: &task.uid,
                zone: zones.get(instance).map(String::as_str).unwrap_or_default(),
                instance,
                is_placed: task.node.is_some(),
                is_running: task.last_status.is_running(),
                is_ready: task.is_pod_ready,
                is_healthy: task.is_healthy_for_deployment,
                is_draining: snapshot.draining.contains(instance),
                is_unhealthy: stopping::is_unhealthy(snapshot, task, now),
                is_protected: stopping::is_protected(snapshot, task, now),
                created_at: task.created_at.as_second(),
                // What is free on a node is not known here; fewer tasks of the service stand for more room.
                remaining: on_node.get(instance).map(|tasks| -tasks),
            }
        })
        .collect();
    let mut scale_in = ScaleIn::default();
    let chosen = victims(&candidates, count, strategy(snapshot));
    // Who was chosen earlier, and not now, would go in place of those who are: a task that was too young to be spared then
    // and is healthy by now.
    for task in tasks.iter().filter(|task| task.is_marked && !chosen.contains(&task.uid.as_str())) {
        scale_in.marks.push(mark(snapshot, task, labels::UNMARKED));
    }
    let mut is_prepared = scale_in.marks.is_empty();
    for uid in chosen {
        let Some(task) = tasks.iter().find(|task| task.uid == uid) else { continue };
        scale_in.victims.push(uid.to_owned());
        // What is not ready goes first in any case.
        let needs_mark = task.is_pod_ready && !task.is_marked;
        let is_unhealthy = stopping::is_unhealthy(snapshot, task, now);
        let needs_record = is_unhealthy && !snapshot.status.stopped_tasks.iter().any(|record| record.uid == task.uid);
        if needs_mark && scale_in.marks.len() < MOST_MARKED {
            scale_in.marks.push(mark(snapshot, task, labels::MARKED));
        }
        is_prepared &= !needs_mark && !needs_record;
        scale_in.prepared += i64::from(is_prepared);
    }
    scale_in
}

fn mark(snapshot: &ServiceSnapshot, task: &Task, cost: &str) -> Op {
    Op::Annotate {
        key: ObjectKey::namespaced(Kind::Pod, &snapshot.namespace, task.pod_name.clone()),
        uid: task.uid.clone(),
        annotations: BTreeMap::from([(labels::POD_DELETION_COST.to_owned(), cost.to_owned())]),
    }
}

fn strategy(snapshot: &ServiceSnapshot) -> Strategy {
    let first = snapshot.spec.as_ref().ok().and_then(|spec| spec.placement_strategy.as_ref()?.first()?.type_);
    match first {
        Some(PlacementStrategyType::Spread) => Strategy::Spread,
        Some(PlacementStrategyType::Binpack) => Strategy::Binpack,
        Some(PlacementStrategyType::Random) | None => Strategy::Default,
    }
}

/// Zones of the nodes that tasks are on.
fn zones(world: &dyn World, tasks: &[&Task]) -> BTreeMap<String, String> {
    let mut zones = BTreeMap::new();
    for node in tasks.iter().filter_map(|task| task.node.as_deref()) {
        if !zones.contains_key(node)
            && let Some(stored) = world.get(&ObjectKey::cluster_scoped(Kind::Node, node))
        {
            let zone = Metadata::of(&stored).labels.get(ZONE).cloned().unwrap_or_default();
            zones.insert(node.to_owned(), zone);
        }
    }
    zones
}
