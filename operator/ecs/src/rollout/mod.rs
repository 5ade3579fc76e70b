//! A rolling deployment as a state machine over plain counts: from what is observed to how many tasks each part of a
//! service should run next.
//!
//! A service is a list of [`Part`]s: the tasks of one service deployment on one capacity provider. The parts of the
//! newest deployment (PRIMARY) have goals, the parts of older ones (ACTIVE, here *sources*) are to end. [`step`] says what
//! every part may be asked for now; it is called again whenever something changed, so it holds no state of its own and can
//! be interrupted anywhere.
//!
//! Two bounds hold over all parts together, in integers and for the desired count of the moment
//! (ECS: `minimumHealthyPercent`, `maximumPercent`):
//!
//! - a task is asked for only while those that exist or are asked for are fewer than the maximum;
//! - a healthy task is given up only while more than the minimum are healthy.
//!
//! With 4 tasks, 50 % and 150 % that goes: 4 old; 4 old + 2 new starting; the 2 are healthy: 2 old + 2 new; 2 old + 4 new
//! as soon as the 2 old ones are stopping; 4 new.
//!
//! A part that is lowered loses tasks that are not ready before ready ones; that is what a ReplicaSet does.

mod frozen;
mod lower;
mod raise;
mod replacement;

use crate::rolling::{Bounds, Percentages, bounds};

/// The tasks of one service deployment on one capacity provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Whether it belongs to the PRIMARY deployment.
    pub is_primary: bool,
    /// Tasks that the capacity provider strategy gives to it in the end. 0 for sources.
    pub goal: i64,
    /// Tasks it was last asked for.
    pub asked: i64,
    /// The desired count of the service at that time; `None` if unknown.
    pub asked_for: Option<i64>,
    /// Tasks it has.
    pub tasks: Tasks,
}

/// Tasks of a part. Those that were asked to stop are in none of the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// All of them, PENDING or RUNNING.
    pub existing: i64,
    /// Those that count as healthy.
    pub healthy: i64,
    /// Those to be replaced by tasks of the same part: unhealthy ones and those on draining instances. In a deployment that
    /// launches nothing more only those that count as healthy are.
    pub leaving: i64,
    /// Those of `leaving` that count as healthy.
    pub leaving_healthy: i64,
    /// Those that fail: they cannot start, or an essential container of theirs exited.
    pub failing: i64,
    /// Those under task scale-in protection.
    pub protected: i64,
    /// Those of `protected` that count as healthy.
    pub protected_healthy: i64,
    /// Those for which there is no place.
    pub unplaced: i64,
    /// Those that are not to be started again while starts are held back: they were refused where they were to run.
    pub refused: i64,
}

impl Tasks {
    /// Healthy tasks that stay.
    fn good(self) -> i64 {
        self.healthy - self.leaving_healthy
    }

    /// Tasks that stay and are not healthy yet.
    fn starting(self) -> i64 {
        self.existing - self.leaving - self.good()
    }
}

/// Whether the PRIMARY deployment may start tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launching {
    /// It may.
    Allowed,
    /// No more than it is asked for, for a while, since its tasks repeatedly stop before they run.
    Held,
    /// It failed or was stopped: it launches nothing more, and both revisions stay as they are.
    Frozen,
}

/// What a step depends on.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// `desiredCount`
    pub desired: i64,
    /// `minimumHealthyPercent` and `maximumPercent`
    pub percentages: Percentages,
    /// Whether the PRIMARY deployment may start tasks.
    pub launching: Launching,
    /// Whether the deployment counts as successful already, so that sources are kept only as far as the minimum needs them.
    pub is_early_success: bool,
    /// Oldest deployment first.
    pub parts: &'a [Part],
}

/// What to do.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a deployment")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What each part is asked for now, in the order of [`Service::parts`].
    pub counts: Vec<i64>,
    /// Neither a start nor a stop is possible within the bounds.
    pub is_stuck: bool,
    /// More tasks are wanted and the maximum leaves no room for one: an unhealthy task has to be stopped before its
    /// replacement is started.
    pub is_full: bool,
    /// Protected tasks keep a part from becoming smaller.
    pub is_blocked: bool,
    /// Only PRIMARY tasks are left, as many as desired, all healthy and none to be replaced.
    pub is_complete: bool,
}

/// What is worked out on the way.
struct Work<'a> {
    service: &'a Service<'a>,
    bounds: Bounds,
    /// Most tasks that may exist.
    maximum: i64,
    counts: Vec<i64>,
}

