//! The service's event list: what happened, once, in ECS's words, also across restarts of the operator.
//!
//! Which tasks were told already is remembered in status as a watermark: the newest creation time and the tasks of that
//! very second. Creation times have whole seconds, so the time alone would lose the second of two tasks.

use std::collections::BTreeSet;

use api::conditions::Reason;
use api::schema::MicroTime;
use api::service::{MAX_EVENTS, ServiceEvent, TaskWatermark};
use ecs::event::{self, EventName};
use ecs::lifecycle::UNHEALTHY;
use jiff::Timestamp;

use super::record::Record;
use super::rollout::Rollout;
use super::snapshot::ServiceSnapshot;
use super::stopping::Stopping;
use super::verdict::{Cause, Outcome};
use crate::core::moment::after;
use crate::core::op::{Notice, NoticeKind, Plan};
use crate::pod::observe::Task;

/// ECS starts tasks in groups of at most ten, one event each.
const TASKS_PER_EVENT: usize = 10;
/// So many misplaced tasks are told at a time: the next ones when the first are gone.
const MOST_MISPLACED: usize = 1000;

/// What the event list says afterwards.
pub(super) struct Told {
    pub(super) events: Vec<ServiceEvent>,
    pub(super) watermark: TaskWatermark,
    pub(super) steady_since: Option<MicroTime>,
    pub(super) steady_announced_at: Option<MicroTime>,
}

/// Facts about the service that are worth an event.
pub(super) struct Facts<'a> {
    pub(super) is_steady: bool,
    /// Tasks keep failing.
    pub(super) is_impaired: bool,
    /// What became of the PRIMARY deployment with this reconcile.
    pub(super) outcome: Option<&'a Outcome>,
    /// The deployment that begins with this reconcile.
    pub(super) began: Option<&'a Record>,
}

