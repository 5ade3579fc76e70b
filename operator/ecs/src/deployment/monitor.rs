//! Counting failures of a deployment, and how fast tasks that fail are started again.
//!
//! Each failure counts once, by the uid of its pod. Containers that are started again in place have no pod of their own: the
//! n-th attempt in a pod `u` counts as `u/n`.

use std::collections::BTreeSet;

use super::circuit_breaker::{Count, TaskView};
use super::moment::Moment;
use super::throttle::Throttle;

/// Most failures that are told apart while their pods exist.
pub const MOST_COUNTED_TASKS: usize = 5000;

/// Restarts of one task that are told apart.
const MOST_RESTARTS: usize = 100;

/// A task of the deployment as it is observed.
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
    /// When it reached RUNNING for the first time, in seconds since the epoch.
    pub started_at: Option<i64>,
    /// Numbers of the attempts of its containers that failed, of those that the node still tells about.
    pub failed_attempts: &'a [i64],
}

/// What is remembered between two observations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The failures.
    pub failures: Count,
    /// The pace of starts.
    pub throttle: Throttle,
}

impl Tally {
    /// The tally after these tasks, which are all that exist of the deployment, were observed. So many are asked for. Observing
    /// the same tasks once more changes nothing.
    #[must_use]
    pub fn observe(&self, tasks: &[Task<'_>], asked: i64, resets_on_healthy_task: bool, now: Moment) -> Self {
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
        let asked = asked.max(1);
        let is_new = |task: &&Task<'_>| failures.contains(task.uid) && !self.failures.contains(task.uid);
        let mut throttle = self.throttle.at(now.seconds());
        let before_running = tasks.iter().filter(is_new).filter(|task| task.started_at.is_none()).count();
        let before_running = i64::try_from(before_running).unwrap_or(i64::MAX);
        let started = tasks.iter().filter(|task| !task.has_failed).filter_map(|task| task.started_at).max();
        if before_running > 0 {
            throttle = throttle.after_failures(now.seconds(), before_running.saturating_add(asked - 1) / asked);
        } else if let Some(since) = started {
            throttle = throttle.after_start(since);
        }
        Self { failures, throttle }
    }

    /// What failed attempts of one task count as. What was counted stays so as long as the pod is there, whatever it shows.
    fn restarts(&self, task: &Task<'_>) -> impl Iterator<Item = String> {
        let prefix = format!("{}/", task.uid);
        let known = self.failures.counted.range(prefix.clone()..).take_while(|entry| entry.starts_with(&prefix));
        let mut numbers: BTreeSet<i64> = known.filter_map(|entry| entry.strip_prefix(&prefix)?.parse().ok()).collect();
        if !task.has_failed {
            numbers.extend(task.failed_attempts);
        }
        let surplus = numbers.len().saturating_sub(MOST_RESTARTS);
        numbers.into_iter().skip(surplus).map(move |number| format!("{prefix}{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_micros(1_000_000_000);

    fn task(uid: &str) -> Task<'_> {
        Task { uid, has_failed: false, is_healthy: false, is_over: false, started_at: None, failed_attempts: &[] }
    }

    fn counted(tally: &Tally) -> Vec<&str> {
        tally.failures.counted.iter().map(String::as_str).collect()
    }

    #[test]
    fn when_a_container_is_restarted_in_place_then_each_failed_attempt_counts_once() {
        let restarted = |failed_attempts| Task { started_at: Some(1), failed_attempts, ..task("u") };
        let first = Tally::default().observe(&[restarted(&[0, 1])], 1, true, NOW);
        assert_eq!(counted(&first), ["u/0", "u/1"]);
        // The node forgot one of them, then there is one more, and one before it that did not count.
        let again = first.observe(&[restarted(&[1])], 1, true, NOW).observe(&[restarted(&[3])], 1, true, NOW);
        assert_eq!(counted(&again), ["u/0", "u/1", "u/3"]);
        assert_eq!(again.failures.failed_tasks, 3);
        assert_eq!(again.throttle, Throttle::default(), "what ran is not started more slowly");
    }

    #[test]
    fn when_uids_begin_alike_then_their_restarts_are_told_apart() {
        let tasks = [Task { failed_attempts: &[0], ..task("u") }, Task { failed_attempts: &[0, 1], ..task("u-1") }];
        let tally = Tally::default().observe(&tasks, 2, true, NOW);
        assert_eq!(counted(&tally), ["u-1/0", "u-1/1", "u/0"]);
        let again = tally.observe(&[Task { failed_attempts: &[1], ..task("u") }, task("u-1")], 2, true, NOW);
        assert_eq!(counted(&again), ["u-1/0", "u-1/1", "u/0", "u/1"]);
    }

    #[test]
    fn when_tasks_fail_before_they_run_then_the_next_start_waits_until_one_runs() {
        let mut tally = Tally::default();
        for uid in ["a", "b", "c", "d"] {
            tally = tally.observe(&[Task { has_failed: true, ..task(uid) }], 1, true, NOW);
        }
        assert_eq!((tally.throttle.attempts, tally.throttle.retry_at), (4, Some(1010)));
        let runs = |at| Task { started_at: Some(at), ..task("e") };
        let before = tally.observe(&[runs(1000), task("f")], 2, true, NOW);
        assert_eq!(before.throttle, tally.throttle, "it ran before the others failed");
        let running = tally.observe(&[runs(1011), task("f")], 2, true, NOW);
        assert_eq!(running.throttle, Throttle::default(), "one of two is enough");
    }

    #[test]
    fn when_a_node_refuses_one_task_after_the_other_between_two_looks_then_each_is_an_attempt() {
        let failed = |uid| Task { has_failed: true, ..task(uid) };
        let tasks = [failed("a"), failed("b"), failed("c")];
        assert_eq!(Tally::default().observe(&tasks, 1, true, NOW).throttle.attempts, 3);
        assert_eq!(Tally::default().observe(&tasks, 3, true, NOW).throttle.attempts, 1);
    }
}
