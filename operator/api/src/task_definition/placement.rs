//! What a task definition says about the machine it runs on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    container_parts::KeyValuePair,
    rules::{PLACEMENT_CONSTRAINT_RULES, TRUSTED_EXECUTION_RULES},
};
use crate::schema::validations;

/// Launch type that a task definition can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compatibility {
    /// EC2 instances.
    Ec2,
    /// Fargate.
    Fargate,
    /// External (on-premises) instances.
    External,
    /// ECS Managed Instances.
    ManagedInstances,
}

/// Network mode of the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Docker bridge; the default on Linux. The containers of a pod share one network namespace.
    Bridge,
    /// The network of the node.
    Host,
    /// An IP address per task.
    Awsvpc,
    /// No network: a NetworkPolicy denies all traffic.
    None,
}

/// Process namespace of the containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PidMode {
    /// That of the node.
    Host,
    /// One shared by all containers of the task.
    Task,
}

/// IPC namespace of the containers. The containers of a pod always share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IpcMode {
    /// That of the node.
    Host,
    /// One shared by all containers of the task.
    Task,
    /// One per container.
    None,
}

/// Type of a placement constraint in a task definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TaskDefinitionPlacementConstraintType {
    /// The node must match the expression.
    #[serde(rename = "memberOf")]
    MemberOf,
}

/// A constraint on the nodes that tasks may run on; not on Fargate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(PLACEMENT_CONSTRAINT_RULES)))]
pub struct TaskDefinitionPlacementConstraint {
    /// Type of the constraint: memberOf.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<TaskDefinitionPlacementConstraintType>,
    /// Expression in the cluster query language, up to 2000 characters. The expressions of a service and its task
    /// definition have at most 8 regular expressions together, each of at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub expression: Option<String>,
}

/// CPU architecture of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum CpuArchitecture {
    /// 64-bit x86.
    #[serde(rename = "X86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "ARM64")]
    Arm64,
}

/// Operating system of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum OsFamily {
    /// Windows Server 2019 Full.
    #[serde(rename = "WINDOWS_SERVER_2019_FULL")]
    WindowsServer2019Full,
    /// Windows Server 2019 Core.
    #[serde(rename = "WINDOWS_SERVER_2019_CORE")]
    WindowsServer2019Core,
    /// Windows Server 2016 Full.
    #[serde(rename = "WINDOWS_SERVER_2016_FULL")]
    WindowsServer2016Full,
    /// Windows Server 2004 Core.
    #[serde(rename = "WINDOWS_SERVER_2004_CORE")]
    WindowsServer2004Core,
    /// Windows Server 2022 Core.
    #[serde(rename = "WINDOWS_SERVER_2022_CORE")]
    WindowsServer2022Core,
    /// Windows Server 2022 Full.
    #[serde(rename = "WINDOWS_SERVER_2022_FULL")]
    WindowsServer2022Full,
    /// Windows Server 2025 Core.
    #[serde(rename = "WINDOWS_SERVER_2025_CORE")]
    WindowsServer2025Core,
    /// Windows Server 2025 Full.
    #[serde(rename = "WINDOWS_SERVER_2025_FULL")]
    WindowsServer2025Full,
    /// Windows Server 20H2 Core.
    #[serde(rename = "WINDOWS_SERVER_20H2_CORE")]
    WindowsServer20H2Core,
    /// Linux.
    #[serde(rename = "LINUX")]
    Linux,
}

/// CPU architecture and operating system. Defaults to LINUX on X86_64 for Fargate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimePlatform {
    /// CPU architecture. Becomes the node selector `kubernetes.io/arch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_architecture: Option<CpuArchitecture>,
    /// Operating system. Becomes the node selector `kubernetes.io/os`, with the build of Windows releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_system_family: Option<OsFamily>,
}

/// Ephemeral storage of a task beyond the 20 GiB that Fargate provides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EphemeralStorage {
    /// Size in GiB: 21 to 200.
    #[serde(rename = "sizeInGiB")]
    #[schemars(range(min = 21, max = 200))]
    pub size_in_gib: i32,
}

/// An Elastic Inference accelerator (discontinued).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferenceAccelerator {
    /// Name that containers refer to.
    #[schemars(length(min = 1, max = 255))]
    pub device_name: String,
    /// Type of the accelerator.
    #[schemars(length(min = 1, max = 255))]
    pub device_type: String,
}

/// Type of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ProxyConfigurationType {
    /// App Mesh.
    #[serde(rename = "APPMESH")]
    AppMesh,
}

/// The App Mesh proxy of a task. No effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyConfiguration {
    /// Type of the proxy: APPMESH.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<ProxyConfigurationType>,
    /// Container that is the proxy.
    #[schemars(length(min = 1, max = 255))]
    pub container_name: String,
    /// Settings: IgnoredUID, IgnoredGID, AppPorts, ProxyIngressPort, ProxyEgressPort, EgressIgnoredPorts,
    /// EgressIgnoredIPs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub properties: Option<Vec<KeyValuePair>>,
}

/// How strictly a task is isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IsolationMode {
    /// As any other task.
    Shared,
    /// In a sandbox of its own: a RuntimeClass.
    IsolatedSandbox,
    /// In a sandbox that even the administrator of the node cannot inspect; requires an attestation policy.
    ConfidentialSandbox,
}

/// Isolation of a task; managed instances only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(TRUSTED_EXECUTION_RULES)))]
pub struct TrustedExecutionConfiguration {
    /// How strictly the task is isolated.
    pub isolation_mode: IsolationMode,
    /// Policy that the sandbox must prove to meet. No effect: attestation is configured with the RuntimeClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub attestation_policy: Option<String>,
}
