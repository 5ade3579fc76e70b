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
//! Tasks that stop before RUNNING wait for [`ecs::deployment::throttle`]. Those that ran would be replaced as fast as they end. So
//! [`AT_ONCE`] tasks may be stopped without a pause, and from then on in each [`PAUSE_SECONDS`] only a tenth of the desired
//! count, at least one and at most ten: of a service of 5 tasks that all fail, 3 are replaced at once and then one every 10
//! seconds; of 60, 6 every 10 seconds. Meanwhile the kubelet starts their containers again with a back-off of its own. After
//! [`FORGET_SECONDS`] without an end the first ones are free again.

use std::collections::BTreeMap;

use api::conditions::Reason;
use api::schema::MicroTime;
use api::service::{MAX_STOPPED_TASKS, StoppedContainer, StoppedTask};
use ecs::health::HealthStatus;
use ecs::lifecycle::{StopCode, UNHEALTHY};
use jiff::Timestamp;

use super::record::Record;
use super::rollout::Rollout;
use super::snapshot::ServiceSnapshot;
use super::verdict::{self, throttle_of};
use crate::core::kind::{Kind, ObjectKey};
use crate::core::moment::after;
use crate::core::op::{Op, Plan};
use crate::core::settings::Settings;
use crate::pod::ending::Ending;
use crate::pod::observe::Task;

/// Tasks that may be stopped without a pause between them.
const AT_ONCE: usize = 3;
/// The pause.
const PAUSE_SECONDS: i64 = 10;
/// How long an end counts.
const FORGET_SECONDS: i64 = 300;

/// What is stopped.
#[derive(Default)]
pub(super) struct Stopping {
    /// Tasks that are given up now, oldest first.
    pub(super) given_up: Vec<StoppedTask>,
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
    pub(super) fn is_given_up(&self, snapshot: &ServiceSnapshot, task: &Task) -> bool {
        self.given_up.iter().chain(&snapshot.status.stopped_tasks).any(|record| record.uid == task.uid)
    }

    /// Whether so many tasks failed lately that the next ones are held back.
    pub(super) fn impaired(&self, before: &[StoppedTask], now: Timestamp) -> Option<Impaired> {
        let list = self.stopped_tasks(before);
        let recent = list.iter().filter(|record| is_paced(record) && after(record.stopped_at.0, FORGET_SECONDS) > now);
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
        let mut list: Vec<StoppedTask> = self.given_up.iter().rev().chain(before).cloned().collect();
        list.truncate(MAX_STOPPED_TASKS);
        list
    }
}

