//! Availability Zone rebalancing: a steady service gets one task more, waits until it is healthy, and loses one in its
//! fullest zone.
//!
//! Where the new task goes is the scheduler's choice: the topology spread of every compatible service prefers the emptiest
//! zone. Which one goes is that of any scale-in, [`ecs::scale_in`]. So all there is to decide is when to ask for one more
//! and when no longer; the rollout does the rest within its bounds.
//!
//! With several capacity providers each has its share of tasks by base and weight, which a task must not leave: the tasks
//! of each are balanced by themselves, one move at a time over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::capacity_provider::NodeSelectorTerm;
use api::cluster::ContainerInstanceStatus;
use api::schema::MicroTime;
use api::service::{LeavingTask, RebalancingStatus, RebalancingTry, ZoneTasks};
use ecs::deployment::Stage;
use ecs::event::{self, EventName};
use ecs::rebalance::{Zone, next_move};
use ecs::rolling::bounds;
use ecs::rollout::Part;
use jiff::Timestamp;
use serde::Deserialize;

use crate::capacity::CapacityPart;
use crate::core::moment::after;
use crate::core::status::narrow;
use crate::launch::placement::members_of_now;
use crate::nodes::attribute::ZONE;
use crate::nodes::instance::{Instance, NODE_TERMS, Toleration, instances};
use crate::service::context::Context;
use crate::service::judged::Judged;
use crate::service::parts::Group;
use crate::service::record::Record;
use crate::service::resolve::ResolvedService;
use crate::service::snapshot::ServiceSnapshot;
use crate::service::stage::Stages;

/// When a task that was started for balance landed elsewhere, or nowhere, the next try is so much later: a zone that has
/// no room now seldom has it a second later, and each try costs a start and a stop.
const PAUSE_SECONDS: i64 = 30 * 60;

/// Moves that are remembered: more than one, since two distributions may take turns.
const MOST_TRIES: usize = 10;

/// What balance asks for now.
#[derive(Default)]
pub(in crate::service) struct Rebalancing {
    /// Which of the parts is to have one task more than its goal, for now.
    pub(super) surge: Option<usize>,
    /// What there is to tell.
    pub(in crate::service) told: Option<(EventName, String)>,
    /// What to remember.
    pub(in crate::service) status: Option<RebalancingStatus>,
    /// When the next try may begin.
    pub(in crate::service) wake: Option<Timestamp>,
}

