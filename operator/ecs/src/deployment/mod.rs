//! Deployments of a service as a state machine over plain values: which failures count, when a deployment is complete, when
//! it is given up, and what follows from that.
//!
//! ```text
//! State (what the record keeps) × Policy (what the user set) × Observed (what is so now)
//!     ──next──> Move { State, what the monitors show, what is waited for and until when };  State ──said──> what people are told
//! ```
//!
//! The stage is decided before counts: how many tasks of which revision should run ([`crate::rollout`]) follows from it.
//! A [`State`] is stored before anything follows from it, and [`next`] of the same values is always the same, so an operator
//! that ends between any two writes carries on where it was.
//!
//! Strategies are data, see [`strategy`]: the walk over their steps is the same for all of them.

pub mod alarm;
pub mod circuit_breaker;
pub mod end;
pub mod moment;
pub mod monitor;
pub mod policy;
pub mod strategy;
pub mod success;
pub mod throttle;

use alarm::{Reading, Watch};
use circuit_breaker::is_triggered;
use end::{Cause, End, Rollback};
use moment::Moment;
use monitor::{Tally, Task};
use policy::Policy;
use strategy::Gate;

/// How far a deployment is. The names are those of ECS's service deployment status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing of it has been seen yet.
    #[default]
    Pending,
    /// On its way, in one of the [`strategy::LifecycleStage`]s of its strategy.
    InProgress,
    /// Complete.
    Successful,
    /// Ended without being complete, and nothing undoes it.
    Stopped,
    /// Ended without being complete; the service returns to an earlier revision.
    RollbackInProgress,
    /// The service has returned.
    RollbackSuccessful,
    /// The service did not return.
    RollbackFailed,
}

impl Stage {
    /// Whether the deployment is over, well or not.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::InProgress)
    }

    /// Whether it was given up: it launches nothing more.
    pub const fn is_frozen(self) -> bool {
        self.is_over() && !matches!(self, Self::Successful)
    }
}

/// What is remembered of a deployment, kept with it. The default is that of a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How far it is.
    pub stage: Stage,
    /// Why it ended, if it did without being complete.
    pub end: Option<End>,
    /// Its failures.
    pub tally: Tally,
    /// Its alarms.
    pub alarms: Watch,
    /// Since when everything has been in place, while that is so, and for good once it was complete.
    pub bake_started_at: Option<Moment>,
}

/// What is said of a deployment that is over, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is complete.
    Completed,
    /// It was given up.
    GivenUp(End),
}

impl State {
    /// What is to be said of the deployment. `None` while it is in progress, and of one that a newer one replaced.
    ///
    /// It follows from what is stored alone, and not from what happens in one look: a process that ends after it stored the
    /// state, and before it said anything, says it when it looks again.
    pub const fn said(&self) -> Option<Said> {
        match (self.stage, self.end) {
            (Stage::Successful, _) => Some(Said::Completed),
            (_, Some(End { cause: Cause::Replaced, .. }) | None) => None,
            (_, Some(end)) => Some(Said::GivenUp(end)),
        }
    }
}

/// What decides about a deployment, besides what the user set.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a deployment")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed<'a> {
    /// The time.
    pub now: Moment,
    /// When the deployment was made.
    pub created_at: Moment,
    /// Its part in the service.
    pub role: Role,
    /// `desiredCount` of the service.
    pub desired: i64,
    /// Its tasks: all that exist, those that are being stopped too.
    pub tasks: &'a [Task<'a>],
    /// How many of them are asked for.
    pub asked: i64,
    /// Every task of the service is of this deployment and healthy, and there are as many as desired.
    pub is_replaced: bool,
    /// Whether anything of an older deployment is left.
    pub has_sources: bool,
    /// Its alarms with their states; `None` when alarms are not watched.
    pub alarms: Option<&'a [Reading<'a>]>,
    /// What somebody asked for.
    pub stop: Option<StopRequest>,
    /// The deployment undoes another one.
    pub is_rollback: bool,
    /// Whether an earlier deployment is complete, so that the service can return to it.
    pub has_candidate: bool,
}

/// The part of a deployment in its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The newest one, which tasks are started for.
    Primary,
    /// The newest one of a service whose settings are refused: failures count, and nothing moves.
    Suspended,
    /// A newer one replaces it.
    Superseded,
}

/// `StopServiceDeployment`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopRequest {
    /// `ROLLBACK`
    Rollback,
    /// `ABORT`: everything stays where it is.
    Abort,
}

/// What becomes of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What to remember.
    pub state: State,
    /// What the circuit breaker shows; `None` leaves what it showed before.
    pub breaker: Option<BreakerReading>,
    /// What the deployment waits for besides its tasks.
    pub waits_for: Option<Wait>,
}

/// The circuit breaker as DescribeServiceDeployments shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerReading {
    /// What it does.
    pub monitor: Monitor,
    /// Failures so far. ECS ends the deployment at the very failure that reaches the threshold, so never more than that.
    pub failures: i64,
    /// Failures that fail the deployment.
    pub threshold: i64,
}

/// What a circuit breaker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Monitor {
    /// It is not enabled.
    Disabled,
    /// It watches.
    Monitoring,
    /// It failed the deployment.
    Triggered,
    /// It watched until the deployment ended.
    Complete,
}

/// What a deployment waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// The end of its bake time.
    BakeTime {
        /// When that is.
        until: Moment,
    },
    /// The state of its alarms, which is not known.
    Alarms,
}

