//! Container health checks: their limits and defaults, and the health of a task.

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

/// A health check that is within the limits of ECS, with its defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidHealthCheck {
    /// The words to run, the shell among them.
    pub command: Vec<String>,
    /// Seconds between checks.
    pub interval: i64,
    /// Seconds a check may take.
    pub timeout: i64,
    /// Consecutive failures that make the container UNHEALTHY.
    pub retries: i64,
    /// Seconds after the start in which failures do not count.
    pub start_period: i64,
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

impl HealthCheck {
    /// The check with what counts where it says nothing. `windows` chooses the shell of `CMD-SHELL`: `/bin/sh -c` or
    /// `cmd /S /C`.
    pub fn validate(&self, windows: bool) -> Result<ValidHealthCheck, HealthError> {
        Ok(ValidHealthCheck {
            command: words(&self.command, windows)?,
            interval: within("interval", self.interval.unwrap_or(30), 5, 300)?,
            timeout: within("timeout", self.timeout.unwrap_or(5), 2, 60)?,
            retries: within("retries", self.retries.unwrap_or(3), 1, 10)?,
            start_period: within("startPeriod", self.start_period.unwrap_or(0), 0, 300)?,
        })
    }
}

fn words(command: &[String], windows: bool) -> Result<Vec<String>, HealthError> {
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
    Ok(shell.iter().map(|&word| word.to_owned()).chain(rest.iter().cloned()).collect())
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
