//! Placement constraints and strategies as scheduling rules of the pod (ECS: task placement).
//!
//! None of this applies on Fargate. What is rendered here is frozen in the service revision: on ECS a changed placement
//! starts no deployment and moves nothing that runs.

use api::service::{
    PlacementConstraint, PlacementConstraintType, PlacementStrategy, PlacementStrategyType, ServiceSpec,
};
use api::task_definition::TaskDefinitionSpec;
use serde_json::{Map, Value, json};

use crate::core::integration::Integration;
use crate::core::object::without_nothing;
use crate::core::report::{Finding, Refusal};
use crate::core::world::World;
use crate::core::{diff, labels};
use crate::nodes::attribute::{HOSTNAME, ZONE, label};
use crate::nodes::constraint::{self, NodeRules};
use crate::nodes::instance::{self, NODE_TERMS};

/// What somebody who launches tasks asks for: the members of CreateService and RunTask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlacementRequest<'a> {
    /// `placementConstraints`
    pub(crate) constraints: &'a [PlacementConstraint],
    /// `placementStrategy`
    pub(crate) strategies: &'a [PlacementStrategy],
}

impl<'a> PlacementRequest<'a> {
    /// The request of a service.
    pub(crate) fn of(spec: &'a ServiceSpec) -> Self {
        Self {
            constraints: spec.placement_constraints.as_deref().unwrap_or_default(),
            strategies: spec.placement_strategy.as_deref().unwrap_or_default(),
        }
    }
}

