//! EFS file systems: static volumes of the EFS CSI driver, or what an administrator put in their place.

use api::task_definition::{EfsAuthorizationConfigIam, EfsTransitEncryption, EfsVolumeConfiguration};
use ecs::volume::{EfsVolume, check_efs, efs_volume_handle};
use serde_json::json;

use super::TaskInput;
use super::file_system::{self, Stand};
use super::notes::Notes;
use super::permission;
use super::static_volume::StaticVolume;
use super::volume_source::Source;
use crate::core::right::Right;

/// The CSI driver.
pub(crate) const DRIVER: &str = "efs.csi.aws.com";

/// The source of an EFS volume, unless ECS would refuse it or nobody allowed it.
pub(super) fn source(
    configuration: &EfsVolumeConfiguration,
    path: &str,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Option<Source> {
    let volume = plain(configuration);
    let violations = check_efs(&volume);
    let is_legal = violations.is_empty();
    for violation in violations {
        notes.refuse(format!("{path}.{}", violation.path), violation.message);
    }
    if !is_legal {
        return None;
    }
    let id = volume.file_system_id.as_str();
    let id_path = format!("{path}.fileSystemId");
    let access_point = volume.access_point_id.as_deref().filter(|id| !id.is_empty());
    let found = match access_point {
        Some(access_point) => file_system::stand(input, &[access_point]),
        None => file_system::stand(input, &[id]),
    };
    match found {
        Err(message) => {
            notes.refuse(id_path, message);
            None
        }
        Ok(Some(stand)) => {
            report(&volume, configuration, path, notes);
            // The directory of an access point is not known here: what stands for it is that directory.
            let directory = access_point.map_or(volume.root_directory.as_deref(), |_| None).unwrap_or_default();
            instead(stand, access_point.unwrap_or(id), directory, &id_path, input, notes)
        }
        Ok(None) => {
            let has_stand = access_point.is_some() && matches!(file_system::stand(input, &[id]), Ok(Some(_)));
            if let Some(access_point) = access_point.filter(|_| has_stand) {
                let message = format!(
                    "an annotation of namespace {} replaces {id}, but none replaces its access point: an administrator \
                        must also annotate the Namespace with {}",
                    input.namespace,
                    file_system::stand_annotation(access_point),
                );
                notes.refuse(format!("{path}.authorizationConfig.accessPointId"), message);
                return None;
            }
            if !permission::has(input, &Right::FileSystem(id.to_owned()), &id_path, notes) {
                return None;
            }
            Some(Source::of_static(&pair(&volume, configuration, input.namespace)))
        }
    }
}

/// The driver encrypts unless it is told otherwise; ECS does not encrypt unless it is told to.
fn pair(volume: &EfsVolume, configuration: &EfsVolumeConfiguration, namespace: &str) -> StaticVolume {
    let handle =
        efs_volume_handle(&volume.file_system_id, volume.root_directory.as_deref(), volume.access_point_id.as_deref());
    let mut mount_options = Vec::new();
    if volume.iam {
        mount_options.push("iam".to_owned());
    }
    if let Some(port) = configuration.transit_encryption_port {
        mount_options.push(format!("tlsport={port}"));
    }
    let attributes = json!({"encryptInTransit": volume.transit_encryption.to_string()});
    StaticVolume::new("efs", namespace, DRIVER, handle, attributes, mount_options, None)
}

/// What stands for a file system; `directory` of it becomes the `subPath` of its mounts.
pub(super) fn instead(
    stand: Stand,
    id: &str,
    directory: &str,
    path: &str,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Option<Source> {
    let sub_path = file_system::sub_path(directory);
    match stand {
        Stand::Claim(name) => Some(Source::of_claim(&name, sub_path)),
        Stand::Class(class) => {
            let (name, body) = file_system::claim_of_class(input.namespace, &class, id);
            let mut source = Source::of_claim(&name, sub_path);
            source.shared.push(body);
            Some(source)
        }
        Stand::Server(host) => {
            notes.refuse(
                path,
                format!(
                    "{host} is annotated as the server of {id}, which is supported for FSx file \
                systems only"
                ),
            );
            None
        }
    }
}

/// How a claim is mounted is up to whoever made it.
fn report(volume: &EfsVolume, configuration: &EfsVolumeConfiguration, path: &str, notes: &mut Notes) {
    for (is_set, field) in [
        (volume.transit_encryption, "transitEncryption"),
        (configuration.transit_encryption_port.is_some(), "transitEncryptionPort"),
        (volume.iam, "authorizationConfig.iam"),
    ] {
        if is_set {
            notes.no_effect(
                format!("{path}.{field}"),
                "the replacement that the administrator chose for EFS decides \
                this",
            );
        }
    }
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
