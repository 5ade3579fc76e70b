//! What a user sets for deployments of a service: `deploymentConfiguration`, as far as it decides how they end.

use super::circuit_breaker::Threshold;
use super::strategy::Strategy;
use super::success::is_early_success;

/// The settings of the moment. A deployment in progress follows them when they change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How tasks and traffic move to the new revision.
    pub strategy: Strategy,
    /// `deploymentCircuitBreaker`
    pub breaker: Breaker,
    /// `alarms.rollback`: whether an alarm that fails a deployment also rolls it back.
    pub rolls_back_on_alarm: bool,
    /// `earlySuccessCriteria`, if enabled.
    pub early_success: Option<EarlySuccess>,
    /// `bakeTimeInMinutes`; 0 for none.
    pub bake_minutes: i64,
}

/// `deploymentCircuitBreaker`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Whether failures end a deployment at all. They are counted in any case.
    pub is_enabled: bool,
    /// Whether a deployment that fails is rolled back.
    pub rolls_back: bool,
    /// How many failures fail a deployment.
    pub threshold: Threshold,
    /// Whether a task that becomes healthy makes earlier failures forgotten.
    pub resets_on_healthy_task: bool,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { is_enabled: false, rolls_back: false, threshold: Threshold::default(), resets_on_healthy_task: true }
    }
}

/// `earlySuccessCriteria`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlySuccess {
    /// Percent of the desired count that must be healthy, rounded up.
    pub healthy_percent: i64,
    /// `sourceServiceRevisionCleanup: DEFERRED`: the deployment completes before the tasks of older ones are gone.
    pub is_cleanup_deferred: bool,
}

impl Policy {
    /// Whether so many healthy tasks of the new revision are enough for early success. Never without the criteria.
    pub fn is_early_success(&self, healthy: i64, desired: i64) -> bool {
        self.early_success.is_some_and(|criteria| is_early_success(healthy, desired, criteria.healthy_percent))
    }
}
