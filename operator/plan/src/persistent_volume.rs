//! PersistentVolumes of file systems and contents of snapshots: removed after the claim or snapshot they were made for.
//!
//! A cluster-scoped object cannot be owned by one in a namespace, so the garbage collector does not do this. Both only
//! describe something outside of Kubernetes (policy Retain): no data goes with them.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::metadata::Metadata;
use crate::core::op::{Op, Plan};
use crate::core::world::World;

/// How long a volume may wait for its claim to be made: the claim follows in the same reconcile, so this is plenty.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// What to do about one PersistentVolume or VolumeSnapshotContent of ours now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some(stored) = world.get(root) else { return plan };
    let metadata = Metadata::of(&stored);
    let object = stored.value();
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (kind, reference) = if root.kind == Kind::VolumeSnapshotContent {
        (Kind::VolumeSnapshot, "/spec/volumeSnapshotRef")
    } else {
        (Kind::PersistentVolumeClaim, "/spec/claimRef")
    };
    let claim = text(&format!("{reference}/namespace")).zip(text(&format!("{reference}/name")));
    let Some((namespace, name)) = claim.filter(|_| !metadata.is_deleting()) else { return plan };
    let claim = ObjectKey::namespaced(kind, namespace, name);
    if world.get(&claim).is_some() {
        return plan;
    }
    // A volume that was bound once has lost its claim; one that never was may only be ahead of it.
    let is_released = matches!(text("/status/phase"), Some("Bound" | "Released" | "Failed"));
    // The snapshot controller writes the uid of the snapshot when it binds the two.
    let was_bound = is_released || kind == Kind::VolumeSnapshot && text("/spec/volumeSnapshotRef/uid").is_some();
    let patience = metadata.creation_timestamp.unwrap_or(now) + PATIENCE;
    if !was_bound && now < patience {
        plan.wake_at(patience);
        return plan;
    }
    plan.ops.push(Op::delete_if_absent(&stored, vec![claim]));
    plan
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::store::Stored;
    use crate::core::world::MemoryWorld;

    fn ops(phase: &str, minutes: i64, has_claim: bool) -> usize {
        let created: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let mut world = MemoryWorld::default();
        let volume = json!({"metadata": {"name": "v", "uid": "u", "creationTimestamp": created.to_string()},
            "spec": {"claimRef": {"namespace": "shop", "name": "c"}}, "status": {"phase": phase}});
        world.insert(Stored::accept(Kind::PersistentVolume, volume).unwrap());
        if has_claim {
            let claim = json!({"metadata": {"name": "c", "namespace": "shop"}});
            world.insert(Stored::accept(Kind::PersistentVolumeClaim, claim).unwrap());
        }
        let root = ObjectKey::cluster_scoped(Kind::PersistentVolume, "v");
        plan(&world, &root, created + SignedDuration::from_mins(minutes)).ops.len()
    }

    #[test]
    fn a_volume_goes_after_its_claim_and_not_before_it_came() {
        for (phase, minutes, has_claim, deleted) in [
            ("Bound", 1, true, 0),
            ("Released", 1, false, 1),
            ("Released", 60, true, 0),
            ("Available", 1, false, 0),
            ("Available", 11, false, 1),
            ("Available", 11, true, 0),
        ] {
            assert_eq!(ops(phase, minutes, has_claim), deleted, "{phase} after {minutes} minutes, claim: {has_claim}");
        }
    }

    #[test]
    fn the_content_of_a_snapshot_goes_after_the_snapshot_and_not_before_it_came() {
        for (uid, minutes, has_snapshot, deleted) in
            [(None, 1, false, 0), (None, 11, false, 1), (Some("s"), 1, false, 1), (Some("s"), 60, true, 0)]
        {
            let created: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
            let mut world = MemoryWorld::default();
            let content = json!({"metadata": {"name": "v", "uid": "u", "creationTimestamp": created.to_string()},
                "spec": {"volumeSnapshotRef": {"namespace": "shop", "name": "c", "uid": uid}}});
            world.insert(Stored::accept(Kind::VolumeSnapshotContent, content).unwrap());
            if has_snapshot {
                let snapshot = json!({"metadata": {"name": "c", "namespace": "shop"}});
                world.insert(Stored::accept(Kind::VolumeSnapshot, snapshot).unwrap());
            }
            let root = ObjectKey::cluster_scoped(Kind::VolumeSnapshotContent, "v");
            let ops = plan(&world, &root, created + SignedDuration::from_mins(minutes)).ops;
            assert_eq!(ops.len(), deleted, "{uid:?} after {minutes} minutes, snapshot: {has_snapshot}");
        }
    }
}
