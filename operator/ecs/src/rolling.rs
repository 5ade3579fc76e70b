//! Rolling updates: how many tasks a service keeps healthy and how many it may have. What follows from that step by step is
//! in [`crate::rollout`].

use crate::violation::Violation;

/// How long a task must be RUNNING to count as healthy when neither a health check nor a load balancer can tell.
pub const HEALTHY_AFTER_RUNNING_SECONDS: i64 = 40;

const PERCENT: i128 = 100;

/// `minimumHealthyPercent` and `maximumPercent` of a deployment configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentages {
    /// Percent of the desired count that stay healthy.
    pub minimum_healthy: i64,
    /// Percent of the desired count that may be RUNNING or PENDING.
    pub maximum: i64,
}

impl Default for Percentages {
    /// The defaults of REPLICA services.
    fn default() -> Self {
        Self { minimum_healthy: 100, maximum: 200 }
    }
}

/// The percentages as numbers of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Healthy tasks never fall below this: the percentage rounded up.
    pub minimum_healthy: i64,
    /// RUNNING and PENDING tasks never exceed this: the percentage rounded down.
    pub maximum: i64,
}

/// The bounds for `desired` tasks.
///
/// With 3 tasks, 50 % and 150 % they are ceil(1.5) = 2 and floor(4.5) = 4. With 10 tasks, 33 % and 125 % they are 4
/// and 12. They follow the desired count whenever it changes, also in the middle of a deployment.
pub fn bounds(desired: i64, p: Percentages) -> Bounds {
    let desired = i128::from(desired.max(0));
    let minimum = (desired * i128::from(p.minimum_healthy.max(0)) + PERCENT - 1) / PERCENT;
    let maximum = desired * i128::from(p.maximum.max(0)) / PERCENT;
    Bounds { minimum_healthy: saturated(minimum), maximum: saturated(maximum) }
}

fn saturated(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What a rolling update may do at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Tasks above the desired count.
    pub max_surge: i64,
    /// Tasks below the desired count.
    pub max_unavailable: i64,
}

impl Budget {
    /// Neither a start nor a stop is possible.
    pub fn is_zero(self) -> bool {
        self.max_surge == 0 && self.max_unavailable == 0
    }
}

impl Bounds {
    /// The room around `desired` tasks: `maximum - desired` more and `desired - minimum` fewer, neither below 0.
    ///
    /// 3 tasks with bounds 2 and 4 have a surge of 1 and 1 unavailable. Without tasks any valid pair will do, and
    /// Kubernetes refuses two zeros: the answer is a surge of 1.
    pub fn budget(self, desired: i64) -> Budget {
        if desired <= 0 {
            return Budget { max_surge: 1, max_unavailable: 0 };
        }
        Budget {
            max_surge: self.maximum.saturating_sub(desired).max(0),
            max_unavailable: desired.saturating_sub(self.minimum_healthy).max(0),
        }
    }

    /// Whether a deployment of `desired` tasks can neither start nor stop one: 1 task with 50 % and 100 % needs
    /// ceil(0.5) = 1 healthy and may have 1. ECS reports this ([`crate::event::stuck_deployment`]) and waits; it does not stretch the
    /// bounds.
    pub fn is_stuck(self, desired: i64) -> bool {
        self.budget(desired).is_zero()
    }
}

/// Checks the percentages of a service. Paths are below `deploymentConfiguration`.
pub fn check_percentages(p: Percentages, daemon: bool) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut refuse = |field: &str, message: String| {
        violations.push(Violation::new(format!("deploymentConfiguration.{field}"), message));
    };
    if p.minimum_healthy < 0 {
        refuse("minimumHealthyPercent", format!("a percentage is 0 or more, not {}", p.minimum_healthy));
    }
    if daemon && p.maximum != 100 {
        refuse("maximumPercent", format!("with the DAEMON scheduling strategy it is 100, not {}", p.maximum));
    }
    if !daemon && p.maximum < 0 {
        refuse("maximumPercent", format!("a percentage is 0 or more, not {}", p.maximum));
    }
    if !daemon && p.minimum_healthy == 100 && p.maximum == 100 {
        refuse(
            "maximumPercent",
            "minimumHealthyPercent and maximumPercent are both 100: no task could be started or stopped".to_owned(),
        );
    }
    violations
}

/// `maxUnavailable` of a DaemonSet on `nodes` eligible nodes: 10 nodes with 75 % healthy may miss 10 - ceil(7.5) = 2.
/// A result of 0 on one node or more is a stuck deployment.
pub fn daemon_max_unavailable(nodes: i64, minimum_healthy_percent: i64) -> i64 {
    let minimum = bounds(nodes, Percentages { minimum_healthy: minimum_healthy_percent, maximum: 100 }).minimum_healthy;
    nodes.max(0).saturating_sub(minimum).max(0)
}

#[cfg(test)]
#[path = "rolling_tests.rs"]
mod tests;
