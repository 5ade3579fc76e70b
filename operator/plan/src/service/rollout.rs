//! How many tasks of which deployment each Deployment should run: [`ecs::rollout`] on what was observed.
//!
//! There is one Deployment for each service deployment and capacity provider. Its template never changes; the operator
//! moves the counts, since the bounds of ECS hold over all of them together. Bounds are integers and follow the desired
//! count at every reconcile, so that an autoscaler never leaves stale ones behind.

use std::collections::BTreeSet;

use ecs::capacity::{StrategyItem, split, split_with_floor};
use ecs::event::EventName;
use ecs::rolling::{Bounds, Budget, bounds};
use ecs::rollout::{Launching, Part, Service, Tasks, step};
use jiff::Timestamp;
use serde_json::Value;

use super::daemon::{self, Daemon};
use super::primary;
use super::rebalancing;
use super::record::Record;
use super::revision::{self, CapacityPart, Placement};
use super::scale_in;
use super::snapshot::ServiceSnapshot;
use super::stopping;
use super::verdict;
use super::wanted::Wanted;
use super::workload::Workload;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::op::Plan;
use crate::core::world::World;
use crate::nodes::instance::instances;
use crate::pod::observe::Task;

/// What should be running.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a service")]
#[derive(Default)]
pub(super) struct Rollout {
    /// The deployment new tasks belong to; `None` while there has never been one.
    pub(super) primary: Option<Record>,
    /// Records that are no longer needed, oldest first.
    pub(super) obsolete: Vec<Record>,
    /// Records that Deployments or tasks were made from, besides the PRIMARY one.
    pub(super) in_use: Vec<Record>,
    pub(super) desired: i64,
    pub(super) bounds: Option<Bounds>,
    /// Deployments as they should be; those not listed are left alone.
    pub(super) workloads: Vec<WantedWorkload>,
    /// Deployments of earlier service deployments that have no tasks left.
    pub(super) finished: Vec<ObjectKey>,
    /// Deployments that are asked for fewer tasks than there are, by service deployment and provider label.
    lowered: BTreeSet<(String, String)>,
    /// Uids of the tasks that are to go when counts are lowered.
    victims: BTreeSet<String>,
    /// Neither a start nor a stop is possible within the bounds.
    pub(super) is_stuck: bool,
    /// More tasks are wanted and the maximum leaves no room for one.
    is_full: bool,
    /// Protected tasks keep the service from scaling in or from replacing the last of the old ones.
    pub(super) is_blocked: bool,
    /// What there is to tell about the balance between zones.
    pub(super) rebalancing: Option<(EventName, String)>,
    /// Every task is of the PRIMARY deployment and healthy, and there are as many as desired.
    pub(super) is_complete: bool,
    /// The DaemonSet of a DAEMON service, which has no Deployments.
    pub(super) daemon: Option<Daemon>,
}

impl Rollout {
    /// Whether the Deployment of a task is asked for fewer tasks than it has.
    pub(super) fn is_lowered(&self, task: &Task) -> bool {
        let label = |label: &Option<String>| label.clone().unwrap_or_default();
        self.lowered.contains(&(label(&task.deployment_id), label(&task.capacity_provider)))
    }

    /// Whether the task is one of those that go when the count of its Deployment is lowered.
    pub(super) fn is_victim(&self, task: &Task) -> bool {
        self.victims.contains(&task.uid)
    }

    /// How many tasks a Deployment is asked to keep, before this step and after it. `None` for tasks without a Deployment.
    pub(super) fn kept(&self, snapshot: &ServiceSnapshot, deployment: &str, provider: &str) -> Option<i64> {
        let live = snapshot.workload(deployment, provider)?;
        let wanted = self.workloads.iter().find(|wanted| wanted.key == live.stored.key);
        Some(wanted.map_or(live.replicas, |wanted| wanted.replicas.min(live.replicas)))
    }

    /// Whether the maximum leaves room to start a replacement before a task is stopped.
    pub(super) fn replaces_start_first(&self) -> bool {
        !self.is_full && self.bounds.is_some_and(|bounds| bounds.maximum > self.desired)
    }
}

