//! What becomes of a deployment: which of its tasks failed, whether it is done, and whether it is given up.
//!
//! Everything is kept in the status of its record, which is written before anything follows from it: a failed task is
//! removed after its failure was stored, and a rollback begins after the record says that it does. So the operator may end
//! between any two writes.

use api::schema::MicroTime;
use api::service::{
    DeploymentEarlySuccessCriteria, DeploymentRolloutState, ServiceRevisionCleanup, ServiceSpec, StopType,
    ThresholdType,
};
use api::service_deployment::{
    MAX_COUNTED_TASKS, Rollback, ServiceDeploymentCircuitBreaker, ServiceDeploymentRollbackMonitorsStatus as Monitor,
    ServiceDeploymentState as State, ServiceDeploymentStatus,
};
use ecs::deployment::circuit_breaker::{Count, TaskView, Threshold, ThresholdType as Kind, is_triggered};
use ecs::event;

use ecs::deployment::throttle::Throttle;
use jiff::Timestamp;

use super::alarms::{self, Seen};
use super::record::Record;
use super::rollout::Rollout;
use super::snapshot::ServiceSnapshot;
use super::stopping;
use crate::core::op::{Op, Plan};
use crate::core::settings::Settings;
use crate::core::world::World;
use crate::pod::observe::Task;

/// What ended a deployment that did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Too many tasks failed.
    CircuitBreaker,
    /// An alarm went off.
    Alarms,
    /// Somebody asked for it.
    Request,
}

/// What happened to the PRIMARY deployment with this reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It reached its end.
    Completed,
    /// It is given up.
    GivenUp {
        /// By what.
        cause: Cause,
        /// The deployment the service goes back to.
        back_to: Option<String>,
        /// A rollback was asked for, and there is nothing to go back to.
        has_no_candidate: bool,
    },
}

/// The statuses of the records after this reconcile.
#[derive(Default)]
pub(super) struct Verdict {
    /// PRIMARY's; the default for one that is about to be made.
    pub(super) primary: ServiceDeploymentStatus,
    /// What happened to it now.
    pub(super) outcome: Option<Outcome>,
    /// Enough tasks are healthy, and the bake time is not over.
    pub(super) is_baking: bool,
    /// Alarms that keep the PRIMARY deployment from being completed because nobody tells their state, and why.
    pub(super) unknown_alarms: Option<String>,
    /// By the digits of the deployments: failed tasks so far.
    failed: Vec<(String, i64)>,
    /// Whether tasks of the PRIMARY deployment are started with a delay.
    pub(super) is_throttled: bool,
}

impl Verdict {
    /// Failed tasks of a deployment so far.
    pub(super) fn failed_tasks(&self, record: &Record) -> i64 {
        self.failed.iter().find(|(digits, _)| digits == record.digits()).map_or(0, |(_, failed)| *failed)
    }

    /// Whether the PRIMARY deployment is over now, well or not.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.primary.status, None | Some(State::Pending | State::InProgress))
    }

    /// Whether it has completed.
    pub(super) fn is_completed(&self) -> bool {
        self.primary.status == Some(State::Successful)
    }
}

/// Judges every deployment that has tasks, and writes what changed into the records.
pub(super) fn judge(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    rollout: &Rollout,
    settings: &Settings,
    now: Timestamp,
    plan: &mut Plan,
) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(primary) = &rollout.primary else { return verdict };
    let is_obsolete = |record: &Record| rollout.obsolete.iter().any(|obsolete| obsolete.key == record.key);
    for record in snapshot.records.iter().filter(|record| !is_obsolete(record)) {
        let mut status = record.status.clone();
        let reset = breaker(snapshot).is_none_or(|breaker| breaker.reset_on_healthy_task.unwrap_or(true));
        count(snapshot, record, &mut status, reset, now);
        verdict.failed.push((record.digits().to_owned(), status.failed_tasks.map_or(0, i64::from)));
        if record.id() == primary.id() {
            verdict.is_throttled = throttle_of(&status).is_throttled();
            if rollout.bounds.is_some() && !record.is_over() {
                let alarms = alarms::observe(world, snapshot, record, &mut status, settings);
                plan.ask(alarms.questions.iter().cloned());
                conclude(snapshot, rollout, record, &alarms, &mut status, &mut verdict, now, plan);
            }
            verdict.primary = status.clone();
        } else if !record.is_over() {
            status.status = Some(State::Stopped);
            status.status_reason = Some(format!("replaced by {}", primary.id()));
            finish(&mut status, DeploymentRolloutState::Failed, now);
        }
        write(snapshot, record, status, now, plan);
    }
    undone(snapshot, primary, &verdict, now, plan);
    verdict
}

