//! What a task definition says about the machine it runs on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    container_parts::KeyValuePair,
    rules::{PLACEMENT_CONSTRAINT_RULES, TRUSTED_EXECUTION_RULES},
};
use crate::schema::validations;

/// Where a task definition can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compatibility {
    /// EC2 instances.
    Ec2,
    /// Fargate.
    Fargate,
    /// Machines outside of AWS.
    External,
    /// ECS Managed Instances.
    ManagedInstances,
}

/// Network of the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// A network of its own per container; the default on Linux.
    Bridge,
    /// The network of the host.
    Host,
    /// An address of its own per task.
    Awsvpc,
    /// No network.
    None,
}

/// Which processes a container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PidMode {
    /// Those of the host.
    Host,
    /// Those of all containers of the task.
    Task,
}

/// Which IPC resources a container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IpcMode {
    /// Those of the host.
    Host,
    /// Those of all containers of the task.
    Task,
    /// Only its own.
    None,
}

/// Kind of a placement constraint in a task definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TaskDefinitionPlacementConstraintType {
    /// The instance must match an expression.
    #[serde(rename = "memberOf")]
    MemberOf,
}

/// A condition on the instances that tasks may run on; not on Fargate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(PLACEMENT_CONSTRAINT_RULES)))]
pub struct TaskDefinitionPlacementConstraint {
    /// Kind of the constraint: memberOf.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<TaskDefinitionPlacementConstraintType>,
    /// Expression in the cluster query language, up to 2000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub expression: Option<String>,
}

/// Processor of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum CpuArchitecture {
    /// 64-bit x86.
    #[serde(rename = "X86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "ARM64")]
    Arm64,
}

/// Operating system of the machine.
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

/// Processor and operating system; Fargate runs LINUX on X86_64 when absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimePlatform {
    /// Processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_architecture: Option<CpuArchitecture>,
    /// Operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_system_family: Option<OsFamily>,
}

/// Local storage of a task beyond the 20 GiB that Fargate gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EphemeralStorage {
    /// Size in GiB: 21 to 200.
    #[serde(rename = "sizeInGiB")]
    #[schemars(range(min = 21, max = 200))]
    pub size_in_gib: i32,
}

/// An Elastic Inference accelerator, discontinued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferenceAccelerator {
    /// Name that a container refers to.
    #[schemars(length(min = 1, max = 255))]
    pub device_name: String,
    /// Type of the accelerator.
    #[schemars(length(min = 1, max = 255))]
    pub device_type: String,
}

/// Kind of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ProxyConfigurationType {
    /// App Mesh.
    #[serde(rename = "APPMESH")]
    AppMesh,
}

/// The App Mesh proxy of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyConfiguration {
    /// Kind of the proxy: APPMESH.
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

/// How far a task is kept apart from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IsolationMode {
    /// As any other task.
    Shared,
    /// In a sandbox of its own.
    IsolatedSandbox,
    /// In a sandbox that even the operator of the host cannot look into; needs an attestation policy.
    ConfidentialSandbox,
}

/// Isolation of a task; managed instances only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(TRUSTED_EXECUTION_RULES)))]
pub struct TrustedExecutionConfiguration {
    /// How far the task is kept apart.
    pub isolation_mode: IsolationMode,
    /// Policy that the sandbox must prove to meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub attestation_policy: Option<String>,
}