/// Deletes the pods of tasks that were given up before, and gives up those whose time has come.
pub(super) fn stop(
    snapshot: &ServiceSnapshot,
    rollout: &Rollout,
    settings: &Settings,
    now: Timestamp,
    plan: &mut Plan,
) -> Stopping {
    let records = &snapshot.status.stopped_tasks;
    let is_recorded = |task: &Task| records.iter().any(|record| record.uid == task.uid);
    let remains: Vec<&Task> = tasks(snapshot).filter(|task| is_recorded(task)).collect();
    // Where fewer tasks are asked for than there are, the ReplicaSet takes the right ones.
    for task in remains.iter().filter(|task| !rollout.is_lowered(task)) {
        delete(snapshot, task, plan);
    }
    let mut stopping = Stopping::default();
    if rollout.bounds.is_none() {
        // A refused spec touches nothing that runs.
        return stopping;
    }
    // A record must outlast its pod.
    let mut places = MAX_STOPPED_TASKS.saturating_sub(remains.len());
    let mut allowance = Allowance::new(records, rollout.desired, now);
    let mut give_up = |task: &Task, ending: &Ending, is_paced: bool| {
        if places == 0 || (is_paced && !allowance.take()) {
            return;
        }
        places -= 1;
        stopping.given_up.push(record(snapshot, settings, task, ending, now));
    };
    let mut leaving = Vec::new();
    for task in tasks(snapshot).filter(|task| !is_recorded(task)) {
        let deployment = task.deployment_id.as_deref().and_then(|digits| snapshot.record(digits));
        let is_counted = |record: &Record| record.status.counted_tasks.contains(&task.uid);
        let must_be_counted = has_failed(snapshot, task, now);
        // What a node refused stays to be seen; the node refuses the next one too.
        if task.is_refused_by_node || (must_be_counted && !deployment.is_none_or(is_counted)) {
            continue;
        }
        let is_frozen = deployment.is_some_and(Record::is_frozen);
        let wait = deployment.and_then(|record| throttle_of(&record.status).wait_seconds(now.as_second()));
        match &task.ending {
            // Its ReplicaSet has replaced it already.
            Some(ending) if task.is_stopping => give_up(task, ending, false),
            // Nothing more is launched: what failed goes when the count is lowered.
            _ if is_frozen && is_failing(task) => {}
            Some(ending) => give_up(task, ending, true),
            None => match failed_start(task) {
                // The kubelet starts it as soon as what it waits for is there.
                Some(_) if task.missing_secret.is_some() && !verdict::has_breaker(snapshot) => {}
                Some(ending) => match wait {
                    Some(wait) => plan.wake_at(after(now, wait)),
                    None => give_up(task, &ending, false),
                },
                None if is_to_be_replaced(snapshot, task, now) => leaving.push(task),
                None => {}
            },
        }
    }
    let mut room = room_for_leaving(snapshot, rollout, &remains);
    // A healthy task on a draining instance goes only while more than the minimum are healthy: tasks that run may be too
    // young to count.
    let mut spare = healthy(snapshot, rollout) - rollout.bounds.map_or(0, |bounds| bounds.minimum_healthy);
    for task in leaving {
        let is_unhealthy = task.health == HealthStatus::Unhealthy;
        if rollout.is_lowered(task) {
            if is_unhealthy && rollout.is_victim(task) {
                give_up(task, &failed_health_checks(task), false);
            }
        } else if !rollout.replaces_start_first() && (room > 0 || !task.last_status.is_running()) {
            if is_unhealthy {
                room -= i64::from(task.last_status.is_running());
                give_up(task, &failed_health_checks(task), true);
            } else if spare > 0 || !task.is_healthy_for_deployment {
                room -= i64::from(task.last_status.is_running());
                spare -= i64::from(task.is_healthy_for_deployment);
                delete(snapshot, task, plan);
            }
        }
    }
    for until in tasks(snapshot).filter_map(|task| grace_end(snapshot, task)).filter(|until| *until > now) {
        plan.wake_at(until);
    }
    if let Some(at) = allowance.refused_until {
        plan.wake_at(at);
    }
    stopping
}

fn delete(snapshot: &ServiceSnapshot, task: &Task, plan: &mut Plan) {
    plan.ops.push(Op::Delete {
        key: ObjectKey::namespaced(Kind::Pod, &snapshot.namespace, task.pod_name.clone()),
        uid: task.uid.clone(),
        resource_version: task.resource_version.clone(),
        only_if_absent: Vec::new(),
    });
}

/// Whether the scheduler of the service replaces the task: it does not pass its checks, or its instance is draining.
pub(super) fn is_to_be_replaced(snapshot: &ServiceSnapshot, task: &Task, now: Timestamp) -> bool {
    if task.is_stopping || task.ending.is_some() {
        return false;
    }
    // On a draining instance a protected task stays until its time is over: replaced, it would only be one too many.
    let is_free = task.protected_until.is_none();
    is_unhealthy(snapshot, task, now)
        || task.node.as_ref().is_some_and(|node| is_free && snapshot.draining.contains(node))
}

/// Whether scale-in and deployments leave the task alone. Nothing protects a task that fails its health checks.
pub(super) fn is_protected(snapshot: &ServiceSnapshot, task: &Task, now: Timestamp) -> bool {
    task.protected_until.is_some() && !is_unhealthy(snapshot, task, now)
}

