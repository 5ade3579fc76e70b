//! `ExternalSecret`: has the External Secrets Operator fetch values once for a deployment.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use ecs::hash::hex;
use ecs::secret::SecretReference;
use serde_json::{Map, Value, json};

use super::super::TaskInput;
use super::super::json::Members;
use super::naming::{InSecret as _, note};
use crate::core::kind::Kind;
use crate::core::labels;

/// What names of objects begin with that fetch the credentials of registries.
pub(super) const REGISTRY: &str = "ecs-registry";

/// A store of the External Secrets Operator, as the Namespace names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Store {
    /// `SecretStore` or `ClusterSecretStore`
    kind: String,
    name: String,
}

/// A text that names no store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write SecretStore/NAME or ClusterSecretStore/NAME")]
pub(super) struct NoStore;

impl FromStr for Store {
    type Err = NoStore;

    fn from_str(text: &str) -> Result<Self, NoStore> {
        match text.trim().split_once('/') {
            Some((kind @ ("SecretStore" | "ClusterSecretStore"), name)) if !name.is_empty() && !name.contains('/') => {
                Ok(Self { kind: kind.to_owned(), name: name.to_owned() })
            }
            _ => Err(NoStore),
        }
    }
}

/// An object and its name, which is also that of the Secret it fills.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) body: Value,
}

/// One Secret with a key for each value that the store has for this task.
pub(super) fn secret(
    input: &TaskInput<'_>,
    store: &Store,
    references: &[SecretReference],
    value_from: &[&str],
) -> Named {
    named(input, "ecs-secrets", store, &remotes(references, false), value_from, None)
}

/// `remoteRef` by key of the Secret: one for each reference, or the two parts of the credentials of a registry.
pub(super) fn remotes(references: &[SecretReference], is_registry: bool) -> BTreeMap<String, Value> {
    let parts = |reference: &SecretReference| -> Vec<(String, Value)> {
        if is_registry {
            ["username", "password"].map(|part| (part.to_owned(), remote(reference, Some(part)))).into()
        } else {
            vec![(reference.own_key(), remote(reference, None))]
        }
    };
    references.iter().flat_map(parts).collect()
}

/// The annotation of the Namespace that names the store of a reference.
pub(super) const fn store_annotation(reference: &SecretReference) -> &'static str {
    match reference {
        SecretReference::SsmParameter { .. } => labels::PARAMETER_STORE,
        SecretReference::SecretsManager { .. } => labels::SECRET_STORE,
    }
}

/// Whether an object fetches just this from one of `stores` into a Secret of its own name.
pub(super) fn is_made(object: &Value, name: &str, stores: &BTreeSet<&str>, remotes: &BTreeMap<String, Value>) -> bool {
    const SPEC: [&str; 5] = ["refreshPolicy", "refreshInterval", "secretStoreRef", "data", "target"];
    const TARGET: [&str; 3] = ["name", "creationPolicy", "template"];
    const TEMPLATE: [&str; 2] = ["type", "data"];
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let store = format!("{}/{}", text("/spec/secretStoreRef/kind"), text("/spec/secretStoreRef/name"));
    let has_only = |pointer: &str, members: &[&str]| {
        let object = object.pointer(pointer).and_then(Value::as_object);
        object.is_none_or(|object| object.keys().all(|member| members.contains(&member.as_str())))
    };
    stores.len() == 1
        && stores.contains(store.as_str())
        && object.pointer("/spec/data") == Some(&Value::from(data(remotes)))
        && has_only("/spec", &SPEC)
        && has_only("/spec/target", &TARGET)
        && has_only("/spec/target/template", &TEMPLATE)
        && text("/spec/target/name") == name
        && text("/spec/target/creationPolicy") == "Owner"
}

fn data(remotes: &BTreeMap<String, Value>) -> Vec<Value> {
    remotes.iter().map(|(key, remote)| json!({"secretKey": key, "remoteRef": remote})).collect()
}

/// `remoteRef`; with a `property` in place of the reference's own.
fn remote(reference: &SecretReference, property: Option<&str>) -> Value {
    let mut remote = Map::new();
    remote.put("key", reference.remote_key());
    remote.put_some("property", property.map(ToOwned::to_owned).or_else(|| reference.remote_property()));
    remote.put_some("version", reference.remote_version());
    remote.into()
}

/// The object. Its name is a hash of what is fetched and of what it is fetched for: another deployment has another one,
/// and its tasks wait until that is filled.
pub(super) fn named(
    input: &TaskInput<'_>,
    stem: &str,
    store: &Store,
    remotes: &BTreeMap<String, Value>,
    value_from: &[&str],
    template: Option<Value>,
) -> Named {
    let data = data(remotes);
    let mut spec = Map::new();
    match input.policy.annotation(labels::SECRET_REFRESH_INTERVAL) {
        None => spec.put("refreshPolicy", "CreatedOnce"),
        Some(interval) => {
            spec.put("refreshPolicy", "Periodic");
            spec.put("refreshInterval", interval);
        }
    }
    spec.put("secretStoreRef", json!({"kind": store.kind, "name": store.name}));
    spec.put_list("data", data);
    let identity = json!({"for": input.deployment, "spec": spec, "template": template});
    let name = format!("{stem}-{}", hex(&identity.to_string(), 16));
    let mut target = Map::new();
    target.put("name", name.as_str());
    target.put("creationPolicy", "Owner");
    target.put_some("template", template);
    spec.put("target", target);
    let body = json!({
        "apiVersion": Kind::ExternalSecret.api_version(),
        "kind": Kind::ExternalSecret.kind(),
        "metadata": {
            "name": name,
            "namespace": input.namespace,
            "labels": {labels::MANAGED_BY: labels::OPERATOR},
            "annotations": note(value_from),
        },
        "spec": spec,
    });
    Named { name, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_store_is_named_then_kind_and_name_are_needed() {
        for (text, kind) in [("SecretStore/aws", "SecretStore"), (" ClusterSecretStore/aws ", "ClusterSecretStore")] {
            assert_eq!(text.parse(), Ok(Store { kind: kind.to_owned(), name: "aws".to_owned() }), "{text}");
        }
        for text in ["", "aws", "SecretStore/", "secretstore/aws", "SecretStore/a/b", "PushSecret/a"] {
            assert_eq!(text.parse::<Store>(), Err(NoStore), "{text}");
        }
    }
}