/// Counts failures that were not counted before, each once by the uid of its pod.
fn count(
    snapshot: &ServiceSnapshot,
    record: &Record,
    status: &mut ServiceDeploymentStatus,
    reset_on_healthy_task: bool,
    now: Timestamp,
) {
    let tasks: Vec<&Task> =
        snapshot.tasks.iter().filter(|task| task.deployment_id.as_deref() == Some(record.digits())).collect();
    let before = count_of(&record.status);
    if tasks.is_empty() && before.counted.is_empty() {
        return;
    }
    // Containers that are started again in place have no pod of their own to be counted by. What is counted stays so as long
    // as the pod is there, whatever it shows; and a task that failed as a whole counts once, however often it tries.
    let restarts: Vec<String> = tasks
        .iter()
        .filter(|task| task.ending.is_none() && task.stopping_since.is_none())
        .flat_map(|task| {
            let index = |uid: &String| uid.strip_prefix(task.uid.as_str())?.strip_prefix('/')?.parse::<i64>().ok();
            let known = before.counted.iter().filter_map(index).max().map_or(0, |last| last + 1);
            let attempts = if stopping::has_failed(snapshot, task, now) { 0 } else { task.failed_attempts };
            let newest = attempts.max(known);
            ((newest - MOST_RESTARTS).max(0)..newest).map(|restart| format!("{}/{restart}", task.uid))
        })
        .collect();
    let views: Vec<TaskView<'_>> = tasks
        .iter()
        .map(|task| TaskView {
            uid: &task.uid,
            failed: stopping::has_failed(snapshot, task, now),
            healthy: task.is_healthy_for_deployment,
        })
        .chain(restarts.iter().map(|uid| TaskView { uid, failed: true, healthy: false }))
        .take(MAX_COUNTED_TASKS)
        .collect();
    let after = before.observe(&views, reset_on_healthy_task);
    let is_new = |task: &&&Task| after.contains(&task.uid) && !before.contains(&task.uid);
    let mut throttle = throttle_of(status).at(now.as_second());
    let asked: i64 = snapshot
        .workloads
        .values()
        .filter(|workload| workload.deployment == record.digits())
        .map(|workload| workload.replicas)
        .sum();
    let running = tasks.iter().filter(|task| task.last_status.is_running() && !task.is_stopping);
    let running = running.filter(|task| !stopping::is_failing(task)).count();
    if tasks.iter().filter(is_new).any(|task| task.started_at.is_none()) {
        throttle = throttle.after_failure(now.as_second());
    } else if asked > 0 && i64::try_from(running).is_ok_and(|running| running >= asked) {
        throttle.reset();
    }
    status.counted_tasks = after.counted.into_iter().collect();
    status.healthy_tasks = after.healthy.into_iter().map(i64::from).collect();
    status.failed_tasks = (after.failed_tasks > 0).then(|| narrow(after.failed_tasks));
    status.start_attempts = (throttle.attempts > 0).then(|| narrow(throttle.attempts));
    status.retry_at = throttle.retry_at.and_then(|at| Timestamp::from_second(at).ok()).map(MicroTime);
    if !record.is_over() {
        status.failure_count = (after.failure_count > 0).then(|| narrow(after.failure_count));
    }
}

/// Restarts of one task that are told apart.
const MOST_RESTARTS: i64 = 100;

