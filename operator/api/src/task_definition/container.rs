//! Container definitions: what one container of a task runs and how.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    container_parts::{
        ContainerDependency, ContainerRestartPolicy, EnvironmentFile, HealthCheck, HostEntry, KeyValuePair, MountPoint,
        PortMapping, RepositoryCredentials, Secret, SystemControl, Ulimit, VersionConsistency, VolumeFrom,
    },
    linux_parameters::LinuxParameters,
    logging::{FirelensConfiguration, LogConfiguration},
    resource_requirements::ResourceRequirement,
    rules::CONTAINER_RULES,
};
use crate::schema::validations;

/// A container of a task. Becomes a container of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(CONTAINER_RULES)))]
pub struct ContainerDefinition {
    /// Name of the container, unique in the task definition: up to 255 letters, digits, `_` and `-`.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// Image to run. A tag is pinned to its digest when a deployment starts (see `versionConsistency`).
    #[schemars(length(min = 1, max = 4096))]
    pub image: String,
    /// Credentials for pulling the image from a private registry. Becomes an `imagePullSecret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_credentials: Option<RepositoryCredentials>,
    /// CPU shares of the container; 1024 units are one vCPU. Becomes the CPU request, without a limit. Absent, 0 and 1
    /// all mean the minimum of 2 shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub cpu: Option<i32>,
    /// Memory limit in MiB: a container that exceeds it is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6))]
    pub memory: Option<i32>,
    /// Memory in MiB to reserve for the container: its memory request. It may use more, up to `memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6))]
    pub memory_reservation: Option<i32>,
    /// Containers to reach by name, as `name` or `name:alias`; network mode `bridge` only. Every name resolves to the
    /// pod itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 512)))]
    pub links: Option<Vec<String>>,
    /// Ports that the container listens on. Become container ports and ports of the Kubernetes Service. Applied as a
    /// whole: a range has no `containerPort` that could tell entries apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub port_mappings: Option<Vec<PortMapping>>,
    /// Whether the exit of this container, with any exit code, stops the whole task. Defaults to true. See
    /// `kubernetes.essentialContainerExit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub essential: Option<bool>,
    /// Whether to restart the container in place when it exits. Defaults to no restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<ContainerRestartPolicy>,
    /// Overrides the ENTRYPOINT of the image and, as with Docker, drops its CMD. Becomes `command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub entry_point: Option<Vec<String>>,
    /// Overrides the CMD of the image. Becomes `args`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub command: Option<Vec<String>>,
    /// Environment variables, passed as written; each name once. They take precedence over `environmentFiles`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 1000),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub environment: Option<Vec<KeyValuePair>>,
    /// Files with environment variables. Become `envFrom` with one ConfigMap per file. The first file that defines a
    /// variable wins, so the list is applied as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub environment_files: Option<Vec<EnvironmentFile>>,
    /// Volumes of the task to mount in the container; each `containerPath` once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 50),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["containerPath"])
    )]
    pub mount_points: Option<Vec<MountPoint>>,
    /// Containers whose mounts this container gets as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub volumes_from: Option<Vec<VolumeFrom>>,
    /// Linux-specific settings; not on Windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux_parameters: Option<LinuxParameters>,
    /// Environment variables with values from secrets, read when the container starts; each name once. Become
    /// `secretKeyRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 500),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub secrets: Option<Vec<Secret>>,
    /// Containers that must reach a condition before this one starts. This container stops before they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 50),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["containerName", "condition"])
    )]
    pub depends_on: Option<Vec<ContainerDependency>>,
    /// Seconds that dependent containers wait for this one to become COMPLETE, SUCCESS or HEALTHY; Fargate: 2 to 120.
    /// The task stops after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub start_timeout: Option<i32>,
    /// Seconds between the stop signal and SIGKILL; Fargate: 2 to 120. Defaults to 30. Becomes part of
    /// `terminationGracePeriodSeconds` of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub stop_timeout: Option<i32>,
    /// Whether a deployment pins the image tag to its digest. Defaults to `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_consistency: Option<VersionConsistency>,
    /// Hostname of the container; not with network mode `awsvpc`. Becomes the hostname of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub hostname: Option<String>,
    /// User of the process: `user`, `user:group`, `uid`, `uid:gid`, `user:gid` or `uid:group`. Names other than `root`
    /// are refused: use numbers. Becomes `runAsUser` and `runAsGroup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub user: Option<String>,
    /// Working directory of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub working_directory: Option<String>,
    /// Whether to disable the network of the container. true is refused: the containers of a pod share one network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_networking: Option<bool>,
    /// Whether the container is privileged; not on Fargate. An administrator must write `privileged` into the annotation
    /// `ecs-operator.dev/allowed-host-access` of the Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged: Option<bool>,
    /// Whether the root file system of the container is read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readonly_root_filesystem: Option<bool>,
    /// DNS servers of the container. They apply to the whole pod, and names of the Kubernetes cluster no longer
    /// resolve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 255)))]
    pub dns_servers: Option<Vec<String>>,
    /// DNS search domains. They apply to the whole pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 255)))]
    pub dns_search_domains: Option<Vec<String>>,
    /// Entries for `/etc/hosts`; not with network mode `awsvpc`. Become `hostAliases` of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 100),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["hostname", "ipAddress"])
    )]
    pub extra_hosts: Option<Vec<HostEntry>>,
    /// Security labels and options such as `no-new-privileges`, `apparmor:PROFILE`, `label:…`; not on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub docker_security_options: Option<Vec<String>>,
    /// Whether to keep standard input open (`stdin`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interactive: Option<bool>,
    /// Whether to allocate a terminal (`tty`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudo_terminal: Option<bool>,
    /// Docker labels of the container. Become annotations of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_labels: Option<BTreeMap<String, String>>,
    /// Resource limits of the processes (ulimits); each name once. No effect: those of the container runtime apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 50),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub ulimits: Option<Vec<Ulimit>>,
    /// Log configuration of the container. Output goes to the log files of the node; the configuration becomes an
    /// annotation of the pod for the log agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<LogConfiguration>,
    /// Health check of the container. Becomes a readiness and a startup probe. A HEALTHCHECK of the image is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Kernel parameters (sysctls); each `namespace` once. They apply to the whole pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 100),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["namespace"])
    )]
    pub system_controls: Option<Vec<SystemControl>>,
    /// GPUs and other devices that the container needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub resource_requirements: Option<Vec<ResourceRequirement>>,
    /// Makes this container the FireLens log router of the task, which runs as a native sidecar; one per task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firelens_configuration: Option<FirelensConfiguration>,
    /// Location of the credential specification (gMSA) for Active Directory; at most one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1), inner(length(max = 4096)))]
    pub credential_specs: Option<Vec<String>>,
}
