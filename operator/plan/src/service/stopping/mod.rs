//! Which tasks the operator stops, because ECS would: tasks that are over although their pods go on, those that cannot
//! start, unhealthy ones, and those on draining instances.
//!
//! A task is stopped in steps, so that nothing is lost when the process ends in between. First its failure is counted, in
//! the record of its deployment. Then it is put into `status.stoppedTasks`; once that is stored, the pod whose uid it holds
//! is deleted. Every step can be repeated.
//!
//! Unhealthy tasks and those on draining instances are replaced before they are stopped where `maximumPercent` leaves room:
//! [`super::rollout`] asks for more tasks for a while, and when it asks for fewer again, they are the ones that go. Where
//! it leaves none they are stopped here, within the minimum.
//!
//! Tasks that stop before RUNNING wait for [`ecs::deployment::throttle`]. Those that worked are replaced as fast as they end. Those
//! that exit as soon as they run would be replaced each second, which ECS, whose tasks take longer to start, leaves alone. So
//! [`AT_ONCE`] of them may be stopped without a pause, and from then on in each [`pace::PAUSE_SECONDS`] only a tenth of the
//! desired count, at least one and at most ten: of a service of 5 tasks that all exit at once, 3 are replaced at once and then
//! one every 10 seconds; of 60, 6 every 10 seconds. Meanwhile the kubelet starts their containers again with a back-off of its
//! own. After [`FORGET_SECONDS`] without an end the first ones are free again.

mod fate;
mod pace;

use std::collections::BTreeMap;

use api::conditions::Reason;
use api::schema::MicroTime;
use api::service::{MAX_STOPPED_TASKS, StoppedContainer, StoppedTask};
use ecs::health::HealthStatus;
use ecs::lifecycle::{StopCode, UNHEALTHY};
use jiff::Timestamp;

use fate::{Fate, Judges};
use pace::{AT_ONCE, Allowance, FORGET_SECONDS, has_failed};

use super::context::Context;
use super::counts::Counts;
use super::judged::Judged;
use super::resolve::Resolution;
use super::stage::Stages;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::moment::{after, earliest};
use crate::core::op::Op;
use crate::pod::ending::{ContainerEnd, Ending};

/// What is stopped.
#[derive(Default)]
pub(super) struct Stopping {
    /// Tasks that are given up now, oldest first.
    pub(super) given_up: Vec<GivenUp>,
    /// Pods that are deleted.
    pub(super) ops: Vec<Op>,
    /// When the next task may be stopped, or begins to count as unhealthy.
    pub(super) wake: Option<Timestamp>,
}

/// A task that is given up.
pub(super) struct GivenUp {
    /// The record of it in the status.
    pub(super) record: StoppedTask,
    /// Whether it failed its health checks.
    pub(super) is_unhealthy: bool,
}

/// Tasks keep failing.
pub(super) struct Impaired {
    /// How the last one did.
    pub(super) reason: Reason,
    /// The same in words.
    pub(super) message: String,
    /// Until when it is said if no other task fails.
    pub(super) until: Timestamp,
}

impl Stopping {
    /// Whether the task was given up, now or before.
    pub(super) fn is_given_up(&self, judged: &Judged<'_>) -> bool {
        judged.is_recorded || self.given_up.iter().any(|given_up| given_up.record.uid == judged.task.uid)
    }

    /// Whether so many tasks failed lately that the next ones are held back.
    pub(super) fn impaired(&self, before: &[StoppedTask], now: Timestamp) -> Option<Impaired> {
        let list = self.stopped_tasks(before);
        let recent =
            list.iter().filter(|record| has_failed(record) && after(record.stopped_at.0, FORGET_SECONDS) > now);
        let recent: Vec<&StoppedTask> = recent.collect();
        let newest = recent.first().filter(|_| recent.len() >= AT_ONCE)?;
        let named = |container: &StoppedContainer| {
            let code = container.exit_code.map(|code| format!(" exited with code {code}")).unwrap_or_default();
            let why = container.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!(" (container {}{code}{why})", container.name)
        };
        let culprit = newest.containers.iter().find(|container| container.ended_the_task == Some(true));
        let message = format!("{}{}", newest.stopped_reason, culprit.map(named).unwrap_or_default());
        let reason = Reason::ALL.iter().find(|reason| reason.as_str() == newest.stop_code);
        Some(Impaired {
            reason: reason.copied().unwrap_or(Reason::TaskStartImpaired),
            message,
            until: after(newest.stopped_at.0, FORGET_SECONDS),
        })
    }

