//! Scheduled actions of a scalable target: the input of PutScheduledAction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScalableDimension, ServiceNamespace, open_name};
use crate::schema::{Ignored, Rule, StringOrInteger, validations};

/// Rules that one [`ScheduledAction`] must meet by itself.
pub const SCHEDULED_ACTION_RULES: &[Rule] = &[
    Rule {
        path: ".ServiceNamespace",
        message: "ValidationException: ServiceNamespace must be ecs",
        cel: "!has(self.ServiceNamespace) || self.ServiceNamespace == 'ecs'",
    },
    Rule {
        path: ".ScalableDimension",
        message: "ValidationException: ScalableDimension must be ecs:service:DesiredCount",
        cel: "!has(self.ScalableDimension) || self.ScalableDimension == 'ecs:service:DesiredCount'",
    },
    Rule { path: ".Schedule", message: "ValidationException: Schedule is required", cel: "has(self.Schedule)" },
    Rule {
        path: ".Schedule",
        message: "ValidationException: Schedule must be at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(minutes \
                  hours day-of-month month day-of-week year)",
        cel: "!has(self.Schedule) || \
              self.Schedule.matches('^at[(][0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?[)]$') || \
              self.Schedule.matches('^rate[(](1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))[)]$') || \
              self.Schedule.matches('^cron[(] *[^ ]+ +[^ ]+ +[^ ]+ +[^ ]+ +[^ ]+ +[^ ]+ *[)]$')",
    },
    Rule {
        path: ".ScalableTargetAction",
        message: "ValidationException: a scheduled action needs MinCapacity, MaxCapacity or both",
        cel: "has(self.ScalableTargetAction) && (has(self.ScalableTargetAction.MinCapacity) || \
              has(self.ScalableTargetAction.MaxCapacity))",
    },
];

/// Changes the limits of the desired count at scheduled times. Does not run in this version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SCHEDULED_ACTION_RULES)))]
pub struct ScheduledAction {
    /// Name of the action, unique in the target; up to 256 characters without `:`, `/` and `|`, not starting or ending
    /// with a space.
    #[schemars(
        length(min = 1, max = 256),
        regex(pattern = r"^[^:/| \x00-\x1f\x7f-\x{9f}]([^:/|\x00-\x1f\x7f-\x{9f}]*[^:/| \x00-\x1f\x7f-\x{9f}])?$")
    )]
    pub scheduled_action_name: String,
    /// Always `ecs`. Accepted so that you can paste PutScheduledAction input unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_name")]
    pub service_namespace: Option<ServiceNamespace>,
    /// `ResourceId` of the target. Accepted so that you can paste PutScheduledAction input unchanged; must equal that
    /// of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1600))]
    pub resource_id: Option<String>,
    /// Always `ecs:service:DesiredCount`. Accepted so that you can paste PutScheduledAction input unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_name")]
    pub scalable_dimension: Option<ScalableDimension>,
    /// `at(yyyy-mm-ddThh:mm:ss)`, `rate(value unit)` or `cron(minutes hours day-of-month month day-of-week year)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1600))]
    pub schedule: Option<String>,
    /// IANA time zone of `at` and `cron`. Defaults to UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1600))]
    pub timezone: Option<String>,
    /// Start of the schedule, in UTC: RFC 3339 or seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<StringOrInteger>,
    /// End of the schedule, in UTC: RFC 3339 or seconds since 1970. The limits stay as the last run set them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<StringOrInteger>,
    /// New limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalable_target_action: Option<ScalableTargetAction>,

    /// Returned by DescribeScheduledActions; accepted and ignored.
    #[serde(rename = "ScheduledActionARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub scheduled_action_arn: Option<Ignored>,
    /// Returned by DescribeScheduledActions; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Ignored>,
}

/// Rules that one [`ScalableTargetAction`] must meet by itself.
pub const SCALABLE_TARGET_ACTION_RULES: &[Rule] = &[Rule {
    path: ".MaxCapacity",
    message: "ValidationException: MinCapacity must not be greater than MaxCapacity",
    cel: "!has(self.MinCapacity) || !has(self.MaxCapacity) || self.MinCapacity <= self.MaxCapacity",
}];

/// New limits of the desired count, which is adjusted to them immediately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SCALABLE_TARGET_ACTION_RULES)))]
pub struct ScalableTargetAction {
    /// Minimum number of tasks. Defaults to the current minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_capacity: Option<i32>,
    /// Maximum number of tasks. Defaults to the current maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_capacity: Option<i32>,
}