/// What becomes of a deployment now.
///
/// Failures are counted for every deployment that has tasks, also one that is over. Only the newest one is judged, in this
/// order: too many failures, an alarm, somebody's request, and then the steps of its strategy.
#[must_use]
pub fn next(state: &State, policy: &Policy, observed: &Observed<'_>) -> Move {
    let mut tally =
        state.tally.observe(observed.tasks, observed.asked, policy.breaker.resets_on_healthy_task, observed.now);
    if state.stage.is_over() {
        // What the breaker compared stays as it was; only the failures of the whole deployment go on.
        tally.failures.failure_count = state.tally.failures.failure_count;
        if tally.failures.failure_count == 0 {
            // Marks of healthy tasks only matter beside failures that are compared.
            tally.failures.healthy.clear();
        }
    }
    let state = State { tally, ..state.clone() };
    if state.stage.is_over() {
        return Move::stay(state);
    }
    match observed.role {
        Role::Suspended => Move::stay(state),
        Role::Superseded => {
            let end = End { cause: Cause::Replaced, rollback: Rollback::NotWanted };
            Move::stay(State { stage: Stage::Stopped, end: Some(end), ..state })
        }
        Role::Primary => judge(state, policy, observed),
    }
}

/// The newest deployment, which is not over.
fn judge(mut state: State, policy: &Policy, observed: &Observed<'_>) -> Move {
    let threshold = policy.breaker.threshold.failures(observed.desired);
    let counted = state.tally.failures.failure_count;
    let is_failed = policy.breaker.is_enabled && is_triggered(counted, threshold);
    let reading = |monitor: Monitor| BreakerReading {
        monitor: if policy.breaker.is_enabled { monitor } else { Monitor::Disabled },
        failures: if policy.breaker.is_enabled { counted.min(threshold) } else { counted },
        threshold,
    };
    if let Some(readings) = observed.alarms {
        state.alarms = state.alarms.observe(observed.created_at.seconds(), readings);
    }
    let has_begun = !observed.tasks.is_empty() || observed.is_replaced;
    if has_begun {
        state.stage = Stage::InProgress;
    }
    let given_up = if is_failed {
        Some((Cause::CircuitBreaker, policy.breaker.rolls_back, Monitor::Triggered))
    } else if observed.alarms.is_some() && state.alarms.is_triggered() {
        Some((Cause::Alarms, policy.rolls_back_on_alarm, Monitor::Complete))
    } else {
        observed.stop.map(|stop| (Cause::Request, stop == StopRequest::Rollback, Monitor::Complete))
    };
    if let Some((cause, wants_rollback, monitor)) = given_up {
        return Move { breaker: Some(reading(monitor)), ..give_up(state, cause, wants_rollback, observed) };
    }
    if !has_begun {
        return Move::stay(State { bake_started_at: None, ..state });
    }
    match walk(&mut state, policy, observed) {
        Position::At(waits_for) => Move { breaker: Some(reading(Monitor::Monitoring)), waits_for, ..Move::stay(state) },
        Position::Through => {
            state.stage = Stage::Successful;
            if policy.bake_minutes <= 0 {
                state.bake_started_at = None;
            }
            Move { breaker: Some(reading(Monitor::Complete)), ..Move::stay(state) }
        }
    }
}

/// Where the steps of a strategy leave a deployment.
enum Position {
    /// In one of them, and what for besides its tasks.
    At(Option<Wait>),
    /// Past the last one.
    Through,
}

/// Passes the steps whose gates are open.
///
/// The bake time begins when everything before it is done. A task that is not healthy for a moment, or a changed count, does not
/// begin it anew; but the deployment is not complete before everything is in place again.
fn walk(state: &mut State, policy: &Policy, observed: &Observed<'_>) -> Position {
    let is_replaced = is_replaced(policy, observed);
    for step in policy.strategy.steps() {
        let waits_for = match step.gate {
            Gate::Replaced if is_replaced || state.bake_started_at.is_some() => continue,
            Gate::Replaced => None,
            Gate::Baked => match bake(state, policy, observed) {
                None if is_replaced => continue,
                waits_for => waits_for,
            },
        };
        return Position::At(waits_for);
    }
    Position::Through
}

/// All tasks are replaced and healthy, or as many as the early success criteria ask for.
fn is_replaced(policy: &Policy, observed: &Observed<'_>) -> bool {
    let healthy = observed.tasks.iter().filter(|task| task.is_healthy).count();
    let is_early = policy.is_early_success(i64::try_from(healthy).unwrap_or(i64::MAX), observed.desired);
    let is_deferred = policy.early_success.is_some_and(|criteria| criteria.is_cleanup_deferred);
    observed.is_replaced || (is_early && (is_deferred || !observed.has_sources))
}

/// What the bake time, or the alarms at its end, still wait for.
fn bake(state: &mut State, policy: &Policy, observed: &Observed<'_>) -> Option<Wait> {
    let until = state.bake_started_at.get_or_insert(observed.now).after_minutes(policy.bake_minutes);
    if policy.bake_minutes > 0 && until > observed.now {
        return Some(Wait::BakeTime { until });
    }
    let may_complete = observed.alarms.is_none_or(|readings| state.alarms.may_complete(readings));
    (!may_complete).then_some(Wait::Alarms)
}

fn give_up(state: State, cause: Cause, wants_rollback: bool, observed: &Observed<'_>) -> Move {
    // A rollback that fails is not rolled back itself.
    let rollback = match (wants_rollback && !observed.is_rollback, observed.has_candidate) {
        (false, _) => Rollback::NotWanted,
        (true, false) => Rollback::NoCandidate,
        (true, true) => Rollback::Started,
    };
    Move::stay(State {
        stage: if rollback == Rollback::Started { Stage::RollbackInProgress } else { Stage::Stopped },
        end: Some(End { cause, rollback }),
        ..state
    })
}

impl Move {
    const fn stay(state: State) -> Self {
        Self { state, breaker: None, waits_for: None }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
