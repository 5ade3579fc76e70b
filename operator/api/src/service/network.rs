//! Network settings of awsvpc tasks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// Network settings of a service whose task definition uses network mode `awsvpc`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConfiguration {
    /// Subnets and security groups. Recorded and reported, without effect: a pod always has its own IP address in the
    /// pod network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awsvpc_configuration: Option<AwsVpcConfiguration>,
}

/// Rules that one [`AwsVpcConfiguration`] must meet by itself.
pub const AWS_VPC_CONFIGURATION_RULES: &[Rule] = &[Rule {
    path: ".subnets",
    message: "InvalidParameterException: subnets can not be empty",
    cel: "self.subnets.size() > 0",
}];

/// Subnets and security groups of a task's network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(AWS_VPC_CONFIGURATION_RULES)))]
pub struct AwsVpcConfiguration {
    /// Subnets of one VPC; 1 to 16. No effect.
    #[schemars(length(max = 16), inner(length(max = 255)))]
    pub subnets: Vec<String>,
    /// Security groups; at most 5. No effect: restrict traffic with NetworkPolicies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5), inner(length(max = 255)))]
    pub security_groups: Option<Vec<String>>,
    /// Whether the network interface gets a public IP address. Defaults to `DISABLED`; `ENABLED` has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assign_public_ip: Option<AssignPublicIp>,
}

/// Whether the network interface of a task gets a public IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AssignPublicIp {
    /// A public IP address.
    Enabled,
    /// No public IP address.
    Disabled,
}
