//! Metrics and metric math, as the policies of Application Auto Scaling describe them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// A name and a value that identify a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct MetricDimension {
    /// Name of the dimension.
    #[schemars(length(max = 255))]
    pub name: String,
    /// Value of the dimension.
    #[schemars(length(max = 1024))]
    pub value: String,
}

/// Identity of a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Metric {
    /// Dimensions of the metric; at most 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 30))]
    pub dimensions: Option<Vec<MetricDimension>>,
    /// Name of the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub metric_name: Option<String>,
    /// Namespace of the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub namespace: Option<String>,
}

/// A metric and its statistic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct MetricStat {
    /// The metric.
    pub metric: Metric,
    /// Statistic, such as `Average` or `p99`.
    #[schemars(length(min = 1, max = 255))]
    pub stat: String,
    /// Unit of the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1023))]
    pub unit: Option<String>,
}

/// Rules that one [`MetricDataQuery`] must meet by itself.
pub const METRIC_DATA_QUERY_RULES: &[Rule] = &[Rule {
    path: ".Expression",
    message: "ValidationException: a metric data query has either Expression or MetricStat",
    cel: "has(self.Expression) != has(self.MetricStat)",
}];

/// A metric or an expression over other queries. No effect without a metrics adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(METRIC_DATA_QUERY_RULES)))]
pub struct MetricDataQuery {
    /// Metric math over the ids of other queries, up to 2048 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub expression: Option<String>,
    /// Identifier that expressions use.
    #[schemars(length(min = 1, max = 255))]
    pub id: String,
    /// Human-readable label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub label: Option<String>,
    /// The metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_stat: Option<MetricStat>,
    /// Whether this query is the result. Defaults to true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_data: Option<bool>,
}