/// What was counted before.
pub(super) fn count_of(status: &ServiceDeploymentStatus) -> Count {
    Count {
        failure_count: status.failure_count.map_or(0, i64::from),
        failed_tasks: status.failed_tasks.map_or(0, i64::from),
        counted: status.counted_tasks.iter().cloned().collect(),
        healthy: status.healthy_tasks.iter().filter_map(|mark| u32::try_from(*mark).ok()).collect(),
    }
}

/// How fast tasks of the deployment that fail before RUNNING are started again.
pub(super) fn throttle_of(status: &ServiceDeploymentStatus) -> Throttle {
    Throttle {
        attempts: status.start_attempts.map_or(0, i64::from),
        retry_at: status.retry_at.as_ref().map(|at| at.0.as_second()),
    }
}

/// Whether the deployment in progress is done, fails, or is stopped.
#[allow(clippy::too_many_arguments)] // what is judged, and what is told of it
fn conclude(
    snapshot: &ServiceSnapshot,
    rollout: &Rollout,
    record: &Record,
    alarms: &Seen,
    status: &mut ServiceDeploymentStatus,
    verdict: &mut Verdict,
    now: Timestamp,
    plan: &mut Plan,
) {
    let breaker = breaker(snapshot);
    let threshold = breaker.map_or_else(Threshold::default, threshold_of).failures(rollout.desired);
    let is_enabled = breaker.is_some_and(|breaker| breaker.enable);
    let counted = status.failure_count.map_or(0, i64::from);
    let monitor = |status: &mut ServiceDeploymentStatus, state: Monitor| {
        let state = if is_enabled { state } else { Monitor::Disabled };
        status.deployment_circuit_breaker = Some(ServiceDeploymentCircuitBreaker {
            status: state,
            // ECS ends the deployment at the very failure that reaches the threshold.
            failure_count: narrow(if is_enabled { counted.min(threshold) } else { counted }),
            threshold: narrow(threshold),
        });
    };
    let has_begun = tasks_of(snapshot, record).next().is_some() || rollout.is_complete;
    if has_begun {
        status.status = Some(State::InProgress);
        status.status_reason = Some(event::rollout_in_progress(record.id()));
        status.rollout_state = Some(DeploymentRolloutState::InProgress);
        status.started_at = Some(MicroTime(record.created_at));
        monitor(status, Monitor::Monitoring);
    }
    let request = stop_request(snapshot, record);
    if is_enabled && is_triggered(counted, threshold) {
        monitor(status, Monitor::Triggered);
        let wants_rollback = breaker.is_some_and(|breaker| breaker.rollback);
        give_up(snapshot, record, status, verdict, (Cause::CircuitBreaker, wants_rollback), now);
    } else if alarms.is_triggered {
        monitor(status, Monitor::MonitoringComplete);
        let wants_rollback = alarms::configured(snapshot).is_some_and(|alarms| alarms.rollback);
        give_up(snapshot, record, status, verdict, (Cause::Alarms, wants_rollback), now);
    } else if let Some(stop) = request {
        monitor(status, Monitor::MonitoringComplete);
        give_up(snapshot, record, status, verdict, (Cause::Request, stop == StopType::Rollback), now);
    } else if is_successful(snapshot, rollout, record) && has_begun {
        let minutes = configuration(snapshot).and_then(|configuration| configuration.bake_time_in_minutes);
        let since = status.bake_started_at.get_or_insert(MicroTime(now)).0;
        // Minutes from the very moment: 1 minute from 10:00:00.9 is over at 10:01:00.9, not at 10:01:00.
        let ends = bake_ends(since.as_second(), minutes.map_or(0, i64::from));
        let until = Timestamp::new(ends, since.subsec_nanosecond());
        match until {
            Ok(until) if minutes.is_some_and(|minutes| minutes > 0) && until > now => {
                verdict.is_baking = true;
                plan.wake_at(until);
            }
            _ if !alarms.may_complete => verdict.unknown_alarms.clone_from(&alarms.unknown),
            _ => {
                if minutes.is_none_or(|minutes| minutes == 0) {
                    status.bake_started_at = None;
                }
                monitor(status, Monitor::MonitoringComplete);
                alarms::complete(status);
                status.status = Some(State::Successful);
                status.status_reason = Some(event::rollout_completed(record.id()));
                finish(status, DeploymentRolloutState::Completed, now);
                verdict.outcome = Some(Outcome::Completed);
            }
        }
    } else {
        status.bake_started_at = None;
    }
    let counts = |test: fn(&Task) -> bool| {
        let tasks = tasks_of(snapshot, record).filter(|task| !task.is_stopping && test(task));
        i32::try_from(tasks.count()).unwrap_or(i32::MAX)
    };
    if status.finished_at.is_some() {
        status.desired_count = Some(narrow(rollout.desired));
        status.running_count = Some(counts(|task| task.last_status.is_running()));
        status.pending_count = Some(counts(|task| task.last_status.is_pending()));
    }
}