/// Whether the task fails its health checks and is not within its grace period.
pub(super) fn is_unhealthy(snapshot: &ServiceSnapshot, task: &Task, now: Timestamp) -> bool {
    task.health == HealthStatus::Unhealthy && grace_end(snapshot, task).is_none_or(|until| until <= now)
}

/// Whether the task cannot start or has ended, so that nothing healthy comes of it.
pub(super) fn is_failing(task: &Task) -> bool {
    task.ending.is_some() || task.trouble.as_ref().is_some_and(|trouble| trouble.reason != Reason::TaskPlacementFailure)
}

/// Whether no instance has a place for the task.
pub(super) fn has_no_place(task: &Task) -> bool {
    task.trouble.as_ref().is_some_and(|trouble| trouble.reason == Reason::TaskPlacementFailure)
}

/// Whether the task counts against its deployment (ECS: deployment circuit breaker): it could not be launched, it stopped
/// before RUNNING or before it could count as healthy, or it failed its health checks.
pub(super) fn has_failed(snapshot: &ServiceSnapshot, task: &Task, now: Timestamp) -> bool {
    if task.stopping_since.is_some() {
        return false;
    }
    match &task.ending {
        Some(ending) => is_failure(task, ending, now),
        None => is_unhealthy(snapshot, task, now) || failed_start(task).is_some(),
    }
}

/// The end that a task comes to on ECS when a container of it cannot be started. The kubelet would try for ever.
fn failed_start(task: &Task) -> Option<Ending> {
    const CAUSES: [Reason; 4] = [
        Reason::CannotPullContainerError,
        Reason::CannotCreateContainerError,
        Reason::CannotStartContainerError,
        Reason::ResourceInitializationError,
    ];
    let trouble = task.trouble.as_ref().filter(|trouble| CAUSES.contains(&trouble.reason))?;
    let container = task.containers.iter().find(|container| container.reason.is_some());
    Some(Ending {
        stop_code: StopCode::TaskFailedToStart,
        reason: trouble.message.clone(),
        container: container.map(|container| container.name.clone()),
    })
}

/// Tasks whose pods nobody has asked to go yet.
fn tasks(snapshot: &ServiceSnapshot) -> impl Iterator<Item = &Task> {
    snapshot.tasks.iter().filter(|task| task.stopping_since.is_none())
}

/// Healthy tasks that are sure to be left. A Deployment that is asked for fewer tasks loses them before its pods show it:
/// of 2 old ones, of which 1 is still asked for, and 1 new one, 2 are left.
fn healthy(snapshot: &ServiceSnapshot, rollout: &Rollout) -> i64 {
    let mut groups: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for task in tasks(snapshot).filter(|task| task.is_healthy_for_deployment) {
        let deployment = task.deployment_id.as_deref().unwrap_or_default();
        let provider = task.capacity_provider.as_deref().unwrap_or_default();
        *groups.entry((deployment, provider)).or_default() += 1;
    }
    let left = |((deployment, provider), healthy): ((&str, &str), i64)| {
        rollout.kept(snapshot, deployment, provider).map_or(healthy, |kept| healthy.min(kept))
    };
    groups.into_iter().map(left).sum()
}

/// How many tasks may go before their replacements are there: ECS keeps as many RUNNING as the minimum says. With 4 tasks
/// and a minimum of 3 one goes; where the minimum leaves no room they go one by one, each when the replacement of the one
/// before runs.
fn room_for_leaving(snapshot: &ServiceSnapshot, rollout: &Rollout, remains: &[&Task]) -> i64 {
    let Some(bounds) = rollout.bounds else { return 0 };
    let stays = |task: &&Task| !remains.iter().any(|gone| gone.uid == task.uid) && task.ending.is_none();
    let running = tasks(snapshot).filter(stays).filter(|task| task.last_status.is_running()).count();
    let running = i64::try_from(running).unwrap_or(i64::MAX);
    let room = running.min(rollout.desired) - bounds.minimum_healthy;
    if room > 0 { room } else { i64::from(remains.is_empty() && running >= rollout.desired) }
}

