//! Predictive scaling: capacity from a forecast.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MetricDataQuery;
use crate::schema::{Rule, validations};

/// Rules that one [`PredictiveScalingPolicyConfiguration`] must meet by itself.
pub const PREDICTIVE_SCALING_RULES: &[Rule] = &[
    Rule {
        path: ".MetricSpecifications",
        message: "ValidationException: exactly one metric specification is required",
        cel: "self.MetricSpecifications.size() == 1",
    },
    Rule {
        path: ".MaxCapacityBuffer",
        message: "ValidationException: MaxCapacityBuffer belongs to MaxCapacityBreachBehavior IncreaseMaxCapacity",
        cel: "has(self.MaxCapacityBuffer) == (has(self.MaxCapacityBreachBehavior) && self.MaxCapacityBreachBehavior == \
              'IncreaseMaxCapacity')",
    },
];

/// Predictive scaling: sets the capacity from a forecast. Recorded, without effect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(PREDICTIVE_SCALING_RULES)))]
pub struct PredictiveScalingPolicyConfiguration {
    /// Metrics to forecast; one item.
    #[schemars(length(max = 10))]
    pub metric_specifications: Vec<PredictiveScalingMetricSpecification>,
    /// Whether the forecast also scales. Defaults to `ForecastOnly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PredictiveScalingMode>,
    /// Seconds by which capacity is available early, 0 to 3600. Defaults to 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub scheduling_buffer_time: Option<i32>,
    /// What happens when the forecast exceeds the maximum capacity. Defaults to `HonorMaxCapacity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_capacity_breach_behavior: Option<PredictiveScalingMaxCapacityBreachBehavior>,
    /// Percentage above the forecast up to which the maximum may rise, 0 to 100; with `IncreaseMaxCapacity` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub max_capacity_buffer: Option<i32>,
}

/// Whether a forecast scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PredictiveScalingMode {
    /// Reports only.
    ForecastOnly,
    /// Reports and scales out.
    ForecastAndScale,
}

/// What happens when a forecast exceeds the maximum capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PredictiveScalingMaxCapacityBreachBehavior {
    /// The maximum stays.
    HonorMaxCapacity,
    /// The maximum rises.
    IncreaseMaxCapacity,
}

/// Rules that one [`PredictiveScalingMetricSpecification`] must meet by itself.
pub const PREDICTIVE_METRIC_RULES: &[Rule] = &[Rule {
    path: ".TargetValue",
    message: "ValidationException: TargetValue must be greater than 0",
    cel: "self.TargetValue > 0.0",
}];

/// Metrics to forecast.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(PREDICTIVE_METRIC_RULES)))]
pub struct PredictiveScalingMetricSpecification {
    /// Target value of the scaling metric; greater than 0.
    pub target_value: f64,
    /// A pair of load and scaling metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predefined_metric_pair_specification: Option<PredictiveScalingPredefinedMetric>,
    /// A predefined scaling metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predefined_scaling_metric_specification: Option<PredictiveScalingPredefinedMetric>,
    /// A predefined load metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predefined_load_metric_specification: Option<PredictiveScalingPredefinedMetric>,
    /// A custom scaling metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customized_scaling_metric_specification: Option<PredictiveScalingCustomizedMetric>,
    /// A custom load metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customized_load_metric_specification: Option<PredictiveScalingCustomizedMetric>,
    /// A custom capacity metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customized_capacity_metric_specification: Option<PredictiveScalingCustomizedMetric>,
}

/// A predefined metric for forecasts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PredictiveScalingPredefinedMetric {
    /// The metric.
    #[schemars(length(min = 1, max = 128))]
    pub predefined_metric_type: String,
    /// Load balancer and target group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1023))]
    pub resource_label: Option<String>,
}

/// A custom metric for forecasts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PredictiveScalingCustomizedMetric {
    /// Queries of the metric; at most 10.
    #[schemars(length(max = 10))]
    pub metric_data_queries: Vec<MetricDataQuery>,
}
