//! Volumes that the service configures at launch: one new claim per task, which lives as long as its Pod.

use api::conditions::Reason;
use api::service::{ServiceManagedEbsVolumeConfiguration, ServiceVolumeConfiguration};
use serde_json::{Map, Value, json};

use super::json::Members;
use super::notes::Notes;
use crate::quantity::gibibytes;

/// The `ephemeral` source of the volume called `name`. Kubernetes makes the claim with the Pod and removes it with the
/// Pod, as ECS does with the EBS volume of a task.
pub(super) fn ephemeral(name: &str, configurations: &[ServiceVolumeConfiguration], notes: &mut Notes) -> Option<Value> {
    let found = configurations.iter().enumerate().find(|(_, configuration)| configuration.name == name);
    let Some((index, ebs)) = found.and_then(|(index, found)| Some((index, found.managed_ebs_volume.as_ref()?))) else {
        let message = format!("volume {name} is configuredAtLaunch, and the service does not configure it");
        notes.refuse_because(Reason::VolumeConfigurationMissing, "volumeConfigurations", message);
        return None;
    };
    let path = format!("volumeConfigurations[{index}].managedEBSVolume");
    report(ebs, &path, notes);
    let snapshot = ebs.snapshot_id.as_deref().filter(|id| !id.is_empty());
    let Some(size) = ebs.size_in_gib.filter(|size| *size > 0) else {
        if snapshot.is_some() {
            let message = "the size of the snapshot is not known here, and a claim must state one: write sizeInGiB";
            notes.unsupported(format!("{path}.sizeInGiB"), message);
        } else {
            notes.refuse_because(
                Reason::InvalidParameterException,
                format!("{path}.sizeInGiB"),
                "either sizeInGiB or snapshotId must be specified",
            );
        }
        return None;
    };
    let mut spec = Map::new();
    spec.put("accessModes", json!(["ReadWriteOnce"]));
    spec.put("resources", json!({"requests": {"storage": gibibytes(i64::from(size))}}));
    if let Some(snapshot) = snapshot {
        let object = ecs::name::dns_label(snapshot, 63);
        notes.approximated(
            format!("{path}.snapshotId"),
            format!("read from the VolumeSnapshot {object} of the namespace"),
        );
        let source = json!({"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": object});
        spec.put("dataSource", source);
    }
    Some(json!({"volumeClaimTemplate": {"spec": spec}}))
}

/// No StorageClass is made: the cluster's default one decides everything but the size.
fn report(ebs: &ServiceManagedEbsVolumeConfiguration, path: &str, notes: &mut Notes) {
    for (is_set, field) in [
        (ebs.encrypted.is_some(), "encrypted"),
        (ebs.kms_key_id.is_some(), "kmsKeyId"),
        (ebs.volume_type.is_some(), "volumeType"),
        (ebs.iops.is_some(), "iops"),
        (ebs.throughput.is_some(), "throughput"),
        (ebs.filesystem_type.is_some(), "filesystemType"),
        (ebs.volume_initialization_rate.is_some(), "volumeInitializationRate"),
    ] {
        if is_set {
            notes.no_effect(format!("{path}.{field}"), "the cluster's default StorageClass decides it");
        }
    }
}
