//! Capacity providers: which nodes a provider stands for.
//!
//! FARGATE and FARGATE_SPOT work on any cluster: where nodes carry Karpenter's or EKS's capacity type they mean
//! on-demand and spot nodes, elsewhere every node. Status says which.

use api::capacity_provider::{
    CapacityProviderSpec, CapacityProviderState, CapacityProviderStatus, CapacityType, NodeSelectorOperator,
    NodeSelectorRequirement, NodeSelectorTerm, NodeSource,
};
use api::cluster::ClusterSpec;
use api::conditions::{ConditionType, Reason};
use jiff::Timestamp;
use serde_json::json;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::op::{Op, Plan};
use crate::core::report::Conditions;
use crate::core::root::Root;
use crate::core::settings::Settings;
use crate::core::world::{Term, World};
use crate::nodes::instance::{instances, selected};
use crate::service::Placement;
use crate::support::{self, Document};
use crate::validate;

const KARPENTER_CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
const EKS_CAPACITY_TYPE: &str = "eks.amazonaws.com/capacityType";

/// The nodes of a provider, and how they were found.
#[derive(Clone, Debug, PartialEq)]
pub struct Nodes {
    /// Alternatives; empty for any node.
    pub terms: Vec<NodeSelectorTerm>,
    /// Where the terms come from.
    pub source: NodeSource,
    /// The same as scheduling rules, with the provider's tolerations.
    pub placement: Placement,
}

/// Which nodes a provider stands for now.
#[must_use]
pub fn placement(world: &dyn World, object_name: &str, spec: &CapacityProviderSpec) -> Nodes {
    let kubernetes = spec.kubernetes.clone().unwrap_or_default();
    let mut expressions: Vec<NodeSelectorRequirement> =
        kubernetes.node_selector.iter().flatten().map(|(key, value)| is_in(key, value)).collect();
    let mut terms = kubernetes.node_affinity.clone().unwrap_or_default();
    let mut source =
        if expressions.is_empty() && terms.is_empty() { NodeSource::AnyNode } else { NodeSource::NodeSelector };
    if let Some(capacity_type) = kubernetes.capacity_type {
        let is_spot = capacity_type == CapacityType::Spot;
        if any_node_has(world, KARPENTER_CAPACITY_TYPE) {
            expressions.push(is_in(KARPENTER_CAPACITY_TYPE, if is_spot { "spot" } else { "on-demand" }));
            source = NodeSource::KarpenterCapacityType;
        } else if any_node_has(world, EKS_CAPACITY_TYPE) {
            expressions.push(is_in(EKS_CAPACITY_TYPE, if is_spot { "SPOT" } else { "ON_DEMAND" }));
            source = NodeSource::EksCapacityType;
        }
    } else if source == NodeSource::AnyNode && kubernetes.predefined != Some(true) {
        // An Auto Scaling group has no counterpart here: its nodes are those an administrator labelled for it.
        expressions.push(is_in(labels::NODE_CAPACITY_PROVIDER, &ecs::name::label_value(object_name)));
        source = NodeSource::CapacityProviderLabel;
    }
    if !expressions.is_empty() {
        if terms.is_empty() {
            terms.push(NodeSelectorTerm::default());
        }
        // Terms are alternatives, so what every node must have goes into each of them.
        for term in &mut terms {
            term.match_expressions.splice(0..0, expressions.iter().cloned());
        }
    }
    let placement = Placement {
        node_selector_terms: terms.iter().map(|term| json!(term)).collect(),
        tolerations: kubernetes.tolerations.iter().flatten().map(|toleration| json!(toleration)).collect(),
    };
    Nodes { terms, source, placement }
}

