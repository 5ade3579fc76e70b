//! Volumes that a service configures at launch.

use super::field::{Field, honoured, no_effect};

const EBS_TAGS: &str = "not applied by this version: volumes get the tags of the CSI driver";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("volumeConfigurations"),
    honoured("volumeConfigurations[].name"),
    honoured("volumeConfigurations[].managedEBSVolume"),
    honoured("volumeConfigurations[].managedEBSVolume.encrypted"),
    honoured("volumeConfigurations[].managedEBSVolume.kmsKeyId"),
    honoured("volumeConfigurations[].managedEBSVolume.volumeType"),
    honoured("volumeConfigurations[].managedEBSVolume.sizeInGiB"),
    honoured("volumeConfigurations[].managedEBSVolume.snapshotId"),
    honoured("volumeConfigurations[].managedEBSVolume.volumeInitializationRate"),
    honoured("volumeConfigurations[].managedEBSVolume.iops"),
    honoured("volumeConfigurations[].managedEBSVolume.throughput"),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].resourceType", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].key", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].tags[].value", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.tagSpecifications[].propagateTags", EBS_TAGS),
    no_effect("volumeConfigurations[].managedEBSVolume.roleArn", "the EBS CSI driver acts with its own identity"),
    honoured("volumeConfigurations[].managedEBSVolume.filesystemType"),
];
