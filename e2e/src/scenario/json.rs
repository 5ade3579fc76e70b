//! Looking into objects as they are.

use serde_json::Value;

use super::view::Objects;

/// An object by kind and name.
#[must_use]
pub fn find<'o>(objects: &'o Objects, kind: &str, name: &str) -> Option<&'o Value> {
    objects.iter().find(|((other, is), _)| *other == kind && is == name).map(|(_, object)| object)
}

/// A string inside an object; empty if it is absent.
#[must_use]
pub fn text<'o>(object: &'o Value, pointer: &str) -> &'o str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A condition of an object.
#[must_use]
pub fn condition<'o>(object: &'o Value, type_: &str) -> Option<&'o Value> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().find(|condition| text(condition, "/type") == type_)
}

/// `Ready=False/Progressing (message), …`
pub(super) fn conditions(object: &Value) -> String {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let shown = conditions.into_iter().flatten().map(|condition| {
        let (type_, status) = (text(condition, "/type"), text(condition, "/status"));
        format!("{type_}={status}/{} ({})", text(condition, "/reason"), text(condition, "/message"))
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "no conditions".to_owned() } else { shown }
}
