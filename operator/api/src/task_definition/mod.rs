//! `ECSTaskDefinition`: a task definition family. Each change of its spec becomes a new immutable revision.

mod container;
mod container_parts;
mod linux_parameters;
mod logging;
mod placement;
mod resource_requirements;
pub mod rules;
mod volume;

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    container::ContainerDefinition, container_parts::*, linux_parameters::*, logging::*, placement::*,
    resource_requirements::*, volume::*,
};
use crate::{
    conditions::{self, Condition},
    schema::{Ignored, StringOrInteger, Time, validations},
    tags::Tag,
};

/// What RegisterTaskDefinition takes, and with it what DescribeTaskDefinition returns.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ecs-operator.dev",
    version = "v1alpha1",
    kind = "ECSTaskDefinition",
    plural = "ecstaskdefinitions",
    singular = "ecstaskdefinition",
    shortname = "ecstd",
    category = "ecs",
    namespaced,
    status = "TaskDefinitionStatus",
    derive = "PartialEq",
    doc = "A task definition family: the containers, volumes and sizes of a task. Each change of the spec registers a new \
           immutable revision `family:N`, as RegisterTaskDefinition does.",
    validation = Rule::new(
        "(has(self.spec.family) ? self.spec.family : self.metadata.name) \
         == (has(oldSelf.spec.family) ? oldSelf.spec.family : self.metadata.name)"
    )
    .message("ClientException: family cannot be changed; make another task definition for another family")
    .field_path(".spec.family"),
    printcolumn(json_path = ".status.family", name = "Family", type_ = "string"),
    printcolumn(json_path = ".status.latestActiveRevision", name = "Revision", type_ = "integer"),
    printcolumn(json_path = r#".status.conditions[?(@.type=="Ready")].status"#, name = "Ready", type_ = "string"),
    printcolumn(json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, name = "Reason", type_ = "string"),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date"),
    printcolumn(json_path = ".spec.requiresCompatibilities", name = "Compatibilities", type_ = "string", priority = 1),
    printcolumn(json_path = ".spec.networkMode", name = "Network", type_ = "string", priority = 1),
    printcolumn(json_path = ".spec.cpu", name = "CPU", type_ = "string", priority = 1),
    printcolumn(json_path = ".spec.memory", name = "Memory", type_ = "string", priority = 1),
    printcolumn(json_path = ".spec.containerDefinitions[*].image", name = "Images", type_ = "string", priority = 1),
    printcolumn(json_path = ".status.taskDefinitionArn", name = "ARN", type_ = "string", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(&[rules::TASK_DEFINITION_RULES, rules::FARGATE_RULES].concat())))]
pub struct TaskDefinitionSpec {
    /// Name of the family: up to 255 letters, digits, `_` and `-`; `metadata.name` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub family: Option<String>,
    /// Role that the containers act as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub task_role_arn: Option<String>,
    /// Role that pulls images, reads secrets and ships logs for the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub execution_role_arn: Option<String>,
    /// Network of the tasks; bridge when absent; Fargate requires awsvpc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<NetworkMode>,
    /// Containers of a task, 1 to 10, at least one of them essential.
    #[schemars(
        length(min = 1, max = 10),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub container_definitions: Vec<ContainerDefinition>,
    /// Volumes that containers can mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 50),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub volumes: Option<Vec<Volume>>,
    /// Conditions on the instances that tasks may run on, at most 10; not on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub placement_constraints: Option<Vec<TaskDefinitionPlacementConstraint>>,
    /// Platforms whose rules the task definition is checked against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4))]
    pub requires_compatibilities: Option<Vec<Compatibility>>,
    /// CPU of a task: units (1024 are one vCPU) or `"N vCPU"`; a hard cap on Linux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<StringOrInteger>,
    /// Memory of a task: MiB or `"N GB"` (1 GB are 1024 MiB); a hard cap over all containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<StringOrInteger>,
    /// Tags of the revision, at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 50),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"])
    )]
    pub tags: Option<Vec<Tag>>,
    /// Which processes a container sees; only its own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_mode: Option<PidMode>,
    /// Which IPC resources a container sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipc_mode: Option<IpcMode>,
    /// The App Mesh proxy of the tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_configuration: Option<ProxyConfiguration>,
    /// Elastic Inference accelerators; discontinued and refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub inference_accelerators: Option<Vec<InferenceAccelerator>>,
    /// Local storage of a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<EphemeralStorage>,
    /// Processor and operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_platform: Option<RuntimePlatform>,
    /// Lets fault injection requests through to the tasks; false when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_fault_injection: Option<bool>,
    /// Isolation of the tasks; managed instances only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_execution_configuration: Option<TrustedExecutionConfiguration>,

    /// What Kubernetes has and ECS does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<TaskDefinitionKubernetes>,

    /// Ignored: part of describe output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition_arn: Option<Ignored>,
    /// Ignored: part of describe output. Numbers are given by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Ignored>,
    /// Ignored: part of describe output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Ignored>,
    /// Ignored: part of describe output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires_attributes: Option<Ignored>,
    /// Ignored: part of describe output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatibilities: Option<Ignored>,
    /// Ignored: part of describe output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Ignored>,
    /// Ignored: part of describe output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistered_at: Option<Ignored>,
    /// Ignored: part of describe output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_requested_at: Option<Ignored>,
    /// Ignored: part of describe output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_by: Option<Ignored>,
}

