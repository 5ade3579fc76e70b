//! What the spec asks for now, with every reference resolved, or the precise reason why that is not possible.

use std::collections::BTreeMap;

use api::capacity_provider::{CapacityProviderSpec, CapacityProviderStrategyItem};
use api::cluster::{ClusterCapacityProvider, ClusterSpec};
use api::conditions::Reason;
use api::service::{LaunchType, PropagateTags, SchedulingStrategy, ServiceSpec, ServiceVolumeConfiguration};
use api::task_definition::{Compatibility, NetworkMode, TaskDefinitionSpec};
use ecs::arn::last_segment;
use ecs::rolling::Percentages;
use serde::Deserialize;
use serde_json::{Value, json};

use super::alarms;
use super::images::WantedImages;
use super::primary;
use super::revision::{self, CapacityPart, Placement, ServiceRevision};
use super::snapshot::ServiceSnapshot;
use crate::capacity_provider;
use crate::cluster::is_associated;
use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::object::without_nothing;
use crate::core::policy::NamespacePolicy;
use crate::core::report::{Finding, Refusal};
use crate::core::root::holder;
use crate::core::settings::Settings;
use crate::core::world::{Term, World};
use crate::pod::{self, TaskInput};
use crate::support::{self, Document};
use crate::task_definition::{Revision, revisions};

