//! ECSCapacityProvider: nodes that tasks can be placed on, chosen by the administrator. The spec is the input of
//! CreateCapacityProvider.

mod auto_scaling_group;
mod instance_requirements;
mod kubernetes;
mod managed_instances;
pub mod strategy;

pub use auto_scaling_group::*;
pub use instance_requirements::*;
pub use kubernetes::*;
pub use managed_instances::*;
pub use strategy::CapacityProviderStrategyItem;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Condition;
use crate::schema::{Ignored, Rule, validations};
use crate::tags::Tag;

/// Rules that the spec of one capacity provider must meet by itself.
pub const CAPACITY_PROVIDER_RULES: &[Rule] = &[
    Rule {
        path: ".autoScalingGroupProvider",
        message: "InvalidParameterException: exactly one of autoScalingGroupProvider and managedInstancesProvider is \
                  required",
        cel: "(has(self.kubernetes) && has(self.kubernetes.predefined) && self.kubernetes.predefined) || \
              has(self.autoScalingGroupProvider) != has(self.managedInstancesProvider)",
    },
    Rule {
        path: ".kubernetes.predefined",
        message: "InvalidParameterException: a predefined capacity provider is FARGATE or FARGATE_SPOT and has neither \
                  autoScalingGroupProvider nor managedInstancesProvider",
        cel: "!has(self.kubernetes) || !has(self.kubernetes.predefined) || !self.kubernetes.predefined || \
              (has(self.name) && self.name in ['FARGATE', 'FARGATE_SPOT'] && !has(self.autoScalingGroupProvider) && \
              !has(self.managedInstancesProvider))",
    },
];

/// Nodes that tasks can be placed on: the input of CreateCapacityProvider.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ecs-operator.dev",
    version = "v1alpha1",
    kind = "ECSCapacityProvider",
    plural = "ecscapacityproviders",
    shortname = "ecscp",
    category = "ecs",
    status = "CapacityProviderStatus",
    derive = "PartialEq",
    doc = "Nodes that tasks can be placed on, like an Amazon ECS capacity provider. Belongs to the administrator, \
           because it chooses nodes. The spec is the input of CreateCapacityProvider.",
    validation = kube::core::Rule::new(
        "(has(self.spec.name) ? self.spec.name : self.metadata.name) \
         == (has(oldSelf.spec.name) ? oldSelf.spec.name : self.metadata.name)"
    )
    .message("InvalidParameterException: name cannot be changed after the capacity provider was created")
    .field_path(".spec.name"),
    validation = kube::core::Rule::new(
        "(has(self.spec.kubernetes) && has(self.spec.kubernetes.predefined) && self.spec.kubernetes.predefined) \
         || !(has(self.spec.name) ? self.spec.name : self.metadata.name).lowerAscii().matches('^(aws|ecs|fargate)')"
    )
    .message("InvalidParameterException: the name of a capacity provider must not start with aws, ecs or fargate")
    .field_path(".spec.name"),
    printcolumn(
        name = "Provider",
        type_ = "string",
        json_path = ".spec.name",
        description = "ECS name; empty means the name of the object."
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.status",
        description = "PROVISIONING, ACTIVE, DEPROVISIONING or INACTIVE."
    ),
    printcolumn(
        name = "Node source",
        type_ = "string",
        json_path = ".status.nodeSource",
        description = "What makes a node belong to the provider."
    ),
    printcolumn(
        name = "Nodes",
        type_ = "integer",
        json_path = ".status.matchingNodes",
        description = "Nodes of the provider."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether services may use the provider."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was created."
    ),
    printcolumn(
        name = "Managed scaling",
        type_ = "string",
        json_path = ".spec.autoScalingGroupProvider.managedScaling.status",
        description = "Whether the number of nodes follows the tasks.",
        priority = 1
    ),
    printcolumn(
        name = "Capacity",
        type_ = "string",
        json_path = ".spec.kubernetes.capacityType",
        description = "OnDemand or Spot; empty means any.",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(CAPACITY_PROVIDER_RULES)))]
pub struct CapacityProviderSpec {
    /// ECS name, up to 255 letters, digits, `_` and `-`. Defaults to `metadata.name`. Must not start with `aws`, `ecs`
    /// or `fargate`. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: Option<String>,
    /// Name of the cluster that may use a managed instances provider. No effect: `capacityProviders` of each cluster
    /// decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub cluster: Option<String>,
    /// Auto Scaling group (node group) whose nodes run the tasks. Set exactly one of this and
    /// `managedInstancesProvider`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_scaling_group_provider: Option<AutoScalingGroupProvider>,
    /// ECS Managed Instances to launch for the tasks. No effect in this version: the node autoscaler of the cluster
    /// launches nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_instances_provider: Option<ManagedInstancesProvider>,
    /// Tags of the capacity provider; at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub tags: Option<Vec<Tag>>,
    /// Settings without an ECS counterpart: which nodes belong to the provider and who may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<CapacityProviderKubernetes>,

    /// Returned by DescribeCapacityProviders; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub capacity_provider_arn: Option<Ignored>,
    /// Returned by DescribeCapacityProviders; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub status: Option<Ignored>,
    /// Returned by DescribeCapacityProviders; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub update_status: Option<Ignored>,
    /// Returned by DescribeCapacityProviders; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub update_status_reason: Option<Ignored>,
    /// Returned by DescribeCapacityProviders; accepted and ignored.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub type_: Option<Ignored>,
}

/// State of a capacity provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CapacityProviderState {
    /// Being created.
    Provisioning,
    /// Usable.
    Active,
    /// Being deleted.
    Deprovisioning,
    /// Deleted.
    Inactive,
}

/// What makes a node belong to a capacity provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum NodeSource {
    /// Capacity type label that Karpenter sets.
    #[serde(rename = "karpenter.sh/capacity-type")]
    KarpenterCapacityType,
    /// Capacity type label that EKS managed node groups set.
    #[serde(rename = "eks.amazonaws.com/capacityType")]
    EksCapacityType,
    /// Label of spot nodes that GKE sets.
    #[serde(rename = "cloud.google.com/gke-spot")]
    GkeSpot,
    /// Label of spot nodes that AKS sets.
    #[serde(rename = "kubernetes.azure.com/scalesetpriority")]
    AksScaleSetPriority,
    /// Selector in `spec.kubernetes`.
    #[serde(rename = "kubernetes.nodeSelector")]
    NodeSelector,
    /// Label `ecs-operator.dev/capacity-provider` that an administrator sets on nodes.
    #[serde(rename = "ecs-operator.dev/capacity-provider")]
    CapacityProviderLabel,
    /// Every node, because no node has any of the labels above.
    AnyNode,
}

/// Observed state of a capacity provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityProviderStatus {
    /// `metadata.generation` of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Current conditions of the capacity provider.
    #[serde(default, deserialize_with = "crate::conditions::known", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// ARN of the capacity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub capacity_provider_arn: Option<String>,
    /// State of the capacity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<CapacityProviderState>,
    /// What makes a node belong to the capacity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_source: Option<NodeSource>,
    /// Required node affinity of the pods of this capacity provider: a node must match at least one term. Empty for any
    /// node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 80))]
    pub node_selector_terms: Vec<NodeSelectorTerm>,
    /// Number of nodes that belong to the capacity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub matching_nodes: Option<i32>,
}
