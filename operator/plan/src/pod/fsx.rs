//! File systems that ECS mounts and no driver of Kubernetes knows by their id: FSx for Windows, over SMB, and S3 Files.

use api::task_definition::{FsxWindowsFileServerVolumeConfiguration, S3FilesVolumeConfiguration};
use ecs::secret::secret_reference;
use serde_json::json;

use super::file_system::{self, Stand};
use super::notes::Notes;
use super::permission;
use super::secrets::InSecret as _;
use super::static_volume::StaticVolume;
use super::volume_source::Source;
use super::{TaskInput, efs};
use crate::core::right::Right;

/// The CSI driver for SMB, which mounts on Windows nodes and on Linux nodes.
pub(crate) const DRIVER: &str = "smb.csi.k8s.io";

/// The source of an FSx for Windows volume: a share of `fileSystemId.domain`, or of the server that an administrator names.
pub(super) fn windows(
    configuration: &FsxWindowsFileServerVolumeConfiguration,
    path: &str,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Option<Source> {
    let id = configuration.file_system_id.as_str();
    let authorization = &configuration.authorization_config;
    let root = configuration.root_directory.as_str();
    let mut is_legal = true;
    let mut refuse = |field: &str, message: String, notes: &mut Notes| {
        is_legal = false;
        notes.refuse(format!("{path}.{field}"), message);
    };
    if !super::network::is_dns_name(id) {
        refuse("fileSystemId", "the id of a file system".to_owned(), notes);
    }
    if !super::network::is_dns_name(&authorization.domain) {
        refuse("authorizationConfig.domain", "the name of an Active Directory domain".to_owned(), notes);
    }
    let share = file_system::sub_path(root);
    if share.is_none() || root.split(['/', '\\']).any(|segment| segment == "..") || root.chars().any(char::is_control) {
        refuse("rootDirectory", "a share, or a directory in a share, without ..".to_owned(), notes);
    }
    let secret = secret_reference(&authorization.credentials_parameter);
    if let Err(error) = &secret {
        refuse("authorizationConfig.credentialsParameter", error.to_string(), notes);
    }
    let (Some(share), Ok(secret), true) = (share, secret, is_legal) else { return None };
    let id_path = format!("{path}.fileSystemId");
    let server = match file_system::stand(input, &[id]) {
        Err(message) => {
            notes.refuse(id_path, message);
            return None;
        }
        Ok(Some(Stand::Server(host))) => host,
        Ok(Some(stand)) => {
            let why = "the replacement that the administrator chose for the file server decides this";
            notes.no_effect(format!("{path}.authorizationConfig"), why);
            return efs::instead(stand, id, root, &id_path, input, notes);
        }
        // Which host that is, whoever writes the domain decides: so the host is what has to be allowed.
        Ok(None) => {
            let host = format!("{id}.{}", authorization.domain);
            if !permission::has(input, &Right::of_smb(&host, &share), &id_path, notes) {
                return None;
            }
            host
        }
    };
    let (secret, _) = secret.kubernetes_secret();
    notes.approximated(
        format!("{path}.authorizationConfig.credentialsParameter"),
        format!("read from the keys username and password of the Secret {secret}; write a domain user as DOMAIN\\user"),
    );
    let source = format!("//{server}/{share}");
    // The driver tells volumes apart by their handles: two namespaces may mount one share as two users.
    let handle = format!("{server}/{share}#{}#{secret}", input.namespace);
    let attributes = json!({"source": source});
    let volume = StaticVolume::new("fsx", input.namespace, DRIVER, handle, attributes, Vec::new(), Some(secret));
    Some(Source::of_static(&volume))
}

/// S3 Files has no driver for Kubernetes: it is mounted where an administrator put something in its place, or not at all.
pub(super) fn s3_files(
    configuration: &S3FilesVolumeConfiguration,
    path: &str,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Option<Source> {
    let id = |arn: &str| ecs::arn::last_segment(arn).to_owned();
    let arn_path = format!("{path}.fileSystemArn");
    let access_point = configuration.access_point_arn.as_deref().filter(|arn| !arn.is_empty());
    let id = access_point.map_or_else(|| id(&configuration.file_system_arn), id);
    let directory = configuration.root_directory.as_deref().unwrap_or_default();
    if directory.split('/').any(|segment| segment == "..") {
        notes.refuse(format!("{path}.rootDirectory"), "a path without ..");
        return None;
    }
    match file_system::stand(input, &[&id]) {
        Err(message) => {
            notes.refuse(arn_path, message);
            None
        }
        Ok(Some(stand)) => {
            if configuration.transit_encryption_port.is_some() {
                let why = "the replacement that the administrator chose for S3 Files decides this";
                notes.no_effect(format!("{path}.transitEncryptionPort"), why);
            }
            efs::instead(stand, &id, directory, &arn_path, input, notes)
        }
        Ok(None) => {
            let message = format!(
                "no CSI driver mounts S3 Files, and running without the data would not be safe: an administrator can \
                    provide a PersistentVolumeClaim instead by annotating namespace {} with {}=claim/NAME",
                input.namespace,
                file_system::stand_annotation(&id),
            );
            notes.unsupported(path, message);
            None
        }
    }
}
