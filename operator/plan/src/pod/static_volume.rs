//! A volume that somebody made outside of Kubernetes, as a PersistentVolume and the claim it is bound to.

use ecs::hash::hex;
use serde_json::{Map, Value, json};

use super::json::Members;
use crate::core::kind::Kind;
use crate::core::labels;

/// File servers have no size and ignore it; the API wants one, and claim and volume must agree.
const CAPACITY: &str = "5Gi";

/// A PersistentVolume and the PersistentVolumeClaim it is for. Both names follow from the file system, its options and
/// the namespace, so that tasks that mount the same thing share one pair, and no two namespaces share a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StaticVolume {
    name: String,
    volume_name: String,
    namespace: String,
    driver: &'static str,
    handle: String,
    attributes: Value,
    mount_options: Vec<String>,
    secret: Option<String>,
}

impl StaticVolume {
    /// A volume of a CSI driver. `kind` is part of the names: `efs`, `fsx`. `secret` is a Secret of the namespace that
    /// nodes mount it with.
    pub(super) fn new(
        kind: &str,
        namespace: &str,
        driver: &'static str,
        handle: String,
        attributes: Value,
        mount_options: Vec<String>,
        secret: Option<String>,
    ) -> Self {
        let identity = json!([namespace, handle, attributes, mount_options, secret]).to_string();
        // 128 bits: a volume's name must not be found by trying from another namespace.
        let hash = hex(&identity, 32);
        Self {
            name: format!("ecs-{kind}-{hash}"),
            volume_name: format!("ecs-{kind}-{namespace}-{hash}"),
            namespace: namespace.to_owned(),
            driver,
            handle,
            attributes,
            mount_options,
            secret,
        }
    }

    /// Name of the claim.
    pub(super) fn claim_name(&self) -> &str {
        &self.name
    }

    /// The volume: bound to exactly this claim, kept when the claim goes, mounted by any number of tasks.
    pub(super) fn persistent_volume(&self) -> Value {
        let mut spec = Map::new();
        spec.put("capacity", json!({"storage": CAPACITY}));
        spec.put("volumeMode", "Filesystem");
        spec.put("accessModes", json!(["ReadWriteMany"]));
        spec.put("persistentVolumeReclaimPolicy", "Retain");
        spec.put("storageClassName", "");
        spec.put_list("mountOptions", self.mount_options.iter().map(|option| Value::from(option.as_str())).collect());
        let claim = Kind::PersistentVolumeClaim;
        spec.put(
            "claimRef",
            json!({
                "apiVersion": claim.api_version(),
                "kind": claim.kind(),
                "namespace": self.namespace,
                "name": self.name,
            }),
        );
        let mut csi = Map::new();
        csi.put("driver", self.driver);
        csi.put("volumeHandle", self.handle.as_str());
        csi.put("volumeAttributes", self.attributes.clone());
        let secret = self.secret.as_ref().map(|name| json!({"name": name, "namespace": self.namespace}));
        csi.put_some("nodeStageSecretRef", secret);
        spec.put("csi", csi);
        json!({
            "apiVersion": Kind::PersistentVolume.api_version(),
            "kind": Kind::PersistentVolume.kind(),
            "metadata": {"name": self.volume_name, "labels": {labels::MANAGED_BY: labels::OPERATOR}},
            "spec": spec,
        })
    }

    /// The claim: bound to exactly this volume.
    pub(super) fn persistent_volume_claim(&self) -> Value {
        json!({
            "apiVersion": Kind::PersistentVolumeClaim.api_version(),
            "kind": Kind::PersistentVolumeClaim.kind(),
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {labels::MANAGED_BY: labels::OPERATOR},
            },
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "volumeMode": "Filesystem",
                "storageClassName": "",
                "volumeName": self.volume_name,
                "resources": {"requests": {"storage": CAPACITY}},
            },
        })
    }
}
