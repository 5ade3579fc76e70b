//! The throttle on tasks that repeatedly stop before RUNNING: they are started again for ever, but with a growing delay.
//!
//! ECS documents that the delay grows up to 27 minutes, not by which steps. Here the first three failures have none, which
//! is how many a small deployment may have before its circuit breaker opens; the fourth waits 10 seconds, as the kubelet
//! does at the first restart, and each one after it twice as long as the one before:
//!
//! | failure | 1 to 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 and more |
//! |---|---|---|---|---|---|---|---|---|---|---|
//! | delay in seconds | 0 | 10 | 20 | 40 | 80 | 160 | 320 | 640 | 1280 | 1620 |

/// The longest delay: 27 minutes.
pub const LONGEST_DELAY_SECONDS: i64 = 27 * 60;

/// Failures after which the next task is started at once.
const WITHOUT_DELAY: i64 = 3;
const FIRST_DELAY_SECONDS: i64 = 10;

/// Seconds from the last of so many failures before RUNNING to the next start.
pub fn delay_seconds(attempts: i64) -> i64 {
    let Some(doublings) = attempts.checked_sub(WITHOUT_DELAY + 1).filter(|doublings| *doublings >= 0) else { return 0 };
    // 10 · 2^8 is beyond the longest delay; more doublings would only overflow.
    let doublings = u32::try_from(doublings.min(8)).unwrap_or(8);
    FIRST_DELAY_SECONDS.saturating_mul(1 << doublings).min(LONGEST_DELAY_SECONDS)
}

/// The throttle of one deployment, kept with it. The default is that of a new deployment; a deployment whose task reached
/// RUNNING has the default again.
///
/// Times are seconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    /// Failures before RUNNING since a task last reached RUNNING. Those that fall into a delay are one with the failure
    /// that began it.
    pub attempts: i64,
    /// When the next task may be started. Before the first delay that is the time of the last failure; `None` without one.
    pub retry_at: Option<i64>,
}

impl Throttle {
    /// After failures that are seen for the first time now, of so many rounds: ten tasks of a service of ten that fail together
    /// are one round, three tasks of a service of one that were started one after the other are three.
    ///
    /// Failures during a delay are those of tasks that had been started before it, so they neither lengthen it nor count:
    /// of ten tasks that fail together, the last six do not put the next start off by an hour.
    #[must_use]
    pub fn after_failures(self, now: i64, rounds: i64) -> Self {
        let waiting = self.at(now);
        if !waiting.may_retry(now) {
            return waiting;
        }
        // No more of them at once than are without a delay: of those that were seen late nobody knows when they came.
        let attempts = self.attempts.max(0).saturating_add(rounds.clamp(1, WITHOUT_DELAY));
        Self { attempts, retry_at: Some(now.saturating_add(delay_seconds(attempts))) }
    }

    /// After a task reached RUNNING at `since`. One that did so before the last failure says nothing. A new task definition is a
    /// new deployment, which begins with the default anyway.
    #[must_use]
    pub fn after_start(self, since: i64) -> Self {
        let last_failure = self.retry_at.map(|at| at.saturating_sub(delay_seconds(self.attempts)));
        if last_failure.is_none_or(|at| since > at) { Self::default() } else { self }
    }

    /// When the delay began that lasts now.
    pub fn held_since(self, now: i64) -> Option<i64> {
        let throttle = self.at(now);
        let until = throttle.retry_at.filter(|_| !throttle.may_retry(now))?;
        Some(until.saturating_sub(delay_seconds(throttle.attempts)))
    }

    /// Whether a task may be started.
    pub fn may_retry(self, now: i64) -> bool {
        !self.is_throttled() || self.retry_at.is_none_or(|at| now >= at)
    }

    /// The same throttle unless the clock went back, so that `retry_at` is further away than the full delay: then one full
    /// delay begins now. It has to be stored, or the delay would begin anew at every look.
    #[must_use]
    pub fn at(self, now: i64) -> Self {
        let latest = now.saturating_add(delay_seconds(self.attempts));
        Self { retry_at: self.retry_at.map(|at| at.min(latest)), ..self }
    }

    /// Seconds until the next task may be started, for the next look; `None` when it may be now.
    pub fn wait_seconds(self, now: i64) -> Option<i64> {
        self.at(now).retry_at.map(|at| at.saturating_sub(now)).filter(|wait| *wait > 0)
    }

    /// Whether tasks are held back at all, which ECS reports as being unable to consistently start tasks.
    pub fn is_throttled(self) -> bool {
        delay_seconds(self.attempts) > 0
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
