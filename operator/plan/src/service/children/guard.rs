//! What a service revision may ask to be made.
//!
//! A record is written by the operator alone. Should somebody get to write one by hand, nothing is made of it but what
//! the operator itself makes, and what the administrator of the namespace allows ([`crate::permission`]): the rights of the
//! operator are no rights of his.

use serde_json::Value;

use crate::core::kind::{Kind, ObjectKey};
use crate::pod::{ebs, efs, fsx};

/// Kinds in the namespace, with the beginning of the names they have.
const SHARED: [(Kind, &str); 7] = [
    (Kind::ServiceAccount, "ecs-"),
    (Kind::PersistentVolumeClaim, "ecs-"),
    (Kind::NetworkPolicy, "ecs-network-none"),
    (Kind::ConfigMap, "ecs-firelens-"),
    (Kind::VolumeSnapshot, "ecs-snap-"),
    (Kind::ExternalSecret, "ecs-"),
    (Kind::SecretProviderClass, "ecs-"),
];

/// Whether the operator makes such an object for a namespace.
type IsMade = fn(&Value, &str) -> bool;

/// Kinds outside of namespaces.
const CLUSTER_SCOPED: [(Kind, IsMade); 3] = [
    (Kind::PersistentVolume, is_volume),
    (Kind::StorageClass, ebs::is_storage_class),
    (Kind::VolumeSnapshotContent, is_content),
];

/// The key of an object that services of `namespace` share, if it is one of those.
pub(super) fn shared(object: &Value, namespace: &str) -> Option<ObjectKey> {
    let (kind, name) = (kind_of(object)?, text(object, "/metadata/name")?);
    let is_known = SHARED.iter().any(|(known, prefix)| *known == kind && name.starts_with(prefix));
    is_known.then(|| ObjectKey::namespaced(kind, namespace, name))
}

/// The key of an object outside of namespaces, if it is one that belongs to `namespace` and nothing else.
pub(super) fn cluster_scoped(object: &Value, namespace: &str) -> Option<ObjectKey> {
    let (kind, name) = (kind_of(object)?, text(object, "/metadata/name")?);
    let is_made = CLUSTER_SCOPED.iter().any(|(known, is_made)| *known == kind && is_made(object, namespace));
    is_made.then(|| ObjectKey::cluster_scoped(kind, name))
}

/// A file system for a claim in the namespace, mounted with a Secret of the namespace if with any.
fn is_volume(volume: &Value, namespace: &str) -> bool {
    const SPEC: [&str; 8] = [
        "capacity",
        "accessModes",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeMode",
        "mountOptions",
        "csi",
        "claimRef",
    ];
    const CSI: [&str; 4] = ["driver", "volumeHandle", "volumeAttributes", "nodeStageSecretRef"];
    let driver = text(volume, "/spec/csi/driver").unwrap_or_default();
    let secret = volume.pointer("/spec/csi/nodeStageSecretRef");
    let has_own_secret = match driver {
        efs::DRIVER => secret.is_none(),
        fsx::DRIVER => text(volume, "/spec/csi/nodeStageSecretRef/namespace") == Some(namespace),
        _ => false,
    };
    has_own_secret
        && text(volume, "/spec/claimRef/namespace") == Some(namespace)
        && text(volume, "/spec/persistentVolumeReclaimPolicy") == Some("Retain")
        && has_only(volume.get("spec"), &SPEC)
        && has_only(volume.pointer("/spec/csi"), &CSI)
}

/// A snapshot of EBS for a VolumeSnapshot in the namespace.
fn is_content(content: &Value, namespace: &str) -> bool {
    text(content, "/spec/driver") == Some(ebs::DRIVER)
        && text(content, "/spec/deletionPolicy") == Some("Retain")
        && text(content, "/spec/volumeSnapshotRef/namespace") == Some(namespace)
        && has_only(content.get("spec"), &["deletionPolicy", "driver", "source", "volumeSnapshotRef"])
        && has_only(content.pointer("/spec/source"), &["snapshotHandle"])
}