pub(super) fn tell(
    snapshot: &ServiceSnapshot,
    rollout: &Rollout,
    facts: &Facts<'_>,
    stopping: &Stopping,
    now: Timestamp,
    plan: &mut Plan,
) -> Told {
    let status = &snapshot.status;
    let service = snapshot.ecs_name.as_str();
    let mut teller = Teller { snapshot, now, new: Vec::new(), plan };
    let before = status.task_watermark.clone().unwrap_or_default();
    let started =
        advance(before.started_through.as_ref(), &before.started_ids, &snapshot.tasks, |task| Some(task.created_at));
    // What was given up was told then.
    let was_told = |task: &Task| status.stopped_tasks.iter().any(|record| record.uid == task.uid);
    let stopped = advance(before.stopped_through.as_ref(), &before.stopped_ids, &snapshot.tasks, |task| {
        task.stopping_since.filter(|_| !was_told(task))
    });
    if let Some(record) = facts.began {
        if record.spec.rollback_of.is_some() {
            teller.tell(None, event::rolling_back(service, record.id()));
        }
        teller.notice(EventName::ServiceDeploymentInProgress, event::rollout_in_progress(record.id()));
    }
    for task in &stopping.given_up {
        let id = ecs::arn::last_segment(&task.task_arn);
        if task.stopped_reason == UNHEALTHY {
            teller.tell(None, event::failed_health_checks(service, id));
        }
        let message = event::stopped_tasks(service, &[id.to_owned()]);
        let notice = format!("{message} Reason: {}", task.stopped_reason);
        teller.tell(None, message);
        let reason = task.stop_code.clone();
        teller.plan.notices.push(Notice { kind: NoticeKind::Warning, reason, message: notice });
    }
    let misplaced = misplaced(snapshot, rollout, &before.misplaced_ids, &stopped.new);
    let news: Vec<String> = misplaced.iter().filter(|id| !before.misplaced_ids.contains(id)).cloned().collect();
    for ids in news.chunks(TASKS_PER_EVENT) {
        let message = event::placement_constraint_violated(service, ids);
        teller.tell(Some(EventName::ServiceDaemonPlacementConstraintViolated), message);
    }
    for ids in stopped.new.chunks(TASKS_PER_EVENT) {
        teller.tell(None, event::stopped_tasks(service, ids));
    }
    for ids in started.new.chunks(TASKS_PER_EVENT) {
        teller.tell(None, event::started_tasks(service, ids));
    }
    if rollout.is_stuck {
        teller.tell_again_after_hours(EventName::ServiceTaskPlacementFailure, event::stuck_deployment(service));
    }
    if facts.is_impaired {
        let message = event::unable_to_start_consistently(service);
        teller.tell_again_after_hours(EventName::ServiceTaskStartImpaired, message);
    }
    let has_no_node = |task: &Task| task.trouble.as_ref().is_some_and(|why| why.reason == Reason::TaskPlacementFailure);
    if snapshot.tasks.iter().any(|task| !task.is_stopping && has_no_node(task)) {
        // What the scheduler says changes with every node and is in the condition; this text is told once.
        teller.tell_again_after_hours(EventName::ServiceTaskPlacementFailure, event::unable_to_place(service, ""));
    }
    if rollout.is_blocked {
        let protected =
            snapshot.tasks.iter().filter(|task| !task.is_stopping && task.protected_until.is_some()).count();
        let id = rollout.primary.as_ref().map(Record::id).unwrap_or_default();
        teller.say_again_after_hours(None, event::unable_to_scale_in(service, id, protected));
    }
    if let Some((name, message)) = &rollout.rebalancing {
        teller.tell(Some(*name), message.clone());
    }
    if let Some((outcome, record)) = facts.outcome.zip(rollout.primary.as_ref()) {
        let (name, message) = ending(service, record.id(), outcome);
        teller.tell(Some(name), message);
    }
    let (steady_since, steady_announced_at) = steady(status, facts.is_steady, rollout, &mut teller);
    let mut events: Vec<ServiceEvent> = teller.new.into_iter().rev().collect();
    events.extend(status.events.iter().cloned());
    events.truncate(MAX_EVENTS);
    let watermark = TaskWatermark {
        started_through: started.through,
        started_ids: started.ids,
        stopped_through: stopped.through,
        stopped_ids: stopped.ids,
        misplaced_ids: misplaced,
    };
    Told { events, watermark, steady_since, steady_announced_at }
}

/// Tasks of a DAEMON service on instances that do not meet its placement constraints any more, sorted. One that was stopped
/// for another reason before its instance changed is none.
fn misplaced(snapshot: &ServiceSnapshot, rollout: &Rollout, told: &[String], stopped: &[String]) -> Vec<String> {
    let Some(daemon) = &rollout.daemon else { return Vec::new() };
    let misplaced = snapshot.tasks.iter().filter(|task| {
        daemon.is_misplaced(task) && (!task.is_stopping || stopped.contains(&task.id) || told.contains(&task.id))
    });
    let mut ids: Vec<String> = misplaced.map(|task| task.id.clone()).collect();
    ids.sort();
    ids.truncate(MOST_MISPLACED);
    ids
}

/// What is told when a deployment is over.
fn ending(service: &str, id: &str, outcome: &Outcome) -> (EventName, String) {
    match outcome {
        Outcome::Completed => (EventName::ServiceDeploymentCompleted, event::deployment_completed(service, id)),
        Outcome::GivenUp { cause: Cause::CircuitBreaker, has_no_candidate: false, .. } => {
            (EventName::ServiceDeploymentFailed, event::deployment_failed(service, id))
        }
        Outcome::GivenUp { has_no_candidate: true, .. } => {
            (EventName::ServiceDeploymentFailed, event::deployment_failed_without_candidate(service, id))
        }
        Outcome::GivenUp { cause: Cause::Alarms, .. } => {
            (EventName::ServiceDeploymentFailed, event::deployment_failed_by_alarm(service, id))
        }
        Outcome::GivenUp { cause: Cause::Request, .. } => {
            (EventName::ServiceDeploymentFailed, event::deployment_stopped(service, id))
        }
    }
}