/// One Deployment as it should be.
pub(super) struct WantedWorkload {
    pub(super) key: ObjectKey,
    pub(super) part: CapacityPart,
    /// The deployment whose template it runs.
    pub(super) record: Record,
    pub(super) replicas: i64,
    /// The desired count that `replicas` were worked out for.
    pub(super) asked_for: i64,
    /// Affinity and tolerations as they are, where the record does not know the provider: it joined the strategy later.
    pub(super) kept: Option<(Option<Value>, Option<Value>)>,
    /// What the percentages leave for this count, for people and tools that read Deployments: nothing here rolls.
    pub(super) budget: Budget,
}

/// How many deployments are remembered unless the service says otherwise.
const DEFAULT_HISTORY: usize = 10;

pub(super) fn decide(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    wanted: &Wanted,
    now: Timestamp,
    plan: &mut Plan,
) -> Rollout {
    let desired = snapshot.desired_count();
    if !wanted.refusals.is_empty() {
        // A refused spec touches nothing that runs.
        return Rollout { primary: snapshot.primary().cloned(), desired, ..Rollout::default() };
    }
    let Some(primary) = primary::primary(snapshot, wanted, now) else {
        return Rollout { desired, ..Rollout::default() };
    };
    let bounds = bounds(desired, wanted.percentages.unwrap_or_default());
    let mut rollout = Rollout { desired, bounds: Some(bounds), ..Rollout::default() };
    place(world, snapshot, wanted, &primary, now, &mut rollout, plan);
    let (in_use, past): (Vec<&Record>, Vec<&Record>) =
        snapshot.records.iter().partition(|record| is_used(snapshot, &primary, record));
    rollout.obsolete = obsolete(snapshot, &past);
    rollout.in_use = in_use.into_iter().filter(|record| record.id() != primary.id()).cloned().collect();
    rollout.primary = Some(primary);
    rollout
}

/// The same for a DAEMON service: one task on each eligible instance.
pub(super) fn decide_daemon(world: &dyn World, snapshot: &ServiceSnapshot, wanted: &Wanted, now: Timestamp) -> Rollout {
    let desired = snapshot.status.desired_count.map_or(0, i64::from);
    if !wanted.refusals.is_empty() {
        return Rollout { primary: snapshot.primary().cloned(), desired, ..Rollout::default() };
    }
    let Some(primary) = primary::primary(snapshot, wanted, now) else { return Rollout::default() };
    let percentages = wanted.percentages.unwrap_or_default();
    let live = daemon::Live::of(world, snapshot);
    let instances = instances(world);
    let (minimum, is_frozen) = (percentages.minimum_healthy, primary.is_frozen());
    let daemon = daemon::decide(snapshot, &instances, live.as_ref(), &primary, minimum, is_frozen);
    let desired = i64::try_from(daemon.eligible.len()).unwrap_or(i64::MAX);
    let is_kept = |record: &&Record| {
        is_used(snapshot, &primary, record) || live.as_ref().is_some_and(|live| live.deployment == record.digits())
    };
    let (in_use, past): (Vec<&Record>, Vec<&Record>) = snapshot.records.iter().partition(is_kept);
    Rollout {
        obsolete: obsolete(snapshot, &past),
        in_use: in_use.into_iter().filter(|record| record.id() != primary.id()).cloned().collect(),
        desired,
        bounds: Some(bounds(desired, percentages)),
        is_stuck: daemon.is_stuck,
        is_complete: daemon.is_complete,
        daemon: Some(daemon),
        primary: Some(primary),
        ..Rollout::default()
    }
}

/// A part of the service with the Deployment behind it.
struct Group<'a> {
    record: Option<&'a Record>,
    capacity: CapacityPart,
    live: Option<&'a Workload>,
    part: Part,
}

