//! Which nodes belong to a capacity provider: the `kubernetes` member of an ECSCapacityProvider. Shapes and spelling are
//! those of a Kubernetes pod spec.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// Which nodes belong to a capacity provider and who may use it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityProviderKubernetes {
    /// Labels of the nodes of the provider. Its tasks run on such nodes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Node selector terms. A node of the provider must match at least one, in addition to `nodeSelector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub node_affinity: Option<Vec<NodeSelectorTerm>>,
    /// Tolerations of the tasks of the provider for taints of its nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub tolerations: Option<Vec<NodeToleration>>,
    /// Capacity type of the nodes, by the labels that Karpenter, EKS, GKE and AKS set; nodes without any of these labels belong to
    /// both types. Defaults to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_type: Option<CapacityType>,
    /// Namespaces whose clusters and services may use the provider; `*` stands for any characters. An empty list allows
    /// none. Defaults to those whose annotation `ecs-operator.dev/allowed-placement` lists `capacity-providers=NAME`; the
    /// predefined providers are for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub allowed_namespaces: Option<Vec<String>>,
    /// True for FARGATE and FARGATE_SPOT, which on ECS exist without being created; set by the Helm chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predefined: Option<bool>,
}

/// Capacity type of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum CapacityType {
    /// On-demand: runs until it is terminated.
    OnDemand,
    /// Spot: can be interrupted with two minutes' notice.
    Spot,
}

/// Requirements that a node must all meet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelectorTerm {
    /// Requirements on the labels of a node. A term without requirements matches no node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub match_expressions: Vec<NodeSelectorRequirement>,
}

/// Rules that one [`NodeSelectorRequirement`] must meet by itself.
pub const NODE_SELECTOR_REQUIREMENT_RULES: &[Rule] = &[
    Rule {
        path: ".values",
        message: "InvalidParameterException: operators In and NotIn need values",
        cel: "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
    },
    Rule {
        path: ".values",
        message: "InvalidParameterException: operators Exists and DoesNotExist take no values",
        cel: "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || self.values.size() == 0",
    },
    Rule {
        path: ".values",
        message: "InvalidParameterException: operators Gt and Lt need exactly one integer",
        cel: "!(self.operator in ['Gt', 'Lt']) || (has(self.values) && self.values.size() == 1 && \
              self.values[0].matches('^-?[0-9]{1,18}$'))",
    },
];

/// A requirement on one label of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(NODE_SELECTOR_REQUIREMENT_RULES)))]
pub struct NodeSelectorRequirement {
    /// Label of the node.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How to compare the label.
    pub operator: NodeSelectorOperator,
    /// Values to compare the label with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How to compare a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum NodeSelectorOperator {
    /// One of the values.
    In,
    /// None of the values, or no such label.
    NotIn,
    /// The label exists.
    Exists,
    /// The label does not exist.
    DoesNotExist,
    /// An integer greater than the value.
    Gt,
    /// An integer less than the value.
    Lt,
}

/// Rules that one [`NodeToleration`] must meet by itself.
pub const NODE_TOLERATION_RULES: &[Rule] = &[
    Rule {
        path: ".operator",
        message: "InvalidParameterException: a toleration without a key needs operator Exists",
        cel: "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
    },
    Rule {
        path: ".value",
        message: "InvalidParameterException: operator Exists takes no value",
        cel: "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
    },
    Rule {
        path: ".tolerationSeconds",
        message: "InvalidParameterException: tolerationSeconds needs effect NoExecute",
        cel: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
    },
];

/// A taint that tasks tolerate; a toleration of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(NODE_TOLERATION_RULES)))]
pub struct NodeToleration {
    /// Key of the taint. Defaults to every taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub key: Option<String>,
    /// How to compare the value. Defaults to `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// Value of the taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// Effect of the taint. Defaults to every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// Seconds for which to tolerate a NoExecute taint. Defaults to forever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}

/// How to compare the value of a taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// Any value.
    Exists,
    /// The same value.
    Equal,
}

/// Effect of a taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods are not scheduled.
    NoSchedule,
    /// New pods are scheduled only if no other node fits.
    PreferNoSchedule,
    /// Running pods are evicted too.
    NoExecute,
}
