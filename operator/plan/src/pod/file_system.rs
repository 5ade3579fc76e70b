//! File systems that belong to somebody: which of them tasks of a namespace may mount, and what stands for them.
//!
//! A volume of a Pod reaches whatever its driver reaches, so an id in a task definition is no permission. Both answers
//! come from annotations of the Namespace, which its tenants cannot write:
//!
//! | annotation | meaning |
//! |---|---|
//! | `ecs-operator.dev/allowed-file-systems: fs-1,snap-*` | these ids may be used |
//! | `ecs-operator.dev/allowed-file-systems: nfs/files.corp.example/srv/*` | these exports of the NFS server may be mounted |
//! | `ecs-operator.dev/allowed-file-systems: smb/fs-1.corp.example/share` | this share may be mounted |
//! | `ecs-operator.dev/file-system.fs-1: claim/files` | `fs-1` is the claim `files` of the namespace |
//! | `ecs-operator.dev/file-system.fs-1: storageclass/nfs` | `fs-1` is one claim of that class, made once, kept |
//! | `ecs-operator.dev/file-system.fs-1: server/files.corp.example` | the file server of the FSx file system `fs-1` |

use ecs::hash::hex;
use serde_json::{Value, json};

use super::TaskInput;
use super::network::is_dns_name;
use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::right::Right;

/// A claim of a class needs a size. Shared file systems that have one grow where the class allows it; by then the claim
/// is the administrator's.
const CAPACITY: &str = "100Gi";

/// What an administrator put in the place of a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// A claim that is there already.
    Claim(String),
    /// A claim of this StorageClass.
    Class(String),
    /// The same file system, at this host.
    Server(String),
}

/// What stands for the first of `ids` that an annotation names; more specific ids come first.
///
/// # Errors
/// The annotation and its value, when that is none of the three forms.
pub(super) fn stand(input: &TaskInput<'_>, ids: &[&str]) -> Result<Option<Stand>, String> {
    for id in ids.iter().filter(|id| !id.is_empty()) {
        let name = format!("{}{id}", labels::FILE_SYSTEM);
        let Some(text) = input.policy.annotation(&name) else { continue };
        let stand = match text.trim().split_once('/') {
            Some(("claim", name)) if is_dns_name(name) => Stand::Claim(name.to_owned()),
            Some(("storageclass", name)) if is_dns_name(name) => Stand::Class(name.to_owned()),
            Some(("server", host)) if is_dns_name(host) => Stand::Server(host.to_owned()),
            _ => {
                return Err(format!(
                    "the annotation {name} of namespace {} is {text:?}: an administrator must write claim/NAME, \
                     storageclass/NAME or server/HOST",
                    input.namespace
                ));
            }
        };
        return Ok(Some(stand));
    }
    Ok(None)
}

/// The annotation that says what stands for an id, for a command that an administrator copies: an id that means something to a
/// shell is left for him to spell.
pub(super) fn stand_annotation(id: &str) -> String {
    let is_plain = Right::FileSystem(id.to_owned()).is_plain() && !id.contains('=');
    format!("{}{}", labels::FILE_SYSTEM, if is_plain { id } else { "ID" })
}

/// The claim of a class that stands for a file system: one per namespace, class and file system. It has no owner, because
/// deleting it may delete the files, and a file system outlives the services that mount it.
pub(super) fn claim_of_class(namespace: &str, class: &str, id: &str) -> (String, Value) {
    let name = format!("ecs-files-{}", hex(&json!([class, id]).to_string(), 16));
    let body = json!({
        "apiVersion": Kind::PersistentVolumeClaim.api_version(),
        "kind": Kind::PersistentVolumeClaim.kind(),
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {labels::MANAGED_BY: labels::OPERATOR},
            "annotations": {labels::KEPT: "true"},
        },
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "volumeMode": "Filesystem",
            "storageClassName": class,
            "resources": {"requests": {"storage": CAPACITY}},
        },
    });
    (name, body)
}

/// A directory of a file system as `subPath` of a mount; `None` for its root. Windows writes `share\directory`.
pub(super) fn sub_path(directory: &str) -> Option<String> {
    let plain = directory.replace('\\', "/");
    Some(plain.trim_matches('/').to_owned()).filter(|path| !path.is_empty())
}