/// Says that the service is steady when it becomes so, and again about every six hours.
fn steady(
    status: &api::service::ServiceStatus,
    is_steady: bool,
    rollout: &Rollout,
    teller: &mut Teller<'_>,
) -> (Option<MicroTime>, Option<MicroTime>) {
    if !is_steady || rollout.primary.is_none() {
        return (None, status.steady_announced_at.clone());
    }
    let repeat = |at: &MicroTime| after(at.0, event::REPEAT_AFTER_SECONDS);
    let since = status.steady_since.clone().unwrap_or(MicroTime(teller.now));
    let is_new = status.steady_since.is_none();
    let announced = match &status.steady_announced_at {
        Some(at) if !is_new && teller.now < repeat(at) => at.clone(),
        _ => {
            teller.tell(Some(EventName::ServiceSteadyState), event::steady_state(&teller.snapshot.ecs_name));
            MicroTime(teller.now)
        }
    };
    teller.plan.wake_at(repeat(&announced));
    (Some(since), Some(announced))
}

struct Teller<'a> {
    snapshot: &'a ServiceSnapshot,
    now: Timestamp,
    new: Vec<ServiceEvent>,
    plan: &'a mut Plan,
}

impl Teller<'_> {
    fn tell(&mut self, name: Option<EventName>, message: String) {
        let place = self.snapshot.status.events.len() + self.new.len();
        let seed = format!("{}/{}/{place}/{message}", self.snapshot.metadata.uid, self.now);
        self.new.push(ServiceEvent {
            id: ecs::arn::task_id(&seed),
            created_at: MicroTime(self.now),
            message: message.clone(),
        });
        if let Some(name) = name {
            self.notice(name, message);
        }
    }

    /// Says something that stays true for long: not again within six hours.
    fn tell_again_after_hours(&mut self, name: EventName, message: String) {
        self.say_again_after_hours(Some(name), message);
    }

    fn say_again_after_hours(&mut self, name: Option<EventName>, message: String) {
        let last = self.snapshot.status.events.iter().find(|event| event.message == message);
        let last = last.map(|event| event.created_at.0.as_second());
        if event::may_repeat(last, self.now.as_second()) {
            self.tell(name, message);
        }
    }

    fn notice(&mut self, name: EventName, message: String) {
        let kind = if name.is_warning() { NoticeKind::Warning } else { NoticeKind::Normal };
        self.plan.notices.push(Notice { kind, reason: name.as_str().to_owned(), message });
    }
}

/// Tasks past a watermark, and the watermark after them.
struct Advance {
    new: Vec<String>,
    through: Option<MicroTime>,
    ids: Vec<String>,
}

fn advance(
    through: Option<&MicroTime>,
    told: &[String],
    tasks: &[Task],
    time: impl Fn(&Task) -> Option<Timestamp>,
) -> Advance {
    let mark = through.map(|time| time.0);
    let mut new: Vec<(Timestamp, String)> = tasks
        .iter()
        .filter_map(|task| Some((time(task)?, task.id.clone())))
        .filter(|(at, id)| mark.is_none_or(|mark| *at > mark || (*at == mark && !told.contains(id))))
        .collect();
    new.sort();
    let Some(newest) = new.last().map(|(at, _)| *at) else {
        return Advance { new: Vec::new(), through: through.cloned(), ids: told.to_vec() };
    };
    let mut ids: BTreeSet<String> = new.iter().filter(|(at, _)| *at == newest).map(|(_, id)| id.clone()).collect();
    if mark == Some(newest) {
        ids.extend(told.iter().cloned());
    }
    Advance {
        new: new.into_iter().map(|(_, id)| id).collect(),
        through: Some(MicroTime(newest)),
        ids: ids.into_iter().collect(),
    }
}
