//! The parts that a service consists of as they are now: the tasks of each service deployment on each capacity provider.
//!
//! Nothing is decided here. How many tasks each part should run is said in [`super::counts`], after the stage of the deployment
//! is decided.

use api::service_deployment::CapacityGoal;
use ecs::capacity::{StrategyItem, split, split_with_floor};
use ecs::rollout::{Launching, Part, Service, Tasks, step};

use super::context::Context;
use super::daemon::{self, Fleet};
use super::identify::Deployments;
use super::judged::Judged;
use super::record::Record;
use super::resolve::{Resolution, ResolvedService};
use super::snapshot::ServiceSnapshot;
use super::workload::Workload;
use crate::capacity::{CapacityPart, NO_PROVIDER, Placement};
use crate::core::status::narrow;

/// What there is of a service.
pub(super) enum Parts<'a> {
    /// Nothing is looked at: the spec is refused, or there has never been a deployment.
    Unknown,
    /// Deployments by service deployment and capacity provider.
    Replica(Vec<Group<'a>>),
    /// Instances and the tasks on them.
    Daemon(Fleet),
}

/// A part of the service with the Deployment behind it.
pub(super) struct Group<'a> {
    /// The deployment whose template it runs; `None` once its record is gone.
    pub(super) record: Option<&'a Record>,
    pub(super) capacity: CapacityPart,
    pub(super) live: Option<&'a Workload>,
    pub(super) part: Part,
    /// Unhealthy tasks that are not failing by themselves.
    unhealthy: i64,
    /// Tasks that count against their deployment.
    failed: i64,
}

impl Group<'_> {
    /// The part where its deployment launches nothing more: it does not replace its unhealthy tasks, they only go. `is_alone`
    /// if the service has no tasks of another deployment: then only those go that never worked or fail their health checks.
    pub(super) fn given_up(&self, is_alone: bool) -> Part {
        let Part { is_primary, tasks, .. } = self.part;
        let failing = if is_alone { self.failed } else { tasks.failing + self.unhealthy };
        // Tasks on draining instances of older deployments make way like all the others.
        let leaving = if is_primary { tasks.leaving_healthy } else { 0 };
        Part { tasks: Tasks { failing, leaving, leaving_healthy: leaving, ..tasks }, ..self.part }
    }
}

impl Parts<'_> {
    /// Every task of the service is of the PRIMARY deployment and healthy, and there are as many as desired.
    pub(super) fn is_replaced(&self, service: &ResolvedService, desired: i64, primary: &Record) -> bool {
        match self {
            Self::Unknown => false,
            Self::Daemon(fleet) => primary.exists && fleet.is_covered(),
            Self::Replica(groups) => {
                let parts: Vec<Part> = groups.iter().map(|group| group.part).collect();
                let step = step(&Service {
                    desired,
                    percentages: service.percentages,
                    launching: Launching::Allowed,
                    is_early_success: false,
                    parts: &parts,
                });
                primary.exists && step.is_complete
            }
        }
    }

    /// What is remembered of the goals of the capacity providers.
    pub(super) fn capacity(&self) -> Vec<CapacityGoal> {
        let Self::Replica(groups) = self else { return Vec::new() };
        let goal = |group: &Group<'_>| CapacityGoal {
            capacity_provider: group.capacity.label(),
            desired_count: narrow(group.part.goal),
        };
        groups.iter().filter(|group| group.part.is_primary).map(goal).collect()
    }

    /// `desiredCount`: that of the spec, or the instances that should have a task of a DAEMON service.
    pub(super) fn desired(&self, snapshot: &ServiceSnapshot) -> i64 {
        match self {
            Self::Daemon(fleet) => fleet.desired(),
            Self::Unknown if snapshot.is_daemon() => snapshot.status.desired_count.map_or(0, i64::from),
            Self::Unknown | Self::Replica(_) => snapshot.desired_count(),
        }
    }
}

pub(super) fn observe<'a>(
    context: Context<'a>,
    tasks: &[Judged<'_>],
    resolution: &Resolution,
    deployments: &'a Deployments,
) -> Parts<'a> {
    let Some((service, primary)) = resolution.service().zip(deployments.primary.as_ref()) else {
        return Parts::Unknown;
    };
    if context.snapshot.is_daemon() {
        return Parts::Daemon(daemon::observe(context, primary, service.percentages.minimum_healthy));
    }
    let mut groups = sources(context.snapshot, tasks, primary);
    groups.extend(newest(context.snapshot, tasks, service, primary));
    Parts::Replica(groups)
}

/// Deployments of earlier service deployments, oldest first.
fn sources<'a>(snapshot: &'a ServiceSnapshot, judged: &[Judged<'_>], primary: &Record) -> Vec<Group<'a>> {
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
            let provider = Some(live.provider.clone()).filter(|label| label != NO_PROVIDER);
            let joined_later = || CapacityPart { provider, base: 0, weight: 0, placement: Placement::default() };
            let capacity = frozen.unwrap_or_else(joined_later);
            let tasks = Counted::of(snapshot, judged, &live.deployment, &live.provider);
            let part =
                Part { is_primary: false, goal: 0, asked: live.replicas, asked_for: live.asked_for, tasks: tasks.all };
            Group { record, capacity, live: Some(live), part, unhealthy: tasks.unhealthy, failed: tasks.failed }
        })
        .collect()
}

