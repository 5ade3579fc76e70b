//! Container health checks: their limits, the probes that ask the same question, and the health of a task.

use crate::process::escape_expansion;

/// `healthCheck` of a container definition. Absent numbers have the defaults of ECS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheck {
    /// `CMD` and a command, or `CMD-SHELL` and a text for the shell.
    pub command: Vec<String>,
    /// Seconds between checks, 5 to 300; 30 when absent.
    pub interval: Option<i64>,
    /// Seconds a check may take, 2 to 60; 5 when absent.
    pub timeout: Option<i64>,
    /// Consecutive failures that make the container UNHEALTHY, 1 to 10; 3 when absent.
    pub retries: Option<i64>,
    /// Seconds after the start in which failures do not count, 0 to 300; off when absent.
    pub start_period: Option<i64>,
}

/// An exec probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// `exec.command`, already escaped for the kubelet, which expands `$(NAME)` in probes as well.
    pub command: Vec<String>,
    /// `periodSeconds`
    pub period_seconds: i64,
    /// `timeoutSeconds`
    pub timeout_seconds: i64,
    /// `failureThreshold`
    pub failure_threshold: i64,
    /// `initialDelaySeconds`: the first check of ECS runs one interval after the start.
    pub initial_delay_seconds: i64,
}

/// The probes that stand for one health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes {
    /// For essential containers. On others it would make the whole Pod unready, which ECS does not do.
    pub readiness: Probe,
    /// Present when the check has a start period. It allows `ceil(startPeriod / interval) + retries` failures: with a
    /// start period of 45 s, an interval of 30 s and 3 retries that is 2 + 3 = 5.
    pub startup: Option<Probe>,
}

/// Why a health check is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HealthError {
    /// The first item says how the rest is run.
    #[error("command starts with CMD or CMD-SHELL, not with {0:?}")]
    CommandForm(String),
    /// Nothing to run.
    #[error("command has nothing after {0}")]
    EmptyCommand(String),
    /// A number outside of its range.
    #[error("{field} is {least} to {most} seconds or times, not {value}")]
    OutOfRange {
        /// The field in ECS spelling.
        field: &'static str,
        /// What was given.
        value: i64,
        /// Smallest legal value.
        least: i64,
        /// Largest legal value.
        most: i64,
    },
}

impl HealthError {
    /// The field below `healthCheck` that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            Self::CommandForm(_) | Self::EmptyCommand(_) => "command",
            Self::OutOfRange { field, .. } => field,
        }
    }
}

/// The probes for `check`. `windows` chooses the shell of `CMD-SHELL`: `/bin/sh -c` or `cmd /S /C`.
pub fn probes(check: &HealthCheck, windows: bool) -> Result<Probes, HealthError> {
    let command = exec_command(&check.command, windows)?;
    let interval = within("interval", check.interval.unwrap_or(30), 5, 300)?;
    let timeout = within("timeout", check.timeout.unwrap_or(5), 2, 60)?;
    let retries = within("retries", check.retries.unwrap_or(3), 1, 10)?;
    let start_period = within("startPeriod", check.start_period.unwrap_or(0), 0, 300)?;
    let readiness = Probe {
        command,
        period_seconds: interval,
        timeout_seconds: timeout,
        failure_threshold: retries,
        initial_delay_seconds: interval,
    };
    let startup = (start_period > 0)
        .then(|| Probe { failure_threshold: (start_period + interval - 1) / interval + retries, ..readiness.clone() });
    Ok(Probes { readiness, startup })
}

fn exec_command(command: &[String], windows: bool) -> Result<Vec<String>, HealthError> {
    let (form, rest) = match command.split_first() {
        Some((form, rest)) => (form.as_str(), rest),
        None => return Err(HealthError::CommandForm(String::new())),
    };
    let shell: &[&str] = match form {
        "CMD" => &[],
        "CMD-SHELL" if windows => &["cmd", "/S", "/C"],
        "CMD-SHELL" => &["/bin/sh", "-c"],
        other => return Err(HealthError::CommandForm(other.to_owned())),
    };
    if rest.first().is_none_or(String::is_empty) {
        return Err(HealthError::EmptyCommand(form.to_owned()));
    }
    let words = rest.iter().map(|word| escape_expansion(word));
    Ok(shell.iter().map(|&word| word.to_owned()).chain(words).collect())
}

fn within(field: &'static str, value: i64, least: i64, most: i64) -> Result<i64, HealthError> {
    if (least..=most).contains(&value) { Ok(value) } else { Err(HealthError::OutOfRange { field, value, least, most }) }
}

/// Health of a container or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthStatus {
    /// The last check succeeded.
    Healthy,
    /// `retries` checks in a row failed.
    Unhealthy,
    /// There is no check, or no result yet.
    Unknown,
}

impl HealthStatus {
    /// The spelling of ECS.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The health of a task from its **essential** containers: one UNHEALTHY decides, else one UNKNOWN, else HEALTHY. A
/// container without a check is UNKNOWN and keeps the task so; a task without essential containers is UNKNOWN.
pub fn task_health(essential: &[HealthStatus]) -> HealthStatus {
    if essential.contains(&HealthStatus::Unhealthy) {
        HealthStatus::Unhealthy
    } else if essential.is_empty() || essential.contains(&HealthStatus::Unknown) {
        HealthStatus::Unknown
    } else {
        HealthStatus::Healthy
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
