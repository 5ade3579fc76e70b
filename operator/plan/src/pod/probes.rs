//! The probes that ask what a health check asks.

use ecs::health::{HealthCheck, HealthError};

use super::expansion::escape_expansion;

/// An exec probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// `exec.command`, already escaped for the kubelet, which expands `$(NAME)` in probes as well.
    pub(super) command: Vec<String>,
    /// `periodSeconds`
    pub(super) period_seconds: i64,
    /// `timeoutSeconds`
    pub(super) timeout_seconds: i64,
    /// `failureThreshold`
    pub(super) failure_threshold: i64,
    /// `initialDelaySeconds`: the first check of ECS runs one interval after the start.
    pub(super) initial_delay_seconds: i64,
}

/// The probes that stand for one health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probes {
    /// For essential containers. On others it would make the whole Pod unready, which ECS does not do.
    pub(super) readiness: Probe,
    /// Present when the check has a start period. It allows `ceil(startPeriod / interval) + retries` failures: with a
    /// start period of 45 s, an interval of 30 s and 3 retries that is 2 + 3 = 5.
    pub(super) startup: Option<Probe>,
}

/// The probes for `check`; `windows` chooses the shell of `CMD-SHELL`.
///
/// # Errors
/// When ECS refuses the check.
pub(super) fn probes(check: &HealthCheck, windows: bool) -> Result<Probes, HealthError> {
    let check = check.validate(windows)?;
    let readiness = Probe {
        command: check.command.iter().map(|word| escape_expansion(word)).collect(),
        period_seconds: check.interval,
        timeout_seconds: check.timeout,
        failure_threshold: check.retries,
        initial_delay_seconds: check.interval,
    };
    let startup = (check.start_period > 0).then(|| Probe {
        failure_threshold: (check.start_period + check.interval - 1) / check.interval + check.retries,
        ..readiness.clone()
    });
    Ok(Probes { readiness, startup })
}

#[cfg(test)]
#[path = "probes_tests.rs"]
mod tests;
