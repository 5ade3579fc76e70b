//! Looking into generated schemas.
#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::LazyLock;

use api::crds;
use serde_json::Value;

/// Kind and generated schema of every definition.
pub(crate) fn schemas() -> &'static [(String, Value)] {
    static SCHEMAS: LazyLock<Vec<(String, Value)>> = LazyLock::new(generate);
    &SCHEMAS
}

fn generate() -> Vec<(String, Value)> {
    crds::all()
        .unwrap()
        .iter()
        .map(|crd| {
            let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            (crd.spec.names.kind.clone(), serde_json::to_value(schema).unwrap())
        })
        .collect()
}

/// Schema of `spec` of a kind, or nothing when there is no such kind.
pub(crate) fn spec_of(kind: &str) -> Option<&'static Value> {
    schemas().iter().find(|(name, _)| name == kind).map(|(_, schema)| &schema["properties"]["spec"])
}

/// Calls `visit` with the path and schema of every node that the server checks.
pub(crate) fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    if let Some(properties) = schema["properties"].as_object() {
        for (name, inner) in properties {
            walk(inner, &format!("{path}.{name}"), visit);
        }
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), visit);
    }
    if schema["additionalProperties"].is_object() {
        walk(&schema["additionalProperties"], &format!("{path}{{}}"), visit);
    }
}

/// Node at a path like `containerDefinitions[].portMappings[].hostPort`; `None` when a part of it is missing.
pub(crate) fn find<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    let mut node = root;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let name = part.trim_end_matches("[]").trim_end_matches("{}").trim_end_matches("[]");
        node = node.get("properties")?.get(name)?;
        let mut rest = &part[name.len()..];
        while !rest.is_empty() {
            node = node.get(if rest.starts_with("[]") { "items" } else { "additionalProperties" })?;
            rest = &rest[2..];
        }
    }
    Some(node)
}

/// Whether the node keeps whatever is written.
pub(crate) fn keeps_anything(node: &Value) -> bool {
    node["x-kubernetes-preserve-unknown-fields"] == true && node.get("properties").is_none()
}
