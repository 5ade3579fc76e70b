//! Scalable targets: target tracking as a HorizontalPodAutoscaler on the ECSService's scale subresource.
//!
//! The HorizontalPodAutoscaler is the only one that moves the count: the operator splits what it is told and never writes
//! `spec.desiredCount`.

mod tracking;

use std::sync::Arc;

use api::conditions::{ConditionStatus, ConditionType, Reason};
use api::scalable_target::{MetricType, ScalableTargetSpec, ScalableTargetStatus, ScalingPolicy};
use api::service::{DeploymentRolloutState, ServiceStatus};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::diff::{Difference, first_difference, seal};
use crate::core::facts::ClusterFeatures;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::metadata::Metadata;
use crate::core::object::{child, owner_reference, put};
use crate::core::op::{FIELD_MANAGER, Op, Plan};
use crate::core::quantity::milli;
use crate::core::report::{Conditions, Finding, Refusal};
use crate::core::root::{Root, holder};
use crate::core::settings::Settings;
use crate::core::store::Stored;
use crate::core::world::{Term, World};
use crate::support::{self, Document};
use crate::validate;
use tracking::{Behavior, Metric, PolicyKind, ScalingRule, TargetTracking, average_utilization, behavior};

/// What is read of the service.
#[derive(Deserialize)]
struct ServiceView {
    #[serde(default)]
    spec: ServiceCount,
    #[serde(default)]
    status: Option<ServiceStatus>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceCount {
    #[serde(default)]
    desired_count: Option<i64>,
}

/// What is read of the HorizontalPodAutoscaler's status.
#[derive(Default, Deserialize)]
#[serde(default)]
struct AutoscalerView {
    status: AutoscalerStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AutoscalerStatus {
    current_replicas: Option<i32>,
    desired_replicas: Option<i32>,
    conditions: Vec<AutoscalerCondition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AutoscalerCondition {
    r#type: String,
    status: String,
    message: String,
}

/// A policy that a HorizontalPodAutoscaler can carry out.
struct Tracked {
    policy: TargetTracking,
    percent: i64,
}

/// What to do about one scalable target now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, settings: &Settings, now: Timestamp) -> Plan {
    let Some(root) = Root::open(world, root).filter(|root| !root.metadata.is_deleting()) else {
        return Plan::default();
    };
    let Root { key, metadata, document, .. } = &root;
    let mut plan = root.plan();
    let previous: ScalableTargetStatus = root.previous_status();
    let mut conditions = Conditions::new(&previous.conditions, metadata.generation, now);
    let mut status =
        ScalableTargetStatus { observed_generation: Some(metadata.generation), ..ScalableTargetStatus::default() };

    let mut refusals = validate::stored(&root.stored, &root.object);
    refusals.extend(scaled_already(world, &root));
    let spec = serde_json::from_value::<ScalableTargetSpec>(document.clone());
    if let (Err(error), true) = (&spec, refusals.is_empty()) {
        refusals.push(Refusal::invalid("spec", error.to_string()));
    }
    conditions.accept(&refusals);
    if !refusals.is_empty() {
        conditions.unjudged(&[ConditionType::ScalingActive]);
    }
    if let (Ok(spec), true) = (spec, refusals.is_empty()) {
        status.resource_id = Some(spec.resource_id.clone());
        status.scalable_target_arn = Some(settings.identity.scalable_target_arn(&spec.resource_id));
        let mut findings = support::findings(Document::ScalableTarget, document);
        let tracked = tracked(&spec, &settings.facts, &mut findings);
        conditions.fields(&findings);
        plan.findings = findings;
        match service(world, key, &spec) {
            None => {
                let message = format!("ECS service doesn't exist: {}", spec.resource_id);
                conditions.set(ConditionType::Accepted, false, Reason::ServiceNotFoundException, &message);
                conditions.set(ConditionType::ScalingActive, false, Reason::ServiceNotFoundException, &message);
                conditions.progressing(Reason::ServiceNotFoundException, &message);
            }
            Some(service) if service.terms.contains(&Term::Daemon) => {
                let refusal = daemon_is_not_scaled(&spec);
                conditions.set(ConditionType::ScalingActive, false, refusal.exception, refusal.to_string());
                refusals.push(refusal);
                conditions.accept(&refusals);
                conditions.fields(&plan.findings);
            }
            Some(service) => {
                let wanted = Wanted { spec: &spec, service: &service, tracked: &tracked, facts: &settings.facts };
                let scaling = scale(world, &root, &wanted);
                status.service = Some(service.key.name.clone());
                status.hpa = scaling.autoscaler;
                status.current_replicas = scaling.replicas.and_then(|(current, _)| current);
                status.desired_replicas = scaling.replicas.and_then(|(_, desired)| desired);
                let Active { status: is_active, reason, message } = scaling.active;
                conditions.set(ConditionType::ScalingActive, is_active, reason, &message);
                if scaling.is_in_place {
                    // Metrics come and go with tasks; the target itself is in place.
                    conditions.ready(Reason::ReconcileCompleted, "the autoscaler is in place");
                } else {
                    conditions.stalled(reason, &message);
                }
                plan.ops.extend(scaling.op);
            }
        }
    }
    status.conditions = conditions.finish();
    plan.refusals = refusals;
    plan.status = serde_json::to_value(status).ok();
    plan
}

fn daemon_is_not_scaled(spec: &ScalableTargetSpec) -> Refusal {
    Refusal {
        path: "spec.ResourceId".to_owned(),
        exception: Reason::ValidationException,
        message: format!(
            "services with the DAEMON scheduling strategy have one task on each eligible instance and cannot be scaled: {}",
            spec.resource_id
        ),
    }
}

/// What a HorizontalPodAutoscaler is made of.
struct Wanted<'a> {
    spec: &'a ScalableTargetSpec,
    service: &'a Stored,
    tracked: &'a [Tracked],
    facts: &'a ClusterFeatures,
}

/// What scaling comes to.
struct Scaling {
    /// The write that brings it about.
    op: Option<Op>,
    /// Name of the HorizontalPodAutoscaler.
    autoscaler: Option<String>,
    /// Current and desired replicas as the autoscaler reports them.
    replicas: Option<(Option<i32>, Option<i32>)>,
    /// `ScalingActive`
    active: Active,
    /// There is an autoscaler of ours; otherwise somebody has to act.
    is_in_place: bool,
}

struct Active {
    status: ConditionStatus,
    reason: Reason,
    message: String,
}

impl Active {
    fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, reason, message: message.into() }
    }
}

