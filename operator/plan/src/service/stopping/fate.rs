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

/// What the fate of a task follows from, once nobody has asked it to stop and it was not given up before.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a task")]
#[derive(Clone, Debug, Default)]
struct Facts {
    /// It counts against its deployment.
    has_failed: bool,
    /// Its failure is stored, or there is no record to store it in.
    is_counted: bool,
    /// Its deployment launches nothing more.
    is_given_up: bool,
    /// Nothing healthy comes of it.
    is_failing: bool,
    /// Kubernetes is done with its pod.
    is_over: bool,
    /// Its containers ran.
    has_started: bool,
    /// Why it is over for ECS.
    ending: Option<Ending>,
    /// The end that it comes to since a container cannot be started.
    failed_start: Option<Ending>,
    /// Until when the next task of its deployment is not started.
    next_start: Option<Timestamp>,
    /// A container waits for a secret that may still come, and no circuit breaker is to know of it.
    waits_for_secret: bool,
    /// It is unhealthy, or its instance is draining.
    is_to_be_replaced: bool,
}

fn fate(facts: Facts) -> Fate {
    // A failure is counted before its pod goes.
    if facts.has_failed && !facts.is_counted {
        return Fate::Keep;
    }
    // A task that never ran is stopped when the next one may be started.
    let next_start = facts.next_start;
    let failed_start = |ending| match next_start {
        Some(at) => Fate::Wait(at),
        None => Fate::Record { ending, is_paced: false },
    };
    match facts.ending {
        // Its ReplicaSet has replaced it already.
        Some(ending) if facts.is_over => Fate::Record { ending, is_paced: false },
        // Nothing more is launched: what failed goes when the count is lowered.
        _ if facts.is_given_up && facts.is_failing => Fate::Keep,
        // It never ran, since a container that others need has failed: the next one waits as after any failed start.
        Some(ending) if !facts.has_started => failed_start(ending),
        // One that worked is replaced at once, as on ECS.
        Some(ending) => Fate::Record { ending, is_paced: facts.has_failed },
        None => match facts.failed_start {
            // The kubelet starts it as soon as what it waits for is there.
            Some(_) if facts.waits_for_secret => Fate::Keep,
            Some(ending) => failed_start(ending),
            None if facts.is_to_be_replaced => Fate::Replace,
            None => Fate::Keep,
        },
    }
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
        let now = self.context.now;
        let deployment = self.context.snapshot.record(judged.deployment());
        let wait = deployment.and_then(|record| throttle_of(&record.status).wait_seconds(now.as_second()));
        fate(Facts {
            has_failed: judged.has_failed,
            is_counted: deployment.is_none() || self.counted.contains(task.uid.as_str()),
            is_given_up: deployment.is_some_and(|record| self.stages.given_up(record).is_some()),
            is_failing: judged.is_failing,
            is_over: task.is_stopping,
            has_started: task.started_at.is_some(),
            ending: task.ending.clone(),
            failed_start: judged.failed_start(),
            next_start: wait.map(|seconds| after(now, seconds)),
            waits_for_secret: task.missing_secret.is_some() && !self.service.policy.breaker.is_enabled,
            is_to_be_replaced: judged.is_to_be_replaced,
        })
    }
}

#[cfg(test)]
#[path = "fate_tests.rs"]
mod tests;
