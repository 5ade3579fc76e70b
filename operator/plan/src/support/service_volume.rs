//! Volumes that a service configures at launch.

use super::field::{Field, honoured, no_effect, with_note};

const CLASS: &str = "becomes a parameter of a StorageClass of the EBS CSI driver; no effect, and reported, if the \
    administrator of the namespace chose a StorageClass";
const RESERVED: &str = "a key that the EBS CSI driver reserves has no effect, which is reported";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("volumeConfigurations"),
    honoured("volumeConfigurations[].name"),
    honoured("volumeConfigurations[].managedEBSVolume"),
    with_note("volumeConfigurations[].managedEBSVolume.encrypted", CLASS),
    with_note("volumeConfigurations[].managedEBSVolume.kmsKeyId", CLASS),
    with_note("volumeConfigurations[].managedEBSVolume.volumeType", CLASS),
    with_note("volumeConfigurations[].managedEBSVolume.sizeInGiB", "also required with snapshotId"),
    with_note(
        "volumeConfigurations[].managedEBSVolume.snapshotId",
        "requires the snapshot API and an annotation of the Namespace that allows it; refused otherwise",
    ),
    with_note("volumeConfigurations[].managedEBSVolume.volumeInitializationRate", CLASS),
    with_note("volumeConfigurations[].managedEBSVolume.iops", CLASS),
    with_note("volumeConfigurations[].managedEBSVolume.throughput", CLASS),
    with_note("volumeConfigurations[].managedEBSVolume.tagSpecifications", CLASS),
    honoured("volumeConfigurations[].managedEBSVolume.tagSpecifications[].resourceType"),
    honoured("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags"),
    with_note("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].key", RESERVED),
    honoured("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].value"),
    with_note(
        "volumeConfigurations[].managedEBSVolume.tagSpecifications[].propagateTags",
        "copies the tags at the start of the deployment",
    ),
    no_effect("volumeConfigurations[].managedEBSVolume.roleArn", "the EBS CSI driver acts with its own identity"),
    with_note("volumeConfigurations[].managedEBSVolume.filesystemType", CLASS),
];
