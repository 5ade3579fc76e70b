//! Scalable targets: target tracking as a HorizontalPodAutoscaler on the ECSService's scale subresource.
//!
//! The HorizontalPodAutoscaler is the only one that moves the count: the operator splits what it is told and never writes
//! `spec.desiredCount`.

mod tracking;

use std::sync::Arc;

use api::conditions::{ConditionType, Reason};
use api::scalable_target::{MetricType, ScalableTargetSpec, ScalableTargetStatus, ScalingPolicy};
use api::service::ServiceStatus;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::diff::{Difference, first_difference, seal};
use crate::core::kind::{Kind, ObjectKey};
use crate::core::metadata::Metadata;
use crate::core::object::{child, owner_reference};
use crate::core::op::{FIELD_MANAGER, Op, Plan};
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
    status: Option<ServiceStatus>,
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

    let mut refusals = validate::object(Kind::ScalableTarget, &root.object);
    refusals.extend(scaled_already(world, &root));
    let spec = serde_json::from_value::<ScalableTargetSpec>(document.clone());
    if let (Err(error), true) = (&spec, refusals.is_empty()) {
        refusals.push(Refusal::invalid("spec", error.to_string()));
    }
    conditions.accept(&refusals);
    if let (Ok(spec), true) = (spec, refusals.is_empty()) {
        status.resource_id = Some(spec.resource_id.clone());
        status.scalable_target_arn = Some(settings.identity.scalable_target_arn(&spec.resource_id));
        let mut findings = support::findings(Document::ScalableTarget, document);
        let tracked = tracked(&spec, &mut findings);
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
            }
            Some(service) => {
                status.service = Some(service.key.name.clone());
                scale(world, key, metadata, &spec, &service, &tracked, &mut status, &mut conditions, &mut plan);
            }
        }
    }
    status.conditions = conditions.finish();
    plan.refusals = refusals;
    plan.status = Some(serde_json::to_value(status).unwrap_or_default());
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

