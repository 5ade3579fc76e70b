//! The service revision that a deployment started now would freeze: the pod template, its companions, and where tasks run.

use std::collections::BTreeMap;

use api::conditions::Reason;
use api::service::{PropagateTags, SchedulingStrategy, ServiceSpec, ServiceVolumeConfiguration};
use api::task_definition::TaskDefinitionSpec;
use serde_json::{Value, json};

use super::images::Images;
use super::{Missing, NextRevision, Unresolved, compatibility, references};
use crate::capacity::CapacityPart;
use crate::core::labels;
use crate::core::object::without_nothing;
use crate::core::policy::NamespacePolicy;
use crate::core::report::{Finding, Refusal};
use crate::launch::placement::PlacementRequest;
use crate::launch::{placement, tags};
use crate::permission;
use crate::pod::users_metadata::{Members, UsersMetadata};
use crate::pod::{self, TaskInput, TaskPod};
use crate::service::context::Context;
use crate::service::identity;
use crate::service::revision::ServiceRevision;
use crate::service::snapshot::ServiceSnapshot;
use crate::support;
use crate::task_definition::Revision;

/// The revision, with everything that is reported of the service's fields: `general`, and what the values brought to light.
pub(super) fn next_revision(
    context: Context<'_>,
    spec: &ServiceSpec,
    capacity: &[CapacityPart],
    general: &[Finding],
) -> Result<(NextRevision, Vec<Finding>), Unresolved> {
    let snapshot = context.snapshot;
    if let Some(name) = spec.kubernetes.as_ref().and_then(|kubernetes| kubernetes.service_revision.as_deref()) {
        return Ok((earlier_revision(context, name, capacity)?, general.to_vec()));
    }
    let is_fargate = references::is_fargate(capacity);
    if is_fargate && spec.scheduling_strategy == Some(SchedulingStrategy::Daemon) {
        let message = "spec.schedulingStrategy: The daemon scheduling strategy is not supported on Fargate.";
        return Err(Missing::new(Reason::InvalidParameterException, message).into());
    }
    let revision = references::task_definition(context.world, snapshot, spec)?;
    let task_definition = revision
        .task_definition
        .as_ref()
        .map_err(|error| Missing::new(Reason::TaskDefinitionNotFound, format!("{}: {error}", revision.reference())))?;
    compatibility::check(spec, task_definition, is_fargate)?;
    let trigger = identity::trigger_hash(&revision.reference(), &snapshot.document);
    let pod = render(context, spec, &revision, task_definition, is_fargate, &trigger)?;
    // Fields of the task definition are reported on the object that carries them.
    let own = pod.findings.iter().filter(|finding| finding.path.starts_with("volumeConfigurations")).cloned();
    let findings = support::merge(general.to_vec(), own.collect());
    let request = PlacementRequest::of(spec);
    let findings = placement::tell_packing(request, context.settings.has_binpack_profiles, findings);
    let constraints = placement::constraints(request, task_definition);
    let is_daemon = snapshot.is_daemon();
    let mut rules = placement::members_of(context.world, &constraints, is_daemon).map_err(Unresolved::Refused)?;

    let service_label = ecs::name::label_value(&snapshot.key.name);
    let mut pod_spec = pod.spec.as_object().cloned().unwrap_or_default();
    if let Some(class) = spec.kubernetes.as_ref().and_then(|kubernetes| kubernetes.priority_class_name.as_ref()) {
        pod_spec.insert("priorityClassName".to_owned(), Value::from(class.as_str()));
    }
    let has_profiles = context.settings.has_binpack_profiles;
    placement::apply(request, is_fargate, has_profiles, &service_label, &mut pod_spec);
    let images = Images::of(task_definition, &pod_spec);
    let mut constraints_on_nodes = Vec::new();
    let mut findings = findings;
    if rules.follow_nodes && is_daemon {
        findings.extend(constraints.first().map(placement::resolved_once));
    }
    if rules.follow_nodes && !is_daemon {
        rules.terms = None;
        placement::close_gate(&mut pod_spec);
        constraints_on_nodes.extend(constraints.into_iter().map(|constraint| constraint.expression));
    }
    rules.apply(&mut pod_spec);
    if constraints_on_nodes.is_empty() {
        placement::keep_off_draining_instances(&mut pod_spec);
    }
    let metadata = metadata(snapshot, spec, task_definition, &revision, &pod);
    let revision = ServiceRevision {
        task_definition: revision.reference(),
        pod_template: without_nothing_but_empty_dirs(&json!({ "metadata": metadata, "spec": pod_spec })),
        min_ready_seconds: pod.min_ready_seconds,
        shared_children: pod.shared,
        cluster_children: pod.cluster_scoped,
        service_ports: pod.ports.iter().map(service_port).collect(),
        capacity: capacity.to_vec(),
        constraints_on_nodes,
        placement_hash: Some(placement::request_hash(&snapshot.document)),
        container_images: Vec::new(),
    };
    // Fields were asked about where they were translated, but for what the whole namespace has.
    let refusals = permission::refusals(context.world, &snapshot.namespace, revision.frozen());
    if !refusals.is_empty() {
        let refuse = |refusal: Refusal| Refusal { path: format!("spec.{}", refusal.path), ..refusal };
        return Err(Unresolved::Refused(refusals.into_iter().map(refuse).collect()));
    }
    Ok((NextRevision { revision, trigger, images }, findings))
}