fn scale(world: &dyn World, root: &Root, wanted: &Wanted<'_>) -> Scaling {
    let namespace = root.key.namespace.as_deref().unwrap_or_default();
    let name = ecs::name::dns_label(&root.key.name, 63);
    let key = ObjectKey::namespaced(Kind::HorizontalPodAutoscaler, namespace, name.clone());
    let live = world.get(&key);
    let is_ours = |live: &Stored| Metadata::of(live).is_owned_by(&root.metadata.uid);
    let nothing = |active| Scaling { op: None, autoscaler: None, replicas: None, active, is_in_place: false };
    if wanted.tracked.is_empty() {
        let message = "no target tracking policy on CPU or memory: nothing scales the service";
        let op = live.filter(|live| is_ours(live)).map(|live| Op::delete(&live));
        return Scaling { op, ..nothing(Active::no(Reason::ScalingUnavailable, message)) };
    }
    if live.as_ref().is_some_and(|live| !is_ours(live)) {
        let active = Active::no(Reason::ConflictingObject, format!("{key} exists and has another owner"));
        return Scaling { autoscaler: Some(name), ..nothing(active) };
    }
    let mut body = autoscaler(&key, &root.metadata, wanted);
    seal(&mut body);
    let (op, view) = match live {
        Some(live) => {
            let manager = FIELD_MANAGER.to_owned();
            let difference = first_difference(&body, &live.value());
            let op = difference.map(|Difference(because)| Op::Apply { key, body, manager, because });
            (op, live.decode().unwrap_or_default())
        }
        // The status is written after this create and only if it succeeded, so that it need not be written twice.
        None => (Some(Op::Create { key, body }), AutoscalerView::default()),
    };
    let AutoscalerView { status } = view;
    // The server stores a new autoscaler with zeros; they mean something once the autoscaler has looked.
    let has_looked = !status.conditions.is_empty();
    Scaling {
        op,
        autoscaler: Some(name),
        replicas: has_looked.then_some((status.current_replicas, status.desired_replicas)),
        active: active(wanted, &status),
        is_in_place: true,
    }
}

