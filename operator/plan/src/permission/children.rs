//! What the objects beside a pod template need.

use serde_json::Value;

use super::{Asked, Found, Frozen, has_only, text};
use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::policy::NamespacePolicy;
use crate::core::right::Right;
use crate::pod::{self, Account, ebs, efs, fsx};

/// What the objects of a revision need in `namespace`.
pub(super) fn of(frozen: Frozen<'_>, namespace: &str, policy: &NamespacePolicy) -> Vec<Found> {
    let mut found = Vec::new();
    for (list, objects) in [("sharedChildren", frozen.shared), ("clusterChildren", frozen.cluster_scoped)] {
        for (index, object) in objects.iter().enumerate() {
            let asked = of_object(object, namespace, policy);
            found.extend(asked.into_iter().map(|asked| (format!("{list}[{index}]"), asked)));
        }
    }
    found
}

fn of_object(object: &Value, namespace: &str, policy: &NamespacePolicy) -> Vec<Asked> {
    let kind = Kind::from_type(text(object, "/apiVersion"), text(object, "/kind"));
    let name = text(object, "/metadata/name");
    let foreign = || vec![Asked::Foreign(format!("{} {name} is not as the operator makes it", text(object, "/kind")))];
    match kind {
        Some(Kind::ServiceAccount) => match pod::account(object, namespace) {
            Account::Plain => Vec::new(),
            Account::Role(role) => vec![Asked::Right(Right::TaskRole(role))],
            Account::Foreign => foreign(),
        },
        Some(Kind::ExternalSecret | Kind::SecretProviderClass) => match pod::fetched(object, namespace, policy) {
            Some(secrets) => secrets.into_iter().map(|secret| Asked::Right(Right::Secret(secret))).collect(),
            None => foreign(),
        },
        Some(Kind::PersistentVolume) => of_volume(object, policy).unwrap_or_else(foreign),
        Some(Kind::VolumeSnapshotContent) => {
            vec![Asked::Right(Right::Snapshot(text(object, "/spec/source/snapshotHandle").to_owned()))]
        }
        Some(Kind::NetworkPolicy) if *object != pod::network_none(namespace) => foreign(),
        // Everybody who may create pods has claims of any class, and a snapshot is nothing without its content.
        Some(Kind::NetworkPolicy | Kind::PersistentVolumeClaim | Kind::ConfigMap | Kind::VolumeSnapshot) => Vec::new(),
        // How many there are is asked elsewhere.
        Some(Kind::StorageClass) if ebs::is_storage_class(object, namespace) => Vec::new(),
        _ => foreign(),
    }
}

/// The file system or share behind a volume. A file server that an administrator names needs no more.
fn of_volume(volume: &Value, policy: &NamespacePolicy) -> Option<Vec<Asked>> {
    let handle = text(volume, "/spec/csi/volumeHandle");
    match text(volume, "/spec/csi/driver") {
        efs::DRIVER => {
            // `fs-1:/directory:fsap-1`
            let id = handle.split(':').next().unwrap_or_default();
            let options = volume.pointer("/spec/csi/volumeAttributes");
            has_only(options, &["encryptInTransit"]).then(|| vec![Asked::Right(Right::FileSystem(id.to_owned()))])
        }
        fsx::DRIVER => {
            let (server, share) =
                text(volume, "/spec/csi/volumeAttributes/source").strip_prefix("//")?.split_once('/')?;
            if policy.has_annotation(labels::FILE_SYSTEM, &format!("server/{server}")) {
                return Some(Vec::new());
            }
            has_only(volume.pointer("/spec/csi/volumeAttributes"), &["source"])
                .then(|| vec![Asked::Right(Right::of_smb(server, share))])
        }
        _ => None,
    }
}
