//! The small structures of a container definition.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::{
    ENVIRONMENT_FILE_RULES, ENVIRONMENT_RULES, HEALTH_CHECK_RULES, MOUNT_POINT_RULES, PORT_MAPPING_RULES,
    VOLUME_FROM_RULES,
};
use crate::schema::validations;

/// Credentials for a private registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryCredentials {
    /// ARN or name of a secret that holds JSON with `username` and `password`.
    #[schemars(length(min = 1, max = 2048))]
    pub credentials_parameter: String,
}

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportProtocol {
    /// TCP, the default.
    Tcp,
    /// UDP.
    Udp,
}

/// Application protocol of a port, for Service Connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApplicationProtocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
}

/// A port, or a range of ports, on which a container listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(PORT_MAPPING_RULES)))]
pub struct PortMapping {
    /// Port in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub container_port: Option<i32>,
    /// Port on the host. With `awsvpc` and `host` absent or equal to `containerPort`; with `bridge` absent or 0 means a
    /// free port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub host_port: Option<i32>,
    /// Transport protocol; tcp when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<TransportProtocol>,
    /// Name of the port, needed by Service Connect: up to 64 of `a-z 0-9 _ -`, not starting with `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[a-z0-9_][a-z0-9_-]*$"))]
    pub name: Option<String>,
    /// Application protocol; plain TCP when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<ApplicationProtocol>,
    /// Range of ports instead of one, as `first-last`; network modes `awsvpc` and `bridge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 11), regex(pattern = r"^[0-9]{1,5}-[0-9]{1,5}$"))]
    pub container_port_range: Option<String>,
}

/// Restart of a container in place, without replacing the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRestartPolicy {
    /// Whether the container is restarted when it exits.
    pub enabled: bool,
    /// Exit codes after which it is not restarted; at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub ignored_exit_codes: Option<Vec<i32>>,
    /// Seconds that it must have run before it may be restarted: 60 to 1800, 300 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 1800))]
    pub restart_attempt_period: Option<i32>,
}

/// A name and a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(ENVIRONMENT_RULES)))]
pub struct KeyValuePair {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub name: Option<String>,
    /// Value, passed as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Kind of an environment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentFileType {
    /// An object in S3.
    S3,
}

/// A file of `NAME=value` lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(ENVIRONMENT_FILE_RULES)))]
pub struct EnvironmentFile {
    /// ARN of the S3 object; its name ends in `.env`.
    #[schemars(length(min = 1, max = 2048))]
    pub value: String,
    /// Kind of the file: s3.
    #[serde(rename = "type")]
    pub type_: EnvironmentFileType,
}

/// Where a container sees a volume of the task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(MOUNT_POINT_RULES)))]
pub struct MountPoint {
    /// Name of a volume of the task definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub source_volume: Option<String>,
    /// Path in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub container_path: Option<String>,
    /// Whether the container may only read; false when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// A container whose mounts another one has too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(VOLUME_FROM_RULES)))]
pub struct VolumeFrom {
    /// Name of the container that has the mounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub source_container: Option<String>,
    /// Whether the container may only read; false when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// A name and the secret that holds its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// Name of the environment variable or log option.
    #[schemars(length(min = 1, max = 4096))]
    pub name: String,
    /// SSM parameter name or ARN, or Secrets Manager ARN with optional `:json-key:version-stage:version-id`.
    #[schemars(length(min = 1, max = 4096))]
    pub value_from: String,
}

/// Condition that another container waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ContainerCondition {
    /// It runs, or has already run.
    Start,
    /// It exited with any code.
    Complete,
    /// It exited with 0.
    Success,
    /// Its health check reports healthy.
    Healthy,
}

/// A container that must have reached a condition first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDependency {
    /// Name of the container to wait for.
    #[schemars(length(min = 1, max = 255))]
    pub container_name: String,
    /// Condition to wait for.
    pub condition: ContainerCondition,
}

/// Whether an image tag is resolved to a digest once per deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VersionConsistency {
    /// Resolved once; later tasks of the deployment use the digest. The default.
    Enabled,
    /// Used as written.
    Disabled,
}

/// A line of the hosts file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostEntry {
    /// Host name.
    #[schemars(length(min = 1, max = 255))]
    pub hostname: String,
    /// Address.
    #[schemars(length(min = 1, max = 255))]
    pub ip_address: String,
}

/// Name of a process limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UlimitName {
    /// Size of core files.
    Core,
    /// CPU time in seconds.
    Cpu,
    /// Size of the data segment.
    Data,
    /// Size of files.
    Fsize,
    /// Number of file locks.
    Locks,
    /// Locked memory.
    Memlock,
    /// Memory in POSIX message queues.
    Msgqueue,
    /// Nice value.
    Nice,
    /// Number of open files.
    Nofile,
    /// Number of processes.
    Nproc,
    /// Resident set size.
    Rss,
    /// Real-time priority.
    Rtprio,
    /// Real-time CPU time.
    Rttime,
    /// Number of pending signals.
    Sigpending,
    /// Size of the stack.
    Stack,
}

/// A process limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ulimit {
    /// Which limit.
    pub name: UlimitName,
    /// Soft limit, in the unit of the limit.
    pub soft_limit: i32,
    /// Hard limit, in the unit of the limit.
    pub hard_limit: i32,
}

/// A command that tells whether a container is healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(HEALTH_CHECK_RULES)))]
pub struct HealthCheck {
    /// `CMD` and the words of a command, or `CMD-SHELL` and one line for the shell; exit code 0 is healthy.
    #[schemars(length(max = 1000))]
    pub command: Vec<String>,
    /// Seconds between two runs: 5 to 300, 30 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 300))]
    pub interval: Option<i32>,
    /// Seconds until a run counts as failed: 2 to 60, 5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 60))]
    pub timeout: Option<i32>,
    /// Failures in a row that make the container unhealthy: 1 to 10, 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub retries: Option<i32>,
    /// Seconds after the start in which failures do not count: 0 to 300, off when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 300))]
    pub start_period: Option<i32>,
}

/// A kernel parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemControl {
    /// Name of the parameter, for example `net.core.somaxconn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub namespace: Option<String>,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
}
