//! Volumes: the handle of an EFS volume and the limits of managed EBS volumes.

use crate::violation::Violation;

/// The handle that the EFS CSI driver reads: `fs-id[:/path][::access point]`.
///
/// | root directory | access point | handle |
/// |---|---|---|
/// | none or `/` | none | `fs-1` |
/// | `/data` | none | `fs-1:/data` |
/// | none or `/` | `fsap-2` | `fs-1::fsap-2` |
/// | `/data` | `fsap-2` | `fs-1:/data:fsap-2`, which [`check_efs`] refuses |
pub fn efs_volume_handle(file_system_id: &str, root_directory: Option<&str>, access_point: Option<&str>) -> String {
    let path = root_directory.map(|path| path.trim_matches('/')).filter(|path| !path.is_empty());
    let path = path.map(|path| format!("/{path}"));
    match (path, access_point.filter(|id| !id.is_empty())) {
        (None, None) => file_system_id.to_owned(),
        (Some(path), None) => format!("{file_system_id}:{path}"),
        (None, Some(access_point)) => format!("{file_system_id}::{access_point}"),
        (Some(path), Some(access_point)) => format!("{file_system_id}:{path}:{access_point}"),
    }
}

/// `efsVolumeConfiguration` of a volume, as far as its fields restrict each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EfsVolume {
    /// `fileSystemId`
    pub file_system_id: String,
    /// `rootDirectory`
    pub root_directory: Option<String>,
    /// `transitEncryption` is ENABLED; DISABLED is the default.
    pub transit_encryption: bool,
    /// `authorizationConfig.accessPointId`
    pub access_point_id: Option<String>,
    /// `authorizationConfig.iam` is ENABLED; DISABLED is the default.
    pub iam: bool,
}

/// Every rule that an EFS volume breaks. Paths are below `efsVolumeConfiguration`.
pub fn check_efs(volume: &EfsVolume) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut refuse = |path: &str, message: &str| violations.push(Violation::new(path, message));
    if volume.file_system_id.is_empty() || volume.file_system_id.contains(':') {
        refuse("fileSystemId", "the id of a file system, without colons");
    }
    let root = volume.root_directory.as_deref().unwrap_or("/");
    if root.contains(':') {
        refuse("rootDirectory", "a path with a colon cannot be mounted");
    } else if root.split('/').any(|segment| segment == "..") {
        refuse("rootDirectory", "a path without ..");
    }
    let access_point = volume.access_point_id.as_deref().filter(|id| !id.is_empty());
    if access_point.is_some() && !matches!(root, "" | "/") {
        refuse("rootDirectory", "with an access point it is omitted or /");
    }
    if access_point.is_some_and(|id| id.contains(':')) {
        refuse("authorizationConfig.accessPointId", "the id of an access point, without colons");
    }
    if access_point.is_some() && !volume.transit_encryption {
        refuse("transitEncryption", "an access point needs ENABLED");
    } else if volume.iam && !volume.transit_encryption {
        refuse("transitEncryption", "iam ENABLED needs ENABLED");
    }
    violations
}

/// `managedEBSVolume` of a volume configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EbsVolume {
    /// `gp2`, `gp3`, `io1`, `io2`, `st1`, `sc1` or `standard`; `gp3` when absent.
    pub volume_type: Option<String>,
    /// `sizeInGiB`
    pub size_gib: Option<i64>,
    /// `snapshotId`
    pub snapshot_id: Option<String>,
    /// `iops`
    pub iops: Option<i64>,
    /// `throughput` in MiB/s.
    pub throughput: Option<i64>,
    /// `filesystemType`; `xfs` when absent.
    pub filesystem: Option<String>,
    /// `encrypted`
    pub encrypted: Option<bool>,
    /// `kmsKeyId`
    pub kms_key_id: Option<String>,
    /// `volumeInitializationRate` in MiB/s.
    pub volume_initialization_rate: Option<i64>,
}

impl EbsVolume {
    /// The file system that ECS makes when none is stated. The EBS CSI driver would choose ext4.
    pub const DEFAULT_FILESYSTEM: &'static str = "xfs";

