//! A task definition as a pod: one ECS concept a file.
//!
//! [`pod`] is pure: it looks at nothing but the task definition, the volume configurations of the service, the namespace
//! and what cluster and administrator allow, and the same input gives the same Pod. Placement is not part of it.

mod arrangement;
mod container;
mod devices;
pub(crate) mod ebs;
pub(crate) mod efs;
pub mod ending;
mod environment;
mod expansion;
mod file_system;
mod firelens;
pub(crate) mod fsx;
mod health;
mod host_volume;
mod isolation;
mod json;
mod kernel;
mod layout;
mod linux;
mod logs;
mod metadata;
mod mounts;
mod network;
mod no_counterpart;
mod no_network;
mod notes;
pub mod observe;
mod permission;
mod platform;
mod ports;
mod probes;
mod process;
mod resources;
mod restart;
mod restricted;
mod roles;
mod secrets;
mod snapshot;
mod static_volume;
mod stop;
mod user;
pub(crate) mod users_metadata;
pub mod view;
mod volume_source;
mod volumes;
mod windows;

use std::collections::BTreeMap;

use api::service::ServiceVolumeConfiguration;
use api::task_definition::{NetworkMode, TaskDefinitionSpec};
use serde_json::{Map, Value};

pub(crate) use host_volume::is_name as is_volume_name;
pub use metadata::LOG_CONFIGURATION;
pub(crate) use no_counterpart::no_counterpart;
pub(crate) use no_network::policy as network_none;
pub(crate) use platform::windows_build;
pub use roles::TaskRole;
pub(crate) use roles::{Account, is_of_a_role, read as account};
pub use secrets::SecretSource;
pub(crate) use secrets::{fetched, is_driver as is_secrets_driver};

use crate::core::facts::ClusterFeatures;
use crate::core::labels;
use crate::core::policy::NamespacePolicy;
use crate::core::report::{Finding, Refusal};
use firelens::FireLens;
use json::Members;
use layout::{Container, Place};
use notes::Notes;
use secrets::Secrets;
use users_metadata::UsersMetadata;

/// What is said of a label or annotation that the operator itself sets.
pub(crate) const OWN_KEY: &str = "the operator sets this key itself";

/// What a Pod is made from.
#[derive(Clone, Copy, Debug)]
pub struct TaskInput<'a> {
    /// The task definition revision.
    pub task_definition: &'a TaskDefinitionSpec,
    /// What the service says about volumes that are configured at launch.
    pub volume_configurations: &'a [ServiceVolumeConfiguration],
    /// Whether the task runs on Fargate: its defaults count.
    pub is_fargate: bool,
    /// What the Pod is started by, such as the id of a deployment: what is fetched for it is fetched for it alone.
    pub deployment: &'a str,
    /// Where the Pod will be. Volumes that are not in any namespace are kept apart by it.
    pub namespace: &'a str,
    /// What the cluster offers.
    pub facts: &'a ClusterFeatures,
    /// What the administrator of the namespace allows.
    pub policy: &'a NamespacePolicy,
}

/// A port that the containers of a task listen on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskPort {
    /// Name, at most 15 characters, unique in the task.
    pub name: String,
    /// Number, 1 to 65535.
    pub container_port: i64,
    /// `TCP` or `UDP`
    pub protocol: String,
    /// As Services spell it: `http`, `kubernetes.io/h2c`, `grpc`.
    pub app_protocol: Option<String>,
}

/// A task as a Pod.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskPod {
    /// PodSpec without placement. `nodeSelector` holds the platform of the task definition only.
    pub spec: Value,
    /// Labels that the user wants, and of the operator's domain only [`labels::NETWORK`].
    pub labels: BTreeMap<String, String>,
    /// Annotations that the user wants and those that tell about containers.
    pub annotations: BTreeMap<String, String>,
    /// What the Pod needs in its namespace: the ServiceAccount of its role, claims of its volumes, the NetworkPolicy of
    /// network mode `none`, what fetches its secrets. Names follow from content, so tasks that need the same thing share
    /// one.
    pub shared: Vec<Value>,
    /// What it needs outside of any namespace: volumes behind its claims.
    pub cluster_scoped: Vec<Value>,
    /// Ports for a Kubernetes Service, each number and protocol once.
    pub ports: Vec<TaskPort>,
    /// 0 when an essential container has a health check; otherwise a task counts as healthy
    /// [`ecs::rolling::HEALTHY_AFTER_RUNNING_SECONDS`] after RUNNING.
    pub min_ready_seconds: i64,
    /// What acts otherwise than on ECS because of the values given. What a field never does is in [`crate::support`].
    pub findings: Vec<Finding>,
}

/// The Pod of a task.
///
/// # Errors
/// Everything that ECS or the Pod API would refuse, and what Kubernetes cannot do and must not be left out. Paths are
/// below `spec`: those that begin with `volumeConfigurations` below that of the service, all others below that of the
/// task definition.
pub fn pod(input: &TaskInput<'_>) -> Result<TaskPod, Vec<Refusal>> {
    let mut notes = Notes::default();
    let (prepared, firelens) = firelens::prepare(input.task_definition, input.namespace, &mut notes);
    let result = build(&TaskInput { task_definition: &prepared, ..*input }, firelens.as_ref(), notes);
    let Some(firelens) = firelens else { return result };
    // Fields that were added stand for fields that somebody wrote.
    match result {
        Ok(mut pod) => {
            for finding in &mut pod.findings {
                finding.path = firelens.original_path(std::mem::take(&mut finding.path));
            }
            Ok(pod)
        }
        Err(mut refusals) => {
            for refusal in &mut refusals {
                refusal.path = firelens.original_path(std::mem::take(&mut refusal.path));
            }
            Err(refusals)
        }
    }
}

