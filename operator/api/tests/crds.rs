//! The generated definitions have the form that API servers accept without a warning.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests report by panicking, in helpers too"
)]

mod common;

use std::collections::BTreeSet;

use api::crds;
use common::{find, keeps_anything, schemas, walk};
use serde_json::Value;

/// Every complaint of `check` about a node, with kind and path.
fn complaints(check: impl Fn(&str, &Value) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (kind, schema) in schemas() {
        walk(schema, "", &mut |path, node| found.extend(check(path, node).map(|text| format!("{kind}{path}: {text}"))));
    }
    found
}

#[test]
fn every_definition_stays_far_below_the_limit_of_a_request() {
    for crd in crds::all().unwrap() {
        let size = serde_json::to_string(&crd).unwrap().len();
        assert!(size < 1 << 20, "{}: {size} bytes", crd.spec.names.kind);
    }
}

#[test]
fn names_categories_and_subresources_are_those_of_the_contract() {
    let mut short = BTreeSet::new();
    for crd in crds::all().unwrap() {
        let (names, version) = (&crd.spec.names, &crd.spec.versions[0]);
        assert_eq!(crd.spec.group, "ecs-operator.dev");
        assert_eq!(version.name, "v1alpha1");
        assert_eq!(names.categories.as_deref(), Some(&["ecs".to_owned()][..]), "{}", names.kind);
        assert!(version.subresources.as_ref().is_some_and(|sub| sub.status.is_some()), "{}", names.kind);
        for name in names.short_names.iter().flatten() {
            assert!(short.insert(name.clone()), "{name} twice");
            assert!(*name != "ecs" && *name != names.plural, "{name}");
        }
        let columns = version.additional_printer_columns.as_deref().unwrap_or_default();
        assert!(columns.iter().any(|column| column.priority == Some(1)), "{}: no wide column", names.kind);
        assert!(columns.iter().any(|column| column.name == "Age"), "{}: no age", names.kind);
    }
}

#[test]
fn every_field_is_described() {
    let found = complaints(|path, node| {
        let is_field = !path.ends_with("[]") && !path.ends_with("{}");
        let text = node["description"].as_str().unwrap_or_default().trim();
        (is_field && text.len() < 4).then(|| "no description".to_owned())
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_field_has_one_type() {
    let found = complaints(|_, node| {
        let typed = node["type"].is_string() || node["x-kubernetes-int-or-string"] == true || keeps_anything(node);
        let combined = ["anyOf", "oneOf", "allOf", "not", "$ref"].iter().any(|key| node.get(*key).is_some());
        (!typed || combined).then(|| node.to_string())
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_number_has_a_format_that_the_server_knows() {
    let known = ["int32", "int64", "double", "date-time"];
    let found = complaints(|_, node| {
        let format = node["format"].as_str()?;
        (!known.contains(&format)).then(|| format.to_owned())
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_list_and_string_and_map_is_bounded() {
    let found = complaints(|_, node| {
        let key = match node["type"].as_str()? {
            "array" => "maxItems",
            "string" if node.get("enum").is_none() && node["format"] != "date-time" => "maxLength",
            "object" if node["additionalProperties"].is_object() => "maxProperties",
            _ => return None,
        };
        (!node[key].is_number()).then(|| format!("no {key}"))
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_list_has_a_list_type_and_the_keys_of_map_lists_are_required() {
    let found = complaints(|_, node| {
        if node["type"] != "array" {
            return None;
        }
        if !node["items"].is_object() {
            return Some("items is not one schema".to_owned());
        }
        match node["x-kubernetes-list-type"].as_str() {
            Some("atomic" | "set") => None,
            Some("map") => {
                let required = node["items"]["required"].as_array().cloned().unwrap_or_default();
                let keys = node["x-kubernetes-list-map-keys"].as_array().cloned().unwrap_or_default();
                let missing = keys.is_empty() || keys.iter().any(|key| !required.contains(key));
                missing.then(|| format!("keys {keys:?} are not all required"))
            }
            other => Some(format!("list type {other:?}")),
        }
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn no_field_of_a_spec_has_a_default() {
    // The spec of a user is never written by anybody else: defaults are computed where they are needed.
    let found = complaints(|path, node| node.get("default").filter(|_| path != ".status").map(ToString::to_string));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn kinds_that_are_waited_for_begin_with_conditions_that_are_unknown() {
    for crd in crds::all().unwrap() {
        let columns = crd.spec.versions[0].additional_printer_columns.as_deref().unwrap_or_default();
        let is_waited_for = columns.iter().any(|column| column.json_path.contains("\"Ready\""));
        let (_, schema) = schemas().iter().find(|(kind, _)| *kind == crd.spec.names.kind).unwrap();
        let initial = find(schema, ".status").unwrap().get("default");
        assert_eq!(initial, is_waited_for.then(api::conditions::pending).as_ref(), "{}", crd.spec.names.kind);
    }
}

#[test]
fn every_rule_says_which_exception_ecs_would_throw_and_names_a_field_that_exists() {
    let exceptions = [
        "InvalidParameterException: ",
        "ClientException: ",
        "UnsupportedFeatureException: ",
        "PlatformTaskDefinitionIncompatibilityException: ",
        "LimitExceededException: ",
        "ValidationException: ",
    ];
    let found = complaints(|_, node| {
        let rules = node["x-kubernetes-validations"].as_array()?;
        let wrong: Vec<&Value> = rules
            .iter()
            .filter(|rule| {
                let message = rule["message"].as_str().unwrap_or_default();
                let named = exceptions.iter().any(|name| message.starts_with(name));
                let path = rule["fieldPath"].as_str().unwrap_or_default();
                !named || message.contains('\n') || find(node, path).is_none()
            })
            .collect();
        (!wrong.is_empty()).then(|| format!("{wrong:?}"))
    });
    assert_eq!(found, Vec::<String>::new());
}
