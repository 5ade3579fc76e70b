//! Where tasks may run: the nodes behind a capacity provider or a cluster, and the shares of a strategy.
//!
//! FARGATE and FARGATE_SPOT work on any cluster: of nodes that say what they are, FARGATE means the on-demand and FARGATE_SPOT
//! the spot ones; nodes that say nothing belong to both. The terms are the same whatever nodes there are, so that nodes may
//! join, leave and be labelled at any time.

use api::capacity_provider::{
    CapacityProviderSpec, CapacityType, NodeSelectorOperator, NodeSelectorRequirement, NodeSelectorTerm, NodeSource,
};
use api::cluster::{ClusterCapacityProvider, ClusterCapacityProviderState, ClusterSpec};
use ecs::arn::last_segment;
use ecs::pattern::matches;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::policy::NamespacePolicy;
use crate::core::right::Right;
use crate::core::root::holder;
use crate::core::world::{Term, World};

/// One item of a capacity provider strategy with the nodes behind it. A service without strategy has one part without
/// provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapacityPart {
    /// ECS name of the provider; `None` for launch type EC2 and EXTERNAL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Tasks that go here before weights count.
    pub base: i64,
    /// Share of the rest.
    pub weight: i64,
    /// Required node affinity and tolerations.
    #[serde(default, skip_serializing_if = "Placement::is_anywhere")]
    pub placement: Placement,
}

/// The nodes a provider stands for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Placement {
    /// `nodeSelectorTerms` of a required node affinity; terms are alternatives. Empty: any node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node_selector_terms: Vec<Value>,
    /// Tolerations of the provider's taints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Value>,
}

impl Placement {
    /// Whether every node will do.
    #[must_use]
    pub fn is_anywhere(&self) -> bool {
        self.node_selector_terms.is_empty() && self.tolerations.is_empty()
    }
}

impl CapacityPart {
    /// The value of the capacity provider label.
    #[must_use]
    pub fn label(&self) -> String {
        self.provider.as_deref().map_or_else(|| NO_PROVIDER.to_owned(), ecs::name::label_value)
    }

    /// The part as the arithmetic of strategies knows it.
    #[must_use]
    pub fn item(&self) -> ecs::capacity::StrategyItem {
        ecs::capacity::StrategyItem {
            provider: self.provider.clone().unwrap_or_default(),
            base: self.base,
            weight: self.weight,
        }
    }
}

/// Label value of tasks that no capacity provider placed. A capacity provider named `none` would get the same label value, and
/// its tasks the same Deployment: the CRD does not reject that name.
pub(crate) const NO_PROVIDER: &str = "none";

/// A label by which nodes say whether they are on-demand or spot.
pub(crate) struct CapacityLabel {
    /// Name of the label.
    pub(crate) key: &'static str,
    /// How status names it.
    pub(crate) source: NodeSource,
    on_demand: &'static [&'static str],
    spot: &'static [&'static str],
}

/// Who labels nodes with their capacity type. GKE and AKS label spot nodes only: their other nodes say nothing.
pub(crate) const CAPACITY_LABELS: [CapacityLabel; 4] = [
    CapacityLabel {
        key: "karpenter.sh/capacity-type",
        source: NodeSource::KarpenterCapacityType,
        on_demand: &["on-demand", "reserved"],
        spot: &["spot"],
    },
    CapacityLabel {
        key: "eks.amazonaws.com/capacityType",
        source: NodeSource::EksCapacityType,
        on_demand: &["ON_DEMAND", "CAPACITY_BLOCK"],
        spot: &["SPOT"],
    },
    CapacityLabel { key: "cloud.google.com/gke-spot", source: NodeSource::GkeSpot, on_demand: &[], spot: &["true"] },
    CapacityLabel {
        key: "kubernetes.azure.com/scalesetpriority",
        source: NodeSource::AksScaleSetPriority,
        on_demand: &[],
        spot: &["spot"],
    },
];

