//! How many tasks of which deployment each Deployment should run: [`ecs::rollout`] on the parts of the service, once the stage of
//! its deployment is decided.
//!
//! There is one Deployment for each service deployment and capacity provider. Its template never changes; the operator
//! moves the counts, since the bounds of ECS hold over all of them together. Bounds are integers and follow the desired
//! count at every reconcile, so that an autoscaler never leaves stale ones behind.

mod rebalancing;
mod scale_in;

use std::collections::BTreeSet;

use api::service::LeavingTask;
use ecs::deployment::Stage;
use ecs::rolling::{Bounds, Budget, bounds};
use ecs::rollout::{Launching, Part, Service, step};
use serde_json::Value;

pub(super) use rebalancing::{Rebalancing, made_way};
use scale_in::ScaleIn;

use super::context::Context;
use super::daemon::{self, Daemon, Fleet};
use super::identify::Deployments;
use super::judged::Judged;
use super::parts::{Group, Parts};
use super::record::Record;
use super::resolve::{Resolution, ResolvedService};
use super::snapshot::ServiceSnapshot;
use super::stage::{GivenUp, Stages};
use super::workload::{self, Workload};
use crate::capacity::CapacityPart;
use crate::core::kind::ObjectKey;
use crate::core::op::Op;
use crate::nodes::attribute::ZONE;
use crate::nodes::instance::instance;
use crate::pod::observe::Task;

/// What should be running.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a service")]
#[derive(Default)]
pub(super) struct Counts {
    /// `desiredCount`
    pub(super) desired: i64,
    /// `None` while nothing may move: the spec is refused, or there has never been a deployment.
    pub(super) bounds: Option<Bounds>,
    /// Deployments as they should be; those not listed are left alone.
    pub(super) workloads: Vec<WantedWorkload>,
    /// Deployments that are to have fewer tasks and whose records are gone, so that nothing else of them can be written.
    pub(super) orphans: Vec<(ObjectKey, i64)>,
    /// Deployments of earlier service deployments that have no tasks left.
    pub(super) finished: Vec<ObjectKey>,
    /// The DaemonSet of a DAEMON service, which has no Deployments.
    pub(super) daemon: Option<Daemon>,
    /// Marks on the tasks that go first, written before counts are lowered.
    pub(super) marks: Vec<Op>,
    /// Neither a start nor a stop is possible within the bounds.
    pub(super) is_stuck: bool,
    /// Protected tasks keep the service from scaling in or from replacing the last of the old ones.
    pub(super) is_blocked: bool,
    /// Every task is of the PRIMARY deployment and healthy, and there are as many as desired.
    pub(super) is_complete: bool,
    /// Balance between zones.
    pub(super) rebalancing: Rebalancing,
    /// A task was started for balance, and none has made way for it yet.
    pub(super) is_moving: bool,
    /// Deployments that are asked for fewer tasks than there are, by service deployment and provider label.
    lowered: BTreeSet<(String, String)>,
    /// Uids of the tasks that are to go when counts are lowered.
    victims: BTreeSet<String>,
    /// More tasks are wanted and the maximum leaves no room for one.
    is_full: bool,
}

impl Counts {
    /// Whether the Deployment of a task is asked for fewer tasks than it has.
    pub(super) fn is_lowered(&self, judged: &Judged<'_>) -> bool {
        self.lowered.contains(&(judged.deployment().to_owned(), judged.provider().to_owned()))
    }

    /// Whether the task is one of those that go when the count of its Deployment is lowered.
    pub(super) fn is_victim(&self, judged: &Judged<'_>) -> bool {
        self.victims.contains(&judged.task.uid)
    }

