//! Resolution of the service's metrics. No effect: the metrics pipeline of the cluster decides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// Resolution of the metrics of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonitoringConfiguration {
    /// Resolutions by metric; at most 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5))]
    pub metric_configurations: Option<Vec<MetricConfiguration>>,
}

/// Rules that one [`MetricConfiguration`] must meet by itself.
pub const METRIC_CONFIGURATION_RULES: &[Rule] = &[Rule {
    path: ".resolutionSeconds",
    message: "InvalidParameterException: resolutionSeconds must be 20 or 60",
    cel: "self.resolutionSeconds in [20, 60]",
}];

/// Resolution of some metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(METRIC_CONFIGURATION_RULES)))]
pub struct MetricConfiguration {
    /// Names of the metrics; 1 to 5.
    #[schemars(length(min = 1, max = 5), inner(length(min = 1, max = 255)))]
    pub metric_names: Vec<String>,
    /// Seconds between two data points: 20 or 60.
    #[schemars(range(min = 20, max = 60))]
    pub resolution_seconds: i32,
}