/// All tasks are replaced and healthy, or as many as the early success criteria ask for.
fn is_successful(snapshot: &ServiceSnapshot, rollout: &Rollout, record: &Record) -> bool {
    let is_deferred = || {
        let cleanup = early_success(snapshot).and_then(|criteria| criteria.source_service_revision_cleanup);
        cleanup == Some(ServiceRevisionCleanup::Deferred)
    };
    let has_sources = || snapshot.workloads.values().any(|workload| workload.deployment != record.digits());
    rollout.is_complete || (is_early_success(snapshot, rollout.desired, record) && (is_deferred() || !has_sources()))
}

/// Whether as many tasks of the deployment are healthy as its early success criteria ask for.
pub(super) fn is_early_success(snapshot: &ServiceSnapshot, desired: i64, record: &Record) -> bool {
    let Some(criteria) = early_success(snapshot) else { return false };
    let percent = criteria.healthy_percent.map_or(100, i64::from);
    let healthy = tasks_of(snapshot, record).filter(|task| task.is_healthy_for_deployment).count();
    ecs::deployment::success::is_early_success(i64::try_from(healthy).unwrap_or(i64::MAX), desired, percent)
}

fn early_success(snapshot: &ServiceSnapshot) -> Option<&DeploymentEarlySuccessCriteria> {
    configuration(snapshot)?.early_success_criteria.as_ref().filter(|criteria| criteria.enable)
}

fn give_up(
    snapshot: &ServiceSnapshot,
    record: &Record,
    status: &mut ServiceDeploymentStatus,
    verdict: &mut Verdict,
    (cause, wants_rollback): (Cause, bool),
    now: Timestamp,
) {
    // A rollback that fails is not rolled back itself.
    let wants_rollback = wants_rollback && record.spec.rollback_of.is_none();
    let candidate = snapshot.last_completed().filter(|completed| wants_rollback && completed.id() != record.id());
    let reason = match (candidate, cause) {
        (Some(_), Cause::CircuitBreaker) => event::rolled_back_by_circuit_breaker(),
        (Some(_), Cause::Alarms) => event::rolled_back_by_alarms(),
        (Some(_), Cause::Request) => event::rolled_back_by_request(),
        (None, _) if wants_rollback => event::no_rollback_candidate(),
        (None, Cause::CircuitBreaker) => event::rollout_failed(),
        (None, Cause::Alarms) => event::rollout_failed_by_alarm(),
        (None, Cause::Request) => event::stopped_by_request(),
    };
    finish(status, DeploymentRolloutState::Failed, now);
    status.status_reason = Some(reason.clone());
    if let Some(candidate) = candidate {
        status.status = Some(State::RollbackInProgress);
        let service_revision = candidate.key.name.clone();
        status.rollback = Some(Rollback { reason, started_at: MicroTime(now), service_revision });
    } else {
        status.status = Some(State::Stopped);
        status.stopped_at = Some(MicroTime(now));
    }
    verdict.outcome = Some(Outcome::GivenUp {
        cause,
        back_to: candidate.map(|candidate| candidate.id().to_owned()),
        has_no_candidate: wants_rollback && candidate.is_none(),
    });
}