#[allow(clippy::too_many_arguments)] // what is decided about one autoscaler, and where it is said
fn scale(
    world: &dyn World,
    root: &ObjectKey,
    metadata: &Metadata,
    spec: &ScalableTargetSpec,
    service: &Arc<Stored>,
    tracked: &[Tracked],
    status: &mut ScalableTargetStatus,
    conditions: &mut Conditions,
    plan: &mut Plan,
) {
    let namespace = root.namespace.as_deref().unwrap_or_default();
    let key = ObjectKey::namespaced(Kind::HorizontalPodAutoscaler, namespace, ecs::name::dns_label(&root.name, 63));
    let live = world.get(&key);
    if tracked.is_empty() {
        if let Some(live) = live.filter(|live| Metadata::of(live).is_owned_by(&metadata.uid)) {
            plan.ops.push(Op::delete(&live));
        }
        let message = "no target tracking policy on CPU or memory: nothing scales the service";
        conditions.set(ConditionType::ScalingActive, false, Reason::ScalingUnavailable, message);
        return conditions.stalled(Reason::ScalingUnavailable, message);
    }
    let mut body = autoscaler(&key, metadata, spec, service, tracked);
    seal(&mut body);
    status.hpa = Some(key.name.clone());
    let view = if let Some(live) = live {
        if !Metadata::of(&live).is_owned_by(&metadata.uid) {
            let message = format!("{key} exists and has another owner");
            conditions.set(ConditionType::ScalingActive, false, Reason::ConflictingObject, &message);
            return conditions.stalled(Reason::ConflictingObject, &message);
        }
        if let Some(Difference(because)) = first_difference(&body, &live.value()) {
            plan.ops.push(Op::Apply { key, body, manager: FIELD_MANAGER.to_owned(), because });
        }
        live.decode().unwrap_or_default()
    } else {
        // The status is written after this create and only if it succeeded, so that it need not be written twice.
        plan.ops.push(Op::Create { key, body });
        AutoscalerView::default()
    };
    // The server stores a new autoscaler with zeros; they mean something once the autoscaler has looked.
    if !view.status.conditions.is_empty() {
        status.current_replicas = view.status.current_replicas;
        status.desired_replicas = view.status.desired_replicas;
    }
    let active = view.status.conditions.iter().find(|condition| condition.r#type == "ScalingActive");
    let suspended = spec.suspended_state.clone().unwrap_or_default();
    let is_suspended =
        suspended.dynamic_scaling_in_suspended == Some(true) && suspended.dynamic_scaling_out_suspended == Some(true);
    match active {
        _ if is_suspended => {
            let message = "scaling in and out is suspended";
            conditions.set(ConditionType::ScalingActive, false, Reason::ScalingSuspended, message);
        }
        Some(active) if active.status == "True" => {
            conditions.set(
                ConditionType::ScalingActive,
                true,
                Reason::ScalingActive,
                "the autoscaler reads its metrics",
            );
        }
        Some(active) => {
            conditions.set(ConditionType::ScalingActive, false, Reason::ScalingUnavailable, &active.message);
        }
        None => {
            let message = "the autoscaler has not reported yet";
            conditions.set(ConditionType::ScalingActive, false, Reason::Progressing, message);
        }
    }
    // Metrics come and go with tasks; the target itself is in place.
    conditions.ready(Reason::ReconcileCompleted, "the autoscaler is in place");
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
fn tracked(spec: &ScalableTargetSpec, findings: &mut Vec<Finding>) -> Vec<Tracked> {
    let policies = spec.scaling_policies.as_deref().unwrap_or_default();
    if spec.min_capacity == 0 {
        findings.push(Finding {
            path: "MinCapacity".to_owned(),
            is_approximated: true,
            why: "a HorizontalPodAutoscaler keeps at least one task".to_owned(),
        });
    }
    policies.iter().enumerate().filter_map(|(index, policy)| track(index, policy, findings)).collect()
}

fn track(index: usize, policy: &ScalingPolicy, findings: &mut Vec<Finding>) -> Option<Tracked> {
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
    if !utilization.exact {
        findings.push(Finding {
            path: format!("ScalingPolicies[{index}].TargetTrackingScalingPolicyConfiguration.TargetValue"),
            is_approximated: true,
            why: format!("a HorizontalPodAutoscaler accepts whole percentages only: {} is used", utilization.percent),
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

fn autoscaler(
    key: &ObjectKey,
    metadata: &Metadata,
    spec: &ScalableTargetSpec,
    service: &Stored,
    tracked: &[Tracked],
) -> Value {
    let suspended = spec.suspended_state.clone().unwrap_or_default();
    let is_suspended_in = suspended.dynamic_scaling_in_suspended.unwrap_or(false);
    let is_suspended_out = suspended.dynamic_scaling_out_suspended.unwrap_or(false);
    let policies: Vec<TargetTracking> = tracked.iter().map(|tracked| tracked.policy).collect();
    let Behavior { mut scale_up, mut scale_down } = behavior(&policies, is_suspended_in || is_replacing(service));
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
                "behavior": { "scaleUp": rule(scale_up), "scaleDown": rule(scale_down) },
            }),
        );
    }
    body
}

fn rule(rule: ScalingRule) -> Value {
    let kind = match rule.kind {
        PolicyKind::Pods => "Pods",
        PolicyKind::Percent => "Percent",
    };
    json!({
        "stabilizationWindowSeconds": rule.stabilization_seconds,
        "selectPolicy": if rule.disabled { "Disabled" } else { "Max" },
        "policies": [{ "type": kind, "value": rule.value, "periodSeconds": rule.period_seconds }],
    })
}

/// Whether a deployment is replacing tasks: ECS scales out but not in meanwhile.
fn is_replacing(service: &Stored) -> bool {
    let status = service.decode::<ServiceView>().ok().and_then(|view| view.status).unwrap_or_default();
    status.deployments.len() > 1
}
