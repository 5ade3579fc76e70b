//! What the spec asks for, with every reference resolved, or the precise reason why that is not possible.
//!
//! Steps after this one take a [`ResolvedService`] and never look at the spec itself.

mod compatibility;
mod images;
mod references;
mod template;

use api::conditions::Reason;
use api::service::{
    AvailabilityZoneRebalancing, DeploymentAlarms, DeploymentConfiguration, KubernetesService, KubernetesServiceType,
    LaunchType, PlacementStrategyType, SchedulingStrategy, ServiceRevisionCleanup, ServiceSpec, StopServiceDeployment,
    ThresholdType,
};
use ecs::deployment::circuit_breaker::{Threshold, ThresholdType as Kind};
use ecs::deployment::policy::{Breaker, EarlySuccess, Policy};
use ecs::deployment::strategy::Strategy;
use ecs::rebalance::{self, is_compatible};
use ecs::rolling::Percentages;
use ecs::scale_in;

pub(super) use images::{Images, Pinned, pin};

use super::context::Context;
use super::revision::ServiceRevision;
use super::{alarms, identity};
use crate::capacity::CapacityPart;
use crate::core::policy::NamespacePolicy;
use crate::core::report::{Finding, Refusal};
use crate::core::right::Right;
use crate::core::text::line;
use crate::launch::placement;
use crate::permission;
use crate::pod::OWN_KEY;
use crate::pod::users_metadata::{Members, UsersMetadata};
use crate::support::{self, Document};

/// What the spec comes to.
pub(super) enum Resolution {
    /// It is refused. A refused spec touches nothing that runs.
    Refused(Vec<Refusal>),
    /// It is acted on, as far as its references are there.
    Resolved(Box<ResolvedService>),
}

impl Resolution {
    /// The service, unless its spec is refused.
    pub(super) fn service(&self) -> Option<&ResolvedService> {
        match self {
            Self::Refused(_) => None,
            Self::Resolved(service) => Some(service),
        }
    }

    /// Why the spec is refused, or which of its fields do not act as on ECS.
    pub(super) fn into_said(self) -> (Vec<Refusal>, Vec<Finding>) {
        match self {
            Self::Refused(refusals) => (refusals, Vec::new()),
            Self::Resolved(service) => (Vec::new(), service.findings),
        }
    }
}

/// The settings of a service that later steps act on.
pub(super) struct ResolvedService {
    /// What a deployment started now would run, or which reference of it cannot be resolved yet.
    pub(super) next: Result<NextRevision, Missing>,
    /// The strategy in effect for tasks added now; empty while unknown.
    pub(super) capacity: Vec<CapacityPart>,
    /// `minimumHealthyPercent` and `maximumPercent` with ECS's defaults.
    pub(super) percentages: Percentages,
    /// How deployments end.
    pub(super) policy: Policy,
    /// `deploymentConfiguration.alarms`, if they are watched.
    pub(super) alarms: Option<DeploymentAlarms>,
    /// `kubernetes.stopServiceDeployment`
    pub(super) stop: Option<StopServiceDeployment>,
    /// `forceNewDeployment: true`
    pub(super) is_forced: bool,
    /// How many deployments are remembered that nothing runs from.
    pub(super) history_limit: usize,
    /// Which tasks go first when there are too many.
    pub(super) scale_in: scale_in::Strategy,
    /// Whether tasks are moved between zones.
    pub(super) is_rebalanced: bool,
    /// `kubernetes.service`
    pub(super) kubernetes_service: KubernetesService,
    /// `kubernetes.podDisruptionBudget.enabled`
    pub(super) has_disruption_budget: bool,
    /// Launch type in effect.
    pub(super) launch_type: Option<LaunchType>,
    /// Hash of what the spec says about placement.
    pub(super) placement_hash: String,
    /// Fields that do not act as on ECS.
    pub(super) findings: Vec<Finding>,
}

