//! ECSScalableTarget: limits of a service's desired count and the policies that change it. The spec is the input of
//! RegisterScalableTarget with the inputs of PutScalingPolicy and PutScheduledAction in it, in the spelling of
//! Application Auto Scaling.

mod metric;
mod policy;
mod predictive_scaling;
mod scheduled_action;
mod step_scaling;
mod target_tracking;

pub use metric::*;
pub use policy::*;
pub use predictive_scaling::*;
pub use scheduled_action::*;
pub use step_scaling::*;
pub use target_tracking::*;

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Condition;
use crate::schema::{Ignored, Rule, validations};

/// Rules that one [`ScalableTargetSpec`] must meet by itself.
pub const SCALABLE_TARGET_RULES: &[Rule] = &[
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
    Rule {
        path: ".MaxCapacity",
        message: "ValidationException: MinCapacity must not be greater than MaxCapacity",
        cel: "self.MinCapacity <= self.MaxCapacity",
    },
    Rule {
        path: ".ResourceId",
        message: "ValidationException: ResourceId cannot be changed after the scalable target was registered",
        cel: "self.ResourceId == oldSelf.ResourceId",
    },
    Rule {
        path: ".ScalingPolicies",
        message: "ValidationException: the ResourceId of every item of ScalingPolicies must be the one of the target",
        cel: "!has(self.ScalingPolicies) || self.ScalingPolicies.all(i, !has(i.ResourceId) || i.ResourceId == \
              self.ResourceId)",
    },
    Rule {
        path: ".ScheduledActions",
        message: "ValidationException: the ResourceId of every item of ScheduledActions must be the one of the target",
        cel: "!has(self.ScheduledActions) || self.ScheduledActions.all(i, !has(i.ResourceId) || i.ResourceId == \
              self.ResourceId)",
    },
    Rule {
        path: ".Tags",
        message: "ValidationException: tag keys must not start with aws:, in any case",
        cel: "!has(self.Tags) || self.Tags.all(k, !k.lowerAscii().startsWith('aws:'))",
    },
    Rule {
        path: ".Tags",
        message: "ValidationException: a tag key has 1 to 128 characters and a tag value at most 256",
        cel: "!has(self.Tags) || self.Tags.all(k, k.size() >= 1 && k.size() <= 128 && self.Tags[k].size() <= 256)",
    },
];

