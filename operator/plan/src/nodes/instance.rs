//! Nodes as container instances: whether one is ACTIVE or DRAINING, and which nodes a pod may be on.
//!
//! An administrator sets a node to DRAINING, as UpdateContainerInstancesState does, with the label
//! [`labels::CONTAINER_INSTANCE_STATUS`], or by cordoning it. The operator reads nodes; all it writes is a mark for daemons, see `node.rs`.

use std::collections::{BTreeMap, BTreeSet};

use api::capacity_provider::{NodeSelectorOperator, NodeSelectorRequirement, NodeSelectorTerm};
use api::cluster::ContainerInstanceStatus;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::store::Stored;
use crate::core::world::{Term, World};

/// Value of [`labels::CONTAINER_INSTANCE_STATUS`] that takes no new tasks.
pub const DRAINING: &str = "DRAINING";

/// Where an affinity has the alternatives of which one must hold.
pub(crate) const NODE_TERMS: &str = "/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";

/// A node, as far as plans look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// `metadata.name`
    pub name: String,
    /// `metadata.labels`
    pub labels: BTreeMap<String, String>,
    /// When the node joined.
    pub registered_at: Option<Timestamp>,
    /// `spec.unschedulable`: the node is cordoned.
    pub is_cordoned: bool,
    /// `spec.providerID`, on EC2 `aws:///eu-west-1a/i-0123456789abcdef0`.
    pub provider_id: String,
    /// `spec.taints`
    pub taints: Vec<Taint>,
    /// Whether the kubelet reports, which is what `agentConnected` says on ECS.
    pub is_ready: bool,
}

/// A taint of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Taint {
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// What lets a pod onto tainted nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Toleration {
    /// Key; empty with operator `Exists` for every taint.
    pub key: String,
    /// `Equal`, also when empty, or `Exists`.
    pub operator: String,
    /// Value for `Equal`.
    pub value: String,
    /// Effect; empty for every effect.
    pub effect: String,
}