/// Whether the service is scaled now, as the autoscaler sees it.
fn active(wanted: &Wanted<'_>, autoscaler: &AutoscalerStatus) -> Active {
    let suspended = wanted.spec.suspended_state.clone().unwrap_or_default();
    if suspended.dynamic_scaling_in_suspended == Some(true) && suspended.dynamic_scaling_out_suspended == Some(true) {
        return Active::no(Reason::ScalingSuspended, "scaling in and out is suspended");
    }
    if !names_a_count(wanted.service) {
        let message = format!(
            "autoscalers need spec.desiredCount, which ECSService {} does not have: scale it once (kubectl scale)",
            wanted.service.key.name
        );
        return Active::no(Reason::ScalingUnavailable, message);
    }
    match autoscaler.conditions.iter().find(|condition| condition.r#type == "ScalingActive") {
        Some(active) if active.status == "True" => Active {
            status: ConditionStatus::True,
            reason: Reason::ScalingActive,
            message: "the autoscaler reads its metrics".to_owned(),
        },
        Some(active) => Active::no(Reason::ScalingUnavailable, active.message.as_str()),
        None => Active {
            status: ConditionStatus::Unknown,
            reason: Reason::Progressing,
            message: "the autoscaler has not reported yet".to_owned(),
        },
    }
}

/// Whether the server can read the scale of a service.
fn names_a_count(service: &Stored) -> bool {
    service.decode::<ServiceView>().is_ok_and(|view| view.spec.desired_count.is_some())
}

/// The service of `service/<cluster>/<service>` in the same namespace.
fn service(world: &dyn World, root: &ObjectKey, spec: &ScalableTargetSpec) -> Option<Arc<Stored>> {
    let (cluster, service) = ecs::arn::service_resource(&spec.resource_id)?;
    let terms = [Term::EcsName(service.to_owned()), Term::Cluster(cluster.to_owned())];
    holder(world, Kind::Service, root.namespace.as_deref(), &terms)
}

/// Two autoscalers on one count would fight.
fn scaled_already(world: &dyn World, root: &Root) -> Option<Refusal> {
    let (cluster, service) = ecs::arn::service_resource(root.document.get("ResourceId")?.as_str()?)?;
    let terms = [Term::ScaledService(service.to_owned()), Term::Cluster(cluster.to_owned())];
    root.older_namesake(world, &terms).map(|other| Refusal {
        path: "spec.ResourceId".to_owned(),
        exception: Reason::NameTaken,
        message: format!("ECSScalableTarget {other} already scales the service"),
    })
}

/// The policies an autoscaler can carry out. The others are in the support registry and reported from there.
fn tracked(spec: &ScalableTargetSpec, facts: &ClusterFeatures, findings: &mut Vec<Finding>) -> Vec<Tracked> {
    let policies = spec.scaling_policies.as_deref().unwrap_or_default();
    if spec.min_capacity == 0 {
        findings.push(Finding {
            path: "MinCapacity".to_owned(),
            is_approximated: true,
            why: "a HorizontalPodAutoscaler keeps at least one task".to_owned(),
        });
    }
    policies.iter().enumerate().filter_map(|(index, policy)| track(index, policy, facts, findings)).collect()
}

/// What is said of a policy where the autoscaler has one tolerance for all of the cluster.
const NO_TOLERANCE: &str = "before Kubernetes 1.35 a HorizontalPodAutoscaler tolerates 10 % in both directions by default; ECS \
                            scales out as soon as the metric is above its target";

