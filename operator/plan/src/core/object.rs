//! What every child gets: identity, owner, labels.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;

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

/// Sets one member of an object; of anything else, nothing.
pub(crate) fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(name.to_owned(), value);
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
