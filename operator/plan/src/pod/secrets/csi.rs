//! `SecretProviderClass`: has the Secrets Store CSI driver fill a Secret when a task starts.
//!
//! The driver fetches with the identity of the Pod, which is the task role, and what it fetches is also in the file
//! system of the container that mounts it. So each container with secrets has a class of its own: a container sees its own
//! secrets and no others.

use std::collections::{BTreeMap, BTreeSet};

use ecs::hash::hex;
use ecs::name::dns_label;
use ecs::secret::{CURRENT_STAGE, SecretReference};
use serde_json::{Map, Value, json};

use super::super::TaskInput;
use super::super::json::Members;
use super::naming::{InSecret as _, note};
use crate::core::kind::Kind;
use crate::core::labels;

/// The provider of AWS for the driver.
pub(super) const PROVIDER: &str = "aws";
/// The driver.
pub(super) const DRIVER: &str = "secrets-store.csi.k8s.io";
/// Where the container sees its secrets as files; they are only there because the driver acts on a mount alone.
const DIRECTORY: &str = "/var/run/ecs-operator/secrets";

/// The class of one container.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// Name of the class, of the Secret that it fills and of the volume.
    pub(super) name: String,
    pub(super) body: Value,
}

impl Class {
    /// `volumeMounts[]` of the container.
    pub(super) fn mount(&self) -> Value {
        json!({"name": self.name, "mountPath": DIRECTORY, "readOnly": true})
    }

    /// `volumes[]` of the Pod.
    pub(super) fn volume(&self) -> Value {
        let attributes = json!({"secretProviderClass": self.name});
        json!({"name": self.name, "csi": {"driver": DRIVER, "readOnly": true, "volumeAttributes": attributes}})
    }
}

/// The class for what a container refers to.
pub(super) fn class(
    input: &TaskInput<'_>,
    container: &str,
    references: &[&SecretReference],
    value_from: &[&str],
) -> Class {
    let objects = Value::from(objects(references)).to_string();
    let identity = json!({"for": input.deployment, "container": container, "objects": objects});
    let name = format!("{}-{}", dns_label(&format!("ecs-secrets-{container}"), 46), hex(&identity.to_string(), 16));
    let body = json!({
        "apiVersion": Kind::SecretProviderClass.api_version(),
        "kind": Kind::SecretProviderClass.kind(),
        "metadata": {
            "name": name,
            "namespace": input.namespace,
            "labels": {labels::MANAGED_BY: labels::OPERATOR},
            "annotations": note(value_from),
        },
        "spec": spec(&name, references),
    });
    Class { name, body }
}

/// `spec` of the class with this name.
pub(super) fn spec(name: &str, references: &[&SecretReference]) -> Value {
    let keys: BTreeSet<String> = references.iter().map(|reference| reference.own_key()).collect();
    let data: Vec<Value> = keys.into_iter().map(|key| json!({"objectName": key, "key": key})).collect();
    json!({
        "provider": PROVIDER,
        // A list in YAML; JSON is YAML.
        "parameters": {"objects": Value::from(objects(references)).to_string()},
        "secretObjects": [{"secretName": name, "type": "Opaque", "data": data}],
    })
}

/// What the provider fetches. It takes each secret and version once, and picks the members of a JSON object by `jmesPath`.
fn objects(references: &[&SecretReference]) -> Vec<Value> {
    let mut objects: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for reference in references {
        let whole = without_json_key(reference);
        let alias = whole.own_key();
        let object = objects.entry(alias.clone()).or_insert_with(|| object(&whole, &alias));
        if let Some(key) = reference.json_key() {
            // A quoted identifier: every character stands for itself.
            let member = json!({"path": Value::from(key).to_string(), "objectAlias": reference.own_key()});
            match object.get_mut("jmesPath").and_then(Value::as_array_mut) {
                Some(members) if !members.contains(&member) => members.push(member),
                Some(_) => {}
                None => object.put("jmesPath", vec![member]),
            }
        }
    }
    objects.into_values().map(Value::from).collect()
}

fn object(reference: &SecretReference, alias: &str) -> Map<String, Value> {
    let mut object = Map::new();
    object.put("objectName", reference.remote_key());
    object.put("objectAlias", alias);
    match reference {
        SecretReference::SsmParameter { .. } => object.put("objectType", "ssmparameter"),
        SecretReference::SecretsManager { version_stage, version_id, .. } => {
            object.put("objectType", "secretsmanager");
            object.put_some("objectVersion", version_id.as_deref());
            let other = version_stage.as_deref().filter(|stage| *stage != CURRENT_STAGE);
            object.put_some("objectVersionLabel", other);
        }
    }
    object
}

fn without_json_key(reference: &SecretReference) -> SecretReference {
    let mut whole = reference.clone();
    if let SecretReference::SecretsManager { json_key, .. } = &mut whole {
        *json_key = None;
    }
    whole
}
