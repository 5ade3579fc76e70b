//! Capacity providers that stand for an Auto Scaling group.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// Rules that one [`AutoScalingGroupProvider`] must meet by itself.
pub const AUTO_SCALING_GROUP_PROVIDER_RULES: &[Rule] = &[Rule {
    path: ".managedTerminationProtection",
    message: "InvalidParameterException: managed termination protection needs managed scaling",
    cel: "!has(self.managedTerminationProtection) || self.managedTerminationProtection != 'ENABLED' || \
          (has(self.managedScaling) && has(self.managedScaling.status) && self.managedScaling.status == 'ENABLED')",
}];

/// An Auto Scaling group (node group) whose nodes run the tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(AUTO_SCALING_GROUP_PROVIDER_RULES)))]
pub struct AutoScalingGroupProvider {
    /// ARN or name of the Auto Scaling group. The nodes of the group are those with the label
    /// `ecs-operator.dev/capacity-provider`, or those that `kubernetes.nodeSelector` selects.
    #[schemars(length(min = 1, max = 2048))]
    pub auto_scaling_group_arn: String,
    /// How the number of nodes follows the tasks. No effect in this version: the node autoscaler of the cluster
    /// decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_scaling: Option<ManagedScaling>,
    /// Whether nodes with tasks are protected from scale-in; requires managed scaling. Defaults to `DISABLED`;
    /// `ENABLED` has no effect in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_termination_protection: Option<ManagedTerminationProtection>,
    /// Whether a node is drained before it is terminated. Defaults to `ENABLED`; `DISABLED` has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_draining: Option<ManagedDraining>,
}

/// Rules that one [`ManagedScaling`] must meet by itself.
pub const MANAGED_SCALING_RULES: &[Rule] = &[Rule {
    path: ".minimumScalingStepSize",
    message: "InvalidParameterException: minimumScalingStepSize must not be greater than maximumScalingStepSize",
    cel: "!has(self.minimumScalingStepSize) || !has(self.maximumScalingStepSize) || self.minimumScalingStepSize <= \
          self.maximumScalingStepSize",
}];

/// How the number of nodes follows the tasks. No effect in this version: the node autoscaler of the cluster decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(MANAGED_SCALING_RULES)))]
pub struct ManagedScaling {
    /// Whether managed scaling is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ManagedScalingStatus>,
    /// Target utilization of the nodes in percent, 1 to 100; 90 keeps 10 percent spare. Defaults to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub target_capacity: Option<i32>,
    /// Smallest number of nodes to add at a time, 1 to 10000. Defaults to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub minimum_scaling_step_size: Option<i32>,
    /// Largest number of nodes to add at a time, 1 to 10000. Defaults to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub maximum_scaling_step_size: Option<i32>,
    /// Seconds after launch during which a new node does not count, 0 to 10000. Defaults to 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub instance_warmup_period: Option<i32>,
}

/// Whether managed scaling is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ManagedScalingStatus {
    /// On.
    Enabled,
    /// Off.
    Disabled,
}

/// Whether nodes with tasks are protected from scale-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ManagedTerminationProtection {
    /// Protected.
    Enabled,
    /// Disabled.
    Disabled,
}

/// Whether a node is drained before it is terminated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ManagedDraining {
    /// Drained.
    Enabled,
    /// Not drained.
    Disabled,
}