impl Toleration {
    /// Whether a taint is tolerated, as the scheduler sees it.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        let key = if self.key.is_empty() { self.operator == "Exists" } else { self.key == taint.key };
        let value = self.operator == "Exists" || self.value == taint.value;
        let effect = self.effect.is_empty() || self.effect == taint.effect;
        key && value && effect
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct View {
    metadata: Metadata,
    spec: SpecView,
    status: StatusView,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecView {
    unschedulable: bool,
    #[serde(rename = "providerID")]
    provider_id: String,
    taints: Vec<Taint>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusView {
    conditions: Vec<ConditionView>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConditionView {
    r#type: String,
    status: String,
}

impl Instance {
    /// Reads a Node; one that cannot be read is none.
    #[must_use]
    pub fn read(stored: &Stored) -> Option<Self> {
        let View { metadata, spec, status } = stored.decode().ok()?;
        Some(Self {
            name: metadata.name,
            labels: metadata.labels,
            registered_at: metadata.creation_timestamp,
            is_cordoned: spec.unschedulable,
            provider_id: spec.provider_id,
            taints: spec.taints,
            is_ready: status.conditions.iter().any(|one| one.r#type == "Ready" && one.status == "True"),
        })
    }

    /// ACTIVE or DRAINING.
    #[must_use]
    pub fn status(&self) -> ContainerInstanceStatus {
        if self.is_cordoned || self.is_labelled_draining() {
            ContainerInstanceStatus::Draining
        } else {
            ContainerInstanceStatus::Active
        }
    }

    /// Whether an administrator's label says that the node is DRAINING.
    #[must_use]
    pub fn is_labelled_draining(&self) -> bool {
        self.labels.get(labels::CONTAINER_INSTANCE_STATUS).is_some_and(|value| value == DRAINING)
    }

    /// The instance id: the last part of `providerID`, on EC2 `i-0123456789abcdef0`.
    #[must_use]
    pub fn instance_id(&self) -> Option<&str> {
        self.provider_id.rsplit('/').next().filter(|id| !id.is_empty())
    }

    /// Whether one of the alternatives holds. As the scheduler matches: all expressions of a term, and an empty term
    /// matches nothing.
    #[must_use]
    pub fn matches_any(&self, terms: &[NodeSelectorTerm]) -> bool {
        terms.iter().any(|term| {
            !term.match_expressions.is_empty() && term.match_expressions.iter().all(|one| matches(one, &self.labels))
        })
    }

    /// Whether no taint keeps pods with these tolerations away. `PreferNoSchedule` keeps nobody away.
    #[must_use]
    pub fn admits(&self, tolerations: &[Toleration]) -> bool {
        self.taints
            .iter()
            .filter(|taint| taint.effect != "PreferNoSchedule")
            .all(|taint| tolerations.iter().any(|toleration| toleration.tolerates(taint)))
    }
}

fn matches(requirement: &NodeSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = requirement.values.first().and_then(|text| number(text));
    let label = value.and_then(|text| number(text));
    match requirement.operator {
        NodeSelectorOperator::In => value.is_some_and(|value| requirement.values.contains(value)),
        NodeSelectorOperator::NotIn => value.is_none_or(|value| !requirement.values.contains(value)),
        NodeSelectorOperator::Exists => value.is_some(),
        NodeSelectorOperator::DoesNotExist => value.is_none(),
        NodeSelectorOperator::Gt => label.zip(bound).is_some_and(|(label, bound)| label > bound),
        NodeSelectorOperator::Lt => label.zip(bound).is_some_and(|(label, bound)| label < bound),
    }
}

/// Every node, in the order of names.
#[must_use]
pub fn instances(world: &dyn World) -> Vec<Instance> {
    world.list(Kind::Node, None).iter().filter_map(|stored| Instance::read(stored)).collect()
}

/// Nodes that a cluster's or a provider's terms select; all of them without terms.
#[must_use]
pub fn selected(world: &dyn World, terms: &[NodeSelectorTerm]) -> Vec<Instance> {
    let mut instances = instances(world);
    instances.retain(|instance| terms.is_empty() || instance.matches_any(terms));
    instances
}

/// Names of the nodes that are DRAINING: their service tasks are replaced elsewhere.
#[must_use]
pub fn draining(world: &dyn World) -> BTreeSet<String> {
    world.find(Kind::Node, None, &Term::Draining).iter().map(|node| node.key.name.clone()).collect()
}

/// Whether a Node, as the server has it, is DRAINING: cordoned or labelled.
pub(crate) fn is_draining(node: &Value) -> bool {
    let is_cordoned = node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true);
    let label = node.pointer("/metadata/labels").and_then(|labels| labels.get(labels::CONTAINER_INSTANCE_STATUS));
    is_cordoned || label.and_then(Value::as_str) == Some(DRAINING)
}

/// What a node must not have to get new tasks. A cordoned node is kept free by the scheduler itself.
#[must_use]
pub fn not_draining() -> NodeSelectorRequirement {
    NodeSelectorRequirement {
        key: labels::CONTAINER_INSTANCE_STATUS.to_owned(),
        operator: NodeSelectorOperator::NotIn,
        values: vec![DRAINING.to_owned()],
    }
}

/// The terms, each with [`not_draining`] in it; one term with nothing else when there are none.
#[must_use]
pub fn without_draining(terms: &[NodeSelectorTerm]) -> Vec<Value> {
    if terms.is_empty() {
        return vec![json!(NodeSelectorTerm { match_expressions: vec![not_draining()] })];
    }
    let mut terms = terms.to_vec();
    // A term without expressions matches no node and has to stay so.
    for term in terms.iter_mut().filter(|term| !term.match_expressions.is_empty()) {
        term.match_expressions.push(not_draining());
    }
    terms.iter().map(|term| json!(term)).collect()
}

#[cfg(test)]
#[path = "instance_tests.rs"]
mod tests;