/// The service revision of an earlier deployment, as it was frozen then. Only the strategy is that of now, since counts are.
fn earlier_revision(context: Context<'_>, name: &str, capacity: &[CapacityPart]) -> Result<NextRevision, Unresolved> {
    let snapshot = context.snapshot;
    let trigger = identity::earlier_trigger_hash(name);
    let primary = snapshot.primary().filter(|primary| primary.spec.trigger_hash == trigger);
    let Some(record) = primary.or_else(|| snapshot.records.iter().find(|record| record.is_named(name))) else {
        let message = format!(
            "spec.kubernetes.serviceRevision: {name} is not an ECSServiceDeployment of this service; kubectl get \
                ecsdep lists them"
        );
        return Err(Missing::new(Reason::ServiceRevisionNotFound, message).into());
    };
    let revision = ServiceRevision { capacity: capacity.to_vec(), ..record.revision.as_ref().clone() };
    let refusals = permission::refusals(context.world, &snapshot.namespace, revision.frozen());
    if !refusals.is_empty() {
        let path = |path: &str| format!("spec.kubernetes.serviceRevision: {name}: {path}");
        let refusals = refusals.into_iter().map(|refusal| Refusal { path: path(&refusal.path), ..refusal });
        return Err(Unresolved::Refused(refusals.collect()));
    }
    Ok(NextRevision { revision, trigger, images: Images::default() })
}

/// The task definition as a pod of this service.
fn render(
    context: Context<'_>,
    spec: &ServiceSpec,
    revision: &Revision,
    task_definition: &TaskDefinitionSpec,
    is_fargate: bool,
    trigger: &str,
) -> Result<TaskPod, Unresolved> {
    let Context { world, snapshot, settings, .. } = context;
    let input = TaskInput {
        task_definition,
        volume_configurations: &volume_configurations(spec),
        is_fargate,
        deployment: &identity::next_deployment(snapshot, trigger),
        namespace: &snapshot.namespace,
        facts: &settings.facts,
        policy: &NamespacePolicy::of(world, &snapshot.namespace),
    };
    let of_task_definition = |refusal: Refusal| Refusal {
        path: format!("spec.taskDefinition: {}: {}", revision.reference(), refusal.path),
        ..refusal
    };
    pod::pod(&input).map_err(|refusals| Unresolved::Refused(refusals.into_iter().map(of_task_definition).collect()))
}

/// Labels and annotations of the pods.
fn metadata(
    snapshot: &ServiceSnapshot,
    spec: &ServiceSpec,
    task_definition: &TaskDefinitionSpec,
    revision: &Revision,
    pod: &TaskPod,
) -> Value {
    let mut ours = BTreeMap::from([
        (labels::MANAGED_BY.to_owned(), labels::OPERATOR.to_owned()),
        (labels::APP_NAME.to_owned(), ecs::name::label_value(&snapshot.ecs_name)),
        (labels::SERVICE.to_owned(), ecs::name::label_value(&snapshot.key.name)),
        (labels::CLUSTER.to_owned(), ecs::name::label_value(&snapshot.cluster)),
        (labels::FAMILY.to_owned(), ecs::name::label_value(&revision.family)),
        (labels::REVISION.to_owned(), revision.number.to_string()),
        (labels::GROUP.to_owned(), ecs::name::label_value(&format!("service:{}", snapshot.ecs_name))),
    ]);
    if spec.enable_execute_command == Some(true) {
        ours.insert(labels::EXECUTE_COMMAND.to_owned(), "true".to_owned());
    }
    let propagated = match spec.propagate_tags {
        Some(PropagateTags::Service) => spec.tags.as_deref(),
        Some(PropagateTags::TaskDefinition) => task_definition.tags.as_deref(),
        _ => None,
    };
    let managed =
        [("aws:ecs:clusterName", snapshot.cluster.as_str()), ("aws:ecs:serviceName", snapshot.ecs_name.as_str())];
    let managed = if spec.enable_ecs_managed_tags == Some(true) { &managed[..] } else { &[] };
    let mut annotations = pod.annotations.clone();
    annotations.extend(tags::annotation(propagated.unwrap_or_default(), managed));
    template_metadata(spec, &pod.labels, annotations, ours)
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

/// Labels and annotations of the pod template: the task's own, then the service's, then ours, which win.
fn template_metadata(
    spec: &ServiceSpec,
    task_labels: &BTreeMap<String, String>,
    mut annotations: BTreeMap<String, String>,
    ours: BTreeMap<String, String>,
) -> Value {
    let mut labels = task_labels.clone();
    if let Some(kubernetes) = &spec.kubernetes {
        // What the operator says of a task is not among them.
        labels.extend(UsersMetadata::of(kubernetes.pod_labels.as_ref(), "", Members::Labels).own);
        annotations.extend(UsersMetadata::of(kubernetes.pod_annotations.as_ref(), "", Members::Annotations).own);
    }
    labels.extend(ours);
    json!({ "labels": labels, "annotations": annotations })
}