/// Deployments of the PRIMARY deployment in the order of its strategy, existing or not.
fn newest<'a>(
    snapshot: &'a ServiceSnapshot,
    judged: &[Judged<'_>],
    service: &ResolvedService,
    primary: &'a Record,
) -> Vec<Group<'a>> {
    let capacity = parts(snapshot, service, primary);
    let live: Vec<Option<&Workload>> =
        capacity.iter().map(|part| snapshot.workload(primary.digits(), &part.label())).collect();
    let goals = goals(snapshot.desired_count(), &capacity, &live, primary);
    let group = |((capacity, live), goal): ((CapacityPart, Option<&'a Workload>), i64)| {
        let tasks = Counted::of(snapshot, judged, primary.digits(), &capacity.label());
        let part = Part {
            is_primary: true,
            goal,
            asked: live.map_or(0, |live| live.replicas),
            asked_for: live.and_then(|live| live.asked_for),
            tasks: tasks.all,
        };
        Group { record: Some(primary), capacity, live, part, unhealthy: tasks.unhealthy, failed: tasks.failed }
    };
    capacity.into_iter().zip(live).zip(goals).map(group).collect()
}

/// The tasks of one Deployment, counted.
#[derive(Default)]
struct Counted {
    all: Tasks,
    unhealthy: i64,
    failed: i64,
}

impl Counted {
    /// While there are more than the Deployment is asked for, the marked ones are about to go: a task that was too young to
    /// count when it was marked, and counts by now, is no capacity. Of a healthy, a young and a marked task, 2 asked for, 1
    /// healthy one is left.
    fn of(snapshot: &ServiceSnapshot, judged: &[Judged<'_>], deployment: &str, provider: &str) -> Self {
        let Self { mut all, mut unhealthy, mut failed } = Self::default();
        let own = || judged.iter().filter(|judged| !judged.task.is_stopping && judged.is_of(deployment, provider));
        let existing = i64::try_from(own().count()).unwrap_or(i64::MAX);
        let is_lowered = snapshot.workload(deployment, provider).is_some_and(|live| live.replicas < existing);
        for judged in own() {
            let is_about_to_go = is_lowered && judged.task.is_marked;
            let is_healthy = judged.task.is_healthy_for_deployment && !judged.is_recorded && !is_about_to_go;
            let is_failing = judged.is_recorded || judged.is_failing;
            all.existing += 1;
            all.healthy += i64::from(is_healthy);
            // One that never ran on a draining instance is stopped at once, and needs no replacement first.
            let is_leaving = judged.is_to_be_replaced && (judged.is_unhealthy || judged.task.started_at.is_some());
            all.leaving += i64::from(is_leaving);
            all.leaving_healthy += i64::from(is_leaving && is_healthy);
            all.failing += i64::from(is_failing);
            all.protected += i64::from(judged.is_protected);
            all.protected_healthy += i64::from(judged.is_protected && is_healthy);
            all.unplaced += i64::from(judged.has_no_place);
            unhealthy += i64::from(judged.is_unhealthy && !is_failing);
            failed += i64::from(judged.has_failed);
        }
        Self { all, unhealthy, failed }
    }
}

/// Strategy items new tasks go to. Items that a changed strategy dropped stay with weight 0, since ECS moves nothing that
/// runs until the next deployment.
fn parts(snapshot: &ServiceSnapshot, service: &ResolvedService, primary: &Record) -> Vec<CapacityPart> {
    let mut parts =
        if service.capacity.is_empty() { primary.revision.capacity.clone() } else { service.capacity.clone() };
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

/// Tasks per part in the end. A new deployment divides the count by its strategy. From then on what each provider was to have
/// stays, whatever the strategy says now, and only the difference of the count is placed by it: with 4 and 4 of 8 tasks and a
/// strategy that now wants the second provider alone, 10 tasks are 4 and 6. The goals of before are recorded, since the tasks
/// that run at some moment are not them: there is one more while one is replaced.
fn goals(count: i64, parts: &[CapacityPart], live: &[Option<&Workload>], primary: &Record) -> Vec<i64> {
    let items: Vec<StrategyItem> = parts.iter().map(CapacityPart::item).collect();
    let recorded = &primary.status.capacity;
    let running: Vec<i64> = live.iter().map(|workload| workload.map_or(0, |workload| workload.replicas)).collect();
    if !recorded.is_empty() {
        let goal = |part: &CapacityPart| {
            let known = recorded.iter().find(|goal| goal.capacity_provider == part.label());
            known.map_or(0, |goal| i64::from(goal.desired_count))
        };
        return split_with_floor(count, &items, &parts.iter().map(goal).collect::<Vec<_>>());
    }
    // A record of before goals were recorded has what its Deployments are asked for.
    if primary.exists && running.iter().any(|tasks| *tasks > 0) {
        return split_with_floor(count, &items, &running);
    }
    split(count, &items)
}