    /// The list for the status: what is given up now before what was.
    pub(super) fn stopped_tasks(&self, before: &[StoppedTask]) -> Vec<StoppedTask> {
        let given_up = self.given_up.iter().rev().map(|given_up| &given_up.record);
        given_up.chain(before).take(MAX_STOPPED_TASKS).cloned().collect()
    }
}

/// Deletes the pods of tasks that were given up before, and gives up those whose time has come.
///
/// What should become of a task is decided for each by itself ([`Fate`]); then budgets are spent in the order of age.
pub(super) fn stop(
    context: Context<'_>,
    tasks: &[Judged<'_>],
    resolution: &Resolution,
    counts: &Counts,
    stages: &Stages,
) -> Stopping {
    let snapshot = context.snapshot;
    let (recorded, others): (Vec<&Judged<'_>>, Vec<&Judged<'_>>) =
        tasks.iter().filter(|judged| judged.task.stopping_since.is_none()).partition(|judged| judged.is_recorded);
    // Where fewer tasks are asked for than there are, the ReplicaSet takes the right ones.
    let deleted = recorded.iter().filter(|judged| !counts.is_lowered(judged)).map(|judged| delete(context, judged));
    let mut stopping = Stopping { ops: deleted.collect(), ..Stopping::default() };
    let (Some(service), Some(_)) = (resolution.service(), counts.bounds) else {
        // A refused spec touches nothing that runs.
        return stopping;
    };
    let judges = Judges::of(context, service, stages);
    let mut budgets = Budgets {
        // A record must outlast its pod.
        places: MAX_STOPPED_TASKS.saturating_sub(recorded.len()),
        allowance: Allowance::new(&snapshot.status.stopped_tasks, counts.desired, context.now),
        room: room_for_leaving(counts, recorded.len(), &others),
        // A healthy task on a draining instance goes only while more than the minimum are healthy: tasks that run may be too
        // young to count.
        spare: healthy(context, counts, tasks) - counts.bounds.map_or(0, |bounds| bounds.minimum_healthy),
    };
    let mut leaving = Vec::new();
    for judged in &others {
        match judges.fate(judged) {
            Fate::Keep => {}
            Fate::Wait(until) => stopping.wake = earliest(stopping.wake, Some(until)),
            Fate::Record { ending, is_paced } => {
                if budgets.takes(is_paced) {
                    stopping.given_up.push(given_up(context, judged, &ending, false));
                }
            }
            Fate::Replace => leaving.push(*judged),
        }
    }
    for judged in leaving {
        match budgets.replacement(judged, counts) {
            Replacement::Later => {}
            Replacement::Record => {
                stopping.given_up.push(given_up(context, judged, &failed_health_checks(judged), true));
            }
            Replacement::Delete => stopping.ops.push(delete(context, judged)),
        }
    }
    for judged in tasks.iter().filter(|judged| judged.task.stopping_since.is_some() && !judged.is_recorded) {
        if let Some(ending) = taken_away(judged).filter(|_| budgets.takes(false)) {
            stopping.given_up.push(given_up(context, judged, &ending, false));
        }
    }
    let grace_ends = others.iter().chain(&recorded).filter_map(|judged| judged.grace_ends);
    let grace_ends = grace_ends.filter(|until| *until > context.now).min();
    stopping.wake = earliest(earliest(stopping.wake, grace_ends), budgets.allowance.refused_until);
    stopping
}

/// How many tasks may be stopped now, by what stops them.
struct Budgets {
    /// Places in the list of stopped tasks.
    places: usize,
    /// The pace of tasks that keep failing.
    allowance: Allowance,
    /// Running tasks that may go before their replacements are there.
    room: i64,
    /// Healthy tasks above the minimum.
    spare: i64,
}

/// When a task that is to be replaced goes.
enum Replacement {
    /// When its replacement is there, or with the count of its Deployment.
    Later,
    /// Now; it failed its health checks, which is recorded first.
    Record,
    /// Now.
    Delete,
}

impl Budgets {
    /// Whether one more task may be given up. What is taken is spent.
    fn takes(&mut self, is_paced: bool) -> bool {
        if self.places == 0 || (is_paced && !self.allowance.take()) {
            return false;
        }
        self.places -= 1;
        true
    }

    fn replacement(&mut self, judged: &Judged<'_>, counts: &Counts) -> Replacement {
        let task = judged.task;
        let is_running = i64::from(task.last_status.is_running());
        let is_unhealthy = task.health == HealthStatus::Unhealthy;
        if counts.is_lowered(judged) {
            let is_taken = is_unhealthy && counts.is_victim(judged) && self.takes(false);
            return if is_taken { Replacement::Record } else { Replacement::Later };
        }
        if task.started_at.is_none() && !is_unhealthy {
            // It never ran, and would begin to on an instance that is left.
            return Replacement::Delete;
        }
        if counts.replaces_start_first() || (self.room <= 0 && task.last_status.is_running()) {
            return Replacement::Later;
        }
        if is_unhealthy {
            self.room -= is_running;
            return if self.takes(false) { Replacement::Record } else { Replacement::Later };
        }
        if self.spare <= 0 && task.is_healthy_for_deployment {
            return Replacement::Later;
        }
        self.room -= is_running;
        self.spare -= i64::from(task.is_healthy_for_deployment);
        Replacement::Delete
    }
}

fn delete(context: Context<'_>, judged: &Judged<'_>) -> Op {
    let task = judged.task;
    Op::Delete {
        key: ObjectKey::namespaced(Kind::Pod, &context.snapshot.namespace, task.pod_name.clone()),
        uid: task.uid.clone(),
        resource_version: task.resource_version.clone(),
        only_if_absent: Vec::new(),
    }
}

/// Healthy tasks that are sure to be left. A Deployment that is asked for fewer tasks loses them before its pods show it:
/// of 2 old ones, of which 1 is still asked for, and 1 new one, 2 are left.
fn healthy(context: Context<'_>, counts: &Counts, tasks: &[Judged<'_>]) -> i64 {
    let mut groups: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let stays = |judged: &&Judged<'_>| judged.task.stopping_since.is_none() && judged.task.is_healthy_for_deployment;
    for judged in tasks.iter().filter(stays) {
        *groups.entry((judged.deployment(), judged.provider())).or_default() += 1;
    }
    let left = |((deployment, provider), healthy): ((&str, &str), i64)| {
        counts.kept(context.snapshot, deployment, provider).map_or(healthy, |kept| healthy.min(kept))
    };
    groups.into_iter().map(left).sum()
}

