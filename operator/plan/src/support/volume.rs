//! Volumes of a task definition.

use super::field::{Field, approximated, fine, honoured, no_effect, with_note};

const ALLOWED: &str =
    "mounted if an annotation of the Namespace allows it or puts a claim in its place, otherwise refused";
const S3_FILES: &str = "mounted if an annotation of the Namespace puts a claim in its place, otherwise refused: no driver \
                        mounts S3 Files";
const IN_PLACE: &str = "the claim that stands for the file system decides it";
const CREDENTIALS: &str = "read from the keys username and password of a Secret whose name follows from it";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("volumes"),
    honoured("volumes[].name"),
    with_note(
        "volumes[].host",
        "without sourcePath it begins empty, without what an image declares as a volume at the place",
    ),
    honoured("volumes[].host.sourcePath"),
    honoured("volumes[].dockerVolumeConfiguration"),
    honoured("volumes[].dockerVolumeConfiguration.scope"),
    with_note(
        "volumes[].dockerVolumeConfiguration.autoprovision",
        "without it a task waits where the directory is missing instead of failing, which is reported",
    ),
    with_note(
        "volumes[].dockerVolumeConfiguration.driver",
        "another driver than local has no effect, which is reported: the data is on the disk of the node",
    ),
    with_note(
        "volumes[].dockerVolumeConfiguration.driverOpts",
        "type nfs, type tmpfs of scope task, and bind mounts of the driver local; anything else is refused",
    ),
    no_effect("volumes[].dockerVolumeConfiguration.labels", "a volume on the disk of a node has no labels"),
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
    with_note("volumes[].s3filesVolumeConfiguration.rootDirectory", "the directory of the claim that is mounted"),
    no_effect("volumes[].s3filesVolumeConfiguration.transitEncryptionPort", IN_PLACE),
    with_note(
        "volumes[].s3filesVolumeConfiguration.accessPointArn",
        "what stands for the access point is mounted, by an annotation of its own",
    ),
    honoured("volumes[].fsxWindowsFileServerVolumeConfiguration"),
    with_note("volumes[].fsxWindowsFileServerVolumeConfiguration.fileSystemId", ALLOWED),
    honoured("volumes[].fsxWindowsFileServerVolumeConfiguration.rootDirectory"),
    honoured("volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig"),
    approximated(
        "volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.credentialsParameter",
        CREDENTIALS,
    ),
    with_note(
        "volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.domain",
        "part of the name of the file server, unless an annotation of the Namespace names the server",
    ),
    honoured("volumes[].configuredAtLaunch"),
];
