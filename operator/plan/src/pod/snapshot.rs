//! Snapshots of EBS volumes, as the objects that a claim can be filled from.

use ecs::hash::hex;
use ecs::name::dns_label;
use serde_json::{Value, json};

use super::notes::Notes;
use super::{TaskInput, permission};
use crate::core::integration::Integration;
use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::right::Right;

/// A snapshot that is there already, as a pair: the content stands for it, the snapshot is what claims of the namespace
/// name.
pub(super) struct Snapshot {
    /// `dataSource` of the claim.
    pub(super) data_source: Value,
    /// VolumeSnapshot
    pub(super) object: Value,
    /// VolumeSnapshotContent, which has no namespace.
    pub(super) content: Value,
}

/// The pair for a snapshot of EBS that `driver` reads, if the cluster has the API for it and the administrator allows it.
pub(super) fn of_ebs(driver: &str, id: &str, path: &str, input: &TaskInput<'_>, notes: &mut Notes) -> Option<Snapshot> {
    if !Integration::VolumeSnapshots.is_served(input.facts) {
        notes.unsupported(path, Integration::VolumeSnapshots.row().missing);
        return None;
    }
    if !permission::has(input, &Right::Snapshot(id.to_owned()), path, notes) {
        return None;
    }
    let hash = hex(&json!([input.namespace, id]).to_string(), 32);
    let name = format!("ecs-snap-{hash}");
    let content_name = format!("ecs-snap-{}-{hash}", input.namespace);
    let managed = json!({labels::MANAGED_BY: labels::OPERATOR});
    let content = json!({
        "apiVersion": Kind::VolumeSnapshotContent.api_version(),
        "kind": Kind::VolumeSnapshotContent.kind(),
        "metadata": {"name": content_name, "labels": managed},
        "spec": {
            // The snapshot of EBS stays when the objects go.
            "deletionPolicy": "Retain",
            "driver": driver,
            "source": {"snapshotHandle": id},
            "volumeSnapshotRef": {"name": name, "namespace": input.namespace},
        },
    });
    let snapshot = json!({
        "apiVersion": Kind::VolumeSnapshot.api_version(),
        "kind": Kind::VolumeSnapshot.kind(),
        "metadata": {"name": name, "namespace": input.namespace, "labels": managed},
        "spec": {"source": {"volumeSnapshotContentName": content_name}},
    });
    Some(Snapshot { data_source: data_source(&name), object: snapshot, content })
}

/// With a StorageClass of the administrator's own the snapshot is one of that storage: a VolumeSnapshot of this name.
pub(super) fn of_the_namespace(id: &str, path: &str, notes: &mut Notes) -> Value {
    let name = dns_label(id, 63);
    notes.approximated(path, format!("read from the VolumeSnapshot {name} in the namespace, which must exist"));
    data_source(&name)
}

fn data_source(name: &str) -> Value {
    json!({"apiGroup": Kind::VolumeSnapshot.group(), "kind": Kind::VolumeSnapshot.kind(), "name": name})
}