/// Decides the counts of all workloads.
fn place(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    wanted: &Wanted,
    primary: &Record,
    now: Timestamp,
    rollout: &mut Rollout,
    plan: &mut Plan,
) {
    let mut groups = sources(snapshot, primary, now);
    groups.extend(newest(snapshot, wanted, primary, rollout.desired, now));
    let percentages = wanted.percentages.unwrap_or_default();
    let shares: Vec<(&CapacityPart, Part)> = groups.iter().map(|group| (&group.capacity, group.part)).collect();
    let rebalancing = rebalancing::decide(world, snapshot, percentages, primary, &shares, now, plan);
    if let Some(group) = rebalancing.surge.and_then(|index| groups.get_mut(index)) {
        group.part.goal += 1;
    }
    rollout.rebalancing = rebalancing.told;
    let parts: Vec<Part> = groups.iter().map(|group| group.part).collect();
    let step = step(&Service {
        desired: rollout.desired,
        percentages: wanted.percentages.unwrap_or_default(),
        launching: if primary.is_frozen() { Launching::Frozen } else { Launching::Allowed },
        is_early_success: primary.is_successful() || verdict::is_early_success(snapshot, rollout.desired, primary),
        parts: &parts,
    });
    rollout.is_stuck = step.is_stuck;
    rollout.is_full = step.is_full;
    rollout.is_blocked = step.is_blocked;
    rollout.is_complete = primary.exists && step.is_complete;
    for (group, count) in groups.into_iter().zip(step.counts) {
        let Group { record, capacity, live, part } = group;
        let replicas = match live.filter(|_| count < part.tasks.existing) {
            Some(live) => lower(world, snapshot, live, part, count, now, rollout, plan),
            None => count,
        };
        let is_empty = replicas == 0 && part.asked == 0 && part.tasks.existing == 0;
        match (record, live) {
            (_, Some(live)) if is_empty && !part.is_primary => rollout.finished.push(live.stored.key.clone()),
            // Without its record the template cannot be written again: it can only end.
            (None, Some(live)) if replicas == 0 => rollout.finished.push(live.stored.key.clone()),
            (Some(record), live) => rollout.workloads.push(WantedWorkload {
                key: live.map_or_else(|| workload_key(snapshot, record, &capacity), |live| live.stored.key.clone()),
                budget: valid(bounds(replicas, wanted.percentages.unwrap_or_default()).budget(replicas)),
                kept: live
                    .filter(|_| !record.revision.capacity.iter().any(|frozen| frozen.label() == capacity.label()))
                    .map(|live| (live.affinity.clone(), live.tolerations.clone())),
                part: capacity,
                record: record.clone(),
                replicas,
                asked_for: rollout.desired,
            }),
            (None, _) => {}
        }
    }
}

/// Sees to it that the right tasks go when a Deployment is asked for fewer than it has. Answers what it may be asked for
/// now.
#[allow(clippy::too_many_arguments)] // what is chosen from, and what is told
fn lower(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    live: &Workload,
    part: Part,
    count: i64,
    now: Timestamp,
    rollout: &mut Rollout,
    plan: &mut Plan,
) -> i64 {
    let id = (live.deployment.clone(), live.provider.clone());
    rollout.lowered.insert(id);
    // An old revision on its way out has no preference, unless somebody does. But where some tasks are too young to count as
    // healthy, they go before those that do, which are what the minimum was worked out with.
    let tasks = part.tasks;
    let is_indifferent =
        !part.is_primary && tasks.protected == 0 && tasks.leaving == 0 && tasks.healthy == tasks.existing;
    if count == 0 {
        let all = snapshot.tasks.iter().filter(|task| is_of(task, &live.deployment, &live.provider));
        rollout.victims.extend(all.map(|task| task.uid.clone()));
        return count;
    }
    if is_indifferent {
        return count;
    }
    let fewer = usize::try_from(part.tasks.existing - count).unwrap_or_default();
    let scale_in = scale_in::choose(world, snapshot, (&live.deployment, &live.provider), fewer, now);
    rollout.victims.extend(scale_in.victims);
    plan.ops.extend(scale_in.marks);
    // A count that was lowered before is not raised again.
    (part.tasks.existing - scale_in.prepared).max(count).min(part.asked.max(count))
}