/// Until when `healthCheckGracePeriodSeconds` protects the task.
fn grace_end(snapshot: &ServiceSnapshot, task: &Task) -> Option<Timestamp> {
    let spec = snapshot.spec.as_ref().ok()?;
    let grace = spec.health_check_grace_period_seconds.map_or(0, i64::from);
    let start = task.started_at.unwrap_or(task.created_at);
    Some(after(start, grace))
}

fn failed_health_checks(task: &Task) -> Ending {
    Ending {
        stop_code: StopCode::ServiceSchedulerInitiated,
        reason: UNHEALTHY.to_owned(),
        container: task.unhealthy_container.clone(),
    }
}

/// What counts against the deployment: a task that never ran, that did not stay long enough to count as healthy, or that
/// failed its checks. One that ran and then ended does not.
fn is_failure(task: &Task, ending: &Ending, now: Timestamp) -> bool {
    let stayed = task.started_at.is_some_and(|at| now >= after(at, FAILED_EARLY_SECONDS));
    match ending.stop_code {
        StopCode::EssentialContainerExited => !stayed,
        StopCode::InfrastructureHealth => task.started_at.is_none(),
        StopCode::TaskFailedToStart => true,
        _ => ending.reason == UNHEALTHY,
    }
}

/// A task that ended sooner after its start never counted as healthy where nothing but time tells.
const FAILED_EARLY_SECONDS: i64 = ecs::rolling::HEALTHY_AFTER_RUNNING_SECONDS;

fn record(
    snapshot: &ServiceSnapshot,
    settings: &Settings,
    task: &Task,
    ending: &Ending,
    now: Timestamp,
) -> StoppedTask {
    let deployment = task.deployment_id.as_deref().and_then(|digits| snapshot.record(digits));
    let container = |end: &crate::pod::ending::ContainerEnd| StoppedContainer {
        name: end.name.clone(),
        exit_code: end.exit_code.and_then(|code| i32::try_from(code).ok()),
        reason: end.reason.clone(),
        ended_the_task: (ending.container.as_ref() == Some(&end.name)).then_some(true),
    };
    StoppedTask {
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
    }
}

/// Characters that the status has room for.
const LONGEST_REASON: usize = 1024;

/// What the infrastructure took away says nothing about the tasks of the service.
fn is_paced(record: &StoppedTask) -> bool {
    record.stop_code == StopCode::EssentialContainerExited.as_str()
        || record.stop_code == StopCode::TaskFailedToStart.as_str()
        || record.stop_code == StopCode::ServiceSchedulerInitiated.as_str()
}

/// How many tasks may be stopped now.
struct Allowance {
    left: usize,
    /// When there is room for another one.
    next: Timestamp,
    /// Set once a stop was refused.
    refused_until: Option<Timestamp>,
}

impl Allowance {
    fn new(records: &[StoppedTask], desired: i64, now: Timestamp) -> Self {
        let stopped = || records.iter().filter(|record| is_paced(record)).map(|record| record.stopped_at.0);
        let within = |seconds: i64| stopped().filter(|at| after(*at, seconds) > now).count();
        let tenth = usize::try_from(desired.max(0).saturating_add(9) / 10).unwrap_or(usize::MAX);
        let batch = tenth.clamp(1, MAX_STOPPED_TASKS);
        let at_once = AT_ONCE.saturating_sub(within(FORGET_SECONDS));
        let left = at_once.max(batch.saturating_sub(within(PAUSE_SECONDS)));
        let mut latest: Vec<Timestamp> = stopped().filter(|at| after(*at, PAUSE_SECONDS) > now).collect();
        latest.sort();
        // With stops at 0, 1 and 2 s and one allowed in ten seconds there is room when the last of them is over: at 12 s.
        let leaving = latest.get(latest.len().saturating_sub(batch)).copied().unwrap_or(now);
        Self { left, next: after(leaving, PAUSE_SECONDS), refused_until: None }
    }

    fn take(&mut self) -> bool {
        if self.left == 0 {
            self.refused_until = Some(self.next);
            return false;
        }
        self.left -= 1;
        true
    }
}
