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

use api::capacity_provider::NodeSelectorTerm;
use api::cluster::ContainerInstanceStatus;
use api::service::{AvailabilityZoneRebalancing, LaunchType, PlacementStrategyType, SchedulingStrategy, ServiceSpec};
use ecs::event::{self, EventName};
use ecs::rebalance::{Service, Zone, is_compatible, next_move};
use ecs::rolling::{Percentages, bounds};
use ecs::rollout::Part;
use jiff::Timestamp;
use serde::Deserialize;

use super::record::Record;
use super::revision::CapacityPart;
use super::rollout::is_of;
use super::snapshot::ServiceSnapshot;
use crate::core::moment::after;
use crate::core::op::Plan;
use crate::core::world::World;
use crate::nodes::attribute::ZONE;
use crate::nodes::instance::{Instance, Toleration, instances};

/// When a task that was started for balance landed elsewhere, or nowhere, the next try is so much later: a zone that has
/// no room now seldom has it a second later, and each try costs a start and a stop.
const PAUSE_SECONDS: i64 = 30 * 60;

/// What balance asks for now.
#[derive(Default)]
pub(super) struct Rebalancing {
    /// Which of the parts is to have one task more than its goal, for now.
    pub(super) surge: Option<usize>,
    /// What there is to tell.
    pub(super) told: Option<(EventName, String)>,
}

/// Decides over the parts of a service, those of older deployments included.
pub(super) fn decide(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    percentages: Percentages,
    primary: &Record,
    parts: &[(&CapacityPart, Part)],
    now: Timestamp,
    plan: &mut Plan,
) -> Rebalancing {
    let is_wanted =
        snapshot.spec.as_ref().is_ok_and(|spec| is_enabled(spec) && is_compatible(&facts(spec, percentages)));
    let has_sources = parts.iter().any(|(_, part)| !part.is_primary);
    if !is_wanted || has_sources || !primary.exists || !primary.is_successful() {
        return Rebalancing::default();
    }
    let desired = snapshot.desired_count();
    if let Some(index) = parts.iter().position(|(_, part)| is_surging(part, desired)) {
        return Rebalancing { surge: Some(index), told: None };
    }
    if !parts.iter().all(|(_, part)| is_steady(part)) {
        return Rebalancing::default();
    }
    let maximum = bounds(desired, percentages).maximum;
    let instances = instances(world);
    let of_parts: Vec<BTreeMap<&str, Counts>> =
        parts.iter().map(|(capacity, _)| zones(snapshot, &instances, primary, capacity)).collect();
    let distribution = distribution(&of_parts);
    for (index, zones) in of_parts.iter().enumerate() {
        let zones: Vec<Zone<'_>> = zones
            .iter()
            .map(|(name, counts)| Zone { name, tasks: counts.tasks, protected: counts.protected })
            .collect();
        if next_move(&zones, desired, maximum, true).is_none() {
            continue;
        }
        let message = event::not_balanced(&snapshot.ecs_name, &distribution);
        // The same distribution as before: what was started did not help.
        let tried = snapshot.status.events.iter().find(|event| event.message == message);
        if let Some(again) = tried.map(|event| after(event.created_at.0, PAUSE_SECONDS)).filter(|again| *again > now) {
            plan.wake_at(again);
            return Rebalancing::default();
        }
        return Rebalancing { surge: Some(index), told: Some((EventName::ServiceRebalancingStarted, message)) };
    }
    let is_balanced = !distribution.is_empty() && was_unbalanced(snapshot);
    let told = is_balanced
        .then(|| (EventName::ServiceRebalancingCompleted, event::balanced(&snapshot.ecs_name, &distribution)));
    Rebalancing { surge: None, told }
}

/// Whether the last thing that was said about balance is that there is none.
fn was_unbalanced(snapshot: &ServiceSnapshot) -> bool {
    snapshot.status.events.iter().find_map(|told| event::says_balanced(&told.message)) == Some(false)
}