fn build(input: &TaskInput<'_>, firelens: Option<&FireLens>, mut notes: Notes) -> Result<TaskPod, Vec<Refusal>> {
    let definition = input.task_definition;
    let definitions = definition.container_definitions.as_slice();
    let containers = layout::arrange(definitions, &mut notes);
    if containers.is_empty() && notes.refusals.is_empty() {
        notes.refuse("containerDefinitions", "at least one container is required");
    }
    if !notes.refusals.is_empty() {
        return Err(notes.refusals);
    }
    let windows = platform::is_windows(definition);
    let mode = network::mode(definition, input.is_fargate);
    for (path, message) in no_counterpart(definition) {
        notes.unsupported(path, message);
    }
    let mut spec = Map::new();
    network::put(&mut spec, mode, input, &containers, &mut notes);
    kernel::put(&mut spec, input, mode, windows, &mut notes);
    platform::put(&mut spec, definition, input.is_fargate);
    isolation::put(&mut spec, input, &mut notes);
    let role = roles::put(&mut spec, input, &mut notes);
    let secrets = Secrets::of(input, &mut notes);
    spec.put_list("imagePullSecrets", secrets.pull_secrets());
    spec.put("restartPolicy", "Always");
    spec.put("enableServiceLinks", false);
    spec.put("terminationGracePeriodSeconds", stop::grace_period(&containers, &mut notes));
    let kubernetes = definition.kubernetes.clone().unwrap_or_default();
    let has_rules = input.facts.has_container_restart_rules();
    let restarts = restart::Restarts::of(&containers, has_rules, kubernetes.essential_container_exit);
    let resources = resources::resources(input, &containers, windows, &mut notes);
    spec.put_map("resources", resources.pod);
    let mut ports = ports::ports(mode, &containers, &mut notes);
    let task_ports = std::mem::take(&mut ports.task);
    let volumes = volumes::Volumes::of(input, &mut notes);
    let mut builder = container::Builder { definitions, input, kubernetes, secrets, windows, ports, volumes, restarts };
    let mut lists: (Vec<Value>, Vec<Value>) = Default::default();
    for (container, resources) in containers.iter().zip(resources.containers) {
        let mut built = builder.build(container, resources, &mut notes);
        if let Some(firelens) = firelens.filter(|firelens| firelens.is_router(container.index)) {
            firelens.finish(&mut built, &mut builder.volumes, &mut notes);
        }
        logs::report(container, &mut notes);
        let list = if container.place == Place::Main { &mut lists.1 } else { &mut lists.0 };
        list.push(built);
    }
    let container::Builder { kubernetes, secrets, volumes, .. } = builder;
    let mut volumes = volumes.finish();
    volumes.list.extend(secrets.volumes());
    spec.put_list("initContainers", lists.0);
    spec.put_list("containers", lists.1);
    spec.put_list("volumes", volumes.list);
    if !windows {
        let context = spec.entry("securityContext").or_insert_with(|| Value::Object(Map::new()));
        if let Some(context) = context.as_object_mut() {
            restricted::put_profile(context);
            if let Some(group) = ebs::fs_group(definition) {
                context.put("fsGroup", group);
                // A new disk has nothing on it; of another one only the root is looked at.
                context.put("fsGroupChangePolicy", "OnRootMismatch");
            }
        }
    }
    restricted::report(input, mode, windows, &mut notes);
    let mut annotations = users_own(
        kubernetes.pod_annotations.as_ref(),
        "kubernetes.podAnnotations",
        users_metadata::Members::Annotations,
        input,
        &mut notes,
    );
    annotations.extend(metadata::annotations(definitions, &containers, restarts, &mut notes));
    annotations.extend(secrets.annotation());
    let account = role.iter().map(|role| role.service_account(input.namespace));
    let policy = (mode == NetworkMode::None).then(|| no_network::policy(input.namespace));
    let shared = account.chain(policy).chain(volumes.shared).chain(secrets.into_objects()).collect();
    let mut labels = users_own(
        kubernetes.pod_labels.as_ref(),
        "kubernetes.podLabels",
        users_metadata::Members::Labels,
        input,
        &mut notes,
    );
    if mode == NetworkMode::None {
        labels.insert(labels::NETWORK.to_owned(), no_network::LABEL_VALUE.to_owned());
    }
    if !notes.refusals.is_empty() {
        return Err(notes.refusals);
    }
    Ok(TaskPod {
        spec: spec.into(),
        labels,
        annotations,
        shared,
        cluster_scoped: volumes.cluster_scoped,
        ports: task_ports,
        min_ready_seconds: min_ready_seconds(&containers),
        findings: notes.findings,
    })
}

fn min_ready_seconds(containers: &[Container<'_>]) -> i64 {
    let decides = |container: &Container<'_>| container.is_essential() && container.definition.health_check.is_some();
    if containers.iter().any(decides) { 0 } else { ecs::rolling::HEALTHY_AFTER_RUNNING_SECONDS }
}

/// What the user adds to the Pod's metadata.
fn users_own(
    stated: Option<&BTreeMap<String, String>>,
    field: &str,
    members: users_metadata::Members,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> BTreeMap<String, String> {
    let UsersMetadata { own, reserved, refused, rights } = UsersMetadata::of(stated, field, members);
    for path in reserved {
        notes.no_effect(path, OWN_KEY);
    }
    for (path, problem) in refused {
        notes.refuse(path, problem);
    }
    for (path, right) in rights {
        permission::has(input, &right, &path, notes);
    }
    own
}
