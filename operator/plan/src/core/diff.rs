//! Compares what is wanted with what is there, so that unchanged children cost no request.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ecs::hash::hex;
use serde_json::{Map, Value};

use crate::core::labels;

/// Where two objects first differ, as a field path; shown to people as the reason of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference(pub String);

/// Writes the hash of the body into its [`labels::APPLIED`] annotation. A field that is no longer wanted is gone from
/// the body, hence changes the hash, hence is noticed although [`first_difference`] only looks at wanted fields.
pub fn seal(body: &mut Value) {
    let hash = hash(body);
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(labels::APPLIED.to_owned(), Value::String(hash));
        }
    }
}

/// 16 hex digits of SHA-256 over the JSON text. `serde_json` maps are ordered by key, so equal values hash equally.
#[must_use]
pub fn hash(value: &Value) -> String {
    hex(&value.to_string(), 16)
}

/// The first wanted field that the live object does not have. Fields that only the live object has (defaults, status,
/// what other managers own) are no difference.
#[must_use]
pub fn first_difference(wanted: &Value, live: &Value) -> Option<Difference> {
    differ(wanted, live, &mut String::new())
}

fn differ(wanted: &Value, live: &Value, path: &mut String) -> Option<Difference> {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().find_map(|(name, value)| {
            let length = path.len();
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
            let found = match live.get(name) {
                Some(other) => differ(value, other, path),
                // The server leaves out what is empty or zero: `paused: false` is stored as no `paused` at all.
                None if is_zero(value) => None,
                None => Some(Difference(path.clone())),
            };
            path.truncate(length);
            found
        }),
        (Value::Array(wanted), Value::Array(live)) => differ_in_list(wanted, live, path),
        _ if wanted == live => None,
        _ => Some(Difference(path.clone())),
    }
}

/// Lists with a key are compared by it, since others (an injected sidecar) may add items; lists without must be equal
/// item by item. A key is one only where no two items share it: two metrics of an autoscaler both have type `Resource`.
fn differ_in_list(wanted: &[Value], live: &[Value], path: &mut String) -> Option<Difference> {
    let is_key = |key: &&str| {
        let values: BTreeSet<String> = wanted.iter().filter_map(|item| Some(item.get(*key)?.to_string())).collect();
        !wanted.is_empty() && values.len() == wanted.len()
    };
    let key = ["name", "uid", "type", "containerPort", "port", "mountPath"].into_iter().find(is_key);
    if key.is_none() && wanted.len() != live.len() {
        return Some(Difference(path.clone()));
    }
    wanted.iter().enumerate().find_map(|(index, item)| {
        let other = match key {
            Some(key) => live.iter().find(|other| other.get(key) == item.get(key)),
            None => live.get(index),
        };
        let length = path.len();
        let _ = write!(path, "[{index}]");
        let found = match other {
            Some(other) => differ(item, other, path),
            None => Some(Difference(path.clone())),
        };
        path.truncate(length);
        found
    })
}

/// Go's zero values, which the API server does not store.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_items_share_their_type_then_they_are_compared_by_position() {
        let metric = |name: &str| json!({"type": "Resource", "resource": {"name": name}});
        let wanted = json!({"metrics": [metric("cpu"), metric("memory")]});
        assert_eq!(first_difference(&wanted, &wanted), None);
        assert!(first_difference(&wanted, &json!({"metrics": [metric("cpu"), metric("cpu")]})).is_some());
        assert!(first_difference(&wanted, &json!({"metrics": [metric("cpu")]})).is_some());
    }

    #[test]
    fn when_the_server_added_defaults_then_there_is_no_difference() {
        let wanted = json!({"spec": {"template": {"containers": [{"name": "web", "image": "nginx"}]},
            "list": [], "paused": false, "minReadySeconds": 0, "value": ""}});
        let live =
            json!({"spec": {"template": {"containers": [{"name": "web", "image": "nginx", "tty": false}]}, "x": 1}});
        assert_eq!(first_difference(&wanted, &live), None);
    }

    #[test]
    fn when_a_value_was_edited_then_its_path_is_named() {
        let wanted = json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}});
        let live = json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}});
        assert_eq!(first_difference(&wanted, &live), Some(Difference("spec.containers[1].image".into())));
    }

    #[test]
    fn when_a_field_is_no_longer_wanted_then_the_seal_differs() {
        let mut before = json!({"metadata": {"name": "x"}, "spec": {"a": 1, "b": 2}});
        let mut after = json!({"metadata": {"name": "x"}, "spec": {"a": 1}});
        seal(&mut before);
        seal(&mut after);
        assert_eq!(first_difference(&after, &before).unwrap().0, "metadata.annotations.ecs-operator.dev/applied");
    }

    #[test]
    fn when_another_manager_injected_a_sidecar_then_there_is_no_difference() {
        let wanted = json!({"containers": [{"name": "web"}]});
        let live = json!({"containers": [{"name": "proxy"}, {"name": "web"}]});
        assert_eq!(first_difference(&wanted, &live), None);
    }
}
