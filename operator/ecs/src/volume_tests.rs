use super::*;

fn paths(violations: Vec<Violation>) -> Vec<String> {
    violations.into_iter().map(|violation| violation.path).collect()
}

#[test]
fn when_a_file_system_has_a_path_or_an_access_point_then_the_handle_has_them_in_their_place() {
    for (root, access_point, handle) in [
        (None, None, "fs-1"),
        (Some("/"), None, "fs-1"),
        (Some(""), None, "fs-1"),
        (Some("/data"), None, "fs-1:/data"),
        (Some("data/web/"), None, "fs-1:/data/web"),
        (None, Some("fsap-2"), "fs-1::fsap-2"),
        (Some("/"), Some("fsap-2"), "fs-1::fsap-2"),
        (Some("/data"), Some("fsap-2"), "fs-1:/data:fsap-2"),
        (None, Some(""), "fs-1"),
    ] {
        assert_eq!(efs_volume_handle("fs-1", root, access_point), handle);
    }
}

#[test]
fn when_an_efs_volume_uses_an_access_point_or_iam_then_it_needs_encryption_and_no_other_root() {
    let plain = EfsVolume { file_system_id: "fs-1".to_owned(), ..EfsVolume::default() };
    let with_access_point = EfsVolume { access_point_id: Some("fsap-2".to_owned()), ..plain.clone() };
    let rooted = |path: &str| EfsVolume { root_directory: Some(path.to_owned()), ..plain.clone() };
    for (volume, refused) in [
        (plain.clone(), &[][..]),
        (rooted("/data"), &[]),
        (rooted("/a:b"), &["rootDirectory"]),
        (rooted("/a/../b"), &["rootDirectory"]),
        (rooted("/a..b"), &[]),
        (EfsVolume { transit_encryption: true, iam: true, ..plain.clone() }, &[]),
        (EfsVolume { iam: true, ..plain.clone() }, &["transitEncryption"]),
        (with_access_point.clone(), &["transitEncryption"]),
        (EfsVolume { transit_encryption: true, ..with_access_point.clone() }, &[]),
        (
            EfsVolume { transit_encryption: true, root_directory: Some("/".to_owned()), ..with_access_point.clone() },
            &[],
        ),
        (
            EfsVolume { transit_encryption: true, root_directory: Some("/x".to_owned()), ..with_access_point },
            &["rootDirectory"],
        ),
        (EfsVolume::default(), &["fileSystemId"]),
    ] {
        assert_eq!(paths(check_efs(&volume)), refused, "{volume:?}");
    }
}

fn ebs(volume_type: &str, size: i64) -> EbsVolume {
    EbsVolume { volume_type: Some(volume_type.to_owned()), size_gib: Some(size), ..EbsVolume::default() }
}

#[test]
fn when_the_size_leaves_the_range_of_its_type_then_it_is_refused() {
    for (volume_type, least, most) in [
        ("gp2", 1, 16_384),
        ("gp3", 1, 16_384),
        ("io1", 4, 16_384),
        ("io2", 4, 16_384),
        ("st1", 125, 16_384),
        ("sc1", 125, 16_384),
        ("standard", 1, 1024),
    ] {
        let with_iops =
            |size| EbsVolume { iops: volume_type.starts_with("io").then_some(1000), ..ebs(volume_type, size) };
        for size in [least, most] {
            assert_eq!(paths(check_ebs(&with_iops(size))), [""; 0], "{volume_type} {size}");
        }
        for size in [least - 1, most + 1] {
            assert_eq!(paths(check_ebs(&with_iops(size))), ["sizeInGiB"], "{volume_type} {size}");
        }
    }
}

#[test]
fn when_iops_or_throughput_do_not_fit_the_type_then_they_are_refused() {
    for (volume_type, iops, throughput, refused) in [
        ("gp3", Some(3000), Some(125), &[][..]),
        ("gp3", Some(16_000), Some(1000), &[]),
        ("gp3", Some(2999), Some(1001), &["iops", "throughput"]),
        ("gp3", Some(16_001), Some(0), &["iops", "throughput"]),
        ("io1", Some(100), None, &[]),
        ("io1", Some(64_000), None, &[]),
        ("io1", Some(64_001), None, &["iops"]),
        ("io2", Some(256_000), None, &[]),
        ("io2", Some(99), None, &["iops"]),
        ("io2", None, None, &["iops"]),
        ("gp2", Some(100), None, &[]),
        ("gp2", None, Some(125), &["throughput"]),
        ("st1", Some(500), None, &["iops"]),
        ("gp4", None, None, &["volumeType"]),
    ] {
        let volume = EbsVolume { iops, throughput, ..ebs(volume_type, 500) };
        assert_eq!(paths(check_ebs(&volume)), refused, "{volume:?}");
    }
}

#[test]
fn when_a_volume_has_neither_size_nor_snapshot_then_it_is_refused() {
    assert_eq!(paths(check_ebs(&EbsVolume::default())), ["sizeInGiB"]);
    let snapshot = EbsVolume { snapshot_id: Some("snap-1".to_owned()), ..EbsVolume::default() };
    assert_eq!(paths(check_ebs(&snapshot)), [""; 0]);
    assert_eq!(snapshot.effective_type(), "gp3");
    assert_eq!(snapshot.effective_filesystem(), "xfs");
}

#[test]
fn when_other_fields_contradict_each_other_then_they_are_refused() {
    let volume = ebs("gp3", 10);
    for (volume, refused) in [
        (EbsVolume { filesystem: Some("ext4".to_owned()), ..volume.clone() }, &[][..]),
        (EbsVolume { filesystem: Some("btrfs".to_owned()), ..volume.clone() }, &["filesystemType"]),
        (EbsVolume { kms_key_id: Some("k".to_owned()), encrypted: Some(false), ..volume.clone() }, &["kmsKeyId"]),
        (EbsVolume { kms_key_id: Some("k".to_owned()), ..volume.clone() }, &[]),
        (EbsVolume { volume_initialization_rate: Some(100), ..volume }, &["volumeInitializationRate"]),
    ] {
        assert_eq!(paths(check_ebs(&volume)), refused, "{volume:?}");
    }
}
