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

/// Target tracking: keeps a metric at a value. ECS scales out when the metric is above it for 3 minutes, and in when it
/// is below 90 percent of it for 15 minutes. Becomes a HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(TARGET_TRACKING_RULES)))]
pub struct TargetTrackingScalingPolicyConfiguration {
    /// Target value of the metric, greater than 0: a percentage for utilization, requests per task and minute for
    /// `ALBRequestCountPerTarget`.
    pub target_value: f64,
    /// A predefined metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predefined_metric_specification: Option<PredefinedMetricSpecification>,
    /// A custom metric. No effect in this version: only the average CPU and memory utilization of the service are
    /// tracked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customized_metric_specification: Option<CustomizedMetricSpecification>,
    /// Scale-out cooldown in seconds. Defaults to 300. No effect: the HorizontalPodAutoscaler adds tasks as soon as the
    /// metric asks for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub scale_out_cooldown: Option<i32>,
    /// Scale-in cooldown in seconds. Defaults to 300. Approximated: at most a tenth of the tasks is removed within this
    /// time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub scale_in_cooldown: Option<i32>,
    /// Whether to disable scaling in by this policy. Defaults to false.
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

/// A predefined metric.
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

/// A predefined metric of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MetricType {
    /// Requests per task and minute. Not counted in this version.
    #[serde(rename = "ALBRequestCountPerTarget")]
    AlbRequestCountPerTarget,
    /// CPU used by the tasks, as a percentage of what they reserve.
    #[serde(rename = "ECSServiceAverageCPUUtilization")]
    EcsServiceAverageCpuUtilization,
    /// Memory used by the tasks, as a percentage of what they reserve.
    #[serde(rename = "ECSServiceAverageMemoryUtilization")]
    EcsServiceAverageMemoryUtilization,
    /// The CPU metric at a resolution of 20 seconds.
    #[serde(rename = "ECSServiceAverageCPUUtilizationHighResolution")]
    EcsServiceAverageCpuUtilizationHighResolution,
    /// The memory metric at a resolution of 20 seconds.
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

/// A custom metric. No effect in this version: only the average CPU and memory utilization of the service are tracked.
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
    /// Average.
    Average,
    /// Minimum.
    Minimum,
    /// Maximum.
    Maximum,
    /// Number of values.
    SampleCount,
    /// Sum.
    Sum,
}
