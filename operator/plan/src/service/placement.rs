//! Placement constraints and strategies as scheduling rules of the pod (ECS: task placement).
//!
//! None of this applies on Fargate. What is rendered here is frozen in the service revision: on ECS a changed placement
//! starts no deployment and moves nothing that runs.

use api::service::{PlacementConstraintType, PlacementStrategyType, ServiceSpec};
use serde_json::{Map, Value, json};

use crate::labels;

const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";
/// Custom attributes of container instances are node labels below this prefix.
const ATTRIBUTE_PREFIX: &str = "attributes.ecs-operator.dev/";

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
    let attribute = field.strip_prefix("attribute:").unwrap_or(field);
    match attribute {
        "instanceId" | "host" => HOSTNAME.to_owned(),
        "ecs.availability-zone" => ZONE.to_owned(),
        "ecs.instance-type" => "node.kubernetes.io/instance-type".to_owned(),
        "ecs.os-type" => "kubernetes.io/os".to_owned(),
        "ecs.cpu-architecture" => "kubernetes.io/arch".to_owned(),
        custom => format!("{ATTRIBUTE_PREFIX}{}", ecs::name::label_value(custom)),
    }
}

fn is_distinct_instance(spec: &ServiceSpec) -> bool {
    let constraints = spec.placement_constraints.as_deref().unwrap_or_default();
    constraints.iter().any(|constraint| constraint.type_ == Some(PlacementConstraintType::DistinctInstance))
}