    /// How many tasks a Deployment is asked to keep, before this step and after it. `None` for tasks without a Deployment.
    pub(super) fn kept(&self, snapshot: &ServiceSnapshot, deployment: &str, provider: &str) -> Option<i64> {
        let live = snapshot.workload(deployment, provider)?;
        let workloads = self.workloads.iter().map(|wanted| (&wanted.key, wanted.replicas));
        let orphans = self.orphans.iter().map(|(key, replicas)| (key, *replicas));
        let wanted = workloads.chain(orphans).find(|(key, _)| **key == live.stored.key);
        Some(wanted.map_or(live.replicas, |(_, replicas)| replicas.min(live.replicas)))
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

pub(super) fn decide(
    context: Context<'_>,
    tasks: &[Judged<'_>],
    resolution: &Resolution,
    deployments: &Deployments,
    parts: Parts<'_>,
    stages: &Stages,
) -> Counts {
    let desired = parts.desired(context.snapshot);
    let Some((service, primary)) = resolution.service().zip(deployments.primary.as_ref()) else {
        return Counts { desired, ..Counts::default() };
    };
    match parts {
        Parts::Unknown => Counts { desired, ..Counts::default() },
        Parts::Daemon(fleet) => of_daemon(context.snapshot, service, primary, &fleet, stages),
        Parts::Replica(groups) => Rollout { context, tasks, service, primary, stages, desired }.counts(groups),
    }
}

/// The same for a DAEMON service: one task on each eligible instance.
fn of_daemon(
    snapshot: &ServiceSnapshot,
    service: &ResolvedService,
    primary: &Record,
    fleet: &Fleet,
    stages: &Stages,
) -> Counts {
    let desired = fleet.desired();
    let daemon = daemon::decide(snapshot, fleet, primary, stages.given_up(primary).is_some());
    Counts {
        desired,
        bounds: Some(bounds(desired, service.percentages)),
        is_stuck: daemon.is_stuck,
        is_complete: primary.exists && fleet.is_covered(),
        daemon: Some(daemon),
        ..Counts::default()
    }
}

/// What the counts of a REPLICA service follow from.
struct Rollout<'a> {
    context: Context<'a>,
    tasks: &'a [Judged<'a>],
    service: &'a ResolvedService,
    primary: &'a Record,
    stages: &'a Stages,
    desired: i64,
}

/// What lowering one Deployment comes to.
#[derive(Default)]
struct Lowered {
    /// What it may be asked for before the marks are seen.
    count: i64,
    /// Uids of the tasks that are to go.
    victims: Vec<String>,
    marks: Vec<Op>,
}

impl Rollout<'_> {
    fn counts(&self, mut groups: Vec<Group<'_>>) -> Counts {
        for group in &mut groups {
            let given_up = group.record.and_then(|record| self.stages.given_up(record));
            if let Some(GivenUp { is_alone }) = given_up {
                group.part = group.given_up(is_alone);
            }
            if let Some(since) = self.stages.held_since.filter(|_| group.part.is_primary) {
                group.part.tasks.refused = self.refused(group.part, &group.capacity.label(), since);
            }
        }
        let is_moving = rebalancing::is_moving(self.context.snapshot, &groups);
        let rebalancing =
            rebalancing::decide(self.context, self.tasks, self.service, self.primary, self.stages, &groups);
        if let Some(group) = rebalancing.surge.and_then(|index| groups.get_mut(index)) {
            group.part.goal += 1;
        }
        let launching = match (self.stages.given_up(self.primary), self.stages.held_since) {
            (Some(_), _) => Launching::Frozen,
            (None, Some(_)) => Launching::Held,
            (None, None) => Launching::Allowed,
        };
        let stage = self.stages.stage(self.primary);
        let parts: Vec<Part> = groups.iter().map(|group| group.part).collect();
        let step = step(&Service {
            desired: self.desired,
            percentages: self.service.percentages,
            launching,
            is_early_success: stage == Stage::Successful || self.is_early_success(),
            parts: &parts,
        });
        let mut counts = Counts {
            desired: self.desired,
            bounds: Some(bounds(self.desired, self.service.percentages)),
            is_stuck: step.is_stuck,
            is_full: step.is_full,
            is_blocked: step.is_blocked,
            is_complete: self.primary.exists && step.is_complete,
            rebalancing,
            is_moving,
            ..Counts::default()
        };
        for (group, count) in groups.into_iter().zip(step.counts) {
            let lowering = group.live.filter(|_| count < group.part.tasks.existing);
            let lowered = lowering.map(|live| self.lower(live, group.part, count));
            let replicas = lowered.as_ref().map_or(count, |lowered| lowered.count);
            if let (Some(live), Some(lowered)) = (lowering, lowered) {
                if let Some(status) = counts.rebalancing.status.as_mut().filter(|_| is_moving) {
                    let leaving = self.tasks.iter().find(|judged| lowered.victims.contains(&judged.task.uid));
                    status.leaving = leaving.map(|judged| self.leaving(judged.task)).or(status.leaving.take());
                }
                counts.lowered.insert((live.deployment.clone(), live.provider.clone()));
                counts.victims.extend(lowered.victims);
                counts.marks.extend(lowered.marks);
            }
            match self.workload(group, replicas) {
                Wanted::Kept(workload) => counts.workloads.push(*workload),
                Wanted::Orphan(key, replicas) => counts.orphans.push((key, replicas)),
                Wanted::Finished(key) => counts.finished.push(key),
                Wanted::Nothing => {}
            }
        }
        counts
    }