fn has_only(object: Option<&Value>, members: &[&str]) -> bool {
    let object = object.and_then(Value::as_object);
    object.is_some_and(|object| object.keys().all(|name| members.contains(&name.as_str())))
}

/// `metadata.name` of an object.
pub(super) fn name_of(object: &Value) -> Option<&str> {
    text(object, "/metadata/name")
}

/// The kind of an object, if the operator knows it.
pub(super) fn kind_of(object: &Value) -> Option<Kind> {
    Kind::from_type(text(object, "/apiVersion")?, text(object, "/kind")?)
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn volume() -> Value {
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {
            "capacity": {"storage": "5Gi"}, "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": "shop", "name": "c"},
            "csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}}})
    }

    fn content() -> Value {
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent", "metadata": {"name": "c"},
            "spec": {"deletionPolicy": "Retain", "driver": "ebs.csi.aws.com", "source": {"snapshotHandle": "snap-1"},
                "volumeSnapshotRef": {"namespace": "shop", "name": "s"}}})
    }

    #[test]
    fn when_a_record_asks_for_anything_but_what_is_made_for_its_namespace_then_it_is_not_made() {
        let made = |object: &Value| cluster_scoped(object, "shop").is_some();
        assert!(made(&volume()) && made(&content()));
        for (object, pointer, member, value) in [
            (volume(), "/spec", "hostPath", json!({"path": "/"})),
            (volume(), "/spec", "nfs", json!({"server": "s", "path": "/"})),
            (volume(), "/spec", "persistentVolumeReclaimPolicy", json!("Delete")),
            (volume(), "/spec/csi", "driver", json!("secrets-store.csi.k8s.io")),
            (volume(), "/spec/csi", "driver", json!("smb.csi.k8s.io")),
            (volume(), "/spec/csi", "nodePublishSecretRef", json!({"name": "a", "namespace": "shop"})),
            (volume(), "/spec/csi", "nodeStageSecretRef", json!({"name": "a", "namespace": "other"})),
            (volume(), "/spec/claimRef", "namespace", json!("other")),
            (volume(), "", "kind", json!("Node")),
            (content(), "/spec", "deletionPolicy", json!("Delete")),
            (content(), "/spec/source", "volumeHandle", json!("vol-1")),
            (content(), "/spec/volumeSnapshotRef", "namespace", json!("other")),
        ] {
            let mut object = object;
            object.pointer_mut(pointer).unwrap()[member] = value;
            assert!(!made(&object), "{member}: {object}");
        }
        let mut smb = volume();
        smb["spec"]["csi"]["driver"] = json!("smb.csi.k8s.io");
        smb["spec"]["csi"]["nodeStageSecretRef"] = json!({"name": "a", "namespace": "shop"});
        assert!(made(&smb));
        smb["spec"]["csi"]["nodeStageSecretRef"]["namespace"] = json!("other");
        assert!(!made(&smb));
    }

    #[test]
    fn when_a_record_asks_for_a_shared_object_then_only_known_kinds_and_names_are_made() {
        for (api_version, kind, name, is_made) in [
            ("v1", "ServiceAccount", "ecs-role-a", true),
            ("v1", "ServiceAccount", "default", false),
            ("v1", "PersistentVolumeClaim", "data", false),
            ("external-secrets.io/v1", "ExternalSecret", "a", false),
            ("v1", "ConfigMap", "ecs-firelens-a", true),
            ("v1", "ConfigMap", "kube-root-ca.crt", false),
            ("v1", "Pod", "a", false),
            ("v1", "Secret", "a", false),
            ("snapshot.storage.k8s.io/v1", "VolumeSnapshot", "ecs-snap-a", true),
            ("snapshot.storage.k8s.io/v1", "VolumeSnapshot", "a", false),
        ] {
            let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
            assert_eq!(shared(&object, "shop").is_some(), is_made, "{kind} {name}");
        }
    }
}
