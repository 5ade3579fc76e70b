//! Volumes whose settings come from the service instead of the task definition.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PropagateTags;
use crate::schema::{Rule, validations};
use crate::tags::Tag;

/// Settings of a volume that the task definition declares as `configuredAtLaunch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceVolumeConfiguration {
    /// Name of the volume in the task definition.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// A new EBS volume for each task, deleted when the task stops. Becomes an ephemeral PersistentVolumeClaim of a
    /// StorageClass that the operator creates.
    #[serde(rename = "managedEBSVolume", default, skip_serializing_if = "Option::is_none")]
    pub managed_ebs_volume: Option<ServiceManagedEbsVolumeConfiguration>,
}

/// Rules that one [`ServiceManagedEbsVolumeConfiguration`] must meet by itself.
pub const SERVICE_MANAGED_EBS_VOLUME_CONFIGURATION_RULES: &[Rule] = &[
    Rule {
        path: ".sizeInGiB",
        message: "InvalidParameterException: sizeInGiB or snapshotId is required for a managed EBS volume",
        cel: "has(self.sizeInGiB) || (has(self.snapshotId) && self.snapshotId != '')",
    },
    Rule {
        path: ".sizeInGiB",
        message: "InvalidParameterException: sizeInGiB must be between 1 and 16384 for volume types gp2 and gp3",
        cel: "!has(self.sizeInGiB) || !(!has(self.volumeType) || self.volumeType in ['gp2', 'gp3']) || (self.sizeInGiB \
              >= 1 && self.sizeInGiB <= 16384)",
    },
    Rule {
        path: ".sizeInGiB",
        message: "InvalidParameterException: sizeInGiB must be between 4 and 16384 for volume types io1 and io2",
        cel: "!has(self.sizeInGiB) || !has(self.volumeType) || !(self.volumeType in ['io1', 'io2']) || (self.sizeInGiB \
              >= 4 && self.sizeInGiB <= 16384)",
    },
    Rule {
        path: ".sizeInGiB",
        message: "InvalidParameterException: sizeInGiB must be between 125 and 16384 for volume types st1 and sc1",
        cel: "!has(self.sizeInGiB) || !has(self.volumeType) || !(self.volumeType in ['st1', 'sc1']) || (self.sizeInGiB \
              >= 125 && self.sizeInGiB <= 16384)",
    },
    Rule {
        path: ".sizeInGiB",
        message: "InvalidParameterException: sizeInGiB must be between 1 and 1024 for volume type standard",
        cel: "!has(self.sizeInGiB) || !has(self.volumeType) || self.volumeType != 'standard' || (self.sizeInGiB >= 1 \
              && self.sizeInGiB <= 1024)",
    },
    Rule {
        path: ".iops",
        message: "InvalidParameterException: iops is required for volume types io1 and io2",
        cel: "has(self.iops) || !has(self.volumeType) || !(self.volumeType in ['io1', 'io2'])",
    },
    Rule {
        path: ".iops",
        message: "InvalidParameterException: iops is not supported for volume types gp2, st1, sc1 and standard",
        cel: "!has(self.iops) || !has(self.volumeType) || !(self.volumeType in ['gp2', 'st1', 'sc1', 'standard'])",
    },
    Rule {
        path: ".iops",
        message: "InvalidParameterException: iops must be between 3000 and 16000 for volume type gp3",
        cel: "!has(self.iops) || (has(self.volumeType) && self.volumeType != 'gp3') || (self.iops >= 3000 && self.iops \
              <= 16000)",
    },
    Rule {
        path: ".iops",
        message: "InvalidParameterException: iops must be between 100 and 64000 for volume type io1",
        cel: "!has(self.iops) || !has(self.volumeType) || self.volumeType != 'io1' || (self.iops >= 100 && self.iops \
              <= 64000)",
    },
    Rule {
        path: ".iops",
        message: "InvalidParameterException: iops must be between 100 and 256000 for volume type io2",
        cel: "!has(self.iops) || !has(self.volumeType) || self.volumeType != 'io2' || (self.iops >= 100 && self.iops \
              <= 256000)",
    },
    Rule {
        path: ".throughput",
        message: "InvalidParameterException: throughput is supported for volume type gp3 only",
        cel: "!has(self.throughput) || !has(self.volumeType) || self.volumeType == 'gp3'",
    },
    Rule {
        path: ".volumeInitializationRate",
        message: "InvalidParameterException: volumeInitializationRate needs snapshotId",
        cel: "!has(self.volumeInitializationRate) || (has(self.snapshotId) && self.snapshotId != '')",
    },
];

/// An EBS volume for each task of the service, deleted with the task. Becomes an ephemeral PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SERVICE_MANAGED_EBS_VOLUME_CONFIGURATION_RULES)))]
pub struct ServiceManagedEbsVolumeConfiguration {
    /// Whether the volume is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// KMS key for the encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub kms_key_id: Option<String>,
    /// Type of the volume. Defaults to `gp3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<EbsVolumeType>,
    /// Size in GiB. gp2 and gp3: 1 to 16384; io1 and io2: 4 to 16384; st1 and sc1: 125 to 16384; standard: 1 to 1024.
    /// The operator needs it together with `snapshotId` too.
    #[serde(rename = "sizeInGiB", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub size_in_gib: Option<i32>,
    /// Snapshot that the volume starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub snapshot_id: Option<String>,
    /// Rate at which the snapshot is loaded, in MiB/s; requires `snapshotId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub volume_initialization_rate: Option<i32>,
    /// I/O operations per second (IOPS). gp3: 3000 to 16000; io1: 100 to 64000, required; io2: 100 to 256000, required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub iops: Option<i32>,
    /// Throughput in MiB/s, at most 1000; gp3 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub throughput: Option<i32>,
    /// Tags of the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub tag_specifications: Option<Vec<EbsTagSpecification>>,
    /// IAM role that ECS uses to create the volume. No effect: the EBS CSI driver has its own identity.
    #[schemars(length(max = 2048))]
    pub role_arn: String,
    /// File system on the volume. Defaults to `xfs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filesystem_type: Option<TaskFilesystemType>,
}

/// Type of an EBS volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EbsVolumeType {
    /// General purpose SSD, second generation.
    Gp2,
    /// General purpose SSD, third generation.
    Gp3,
    /// Provisioned IOPS SSD.
    Io1,
    /// Provisioned IOPS SSD, second generation.
    Io2,
    /// Cold HDD.
    Sc1,
    /// Throughput optimised HDD.
    St1,
    /// Magnetic, previous generation.
    Standard,
}

/// File system of a managed volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskFilesystemType {
    /// ext3.
    Ext3,
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// NTFS, for Windows tasks.
    Ntfs,
}

/// Tags of a managed volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EbsTagSpecification {
    /// Resource to tag: always `volume`.
    pub resource_type: EbsResourceType,
    /// Tags; at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub tags: Option<Vec<Tag>>,
    /// Source of additional tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagate_tags: Option<PropagateTags>,
}

/// Resource to tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EbsResourceType {
    /// The volume.
    Volume,
}
