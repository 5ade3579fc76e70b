//! Counting failures of a deployment, and how fast tasks that fail are started again.
//!
//! Each failure counts once, by the uid of its pod. Containers that are started again in place have no pod of their own: the
//! n-th restart of a pod `u` counts as `u/n`.

use std::collections::BTreeSet;

use super::circuit_breaker::{Count, TaskView};
use super::moment::Moment;
use super::throttle::Throttle;

/// Most failures that are told apart while their pods exist.
pub const MOST_COUNTED_TASKS: usize = 5000;

/// Restarts of one task that are told apart.
const MOST_RESTARTS: i64 = 100;

/// A task of the deployment as it is observed.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a task")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task<'a> {
    /// `metadata.uid` of its pod.
    pub uid: &'a str,
    /// The task failed as a whole: it counts once, however often its containers are tried again.
    pub has_failed: bool,
    /// It counts as healthy now. Without meaning for a task that failed.
    pub is_healthy: bool,
    /// It ended, or somebody asked it to: restarts no longer matter.
    pub is_over: bool,
    /// It reached RUNNING once.
    pub has_run: bool,
    /// Attempts of its containers that failed so far, as far as the node tells.
    pub failed_attempts: i64,
}

/// What is remembered between two observations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The failures.
    pub failures: Count,
    /// The pace of starts.
    pub throttle: Throttle,
}

/// Tasks that the deployment should have, and those that run without failing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Tasks that are asked for.
    pub asked: i64,
    /// Tasks in RUNNING that do not fail.
    pub running: i64,
}

impl Tally {
    /// The tally after these tasks, which are all that exist of the deployment, were observed. Observing the same tasks once
    /// more changes nothing.
    #[must_use]
    pub fn observe(&self, tasks: &[Task<'_>], pace: Pace, resets_on_healthy_task: bool, now: Moment) -> Self {
        if tasks.is_empty() && self.failures.counted.is_empty() {
            return self.clone();
        }
        let restarts: Vec<String> =
            tasks.iter().filter(|task| !task.is_over).flat_map(|task| self.restarts(task)).collect();
        let views: Vec<TaskView<'_>> = tasks
            .iter()
            .map(|task| TaskView { uid: task.uid, failed: task.has_failed, healthy: task.is_healthy })
            .chain(restarts.iter().map(|uid| TaskView { uid, failed: true, healthy: false }))
            .take(MOST_COUNTED_TASKS)
            .collect();
        let failures = self.failures.observe(&views, resets_on_healthy_task);
        let is_new = |task: &&Task<'_>| failures.contains(task.uid) && !self.failures.contains(task.uid);
        let mut throttle = self.throttle.at(now.seconds());
        if tasks.iter().filter(is_new).any(|task| !task.has_run) {
            throttle = throttle.after_failure(now.seconds());
        } else if pace.asked > 0 && pace.running >= pace.asked {
            throttle.reset();
        }
        Self { failures, throttle }
    }

    /// What restarts of one task count as. What was counted stays so as long as the pod is there, whatever it shows.
    fn restarts(&self, task: &Task<'_>) -> impl Iterator<Item = String> {
        let known = restarts_of(&self.failures.counted, task.uid);
        let attempts = if task.has_failed { 0 } else { task.failed_attempts };
        let newest = attempts.max(known);
        let uid = task.uid.to_owned();
        ((newest - MOST_RESTARTS).max(0)..newest).map(move |restart| format!("{uid}/{restart}"))
    }
}

/// How many restarts of a pod are counted already.
fn restarts_of(counted: &BTreeSet<String>, uid: &str) -> i64 {
    let prefix = format!("{uid}/");
    let own = counted.range(prefix.clone()..).take_while(|entry| entry.starts_with(&prefix));
    let numbers = own.filter_map(|entry| entry.strip_prefix(&prefix)?.parse::<i64>().ok());
    numbers.max().map_or(0, |last| last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_micros(1_000_000_000);

    fn task(uid: &str) -> Task<'_> {
        Task { uid, has_failed: false, is_healthy: false, is_over: false, has_run: false, failed_attempts: 0 }
    }

    fn counted(tally: &Tally) -> Vec<&str> {
        tally.failures.counted.iter().map(String::as_str).collect()
    }

    #[test]
    fn when_a_container_is_restarted_in_place_then_each_restart_counts_once() {
        let pace = Pace { asked: 1, running: 0 };
        let restarted = |attempts| Task { has_run: true, failed_attempts: attempts, ..task("u") };
        let first = Tally::default().observe(&[restarted(2)], pace, true, NOW);
        assert_eq!(counted(&first), ["u/0", "u/1"]);
        // The node forgot one of them, then there is one more.
        let again = first.observe(&[restarted(1)], pace, true, NOW).observe(&[restarted(3)], pace, true, NOW);
        assert_eq!(counted(&again), ["u/0", "u/1", "u/2"]);
        assert_eq!(again.failures.failed_tasks, 3);
        assert_eq!(again.throttle, Throttle::default(), "what ran is not started more slowly");
    }

    #[test]
    fn when_uids_begin_alike_then_their_restarts_are_told_apart() {
        let pace = Pace { asked: 2, running: 0 };
        let tasks = [Task { failed_attempts: 1, ..task("u") }, Task { failed_attempts: 2, ..task("u-1") }];
        let tally = Tally::default().observe(&tasks, pace, true, NOW);
        assert_eq!(restarts_of(&tally.failures.counted, "u"), 1);
        assert_eq!(restarts_of(&tally.failures.counted, "u-1"), 2);
    }

    #[test]
    fn when_tasks_fail_before_they_run_then_the_next_start_waits_until_all_that_are_asked_for_run() {
        let pace = Pace { asked: 1, running: 0 };
        let mut tally = Tally::default();
        for uid in ["a", "b", "c", "d"] {
            tally = tally.observe(&[Task { has_failed: true, ..task(uid) }], pace, true, NOW);
        }
        assert_eq!((tally.throttle.attempts, tally.throttle.retry_at), (4, Some(1010)));
        let running = tally.observe(&[Task { has_run: true, ..task("e") }], Pace { running: 1, ..pace }, true, NOW);
        assert_eq!(running.throttle, Throttle::default());
    }
}
