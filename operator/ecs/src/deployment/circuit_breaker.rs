//! The deployment circuit breaker: which failures count, and how many of them fail a deployment.
//!
//! A [`Count`] is all that is remembered between two observations and is kept with the deployment. What follows from the
//! same count and the same tasks is always the same count, so an operator that ends at any moment and starts again neither
//! loses a failure nor counts one twice, on two conditions: a failed task is removed only after a count that contains it was
//! stored ([`Count::contains`]), and an observation starts from the count that was stored last.

use std::collections::BTreeSet;

const PERCENT: i128 = 100;
/// Bounds of a [`ThresholdType::BoundedPercent`] threshold, in tasks.
const BOUNDED: (i64, i64) = (3, 200);

/// How `thresholdConfiguration` gives the number of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThresholdType {
    /// The number itself.
    Count,
    /// Percent of the desired count, but at least 3 and at most 200 failures.
    BoundedPercent,
    /// Percent of the desired count, but at least 1 failure.
    UnboundedPercent,
}

/// `thresholdConfiguration` of a deployment circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// What `value` is.
    pub kind: ThresholdType,
    /// Failures, or percent of the desired count.
    pub value: i64,
}

impl Default for Threshold {
    /// Half of the desired count, at least 3 and at most 200.
    fn default() -> Self {
        Self { kind: ThresholdType::BoundedPercent, value: 50 }
    }
}

impl Threshold {
    /// How many failures fail a deployment of a service that wants `desired` tasks now. Percentages are rounded up and
    /// follow the desired count whenever it changes.
    ///
    /// With the default of 50 %, 1 task has ceil(0.5) = 1, which is raised to 3; 50 tasks have 25; 401 tasks have
    /// ceil(200.5) = 201, which is lowered to 200. Unbounded these are 1, 25 and 201.
    pub fn failures(self, desired: i64) -> i64 {
        let share = (i128::from(desired.max(0)) * i128::from(self.value.max(0)) + PERCENT - 1) / PERCENT;
        let share = i64::try_from(share).unwrap_or(i64::MAX);
        match self.kind {
            ThresholdType::Count => self.value.max(1),
            ThresholdType::BoundedPercent => share.clamp(BOUNDED.0, BOUNDED.1),
            ThresholdType::UnboundedPercent => share.max(1),
        }
    }
}

/// Whether so many failures fail the deployment: as soon as the count equals the threshold. It may also be above, since a
/// lower desired count lowers the threshold.
pub fn is_triggered(count: i64, threshold: i64) -> bool {
    count >= threshold
}

/// A task of the deployment as it is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskView<'a> {
    /// `metadata.uid` of its pod.
    pub uid: &'a str,
    /// The task failed: it could not be launched, stopped before RUNNING, or fails its health checks. A task that was
    /// healthy may fail later.
    pub failed: bool,
    /// The task counts as healthy now. Without meaning for a task that failed.
    pub healthy: bool,
}

/// The failures of a deployment. The default is that of a new deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Failures that are compared with the threshold: all, or those since a task last became healthy.
    pub failure_count: i64,
    /// All failures of the deployment. It never falls.
    pub failed_tasks: i64,
    /// UIDs of pods that are counted and still exist. A pod's UID never comes back once it is gone.
    pub counted: BTreeSet<String>,
    /// While `failure_count` is not 0: [`mark`]s of the pods that still exist and were healthy in the observation that
    /// counted the first of these failures, or in a later one. A healthy pod without its mark here has become healthy.
    /// Times are not compared for this, since each node has a clock of its own and two tasks may become healthy within
    /// one second.
    pub healthy: BTreeSet<u32>,
}

impl Count {
    /// The count after these tasks of the deployment, which are all that exist, were observed.
    ///
    /// If a task became healthy and the breaker resets, the failures of earlier observations are forgotten; those seen
    /// for the first time now are counted in any case, since the order within one observation is not known. Observing
    /// the same tasks once more changes nothing.
    #[must_use]
    pub fn observe(&self, tasks: &[TaskView<'_>], reset_on_healthy_task: bool) -> Self {
        let failed = |task: &&TaskView<'_>| task.failed || self.counted.contains(task.uid);
        let counted: BTreeSet<String> = tasks.iter().filter(failed).map(|task| task.uid.to_owned()).collect();
        let new = counted.difference(&self.counted).count();
        let new = i64::try_from(new).unwrap_or(i64::MAX);
        if self.failure_count == 0 && new == 0 {
            return Self { counted, healthy: BTreeSet::new(), ..self.clone() };
        }
        let healthy_now = || tasks.iter().filter(|task| task.healthy && !counted.contains(task.uid));
        let healthy_now: BTreeSet<u32> = healthy_now().map(|task| mark(task.uid)).collect();
        let became_healthy = !healthy_now.is_subset(&self.healthy);
        let before = if reset_on_healthy_task && became_healthy { 0 } else { self.failure_count };
        let failure_count = before.saturating_add(new);
        let healthy = match (before, failure_count) {
            (_, 0) => BTreeSet::new(),
            (0, _) => healthy_now,
            // A task that was healthy and is not for a while does not become healthy a second time.
            _ => tasks
                .iter()
                .map(|task| mark(task.uid))
                .filter(|mark| healthy_now.contains(mark) || self.healthy.contains(mark))
                .collect(),
        };
        Self { failure_count, failed_tasks: self.failed_tasks.saturating_add(new), counted, healthy }
    }

    /// Whether the failure of this pod is counted. Until a count that says so is stored, the pod must not be removed.
    pub fn contains(&self, uid: &str) -> bool {
        self.counted.contains(uid)
    }
}

/// 32 bits that stand for a UID of 36 characters, by FNV-1a. 5,000 tasks take 55 kB instead of 195 kB in the status, and
/// the chance that a task that becomes healthy has the mark of one of 5,000 others, so that the next one is waited for, is
/// one in 860,000.
pub fn mark(uid: &str) -> u32 {
    uid.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
#[path = "circuit_breaker_tests.rs"]
mod tests;