/// Deployments of earlier service deployments, oldest first.
fn sources<'a>(snapshot: &'a ServiceSnapshot, primary: &Record, now: Timestamp) -> Vec<Group<'a>> {
    let mut live: Vec<&Workload> =
        snapshot.workloads.values().filter(|workload| workload.deployment != primary.digits()).collect();
    let age = |workload: &Workload| {
        snapshot.records.iter().position(|record| record.digits() == workload.deployment).unwrap_or_default()
    };
    live.sort_by_key(|workload| age(workload));
    live.into_iter()
        .map(|live| {
            let record = snapshot.record(&live.deployment);
            let frozen = record.and_then(|record| {
                record.revision.capacity.iter().find(|capacity| capacity.label() == live.provider).cloned()
            });
            let provider = Some(live.provider.clone()).filter(|label| label != revision::NO_PROVIDER);
            let joined_later = || CapacityPart { provider, base: 0, weight: 0, placement: Placement::default() };
            let capacity = frozen.unwrap_or_else(joined_later);
            let tasks = tasks(snapshot, &live.deployment, &live.provider, now);
            let part = Part { is_primary: false, goal: 0, asked: live.replicas, asked_for: live.asked_for, tasks };
            Group { record, capacity, live: Some(live), part }
        })
        .collect()
}

/// Deployments of the PRIMARY deployment in the order of its strategy, existing or not.
fn newest<'a>(
    snapshot: &'a ServiceSnapshot,
    wanted: &Wanted,
    primary: &'a Record,
    desired: i64,
    now: Timestamp,
) -> Vec<Group<'a>> {
    let capacity = parts(snapshot, wanted, primary);
    let live: Vec<Option<&Workload>> =
        capacity.iter().map(|part| snapshot.workload(primary.digits(), &part.label())).collect();
    let goals = goals(desired, &capacity, &live, wanted, primary);
    let group = |((capacity, live), goal): ((CapacityPart, Option<&'a Workload>), i64)| {
        let part = Part {
            is_primary: true,
            goal,
            asked: live.map_or(0, |live| live.replicas),
            asked_for: live.and_then(|live| live.asked_for),
            tasks: tasks(snapshot, primary.digits(), &capacity.label(), now),
        };
        Group { record: Some(primary), capacity, live, part }
    };
    capacity.into_iter().zip(live).zip(goals).map(group).collect()
}

/// Counts the tasks of one Deployment.
///
/// While there are more than it is asked for, the marked ones are about to go: a task that was too young to count when it was
/// marked, and counts by now, is no capacity. Of a healthy, a young and a marked task, 2 asked for, 1 healthy one is left.
fn tasks(snapshot: &ServiceSnapshot, deployment: &str, provider: &str, now: Timestamp) -> Tasks {
    let mut tasks = Tasks::default();
    let is_frozen = snapshot.record(deployment).is_some_and(Record::is_frozen);
    let own = || snapshot.tasks.iter().filter(|task| !task.is_stopping && is_of(task, deployment, provider));
    let existing = i64::try_from(own().count()).unwrap_or(i64::MAX);
    let is_lowered = snapshot.workload(deployment, provider).is_some_and(|live| live.replicas < existing);
    for task in own() {
        // Its end is decided, whatever becomes of it until its pod is deleted.
        let is_given_up = snapshot.status.stopped_tasks.iter().any(|record| record.uid == task.uid);
        let is_about_to_go = is_lowered && task.is_marked;
        let is_healthy = task.is_healthy_for_deployment && !is_given_up && !is_about_to_go;
        let is_leaving = stopping::is_to_be_replaced(snapshot, task, now);
        tasks.existing += 1;
        tasks.healthy += i64::from(is_healthy);
        tasks.leaving += i64::from(is_leaving);
        tasks.leaving_healthy += i64::from(is_leaving && is_healthy);
        // A deployment that launches nothing more does not replace its unhealthy tasks: they only go.
        let is_over = is_given_up || (is_frozen && stopping::is_unhealthy(snapshot, task, now));
        tasks.failing += i64::from(is_over || stopping::is_failing(task));
        let is_protected = stopping::is_protected(snapshot, task, now);
        tasks.protected += i64::from(is_protected);
        tasks.protected_healthy += i64::from(is_protected && is_healthy);
        tasks.unplaced += i64::from(stopping::has_no_place(task));
    }
    tasks
}

/// Whether a task belongs to the Deployment of a service deployment on a provider.
pub(super) fn is_of(task: &Task, deployment: &str, provider: &str) -> bool {
    task.deployment_id.as_deref() == Some(deployment)
        && task.capacity_provider.as_deref().unwrap_or_default() == provider
}

