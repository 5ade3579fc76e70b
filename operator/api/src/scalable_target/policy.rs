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

/// A scaling policy: how a metric changes the desired count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SCALING_POLICY_RULES)))]
pub struct ScalingPolicy {
    /// Name of the policy, unique in the target; up to 256 characters.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[\x20-\x7E]+$"))]
    pub policy_name: String,
    /// Always `ecs`. Accepted so that you can paste PutScalingPolicy input unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_name")]
    pub service_namespace: Option<ServiceNamespace>,
    /// `ResourceId` of the target. Accepted so that you can paste PutScalingPolicy input unchanged; must equal that of
    /// the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1600))]
    pub resource_id: Option<String>,
    /// Always `ecs:service:DesiredCount`. Accepted so that you can paste PutScalingPolicy input unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_name")]
    pub scalable_dimension: Option<ScalableDimension>,
    /// Type of the policy; requires the configuration of that type and allows no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_type: Option<PolicyType>,
    /// Step scaling: adjusts the count by the size of an alarm breach. No effect in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_scaling_policy_configuration: Option<StepScalingPolicyConfiguration>,
    /// Target tracking: keeps a metric at a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_tracking_scaling_policy_configuration: Option<TargetTrackingScalingPolicyConfiguration>,
    /// Predictive scaling: sets the capacity from a forecast. No effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictive_scaling_policy_configuration: Option<PredictiveScalingPolicyConfiguration>,

    /// Returned by DescribeScalingPolicies; accepted and ignored.
    #[serde(rename = "PolicyARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub policy_arn: Option<Ignored>,
    /// Returned by DescribeScalingPolicies; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::list")]
    pub alarms: Option<Ignored>,
    /// Returned by DescribeScalingPolicies; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Ignored>,
}

/// Type of a scaling policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PolicyType {
    /// Step scaling: adjusts the count by the size of an alarm breach. No effect in this version.
    StepScaling,
    /// Target tracking: keeps a metric at a value.
    TargetTrackingScaling,
    /// Predictive scaling: sets the capacity from a forecast. No effect.
    PredictiveScaling,
}
