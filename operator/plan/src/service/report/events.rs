//! The service's event list: what happened, once, in ECS's words, also across restarts of the operator.
//!
//! Which tasks were told already is remembered in status as a watermark: the newest creation time and the tasks of that
//! very second. Creation times have whole seconds, so the time alone would lose the second of two tasks.

use std::collections::BTreeSet;

use api::schema::MicroTime;
use api::service::{
    Announcement, AnnouncementTopic, Deployment, DeploymentRolloutState, MAX_EVENTS, ServiceEvent, TaskWatermark,
};
use ecs::deployment::Said;
use ecs::event::{self, EventName};
use ecs::lifecycle::StopCode;
use jiff::Timestamp;

use super::outcome::{Outcome, Summary};
use crate::core::moment::after;
use crate::core::op::{Notice, NoticeKind};
use crate::core::status::narrow;
use crate::nodes::attribute::ZONE;
use crate::nodes::instance::instance;
use crate::pod::observe::Task;
use crate::service::context::Context;
use crate::service::counts::made_way;
use crate::service::record::Record;

/// ECS starts tasks in groups of at most ten, one event each.
const TASKS_PER_EVENT: usize = 10;
/// So many misplaced tasks are told at a time: the next ones when the first are gone.
const MOST_MISPLACED: usize = 1000;

/// What the event list says afterwards.
pub(super) struct Told {
    pub(super) events: Vec<ServiceEvent>,
    pub(super) notices: Vec<Notice>,
    pub(super) watermark: TaskWatermark,
    pub(super) announcements: Vec<Announcement>,
    pub(super) steady_since: Option<MicroTime>,
    pub(super) steady_announced_at: Option<MicroTime>,
    /// When the steady state is announced again.
    pub(super) wake: Option<Timestamp>,
}

pub(super) fn tell(outcome: &Outcome<'_>, summary: &Summary) -> Told {
    let snapshot = outcome.context.snapshot;
    let before = snapshot.status.task_watermark.clone().unwrap_or_default();
    // The zone of a task that is started for balance is told, so it has to be known.
    let is_moving = outcome.counts.is_moving;
    let waits = is_moving && snapshot.tasks.iter().any(|task| task.node.is_none() && !task.is_stopping);
    let started = advance(before.started_through.as_ref(), &before.started_ids, &snapshot.tasks, |task| {
        Some(task.created_at).filter(|_| !waits)
    });
    // What was or is given up is told as such.
    let given_up = outcome.stopping.given_up.iter().map(|given_up| &given_up.record);
    let recorded: BTreeSet<&str> =
        snapshot.status.stopped_tasks.iter().chain(given_up).map(|record| record.uid.as_str()).collect();
    let stopped = advance(before.stopped_through.as_ref(), &before.stopped_ids, &snapshot.tasks, |task| {
        task.stopping_since.filter(|_| !recorded.contains(task.uid.as_str()))
    });
    let misplaced = misplaced(outcome, &before.misplaced_ids, &stopped.new);
    let mut teller = Teller::of(outcome);
    teller.ending(Which::Earlier);
    teller.beginning();
    teller.given_up();
    let news: Vec<String> = misplaced.iter().filter(|id| !before.misplaced_ids.contains(id)).cloned().collect();
    teller.tasks(&news, &stopped.new, &started.new);
    teller.lasting(summary);
    teller.ending(Which::Primary);
    let steady = teller.steady(summary.is_steady);
    let mut events: Vec<ServiceEvent> = teller.new.into_iter().rev().collect();
    events.extend(snapshot.status.events.iter().cloned());
    events.truncate(MAX_EVENTS);
    let watermark = TaskWatermark {
        started_through: started.through,
        started_ids: started.ids,
        stopped_through: stopped.through,
        stopped_ids: stopped.ids,
        misplaced_ids: misplaced,
    };
    Told {
        events,
        notices: teller.notices,
        watermark,
        announcements: teller.announcements,
        steady_since: steady.since,
        steady_announced_at: steady.announced_at,
        wake: steady.again_at,
    }
}

/// Tasks of a DAEMON service on instances that do not meet its placement constraints any more, sorted. One that was stopped
/// for another reason before its instance changed is left out.
fn misplaced(outcome: &Outcome<'_>, told: &[String], stopped: &[String]) -> Vec<String> {
    let Some(daemon) = &outcome.counts.daemon else { return Vec::new() };
    let misplaced = outcome.context.snapshot.tasks.iter().filter(|task| {
        daemon.is_misplaced(task) && (!task.is_stopping || stopped.contains(&task.id) || told.contains(&task.id))
    });
    let mut ids: Vec<String> = misplaced.map(|task| task.id.clone()).collect();
    ids.sort();
    ids.truncate(MOST_MISPLACED);
    ids
}

/// What is said of the steady state.
struct Steady {
    since: Option<MicroTime>,
    announced_at: Option<MicroTime>,
    again_at: Option<Timestamp>,
}

/// Whose end is told: that of earlier deployments before anything else, that of the newest after what its tasks did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Earlier,
    Primary,
}