/// The nodes of a cluster, for tasks without a provider.
#[must_use]
pub fn cluster_placement(cluster: &ClusterSpec) -> Placement {
    let terms = cluster_terms(cluster);
    Placement { node_selector_terms: terms.iter().map(|term| json!(term)).collect(), tolerations: Vec::new() }
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

/// Whether services of a namespace may name the provider. Without a list, all may.
#[must_use]
pub fn allows(spec: &CapacityProviderSpec, namespace: &str) -> bool {
    let list = spec.kubernetes.as_ref().and_then(|kubernetes| kubernetes.allowed_namespaces.as_ref());
    list.is_none_or(|allowed| allowed.iter().any(|allowed| allowed == namespace))
}

fn any_node_has(world: &dyn World, label: &str) -> bool {
    instances(world).iter().any(|instance| instance.labels.contains_key(label))
}

/// What to do about one provider now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, settings: &Settings, now: Timestamp) -> Plan {
    let Some(root) = Root::open(world, root) else { return Plan::default() };
    let Root { key, metadata, document, .. } = &root;
    let mut plan = root.plan();
    let previous: CapacityProviderStatus = root.previous_status();
    let ecs_name = root.ecs_name("name");
    let users = users(world, ecs_name);
    let mut conditions = Conditions::new(&previous.conditions, metadata.generation, now);
    if metadata.is_deleting() {
        return deleting(key, metadata, ecs_name, &users, previous, conditions, settings, plan);
    }
    if let Some(op) = add_finalizer(key, metadata) {
        plan.ops.push(op);
    }
    let mut refusals = validate::object(Kind::CapacityProvider, &root.object);
    // Names of providers are unique in a cluster: a second FARGATE must not draw anybody's tasks to its nodes.
    if let Some(other) = root.older_namesake(world, &[Term::EcsName(ecs_name.to_owned())]) {
        let message = format!("capacity provider {ecs_name} is ECSCapacityProvider {other} already");
        refusals.push(crate::core::report::Refusal {
            path: "spec.name".to_owned(),
            exception: Reason::NameTaken,
            message,
        });
    }
    let spec = serde_json::from_value::<CapacityProviderSpec>(document.clone());
    if let (Err(error), true) = (&spec, refusals.is_empty()) {
        refusals.push(crate::core::report::Refusal::invalid("spec", error.to_string()));
    }
    conditions.accept(&refusals);
    let mut status = CapacityProviderStatus {
        observed_generation: Some(metadata.generation),
        capacity_provider_arn: Some(settings.identity.capacity_provider_arn(ecs_name)),
        status: Some(CapacityProviderState::Active),
        ..previous
    };
    if let (Ok(spec), true) = (spec, refusals.is_empty()) {
        conditions.fields(&support::findings(Document::CapacityProvider, document));
        let nodes = placement(world, &key.name, &spec);
        let count = selected(world, &nodes.terms).len();
        if count > 0 {
            let message = "at least one node matches";
            conditions.set(ConditionType::CapacityAvailable, true, Reason::NodesAvailable, message);
        } else {
            let message = "no node matches; tasks of this provider wait until one does";
            conditions.set(ConditionType::CapacityAvailable, false, Reason::NoMatchingNodes, message);
        }
        conditions.ready(Reason::ReconcileCompleted, "services may use this provider");
        status.node_source = Some(nodes.source);
        status.node_selector_terms = nodes.terms;
        status.matching_nodes = i32::try_from(count).ok();
    }
    status.conditions = conditions.finish();
    plan.status = Some(serde_json::to_value(status).unwrap_or_default());
    plan
}

/// The finalizer that keeps a cluster or provider while it is used, if it is not there yet.
pub(crate) fn add_finalizer(root: &ObjectKey, metadata: &Metadata) -> Option<Op> {
    let has_it = metadata.finalizers.iter().any(|finalizer| finalizer == labels::FINALIZER);
    let finalizers = metadata.finalizers.iter().cloned().chain([labels::FINALIZER.to_owned()]).collect();
    (!has_it).then(|| Op::AddFinalizer {
        key: root.clone(),
        resource_version: metadata.resource_version.clone(),
        finalizers,
    })
}

/// Takes the finalizer off again, so that the server may remove the object.
pub(crate) fn remove_finalizer(root: &ObjectKey, metadata: &Metadata) -> Option<Op> {
    let rest: Vec<String> =
        metadata.finalizers.iter().filter(|finalizer| *finalizer != labels::FINALIZER).cloned().collect();
    (rest.len() < metadata.finalizers.len()).then(|| Op::RemoveFinalizer {
        key: root.clone(),
        resource_version: metadata.resource_version.clone(),
        finalizers: rest,
    })
}

#[allow(clippy::too_many_arguments)] // the parts of a plan that is nearly done
fn deleting(
    root: &ObjectKey,
    metadata: &Metadata,
    ecs_name: &str,
    users: &[String],
    previous: CapacityProviderStatus,
    mut conditions: Conditions,
    settings: &Settings,
    mut plan: Plan,
) -> Plan {
    if users.is_empty() {
        plan.ops.extend(remove_finalizer(root, metadata));
        return plan;
    }
    let message = format!("The capacity provider is in use: {}", users.join(", "));
    conditions.set(ConditionType::DeletionBlocked, true, Reason::CapacityProviderInUse, &message);
    conditions.stalled(Reason::Deleting, &message);
    let status = CapacityProviderStatus {
        observed_generation: Some(metadata.generation),
        capacity_provider_arn: Some(settings.identity.capacity_provider_arn(ecs_name)),
        status: Some(CapacityProviderState::Deprovisioning),
        conditions: conditions.finish(),
        ..previous
    };
    plan.status = Some(serde_json::to_value(status).unwrap_or_default());
    plan
}

/// Clusters and services that name the provider, at most ten for the message.
fn users(world: &dyn World, ecs_name: &str) -> Vec<String> {
    let term = Term::CapacityProvider(ecs_name.to_owned());
    [Kind::Cluster, Kind::Service]
        .into_iter()
        .flat_map(|kind| world.find(kind, None, &term))
        .filter(|stored| !Metadata::of(stored).is_deleting())
        .map(|stored| stored.key.to_string())
        .take(10)
        .collect()
}
