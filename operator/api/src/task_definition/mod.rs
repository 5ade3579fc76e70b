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

/// A task definition family: the input of RegisterTaskDefinition, or the output of DescribeTaskDefinition.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ecs-operator.dev",
    version = "v1alpha1",
    kind = "ECSTaskDefinition",
    plural = "ecstaskdefinitions",
    singular = "ecstaskdefinition",
    shortname = "ecstd",
    selectable = ".spec.family",
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
    /// Name of the family: up to 255 letters, digits, `_` and `-`. Defaults to `metadata.name`. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub family: Option<String>,
    /// IAM role of the containers, by name or ARN. Becomes a ServiceAccount, with the annotation
    /// `eks.amazonaws.com/role-arn` for IRSA if the administrator of the namespace allows the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub task_role_arn: Option<String>,
    /// IAM role with which ECS pulls images, reads secrets and ships logs. No effect: the nodes and the secret store
    /// have their own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub execution_role_arn: Option<String>,
    /// Network mode of the tasks; Fargate requires `awsvpc`. Defaults to `bridge`. Except with `host`, each task is a
    /// pod with its own IP address, which its containers share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<NetworkMode>,
    /// Containers of a task; 1 to 10, at least one of them essential. A task becomes a pod.
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
    /// Constraints on the nodes that tasks may run on; at most 10, not on Fargate. They become required node affinity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub placement_constraints: Option<Vec<TaskDefinitionPlacementConstraint>>,
    /// Launch types whose rules the task definition must meet. The service, not this list, decides where tasks run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4))]
    pub requires_compatibilities: Option<Vec<Compatibility>>,
    /// CPU of a task, in CPU units (1024 are one vCPU) or as `"N vCPU"`: a hard limit on Linux. Becomes the CPU request
    /// and limit of the pod from Kubernetes 1.34 on; before, it is divided among the containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<StringOrInteger>,
    /// Memory of a task, in MiB or as `"N GB"` (1 GB is 1024 MiB): a hard limit over all containers. Becomes the memory
    /// request and limit of the pod from Kubernetes 1.34 on; before, it is divided among the containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<StringOrInteger>,
    /// Tags of the revision; at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 50),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"])
    )]
    pub tags: Option<Vec<Tag>>,
    /// Process namespace of the containers. Defaults to one per container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_mode: Option<PidMode>,
    /// IPC namespace of the containers. The containers of a pod always share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipc_mode: Option<IpcMode>,
    /// App Mesh proxy of the tasks. No effect: App Mesh is discontinued; a service mesh adds its proxy through labels
    /// and annotations of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_configuration: Option<ProxyConfiguration>,
    /// Elastic Inference accelerators. Refused: discontinued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub inference_accelerators: Option<Vec<InferenceAccelerator>>,
    /// Ephemeral storage of a task. Becomes its `ephemeral-storage` request and limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<EphemeralStorage>,
    /// CPU architecture and operating system. Becomes a node selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_platform: Option<RuntimePlatform>,
    /// Whether tasks accept fault injection requests. Defaults to false; true has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_fault_injection: Option<bool>,
    /// Isolation of the tasks; managed instances only. Requires `kubernetes.runtimeClassName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_execution_configuration: Option<TrustedExecutionConfiguration>,

    /// Settings without an ECS counterpart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<TaskDefinitionKubernetes>,

    /// Returned by DescribeTaskDefinition; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub task_definition_arn: Option<Ignored>,
    /// Returned by DescribeTaskDefinition; accepted and ignored. The operator numbers revisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::integer")]
    pub revision: Option<Ignored>,
    /// Returned by DescribeTaskDefinition; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub status: Option<Ignored>,
    /// Returned by DescribeTaskDefinition; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::list")]
    pub requires_attributes: Option<Ignored>,
    /// Returned by DescribeTaskDefinition; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::list")]
    pub compatibilities: Option<Ignored>,
    /// Returned by DescribeTaskDefinition; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Ignored>,
    /// Returned by DescribeTaskDefinition; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistered_at: Option<Ignored>,
    /// Returned by DescribeTaskDefinition; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_requested_at: Option<Ignored>,
    /// Returned by DescribeTaskDefinition; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub registered_by: Option<Ignored>,
}

