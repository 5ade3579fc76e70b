//! Placement constraints and strategies as scheduling rules of the pod (ECS: task placement).
//!
//! None of this applies on Fargate. What is rendered here is frozen in the service revision: on ECS a changed placement
//! starts no deployment and moves nothing that runs. Constraints that compare values of nodes are frozen as they were written,
//! and are resolved for each task.

use std::sync::Arc;

use api::capacity_provider::NodeSelectorTerm;
use api::service::{
    PlacementConstraint, PlacementConstraintType, PlacementStrategy, PlacementStrategyType, ServiceSpec,
};
use api::task_definition::TaskDefinitionSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::capacity::Placement;
use crate::core::integration::Integration;
use crate::core::object::without_nothing;
use crate::core::report::{Finding, Refusal};
use crate::core::world::World;
use crate::core::{diff, labels};
use crate::nodes::attribute::{HOSTNAME, ZONE, label};
use crate::nodes::constraint::{self, Constraint, NodeRules};
use crate::nodes::instance::{self, Instance, NODE_TERMS};

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

/// The `memberOf` constraints of a service and its task definition.
pub(crate) fn constraints(request: PlacementRequest<'_>, task_definition: &TaskDefinitionSpec) -> Vec<Constraint> {
    let of_service = request.constraints.iter().map(|constraint| constraint.expression.as_ref());
    let of_task =
        task_definition.placement_constraints.iter().flatten().map(|constraint| constraint.expression.as_ref());
    let mut constraints = constraint::listed("spec.", of_service);
    constraints.extend(constraint::listed("spec.taskDefinition: ", of_task));
    constraints
}

/// Scheduling rules of constraints, all of which must hold. `is_resolved` says that those that compare values of nodes are
/// resolved now; the others follow from no node.
pub(crate) fn members_of(
    world: &dyn World,
    constraints: &[Constraint],
    is_resolved: bool,
) -> Result<NodeRules, Vec<Refusal>> {
    let nodes = if is_resolved { constraint::nodes(world, constraints) } else { Vec::new() };
    constraint::translate(constraints, &nodes)
}

/// What is reported of constraints that compare values of nodes, where the nodes are those of the moment at which a deployment
/// starts: a DaemonSet decides by its template which nodes get a task.
pub(crate) fn resolved_once(constraint: &Constraint) -> Finding {
    let why = "resolved over the nodes that exist when a deployment starts, since a DaemonSet needs to know them: nodes that join \
        later with another value are considered from the next deployment on";
    let path = constraint.path.trim_start_matches("spec.").to_owned();
    Finding { path, is_approximated: true, why: why.to_owned() }
}

/// Keeps the scheduler from looking for a node before the operator has said which ones a task may be on.
pub(crate) fn close_gate(pod_spec: &mut Map<String, Value>) {
    pod_spec.insert("schedulingGates".to_owned(), json!([{ "name": labels::PLACEMENT_GATE }]));
}

/// Whether a pod template is made with that gate.
pub(crate) fn is_gated(pod_spec: &Value) -> bool {
    let gates = pod_spec.get("schedulingGates").and_then(Value::as_array);
    let is_own = |gate: &Value| gate.get("name").and_then(Value::as_str) == Some(labels::PLACEMENT_GATE);
    gates.into_iter().flatten().any(is_own)
}

/// Where a task may be that is placed now.
pub(crate) struct Alternatives {
    /// `nodeSelectorTerms` of a required node affinity.
    pub(crate) terms: Vec<Value>,
    /// Whether there is a node that meets one of them.
    pub(crate) is_met: bool,
}

/// The nodes that are right for constraints, that a provider stands for, and that are not DRAINING.
pub(crate) fn alternatives(world: &dyn World, expressions: &[String], placement: &Placement) -> Alternatives {
    let nodes = instance::instances(world);
    let of_constraints: Vec<Value> =
        members_of_now(expressions, &nodes).iter().flatten().map(|term| json!(term)).collect();
    let terms = constraint::all_of(&of_constraints, &placement.node_selector_terms);
    let terms = constraint::all_of(&terms, &instance::without_draining(&[]));
    let typed: Vec<NodeSelectorTerm> =
        terms.iter().filter_map(|term| NodeSelectorTerm::deserialize(term).ok()).collect();
    Alternatives { is_met: nodes.iter().any(|node| node.matches_any(&typed)), terms }
}

/// What constraints of a running deployment come to over these nodes; `None` for any node.
pub(crate) fn members_of_now(expressions: &[String], nodes: &[Arc<Instance>]) -> Option<Vec<NodeSelectorTerm>> {
    let constraint = |expression: &String| Constraint { path: String::new(), expression: expression.clone() };
    let constraints: Vec<Constraint> = expressions.iter().map(constraint).collect();
    // They were translated before the deployment began, so this never fails.
    constraint::translate(&constraints, nodes).unwrap_or_default().terms
}

fn is_distinct_instance(request: PlacementRequest<'_>) -> bool {
    let constraints = request.constraints;
    constraints.iter().any(|constraint| constraint.type_ == Some(PlacementConstraintType::DistinctInstance))
}