struct Teller<'a> {
    outcome: &'a Outcome<'a>,
    service: &'a str,
    now: Timestamp,
    /// Oldest first.
    new: Vec<ServiceEvent>,
    notices: Vec<Notice>,
    announcements: Vec<Announcement>,
}

impl<'a> Teller<'a> {
    fn of(outcome: &'a Outcome<'a>) -> Self {
        let context = outcome.context;
        let announcements = context.snapshot.status.announcements.clone();
        let service = context.snapshot.ecs_name.as_str();
        Self { outcome, service, now: context.now, new: Vec::new(), notices: Vec::new(), announcements }
    }

    /// A deployment as the status showed it so far. What that says has been told; a status that could not be written told
    /// nothing, although the records may be ahead of it.
    fn shown(&self, id: &str) -> Option<&'a Deployment> {
        self.outcome.context.snapshot.status.deployments.iter().find(|shown| shown.id == id)
    }

    /// A deployment that begins.
    fn beginning(&mut self) {
        let is_new = |record: &&Record| self.shown(record.id()).is_none();
        let Some(record) = self.outcome.deployments.primary.as_ref().filter(is_new) else { return };
        if record.spec.rollback_of.is_some() {
            self.tell(None, event::rolling_back(self.service, record.id()));
        }
        self.notice(EventName::ServiceDeploymentInProgress, event::rollout_in_progress(record.id()));
    }

    /// Tasks that failed, one by one.
    fn given_up(&mut self) {
        for given_up in &self.outcome.stopping.given_up {
            let task = &given_up.record;
            let id = ecs::arn::last_segment(&task.task_arn);
            if given_up.is_unhealthy {
                self.tell(None, event::failed_health_checks(self.service, id));
            }
            if task.stop_code == StopCode::TaskFailedToStart.as_str() {
                let message = event::unable_to_start(self.service, &task.stopped_reason);
                self.announce(AnnouncementTopic::TaskFailedToStart, None, message);
            }
            let message = match task.started_at {
                Some(_) => event::stopped_tasks(self.service, &[id.to_owned()]),
                None => event::stopped_pending_tasks(self.service, 1),
            };
            let notice = format!("{message} Reason: {}", task.stopped_reason);
            self.tell(None, message);
            let reason = task.stop_code.clone();
            self.notices.push(Notice { kind: NoticeKind::Warning, reason, message: notice });
        }
    }

    /// Tasks that are where they should not be, that were stopped and that were started, in groups.
    fn tasks(&mut self, misplaced: &[String], stopped: &[String], started: &[String]) {
        for ids in misplaced.chunks(TASKS_PER_EVENT) {
            let message = event::placement_constraint_violated(self.service, ids);
            self.tell(Some(EventName::ServiceDaemonPlacementConstraintViolated), message);
        }
        let tasks = &self.outcome.context.snapshot.tasks;
        let has_run = |id: &&String| tasks.iter().any(|task| task.id == **id && task.started_at.is_some());
        // Told with the status that forgets it.
        let is_forgotten =
            self.outcome.counts.rebalancing.status.as_ref().is_some_and(|status| status.leaving.is_none());
        let moved = made_way(self.outcome.context.snapshot).filter(|_| is_forgotten);
        if let Some(moved) = moved {
            let message = event::stopped_for_balance(self.service, &moved.zone, std::slice::from_ref(&moved.id));
            self.tell(None, message);
        }
        let is_moved = |id: &&String| moved.is_some_and(|moved| moved.id == **id);
        let (ran, pending): (Vec<&String>, Vec<&String>) = stopped.iter().filter(|id| !is_moved(id)).partition(has_run);
        let ran: Vec<String> = ran.into_iter().cloned().collect();
        for ids in ran.chunks(TASKS_PER_EVENT) {
            self.tell(None, event::stopped_tasks(self.service, ids));
        }
        if !pending.is_empty() {
            self.tell(None, event::stopped_pending_tasks(self.service, pending.len()));
        }
        if let ([_], true) = (started, self.outcome.counts.is_moving)
            && let Some(zone) = started.first().and_then(|id| self.zone(id))
        {
            self.tell(None, event::started_for_balance(self.service, &zone, started));
            return;
        }
        let mut replaced = self.replaced().min(started.len());
        for ids in started.chunks(TASKS_PER_EVENT) {
            let of_these = replaced.min(ids.len());
            replaced -= of_these;
            let message = match of_these {
                0 => event::started_tasks(self.service, ids),
                _ => event::started_replacements(self.service, ids, of_these),
            };
            self.tell(None, message);
        }
    }

    /// The zone of the node that a task is on.
    fn zone(&self, id: &str) -> Option<String> {
        let Context { world, snapshot, .. } = self.outcome.context;
        let task = snapshot.tasks.iter().find(|task| task.id == id)?;
        instance(world, task.node.as_deref()?)?.labels.get(ZONE).cloned()
    }

    /// Unhealthy tasks that are there and that others are started for.
    fn replaced(&self) -> usize {
        self.outcome.tasks.iter().filter(|judged| judged.is_unhealthy).count()
    }

    /// Conditions that last, and balance between zones.
    fn lasting(&mut self, summary: &Summary) {
        let Outcome { counts, stages, tasks, .. } = self.outcome;
        let service = self.service;
        if counts.is_stuck {
            let name = EventName::ServiceTaskPlacementFailure;
            self.announce(AnnouncementTopic::DeploymentStuck, Some(name), event::stuck_deployment(service));
        }
        // ECS says so only of tasks that stop before they run.
        if stages.is_throttled && !summary.is_steady {
            let message = event::unable_to_start_consistently(service);
            self.announce(AnnouncementTopic::TaskStartImpaired, Some(EventName::ServiceTaskStartImpaired), message);
        }
        if tasks.iter().any(|judged| !judged.task.is_stopping && judged.has_no_place) {
            // What the scheduler says changes with every node and is in the condition; this text is told once.
            let name = EventName::ServiceTaskPlacementFailure;
            self.announce(AnnouncementTopic::TaskPlacementFailure, Some(name), event::unable_to_place(service, ""));
        }
        if counts.is_blocked {
            let (id, protected) = (self.outcome.primary_id().to_owned(), self.outcome.protected());
            let message = event::unable_to_scale_in(service, &id, protected);
            let tasks = narrow(i64::try_from(protected).unwrap_or(i64::MAX));
            self.announce_about(AnnouncementTopic::ScaleInBlocked, (Some(id), Some(tasks)), None, message);
        }
        if let Some((name, message)) = &counts.rebalancing.told {
            self.tell(Some(*name), message.clone());
        }
    }

    /// What became of deployments that were in progress. The newest may have ended before any status showed it.
    fn ending(&mut self, which: Which) {
        for record in &self.outcome.context.snapshot.records {
            let id = record.id();
            let is_primary = id == self.outcome.primary_id();
            if is_primary != (which == Which::Primary) {
                continue;
            }
            let was_open = match self.shown(id) {
                Some(shown) => shown.rollout_state == Some(DeploymentRolloutState::InProgress),
                None => is_primary,
            };
            match self.outcome.stages.said(record).filter(|_| was_open) {
                Some(Said::Completed) => {
                    let message = event::deployment_completed(self.service, id);
                    self.tell(Some(EventName::ServiceDeploymentCompleted), message);
                }
                Some(Said::GivenUp(end)) => {
                    self.tell(Some(EventName::ServiceDeploymentFailed), end.event(self.service, id));
                }
                None => {}
            }
        }
    }

    /// Says that the service is steady when it becomes so, and again about every six hours.
    fn steady(&mut self, is_steady: bool) -> Steady {
        let status = &self.outcome.context.snapshot.status;
        let before = status.steady_announced_at.clone();
        if !is_steady || self.outcome.deployments.primary.is_none() {
            return Steady { since: None, announced_at: before, again_at: None };
        }
        let repeat = |at: &MicroTime| after(at.0, event::REPEAT_AFTER_SECONDS);
        let is_new = status.steady_since.is_none();
        let announced = match before {
            Some(at) if !is_new && self.now < repeat(&at) => at,
            _ => {
                self.tell(Some(EventName::ServiceSteadyState), event::steady_state(self.service));
                MicroTime(self.now)
            }
        };
        Steady {
            since: Some(status.steady_since.clone().unwrap_or(MicroTime(self.now))),
            again_at: Some(repeat(&announced)),
            announced_at: Some(announced),
        }
    }

    fn tell(&mut self, name: Option<EventName>, message: String) {
        let snapshot = self.outcome.context.snapshot;
        let place = snapshot.status.events.len() + self.new.len();
        let seed = format!("{}/{}/{place}/{message}", snapshot.metadata.uid, self.now);
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
    fn announce(&mut self, topic: AnnouncementTopic, name: Option<EventName>, message: String) {
        self.announce_about(topic, (None, None), name, message);
    }

    /// The same about a deployment and a number of tasks: another of either is said at once.
    fn announce_about(
        &mut self,
        topic: AnnouncementTopic,
        (deployment, tasks): (Option<String>, Option<i32>),
        name: Option<EventName>,
        message: String,
    ) {
        let is_same =
            |known: &&Announcement| known.topic == topic && known.deployment == deployment && known.tasks == tasks;
        let last = self.announcements.iter().find(is_same).map(|known| known.announced_at.0.as_second());
        if !event::may_repeat(last, self.now.as_second()) {
            return;
        }
        self.announcements.retain(|known| known.topic != topic);
        let announced_at = MicroTime(self.now);
        self.announcements.push(Announcement { topic, deployment, tasks, announced_at });
        self.announcements.sort_by_key(|known| known.topic);
        self.tell(name, message);
    }

    fn notice(&mut self, name: EventName, message: String) {
        let kind = if name.is_warning() { NoticeKind::Warning } else { NoticeKind::Normal };
        self.notices.push(Notice { kind, reason: name.as_str().to_owned(), message });
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
