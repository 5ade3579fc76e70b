//! How far every deployment is: [`ecs::deployment`] on what was observed, kept in the records.
//!
//! The status of a record is written before anything follows from it: a failed task is removed after its failure was stored,
//! and a rollback begins after the record says that it does. So the operator may end between any two writes.

use std::collections::BTreeMap;

use api::schema::MicroTime;
use api::service::{DeploymentRolloutState, StopType};
use api::service_deployment::{
    MAX_COUNTED_TASKS, Rollback, ServiceDeploymentCircuitBreaker, ServiceDeploymentRollbackMonitorsStatus,
    ServiceDeploymentState, ServiceDeploymentStatus,
};
use ecs::deployment::alarm::Reading;
use ecs::deployment::end::{Cause, End, Undoing};
use ecs::deployment::moment::Moment;
use ecs::deployment::monitor::{MOST_COUNTED_TASKS, Task};
use ecs::deployment::policy::Policy;
use ecs::deployment::{BreakerReading, Monitor, Move, Observed, Role, Said, Stage, State, StopRequest, Wait, next};
use ecs::event;
use jiff::Timestamp;

use super::alarms::{self, Alarms};
use super::context::Context;
use super::identify::Deployments;
use super::judged::Judged;
use super::parts::Parts;
use super::record::{Record, end_shown, moment, stage_of, state_name, state_of};
use super::resolve::{Resolution, ResolvedService};
use super::snapshot::ServiceSnapshot;
use crate::core::moment::{after, earliest};
use crate::core::op::Op;
use crate::core::question::Question;
use crate::core::status::narrow;

const _: () = assert!(MOST_COUNTED_TASKS == MAX_COUNTED_TASKS, "a count that the status has no room for is lost");

/// The deployments of a service after this reconcile.
#[derive(Default)]
pub(super) struct Stages {
    /// Status writes of records that changed.
    pub(super) ops: Vec<Op>,
    /// What the source of alarms is asked.
    pub(super) questions: Vec<Question>,
    /// When the bake time is over, or the next task may be started.
    pub(super) wake: Option<Timestamp>,
    /// Status of PRIMARY; the default for one that is about to be made.
    pub(super) primary: ServiceDeploymentStatus,
    /// Enough of its tasks are healthy, and the bake time is not over.
    pub(super) is_baking: bool,
    /// Alarms that keep it from being completed because nobody tells their state, and why.
    pub(super) unknown_alarms: Option<String>,
    /// Whether its tasks are started with a delay.
    pub(super) is_throttled: bool,
    /// Since when, in seconds since the epoch, no task of it is started; `None` if one may be.
    pub(super) held_since: Option<i64>,
    /// Statuses by the digits of the deployments.
    statuses: BTreeMap<String, ServiceDeploymentStatus>,
    /// Whether the service has no tasks of another deployment than PRIMARY.
    is_alone: bool,
}

/// A deployment that was given up: it launches nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenUp {
    /// The service has no tasks of another one.
    pub(super) is_alone: bool,
}

impl Stages {
    /// The status of a record after this reconcile.
    pub(super) fn status<'a>(&'a self, record: &'a Record) -> &'a ServiceDeploymentStatus {
        self.statuses.get(record.digits()).unwrap_or(&record.status)
    }

    /// How far a deployment is.
    pub(super) fn stage(&self, record: &Record) -> Stage {
        stage_of(self.status(record))
    }

    /// Whether a deployment launches nothing more. Where it is all that the service has, that is only so if its tasks failed: one
    /// that somebody or an alarm stopped goes on as it is, or the service would fade away task by task.
    pub(super) fn given_up(&self, record: &Record) -> Option<GivenUp> {
        let State { stage, end, .. } = state_of(self.status(record));
        let has_worked = matches!(end, Some(End { cause: Cause::Alarms | Cause::Request, .. }));
        (stage.is_frozen() && !(self.is_alone && has_worked)).then_some(GivenUp { is_alone: self.is_alone })
    }

    /// How far the PRIMARY deployment is.
    pub(super) fn primary_stage(&self) -> Stage {
        stage_of(&self.primary)
    }

    /// What is to be said of a deployment, once.
    pub(super) fn said(&self, record: &Record) -> Option<Said> {
        state_of(self.status(record)).said()
    }
}

