//! Load balancers, service discovery registries and VPC Lattice target groups of a service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// Rules that one [`LoadBalancer`] must meet by itself.
pub const LOAD_BALANCER_RULES: &[Rule] = &[
    Rule {
        path: ".loadBalancerName",
        message: "InvalidParameterException: loadBalancerName and targetGroupArn cannot both be specified",
        cel: "!(has(self.loadBalancerName) && self.loadBalancerName != '' && has(self.targetGroupArn) && \
              self.targetGroupArn != '')",
    },
    Rule {
        path: ".loadBalancerName",
        message: "UnsupportedFeatureException: Classic Load Balancers are not supported; use targetGroupArn",
        cel: "!has(self.loadBalancerName) || self.loadBalancerName == ''",
    },
    Rule {
        path: ".containerName",
        message: "InvalidParameterException: containerName is required for a load balancer",
        cel: "has(self.containerName) && self.containerName != ''",
    },
    Rule {
        path: ".containerPort",
        message: "InvalidParameterException: containerPort is required for a load balancer",
        cel: "has(self.containerPort)",
    },
];

/// A target group for the tasks of the service. No targets are registered in this version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(LOAD_BALANCER_RULES)))]
pub struct LoadBalancer {
    /// ARN of the target group. No effect in this version: no targets are registered. To expose the tasks, use
    /// `kubernetes.service` or an Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub target_group_arn: Option<String>,
    /// Name of a Classic Load Balancer: refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub load_balancer_name: Option<String>,
    /// Container of the task definition that receives the traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub container_name: Option<String>,
    /// Port of that container; must be in its `portMappings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub container_port: Option<i32>,
    /// Traffic shifting for blue/green, linear and canary deployments. No effect in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advanced_configuration: Option<AdvancedConfiguration>,
}

/// Traffic shifting of a load balancer in blue/green, linear and canary deployments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdvancedConfiguration {
    /// Target group of the other revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub alternate_target_group_arn: Option<String>,
    /// Listener rule (or listener, for a Network Load Balancer) that carries production traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub production_listener_rule: Option<String>,
    /// Listener rule that carries test traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub test_listener_rule: Option<String>,
    /// IAM role that ECS uses to change the listener. No effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role_arn: Option<String>,
}

/// Rules that one [`ServiceRegistry`] must meet by itself.
pub const SERVICE_REGISTRY_RULES: &[Rule] = &[
    Rule {
        path: ".port",
        message: "InvalidParameterException: a service registry takes either port, or containerName and containerPort",
        cel: "!(has(self.port) && (has(self.containerName) || has(self.containerPort)))",
    },
    Rule {
        path: ".containerPort",
        message: "InvalidParameterException: containerName and containerPort of a service registry belong together",
        cel: "has(self.containerName) == has(self.containerPort)",
    },
];

/// A Cloud Map registry of the service. No names are registered in this version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SERVICE_REGISTRY_RULES)))]
pub struct ServiceRegistry {
    /// ARN of the Cloud Map service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub registry_arn: Option<String>,
    /// Port of an SRV record of an awsvpc task; not together with `containerName` and `containerPort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub port: Option<i32>,
    /// Container of the SRV record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub container_name: Option<String>,
    /// Container port of the SRV record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub container_port: Option<i32>,
}

/// A VPC Lattice target group for a named port of the tasks. No targets are registered in this version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpcLatticeConfiguration {
    /// IAM role that ECS uses to manage the target group. No effect.
    #[schemars(length(max = 2048))]
    pub role_arn: String,
    /// ARN of the target group.
    #[schemars(length(max = 2048))]
    pub target_group_arn: String,
    /// Name of the port mapping.
    #[schemars(length(max = 255))]
    pub port_name: String,
    /// Traffic shifting for blue/green, linear and canary deployments. No effect in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advanced_configuration: Option<VpcLatticeAdvancedConfiguration>,
}

/// Traffic shifting of a VPC Lattice target group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpcLatticeAdvancedConfiguration {
    /// Target group of the other revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub alternate_target_group_arn: Option<String>,
    /// Listener rule that carries production traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub production_listener_rule: Option<String>,
    /// Listener rule that carries test traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub test_listener_rule: Option<String>,
}
