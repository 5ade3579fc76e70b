//! Everything that the steps of a plan came to, for those that say it.

use jiff::Timestamp;

use crate::core::report::Refusal;
use crate::pod::observe::Task;
use crate::service::children::Conflict;
use crate::service::context::Context;
use crate::service::counts::Counts;
use crate::service::identify::Deployments;
use crate::service::judged::Judged;
use crate::service::record::Record;
use crate::service::resolve::Resolution;
use crate::service::stage::Stages;
use crate::service::stopping::{Impaired, Stopping};

/// The results of all steps.
#[derive(Clone, Copy)]
pub(in crate::service) struct Outcome<'a> {
    pub(in crate::service) context: Context<'a>,
    pub(in crate::service) tasks: &'a [Judged<'a>],
    pub(in crate::service) resolution: &'a Resolution,
    pub(in crate::service) deployments: &'a Deployments,
    pub(in crate::service) stages: &'a Stages,
    pub(in crate::service) counts: &'a Counts,
    pub(in crate::service) conflicts: &'a [Conflict],
    /// Why something of a deployment was not made.
    pub(in crate::service) not_permitted: &'a [Refusal],
    pub(in crate::service) stopping: &'a Stopping,
}

/// What follows from all of them together.
pub(super) struct Summary {
    pub(super) all: TaskCounts,
    /// Every task is healthy and of the PRIMARY deployment, there are as many as desired, and the deployment is complete.
    pub(super) is_steady: bool,
    /// Tasks keep failing.
    pub(super) impaired: Option<Impaired>,
}

/// Tasks by `lastStatus`. A task that was asked to stop is in neither count, as on ECS.
#[derive(Clone, Copy, Default)]
pub(super) struct TaskCounts {
    pub(super) running: i64,
    pub(super) pending: i64,
}

impl TaskCounts {
    pub(super) fn of<'a>(tasks: impl Iterator<Item = &'a Task>) -> Self {
        tasks.filter(|task| !task.is_stopping).fold(Self::default(), |counts, task| Self {
            running: counts.running + i64::from(task.last_status.is_running()),
            pending: counts.pending + i64::from(task.last_status.is_pending()),
        })
    }
}

impl Outcome<'_> {
    /// Sums up.
    pub(super) fn summary(&self) -> Summary {
        let all = TaskCounts::of(self.context.snapshot.tasks.iter());
        let is_successful = self.stages.primary_stage() == ecs::deployment::Stage::Successful;
        let is_complete = match self.counts.bounds {
            Some(_) => self.counts.is_complete && is_successful,
            None => self.deployments.primary.as_ref().is_some_and(Record::is_successful),
        };
        let is_steady = is_complete && all.running == self.counts.desired && all.pending == 0;
        let impaired = self.stopping.impaired(&self.context.snapshot.status.stopped_tasks, self.context.now);
        Summary { all, is_steady, impaired: impaired.filter(|_| !is_steady) }
    }

    /// Tasks that are not being stopped and are protected from scale-in.
    pub(super) fn protected(&self) -> usize {
        let is_protected = |task: &&Task| !task.is_stopping && task.protected_until.is_some();
        self.context.snapshot.tasks.iter().filter(is_protected).count()
    }

    /// Id of the PRIMARY deployment; empty while there is none.
    pub(super) fn primary_id(&self) -> &str {
        self.deployments.primary.as_ref().map(Record::id).unwrap_or_default()
    }

    /// When a task changes although its Pod does not.
    pub(super) fn changes_at(&self) -> Option<Timestamp> {
        self.context.snapshot.tasks.iter().filter_map(|task| task.changes_at).min()
    }
}