/// When the kubelet pulls images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// At each start of a container.
    Always,
    /// When the node does not have the image.
    IfNotPresent,
    /// Never: the image must be on the node.
    Never,
}

/// What happens when an essential container exits, with whatever code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum EssentialContainerExit {
    /// The whole task ends and a new one takes its place, as on ECS.
    ReplaceTask,
    /// The kubelet starts the container again, with its own back-off. Each exit counts as a failed task.
    RestartInPlace,
}

/// Kubernetes allows 63 characters for the value of a label.
fn label_values(schema: &mut Schema) {
    if let Some(values) = schema.get_mut("additionalProperties").and_then(Value::as_object_mut) {
        values.insert("maxLength".to_owned(), Value::from(63));
    }
}

/// What the pods of a task definition have beyond ECS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinitionKubernetes {
    /// Labels of the pods; labels of the operator win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64), transform = label_values)]
    pub pod_labels: Option<BTreeMap<String, String>>,
    /// Annotations of the pods; annotations of the operator win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub pod_annotations: Option<BTreeMap<String, String>>,
    /// ServiceAccount of the pods in the same namespace, instead of the one made for the task role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub service_account_name: Option<String>,
    /// When images are pulled; Always for tags and IfNotPresent for digests when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// What happens when an essential container exits; ReplaceTask for tasks of several containers and RestartInPlace for
    /// tasks of one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub essential_container_exit: Option<EssentialContainerExit>,
    /// How many revisions are kept besides those that a service or one of its deployments uses, 1 to 10000; 100 when
    /// absent. Changing it registers nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub revision_history: Option<i32>,
    /// Objects that hold the variables of environment files, by the ARN in `environmentFiles[].value`; a ConfigMap whose
    /// name follows from the ARN when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub environment_files: Option<BTreeMap<String, EnvironmentFileObject>>,
    /// Whether containers have the names of their cluster, service and task definition in `ECS_…` variables; false when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_environment: Option<bool>,
    /// RuntimeClass of the pods: the sandbox that `trustedExecutionConfiguration` asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub runtime_class_name: Option<String>,
    /// How many GPUs or Neuron devices each node has that tasks run on: what `ALL` in `resourceRequirements` means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub accelerators_per_node: Option<i32>,
    /// Resource of a device plugin for each `hostPath` of `linuxParameters.devices`, such as `smarter-devices/fuse` for
    /// `/dev/fuse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub device_resources: Option<BTreeMap<String, String>>,
}

/// What holds the variables of an environment file: one key for each variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(rules::ENVIRONMENT_FILE_OBJECT_RULES)))]
pub struct EnvironmentFileObject {
    /// Name of a ConfigMap in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub config_map: Option<String>,
    /// Name of a Secret in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub secret: Option<String>,
}

/// Whether a revision may be used by something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RevisionStatus {
    /// It may.
    Active,
    /// It was deregistered: what uses it keeps running, nothing new may use it.
    Inactive,
}

/// One revision of a family, newest first in the status of the family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionSummary {
    /// Number of the revision, from 1.
    #[schemars(range(min = 1))]
    pub revision: i64,
    /// Whether something new may use it.
    pub status: RevisionStatus,
    /// ARN in the long format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub task_definition_arn: Option<String>,
    /// When it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Time>,
}

/// What is known about a family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinitionStatus {
    /// `metadata.generation` of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Name of the family as ECS knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub family: Option<String>,
    /// Highest revision number ever given to the family; numbers are never given twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub latest_revision: Option<i64>,
    /// Highest revision that is ACTIVE: what a bare family name means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub latest_active_revision: Option<i64>,
    /// ARN of the latest ACTIVE revision in the long format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub task_definition_arn: Option<String>,
    /// The newest revisions, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub revisions: Vec<RevisionSummary>,
    /// What is true of the family now.
    #[serde(default, deserialize_with = "conditions::known", skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
}
