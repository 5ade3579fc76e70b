//! The pace at which tasks that keep failing are stopped.

use api::schema::MicroTime;
use api::service::{MAX_STOPPED_TASKS, StoppedTask};
use ecs::lifecycle::StopCode;
use ecs::rolling::HEALTHY_AFTER_RUNNING_SECONDS;
use jiff::Timestamp;

use crate::core::moment::after;

/// Tasks that may be stopped without a pause between them.
pub(super) const AT_ONCE: usize = 3;
/// The pause.
const PAUSE_SECONDS: i64 = 10;
/// How long an end counts.
pub(super) const FORGET_SECONDS: i64 = 300;

/// Whether the task failed by itself. What the infrastructure took away says nothing about the tasks of the service.
pub(super) fn has_failed(record: &StoppedTask) -> bool {
    record.stop_code == StopCode::EssentialContainerExited.as_str()
        || record.stop_code == StopCode::TaskFailedToStart.as_str()
        || record.stop_code == StopCode::ServiceSchedulerInitiated.as_str()
}

/// Whether the task exited so soon after its start that the next one will too. One that worked for a while, and one whose
/// health checks took their time to fail, are replaced as fast as they end, as on ECS; those that never ran wait for
/// [`ecs::deployment::throttle`].
fn is_paced(record: &StoppedTask) -> bool {
    let ran_until = |started: &MicroTime| after(started.0, HEALTHY_AFTER_RUNNING_SECONDS);
    record.stop_code == StopCode::EssentialContainerExited.as_str()
        && record.started_at.as_ref().is_none_or(|started| record.stopped_at.0 < ran_until(started))
}

/// How many tasks may be stopped now.
pub(super) struct Allowance {
    left: usize,
    /// When there is room for another one.
    next: Timestamp,
    /// Set once a stop was refused.
    pub(super) refused_until: Option<Timestamp>,
}

impl Allowance {
    pub(super) fn new(records: &[StoppedTask], desired: i64, now: Timestamp) -> Self {
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

    pub(super) fn take(&mut self) -> bool {
        if self.left == 0 {
            self.refused_until = Some(self.next);
            return false;
        }
        self.left -= 1;
        true
    }
}
