//! Nodes as container instances: whether one is ACTIVE or DRAINING, and which nodes a pod may be on.
//!
//! An administrator sets a node to DRAINING, as UpdateContainerInstancesState does, with the label
//! [`labels::CONTAINER_INSTANCE_STATUS`], or by cordoning it. The operator reads nodes; all it writes is a mark for daemons, see `node.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::capacity_provider::{NodeSelectorOperator, NodeSelectorRequirement, NodeSelectorTerm};
use api::cluster::ContainerInstanceStatus;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::store::{DecodeError, Stored, View};
use crate::core::world::{Term, World};

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
struct NodeView {
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

impl View for Instance {
    fn read(stored: &Stored) -> Result<Self, DecodeError> {
        let NodeView { metadata, spec, status } = stored.decode()?;
        Ok(Self {
            name: metadata.name,
            labels: metadata.labels,
            registered_at: metadata.creation_timestamp,
            is_cordoned: spec.unschedulable,
            provider_id: spec.provider_id,
            taints: spec.taints,
            is_ready: status.conditions.iter().any(|one| one.r#type == "Ready" && one.status == "True"),
        })
    }
}

impl Instance {
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
        self.labels.get(labels::CONTAINER_INSTANCE_STATUS).is_some_and(|value| value == labels::DRAINING)
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

/// Every node that can be decoded, in the order of names.
#[must_use]
pub fn instances(world: &dyn World) -> Vec<Arc<Instance>> {
    world.list(Kind::Node, None).iter().filter_map(|stored| stored.view().ok()).collect()
}

/// The node of that name, if it is there and can be decoded.
#[must_use]
pub fn instance(world: &dyn World, name: &str) -> Option<Arc<Instance>> {
    world.get(&ObjectKey::cluster_scoped(Kind::Node, name))?.view().ok()
}

/// Nodes that a cluster's or a provider's terms select; all of them without terms.
///
/// Where all alternatives ask for the value of a label, only nodes that have it are looked at.
#[must_use]
pub fn selected(world: &dyn World, terms: &[NodeSelectorTerm]) -> Vec<Arc<Instance>> {
    let labels: Option<BTreeSet<String>> = terms.iter().map(label_of).collect();
    let Some(labels) = labels.filter(|labels| !labels.is_empty()) else {
        let mut instances = instances(world);
        instances.retain(|instance| terms.is_empty() || instance.matches_any(terms));
        return instances;
    };
    let nodes = labels.into_iter().flat_map(|label| world.find(Kind::Node, None, &Term::Label(label)));
    // A node that two alternatives allow is one node.
    let nodes: BTreeMap<String, Arc<Stored>> = nodes.map(|node| (node.key.name.clone(), node)).collect();
    let instances = nodes.into_values().filter_map(|node| node.view::<Instance>().ok());
    instances.filter(|instance| instance.matches_any(terms)).collect()
}

/// A label that nodes of an alternative have for sure, as [`Term::Label`] spells it.
fn label_of(term: &NodeSelectorTerm) -> Option<String> {
    term.match_expressions.iter().find_map(|one| match (one.operator, one.values.as_slice()) {
        (NodeSelectorOperator::In, [value]) if one.key != labels::HOSTNAME => Some(format!("{}={value}", one.key)),
        _ => None,
    })
}

/// Whether there is a node with a label, whatever its value.
#[must_use]
pub fn any_node_has(world: &dyn World, key: &str) -> bool {
    world.last(Kind::Node, Term::Label, &format!("{key}=")).is_some()
}

/// What a node must not have to get new tasks. A cordoned node is kept free by the scheduler itself.
#[must_use]
pub fn not_draining() -> NodeSelectorRequirement {
    NodeSelectorRequirement {
        key: labels::CONTAINER_INSTANCE_STATUS.to_owned(),
        operator: NodeSelectorOperator::NotIn,
        values: vec![labels::DRAINING.to_owned()],
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