/// Decides about every deployment that is remembered.
pub(super) fn decide(
    context: Context<'_>,
    tasks: &[Judged<'_>],
    resolution: &Resolution,
    deployments: &Deployments,
    parts: &Parts<'_>,
) -> Stages {
    let Some(primary) = &deployments.primary else { return Stages::default() };
    // A DaemonSet has tasks of several deployments.
    let is_alone = !context.snapshot.is_daemon() && !has_others(context.snapshot, primary);
    let mut stages = Stages { is_alone, ..Stages::default() };
    let policy = resolution.service().map(|service| service.policy).unwrap_or_default();
    let look = Look { context, primary, parts, service: resolution.service(), policy };
    for record in context.snapshot.records.iter().filter(|record| !deployments.is_obsolete(record)) {
        let own: Vec<&Judged<'_>> = tasks.iter().filter(|judged| judged.deployment() == record.digits()).collect();
        let Looked { moved, status, questions, unknown_alarms } = look.at(record, &own);
        if record.id() == primary.id() {
            let throttle = moved.state.tally.throttle;
            stages.is_throttled = throttle.is_throttled();
            stages.held_since = throttle.held_since(context.now.as_second());
            let held_until = throttle.wait_seconds(context.now.as_second()).map(|wait| after(context.now, wait));
            stages.is_baking = matches!(moved.waits_for, Some(Wait::BakeTime { .. }));
            stages.unknown_alarms = unknown_alarms;
            stages.questions = questions;
            if let Some(Wait::BakeTime { until }) = moved.waits_for {
                stages.wake = Timestamp::from_microsecond(until.micros()).ok();
            }
            stages.wake = earliest(stages.wake, held_until);
            stages.primary = status.clone();
        }
        stages.statuses.insert(record.digits().to_owned(), status);
    }
    settle(context, primary, &mut stages.statuses);
    stages.ops = context.snapshot.records.iter().filter_map(|record| write(record, &stages, context.now)).collect();
    stages
}

/// Whether there are Deployments of other service deployments.
fn has_others(snapshot: &ServiceSnapshot, record: &Record) -> bool {
    snapshot.workloads.values().any(|workload| workload.deployment != record.digits())
}

/// How many tasks a deployment is asked for.
fn asked(snapshot: &ServiceSnapshot, record: &Record) -> i64 {
    let workloads = snapshot.workloads.values().filter(|workload| workload.deployment == record.digits());
    workloads.map(|workload| workload.replicas).sum()
}

/// What is the same for all records of a service.
struct Look<'a> {
    context: Context<'a>,
    primary: &'a Record,
    parts: &'a Parts<'a>,
    service: Option<&'a ResolvedService>,
    policy: Policy,
}

/// What a look at one record comes to.
struct Looked {
    moved: Move,
    status: ServiceDeploymentStatus,
    questions: Vec<Question>,
    unknown_alarms: Option<String>,
}

