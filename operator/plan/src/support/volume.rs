//! Volumes of a task definition.

use super::field::{Field, approximated, fine, honoured, no_effect, refused};

const S3_FILES: &str =
    "S3 Files volumes are not mounted by this version, and running without the data would not be safe";
const FSX: &str = "FSx for Windows File Server volumes are not mounted by this version, and running without the data would not be safe";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("volumes"),
    honoured("volumes[].name"),
    honoured("volumes[].host"),
    honoured("volumes[].host.sourcePath"),
    honoured("volumes[].dockerVolumeConfiguration"),
    honoured("volumes[].dockerVolumeConfiguration.scope"),
    honoured("volumes[].dockerVolumeConfiguration.autoprovision"),
    no_effect(
        "volumes[].dockerVolumeConfiguration.driver",
        "docker volume drivers do not exist on Kubernetes nodes; the data is on the disk of the node",
    )
    .cases(&[fine("local")]),
    no_effect(
        "volumes[].dockerVolumeConfiguration.driverOpts",
        "docker volume drivers do not exist on Kubernetes nodes",
    ),
    no_effect("volumes[].dockerVolumeConfiguration.labels", "a volume on the disk of a node has no labels"),
    honoured("volumes[].efsVolumeConfiguration"),
    honoured("volumes[].efsVolumeConfiguration.fileSystemId"),
    honoured("volumes[].efsVolumeConfiguration.rootDirectory"),
    honoured("volumes[].efsVolumeConfiguration.transitEncryption"),
    honoured("volumes[].efsVolumeConfiguration.transitEncryptionPort"),
    honoured("volumes[].efsVolumeConfiguration.authorizationConfig"),
    honoured("volumes[].efsVolumeConfiguration.authorizationConfig.accessPointId"),
    approximated(
        "volumes[].efsVolumeConfiguration.authorizationConfig.iam",
        "the file system is mounted with the identity of the CSI driver, not with the task role",
    )
    .cases(&[fine("DISABLED")]),
    refused("volumes[].s3filesVolumeConfiguration", S3_FILES),
    refused("volumes[].s3filesVolumeConfiguration.fileSystemArn", S3_FILES),
    refused("volumes[].s3filesVolumeConfiguration.rootDirectory", S3_FILES),
    refused("volumes[].s3filesVolumeConfiguration.transitEncryptionPort", S3_FILES),
    refused("volumes[].s3filesVolumeConfiguration.accessPointArn", S3_FILES),
    refused("volumes[].fsxWindowsFileServerVolumeConfiguration", FSX),
    refused("volumes[].fsxWindowsFileServerVolumeConfiguration.fileSystemId", FSX),
    refused("volumes[].fsxWindowsFileServerVolumeConfiguration.rootDirectory", FSX),
    refused("volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig", FSX),
    refused("volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.credentialsParameter", FSX),
    refused("volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.domain", FSX),
    honoured("volumes[].configuredAtLaunch"),
];