/// How many tasks may go before their replacements are there: ECS keeps as many RUNNING as the minimum says. With 4 tasks
/// and a minimum of 3 one goes; where the minimum leaves no room they go one by one, each when the replacement of the one
/// before runs.
fn room_for_leaving(counts: &Counts, recorded: usize, others: &[&Judged<'_>]) -> i64 {
    let Some(bounds) = counts.bounds else { return 0 };
    let stays = |judged: &&&Judged<'_>| judged.task.ending.is_none() && judged.task.last_status.is_running();
    let running = i64::try_from(others.iter().filter(stays).count()).unwrap_or(i64::MAX);
    let room = running.min(counts.desired) - bounds.minimum_healthy;
    if room > 0 { room } else { i64::from(recorded == 0 && running >= counts.desired) }
}

fn failed_health_checks(judged: &Judged<'_>) -> Ending {
    Ending {
        stop_code: StopCode::ServiceSchedulerInitiated,
        reason: UNHEALTHY.to_owned(),
        container: judged.task.unhealthy_container.clone(),
    }
}

/// Why a task that is being stopped ends, if neither the service nor a person asked for it: its node is drained, lost or gone,
/// or it was preempted.
fn taken_away(judged: &Judged<'_>) -> Option<Ending> {
    let stop_code = judged.task.stop_code.filter(|code| {
        matches!(code, StopCode::InfrastructureHealth | StopCode::SpotInterruption | StopCode::TerminationNotice)
    })?;
    Some(Ending { stop_code, reason: judged.task.stopped_reason.clone()?, container: None })
}

fn given_up(context: Context<'_>, judged: &Judged<'_>, ending: &Ending, is_unhealthy: bool) -> GivenUp {
    let Context { snapshot, settings, now, .. } = context;
    let task = judged.task;
    let deployment = snapshot.record(judged.deployment());
    let container = |end: &ContainerEnd| StoppedContainer {
        name: end.name.clone(),
        exit_code: end.exit_code.and_then(|code| i32::try_from(code).ok()),
        reason: end.reason.clone(),
        ended_the_task: (ending.container.as_ref() == Some(&end.name)).then_some(true),
    };
    let record = StoppedTask {
        task_arn: settings.identity.task_arn(&snapshot.cluster, &task.id),
        pod: task.pod_name.clone(),
        uid: task.uid.clone(),
        stop_code: ending.stop_code.as_str().to_owned(),
        stopped_reason: ending.reason.chars().take(LONGEST_REASON).collect(),
        started_at: task.started_at.map(MicroTime),
        stopped_at: MicroTime(now),
        task_definition: deployment.map(|record| record.spec.task_definition.clone()),
        started_by: deployment.map(|record| record.id().to_owned()),
        containers: task.containers.iter().map(container).collect(),
    };
    GivenUp { record, is_unhealthy }
}

/// Characters that the status has room for.
const LONGEST_REASON: usize = 1024;