/// Limits of the desired count of a service and the policies that change it: the inputs of RegisterScalableTarget,
/// PutScalingPolicy and PutScheduledAction.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ecs-operator.dev",
    version = "v1alpha1",
    kind = "ECSScalableTarget",
    plural = "ecsscalabletargets",
    shortname = "ecsst",
    selectable = ".spec.ResourceId",
    category = "ecs",
    namespaced,
    status = "ScalableTargetStatus",
    derive = "PartialEq",
    doc = "Limits of an ECSService's desired count and the policies that change it. The spec is the input of \
           RegisterScalableTarget with the inputs of PutScalingPolicy and PutScheduledAction in it.",
    printcolumn(
        name = "Resource",
        type_ = "string",
        json_path = ".spec.ResourceId",
        description = "Service to scale."
    ),
    printcolumn(
        name = "Min",
        type_ = "integer",
        json_path = ".spec.MinCapacity",
        description = "Minimum number of tasks."
    ),
    printcolumn(
        name = "Max",
        type_ = "integer",
        json_path = ".spec.MaxCapacity",
        description = "Maximum number of tasks."
    ),
    printcolumn(
        name = "Current",
        type_ = "integer",
        json_path = ".status.currentReplicas",
        description = "Tasks of the service."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the scalable target is in the state that its spec asks for."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was created."
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".status.desiredReplicas",
        description = "Number of tasks that the policies ask for.",
        priority = 1
    ),
    printcolumn(
        name = "Autoscaler",
        type_ = "string",
        json_path = ".status.hpa",
        description = "HorizontalPodAutoscaler that scales the service.",
        priority = 1
    )
)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SCALABLE_TARGET_RULES)))]
pub struct ScalableTargetSpec {
    /// Always `ecs`; optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_name")]
    pub service_namespace: Option<ServiceNamespace>,
    /// Service to scale: `service/<cluster>/<service>` with the ECS names of both. Cannot be changed.
    #[schemars(length(min = 1, max = 1600), regex(pattern = r"^service/[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}$"))]
    pub resource_id: String,
    /// Always `ecs:service:DesiredCount`; optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_name")]
    pub scalable_dimension: Option<ScalableDimension>,
    /// Minimum number of tasks, 0 or more. A HorizontalPodAutoscaler keeps at least one.
    #[schemars(range(min = 0))]
    pub min_capacity: i32,
    /// Maximum number of tasks; not less than `MinCapacity`.
    #[schemars(range(min = 0))]
    pub max_capacity: i32,
    /// IAM role for scaling the service. No effect.
    #[serde(rename = "RoleARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1600))]
    pub role_arn: Option<String>,
    /// Kinds of scaling to suspend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_state: Option<SuspendedState>,
    /// Tags of the scalable target; at most 50. Keys have 1 to 128 characters, values at most 256. No effect beyond the
    /// spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 50, "additionalProperties" = { "type": "string", "maxLength": 256 }))]
    pub tags: Option<BTreeMap<String, String>>,
    /// Scaling policies: inputs of PutScalingPolicy; at most 50. Target tracking on CPU and memory becomes metrics of a
    /// HorizontalPodAutoscaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 50),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["PolicyName"])
    )]
    pub scaling_policies: Option<Vec<ScalingPolicy>>,
    /// Scheduled actions: inputs of PutScheduledAction; at most 200. They do not run in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 200),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["ScheduledActionName"])
    )]
    pub scheduled_actions: Option<Vec<ScheduledAction>>,
    /// Settings without an ECS counterpart.
    #[serde(rename = "kubernetes", default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<ScalableTargetKubernetes>,

    /// Returned by DescribeScalableTargets; accepted and ignored.
    #[serde(rename = "ScalableTargetARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub scalable_target_arn: Option<Ignored>,
    /// Returned by DescribeScalableTargets; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Ignored>,
    /// Returned by DescribeScalableTargets; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::integer")]
    pub predicted_capacity: Option<Ignored>,
}

// The model has the resources of every AWS service here. A rule refuses the others with the words of Application Auto
// Scaling, which a closed list in the schema could not say.
fn open_name(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "maxLength": 128, "nullable": true })
}

/// AWS service of the resource to scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ServiceNamespace {
    /// Amazon ECS.
    #[serde(rename = "ecs")]
    Ecs,
}

/// Property of the resource to scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ScalableDimension {
    /// Desired count of an ECS service.
    #[serde(rename = "ecs:service:DesiredCount")]
    DesiredCount,
}

/// Kinds of scaling to suspend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SuspendedState {
    /// Whether to suspend scaling in by policies. Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_scaling_in_suspended: Option<bool>,
    /// Whether to suspend scaling out by policies. Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_scaling_out_suspended: Option<bool>,
    /// Whether to suspend scheduled actions. Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_scaling_suspended: Option<bool>,
}

/// Settings of a scalable target without an ECS counterpart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalableTargetKubernetes {
    /// Autoscaler that changes the desired count. Defaults to `HPA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<Autoscaler>,
    /// Seconds for which a metric must stay low before the HorizontalPodAutoscaler scales in. Defaults to 900, because
    /// ECS waits for 15 data points of one minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub scale_in_stabilization_seconds: Option<i32>,
}

/// Autoscaler that changes the desired count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Autoscaler {
    /// A HorizontalPodAutoscaler on the scale subresource of the ECSService.
    #[default]
    Hpa,
}

/// Observed state of a scalable target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalableTargetStatus {
    /// `metadata.generation` of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Current conditions of the scalable target.
    #[serde(default, deserialize_with = "crate::conditions::known", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// ARN of the scalable target.
    #[serde(rename = "scalableTargetARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub scalable_target_arn: Option<String>,
    /// Service to scale: `service/<cluster>/<service>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1600))]
    pub resource_id: Option<String>,
    /// Name of the ECSService object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service: Option<String>,
    /// Name of the HorizontalPodAutoscaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub hpa: Option<String>,
    /// Number of tasks of the service, as the autoscaler reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub current_replicas: Option<i32>,
    /// Number of tasks that the policies ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub desired_replicas: Option<i32>,
}
