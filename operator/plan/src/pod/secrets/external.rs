//! `ExternalSecret`: has the External Secrets Operator fetch values once for a deployment.

use std::collections::BTreeMap;
use std::str::FromStr;

use ecs::hash::hex;
use ecs::secret::SecretReference;
use serde_json::{Map, Value, json};

use super::super::TaskInput;
use super::super::json::Members;
use super::naming::InSecret as _;
use crate::core::kind::Kind;
use crate::core::labels;

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
pub(super) fn secret(input: &TaskInput<'_>, store: &Store, references: &[&SecretReference]) -> Named {
    let data: BTreeMap<String, Value> =
        references.iter().map(|reference| (reference.own_key(), remote(reference, None))).collect();
    named(input, "ecs-secrets", store, data, None)
}

/// `remoteRef`; with a `property` in place of the reference's own.
pub(super) fn remote(reference: &SecretReference, property: Option<&str>) -> Value {
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
    data: BTreeMap<String, Value>,
    template: Option<Value>,
) -> Named {
    let data: Vec<Value> =
        data.into_iter().map(|(key, remote)| json!({"secretKey": key, "remoteRef": remote})).collect();
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