/// Decides over the parts of a service, those of older deployments included.
pub(super) fn decide(
    context: Context<'_>,
    tasks: &[Judged<'_>],
    service: &ResolvedService,
    primary: &Record,
    stages: &Stages,
    groups: &[Group<'_>],
) -> Rebalancing {
    let Context { world, snapshot, now, .. } = context;
    let unchanged = || Rebalancing { status: remembered(snapshot), ..Rebalancing::default() };
    let has_sources = groups.iter().any(|group| !group.part.is_primary);
    if !service.is_rebalanced || has_sources || !primary.exists || stages.stage(primary) != Stage::Successful {
        return unchanged();
    }
    let desired = snapshot.desired_count();
    if let Some(index) = groups.iter().position(|group| is_surging(&group.part, desired)) {
        return Rebalancing { surge: Some(index), ..unchanged() };
    }
    if !groups.iter().all(|group| is_steady(&group.part)) {
        return unchanged();
    }
    let maximum = bounds(desired, service.percentages).maximum;
    let instances = instances(world);
    let of_parts: Vec<BTreeMap<&str, Counts>> =
        groups.iter().map(|group| zones(tasks, &instances, primary, &group.capacity)).collect();
    let distribution = distribution(&of_parts);
    let is_movable = |zones: &BTreeMap<&str, Counts>| {
        let zones: Vec<Zone<'_>> = zones
            .iter()
            .map(|(name, counts)| Zone { name, tasks: counts.tasks, protected: counts.protected })
            .collect();
        next_move(&zones, desired, maximum, true).is_some()
    };
    let mut status = remembered(snapshot).unwrap_or_default();
    let pause_ends = |tried: &RebalancingTry| after(tried.tried_at.0, PAUSE_SECONDS);
    if let Some(index) = of_parts.iter().position(is_movable) {
        let zones = zone_tasks(&distribution);
        // The same distribution as before: what was started did not help.
        let is_paused = |tried: &&RebalancingTry| tried.distribution == zones && pause_ends(tried) > now;
        if let Some(tried) = status.tries.iter().find(is_paused) {
            return Rebalancing { wake: Some(pause_ends(tried)), ..unchanged() };
        }
        status.unbalanced = true;
        status.tries.retain(|tried| pause_ends(tried) > now);
        status.tries.insert(0, RebalancingTry { distribution: zones, tried_at: MicroTime(now) });
        status.tries.truncate(MOST_TRIES);
        let told = (EventName::ServiceRebalancingStarted, event::not_balanced(&snapshot.ecs_name, &distribution));
        return Rebalancing { surge: Some(index), told: Some(told), status: Some(status), ..Rebalancing::default() };
    }
    if distribution.is_empty() || !status.unbalanced {
        return unchanged();
    }
    status.unbalanced = false;
    let told = (EventName::ServiceRebalancingCompleted, event::balanced(&snapshot.ecs_name, &distribution));
    Rebalancing { told: Some(told), status: Some(status), ..Rebalancing::default() }
}

fn zone_tasks(distribution: &[(&str, i64)]) -> Vec<ZoneTasks> {
    let zone = |(zone, tasks): &(&str, i64)| ZoneTasks { zone: (*zone).to_owned(), tasks: narrow(*tasks) };
    distribution.iter().map(zone).collect()
}

/// Whether a part has as many tasks as it should, all healthy and none on its way out.
fn is_steady(part: &Part) -> bool {
    let tasks = part.tasks;
    tasks.leaving == 0 && [part.asked, tasks.existing, tasks.healthy].into_iter().all(|count| count == part.goal)
}

/// What was remembered, but for a task that has made way: of that is told now.
fn remembered(snapshot: &ServiceSnapshot) -> Option<RebalancingStatus> {
    let mut status = snapshot.status.rebalancing.clone()?;
    if made_way(snapshot).is_some() {
        status.leaving = None;
    }
    Some(status)
}

/// The task that was to make way, once it is asked to stop or is gone.
pub(in crate::service) fn made_way(snapshot: &ServiceSnapshot) -> Option<&LeavingTask> {
    let leaving = snapshot.status.rebalancing.as_ref()?.leaving.as_ref()?;
    let runs = snapshot.tasks.iter().any(|task| task.id == leaving.id && task.stopping_since.is_none());
    Some(leaving).filter(|_| !runs)
}

/// Whether a task was started for balance, and none has made way for it yet.
pub(super) fn is_moving(snapshot: &ServiceSnapshot, groups: &[Group<'_>]) -> bool {
    let is_unbalanced = snapshot.status.rebalancing.as_ref().is_some_and(|status| status.unbalanced);
    is_unbalanced && groups.iter().any(|group| has_one_more(&group.part, snapshot.desired_count()))
}

/// Whether a part is asked for one task more than its goal.
fn has_one_more(part: &Part, desired: i64) -> bool {
    part.asked == part.goal + 1 && part.asked_for == Some(desired)
}

/// Whether a part was asked for one task more, for balance, and that one may still become healthy. A part that was asked
/// for more because more were desired then, or because a task is being replaced, was not.
fn is_surging(part: &Part, desired: i64) -> bool {
    let tasks = part.tasks;
    let is_done = tasks.existing == part.asked && tasks.healthy == part.asked;
    let is_hopeless = tasks.unplaced > 0 || tasks.failing > 0 || tasks.leaving > 0;
    has_one_more(part, desired) && !is_done && !is_hopeless
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    tasks: i64,
    protected: i64,
}

/// The zones in which the part's tasks can run now, with those it has there.
fn zones<'a>(
    tasks: &[Judged<'_>],
    instances: &'a [Arc<Instance>],
    primary: &Record,
    capacity: &CapacityPart,
) -> BTreeMap<&'a str, Counts> {
    let expressions = &primary.revision.constraints_on_nodes;
    let members = Some(expressions).filter(|all| !all.is_empty()).and_then(|all| members_of_now(all, instances));
    let instances = || instances.iter().map(Arc::as_ref);
    let zone = |instance: &'a Instance| instance.labels.get(ZONE).map(String::as_str).filter(|zone| !zone.is_empty());
    let eligible: BTreeSet<&str> = instances()
        .filter(|instance| is_eligible(instance, primary, capacity))
        .filter(|instance| members.as_ref().is_none_or(|terms| instance.matches_any(terms)))
        .filter_map(zone)
        .collect();
    let mut counts: BTreeMap<&str, Counts> = eligible.into_iter().map(|zone| (zone, Counts::default())).collect();
    let of_node: BTreeMap<&str, &str> =
        instances().filter_map(|instance| Some((instance.name.as_str(), zone(instance)?))).collect();
    let label = capacity.label();
    for judged in tasks.iter().filter(|judged| !judged.task.is_stopping && judged.is_of(primary.digits(), &label)) {
        let task = judged.task;
        let zone = task.node.as_deref().and_then(|node| of_node.get(node));
        if let Some(counts) = zone.and_then(|zone| counts.get_mut(zone)) {
            counts.tasks += 1;
            counts.protected += i64::from(task.protected_until.is_some());
        }
    }
    counts
}

/// Whether new tasks of a part may be placed on an instance, as far as labels and taints tell.
fn is_eligible(instance: &Instance, primary: &Record, capacity: &CapacityPart) -> bool {
    let spec = primary.revision.pod_template.get("spec");
    let read = |pointer: &str| spec.and_then(|spec| spec.pointer(pointer));
    let selector: BTreeMap<String, String> =
        read("/nodeSelector").and_then(|value| BTreeMap::deserialize(value).ok()).unwrap_or_default();
    let of_template: Option<Vec<NodeSelectorTerm>> =
        read(&format!("/affinity{NODE_TERMS}")).and_then(|terms| Vec::deserialize(terms).ok());
    let list = |values: &[serde_json::Value]| {
        values.iter().filter_map(|value| NodeSelectorTerm::deserialize(value).ok()).collect()
    };
    let of_provider: Vec<NodeSelectorTerm> = list(&capacity.placement.node_selector_terms);
    let mut tolerations: Vec<Toleration> =
        read("/tolerations").and_then(|value| Vec::deserialize(value).ok()).unwrap_or_default();
    tolerations.extend(capacity.placement.tolerations.iter().filter_map(|value| Toleration::deserialize(value).ok()));
    instance.status() == ContainerInstanceStatus::Active
        && instance.is_ready
        && selector.iter().all(|(key, value)| instance.labels.get(key) == Some(value))
        && of_template.is_none_or(|terms| instance.matches_any(&terms))
        && (of_provider.is_empty() || instance.matches_any(&of_provider))
        && instance.admits(&tolerations)
}

/// Tasks per zone over all parts, by zone.
fn distribution<'a>(parts: &[BTreeMap<&'a str, Counts>]) -> Vec<(&'a str, i64)> {
    let mut all: BTreeMap<&str, i64> = BTreeMap::new();
    for (zone, counts) in parts.iter().flatten() {
        *all.entry(zone).or_default() += counts.tasks;
    }
    all.into_iter().collect()
}
