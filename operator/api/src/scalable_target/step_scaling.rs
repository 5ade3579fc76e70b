//! Step scaling: an adjustment by the size of the breach of an alarm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// Rules that one [`StepScalingPolicyConfiguration`] must meet by itself.
pub const STEP_SCALING_RULES: &[Rule] = &[
    Rule {
        path: ".AdjustmentType",
        message: "ValidationException: AdjustmentType is required",
        cel: "has(self.AdjustmentType)",
    },
    Rule {
        path: ".StepAdjustments",
        message: "ValidationException: at least one step adjustment is required",
        cel: "has(self.StepAdjustments) && self.StepAdjustments.size() > 0",
    },
    Rule {
        path: ".StepAdjustments",
        message: "ValidationException: ScalingAdjustment must not be negative for adjustment type ExactCapacity",
        cel: "!has(self.AdjustmentType) || self.AdjustmentType != 'ExactCapacity' || !has(self.StepAdjustments) || \
              self.StepAdjustments.all(s, s.ScalingAdjustment >= 0)",
    },
    Rule {
        path: ".StepAdjustments",
        message: "ValidationException: a negative lower bound needs a step adjustment without a lower bound",
        cel: "!has(self.StepAdjustments) || !self.StepAdjustments.exists(s, has(s.MetricIntervalLowerBound) && \
              s.MetricIntervalLowerBound < 0.0) || self.StepAdjustments.exists(s, !has(s.MetricIntervalLowerBound))",
    },
    Rule {
        path: ".StepAdjustments",
        message: "ValidationException: a positive upper bound needs a step adjustment without an upper bound",
        cel: "!has(self.StepAdjustments) || !self.StepAdjustments.exists(s, has(s.MetricIntervalUpperBound) && \
              s.MetricIntervalUpperBound > 0.0) || self.StepAdjustments.exists(s, !has(s.MetricIntervalUpperBound))",
    },
    Rule {
        path: ".StepAdjustments",
        message: "ValidationException: step adjustments must not overlap",
        cel: "!has(self.StepAdjustments) || self.StepAdjustments.all(a, self.StepAdjustments.exists_one(b, \
              !((has(a.MetricIntervalUpperBound) && has(b.MetricIntervalLowerBound) && a.MetricIntervalUpperBound <= \
              b.MetricIntervalLowerBound) || (has(b.MetricIntervalUpperBound) && has(a.MetricIntervalLowerBound) && \
              b.MetricIntervalUpperBound <= a.MetricIntervalLowerBound))))",
    },
    Rule {
        path: ".StepAdjustments",
        message: "ValidationException: step adjustments must not leave a gap",
        cel: "!has(self.StepAdjustments) || self.StepAdjustments.all(a, !has(a.MetricIntervalUpperBound) || \
              self.StepAdjustments.exists(b, has(b.MetricIntervalLowerBound) && b.MetricIntervalLowerBound == \
              a.MetricIntervalUpperBound) || !self.StepAdjustments.exists(b, has(b.MetricIntervalLowerBound) && \
              b.MetricIntervalLowerBound > a.MetricIntervalUpperBound))",
    },
];

/// Step scaling: adjusts the count by the size of an alarm breach. No effect in this version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(STEP_SCALING_RULES)))]
pub struct StepScalingPolicyConfiguration {
    /// How to interpret `ScalingAdjustment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjustment_type: Option<AdjustmentType>,
    /// Adjustments by intervals of the metric, relative to the threshold of the alarm; at most 20, without gaps or
    /// overlaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub step_adjustments: Option<Vec<StepAdjustment>>,
    /// Minimum number of tasks to change; with `PercentChangeInCapacity` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_adjustment_magnitude: Option<i32>,
    /// Cooldown: seconds between two scaling activities. Defaults to 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub cooldown: Option<i32>,
    /// How to aggregate the values of the metric. Defaults to `Average`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_aggregation_type: Option<MetricAggregationType>,
}

/// How to interpret a scaling adjustment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AdjustmentType {
    /// Number of tasks to add or remove.
    ChangeInCapacity,
    /// Percentage of the tasks to add or remove.
    PercentChangeInCapacity,
    /// Number of tasks to set.
    ExactCapacity,
}

/// How to aggregate the values of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum MetricAggregationType {
    /// Average.
    Average,
    /// Minimum.
    Minimum,
    /// Maximum.
    Maximum,
}

/// Rules that one [`StepAdjustment`] must meet by itself.
pub const STEP_ADJUSTMENT_RULES: &[Rule] = &[
    Rule {
        path: ".MetricIntervalUpperBound",
        message: "ValidationException: the upper bound must be greater than the lower bound",
        cel: "!has(self.MetricIntervalLowerBound) || !has(self.MetricIntervalUpperBound) || \
              self.MetricIntervalLowerBound < self.MetricIntervalUpperBound",
    },
    Rule {
        path: ".MetricIntervalLowerBound",
        message: "ValidationException: a step adjustment needs a lower or an upper bound",
        cel: "has(self.MetricIntervalLowerBound) || has(self.MetricIntervalUpperBound)",
    },
];

/// An adjustment for one interval of the metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(STEP_ADJUSTMENT_RULES)))]
pub struct StepAdjustment {
    /// Lower bound of the interval, relative to the threshold. Defaults to no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_interval_lower_bound: Option<f64>,
    /// Upper bound of the interval, relative to the threshold. Defaults to no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_interval_upper_bound: Option<f64>,
    /// Adjustment, in the unit of `AdjustmentType`.
    pub scaling_adjustment: i32,
}
