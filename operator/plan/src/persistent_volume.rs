//! PersistentVolumes of EFS file systems: removed after the claim they were made for.
//!
//! A cluster-scoped object cannot be owned by one in a namespace, so the garbage collector does not do this. The volume is
//! only a description of the file system (reclaim policy Retain): no data goes with it.

use jiff::Timestamp;
use serde_json::Value;

use crate::kind::{Kind, ObjectKey};
use crate::object::Metadata;
use crate::op::{Op, Plan};
use crate::world::World;

/// What to do about one PersistentVolume of ours now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, _now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some(stored) = world.get(root) else { return plan };
    let metadata = Metadata::of(&stored);
    let object = stored.value();
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    // Before it was bound once, its claim may only be on its way.
    let was_bound = text("/status/phase") == Some("Released") || text("/status/phase") == Some("Failed");
    let claim = text("/spec/claimRef/namespace").zip(text("/spec/claimRef/name"));
    let Some((namespace, name)) = claim.filter(|_| was_bound && !metadata.is_deleting()) else { return plan };
    let claim = ObjectKey::namespaced(Kind::PersistentVolumeClaim, namespace, name);
    if world.get(&claim).is_some() {
        return plan;
    }
    plan.ops.push(Op::Delete {
        key: root.clone(),
        uid: stored.uid.clone(),
        resource_version: stored.resource_version.clone(),
        only_if_absent: vec![claim],
    });
    plan
}