    /// The type when none is stated.
    pub const DEFAULT_TYPE: &'static str = "gp3";

    /// The type that counts.
    pub fn effective_type(&self) -> &str {
        self.volume_type.as_deref().unwrap_or(Self::DEFAULT_TYPE)
    }

    /// The file system that counts.
    pub fn effective_filesystem(&self) -> &str {
        self.filesystem.as_deref().unwrap_or(Self::DEFAULT_FILESYSTEM)
    }
}

/// Limits of one type of EBS volume.
struct EbsLimits {
    /// GiB.
    size: (i64, i64),
    /// Operations per second, where they can be stated.
    iops: Option<(i64, i64)>,
    iops_required: bool,
}

fn ebs_limits(volume_type: &str) -> Option<EbsLimits> {
    let (size, iops) = match volume_type {
        "gp2" => ((1, 16_384), None),
        "gp3" => ((1, 16_384), Some((3000, 16_000))),
        "io1" => ((4, 16_384), Some((100, 64_000))),
        "io2" => ((4, 16_384), Some((100, 256_000))),
        "st1" | "sc1" => ((125, 16_384), None),
        "standard" => ((1, 1024), None),
        _ => return None,
    };
    Some(EbsLimits { size, iops, iops_required: matches!(volume_type, "io1" | "io2") })
}

/// Every rule that a managed EBS volume breaks. Paths are below `managedEBSVolume`.
pub fn check_ebs(volume: &EbsVolume) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut refuse = |path: &str, message: String| violations.push(Violation::new(path, message));
    let volume_type = volume.effective_type();
    let limits = ebs_limits(volume_type);
    let snapshot = volume.snapshot_id.as_deref().is_some_and(|id| !id.is_empty());
    match (volume.size_gib, &limits) {
        (None, _) if !snapshot => {
            refuse("sizeInGiB", "either sizeInGiB or snapshotId must be specified".to_owned());
        }
        (Some(size), Some(EbsLimits { size: (least, most), .. })) if !(*least..=*most).contains(&size) => {
            refuse("sizeInGiB", format!("a volume of type {volume_type} has {least} to {most} GiB, not {size}"));
        }
        _ => {}
    }
    match (volume.iops, &limits) {
        (_, None) => {
            refuse("volumeType", format!("gp2, gp3, io1, io2, st1, sc1 or standard, not {volume_type:?}"));
        }
        (None, Some(limits)) if limits.iops_required => {
            refuse("iops", format!("a volume of type {volume_type} needs iops"));
        }
        (Some(iops), Some(EbsLimits { iops: Some((least, most)), .. })) if !(*least..=*most).contains(&iops) => {
            refuse("iops", format!("a volume of type {volume_type} has {least} to {most} iops, not {iops}"));
        }
        // For gp2 the number describes what the size gives and provisions nothing, so it does no harm.
        (Some(_), Some(EbsLimits { iops: None, .. })) if volume_type != "gp2" => {
            refuse("iops", format!("not supported by a volume of type {volume_type}"));
        }
        _ => {}
    }
    if let Some(throughput) = volume.throughput {
        if volume_type != "gp3" {
            refuse("throughput", format!("only supported by gp3, not by {volume_type}"));
        } else if !(1..=1000).contains(&throughput) {
            refuse("throughput", format!("at most 1000 MiB/s, not {throughput}"));
        }
    }
    let filesystem = volume.effective_filesystem();
    if !matches!(filesystem, "ext3" | "ext4" | "xfs" | "ntfs") {
        refuse("filesystemType", format!("ext3, ext4, xfs or ntfs, not {filesystem:?}"));
    }
    if volume.kms_key_id.is_some() && volume.encrypted == Some(false) {
        refuse("kmsKeyId", "a key needs encrypted to be true".to_owned());
    }
    if volume.volume_initialization_rate.is_some() && !snapshot {
        refuse("volumeInitializationRate", "needs snapshotId".to_owned());
    }
    violations
}

#[cfg(test)]
#[path = "volume_tests.rs"]
mod tests;
