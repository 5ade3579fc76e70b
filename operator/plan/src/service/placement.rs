//! Placement constraints and strategies as scheduling rules of the pod (ECS: task placement).
//!
//! None of this applies on Fargate. What is rendered here is frozen in the service revision: on ECS a changed placement
//! starts no deployment and moves nothing that runs.

use api::service::{PlacementConstraintType, PlacementStrategyType, ServiceSpec};
use api::task_definition::TaskDefinitionSpec;
use serde_json::{Map, Value, json};

use crate::attribute::{HOSTNAME, ZONE, label};
use crate::constraint::{self, NodeRules};
use crate::labels;
use crate::report::Refusal;
use crate::world::World;

/// Adds topology spread and anti-affinity to a pod spec.
pub(super) fn apply(spec: &ServiceSpec, is_fargate: bool, service_label: &str, pod_spec: &mut Map<String, Value>) {
    let topologies = if is_fargate { vec![ZONE.to_owned()] } else { topologies(spec) };
    let spread: Vec<Value> = topologies.iter().map(|topology| spread(topology, service_label)).collect();
    if !spread.is_empty() {
        pod_spec.insert("topologySpreadConstraints".to_owned(), Value::Array(spread));
    }
    if !is_fargate && is_distinct_instance(spec) {
        // The group is the whole service: the selector leaves the revision out on purpose.
        let term = json!({
            "topologyKey": HOSTNAME,
            "labelSelector": { "matchLabels": { labels::SERVICE: service_label } },
        });
        let affinity = json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } });
        pod_spec.insert("affinity".to_owned(), affinity);
    }
}

/// Balances tasks of the service, all revisions, over a topology without ever refusing a node.
fn spread(topology: &str, service_label: &str) -> Value {
    json!({
        "maxSkew": 1,
        "topologyKey": topology,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": { "matchLabels": { labels::SERVICE: service_label } },
        "nodeAffinityPolicy": "Honor",
        "nodeTaintsPolicy": "Honor",
    })
}

/// Node labels to spread over, in the order of the strategy. Without a strategy ECS spreads over zones, then prefers the
/// instance with the fewest tasks of the service.
fn topologies(spec: &ServiceSpec) -> Vec<String> {
    let strategies = spec.placement_strategy.as_deref().unwrap_or_default();
    if strategies.is_empty() {
        return vec![ZONE.to_owned(), HOSTNAME.to_owned()];
    }
    let mut topologies: Vec<String> = strategies
        .iter()
        .filter(|strategy| strategy.type_ == Some(PlacementStrategyType::Spread))
        .filter_map(|strategy| strategy.field.as_deref().map(topology_of))
        .collect();
    topologies.dedup();
    topologies
}

/// The node label behind a spread field.
fn topology_of(field: &str) -> String {
    match field.strip_prefix("attribute:").unwrap_or(field) {
        "instanceId" | "host" => HOSTNAME.to_owned(),
        attribute => label(attribute),
    }
}

/// Scheduling rules of the `memberOf` constraints of a service and its task definition, all of which must hold.
pub(super) fn members_of(
    world: &dyn World,
    spec: &ServiceSpec,
    task_definition: &TaskDefinitionSpec,
) -> Result<NodeRules, Vec<Refusal>> {
    let of_service = spec.placement_constraints.iter().flatten().map(|constraint| constraint.expression.as_ref());
    let of_task =
        task_definition.placement_constraints.iter().flatten().map(|constraint| constraint.expression.as_ref());
    let mut constraints = constraint::listed("spec.", of_service);
    constraints.extend(constraint::listed("spec.taskDefinition: ", of_task));
    if constraints.is_empty() {
        // Most services: all nodes need not be read for each of their reconciles.
        return Ok(NodeRules::default());
    }
    constraint::translate(&constraints, &constraint::nodes(world))
}

fn is_distinct_instance(spec: &ServiceSpec) -> bool {
    let constraints = spec.placement_constraints.as_deref().unwrap_or_default();
    constraints.iter().any(|constraint| constraint.type_ == Some(PlacementConstraintType::DistinctInstance))
}
