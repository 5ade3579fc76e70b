//! Where the output of containers goes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{container_parts::Secret, rules::LOG_RULES};
use crate::schema::validations;

/// Log driver of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogDriver {
    /// JSON files on the node.
    #[serde(rename = "json-file")]
    JsonFile,
    /// Syslog.
    Syslog,
    /// The systemd journal.
    Journald,
    /// Graylog.
    Gelf,
    /// Fluentd.
    Fluentd,
    /// CloudWatch Logs.
    Awslogs,
    /// Splunk.
    Splunk,
    /// The FireLens router of the task.
    Awsfirelens,
}

/// Where the output of a container goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(LOG_RULES)))]
pub struct LogConfiguration {
    /// Log driver; Fargate allows awslogs, splunk and awsfirelens.
    pub log_driver: LogDriver,
    /// Options of the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<BTreeMap<String, String>>,
    /// Options of the driver with values from secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub secret_options: Option<Vec<Secret>>,
}

/// FireLens log router of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirelensConfigurationType {
    /// Fluentd.
    Fluentd,
    /// Fluent Bit.
    Fluentbit,
}

/// Makes a container the FireLens log router of its task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirelensConfiguration {
    /// Type of the log router.
    #[serde(rename = "type")]
    pub type_: FirelensConfigurationType,
    /// Options: enable-ecs-log-metadata, config-file-type, config-file-value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<BTreeMap<String, String>>,
}