/// What a deployment started now would freeze, but for the digests of its images.
pub(super) struct NextRevision {
    pub(super) revision: ServiceRevision,
    /// [`identity::trigger_hash`] of it.
    pub(super) trigger: String,
    /// Images that version consistency asks to pin.
    pub(super) images: Images,
}

/// A reference to something that is not there (yet). Creation order is free on Kubernetes, so this heals by itself.
pub(super) struct Missing {
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Missing {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Why there is no revision to start.
enum Unresolved {
    Refused(Vec<Refusal>),
    Missing(Missing),
}

impl From<Missing> for Unresolved {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

/// How many deployments are remembered unless the service says otherwise.
const DEFAULT_HISTORY: usize = 10;

pub(super) fn resolve(context: Context<'_>) -> Resolution {
    let Context { snapshot, settings, .. } = context;
    let spec = match &snapshot.spec {
        Ok(spec) => spec,
        Err(refusals) => return Resolution::Refused(refusals.clone()),
    };
    if let Some(other) = &snapshot.name_taken_by {
        let message = format!("Creation of service was not idempotent: ECSService {other} already has this name");
        return Resolution::Refused(vec![Refusal::invalid("spec.serviceName", message)]);
    }
    let mut refusals = identity::refusals(snapshot);
    let metadata = users_metadata(spec);
    refusals.extend(refused(context, spec, &metadata));
    if !refusals.is_empty() {
        return Resolution::Refused(refusals);
    }
    let configuration = spec.deployment_configuration.as_ref();
    let alarms = configuration.and_then(|configuration| configuration.alarms.as_ref());
    let mut findings = support::findings(Document::Service, &snapshot.document);
    findings = support::merge(findings, alarms::finding(alarms, settings).into_iter().collect());
    findings = support::merge(findings, reserved(&metadata));
    let (capacity, next) = match references::capacity(context.world, snapshot, spec) {
        Err(missing) => (Vec::new(), Err(missing)),
        Ok(capacity) => match template::next_revision(context, spec, &capacity, &findings) {
            Err(Unresolved::Refused(refusals)) => return Resolution::Refused(refusals),
            Err(Unresolved::Missing(missing)) => (capacity, Err(missing)),
            Ok((next, all)) => {
                findings = all;
                (capacity, Ok(next))
            }
        },
    };
    let kubernetes = spec.kubernetes.as_ref();
    let percentages = percentages(spec);
    Resolution::Resolved(Box::new(ResolvedService {
        next,
        capacity,
        percentages,
        policy: policy(spec),
        alarms: alarms.filter(|alarms| alarms::is_watched(Some(alarms), settings)).cloned(),
        stop: kubernetes.and_then(|kubernetes| kubernetes.stop_service_deployment.clone()),
        is_forced: spec.force_new_deployment == Some(true),
        history_limit: kubernetes
            .and_then(|kubernetes| usize::try_from(kubernetes.deployment_history_limit?).ok())
            .unwrap_or(DEFAULT_HISTORY),
        scale_in: scale_in_strategy(spec),
        is_rebalanced: is_rebalanced(spec, percentages),
        kubernetes_service: kubernetes.and_then(|kubernetes| kubernetes.service.clone()).unwrap_or_default(),
        has_disruption_budget: kubernetes
            .and_then(|kubernetes| kubernetes.pod_disruption_budget.as_ref()?.enabled)
            .unwrap_or(true),
        launch_type: spec.launch_type,
        placement_hash: placement::request_hash(&snapshot.document),
        findings,
    }))
}

/// Labels and annotations that the service adds, to its pods and to its Kubernetes Service.
fn users_metadata(spec: &ServiceSpec) -> Vec<UsersMetadata> {
    let Some(kubernetes) = &spec.kubernetes else { return Vec::new() };
    let service = kubernetes.service.as_ref();
    let lists = [
        ("podLabels", kubernetes.pod_labels.as_ref(), Members::Labels),
        ("podAnnotations", kubernetes.pod_annotations.as_ref(), Members::Annotations),
        ("service.labels", service.and_then(|service| service.labels.as_ref()), Members::Labels),
        ("service.annotations", service.and_then(|service| service.annotations.as_ref()), Members::Annotations),
    ];
    let read = |(member, stated, members)| UsersMetadata::of(stated, &format!("kubernetes.{member}"), members);
    lists.map(read).into()
}

/// Keys that the operator sets itself.
fn reserved(metadata: &[UsersMetadata]) -> Vec<Finding> {
    let paths = metadata.iter().flat_map(|metadata| &metadata.reserved);
    let finding = |path: &String| Finding { path: line(path), is_approximated: false, why: OWN_KEY.to_owned() };
    paths.map(finding).collect()
}

/// Members of `kubernetes` that Kubernetes refuses, or that the administrator of the namespace does not allow.
fn refused(context: Context<'_>, spec: &ServiceSpec, metadata: &[UsersMetadata]) -> Vec<Refusal> {
    let Some(kubernetes) = &spec.kubernetes else { return Vec::new() };
    let refused = metadata.iter().flat_map(|metadata| &metadata.refused);
    let refused = refused.map(|(path, why)| Refusal::invalid(line(&format!("spec.{path}")), *why));
    let rights = metadata.iter().flat_map(|metadata| metadata.rights.clone());
    let mut asked: Vec<(String, Right)> = rights.map(|(path, right)| (format!("spec.{path}"), right)).collect();
    if let Some(class) = &kubernetes.priority_class_name {
        asked.push(("spec.kubernetes.priorityClassName".to_owned(), Right::PriorityClass(class.clone())));
    }
    if let Some(service) = kubernetes.service.as_ref().filter(|service| service.enabled != Some(false)) {
        let path = |member: &str| format!("spec.kubernetes.service.{member}");
        match service.type_.unwrap_or_default() {
            KubernetesServiceType::ClusterIP => {}
            KubernetesServiceType::NodePort => asked.push((path("type"), Right::NodePort)),
            KubernetesServiceType::LoadBalancer => asked.push((path("type"), Right::LoadBalancer)),
        }
        let keys = service.annotations.iter().flatten().map(|(key, _)| key);
        asked.extend(keys.map(|key| (path(&format!("annotations[{key}]")), Right::ServiceAnnotation(key.clone()))));
    }
    let namespace = &context.snapshot.namespace;
    let not_allowed = permission::refuse(&NamespacePolicy::of(context.world, namespace), namespace, asked);
    refused.chain(not_allowed).collect()
}

fn percentages(spec: &ServiceSpec) -> Percentages {
    let is_daemon = spec.scheduling_strategy == Some(SchedulingStrategy::Daemon);
    let defaults = if is_daemon { Percentages { minimum_healthy: 0, maximum: 100 } } else { Percentages::default() };
    let configuration = spec.deployment_configuration.as_ref();
    let minimum = configuration.and_then(|configuration| configuration.minimum_healthy_percent);
    let maximum = configuration.and_then(|configuration| configuration.maximum_percent);
    Percentages {
        minimum_healthy: minimum.map_or(defaults.minimum_healthy, i64::from),
        maximum: maximum.map_or(defaults.maximum, i64::from),
    }
}

fn policy(spec: &ServiceSpec) -> Policy {
    let Some(configuration) = &spec.deployment_configuration else { return Policy::default() };
    let criteria = configuration.early_success_criteria.as_ref().filter(|criteria| criteria.enable);
    Policy {
        strategy: Strategy::Rolling,
        breaker: configuration.deployment_circuit_breaker.as_ref().map(breaker).unwrap_or_default(),
        rolls_back_on_alarm: configuration.alarms.as_ref().is_some_and(|alarms| alarms.rollback),
        early_success: criteria.map(|criteria| EarlySuccess {
            healthy_percent: criteria.healthy_percent.map_or(100, i64::from),
            is_cleanup_deferred: criteria.source_service_revision_cleanup == Some(ServiceRevisionCleanup::Deferred),
        }),
        bake_minutes: bake_minutes(configuration),
    }
}

/// Minutes of the bake time where alarms are watched and the user sets none. ECS takes what the alarms need to be evaluated, by
/// default less than five minutes; an Alertmanager does not tell how long that is.
const BAKE_MINUTES_OF_ALARMS: i64 = 3;

fn bake_minutes(configuration: &DeploymentConfiguration) -> i64 {
    let is_watched =
        configuration.alarms.as_ref().is_some_and(|alarms| alarms.enable && !alarms.alarm_names.is_empty());
    let usual = if is_watched { BAKE_MINUTES_OF_ALARMS } else { 0 };
    configuration.bake_time_in_minutes.map_or(usual, i64::from)
}

fn breaker(breaker: &api::service::DeploymentCircuitBreaker) -> Breaker {
    let threshold = breaker.threshold_configuration.as_ref().map(|threshold| {
        let kind = match threshold.type_ {
            ThresholdType::Count => Kind::Count,
            ThresholdType::BoundedPercent => Kind::BoundedPercent,
            ThresholdType::UnboundedPercent => Kind::UnboundedPercent,
        };
        Threshold { kind, value: i64::from(threshold.value) }
    });
    Breaker {
        is_enabled: breaker.enable,
        rolls_back: breaker.rollback,
        threshold: threshold.unwrap_or_default(),
        resets_on_healthy_task: breaker.reset_on_healthy_task.unwrap_or(true),
    }
}

fn scale_in_strategy(spec: &ServiceSpec) -> scale_in::Strategy {
    match spec.placement_strategy.as_deref().and_then(|strategies| strategies.first()?.type_) {
        Some(PlacementStrategyType::Spread) => scale_in::Strategy::Spread,
        Some(PlacementStrategyType::Binpack) => scale_in::Strategy::Binpack,
        Some(PlacementStrategyType::Random) | None => scale_in::Strategy::Default,
    }
}

/// Without a value nothing moves. ECS takes ENABLED when a service is created and DISABLED when one is updated that never
/// had a value; an object that is applied again and again is both, so of the two this is the one that stops no task
/// unasked.
fn is_rebalanced(spec: &ServiceSpec, percentages: Percentages) -> bool {
    let first = spec.placement_strategy.as_deref().unwrap_or_default().first();
    let constraints = spec.placement_constraints.iter().flatten();
    let mut expressions = constraints.filter_map(|constraint| constraint.expression.as_deref());
    let service = rebalance::Service {
        is_replica: spec.scheduling_strategy != Some(SchedulingStrategy::Daemon),
        first_strategy: first.map(|strategy| {
            let is_spread = strategy.type_ == Some(PlacementStrategyType::Spread);
            (if is_spread { "spread" } else { "" }, strategy.field.as_deref().unwrap_or_default())
        }),
        maximum_percent: percentages.maximum,
        has_zone_constraint: expressions.any(|expression| expression.contains(rebalance::ZONE_FIELD)),
        has_classic_load_balancer: spec
            .load_balancers
            .iter()
            .flatten()
            .any(|balancer| balancer.load_balancer_name.is_some()),
        is_external: spec.launch_type == Some(LaunchType::External),
    };
    spec.availability_zone_rebalancing == Some(AvailabilityZoneRebalancing::Enabled) && is_compatible(&service)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_alarms_are_watched_and_no_bake_time_is_set_then_they_are_watched_for_some_minutes() {
        let alarms = |enable: bool| json!({"enable": enable, "rollback": true, "alarmNames": ["errors"]});
        for (configuration, minutes) in [
            (json!({}), 0),
            (json!({"alarms": alarms(true)}), 3),
            (json!({"alarms": alarms(false)}), 0),
            (json!({"alarms": alarms(true), "bakeTimeInMinutes": 0}), 0),
            (json!({"alarms": alarms(true), "bakeTimeInMinutes": 7}), 7),
        ] {
            let read: DeploymentConfiguration = serde_json::from_value(configuration.clone()).unwrap();
            assert_eq!(bake_minutes(&read), minutes, "{configuration}");
        }
    }
}