impl Look<'_> {
    fn at(&self, record: &Record, own: &[&Judged<'_>]) -> Looked {
        let Context { world, snapshot, now, .. } = self.context;
        let state = state_of(&record.status);
        let role = match self.service {
            _ if record.id() != self.primary.id() => Role::Superseded,
            Some(_) => Role::Primary,
            None => Role::Suspended,
        };
        let judged_now = self.service.filter(|_| role == Role::Primary && !state.stage.is_over());
        let watched = judged_now.and_then(|service| service.alarms.as_ref());
        let (alarms, questions) = match watched {
            Some(alarms) => Alarms::ask(world, &snapshot.key, &alarms.alarm_names),
            None => (Alarms::default(), Vec::new()),
        };
        let readings: Vec<Reading<'_>> = alarms.readings();
        let views: Vec<Task<'_>> = own.iter().map(|judged| view(judged)).collect();
        let desired = self.parts.desired(snapshot);
        let observed = Observed {
            now: moment(now),
            created_at: moment(record.created_at),
            role,
            desired,
            tasks: &views,
            asked: asked(snapshot, record),
            is_replaced: judged_now.is_some_and(|service| self.parts.is_replaced(service, desired, record)),
            has_sources: has_others(snapshot, record),
            alarms: watched.map(|_| readings.as_slice()),
            stop: judged_now.and_then(|service| stop_request(service, record)),
            is_rollback: record.spec.rollback_of.is_some(),
            has_candidate: self.candidate(record).is_some(),
        };
        let moved = next(&state, &self.policy, &observed);
        let mut status = status_after(record, &moved);
        if status.first_healthy_at.is_none() && views.iter().any(|task| task.is_healthy) {
            status.first_healthy_at = Some(MicroTime(now));
        }
        if role == Role::Primary {
            status.capacity = self.parts.capacity();
        }
        if judged_now.is_some() {
            if !observed.tasks.is_empty() || observed.is_replaced {
                status.started_at = Some(MicroTime(record.created_at));
            }
            if let Some(alarms) = watched {
                status.alarms = alarms::shown(&moved.state.alarms, &alarms.alarm_names);
            }
        }
        if moved.state.stage != state.stage {
            self.ended(record, &moved, own, desired, &mut status);
        }
        let unknown_alarms = match moved.waits_for {
            Some(Wait::Alarms) => alarms.unknown().filter(|_| moved.state.alarms.is_watching()),
            _ => None,
        };
        Looked { moved, status, questions, unknown_alarms }
    }

    /// The deployment that the service returns to when this one is rolled back.
    fn candidate(&self, record: &Record) -> Option<&Record> {
        self.context.snapshot.last_completed().filter(|completed| completed.id() != record.id())
    }

    /// What a stage that has just been entered adds to the status.
    fn ended(
        &self,
        record: &Record,
        moved: &Move,
        own: &[&Judged<'_>],
        desired: i64,
        status: &mut ServiceDeploymentStatus,
    ) {
        let now = self.context.now;
        status.status = state_name(moved.state.stage);
        let (state, reason) = match (moved.state.stage, moved.state.end) {
            // Nothing is wrong with it: as on ECS, only a circuit breaker or an alarm fails a rollout.
            (_, Some(end @ End { cause: Cause::Replaced, .. })) => {
                (DeploymentRolloutState::InProgress, end.status_reason(self.primary.id()))
            }
            (Stage::Successful, _) => (DeploymentRolloutState::Completed, event::rollout_completed(record.id())),
            (_, Some(end)) => (DeploymentRolloutState::Failed, end.status_reason(self.primary.id())),
            _ => (DeploymentRolloutState::InProgress, event::rollout_in_progress(record.id())),
        };
        status.rollout_state = Some(state);
        status.status_reason = Some(reason.clone());
        if !moved.state.stage.is_over() {
            return;
        }
        status.finished_at = Some(MicroTime(now));
        if moved.state.said().is_none() {
            // A newer deployment has replaced it.
            return;
        }
        match (moved.state.stage, self.candidate(record)) {
            (Stage::RollbackInProgress, Some(candidate)) => {
                let service_revision = candidate.key.name.clone();
                status.rollback = Some(Rollback { reason, started_at: MicroTime(now), service_revision });
            }
            (Stage::Successful, _) => complete(status),
            _ => status.stopped_at = Some(MicroTime(now)),
        }
        let count = |test: fn(&Judged<'_>) -> bool| {
            let tasks = own.iter().filter(|judged| !judged.task.is_stopping && test(judged));
            Some(i32::try_from(tasks.count()).unwrap_or(i32::MAX))
        };
        status.desired_count = Some(narrow(desired));
        status.running_count = count(|judged| judged.task.last_status.is_running());
        status.pending_count = count(|judged| judged.task.last_status.is_pending());
    }
}

fn view<'a>(judged: &Judged<'a>) -> Task<'a> {
    let task = judged.task;
    Task {
        uid: &task.uid,
        has_failed: judged.has_failed,
        is_healthy: task.is_healthy_for_deployment,
        is_over: task.ending.is_some() || task.stopping_since.is_some(),
        started_at: task.started_at.map(Timestamp::as_second),
        failed_attempts: &task.failed_attempts,
    }
}

