//! Scaling policies of a scalable target: the input of PutScalingPolicy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    PredictiveScalingPolicyConfiguration, ScalableDimension, ServiceNamespace, StepScalingPolicyConfiguration,
    TargetTrackingScalingPolicyConfiguration, open_name,
};
use crate::schema::{Ignored, Rule, validations};

/// Rules that one [`ScalingPolicy`] must meet by itself.
pub const SCALING_POLICY_RULES: &[Rule] = &[
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
    Rule { path: ".PolicyType", message: "ValidationException: PolicyType is required", cel: "has(self.PolicyType)" },
    Rule {
        path: ".TargetTrackingScalingPolicyConfiguration",
        message: "ValidationException: TargetTrackingScalingPolicyConfiguration belongs to PolicyType \
                  TargetTrackingScaling",
        cel: "!has(self.PolicyType) || has(self.TargetTrackingScalingPolicyConfiguration) == (self.PolicyType == \
              'TargetTrackingScaling')",
    },
    Rule {
        path: ".StepScalingPolicyConfiguration",
        message: "ValidationException: StepScalingPolicyConfiguration belongs to PolicyType StepScaling",
        cel: "!has(self.PolicyType) || has(self.StepScalingPolicyConfiguration) == (self.PolicyType == 'StepScaling')",
    },
    Rule {
        path: ".PredictiveScalingPolicyConfiguration",
        message: "ValidationException: PredictiveScalingPolicyConfiguration belongs to PolicyType PredictiveScaling",
        cel: "!has(self.PolicyType) || has(self.PredictiveScalingPolicyConfiguration) == (self.PolicyType == \
              'PredictiveScaling')",
    },
];

/// How a metric changes the desired count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SCALING_POLICY_RULES)))]
pub struct ScalingPolicy {
    /// Name of the policy, unique in the target; up to 256 characters.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[\x20-\x7E]+$"))]
    pub policy_name: String,
    /// Always `ecs`. Accepted so that PutScalingPolicy input pastes as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_name")]
    pub service_namespace: Option<ServiceNamespace>,
    /// The target's `ResourceId`. Accepted so that PutScalingPolicy input pastes as it is; must be the target's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1600))]
    pub resource_id: Option<String>,
    /// Always `ecs:service:DesiredCount`. Accepted so that PutScalingPolicy input pastes as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_name")]
    pub scalable_dimension: Option<ScalableDimension>,
    /// Kind of the policy; the configuration of that kind must be there and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_type: Option<PolicyType>,
    /// Adjusts the count by the size of the breach of an alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_scaling_policy_configuration: Option<StepScalingPolicyConfiguration>,
    /// Keeps a metric at a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_tracking_scaling_policy_configuration: Option<TargetTrackingScalingPolicyConfiguration>,
    /// Sets the capacity from a forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictive_scaling_policy_configuration: Option<PredictiveScalingPolicyConfiguration>,

    /// Part of DescribeScalingPolicies output: accepted and ignored.
    #[serde(rename = "PolicyARN", default, skip_serializing_if = "Option::is_none")]
    pub policy_arn: Option<Ignored>,
    /// Part of DescribeScalingPolicies output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Ignored>,
    /// Part of DescribeScalingPolicies output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Ignored>,
}

/// Kind of a scaling policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PolicyType {
    /// Adjusts the count by the size of the breach of an alarm.
    StepScaling,
    /// Keeps a metric at a value.
    TargetTrackingScaling,
    /// Sets the capacity from a forecast.
    PredictiveScaling,
}