    /// Tasks that a Deployment is not to start again while starts are held back: those whose pods have failed before they ran. A
    /// ReplicaSet replaces a pod that a node refuses at once and for ever: of one that is refused each second there would be
    /// thousands before anybody looks. It keeps what runs, and what was started before: others of the wave that a deployment
    /// begins with.
    fn refused(&self, part: Part, provider: &str, held_since: i64) -> i64 {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let own = || self.tasks.iter().filter(|judged| judged.is_of(self.primary.digits(), provider));
        let own = || own().map(|judged| judged.task);
        let is_refused = |task: &&Task| task.is_stopping && task.stopping_since.is_none() && task.started_at.is_none();
        let is_kept =
            |task: &&Task| !task.is_stopping && (task.started_at.is_some() || task.created_at.as_second() < held_since);
        number(own().filter(is_refused).count()).min(part.asked - number(own().filter(is_kept).count())).max(0)
    }

    fn leaving(&self, task: &Task) -> LeavingTask {
        let node = task.node.as_deref().and_then(|node| instance(self.context.world, node));
        let zone = node.and_then(|node| node.labels.get(ZONE).cloned()).unwrap_or_default();
        LeavingTask { id: task.id.clone(), zone }
    }

    fn is_early_success(&self) -> bool {
        let own = self.tasks.iter().filter(|judged| judged.deployment() == self.primary.digits());
        let healthy = own.filter(|judged| judged.task.is_healthy_for_deployment).count();
        self.service.policy.is_early_success(i64::try_from(healthy).unwrap_or(i64::MAX), self.desired)
    }

    /// What becomes of the Deployment behind a part.
    fn workload(&self, group: Group<'_>, replicas: i64) -> Wanted {
        let Group { record, capacity, live, part, .. } = group;
        let is_empty = replicas == 0 && part.asked == 0 && part.tasks.existing == 0;
        match (record, live) {
            (_, Some(live)) if is_empty && !part.is_primary => Wanted::Finished(live.stored.key.clone()),
            // Without its record the template cannot be written again: it can only have fewer tasks, and end.
            (None, Some(live)) if replicas == 0 => Wanted::Finished(live.stored.key.clone()),
            (None, Some(live)) if replicas < live.replicas => Wanted::Orphan(live.stored.key.clone(), replicas),
            (Some(record), live) => Wanted::Kept(Box::new(WantedWorkload {
                key: live.map_or_else(
                    || workload::key(&self.context.snapshot.key, record.digits(), capacity.provider.as_deref()),
                    |live| live.stored.key.clone(),
                ),
                budget: valid(bounds(replicas, self.service.percentages).budget(replicas)),
                kept: live
                    .filter(|_| !record.revision.capacity.iter().any(|frozen| frozen.label() == capacity.label()))
                    .map(Workload::placement),
                part: capacity,
                record: record.clone(),
                replicas,
                asked_for: self.desired,
            })),
            (None, _) => Wanted::Nothing,
        }
    }

    /// Chooses the tasks that go when a Deployment is asked for fewer than it has, and the count that is safe before the marks on
    /// them are seen.
    fn lower(&self, live: &Workload, part: Part, count: i64) -> Lowered {
        // An old revision on its way out has no preference, unless somebody does. But where some tasks are too young to count
        // as healthy, they go before those that do, which are what the minimum was worked out with.
        let tasks = part.tasks;
        let is_indifferent =
            !part.is_primary && tasks.protected == 0 && tasks.leaving == 0 && tasks.healthy == tasks.existing;
        if count == 0 {
            let all = self.tasks.iter().filter(|judged| judged.is_of(&live.deployment, &live.provider));
            let victims = all.map(|judged| judged.task.uid.clone()).collect();
            return Lowered { count, victims, marks: Vec::new() };
        }
        if is_indifferent {
            return Lowered { count, ..Lowered::default() };
        }
        let fewer = usize::try_from(tasks.existing - count).unwrap_or_default();
        let ScaleIn { victims, prepared, marks } =
            scale_in::choose(self.context, self.tasks, self.service.scale_in, live, fewer);
        // A count that was lowered before is not raised again.
        let count = (tasks.existing - prepared).max(count).min(part.asked.max(count));
        Lowered { count, victims, marks }
    }
}

/// What becomes of one Deployment.
enum Wanted {
    Kept(Box<WantedWorkload>),
    Orphan(ObjectKey, i64),
    Finished(ObjectKey),
    Nothing,
}

/// The server refuses zero and zero.
fn valid(budget: Budget) -> Budget {
    if budget.is_zero() { Budget { max_surge: 1, max_unavailable: 0 } } else { budget }
}