fn track(
    index: usize,
    policy: &ScalingPolicy,
    facts: &ClusterFeatures,
    findings: &mut Vec<Finding>,
) -> Option<Tracked> {
    let tracking = policy.target_tracking_scaling_policy_configuration.as_ref()?;
    let metric = match tracking.predefined_metric_specification.as_ref()?.predefined_metric_type {
        MetricType::EcsServiceAverageCpuUtilization | MetricType::EcsServiceAverageCpuUtilizationHighResolution => {
            Metric::Cpu
        }
        MetricType::EcsServiceAverageMemoryUtilization
        | MetricType::EcsServiceAverageMemoryUtilizationHighResolution => Metric::Memory,
        MetricType::AlbRequestCountPerTarget => return None,
    };
    let utilization = average_utilization(tracking.target_value).ok()?;
    let whole = (!utilization.exact)
        .then(|| format!("a HorizontalPodAutoscaler accepts whole percentages only: {} is used", utilization.percent));
    let tolerance = (!facts.has_autoscaler_tolerance()).then(|| NO_TOLERANCE.to_owned());
    let whys: Vec<String> = whole.into_iter().chain(tolerance).collect();
    if !whys.is_empty() {
        findings.push(Finding {
            path: format!("ScalingPolicies[{index}].TargetTrackingScalingPolicyConfiguration.TargetValue"),
            is_approximated: true,
            why: whys.join("; "),
        });
    }
    Some(Tracked {
        policy: TargetTracking {
            metric,
            target_value_milli: utilization.percent.saturating_mul(1000),
            scale_in_cooldown: tracking.scale_in_cooldown.map(i64::from),
            scale_out_cooldown: tracking.scale_out_cooldown.map(i64::from),
            disable_scale_in: tracking.disable_scale_in.unwrap_or(false),
        },
        percent: utilization.percent,
    })
}

fn autoscaler(key: &ObjectKey, metadata: &Metadata, wanted: &Wanted<'_>) -> Value {
    let Wanted { spec, service, tracked, facts } = wanted;
    let suspended = spec.suspended_state.clone().unwrap_or_default();
    let is_suspended_in = suspended.dynamic_scaling_in_suspended.unwrap_or(false);
    let is_suspended_out = suspended.dynamic_scaling_out_suspended.unwrap_or(false);
    let policies: Vec<TargetTracking> = tracked.iter().map(|tracked| tracked.policy).collect();
    let Behavior { mut scale_up, mut scale_down } = behavior(&policies, is_suspended_in || is_deploying(service));
    scale_up.disabled |= is_suspended_out;
    let kubernetes = spec.kubernetes.clone().unwrap_or_default();
    if let Some(seconds) = kubernetes.scale_in_stabilization_seconds {
        scale_down.stabilization_seconds = i64::from(seconds);
        // Whoever shortens the wait wants the steps as short.
        scale_down.period_seconds = scale_down.period_seconds.min(i64::from(seconds).max(1));
    }
    let metrics: Vec<Value> = tracked
        .iter()
        .map(|tracked| {
            json!({ "type": "Resource", "resource": {
                "name": tracked.policy.metric.resource(),
                "target": { "type": "Utilization", "averageUtilization": tracked.percent },
            } })
        })
        .collect();
    let minimum = spec.min_capacity.max(1);
    let owner = owner_reference(Kind::ScalableTarget, metadata, true);
    let mut body = child(key, &[owner], std::collections::BTreeMap::new());
    if let Some(map) = body.as_object_mut() {
        map.insert(
            "spec".to_owned(),
            json!({
                "scaleTargetRef": {
                    "apiVersion": Kind::Service.api_version(),
                    "kind": Kind::Service.kind(),
                    "name": service.key.name,
                },
                "minReplicas": minimum,
                // A maximum of 0 stops the service on ECS; an autoscaler needs at least its minimum.
                "maxReplicas": spec.max_capacity.max(minimum),
                "metrics": metrics,
                "behavior": { "scaleUp": rule(scale_up, facts), "scaleDown": rule(scale_down, facts) },
            }),
        );
    }
    body
}

fn rule(rule: ScalingRule, facts: &ClusterFeatures) -> Value {
    let kind = match rule.kind {
        PolicyKind::Pods => "Pods",
        PolicyKind::Percent => "Percent",
    };
    let mut value = json!({
        "stabilizationWindowSeconds": rule.stabilization_seconds,
        "selectPolicy": if rule.disabled { "Disabled" } else { "Max" },
        "policies": [{ "type": kind, "value": rule.value, "periodSeconds": rule.period_seconds }],
    });
    // A server that does not know the field would drop it, and every comparison would find a difference.
    if facts.has_autoscaler_tolerance() {
        put(&mut value, "tolerance", Value::from(milli(rule.tolerance_milli)));
    }
    value
}

/// Whether a deployment is in progress: ECS scales out but not in meanwhile. One that failed is not, though its tasks stay.
fn is_deploying(service: &Stored) -> bool {
    let status = service.decode::<ServiceView>().ok().and_then(|view| view.status).unwrap_or_default();
    let primary = status.deployments.first();
    primary.is_some_and(|primary| primary.rollout_state == Some(DeploymentRolloutState::InProgress))
}