/// When the kubelet pulls images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// At every start of a container.
    Always,
    /// If the node does not have the image.
    IfNotPresent,
    /// Never: the image must already be on the node.
    Never,
}

/// What happens when an essential container exits, with any exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum EssentialContainerExit {
    /// The task stops and a new one replaces it, as on ECS.
    ReplaceTask,
    /// The kubelet restarts the container with its own back-off. An exit within 40 seconds of the start counts as a failed
    /// task.
    RestartInPlace,
}

/// Kubernetes allows 63 characters for the value of a label.
fn label_values(schema: &mut Schema) {
    if let Some(values) = schema.get_mut("additionalProperties").and_then(Value::as_object_mut) {
        values.insert("maxLength".to_owned(), Value::from(63));
    }
}

/// Settings of a task definition without an ECS counterpart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinitionKubernetes {
    /// Labels of the pods, 16 KiB together. Labels of the operator take precedence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64), transform = label_values)]
    pub pod_labels: Option<BTreeMap<String, String>>,
    /// Annotations of the pods, 16 KiB together. Annotations of the operator take precedence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub pod_annotations: Option<BTreeMap<String, String>>,
    /// ServiceAccount of the pods, in the same namespace, instead of the one that the operator creates for
    /// `taskRoleArn`. The names of those, which start with `ecs-role-` and `ecs-task-`, are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub service_account_name: Option<String>,
    /// `imagePullPolicy` of the containers. Defaults to Always for tags and IfNotPresent for digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// What happens when an essential container exits. Defaults to ReplaceTask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub essential_container_exit: Option<EssentialContainerExit>,
    /// Number of revisions to keep, 1 to 10000, in addition to those that a service or one of its deployments uses.
    /// Defaults to 100. Changing it does not register a revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub revision_history: Option<i32>,
    /// ConfigMaps or Secrets that hold the variables of environment files, by the ARN in `environmentFiles[].value`, and
    /// the configuration of a FireLens router, by the ARN in its `config-file-value`.
    /// Defaults to a ConfigMap with a name derived from the ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub environment_files: Option<BTreeMap<String, EnvironmentFileObject>>,
    /// Whether containers get the names of their cluster, service and task definition in `ECS_…` environment variables.
    /// Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_environment: Option<bool>,
    /// RuntimeClass of the pods: the sandbox that `trustedExecutionConfiguration` requires. An administrator must list it
    /// in the annotation `ecs-operator.dev/allowed-placement` of the Namespace, as `runtime-classes=NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub runtime_class_name: Option<String>,
    /// Number of GPUs or Neuron devices per node, 1 to 64: the value of `ALL` in `resourceRequirements`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub accelerators_per_node: Option<i32>,
    /// Device plugin resource for each `hostPath` in `linuxParameters.devices`, such as `smarter-devices/fuse` for
    /// `/dev/fuse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub device_resources: Option<BTreeMap<String, String>>,
}

/// Object that holds the variables of an environment file: one key per variable.
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

/// Whether a revision can be used for new deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RevisionStatus {
    /// Usable.
    Active,
    /// Deregistered: existing tasks keep running and scaling, new deployments cannot use it.
    Inactive,
}

/// A revision of a family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionSummary {
    /// Number of the revision, starting at 1.
    #[schemars(range(min = 1))]
    pub revision: i64,
    /// ACTIVE, or INACTIVE once deregistered.
    pub status: RevisionStatus,
    /// ARN of the revision, in the long format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub task_definition_arn: Option<String>,
    /// Time when the revision was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Time>,
}

/// Observed state of a family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinitionStatus {
    /// `metadata.generation` of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// ECS name of the family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub family: Option<String>,
    /// Highest revision number ever assigned in the family; numbers are never reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub latest_revision: Option<i64>,
    /// Latest ACTIVE revision: the one that a family name without a revision means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub latest_active_revision: Option<i64>,
    /// ARN of the latest ACTIVE revision, in the long format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub task_definition_arn: Option<String>,
    /// Revisions, newest first; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub revisions: Vec<RevisionSummary>,
    /// Current conditions of the family.
    #[serde(default, deserialize_with = "conditions::known", skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
}
