//! Target tracking: keeps a metric at a value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MetricDataQuery, MetricDimension};
use crate::schema::{Rule, validations};

/// Rules that one [`TargetTrackingScalingPolicyConfiguration`] must meet by itself.
pub const TARGET_TRACKING_RULES: &[Rule] = &[
    Rule {
        path: ".TargetValue",
        message: "ValidationException: TargetValue must be greater than 0",
        cel: "self.TargetValue > 0.0",
    },
    Rule {
        path: ".PredefinedMetricSpecification",
        message: "ValidationException: exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification \
                  is required",
        cel: "has(self.PredefinedMetricSpecification) != has(self.CustomizedMetricSpecification)",
    },
];

/// Keeps a metric at a value: out when it is above for 3 minutes, in when it is below 90 percent of the value for 15.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(TARGET_TRACKING_RULES)))]
pub struct TargetTrackingScalingPolicyConfiguration {
    /// Value to keep the metric at: percent for utilisation, requests per task and minute for `ALBRequestCountPerTarget`.
    /// Greater than 0.
    pub target_value: f64,
    /// A metric that ECS defines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predefined_metric_specification: Option<PredefinedMetricSpecification>,
    /// A metric of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customized_metric_specification: Option<CustomizedMetricSpecification>,
    /// Seconds after scaling out for which only a larger need scales out again; 300 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub scale_out_cooldown: Option<i32>,
    /// Seconds after scaling in for which nothing scales in again; 300 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub scale_in_cooldown: Option<i32>,
    /// Whether this policy never scales in; false when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_scale_in: Option<bool>,
}

/// Rules that one [`PredefinedMetricSpecification`] must meet by itself.
pub const PREDEFINED_METRIC_RULES: &[Rule] = &[
    Rule {
        path: ".PredefinedMetricType",
        message: "ValidationException: PredefinedMetricType is not a metric of ecs:service:DesiredCount",
        cel: "self.PredefinedMetricType in ['ALBRequestCountPerTarget', 'ECSServiceAverageCPUUtilization', \
              'ECSServiceAverageMemoryUtilization', 'ECSServiceAverageCPUUtilizationHighResolution', \
              'ECSServiceAverageMemoryUtilizationHighResolution']",
    },
    Rule {
        path: ".ResourceLabel",
        message: "ValidationException: ResourceLabel is required for ALBRequestCountPerTarget",
        cel: "self.PredefinedMetricType != 'ALBRequestCountPerTarget' || has(self.ResourceLabel)",
    },
    Rule {
        path: ".ResourceLabel",
        message: "ValidationException: ResourceLabel is allowed for ALBRequestCountPerTarget only",
        cel: "self.PredefinedMetricType == 'ALBRequestCountPerTarget' || !has(self.ResourceLabel)",
    },
];

/// A metric that ECS defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(PREDEFINED_METRIC_RULES)))]
pub struct PredefinedMetricSpecification {
    /// The metric.
    #[schemars(schema_with = "metric_type")]
    pub predefined_metric_type: MetricType,
    /// Load balancer and target group, `app/<name>/<id>/targetgroup/<name>/<id>`; with `ALBRequestCountPerTarget` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1023))]
    pub resource_label: Option<String>,
}

// The model has the metrics of every AWS service here; see `open_name`.
fn metric_type(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "maxLength": 128 })
}

/// A metric that ECS defines for services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MetricType {
    /// Requests per task and minute.
    #[serde(rename = "ALBRequestCountPerTarget")]
    AlbRequestCountPerTarget,
    /// CPU used by the tasks in percent of what they reserve.
    #[serde(rename = "ECSServiceAverageCPUUtilization")]
    EcsServiceAverageCpuUtilization,
    /// Memory used by the tasks in percent of what they reserve.
    #[serde(rename = "ECSServiceAverageMemoryUtilization")]
    EcsServiceAverageMemoryUtilization,
    /// The same as the CPU metric, every 20 seconds.
    #[serde(rename = "ECSServiceAverageCPUUtilizationHighResolution")]
    EcsServiceAverageCpuUtilizationHighResolution,
    /// The same as the memory metric, every 20 seconds.
    #[serde(rename = "ECSServiceAverageMemoryUtilizationHighResolution")]
    EcsServiceAverageMemoryUtilizationHighResolution,
}

/// Rules that one [`CustomizedMetricSpecification`] must meet by itself.
pub const CUSTOMIZED_METRIC_RULES: &[Rule] = &[Rule {
    path: ".Metrics",
    message: "ValidationException: a customized metric has either Metrics, or MetricName, Namespace and Statistic",
    cel: "(has(self.Metrics) && self.Metrics.size() > 0) ? !has(self.MetricName) && !has(self.Namespace) && \
          !has(self.Statistic) : has(self.MetricName) && has(self.Namespace) && has(self.Statistic)",
}];

/// A metric of one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(CUSTOMIZED_METRIC_RULES)))]
pub struct CustomizedMetricSpecification {
    /// Name of the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub metric_name: Option<String>,
    /// Namespace of the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub namespace: Option<String>,
    /// Dimensions of the metric; at most 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 30))]
    pub dimensions: Option<Vec<MetricDimension>>,
    /// Statistic of the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistic: Option<MetricStatistic>,
    /// Unit of the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub unit: Option<String>,
    /// Metric math, instead of one metric; at most 10 queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub metrics: Option<Vec<MetricDataQuery>>,
}

/// Statistic of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum MetricStatistic {
    /// Mean.
    Average,
    /// Least.
    Minimum,
    /// Most.
    Maximum,
    /// Number of values.
    SampleCount,
    /// Sum.
    Sum,
}
