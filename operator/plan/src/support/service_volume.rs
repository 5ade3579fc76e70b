//! Volumes that a service configures at launch.

use super::field::{Field, approximated, honoured, no_effect};

const EBS_CLASS: &str = "the default StorageClass of the cluster decides it";
const EBS_TAGS: &str = "not applied by this version: volumes get the tags of the CSI driver";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("volumeConfigurations"),
    honoured("volumeConfigurations[].name"),
    honoured("volumeConfigurations[].managedEBSVolume"),
    no_effect("volumeConfigurations[].managedEBSVolume.encrypted", EBS_CLASS),
    no_effect("volumeConfigurations[].managedEBSVolume.kmsKeyId", EBS_CLASS),
    no_effect("volumeConfigurations[].managedEBSVolume.volumeType", EBS_CLASS),
    honoured("volumeConfigurations[].managedEBSVolume.sizeInGiB"),
    approximated(
        "volumeConfigurations[].managedEBSVolume.snapshotId",
        "read from the VolumeSnapshot of this name in the namespace",
    ),
    no_effect("volumeConfigurations[].managedEBSVolume.volumeInitializationRate", EBS_CLASS),
    no_effect("volumeConfigurations[].managedEBSVolume.iops", EBS_CLASS),
    no_effect("volumeConfigurations[].managedEBSVolume.throughput", EBS_CLASS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].resourceType", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].key", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].value", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].propagateTags", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.roleArn", "the EBS CSI driver acts with its own identity"),
    no_effect("volumeConfigurations[].managedEBSVolume.filesystemType", EBS_CLASS),
];
