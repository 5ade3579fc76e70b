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
    /// ARN or name of a secret with JSON that contains `username` and `password`.
    #[schemars(length(min = 1, max = 2048))]
    pub credentials_parameter: String,
}

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportProtocol {
    /// TCP; the default.
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

/// A port, or a range of ports, that a container listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(PORT_MAPPING_RULES)))]
pub struct PortMapping {
    /// Port in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub container_port: Option<i32>,
    /// Port on the node. With `awsvpc` and `host` absent or equal to `containerPort`. With `bridge`, absent or 0
    /// reserves no port of the node: use the Kubernetes Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub host_port: Option<i32>,
    /// Transport protocol. Defaults to tcp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<TransportProtocol>,
    /// Name of the port, required for Service Connect: up to 64 characters of `a-z 0-9 _ -`, not starting with `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[a-z0-9_][a-z0-9_-]*$"))]
    pub name: Option<String>,
    /// Application protocol. Defaults to plain TCP. Becomes the `appProtocol` of the Service port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<ApplicationProtocol>,
    /// Range of ports instead of one port, as `first-last`; network modes `awsvpc` and `bridge`; at most 100 ports.
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
    /// Exit codes after which the container is not restarted; at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub ignored_exit_codes: Option<Vec<i32>>,
    /// Seconds that the container must have run before a restart, 60 to 1800. Defaults to 300. No effect: the kubelet
    /// uses its own back-off.
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
    #[schemars(length(max = 4096))]
    pub name: String,
    /// Value, passed as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Type of an environment file.
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
    /// ARN of the S3 object, with a name that ends in `.env`. The ConfigMap that replaces it has a name derived from
    /// this ARN.
    #[schemars(length(min = 1, max = 2048))]
    pub value: String,
    /// Type of the file: s3.
    #[serde(rename = "type")]
    pub type_: EnvironmentFileType,
}

/// A volume of the task to mount in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(MOUNT_POINT_RULES)))]
pub struct MountPoint {
    /// Name of a volume of the task definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub source_volume: Option<String>,
    /// Path in the container.
    #[schemars(length(max = 4096))]
    pub container_path: String,
    /// Whether the mount is read-only. Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// A container whose mounts another container gets as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(VOLUME_FROM_RULES)))]
pub struct VolumeFrom {
    /// Name of the container with the mounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub source_container: Option<String>,
    /// Whether the mount is read-only. Defaults to false.
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

/// Condition that a dependent container waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ContainerCondition {
    /// The container has started.
    Start,
    /// The container exited with any exit code.
    Complete,
    /// The container exited with exit code 0.
    Success,
    /// The health check of the container passes.
    Healthy,
}

/// A container that must reach a condition first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDependency {
    /// Name of the container to wait for.
    #[schemars(length(min = 1, max = 255))]
    pub container_name: String,
    /// Condition to wait for.
    pub condition: ContainerCondition,
}

/// Whether a deployment pins the image tag to its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VersionConsistency {
    /// Pinned: all tasks of the deployment run the same digest. The default.
    Enabled,
    /// Not pinned: the image is used as written.
    Disabled,
}

/// An entry of `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostEntry {
    /// Hostname.
    #[schemars(length(min = 1, max = 255))]
    pub hostname: String,
    /// IP address.
    #[schemars(length(min = 1, max = 255))]
    pub ip_address: String,
}

/// Name of a resource limit.
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

/// A resource limit of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ulimit {
    /// Name of the limit.
    pub name: UlimitName,
    /// Soft limit, in the unit of the limit.
    pub soft_limit: i32,
    /// Hard limit, in the unit of the limit.
    pub hard_limit: i32,
}

/// A command that checks whether a container is healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(HEALTH_CHECK_RULES)))]
pub struct HealthCheck {
    /// `CMD` and the words of a command, or `CMD-SHELL` and one line for the shell. Exit code 0 means healthy.
    #[schemars(length(max = 1000))]
    pub command: Vec<String>,
    /// Seconds between two health checks, 5 to 300. Defaults to 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 300))]
    pub interval: Option<i32>,
    /// Seconds after which a health check fails, 2 to 60. Defaults to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 60))]
    pub timeout: Option<i32>,
    /// Consecutive failures that make the container unhealthy, 1 to 10. Defaults to 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub retries: Option<i32>,
    /// Seconds after the start during which failures do not count, 0 to 300. Defaults to 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 300))]
    pub start_period: Option<i32>,
}

/// A kernel parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemControl {
    /// Name of the parameter, for example `net.core.somaxconn`.
    #[schemars(length(max = 255))]
    pub namespace: String,
    /// Value of the parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
}