/// Strategy items new tasks go to. Items that a changed strategy dropped stay with weight 0, since ECS moves nothing that
/// runs until the next deployment.
fn parts(snapshot: &ServiceSnapshot, wanted: &Wanted, primary: &Record) -> Vec<CapacityPart> {
    let mut parts =
        if wanted.capacity.is_empty() { primary.revision.capacity.clone() } else { wanted.capacity.clone() };
    for part in &mut parts {
        let label = part.label();
        let frozen = primary.revision.capacity.iter().find(|frozen| frozen.label() == label);
        if let Some(frozen) = frozen {
            part.placement = frozen.placement.clone();
        }
    }
    for frozen in primary.revision.capacity.iter().filter(|_| primary.exists) {
        if !parts.iter().any(|part| part.provider == frozen.provider)
            && snapshot.workload(primary.digits(), &frozen.label()).is_some()
        {
            parts.push(CapacityPart { base: 0, weight: 0, ..frozen.clone() });
        }
    }
    parts
}

/// Tasks per part in the end. With the strategy the deployment was started with, base and weight alone decide. After a
/// change of the strategy what runs stays, and only the difference is placed by the new weights.
fn goals(
    count: i64,
    parts: &[CapacityPart],
    live: &[Option<&Workload>],
    wanted: &Wanted,
    primary: &Record,
) -> Vec<i64> {
    let items: Vec<StrategyItem> = parts.iter().map(CapacityPart::item).collect();
    let strategy = |parts: &[CapacityPart]| -> Vec<_> { parts.iter().map(CapacityPart::item).collect() };
    let is_unchanged = wanted.capacity.is_empty() || strategy(&wanted.capacity) == strategy(&primary.revision.capacity);
    if is_unchanged || !primary.exists {
        return split(count, &items);
    }
    let running: Vec<i64> = live.iter().map(|workload| workload.map_or(0, |workload| workload.replicas)).collect();
    split_with_floor(count, &items, &running)
}

/// The server refuses zero and zero.
fn valid(budget: Budget) -> Budget {
    if budget.is_zero() { Budget { max_surge: 1, max_unavailable: 0 } } else { budget }
}

/// `web-3f2a91c07b`, or `web-fargate-3f2a91c07b` with a provider. The hash is of the service, the deployment and the
/// provider, so that no two of them ever meet.
fn workload_key(snapshot: &ServiceSnapshot, record: &Record, part: &CapacityPart) -> ObjectKey {
    let service = &snapshot.key.name;
    let provider = part.provider.as_deref().unwrap_or_default();
    let readable: String =
        provider.chars().filter(char::is_ascii_alphanumeric).take(20).collect::<String>().to_ascii_lowercase();
    let hash = ecs::name::short_hash(&format!("{service}/{}/{provider}", record.digits()));
    let suffix = if readable.is_empty() { hash } else { format!("{readable}-{hash}") };
    let stem = ecs::name::dns_label(service, LONGEST_NAME - 1 - suffix.len());
    ObjectKey::namespaced(Kind::Deployment, &snapshot.namespace, format!("{stem}-{suffix}"))
}

/// Pods get their Deployment's name and 17 characters more, cut at 63: longer names would hide which is which.
const LONGEST_NAME: usize = 63;

fn is_used(snapshot: &ServiceSnapshot, primary: &Record, record: &Record) -> bool {
    let used: BTreeSet<&str> = snapshot
        .workloads
        .values()
        .map(|workload| workload.deployment.as_str())
        .chain(snapshot.tasks.iter().filter_map(|task| task.deployment_id.as_deref()))
        .collect();
    record.id() == primary.id() || used.contains(record.digits())
}

/// Records beyond the history limit that nothing runs from any more. The last one that completed stays: it is what a
/// failed deployment goes back to.
fn obsolete(snapshot: &ServiceSnapshot, past: &[&Record]) -> Vec<Record> {
    let limit = snapshot
        .spec
        .as_ref()
        .ok()
        .and_then(|spec| spec.kubernetes.as_ref()?.deployment_history_limit)
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(DEFAULT_HISTORY);
    let last_completed = snapshot.last_completed().map(Record::id);
    past.iter()
        .take(past.len().saturating_sub(limit))
        .filter(|record| Some(record.id()) != last_completed)
        .map(|record| (*record).clone())
        .collect()
}
