//! Volumes of a task definition.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::{DOCKER_VOLUME_RULES, EFS_RULES, S3FILES_RULES, VOLUME_RULES};
use crate::schema::validations;

/// A volume with at most one configuration. Without one it is an `emptyDir` that lives as long as the task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(VOLUME_RULES)))]
pub struct Volume {
    /// Name of the volume, unique in the task definition: up to 255 letters, digits, `_` and `-`.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// A directory of the node (`hostPath`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostVolumeProperties>,
    /// A Docker volume; not on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_volume_configuration: Option<DockerVolumeConfiguration>,
    /// An EFS file system, mounted by the EFS CSI driver through a PersistentVolume, if the administrator of the
    /// namespace allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efs_volume_configuration: Option<EfsVolumeConfiguration>,
    /// An S3 Files file system. Requires a PersistentVolumeClaim that the administrator of the namespace provides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3files_volume_configuration: Option<S3FilesVolumeConfiguration>,
    /// An FSx for Windows file server, mounted by the SMB CSI driver, if the administrator of the namespace allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fsx_windows_file_server_volume_configuration: Option<FsxWindowsFileServerVolumeConfiguration>,
    /// Whether the service configures the volume at launch (`volumeConfigurations`, managed EBS); at most one volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_at_launch: Option<bool>,
}

/// A directory of the node (`hostPath`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostVolumeProperties {
    /// Path on the node, created if missing; not on Fargate. Without a path, the volume is an `emptyDir`. An administrator
    /// must list the path in the annotation `ecs-operator.dev/allowed-host-access` of the Namespace, as `host-paths=PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub source_path: Option<String>,
}

/// Lifetime of a Docker volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// As long as the task; the default.
    Task,
    /// Beyond the task, on the node.
    Shared,
}

/// A Docker volume. Becomes a directory of the node (`shared`) or an `emptyDir` (`task`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DOCKER_VOLUME_RULES)))]
pub struct DockerVolumeConfiguration {
    /// Lifetime of the volume. Defaults to `task`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Whether to create a shared volume that does not exist. Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoprovision: Option<bool>,
    /// Volume driver. Defaults to `local`; others have no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub driver: Option<String>,
    /// Options of the driver. For NFS exports and bind mounts, an administrator must list the export or path in an
    /// annotation of the Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_opts: Option<BTreeMap<String, String>>,
    /// Labels of the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// Whether encryption in transit is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum EfsTransitEncryption {
    /// On.
    Enabled,
    /// Off; the default.
    Disabled,
}

/// Whether to mount with the task role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum EfsAuthorizationConfigIam {
    /// Mounts with the task role. Here, the CSI driver mounts with its own identity.
    Enabled,
    /// Mounts without the task role; the default.
    Disabled,
}

/// An EFS file system, mounted by the EFS CSI driver through a PersistentVolume, if the administrator of the namespace
/// allows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(EFS_RULES)))]
pub struct EfsVolumeConfiguration {
    /// Id of the file system, such as `fs-0123456789abcdef0`.
    #[schemars(length(min = 1, max = 255))]
    pub file_system_id: String,
    /// Directory of the file system to mount. Defaults to `/`; with an access point it must be absent or `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub root_directory: Option<String>,
    /// Encryption in transit. Defaults to DISABLED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transit_encryption: Option<EfsTransitEncryption>,
    /// Port of the encrypted connection on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub transit_encryption_port: Option<i32>,
    /// Access point and IAM authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_config: Option<EfsAuthorizationConfig>,
}

/// Access to an EFS file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EfsAuthorizationConfig {
    /// Id of the access point; requires transit encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub access_point_id: Option<String>,
    /// Whether to mount with the task role; requires transit encryption. Defaults to DISABLED. The CSI driver always
    /// mounts with its own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam: Option<EfsAuthorizationConfigIam>,
}

/// An S3 Files file system; requires `taskRoleArn`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(S3FILES_RULES)))]
pub struct S3FilesVolumeConfiguration {
    /// ARN of the file system.
    #[schemars(length(min = 1, max = 2048))]
    pub file_system_arn: String,
    /// Directory of the file system to mount. Defaults to `/`; with an access point it must be absent or `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub root_directory: Option<String>,
    /// Port of the encrypted connection on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub transit_encryption_port: Option<i32>,
    /// ARN of the access point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub access_point_arn: Option<String>,
}

/// An FSx for Windows file server, mounted by the SMB CSI driver, if the administrator of the namespace allows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FsxWindowsFileServerVolumeConfiguration {
    /// Id of the file system, such as `fs-0123456789abcdef0`.
    #[schemars(length(min = 1, max = 255))]
    pub file_system_id: String,
    /// Directory of the file system to mount.
    #[schemars(length(min = 1, max = 4096))]
    pub root_directory: String,
    /// Credentials for the file server and its domain.
    pub authorization_config: FsxWindowsFileServerAuthorizationConfig,
}

/// Credentials for an FSx for Windows file server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FsxWindowsFileServerAuthorizationConfig {
    /// ARN of the secret with user name and password. Read from the keys `username` and `password` of a Kubernetes
    /// Secret.
    #[schemars(length(min = 1, max = 2048))]
    pub credentials_parameter: String,
    /// Active Directory domain.
    #[schemars(length(min = 1, max = 255))]
    pub domain: String,
}