/// Adds topology spread, affinity between tasks and the scheduler to a pod spec. `has_profiles` says that the cluster has
/// the scheduler profiles that pack nodes.
pub(crate) fn apply(
    request: PlacementRequest<'_>,
    is_fargate: bool,
    has_profiles: bool,
    service_label: &str,
    pod_spec: &mut Map<String, Value>,
) {
    let topologies = if is_fargate { vec![ZONE.to_owned()] } else { topologies(request) };
    let spread: Vec<Value> = topologies.iter().map(|topology| spread(topology, service_label)).collect();
    if !spread.is_empty() {
        pod_spec.insert("topologySpreadConstraints".to_owned(), Value::Array(spread));
    }
    if !is_fargate && is_distinct_instance(request) {
        // The group is the whole service: the selector leaves the revision out on purpose.
        let term = json!({
            "topologyKey": HOSTNAME,
            "labelSelector": { "matchLabels": { labels::SERVICE: service_label } },
        });
        let affinity = json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } });
        pod_spec.insert("affinity".to_owned(), affinity);
    }
    match packing(request).filter(|_| !is_fargate).map(|packing| packing.acts(request, has_profiles)) {
        Some(Acts::ByProfile(profile)) => drop(pod_spec.insert("schedulerName".to_owned(), Value::from(profile))),
        Some(Acts::ByAttraction) => {
            let term = json!({ "weight": 100, "podAffinityTerm": {
                "topologyKey": HOSTNAME,
                "labelSelector": { "matchLabels": { labels::SERVICE: service_label } },
            } });
            let affinity = json!({ "podAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [term] } });
            pod_spec.insert("affinity".to_owned(), affinity);
        }
        Some(Acts::Not) | None => {}
    }
}

/// A `binpack` strategy that decides something.
struct Packing {
    /// Its place in the list.
    index: usize,
    /// `cpu` or `memory`.
    field: String,
    /// Whether tasks are spread before they are packed.
    is_spread_first: bool,
}

/// What a `binpack` strategy becomes.
#[derive(Debug, PartialEq, Eq)]
enum Acts {
    /// A scheduler profile that fills the fullest node first.
    ByProfile(String),
    /// The default scheduler likes nodes that have tasks of the service.
    ByAttraction,
    /// Nothing.
    Not,
}

/// The first `binpack` of the list. After `random` nothing is left to decide.
fn packing(request: PlacementRequest<'_>) -> Option<Packing> {
    let strategies = request.strategies;
    let decides = |strategy: &&PlacementStrategy| strategy.type_ != Some(PlacementStrategyType::Random);
    let before_random = strategies.iter().take_while(decides).enumerate();
    let (index, strategy) =
        before_random.into_iter().find(|(_, strategy)| strategy.type_ == Some(PlacementStrategyType::Binpack))?;
    // The rules of the definition allow these two only.
    let field = strategy.field.as_deref().unwrap_or_default().to_ascii_lowercase();
    let is_known = field == "cpu" || field == "memory";
    is_known.then_some(Packing { index, field, is_spread_first: index > 0 })
}

impl Packing {
    fn acts(&self, request: PlacementRequest<'_>, has_profiles: bool) -> Acts {
        match has_profiles {
            true if self.is_spread_first => Acts::ByProfile(format!("ecs-spread-binpack-{}", self.field)),
            true => Acts::ByProfile(format!("ecs-binpack-{}", self.field)),
            // An attraction is as strong as a spread and would act against it; and distinct instances have nothing to draw
            // tasks to.
            false if self.is_spread_first || is_distinct_instance(request) => Acts::Not,
            false => Acts::ByAttraction,
        }
    }
}

/// The findings with what a `binpack` strategy comes to, in place of what the registry of fields says of it in general.
pub(crate) fn tell_packing(
    request: PlacementRequest<'_>,
    has_profiles: bool,
    mut findings: Vec<Finding>,
) -> Vec<Finding> {
    let Some(packing) = packing(request) else { return findings };
    let path = format!("placementStrategy[{}].type", packing.index);
    let acts = packing.acts(request, has_profiles);
    if acts != Acts::ByAttraction {
        findings.retain(|finding| finding.path != path);
    }
    if acts == Acts::Not {
        let why = Integration::BinpackScheduler.row().missing.to_owned();
        findings.push(Finding { path, is_approximated: false, why });
    }
    findings
}

/// Hash of what the spec says about placement: another one begins to act with the next deployment.
pub(crate) fn request_hash(document: &Value) -> String {
    let field = |name: &str| document.get(name).cloned().unwrap_or_default();
    diff::hash(&without_nothing(&json!({
        "placementConstraints": field("placementConstraints"),
        "placementStrategy": field("placementStrategy"),
    })))
}

/// New tasks are not placed on an instance that an administrator's label says is DRAINING. A cordoned one is kept free by
/// the scheduler itself.
pub(crate) fn keep_off_draining_instances(pod_spec: &mut Map<String, Value>) {
    let affinity = pod_spec.get("affinity");
    let terms = affinity.and_then(|affinity| affinity.pointer(NODE_TERMS)).and_then(Value::as_array);
    let terms = constraint::all_of(terms.map(Vec::as_slice).unwrap_or_default(), &instance::without_draining(&[]));
    let affinity = pod_spec.entry("affinity").or_insert_with(|| json!({}));
    if let Some(affinity) = affinity.as_object_mut() {
        let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } });
        affinity.insert("nodeAffinity".to_owned(), required);
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
fn topologies(request: PlacementRequest<'_>) -> Vec<String> {
    let strategies = request.strategies;
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
pub(crate) fn members_of(
    world: &dyn World,
    request: PlacementRequest<'_>,
    task_definition: &TaskDefinitionSpec,
) -> Result<NodeRules, Vec<Refusal>> {
    let of_service = request.constraints.iter().map(|constraint| constraint.expression.as_ref());
    let of_task =
        task_definition.placement_constraints.iter().flatten().map(|constraint| constraint.expression.as_ref());
    let mut constraints = constraint::listed("spec.", of_service);
    constraints.extend(constraint::listed("spec.taskDefinition: ", of_task));
    if constraints.is_empty() {
        return Ok(NodeRules::default());
    }
    constraint::translate(&constraints, &constraint::nodes(world, &constraints))
}

fn is_distinct_instance(request: PlacementRequest<'_>) -> bool {
    let constraints = request.constraints;
    constraints.iter().any(|constraint| constraint.type_ == Some(PlacementConstraintType::DistinctInstance))
}
