//! Target tracking: what a policy of Application Auto Scaling asks for, and the parameters of the
//! HorizontalPodAutoscaler that comes closest.

/// What a policy measures: both are percentages of what the tasks reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    /// `ECSServiceAverageCPUUtilization`
    Cpu,
    /// `ECSServiceAverageMemoryUtilization`
    Memory,
}

impl Metric {
    /// The resource name on Kubernetes.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

/// A target tracking policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TargetTracking {
    /// What is measured.
    pub(super) metric: Metric,
    /// The target in thousandths: 60.5 % is 60500.
    pub(super) target_value_milli: i64,
    /// Seconds without a further decrease after one; 300 when absent.
    pub(super) scale_in_cooldown: Option<i64>,
    /// Seconds without a further increase after one; 300 when absent.
    pub(super) scale_out_cooldown: Option<i64>,
    /// The policy never removes tasks.
    pub(super) disable_scale_in: bool,
}

/// The default of both cooldowns for services of ECS.
pub(super) const DEFAULT_COOLDOWN_SECONDS: i64 = 300;

/// Why a target value cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub(super) enum TrackingError {
    /// Not a positive number of a sensible size.
    #[error("a target value is a number above 0 and below 1000000, not {0}")]
    TargetValue(f64),
}

/// `averageUtilization` of a HorizontalPodAutoscaler, which takes whole percents from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Utilization {
    /// Percent of the requests.
    pub(super) percent: i64,
    /// Whether that is precisely the target value; otherwise the difference is to be reported.
    pub(super) exact: bool,
}

/// A target value as thousandths, rounded to the nearest: the one place where a number with a fraction is read.
pub(super) fn target_value_milli(target_value: f64) -> Result<i64, TrackingError> {
    let fits = target_value.is_finite() && target_value > 0.0 && target_value < 1_000_000.0;
    if !fits {
        return Err(TrackingError::TargetValue(target_value));
    }
    // The range above keeps the product far inside of i64.
    #[expect(clippy::cast_possible_truncation, reason = "below a thousand million")]
    Ok((target_value * 1000.0).round() as i64)
}

/// The whole percent nearest to a target value, at least 1: 60 gives 60, 62.5 gives 63 and is not exact.
pub(super) fn average_utilization(target_value: f64) -> Result<Utilization, TrackingError> {
    let milli = target_value_milli(target_value)?;
    let percent = ((milli + 500) / 1000).max(1);
    // Compared as written: 60.0001 rounds to the same thousandths as 60 and is still another target.
    #[expect(clippy::cast_precision_loss, reason = "a percent below a million")]
    let exact = (percent as f64 - target_value).abs() < f64::EPSILON;
    Ok(Utilization { percent, exact })
}

/// One rule of `behavior.scaleUp` or `behavior.scaleDown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScalingRule {
    /// `type` of the policy.
    pub(super) kind: PolicyKind,
    /// `value` of the policy.
    pub(super) value: i64,
    /// `periodSeconds` of the policy, 1 to 1800.
    pub(super) period_seconds: i64,
    /// `stabilizationWindowSeconds`
    pub(super) stabilization_seconds: i64,
    /// `tolerance` in thousandths.
    pub(super) tolerance_milli: i64,
    /// `selectPolicy: Disabled`
    pub(super) disabled: bool,
}

/// Whether a policy counts Pods or percent of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PolicyKind {
    /// `Pods`
    Pods,
    /// `Percent`
    Percent,
}

/// `behavior` of a HorizontalPodAutoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behavior {
    /// Scaling out: at once, without tolerance, by as much as the metric asks.
    pub(super) scale_up: ScalingRule,
    /// Scaling in: after fifteen minutes below nine tenths of the target, a tenth of the tasks per cooldown.
    pub(super) scale_down: ScalingRule,
}

/// The behaviour that comes closest to `policies`, which all act on one service.
///
/// ECS scales in only when every policy that may scale in agrees, so a single one is enough to allow it, and the
/// longest of their cooldowns counts. `hold_scale_in` stands for a suspended scale-in or a deployment in progress.
pub(super) fn behavior(policies: &[TargetTracking], hold_scale_in: bool) -> Behavior {
    const MOST_PERIOD: i64 = 1800;
    // Large enough for any step, small enough that adding it to a count stays within 32 bits.
    const ANY_STEP: i64 = 100_000;
    let cooldown = policies
        .iter()
        .filter(|policy| !policy.disable_scale_in)
        .map(|policy| policy.scale_in_cooldown.unwrap_or(DEFAULT_COOLDOWN_SECONDS))
        .max();
    Behavior {
        scale_up: ScalingRule {
            kind: PolicyKind::Pods,
            value: ANY_STEP,
            period_seconds: 15,
            stabilization_seconds: 0,
            tolerance_milli: 0,
            disabled: false,
        },
        scale_down: ScalingRule {
            kind: PolicyKind::Percent,
            value: 10,
            period_seconds: cooldown.unwrap_or(DEFAULT_COOLDOWN_SECONDS).clamp(1, MOST_PERIOD),
            stabilization_seconds: 900,
            tolerance_milli: 100,
            disabled: hold_scale_in || cooldown.is_none(),
        },
    }
}

#[cfg(test)]
#[path = "tracking_tests.rs"]
mod tests;
