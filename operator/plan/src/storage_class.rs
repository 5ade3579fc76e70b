//! StorageClasses of managed volumes: removed when no service of their namespace makes volumes of them any more.
//!
//! A class is needed whenever a pod starts, by the controller that makes its claim. It is kept while a Deployment or
//! DaemonSet has it in its template, and while the newest deployment of a service has it. Volumes that were made of it do
//! not need it to be mounted or removed. A service that needs one that is gone makes it again.

use jiff::{SignedDuration, Timestamp};

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::op::{Op, Plan};
use crate::core::world::{Term, World};
use crate::service::names_storage_class;

/// How long a class may wait for what makes volumes of it. The record that names it is made before it, in the same reconcile,
/// so only a watch can be behind; a write waits half a minute for that at most.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// What to do about one StorageClass of ours now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some(stored) = world.get(root) else { return plan };
    let metadata = Metadata::of(&stored);
    let Some(namespace) = metadata.labels.get(labels::NAMESPACE).filter(|_| !metadata.is_deleting()) else {
        return plan;
    };
    if is_used(world, namespace, &root.name) {
        return plan;
    }
    let patience = metadata.creation_timestamp.unwrap_or(now) + PATIENCE;
    if now < patience {
        plan.wake_at(patience);
    } else {
        plan.ops.push(Op::delete(&stored));
    }
    plan
}

fn is_used(world: &dyn World, namespace: &str, name: &str) -> bool {
    let term = Term::StorageClass(name.to_owned());
    let is_in_a_template =
        |kind: Kind| world.find(kind, Some(namespace), &term).iter().any(|one| !Metadata::of(one).is_deleting());
    is_in_a_template(Kind::Deployment)
        || is_in_a_template(Kind::DaemonSet)
        || names_storage_class(world, namespace, name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::core::store::Stored;
    use crate::core::world::MemoryWorld;

    /// Whether the class of the namespace `shop` is removed after some minutes, with these objects around it.
    fn is_removed(label: &str, minutes: i64, others: &[(Kind, Value)]) -> bool {
        let created: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let mut world = MemoryWorld::default();
        let metadata = json!({"name": "c", "uid": "u", "labels": {"ecs-operator.dev/namespace": label},
            "creationTimestamp": created.to_string()});
        world.insert(Stored::accept(Kind::StorageClass, json!({"metadata": metadata})).unwrap());
        for (kind, object) in others {
            world.insert(Stored::accept(*kind, object.clone()).unwrap());
        }
        let root = ObjectKey::cluster_scoped(Kind::StorageClass, "c");
        let plan = plan(&world, &root, created + SignedDuration::from_mins(minutes));
        assert_eq!(plan.wake.is_some(), minutes < 1 && plan.ops.is_empty() && others.is_empty() && label == "shop");
        !plan.ops.is_empty()
    }

    fn workload(kind: Kind, namespace: &str, class: &str) -> (Kind, Value) {
        let claim = json!({"volumeClaimTemplate": {"spec": {"storageClassName": class}}});
        let spec = json!({"template": {"spec": {"volumes": [{"name": "d", "ephemeral": claim}]}}});
        (kind, json!({"metadata": {"name": "w", "namespace": namespace}, "spec": spec}))
    }

    #[test]
    fn a_class_goes_when_nothing_of_its_namespace_makes_volumes_of_it_and_not_before_it_was_used() {
        for (label, minutes, others, removed) in [
            ("shop", 0, vec![], false),
            ("shop", 1, vec![], true),
            ("shop", 11, vec![workload(Kind::Deployment, "shop", "c")], false),
            ("shop", 11, vec![workload(Kind::DaemonSet, "shop", "c")], false),
            ("shop", 11, vec![workload(Kind::Deployment, "shop", "other")], true),
            ("shop", 11, vec![workload(Kind::Deployment, "other", "c")], true),
        ] {
            assert_eq!(is_removed(label, minutes, &others), removed, "{label} {minutes} {others:?}");
        }
    }
}