/// The status with what is counted and shown at every look.
fn status_after(record: &Record, moved: &Move) -> ServiceDeploymentStatus {
    let mut status = record.status.clone();
    let tally = &moved.state.tally;
    let positive = |count: i64| (count > 0).then(|| narrow(count));
    status.counted_tasks = tally.failures.counted.iter().cloned().collect();
    status.healthy_tasks = tally.failures.healthy.iter().map(|mark| i64::from(*mark)).collect();
    status.failed_tasks = positive(tally.failures.failed_tasks);
    status.failure_count = positive(tally.failures.failure_count);
    status.start_attempts = positive(tally.throttle.attempts);
    status.retry_at = tally.throttle.retry_at.and_then(|at| Timestamp::from_second(at).ok()).map(MicroTime);
    status.bake_started_at = moved.state.bake_started_at.and_then(time);
    status.end = moved.state.end.map(end_shown);
    if let Some(BreakerReading { monitor, failures, threshold }) = moved.breaker {
        status.deployment_circuit_breaker = Some(ServiceDeploymentCircuitBreaker {
            status: match monitor {
                Monitor::Disabled => ServiceDeploymentRollbackMonitorsStatus::Disabled,
                Monitor::Monitoring => ServiceDeploymentRollbackMonitorsStatus::Monitoring,
                Monitor::Triggered => ServiceDeploymentRollbackMonitorsStatus::Triggered,
                Monitor::Complete => ServiceDeploymentRollbackMonitorsStatus::MonitoringComplete,
            },
            failure_count: narrow(failures),
            threshold: narrow(threshold),
        });
    }
    status
}

fn time(moment: Moment) -> Option<MicroTime> {
    Timestamp::from_microsecond(moment.micros()).ok().map(MicroTime)
}

/// Says of alarms that were watched to the end that they were.
fn complete(status: &mut ServiceDeploymentStatus) {
    type Monitors = ServiceDeploymentRollbackMonitorsStatus;
    if let Some(alarms) = status.alarms.as_mut().filter(|alarms| alarms.status == Monitors::Monitoring) {
        alarms.status = Monitors::MonitoringComplete;
    }
}

/// What a rollback comes to is told on the deployment that it undoes.
fn settle(context: Context<'_>, primary: &Record, statuses: &mut BTreeMap<String, ServiceDeploymentStatus>) {
    let records = &context.snapshot.records;
    let is_undone = |record: &&Record| record.status.status == Some(ServiceDeploymentState::RollbackInProgress);
    // Somebody may have deleted what it is to return to.
    let has_target = |undone: &Record| {
        let target = undone.status.rollback.as_ref().map(|rollback| &rollback.service_revision);
        target.is_some_and(|target| records.iter().any(|record| record.key.name == *target))
    };
    for undone in records.iter().filter(is_undone) {
        let undoes = |record: &Record| record.spec.rollback_of.as_ref() == Some(&undone.key.name);
        let undoing = match records.iter().find(|record| undoes(record)) {
            // Its rollback begins with this reconcile.
            None if undoes(primary) || (undone.id() == primary.id() && has_target(undone)) => Undoing::NotYet,
            None => Undoing::Never,
            Some(record) => Undoing::Begun {
                stage: stage_of(statuses.get(record.digits()).unwrap_or(&record.status)),
                is_newest: record.id() == primary.id(),
            },
        };
        if let (Some(stage), Some(status)) = (undoing.settle(), statuses.get_mut(undone.digits())) {
            status.status = state_name(stage);
            if !has_target(undone) {
                status.status_reason = Some(event::no_rollback_candidate());
            }
        }
    }
}

/// Writes a status if it says something new. `updated_at` alone is nothing new.
fn write(record: &Record, stages: &Stages, now: Timestamp) -> Option<Op> {
    let mut status = stages.statuses.get(record.digits()).filter(|status| **status != record.status)?.clone();
    status.observed_generation = Some(1);
    status.updated_at = Some(MicroTime(now));
    let status = serde_json::to_value(status).ok()?;
    Some(Op::ApplyStatus { key: record.key.clone(), status })
}

/// Whether the spec asks to stop this deployment, and how.
fn stop_request(service: &ResolvedService, record: &Record) -> Option<StopRequest> {
    let stop = service.stop.as_ref().filter(|stop| record.is_named(&stop.service_deployment))?;
    Some(match stop.stop_type.unwrap_or_default() {
        StopType::Rollback => StopRequest::Rollback,
        StopType::Abort => StopRequest::Abort,
    })
}