/// Alternatives for the nodes of a capacity type: a label says so, or none says anything.
fn terms_of(capacity_type: CapacityType) -> Vec<NodeSelectorTerm> {
    let is_spot = capacity_type == CapacityType::Spot;
    let values = |label: &CapacityLabel| if is_spot { label.spot } else { label.on_demand };
    let labelled = CAPACITY_LABELS.iter().filter(|label| !values(label).is_empty()).map(|label| {
        let values = values(label).iter().map(|value| (*value).to_owned()).collect();
        vec![NodeSelectorRequirement { key: label.key.to_owned(), operator: NodeSelectorOperator::In, values }]
    });
    let absent = |label: &CapacityLabel| NodeSelectorRequirement {
        key: label.key.to_owned(),
        operator: NodeSelectorOperator::DoesNotExist,
        values: Vec::new(),
    };
    let unlabelled = CAPACITY_LABELS.iter().map(absent).collect();
    labelled.chain([unlabelled]).map(|match_expressions| NodeSelectorTerm { match_expressions }).collect()
}

/// Taints with which GKE and AKS keep tasks off spot nodes that do not ask for them.
fn spot_tolerations() -> [Value; 2] {
    [("cloud.google.com/gke-spot", "true"), ("kubernetes.azure.com/scalesetpriority", "spot")]
        .map(|(key, value)| json!({ "key": key, "operator": "Equal", "value": value, "effect": "NoSchedule" }))
}

/// What lets tasks of a provider onto its nodes.
pub(crate) fn tolerations(spec: &CapacityProviderSpec) -> Vec<Value> {
    let kubernetes = spec.kubernetes.as_ref();
    let own = kubernetes.and_then(|kubernetes| kubernetes.tolerations.as_ref()).into_iter().flatten();
    let is_spot = kubernetes.is_some_and(|kubernetes| kubernetes.capacity_type == Some(CapacityType::Spot));
    own.map(|toleration| json!(toleration)).chain(is_spot.then(spot_tolerations).into_iter().flatten()).collect()
}

/// The nodes of a provider, and how they are found.
#[derive(Clone, Debug, PartialEq)]
pub struct Nodes {
    /// Alternatives; empty for any node.
    pub terms: Vec<NodeSelectorTerm>,
    /// Where the terms come from.
    pub source: NodeSource,
    /// The same as scheduling rules, with the provider's tolerations.
    pub placement: Placement,
}

/// Which nodes a provider stands for.
#[must_use]
pub fn placement(object_name: &str, spec: &CapacityProviderSpec) -> Nodes {
    let kubernetes = spec.kubernetes.clone().unwrap_or_default();
    let mut expressions: Vec<NodeSelectorRequirement> =
        kubernetes.node_selector.iter().flatten().map(|(key, value)| is_in(key, value)).collect();
    let mut terms = kubernetes.node_affinity.clone().unwrap_or_default();
    let mut source =
        if expressions.is_empty() && terms.is_empty() { NodeSource::AnyNode } else { NodeSource::NodeSelector };
    if let Some(capacity_type) = kubernetes.capacity_type {
        terms = both(terms, terms_of(capacity_type));
    } else if source == NodeSource::AnyNode && kubernetes.predefined != Some(true) {
        // An Auto Scaling group has no counterpart here: its nodes are those an administrator labelled for it.
        expressions.push(is_in(labels::NODE_CAPACITY_PROVIDER, &ecs::name::label_value(object_name)));
        source = NodeSource::CapacityProviderLabel;
    }
    if !expressions.is_empty() {
        terms = both(vec![NodeSelectorTerm { match_expressions: expressions }], terms);
    }
    let placement = Placement {
        node_selector_terms: terms.iter().map(|term| json!(term)).collect(),
        tolerations: tolerations(spec),
    };
    Nodes { terms, source, placement }
}

/// Alternatives that hold when one of each list does. A list without any asks for nothing.
fn both(one: Vec<NodeSelectorTerm>, other: Vec<NodeSelectorTerm>) -> Vec<NodeSelectorTerm> {
    if one.is_empty() || other.is_empty() {
        return [one, other].concat();
    }
    let with = |first: &NodeSelectorTerm, second: &NodeSelectorTerm| NodeSelectorTerm {
        match_expressions: [first.match_expressions.as_slice(), &second.match_expressions].concat(),
    };
    one.iter().flat_map(|first| other.iter().map(|second| with(first, second))).collect()
}

/// The nodes of a cluster, for tasks without a provider.
#[must_use]
pub fn cluster_placement(cluster: &ClusterSpec) -> Placement {
    let terms = cluster_terms(cluster);
    Placement { node_selector_terms: terms.iter().map(|term| json!(term)).collect(), tolerations: Vec::new() }
}

