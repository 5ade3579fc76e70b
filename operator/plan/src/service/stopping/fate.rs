//! What should become of one task, whatever becomes of the others.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::core::moment::after;
use crate::pod::ending::Ending;
use crate::service::context::Context;
use crate::service::judged::Judged;
use crate::service::record::throttle_of;
use crate::service::resolve::ResolvedService;
use crate::service::stage::Stages;

/// What should become of a task.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays, or goes without the operator.
    Keep,
    /// It cannot start, and the next one waits until then.
    Wait(Timestamp),
    /// It is over: that is recorded, and its pod deleted.
    Record {
        ending: Ending,
        /// Whether it counts against the pace of tasks that keep failing.
        is_paced: bool,
    },
    /// It is replaced by another one, as far as bounds allow.
    Replace,
}

/// What the fates of all tasks follow from.
pub(super) struct Judges<'a> {
    context: Context<'a>,
    service: &'a ResolvedService,
    stages: &'a Stages,
    /// Uids of the tasks whose failure is stored.
    counted: BTreeSet<&'a str>,
}

impl<'a> Judges<'a> {
    pub(super) fn of(context: Context<'a>, service: &'a ResolvedService, stages: &'a Stages) -> Self {
        let records = context.snapshot.records.iter();
        let counted = records.flat_map(|record| &record.status.counted_tasks).map(String::as_str).collect();
        Self { context, service, stages, counted }
    }

    /// The fate of a task that nobody has asked to stop yet, and that was not given up before.
    pub(super) fn fate(&self, judged: &Judged<'_>) -> Fate {
        let task = judged.task;
        let deployment = self.context.snapshot.record(judged.deployment());
        let is_uncounted = deployment.is_some() && !self.counted.contains(task.uid.as_str());
        // A failure is counted before its pod goes.
        if judged.has_failed && is_uncounted {
            return Fate::Keep;
        }
        let is_given_up = deployment.is_some_and(|record| self.stages.given_up(record).is_some());
        match &task.ending {
            // Its ReplicaSet has replaced it already.
            Some(ending) if task.is_stopping => Fate::Record { ending: ending.clone(), is_paced: false },
            // Nothing more is launched: what failed goes when the count is lowered.
            _ if is_given_up && judged.is_failing => Fate::Keep,
            // It never ran, since a container that others need has failed: the next one waits as after any failed start.
            Some(ending) if task.started_at.is_none() => self.failed_start(judged, ending.clone()),
            // One that worked is replaced at once, as on ECS.
            Some(ending) => Fate::Record { ending: ending.clone(), is_paced: judged.has_failed },
            None => match judged.failed_start() {
                // The kubelet starts it as soon as what it waits for is there.
                Some(_) if task.missing_secret.is_some() && !self.service.policy.breaker.is_enabled => Fate::Keep,
                Some(ending) => self.failed_start(judged, ending),
                None if judged.is_to_be_replaced => Fate::Replace,
                None => Fate::Keep,
            },
        }
    }

    /// A task that never ran is stopped when the next one may be started.
    fn failed_start(&self, judged: &Judged<'_>, ending: Ending) -> Fate {
        match self.wait_seconds(judged) {
            Some(wait) => Fate::Wait(after(self.context.now, wait)),
            None => Fate::Record { ending, is_paced: false },
        }
    }

    /// How long the next start of the task's deployment is put off.
    fn wait_seconds(&self, judged: &Judged<'_>) -> Option<i64> {
        let record = self.context.snapshot.record(judged.deployment())?;
        throttle_of(&record.status).wait_seconds(self.context.now.as_second())
    }
}
