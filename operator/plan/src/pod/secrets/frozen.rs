//! What fetches secrets, as a record has it: which secrets those are, by the texts that the administrator's list is asked
//! with.

use std::collections::BTreeSet;

use ecs::secret::{SecretReference, registry_credentials, secret_reference};
use serde_json::Value;

use super::{csi, external};
use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::policy::NamespacePolicy;

/// Each `valueFrom` that an ExternalSecret or SecretProviderClass fetches. `None` when it is not as it is made for just
/// these, from a store that the Namespace names now.
pub(crate) fn fetched(object: &Value, namespace: &str, policy: &NamespacePolicy) -> Option<Vec<String>> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let note = object.pointer("/metadata/annotations")?.get(labels::VALUE_FROM)?.as_str()?;
    let value_from: Vec<String> = serde_json::from_str(note).ok()?;
    let name = text("/metadata/name")?;
    let is_ours = text("/metadata/namespace") == Some(namespace) && name.starts_with("ecs-");
    let kind = Kind::from_type(text("/apiVersion")?, text("/kind")?)?;
    let is_made = if kind == Kind::ExternalSecret {
        // A registry's credentials are a secret by its name, which elsewhere is a parameter's.
        let is_registry = name.starts_with(external::REGISTRY);
        let read = if is_registry { registry_credentials } else { secret_reference };
        let references = references(&value_from, read)?;
        let stores: BTreeSet<&str> = references
            .iter()
            .map(|reference| policy.annotation(external::store_annotation(reference)).map(str::trim))
            .collect::<Option<_>>()?;
        external::is_made(object, name, &stores, &external::remotes(&references, is_registry))
    } else {
        let references = references(&value_from, secret_reference)?;
        kind == Kind::SecretProviderClass
            && policy.annotation(labels::SECRETS_STORE_CSI) == Some(csi::PROVIDER)
            && object.get("spec") == Some(&csi::spec(name, &references.iter().collect::<Vec<_>>()))
    };
    (is_ours && is_made).then_some(value_from)
}

fn references<E>(value_from: &[String], read: fn(&str) -> Result<SecretReference, E>) -> Option<Vec<SecretReference>> {
    value_from.iter().map(|text| read(text).ok()).collect()
}
