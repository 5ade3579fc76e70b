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

/// One container of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(CONTAINER_RULES)))]
pub struct ContainerDefinition {
    /// Name of the container, unique in the task definition: up to 255 letters, digits, `_` and `-`.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// Image to run, passed to the container runtime as written.
    #[schemars(length(min = 1, max = 4096))]
    pub image: String,
    /// Credentials for pulling the image from a private registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_credentials: Option<RepositoryCredentials>,
    /// CPU shares of the container; 1024 units are one vCPU. Absent, 0 and 1 all mean the minimum of 2 shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub cpu: Option<i32>,
    /// Hard memory limit in MiB: a container that exceeds it is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6))]
    pub memory: Option<i32>,
    /// Memory in MiB that is kept free for the container when it is placed; it may use more, up to `memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6))]
    pub memory_reservation: Option<i32>,
    /// Containers reachable under a name of their own, as `name` or `name:alias`; network mode `bridge` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 512)))]
    pub links: Option<Vec<String>>,
    /// Ports on which the container listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub port_mappings: Option<Vec<PortMapping>>,
    /// Whether the end of this container, with any exit code, ends the whole task; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub essential: Option<bool>,
    /// Restart in place when the container exits; off when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<ContainerRestartPolicy>,
    /// Replaces the ENTRYPOINT of the image and, as with docker, drops its CMD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub entry_point: Option<Vec<String>>,
    /// Replaces the CMD of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub command: Option<Vec<String>>,
    /// Environment variables, passed as written; they win over variables from `environmentFiles`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub environment: Option<Vec<KeyValuePair>>,
    /// Files with more environment variables; the first file that defines a variable wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub environment_files: Option<Vec<EnvironmentFile>>,
    /// Volumes of the task and where the container sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub mount_points: Option<Vec<MountPoint>>,
    /// Containers whose mounts this container has too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub volumes_from: Option<Vec<VolumeFrom>>,
    /// Linux kernel settings; not on Windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux_parameters: Option<LinuxParameters>,
    /// Environment variables whose values are read from a secret when the container starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub secrets: Option<Vec<Secret>>,
    /// Containers that must have reached a condition before this one starts; it stops before they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub depends_on: Option<Vec<ContainerDependency>>,
    /// Seconds that dependents wait for this container to become COMPLETE, SUCCESS or HEALTHY; Fargate 2 to 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub start_timeout: Option<i32>,
    /// Seconds between the stop signal and SIGKILL; 30 when absent; Fargate 2 to 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub stop_timeout: Option<i32>,
    /// Whether a deployment resolves the image tag to a digest once and keeps it; enabled when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_consistency: Option<VersionConsistency>,
    /// Host name of the container; not with network mode `awsvpc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub hostname: Option<String>,
    /// User of the process: `user`, `user:group`, `uid`, `uid:gid`, `user:gid` or `uid:group`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub user: Option<String>,
    /// Directory in which the command starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub working_directory: Option<String>,
    /// Switches the network of the container off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_networking: Option<bool>,
    /// Gives the container nearly the rights of root on the host; not on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged: Option<bool>,
    /// Makes the root file system of the container read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readonly_root_filesystem: Option<bool>,
    /// DNS servers that the container asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 255)))]
    pub dns_servers: Option<Vec<String>>,
    /// Domains that are tried for names without a dot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 255)))]
    pub dns_search_domains: Option<Vec<String>>,
    /// Lines for the hosts file; not with network mode `awsvpc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub extra_hosts: Option<Vec<HostEntry>>,
    /// Security labels and options such as `no-new-privileges`, `apparmor:PROFILE`, `label:…`; not on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub docker_security_options: Option<Vec<String>>,
    /// Keeps standard input open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interactive: Option<bool>,
    /// Allocates a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudo_terminal: Option<bool>,
    /// Labels of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_labels: Option<BTreeMap<String, String>>,
    /// Limits of the processes in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub ulimits: Option<Vec<Ulimit>>,
    /// Where the output of the container goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<LogConfiguration>,
    /// How to find out whether the container is healthy. A HEALTHCHECK of the image is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Kernel parameters (sysctls).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub system_controls: Option<Vec<SystemControl>>,
    /// GPUs and other devices that the container needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub resource_requirements: Option<Vec<ResourceRequirement>>,
    /// Makes this container the log router of the task; one per task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firelens_configuration: Option<FirelensConfiguration>,
    /// Where the credential specification for Active Directory lies; at most one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1), inner(length(max = 4096)))]
    pub credential_specs: Option<Vec<String>>,
}
