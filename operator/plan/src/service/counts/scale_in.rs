//! Which tasks go when a Deployment is asked for fewer: the ones ECS would stop.
//!
//! A ReplicaSet deletes pods that are not ready first and ready ones by their deletion cost. So the tasks that are to go are
//! marked before the count is lowered, and the count is only lowered by those whose mark has been seen.

use std::collections::{BTreeMap, BTreeSet};

use ecs::scale_in::{Candidate, Strategy, victims};

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::op::Op;
use crate::core::world::World;
use crate::nodes::attribute::ZONE;
use crate::nodes::instance::instance;
use crate::pod::observe::Task;
use crate::service::context::Context;
use crate::service::judged::Judged;
use crate::service::snapshot::ServiceSnapshot;
use crate::service::workload::Workload;

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
    context: Context<'_>,
    tasks: &[Judged<'_>],
    strategy: Strategy,
    live: &Workload,
    count: usize,
) -> ScaleIn {
    let Context { world, snapshot, .. } = context;
    let is_own = |judged: &&Judged<'_>| !judged.task.is_stopping && judged.is_of(&live.deployment, &live.provider);
    let tasks: Vec<&Judged<'_>> = tasks.iter().filter(is_own).collect();
    let must_choose = |judged: &&Judged<'_>| judged.task.protected_until.is_some() || judged.is_to_be_replaced;
    if count > MOST_MARKED && !tasks.iter().any(must_choose) {
        return ScaleIn { prepared: i64::try_from(count).unwrap_or(i64::MAX), ..ScaleIn::default() };
    }
    let zones = zones(world, &tasks);
    let mut on_node: BTreeMap<&str, i64> = BTreeMap::new();
    for node in tasks.iter().filter_map(|judged| judged.task.node.as_deref()) {
        *on_node.entry(node).or_default() += 1;
    }
    let candidates: Vec<Candidate<'_>> =
        tasks.iter().map(|judged| candidate(judged, &zones, &on_node, &snapshot.draining)).collect();
    let mut scale_in = ScaleIn::default();
    let chosen = victims(&candidates, count, strategy);
    let is_chosen: BTreeSet<&str> = chosen.iter().copied().collect();
    // Who was chosen earlier, and not now, would go in place of those who are: a task that was too young to be spared then
    // and is healthy by now.
    for judged in tasks.iter().filter(|judged| judged.task.is_marked && !is_chosen.contains(judged.task.uid.as_str())) {
        scale_in.marks.push(mark(snapshot, judged.task, labels::UNMARKED));
    }
    let mut is_prepared = scale_in.marks.is_empty();
    let by_uid: BTreeMap<&str, &Judged<'_>> = tasks.iter().map(|judged| (judged.task.uid.as_str(), *judged)).collect();
    for judged in chosen.into_iter().filter_map(|uid| by_uid.get(uid)) {
        scale_in.victims.push(judged.task.uid.clone());
        // What is not ready goes first in any case.
        let needs_mark = judged.task.is_pod_ready && !judged.task.is_marked;
        let needs_record = judged.is_unhealthy && !judged.is_recorded;
        if needs_mark && scale_in.marks.len() < MOST_MARKED {
            scale_in.marks.push(mark(snapshot, judged.task, labels::MARKED));
        }
        is_prepared &= !needs_mark && !needs_record;
        scale_in.prepared += i64::from(is_prepared);
    }
    scale_in
}

fn candidate<'a>(
    judged: &'a Judged<'_>,
    zones: &'a BTreeMap<String, String>,
    on_node: &BTreeMap<&str, i64>,
    draining: &BTreeSet<String>,
) -> Candidate<'a> {
    let task = judged.task;
    let instance = task.node.as_deref().unwrap_or_default();
    Candidate {
        id: &task.uid,
        zone: zones.get(instance).map(String::as_str).unwrap_or_default(),
        instance,
        is_placed: task.node.is_some(),
        is_running: task.last_status.is_running(),
        is_ready: task.is_pod_ready,
        is_healthy: task.is_healthy_for_deployment,
        is_draining: draining.contains(instance),
        is_unhealthy: judged.is_unhealthy,
        is_protected: judged.is_protected,
        created_at: task.created_at.as_second(),
        // What is free on a node is not known here; fewer tasks of the service stand for more room.
        remaining: on_node.get(instance).map(|tasks| -tasks),
    }
}

fn mark(snapshot: &ServiceSnapshot, task: &Task, cost: &str) -> Op {
    Op::Annotate {
        key: ObjectKey::namespaced(Kind::Pod, &snapshot.namespace, task.pod_name.clone()),
        uid: task.uid.clone(),
        annotations: BTreeMap::from([(labels::POD_DELETION_COST.to_owned(), cost.to_owned())]),
    }
}

/// Zones of the nodes that tasks are on.
fn zones(world: &dyn World, tasks: &[&Judged<'_>]) -> BTreeMap<String, String> {
    let mut zones = BTreeMap::new();
    for node in tasks.iter().filter_map(|judged| judged.task.node.as_deref()) {
        if !zones.contains_key(node)
            && let Some(instance) = instance(world, node)
        {
            let zone = instance.labels.get(ZONE).cloned().unwrap_or_default();
            zones.insert(node.to_owned(), zone);
        }
    }
    zones
}
