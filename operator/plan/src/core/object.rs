//! What every object has, and what every child gets: identity, owner, labels.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::store::Stored;

/// The part of `metadata` that plans read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// `metadata.name`
    pub name: String,
    /// `metadata.namespace`; empty for cluster-scoped kinds.
    pub namespace: String,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.generation`
    pub generation: i64,
    /// `metadata.resourceVersion`; only [`Metadata::of`] knows it, since it is not a part of what is kept as text.
    #[serde(skip)]
    pub resource_version: String,
    /// `metadata.creationTimestamp`
    pub creation_timestamp: Option<Timestamp>,
    /// `metadata.deletionTimestamp`
    pub deletion_timestamp: Option<Timestamp>,
    /// `metadata.finalizers`
    pub finalizers: Vec<String>,
    /// `metadata.labels`
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`
    pub annotations: BTreeMap<String, String>,
    /// `metadata.ownerReferences`
    pub owner_references: Vec<OwnerReference>,
}

/// The part of an owner reference that plans read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// The owner's `metadata.uid`.
    pub uid: String,
    /// Whether this owner is the controller.
    pub controller: bool,
}

/// Reads only `metadata`, whatever the rest of the object holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Whole {
    metadata: Metadata,
}

impl Metadata {
    /// The metadata of a stored object; what cannot be read counts as absent.
    #[must_use]
    pub fn of(stored: &Stored) -> Self {
        let metadata = stored.decode::<Whole>().unwrap_or_default().metadata;
        Self { resource_version: stored.resource_version.clone(), ..metadata }
    }

    /// Whether the object is on its way out.
    #[must_use]
    pub const fn is_deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Whether `uid` is among the owners.
    #[must_use]
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.owner_references.iter().any(|owner| owner.uid == uid)
    }
}

/// The owner reference of a child. A shared child (a role's ServiceAccount) has several owners and no controller.
#[must_use]
pub fn owner_reference(kind: Kind, owner: &Metadata, is_controller: bool) -> Value {
    let mut reference = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind(),
        "name": owner.name,
        "uid": owner.uid,
    });
    if is_controller && let Some(map) = reference.as_object_mut() {
        map.insert("controller".to_owned(), Value::Bool(true));
        map.insert("blockOwnerDeletion".to_owned(), Value::Bool(true));
    }
    reference
}

/// `apiVersion`, `kind` and `metadata` of a child.
#[must_use]
pub fn child(key: &ObjectKey, owners: &[Value], mut extra_labels: BTreeMap<String, String>) -> Value {
    extra_labels.insert(labels::MANAGED_BY.to_owned(), labels::OPERATOR.to_owned());
    let mut body = json!({
        "apiVersion": key.kind.api_version(),
        "kind": key.kind.kind(),
        "metadata": { "name": key.name, "labels": extra_labels },
    });
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        if let Some(namespace) = &key.namespace {
            metadata.insert("namespace".to_owned(), Value::String(namespace.clone()));
        }
        if !owners.is_empty() {
            metadata.insert("ownerReferences".to_owned(), Value::Array(owners.to_vec()));
        }
    }
    body
}

/// Removes `null`, empty lists and empty maps at every depth: three ways to write nothing.
#[must_use]
pub fn without_nothing(value: &Value) -> Value {
    let keeps = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), without_nothing(value)))
            .filter(|(_, value)| keeps(value))
            .collect(),
        Value::Array(items) => items.iter().map(without_nothing).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_nothing_is_written_in_three_ways_then_nothing_is_left() {
        let value = json!({"a": null, "b": [], "c": {"d": {"e": null}}, "f": [1, {"g": []}], "h": ""});
        assert_eq!(without_nothing(&value), json!({"f": [1, {}], "h": ""}));
    }
}
