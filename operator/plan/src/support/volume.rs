//! Volumes of a task definition.

use super::field::{Field, approximated, fine, honoured, no_effect, with_note};

const ALLOWED: &str = "mounted if an annotation of the Namespace allows the file system or names a PersistentVolumeClaim to use instead; \
        refused otherwise";
const S3_FILES: &str = "mounted if an annotation of the Namespace names a PersistentVolumeClaim to use instead; \
    refused otherwise, because no CSI driver mounts S3 Files";
const IN_PLACE: &str = "the PersistentVolumeClaim used instead of the file system decides it";
const CREDENTIALS: &str = "read from the keys username and password of a Secret with a name derived from the parameter";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("volumes"),
    honoured("volumes[].name"),
    with_note(
        "volumes[].host",
        "without sourcePath the volume starts empty, without the content that an image has at a declared volume path",
    ),
    with_note("volumes[].host.sourcePath", "refused unless an annotation of the Namespace allows the path"),
    honoured("volumes[].dockerVolumeConfiguration"),
    honoured("volumes[].dockerVolumeConfiguration.scope"),
    with_note(
        "volumes[].dockerVolumeConfiguration.autoprovision",
        "without it, a task waits on a node without the directory instead of failing, which is reported",
    ),
    with_note(
        "volumes[].dockerVolumeConfiguration.driver",
        "drivers other than local have no effect, which is reported: the data is on the disk of the node",
    ),
    with_note(
        "volumes[].dockerVolumeConfiguration.driverOpts",
        "type nfs and bind mounts of the local driver where an annotation of the Namespace allows the export or path, \
            and type tmpfs with scope task; anything else is refused",
    ),
    no_effect("volumes[].dockerVolumeConfiguration.labels", "volumes on the disk of a node have no labels"),
    honoured("volumes[].efsVolumeConfiguration"),
    with_note("volumes[].efsVolumeConfiguration.fileSystemId", ALLOWED),
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
    with_note("volumes[].s3filesVolumeConfiguration", S3_FILES),
    with_note("volumes[].s3filesVolumeConfiguration.fileSystemArn", S3_FILES),
    with_note(
        "volumes[].s3filesVolumeConfiguration.rootDirectory",
        "the directory of the PersistentVolumeClaim to \
        mount",
    ),
    no_effect("volumes[].s3filesVolumeConfiguration.transitEncryptionPort", IN_PLACE),
    with_note(
        "volumes[].s3filesVolumeConfiguration.accessPointArn",
        "a separate annotation names the PersistentVolumeClaim to use for the access point",
    ),
    honoured("volumes[].fsxWindowsFileServerVolumeConfiguration"),
    with_note(
        "volumes[].fsxWindowsFileServerVolumeConfiguration.fileSystemId",
        "mounted if an annotation of the Namespace allows the share or names the file server or a PersistentVolumeClaim \
            to use instead; refused otherwise",
    ),
    honoured("volumes[].fsxWindowsFileServerVolumeConfiguration.rootDirectory"),
    honoured("volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig"),
    approximated(
        "volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.credentialsParameter",
        CREDENTIALS,
    ),
    with_note(
        "volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.domain",
        "part of the host name of the file server, unless an annotation of the Namespace names the host",
    ),
    honoured("volumes[].configuredAtLaunch"),
];