/// What a cluster's node selector needs, by label.
pub(crate) fn selector_rights(cluster: &ClusterSpec) -> impl Iterator<Item = (String, Right)> + '_ {
    let selector = cluster.kubernetes.as_ref().and_then(|kubernetes| kubernetes.node_selector.as_ref());
    let right = |key: &String, value: &String| Right::NodeLabel { key: key.clone(), value: value.clone() };
    selector.into_iter().flatten().map(move |(key, value)| (key.clone(), right(key, value)))
}

/// A cluster's node selector as terms; empty for all nodes.
#[must_use]
pub fn cluster_terms(cluster: &ClusterSpec) -> Vec<NodeSelectorTerm> {
    let selector = cluster.kubernetes.as_ref().and_then(|kubernetes| kubernetes.node_selector.as_ref());
    let match_expressions: Vec<_> = selector.into_iter().flatten().map(|(key, value)| is_in(key, value)).collect();
    if match_expressions.is_empty() { Vec::new() } else { vec![NodeSelectorTerm { match_expressions }] }
}

fn is_in(key: &str, value: &str) -> NodeSelectorRequirement {
    NodeSelectorRequirement { key: key.to_owned(), operator: NodeSelectorOperator::In, values: vec![value.to_owned()] }
}

/// Why services of a namespace may not name the provider, if they may not. It says itself who may; where it says nothing,
/// the Namespace has to list it, unless it is one of the two that exist on ECS without being created.
#[must_use]
pub fn refusal(spec: &CapacityProviderSpec, name: &str, namespace: &str, policy: &NamespacePolicy) -> Option<String> {
    let kubernetes = spec.kubernetes.as_ref();
    if let Some(allowed) = kubernetes.and_then(|kubernetes| kubernetes.allowed_namespaces.as_ref()) {
        let is_allowed = allowed.iter().any(|pattern| matches(pattern, namespace));
        return (!is_allowed).then(|| format!("capacity provider {name} does not allow namespace {namespace}"));
    }
    if kubernetes.is_some_and(|kubernetes| kubernetes.predefined == Some(true)) {
        return None;
    }
    let message = policy.refusal(namespace, &Right::CapacityProvider(name.to_owned()))?;
    Some(format!("{message}, or list the namespace in kubernetes.allowedNamespaces of the ECSCapacityProvider"))
}

/// A capacity provider and the name of its object.
pub(crate) struct Provider {
    pub(crate) object_name: String,
    pub(crate) spec: CapacityProviderSpec,
}

/// The capacity provider with an ECS name.
///
/// # Errors
/// When there is none, or it cannot be read.
pub(crate) fn provider(world: &dyn World, name: &str) -> Result<Provider, String> {
    #[derive(Deserialize)]
    struct WithSpec {
        spec: CapacityProviderSpec,
    }
    let stored = holder(world, Kind::CapacityProvider, None, &[Term::EcsName(name.to_owned())])
        .ok_or_else(|| format!("capacity provider {name} not found: no ECSCapacityProvider has this name"))?;
    let WithSpec { spec } = stored.decode().map_err(|error| format!("capacity provider {name}: {error}"))?;
    Ok(Provider { object_name: stored.key.name.clone(), spec })
}

/// The nodes of the provider with a label value, see [`CapacityPart::label`]; any node for tasks without a provider. `None` if
/// there is no such provider any more.
pub(crate) fn placement_of_label(world: &dyn World, label: &str) -> Option<Placement> {
    if label == NO_PROVIDER {
        return Some(Placement::default());
    }
    let providers = world.list(Kind::CapacityProvider, None);
    let names = providers.iter().flat_map(|stored| &stored.terms).filter_map(|term| match term {
        Term::EcsName(name) => Some(name),
        _ => None,
    });
    let name = names.into_iter().find(|name| ecs::name::label_value(name) == label)?;
    let provider = provider(world, name).ok()?;
    Some(placement(&provider.object_name, &provider.spec).placement)
}

/// Whether services may name a provider that the cluster lists, or listed while tasks of it still run.
#[must_use]
pub(crate) fn is_associated(spec: &ClusterSpec, providers: &[ClusterCapacityProvider], name: &str) -> bool {
    let is_listed = spec.capacity_providers.iter().flatten().any(|provider| last_segment(provider) == name);
    let is_kept = |provider: &ClusterCapacityProvider| {
        // Before the cluster's own status has followed its spec, what it says was true a moment ago.
        provider.name == name
            && matches!(provider.state, ClusterCapacityProviderState::InUse | ClusterCapacityProviderState::Associated)
    };
    is_listed || providers.iter().any(is_kept)
}
