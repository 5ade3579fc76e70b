//! Target tracking: what a policy of Application Auto Scaling asks for, and the parameters of the
//! HorizontalPodAutoscaler that comes closest.

/// What a policy measures: both are percentages of what the tasks reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// `ECSServiceAverageCPUUtilization`
    Cpu,
    /// `ECSServiceAverageMemoryUtilization`
    Memory,
}

impl Metric {
    /// The metric of a `PredefinedMetricType`, if a HorizontalPodAutoscaler can measure it from Pods alone.
    pub fn from_predefined(metric_type: &str) -> Option<Self> {
        match metric_type {
            "ECSServiceAverageCPUUtilization" => Some(Self::Cpu),
            "ECSServiceAverageMemoryUtilization" => Some(Self::Memory),
            _ => None,
        }
    }

    /// The resource name on Kubernetes.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

/// A target tracking policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetTracking {
    /// What is measured.
    pub metric: Metric,
    /// The target in thousandths: 60.5 % is 60500.
    pub target_value_milli: i64,
    /// Seconds without a further decrease after one; 300 when absent.
    pub scale_in_cooldown: Option<i64>,
    /// Seconds without a further increase after one; 300 when absent.
    pub scale_out_cooldown: Option<i64>,
    /// The policy never removes tasks.
    pub disable_scale_in: bool,
}

/// The default of both cooldowns for services of ECS.
pub const DEFAULT_COOLDOWN_SECONDS: i64 = 300;

/// Why a target value cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TrackingError {
    /// Not a positive number of a sensible size.
    #[error("a target value is a number above 0 and below 1000000, not {0}")]
    TargetValue(f64),
}

/// `averageUtilization` of a HorizontalPodAutoscaler, which takes whole percents from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utilization {
    /// Percent of the requests.
    pub percent: i64,
    /// Whether that is precisely the target value; otherwise the difference is to be reported.
    pub exact: bool,
}

/// A target value as thousandths, rounded to the nearest: the one place where a number with a fraction is read.
pub fn target_value_milli(target_value: f64) -> Result<i64, TrackingError> {
    let fits = target_value.is_finite() && target_value > 0.0 && target_value < 1_000_000.0;
    if !fits {
        return Err(TrackingError::TargetValue(target_value));
    }
    // The range above keeps the product far inside of i64.
    #[expect(clippy::cast_possible_truncation, reason = "below a thousand million")]
    Ok((target_value * 1000.0).round() as i64)
}

/// The whole percent nearest to a target value, at least 1: 60 gives 60, 62.5 gives 63 and is not exact.
pub fn average_utilization(target_value: f64) -> Result<Utilization, TrackingError> {
    let milli = target_value_milli(target_value)?;
    let percent = ((milli + 500) / 1000).max(1);
    // Compared as written: 60.0001 rounds to the same thousandths as 60 and is still another target.
    #[expect(clippy::cast_precision_loss, reason = "a percent below a million")]
    let exact = (percent as f64 - target_value).abs() < f64::EPSILON;
    Ok(Utilization { percent, exact })
}

/// One rule of `behavior.scaleUp` or `behavior.scaleDown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingRule {
    /// `type` of the policy.
    pub kind: PolicyKind,
    /// `value` of the policy.
    pub value: i64,
    /// `periodSeconds` of the policy, 1 to 1800.
    pub period_seconds: i64,
    /// `stabilizationWindowSeconds`
    pub stabilization_seconds: i64,
    /// `tolerance` in thousandths.
    pub tolerance_milli: i64,
    /// `selectPolicy: Disabled`
    pub disabled: bool,
}

/// Whether a policy counts Pods or percent of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// `Pods`
    Pods,
    /// `Percent`
    Percent,
}

/// `behavior` of a HorizontalPodAutoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behavior {
    /// Scaling out: at once, without tolerance, by as much as the metric asks.
    pub scale_up: ScalingRule,
    /// Scaling in: after fifteen minutes below nine tenths of the target, a tenth of the tasks per cooldown.
    pub scale_down: ScalingRule,
}

/// The behaviour that comes closest to `policies`, which all act on one service.
///
/// ECS scales in only when every policy that may scale in agrees, so a single one is enough to allow it, and the
/// longest of their cooldowns counts. `hold_scale_in` stands for a suspended scale-in or a deployment in progress.
pub fn behavior(policies: &[TargetTracking], hold_scale_in: bool) -> Behavior {
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

/// The count that target tracking asks for: `ceil(running * metric / target)`.
///
/// 4 running tasks at 90 % of a target of 60 % become ceil(4 * 90 / 60) = 6. Metric and target are in the same unit.
/// Without a positive target the running count stays.
pub fn proportional_count(running: i64, metric: i64, target: i64) -> i64 {
    if target <= 0 {
        return running.max(0);
    }
    let product = i128::from(running.max(0)) * i128::from(metric.max(0));
    let target = i128::from(target);
    i64::try_from((product + target - 1) / target).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "tracking_tests.rs"]
mod tests;