/// Decides what each part is asked for now.
#[must_use]
pub fn step(service: &Service) -> Step {
    let bounds = bounds(service.desired, service.percentages);
    let has_sources = service.sources().any(|part| part.asked > 0 || part.tasks.existing > 0);
    let mut work = Work {
        service,
        bounds,
        // The maximum limits replacing. Without sources there is nothing to replace, and the desired count is always allowed.
        maximum: if has_sources { bounds.maximum } else { bounds.maximum.max(service.desired) },
        counts: service.parts.iter().map(|part| part.asked).collect(),
    };
    let wishes = work.wishes(has_sources);
    let raised = work.raise(&wishes);
    let is_full = raised.is_limited && !raised.is_yielded && !work.has_room();
    work.lower_to(&wishes.all());
    if service.launching != Launching::Frozen {
        work.replace_sources(if is_full { raised.primary_lack } else { 0 });
        work.keep_maximum();
    }
    work.protect();
    let is_moving = service.parts.iter().zip(&work.counts).any(|(part, count)| part.asked != *count);
    // Nothing is under way that would change what is possible.
    let is_quiet = !is_moving && service.parts.iter().all(|part| part.asked == part.tasks.existing);
    let existing: i64 = service.parts.iter().map(|part| part.tasks.existing).sum();
    let is_stuck =
        raised.is_limited && is_quiet && has_sources && existing <= service.desired && bounds.is_stuck(service.desired);
    let held = |(part, count): (&Part, &i64)| {
        part.tasks.protected > part.goal && *count == part.tasks.protected && part.asked == *count
    };
    Step {
        is_blocked: service.launching != Launching::Frozen && service.parts.iter().zip(&work.counts).any(held),
        // Where the bounds let no task move to another provider, its place is as good as any.
        is_complete: !has_sources
            && is_quiet
            && existing == service.parts.iter().map(|part| part.goal).sum::<i64>()
            && service.parts.iter().all(|part| part.tasks.good() == part.tasks.existing),
        is_stuck,
        is_full,
        counts: work.counts,
    }
}

impl Service<'_> {
    fn sources(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| !part.is_primary)
    }
}

/// Where each part is to be if the bounds allow it, apart from sources that make room for PRIMARY tasks.
struct Wishes {
    /// Tasks of each part.
    counts: Vec<i64>,
    /// Tasks beside them that replace others of the same source.
    replacements: Vec<i64>,
}

impl Wishes {
    fn all(&self) -> Vec<i64> {
        self.counts.iter().zip(&self.replacements).map(|(count, more)| count + more).collect()
    }
}

impl Work<'_> {
    fn wishes(&self, has_sources: bool) -> Wishes {
        if self.service.launching == Launching::Frozen {
            return self.frozen_wishes(has_sources);
        }
        let wish = |part: &Part| match (part.is_primary, self.service.launching) {
            (false, _) => rescaled(part, self.service.desired),
            (true, Launching::Held) => with_replacements(part, part.goal).min((part.asked - part.tasks.refused).max(0)),
            (true, _) => with_replacements(part, part.goal),
        };
        Wishes { counts: self.service.parts.iter().map(wish).collect(), replacements: self.source_replacements() }
    }
}

/// A source of a deployment in progress grows and shrinks with the desired count, as the PRIMARY parts do (ECS since
/// November 2025): 5 of 10 become 8 of 15 and 2 of 4. Rounded up, so that the minimum is kept until PRIMARY tasks are
/// healthy.
fn rescaled(part: &Part, desired: i64) -> i64 {
    match part.asked_for {
        Some(before) if before > 0 && before != desired => proportion(part.asked, desired, before, before - 1),
        _ => part.asked,
    }
}

/// `(count * numerator + round) / denominator`
fn proportion(count: i64, numerator: i64, denominator: i64, round: i64) -> i64 {
    let product = i128::from(count) * i128::from(numerator) + i128::from(round);
    i64::try_from(product / i128::from(denominator.max(1))).unwrap_or(i64::MAX)
}

/// `goal` tasks, and more of them for a while so that replacements start before what they replace is stopped.
///
/// 3 tasks, one of them unhealthy: 4 are asked for; when the new one is healthy, 3, and the unhealthy one goes since it is
/// not ready. Until then nothing is lowered, or the new one would go first.
fn with_replacements(part: &Part, goal: i64) -> i64 {
    let tasks = part.tasks;
    if tasks.leaving == 0 || goal == 0 {
        return goal;
    }
    if tasks.existing <= goal {
        return goal + tasks.leaving;
    }
    if tasks.starting() > 0 { part.asked.clamp(goal, goal + tasks.leaving) } else { goal }
}

#[cfg(test)]
#[path = "../rollout_tests.rs"]
mod tests;
