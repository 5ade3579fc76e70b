//! Capacity providers: which nodes a provider stands for.
//!
//! Status counts its nodes and says by which labels they belong to it.

use api::capacity_provider::{CapacityProviderSpec, CapacityProviderState, CapacityProviderStatus};
use api::conditions::{ConditionType, Reason};
use jiff::Timestamp;

use crate::capacity::{CAPACITY_LABELS, placement};
use crate::core::kind::{Kind, ObjectKey};
use crate::core::metadata::Metadata;
use crate::core::op::Plan;
use crate::core::report::Conditions;
use crate::core::root::{Root, add_finalizer, remove_finalizer};
use crate::core::settings::Settings;
use crate::core::world::{Term, World};
use crate::nodes::instance::{any_node_has, selected};
use crate::support::{self, Document};
use crate::validate;

/// What to do about one provider now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, settings: &Settings, now: Timestamp) -> Plan {
    let Some(root) = Root::open(world, root) else { return Plan::default() };
    let Root { key, metadata, document, .. } = &root;
    let mut plan = root.plan();
    let previous: CapacityProviderStatus = root.previous_status();
    let ecs_name = root.ecs_name("name");
    let mut conditions = Conditions::new(&previous.conditions, metadata.generation, now);
    if metadata.is_deleting() {
        return deleting(&root, &users(world, ecs_name), previous, conditions, settings);
    }
    if let Some(op) = add_finalizer(key, metadata) {
        plan.ops.push(op);
    }
    let mut refusals = validate::stored(&root.stored, &root.object);
    // Names of providers are unique in a cluster: a second FARGATE must not draw anybody's tasks to its nodes.
    if let Some(other) = root.older_namesake(world, &[Term::EcsName(ecs_name.to_owned())]) {
        let message = format!("ECSCapacityProvider {other} already has the ECS name {ecs_name}");
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
        plan.findings = support::findings(Document::CapacityProvider, document);
        conditions.fields(&plan.findings);
        let nodes = placement(&key.name, &spec);
        let count = selected(world, &nodes.terms).len();
        if count > 0 {
            let message = "at least one node matches";
            conditions.set(ConditionType::CapacityAvailable, true, Reason::NodesAvailable, message);
        } else {
            let message = "no node matches: tasks of this provider stay pending until one does";
            conditions.set(ConditionType::CapacityAvailable, false, Reason::NoMatchingNodes, message);
        }
        conditions.ready(Reason::ReconcileCompleted, "services may use this provider");
        let is_by_type = spec.kubernetes.is_some_and(|kubernetes| kubernetes.capacity_type.is_some());
        let said = CAPACITY_LABELS.iter().filter(|_| is_by_type).find(|label| any_node_has(world, label.key));
        status.node_source = Some(said.map_or(nodes.source, |label| label.source));
        status.node_selector_terms = nodes.terms;
        status.matching_nodes = i32::try_from(count).ok();
    } else {
        conditions.unjudged(&[ConditionType::CapacityAvailable]);
    }
    status.conditions = conditions.finish();
    plan.refusals = refusals;
    plan.status = serde_json::to_value(status).ok();
    plan
}

fn deleting(
    root: &Root,
    users: &[String],
    previous: CapacityProviderStatus,
    mut conditions: Conditions,
    settings: &Settings,
) -> Plan {
    let Root { key, metadata, .. } = root;
    let mut plan = root.plan();
    if users.is_empty() {
        plan.ops.extend(remove_finalizer(key, metadata));
        return plan;
    }
    let message = format!("The capacity provider is in use: {}", users.join(", "));
    conditions.set(ConditionType::DeletionBlocked, true, Reason::CapacityProviderInUse, &message);
    conditions.stalled(Reason::Deleting, &message);
    let status = CapacityProviderStatus {
        observed_generation: Some(metadata.generation),
        capacity_provider_arn: Some(settings.identity.capacity_provider_arn(root.ecs_name("name"))),
        status: Some(CapacityProviderState::Deprovisioning),
        conditions: conditions.finish(),
        ..previous
    };
    plan.status = serde_json::to_value(status).ok();
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