/// Without a value nothing moves. ECS takes ENABLED when a service is created and DISABLED when one is updated that never
/// had a value; an object that is applied again and again is both, so of the two this is the one that stops no task
/// unasked.
fn is_enabled(spec: &ServiceSpec) -> bool {
    spec.availability_zone_rebalancing == Some(AvailabilityZoneRebalancing::Enabled)
}

fn facts(spec: &ServiceSpec, percentages: Percentages) -> Service<'_> {
    let first = spec.placement_strategy.as_deref().unwrap_or_default().first();
    let constraints = spec.placement_constraints.iter().flatten();
    let mut expressions = constraints.filter_map(|constraint| constraint.expression.as_deref());
    Service {
        is_replica: spec.scheduling_strategy != Some(SchedulingStrategy::Daemon),
        first_strategy: first.map(|strategy| {
            let is_spread = strategy.type_ == Some(PlacementStrategyType::Spread);
            (if is_spread { "spread" } else { "" }, strategy.field.as_deref().unwrap_or_default())
        }),
        maximum_percent: percentages.maximum,
        has_zone_constraint: expressions.any(|expression| expression.contains(ecs::rebalance::ZONE_FIELD)),
        has_classic_load_balancer: spec
            .load_balancers
            .iter()
            .flatten()
            .any(|balancer| balancer.load_balancer_name.is_some()),
        is_external: spec.launch_type == Some(LaunchType::External),
    }
}

/// Whether a part has as many tasks as it should, all healthy and none on its way out.
fn is_steady(part: &Part) -> bool {
    let tasks = part.tasks;
    tasks.leaving == 0 && [part.asked, tasks.existing, tasks.healthy].into_iter().all(|count| count == part.goal)
}

/// Whether a part was asked for one task more, for balance, and that one may still become healthy. A part that was asked
/// for more because more were desired then, or because a task is being replaced, was not.
fn is_surging(part: &Part, desired: i64) -> bool {
    let tasks = part.tasks;
    let is_done = tasks.existing == part.asked && tasks.healthy == part.asked;
    let is_hopeless = tasks.unplaced > 0 || tasks.failing > 0 || tasks.leaving > 0;
    part.asked == part.goal + 1 && part.asked_for == Some(desired) && !is_done && !is_hopeless
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    tasks: i64,
    protected: i64,
}

/// The zones in which the part's tasks can run now, with those it has there.
fn zones<'a>(
    snapshot: &ServiceSnapshot,
    instances: &'a [Instance],
    primary: &Record,
    capacity: &CapacityPart,
) -> BTreeMap<&'a str, Counts> {
    let zone = |instance: &'a Instance| instance.labels.get(ZONE).map(String::as_str).filter(|zone| !zone.is_empty());
    let eligible: BTreeSet<&str> =
        instances.iter().filter(|instance| is_eligible(instance, primary, capacity)).filter_map(zone).collect();
    let mut counts: BTreeMap<&str, Counts> = eligible.into_iter().map(|zone| (zone, Counts::default())).collect();
    let of_node: BTreeMap<&str, &str> =
        instances.iter().filter_map(|instance| Some((instance.name.as_str(), zone(instance)?))).collect();
    let label = capacity.label();
    for task in snapshot.tasks.iter().filter(|task| !task.is_stopping && is_of(task, primary.digits(), &label)) {
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
    const NODE_TERMS: &str = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let spec = primary.revision.pod_template.get("spec");
    let read = |pointer: &str| spec.and_then(|spec| spec.pointer(pointer));
    let selector: BTreeMap<String, String> =
        read("/nodeSelector").and_then(|value| BTreeMap::deserialize(value).ok()).unwrap_or_default();
    let of_template: Option<Vec<NodeSelectorTerm>> = read(NODE_TERMS).and_then(|terms| Vec::deserialize(terms).ok());
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
