//! EFS file systems as static volumes of the EFS CSI driver.

use api::task_definition::{EfsAuthorizationConfigIam, EfsTransitEncryption, EfsVolumeConfiguration};
use ecs::volume::{EfsVolume, check_efs, efs_volume_handle};
use serde_json::{Map, Value, json};

use super::hash::hex;
use super::json::Members;
use super::notes::Notes;
use crate::kind::Kind;
use crate::labels;

/// The CSI driver.
const DRIVER: &str = "efs.csi.aws.com";
/// EFS has no size and ignores it; the API wants one, and claim and volume must agree.
const CAPACITY: &str = "5Gi";

/// A PersistentVolume and the PersistentVolumeClaim it is for. Both names follow from the file system, its options and
/// the namespace, so that tasks that mount the same thing share one pair, and no two namespaces share a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfsClaim {
    /// Name of the claim.
    pub name: String,
    /// Name of the volume, which carries the namespace because volumes live outside of namespaces.
    pub volume_name: String,
    handle: String,
    is_encrypted: bool,
    mount_options: Vec<String>,
}

impl EfsClaim {
    /// The pair for one volume of a task definition.
    fn new(configuration: &EfsVolumeConfiguration, namespace: &str) -> Self {
        let volume = plain(configuration);
        let handle = efs_volume_handle(
            &volume.file_system_id,
            volume.root_directory.as_deref(),
            volume.access_point_id.as_deref(),
        );
        let mut mount_options = Vec::new();
        if volume.iam {
            mount_options.push("iam".to_owned());
        }
        if let Some(port) = configuration.transit_encryption_port {
            mount_options.push(format!("tlsport={port}"));
        }
        let identity = json!([namespace, handle, volume.transit_encryption, mount_options]).to_string();
        // 128 bits: a volume's name must not be found by trying from another namespace.
        let hash = hex(&identity, 32);
        Self {
            name: format!("ecs-efs-{hash}"),
            volume_name: format!("ecs-efs-{namespace}-{hash}"),
            handle,
            is_encrypted: volume.transit_encryption,
            mount_options,
        }
    }

    /// The volume: bound to exactly this claim, kept when the claim goes, mounted by any number of tasks. The driver
    /// encrypts unless it is told otherwise; ECS does not encrypt unless it is told to.
    #[must_use]
    pub fn persistent_volume(&self, namespace: &str) -> Value {
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
            json!({"apiVersion": claim.api_version(), "kind": claim.kind(), "namespace": namespace, "name": self.name}),
        );
        spec.put(
            "csi",
            json!({
                "driver": DRIVER,
                "volumeHandle": self.handle,
                "volumeAttributes": {"encryptInTransit": self.is_encrypted.to_string()},
            }),
        );
        json!({
            "apiVersion": Kind::PersistentVolume.api_version(),
            "kind": Kind::PersistentVolume.kind(),
            "metadata": {"name": self.volume_name, "labels": {labels::MANAGED_BY: labels::OPERATOR}},
            "spec": spec,
        })
    }

    /// The claim: bound to exactly this volume.
    #[must_use]
    pub fn persistent_volume_claim(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": Kind::PersistentVolumeClaim.api_version(),
            "kind": Kind::PersistentVolumeClaim.kind(),
            "metadata": {
                "name": self.name,
                "namespace": namespace,
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

/// The claim of a volume, unless ECS would refuse it.
pub(super) fn claim(
    configuration: &EfsVolumeConfiguration,
    path: &str,
    namespace: &str,
    notes: &mut Notes,
) -> Option<EfsClaim> {
    let violations = check_efs(&plain(configuration));
    let is_legal = violations.is_empty();
    for violation in violations {
        notes.refuse(format!("{path}.{}", violation.path), violation.message);
    }
    is_legal.then(|| EfsClaim::new(configuration, namespace))
}

fn plain(configuration: &EfsVolumeConfiguration) -> EfsVolume {
    let authorization = configuration.authorization_config.clone().unwrap_or_default();
    EfsVolume {
        file_system_id: configuration.file_system_id.clone(),
        root_directory: configuration.root_directory.clone(),
        transit_encryption: configuration.transit_encryption == Some(EfsTransitEncryption::Enabled),
        access_point_id: authorization.access_point_id,
        iam: authorization.iam == Some(EfsAuthorizationConfigIam::Enabled),
    }
}