/// What a rollback comes to is told on the deployment that it undoes.
fn undone(snapshot: &ServiceSnapshot, primary: &Record, verdict: &Verdict, now: Timestamp, plan: &mut Plan) {
    let is_wanted = |record: &&Record| record.status.status == Some(State::RollbackInProgress);
    for undone in snapshot.records.iter().filter(is_wanted) {
        let name = &undone.key.name;
        let undoes = |record: &&Record| record.spec.rollback_of.as_ref() == Some(name);
        let end = match snapshot.records.iter().find(undoes) {
            // Its rollback begins with this reconcile.
            None if undone.id() == primary.id() || undoes(&primary) => continue,
            // Something else was asked for before its rollback began.
            None => State::RollbackFailed,
            Some(record) => {
                let is_primary = record.id() == primary.id();
                match if is_primary { verdict.primary.status } else { record.status.status } {
                    Some(State::Successful) => State::RollbackSuccessful,
                    None | Some(State::Pending | State::InProgress) if is_primary => continue,
                    _ => State::RollbackFailed,
                }
            }
        };
        let status = ServiceDeploymentStatus { status: Some(end), ..undone.status.clone() };
        write(snapshot, undone, status, now, plan);
    }
}

fn finish(status: &mut ServiceDeploymentStatus, state: DeploymentRolloutState, now: Timestamp) {
    status.rollout_state = Some(state);
    status.finished_at = Some(MicroTime(now));
}

/// Writes a status if it says something new. `updated_at` alone is nothing new.
fn write(
    snapshot: &ServiceSnapshot,
    record: &Record,
    mut status: ServiceDeploymentStatus,
    now: Timestamp,
    plan: &mut Plan,
) {
    if status == record.status || snapshot.record(record.digits()).is_none() {
        return;
    }
    status.observed_generation = Some(1);
    status.updated_at = Some(MicroTime(now));
    // One write for each record: what is said later replaces what was said before.
    plan.ops.retain(|op| !matches!(op, Op::ApplyStatus { key, .. } if *key == record.key));
    plan.ops
        .push(Op::ApplyStatus { key: record.key.clone(), status: serde_json::to_value(status).unwrap_or_default() });
}

/// Whether the spec asks to stop this deployment, and how.
fn stop_request(snapshot: &ServiceSnapshot, record: &Record) -> Option<StopType> {
    let stop = spec(snapshot)?.kubernetes.as_ref()?.stop_service_deployment.as_ref()?;
    record.is_named(&stop.service_deployment).then(|| stop.stop_type.unwrap_or_default())
}

fn threshold_of(breaker: &api::service::DeploymentCircuitBreaker) -> Threshold {
    let Some(threshold) = &breaker.threshold_configuration else { return Threshold::default() };
    let kind = match threshold.type_ {
        ThresholdType::Count => Kind::Count,
        ThresholdType::BoundedPercent => Kind::BoundedPercent,
        ThresholdType::UnboundedPercent => Kind::UnboundedPercent,
    };
    Threshold { kind, value: i64::from(threshold.value) }
}

fn spec(snapshot: &ServiceSnapshot) -> Option<&ServiceSpec> {
    snapshot.spec.as_ref().ok()
}

fn configuration(snapshot: &ServiceSnapshot) -> Option<&api::service::DeploymentConfiguration> {
    spec(snapshot)?.deployment_configuration.as_ref()
}

fn breaker(snapshot: &ServiceSnapshot) -> Option<&api::service::DeploymentCircuitBreaker> {
    configuration(snapshot)?.deployment_circuit_breaker.as_ref()
}

/// Whether failures of the service's tasks may end a deployment.
pub(super) fn has_breaker(snapshot: &ServiceSnapshot) -> bool {
    breaker(snapshot).is_some_and(|breaker| breaker.enable)
}

pub(super) fn tasks_of<'a>(snapshot: &'a ServiceSnapshot, record: &'a Record) -> impl Iterator<Item = &'a Task> {
    snapshot.tasks.iter().filter(|task| task.deployment_id.as_deref() == Some(record.digits()))
}

/// ECS counts are 32-bit.
pub(super) fn narrow(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