/// The service as asked for.
#[derive(Default)]
pub(super) struct Wanted {
    /// Why the spec is refused, if it is.
    pub(super) refusals: Vec<Refusal>,
    /// Which reference cannot be resolved yet, if any.
    pub(super) missing: Option<Missing>,
    /// What a deployment started now would freeze. `None` while refused or missing something.
    pub(super) revision: Option<ServiceRevision>,
    /// Images of it that version consistency asks to pin.
    pub(super) images: WantedImages,
    /// Images whose digest is not known yet, so that `revision` cannot be started.
    pub(super) resolving: Vec<String>,
    /// [`revision::trigger_hash`] of it.
    pub(super) trigger: String,
    /// The strategy in effect for tasks added now; empty while unknown.
    pub(super) capacity: Vec<CapacityPart>,
    /// `deploymentConfiguration`'s percentages with ECS's defaults.
    pub(super) percentages: Option<Percentages>,
    /// Fields that do not act as on ECS.
    pub(super) findings: Vec<Finding>,
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

#[derive(Deserialize)]
struct WithSpec<T> {
    spec: T,
}

pub(super) fn resolve(world: &dyn World, snapshot: &ServiceSnapshot, settings: &Settings) -> Wanted {
    let spec = match &snapshot.spec {
        Ok(spec) => spec,
        Err(refusals) => return Wanted { refusals: refusals.clone(), ..Wanted::default() },
    };
    let mut wanted = Wanted {
        percentages: Some(percentages(spec)),
        findings: support::findings(Document::Service, &snapshot.document),
        ..Wanted::default()
    };
    let alarms = spec.deployment_configuration.as_ref().and_then(|configuration| configuration.alarms.as_ref());
    if let Some(finding) = alarms::finding(alarms, settings) {
        wanted.findings = support::merge(std::mem::take(&mut wanted.findings), vec![finding]);
    }
    if let Some(other) = &snapshot.name_taken_by {
        let message = format!("Creation of service was not idempotent: ECSService {other} has this name already");
        wanted.refusals.push(Refusal::invalid("spec.serviceName", message));
        return wanted;
    }
    wanted.refusals = super::identity::refusals(snapshot);
    if !wanted.refusals.is_empty() {
        return wanted;
    }
    if let Err(missing) = resolve_references(world, snapshot, spec, settings, &mut wanted) {
        wanted.missing = Some(missing);
    }
    wanted
}

fn resolve_references(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    spec: &ServiceSpec,
    settings: &Settings,
    wanted: &mut Wanted,
) -> Result<(), Missing> {
    let cluster = cluster(world, snapshot)?;
    let strategy = strategy(spec, &cluster.spec);
    wanted.capacity = capacity(world, snapshot, &cluster, spec, &strategy)?;
    if let Some(name) = spec.kubernetes.as_ref().and_then(|kubernetes| kubernetes.service_revision.as_deref()) {
        return earlier_revision(snapshot, name, wanted);
    }
    let is_fargate = wanted.capacity.iter().any(|part| part.provider.as_deref().is_some_and(is_fargate_provider));
    if is_fargate && spec.scheduling_strategy == Some(SchedulingStrategy::Daemon) {
        let message = "spec.schedulingStrategy: The daemon scheduling strategy is not supported on Fargate.";
        return Err(Missing::new(Reason::InvalidParameterException, message));
    }
    let revision = task_definition(world, snapshot, spec)?;
    let task_definition: TaskDefinitionSpec = revision
        .task_definition()
        .map_err(|error| Missing::new(Reason::TaskDefinitionNotFound, format!("{}: {error}", revision.reference())))?;
    check_against_task_definition(spec, &task_definition, is_fargate)?;
    let reference = revision.reference();
    wanted.trigger = revision::trigger_hash(&reference, &snapshot.document);
    let pod = pod::pod(&TaskInput {
        task_definition: &task_definition,
        volume_configurations: &volume_configurations(spec),
        is_fargate,
        deployment: &primary::next_deployment(snapshot, &wanted.trigger),
        namespace: &snapshot.namespace,
        facts: &settings.facts,
        policy: &NamespacePolicy::of(world, &snapshot.namespace),
    });
    let pod = match pod {
        Ok(pod) => pod,
        Err(refusals) => {
            wanted.refusals = refusals
                .into_iter()
                .map(|refusal| Refusal {
                    path: format!("spec.taskDefinition: {}: {}", revision.reference(), refusal.path),
                    ..refusal
                })
                .collect();
            return Ok(());
        }
    };
    // Fields of the task definition are reported on the object that carries them.
    let own = pod.findings.iter().filter(|finding| finding.path.starts_with("volumeConfigurations")).cloned();
    wanted.findings = support::merge(std::mem::take(&mut wanted.findings), own.collect());
    let service_label = ecs::name::label_value(&snapshot.key.name);
    let mut pod_spec = pod.spec.as_object().cloned().unwrap_or_default();
    if let Some(class) = spec.kubernetes.as_ref().and_then(|kubernetes| kubernetes.priority_class_name.as_ref()) {
        pod_spec.insert("priorityClassName".to_owned(), Value::from(class.as_str()));
    }
    super::placement::apply(spec, is_fargate, settings.has_binpack_profiles, &service_label, &mut pod_spec);
    super::placement::tell_packing(spec, settings.has_binpack_profiles, &mut wanted.findings);
    wanted.images = WantedImages::of(&task_definition, &pod_spec);
    match super::placement::members_of(world, spec, &task_definition) {
        Ok(rules) => {
            rules.apply(&mut pod_spec);
            wanted.findings = support::merge(std::mem::take(&mut wanted.findings), rules.findings);
        }
        Err(refusals) => {
            wanted.refusals = refusals;
            return Ok(());
        }
    }
    super::placement::keep_off_draining_instances(&mut pod_spec);
    let mut ours = BTreeMap::from([
        (labels::MANAGED_BY.to_owned(), labels::OPERATOR.to_owned()),
        (labels::APP_NAME.to_owned(), ecs::name::label_value(&snapshot.ecs_name)),
        (labels::SERVICE.to_owned(), service_label),
        (labels::CLUSTER.to_owned(), ecs::name::label_value(&snapshot.cluster)),
        (labels::FAMILY.to_owned(), ecs::name::label_value(&revision.family)),
        (labels::REVISION.to_owned(), revision.number.to_string()),
        (labels::GROUP.to_owned(), ecs::name::label_value(&format!("service:{}", snapshot.ecs_name))),
    ]);
    if spec.enable_execute_command == Some(true) {
        ours.insert(labels::EXECUTE_COMMAND.to_owned(), "true".to_owned());
    }
    let mut annotations = pod.annotations;
    annotations.extend(super::tags::annotation(spec, &task_definition, &snapshot.cluster, &snapshot.ecs_name));
    let metadata = revision::template_metadata(spec, &pod.labels, &annotations, ours);
    wanted.revision = Some(ServiceRevision {
        task_definition: reference,
        pod_template: without_nothing_but_empty_dirs(&json!({ "metadata": metadata, "spec": pod_spec })),
        min_ready_seconds: pod.min_ready_seconds,
        shared_children: pod.shared,
        cluster_children: pod.cluster_scoped,
        service_ports: pod.ports.iter().map(service_port).collect(),
        capacity: wanted.capacity.clone(),
        placement_hash: Some(super::placement::request_hash(&snapshot.document)),
        container_images: Vec::new(),
    });
    Ok(())
}

/// The service revision of an earlier deployment, as it was frozen then. Only the strategy is that of now, since counts are.
fn earlier_revision(snapshot: &ServiceSnapshot, name: &str, wanted: &mut Wanted) -> Result<(), Missing> {
    wanted.trigger = revision::earlier_trigger_hash(name);
    let primary = snapshot.primary().filter(|primary| primary.spec.trigger_hash == wanted.trigger);
    let Some(record) = primary.or_else(|| snapshot.records.iter().find(|record| record.is_named(name))) else {
        let message = format!(
            "spec.kubernetes.serviceRevision: {name} is no ECSServiceDeployment of this service; kubectl get ecsdep lists them"
        );
        return Err(Missing::new(Reason::ServiceRevisionNotFound, message));
    };
    wanted.revision = Some(ServiceRevision { capacity: wanted.capacity.clone(), ..record.revision.as_ref().clone() });
    Ok(())
}

/// `emptyDir: {}` is the one empty map that means something in a pod.
fn without_nothing_but_empty_dirs(template: &Value) -> Value {
    let mut clean = without_nothing(template);
    let volumes = template.pointer("/spec/volumes").cloned();
    if let (Some(volumes), Some(spec)) = (volumes, clean.get_mut("spec").and_then(Value::as_object_mut)) {
        spec.insert("volumes".to_owned(), volumes);
    }
    clean
}

fn service_port(port: &pod::TaskPort) -> Value {
    let mut value = json!({
        "name": port.name,
        "port": port.container_port,
        "targetPort": port.container_port,
        "protocol": port.protocol,
    });
    if let (Some(protocol), Some(map)) = (&port.app_protocol, value.as_object_mut()) {
        map.insert("appProtocol".to_owned(), Value::String(protocol.clone()));
    }
    value
}

/// The configurations of managed volumes, with the service's tags among the stated ones where they are propagated. A tag
/// that is stated wins, and the first of equal keys counts.
fn volume_configurations(spec: &ServiceSpec) -> Vec<ServiceVolumeConfiguration> {
    let mut configurations = spec.volume_configurations.clone().unwrap_or_default();
    let volumes = configurations.iter_mut().filter_map(|configuration| configuration.managed_ebs_volume.as_mut());
    for specification in volumes.flat_map(|volume| volume.tag_specifications.iter_mut().flatten()) {
        if specification.propagate_tags == Some(PropagateTags::Service) {
            specification.tags.get_or_insert_default().extend(spec.tags.iter().flatten().cloned());
        }
    }
    configurations
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

/// What is read of the cluster: its spec, and the providers that its status says are associated.
#[derive(Deserialize)]
struct ClusterView {
    spec: ClusterSpec,
    #[serde(default)]
    status: Option<ClusterStatusView>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClusterStatusView {
    capacity_providers: Vec<ClusterCapacityProvider>,
}

fn cluster(world: &dyn World, snapshot: &ServiceSnapshot) -> Result<ClusterView, Missing> {
    let name = Term::EcsName(snapshot.cluster.clone());
    let found = holder(world, Kind::Cluster, Some(&snapshot.namespace), &[name]);
    let missing = |why: &str| {
        let message =
            format!("Cluster not found: no ECSCluster named {} {why} {}", snapshot.cluster, snapshot.namespace);
        Missing::new(Reason::ClusterNotFoundException, message)
    };
    let stored = found.ok_or_else(|| missing("in namespace"))?;
    stored.decode::<ClusterView>().map_err(|error| missing(&format!("can be read ({error}) in namespace")))
}

/// The strategy that applies: the service's own, the provider behind its launch type, or the cluster's default.
fn strategy(spec: &ServiceSpec, cluster: &ClusterSpec) -> Vec<CapacityProviderStrategyItem> {
    let own = spec.capacity_provider_strategy.as_deref().unwrap_or_default();
    match spec.launch_type {
        _ if !own.is_empty() => own.to_vec(),
        Some(LaunchType::Fargate) => {
            vec![CapacityProviderStrategyItem { capacity_provider: FARGATE.to_owned(), weight: Some(1), base: None }]
        }
        Some(_) => Vec::new(),
        None => cluster.default_capacity_provider_strategy.clone().unwrap_or_default(),
    }
}

const FARGATE: &str = "FARGATE";
const FARGATE_SPOT: &str = "FARGATE_SPOT";

fn is_fargate_provider(name: &str) -> bool {
    matches!(name, FARGATE | FARGATE_SPOT)
}

fn capacity(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    cluster: &ClusterView,
    spec: &ServiceSpec,
    strategy: &[CapacityProviderStrategyItem],
) -> Result<Vec<CapacityPart>, Missing> {
    if strategy.is_empty() {
        let placement = capacity_provider::cluster_placement(&cluster.spec);
        return Ok(vec![CapacityPart { provider: None, base: 0, weight: 1, placement }]);
    }
    let kept = cluster.status.as_ref().map(|status| status.capacity_providers.as_slice()).unwrap_or_default();
    strategy
        .iter()
        .map(|item| {
            let name = last_segment(&item.capacity_provider);
            let by_launch_type = spec.launch_type == Some(LaunchType::Fargate);
            if !by_launch_type && !is_associated(&cluster.spec, kept, name) {
                let message = format!("capacity provider {name} is not associated with cluster {}", snapshot.cluster);
                return Err(Missing::new(Reason::InvalidParameterException, message));
            }
            let placement = provider_placement(world, snapshot, name)?;
            Ok(CapacityPart {
                provider: Some(name.to_owned()),
                base: item.base.map_or(0, i64::from),
                // ECS: a strategy of one item without weight runs everything there.
                weight: item.weight.map_or(i64::from(strategy.len() == 1), i64::from),
                placement,
            })
        })
        .collect()
}

fn provider_placement(world: &dyn World, snapshot: &ServiceSnapshot, name: &str) -> Result<Placement, Missing> {
    let Some(stored) = holder(world, Kind::CapacityProvider, None, &[Term::EcsName(name.to_owned())]) else {
        let message = format!("capacity provider {name} not found: no ECSCapacityProvider has this name");
        return Err(Missing::new(Reason::CapacityProviderNotFound, message));
    };
    let spec: CapacityProviderSpec = stored
        .decode::<WithSpec<CapacityProviderSpec>>()
        .map_err(|error| Missing::new(Reason::CapacityProviderNotFound, format!("capacity provider {name}: {error}")))?
        .spec;
    if !capacity_provider::allows(&spec, &snapshot.namespace) {
        let message = format!("capacity provider {name} does not allow namespace {}", snapshot.namespace);
        return Err(Missing::new(Reason::CapacityProviderNotAllowed, message));
    }
    Ok(capacity_provider::placement(world, &stored.key.name, &spec).placement)
}

fn task_definition(world: &dyn World, snapshot: &ServiceSnapshot, spec: &ServiceSpec) -> Result<Revision, Missing> {
    let text = spec.task_definition.as_str();
    let reference = ecs::arn::task_definition_reference(text)
        .map_err(|error| Missing::new(Reason::TaskDefinitionNotFound, format!("taskDefinition {text}: {error}")))?;
    let known = revisions(world, &snapshot.namespace, &reference.family);
    let running = snapshot.primary().map(|record| record.spec.task_definition.clone());
    if let Some(number) = reference.revision.or_else(|| resolved_earlier(snapshot, spec, &reference.family)) {
        let found = known.into_iter().find(|revision| revision.number == number);
        return match found {
            // What runs already may go on with an INACTIVE revision; nothing new may start to use it.
            Some(revision) if revision.is_active || running.as_deref() == Some(&revision.reference()) => Ok(revision),
            Some(revision) => {
                let message = format!("TaskDefinition is inactive: {}", revision.reference());
                Err(Missing::new(Reason::TaskDefinitionInactive, message))
            }
            None => {
                let message = format!("task definition {}:{number} not found", reference.family);
                Err(Missing::new(Reason::TaskDefinitionNotFound, message))
            }
        };
    }
    known.into_iter().filter(|revision| revision.is_active).max_by_key(|revision| revision.number).ok_or_else(|| {
        let family = &reference.family;
        let exists =
            !world.find(Kind::TaskDefinition, Some(&snapshot.namespace), &Term::EcsName(family.clone())).is_empty();
        let message = if exists {
            format!(
                "task definition family {family} has no ACTIVE revision; see the conditions of its ECSTaskDefinition"
            )
        } else {
            format!("task definition family {family} not found: no ECSTaskDefinition has this family")
        };
        Missing::new(Reason::TaskDefinitionNotFound, message)
    })
}

/// With `kubernetes.taskDefinitionResolution: OnServiceUpdate` a bare family is resolved when the service itself is
/// updated, as ECS does, and stays at that revision until the next update.
fn resolved_earlier(snapshot: &ServiceSnapshot, spec: &ServiceSpec, family: &str) -> Option<i64> {
    let resolution = spec.kubernetes.as_ref()?.task_definition_resolution?;
    if resolution != api::service::TaskDefinitionResolution::OnServiceUpdate {
        return None;
    }
    let record = snapshot.primary()?;
    let is_same_request = record.spec.force_hash.as_deref() == Some(&revision::request_hash(&snapshot.document));
    let reference = ecs::arn::task_definition_reference(&record.spec.task_definition).ok()?;
    reference.revision.filter(|_| is_same_request && reference.family == family)
}

/// What needs both the service and its task definition to be judged. All of it heals when either changes.
fn check_against_task_definition(
    spec: &ServiceSpec,
    task_definition: &TaskDefinitionSpec,
    is_fargate: bool,
) -> Result<(), Missing> {
    let containers: Vec<&str> =
        task_definition.container_definitions.iter().map(|container| container.name.as_str()).collect();
    let named = spec.load_balancers.as_deref().unwrap_or_default().iter().map(|balancer| &balancer.container_name);
    let registered =
        spec.service_registries.as_deref().unwrap_or_default().iter().map(|registry| &registry.container_name);
    for (list, index, name) in named
        .enumerate()
        .map(|(index, name)| ("loadBalancers", index, name))
        .chain(registered.enumerate().map(|(index, name)| ("serviceRegistries", index, name)))
    {
        if let Some(name) = name.as_deref().filter(|name| !containers.contains(name)) {
            let message = format!(
                "spec.{list}[{index}].containerName: The container {name} does not exist in the task definition."
            );
            return Err(Missing::new(Reason::ContainerNotFound, message));
        }
    }
    let invalid = |message: &str| Err(Missing::new(Reason::InvalidParameterException, message));
    let is_awsvpc = task_definition.network_mode == Some(NetworkMode::Awsvpc);
    match (is_awsvpc, &spec.network_configuration) {
        (true, None) => {
            return invalid(
                "spec.networkConfiguration: Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            );
        }
        (false, Some(_)) => {
            return invalid(
                "spec.networkConfiguration: Network Configuration is not valid for the given networkMode of this task definition.",
            );
        }
        _ => {}
    }
    let compatibilities = task_definition.requires_compatibilities.as_deref().unwrap_or_default();
    if is_fargate && !compatibilities.contains(&Compatibility::Fargate) {
        return invalid("spec.taskDefinition: Task definition does not support launch_type FARGATE.");
    }
    check_volumes(spec, task_definition)
}

fn check_volumes(spec: &ServiceSpec, task_definition: &TaskDefinitionSpec) -> Result<(), Missing> {
    let configured: Vec<&str> =
        spec.volume_configurations.as_deref().unwrap_or_default().iter().map(|volume| volume.name.as_str()).collect();
    let volumes = task_definition.volumes.as_deref().unwrap_or_default();
    let at_launch: Vec<&str> = volumes
        .iter()
        .filter(|volume| volume.configured_at_launch == Some(true))
        .map(|volume| volume.name.as_str())
        .collect();
    let wrong = |message: String| Err(Missing::new(Reason::VolumeConfigurationMissing, message));
    if let Some(name) = at_launch.iter().find(|name| !configured.contains(name)) {
        return wrong(format!(
            "spec.volumeConfigurations: volume {name} is configured at launch and has no configuration"
        ));
    }
    if let Some(name) = configured.iter().find(|name| !at_launch.contains(name)) {
        return wrong(format!(
            "spec.volumeConfigurations: the task definition has no volume {name} with configuredAtLaunch"
        ));
    }
    Ok(())
}
