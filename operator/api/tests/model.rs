//! Every input member of the ECS and Application Auto Scaling API models exists in the schema of its kind, with the
//! right type and every enum value. The tables come from the model itself: `tests/model/update.py`.

mod common;

use std::collections::BTreeSet;

use common::{find, keeps_anything, spec_of};
use serde_json::Value;

/// One line of a table.
struct Member<'a> {
    path: &'a str,
    kind: &'a str,
    required: bool,
    enumeration: Vec<&'a str>,
    min: Option<i64>,
    max: Option<i64>,
}

fn members(table: &str) -> Vec<Member<'_>> {
    table
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            assert_eq!(cells.len(), 6, "{line}");
            Member {
                path: cells[0],
                kind: cells[1],
                required: cells[2] == "yes",
                enumeration: cells[3].split('|').filter(|value| !value.is_empty()).collect(),
                min: cells[4].parse().ok(),
                max: cells[5].parse().ok(),
            }
        })
        .collect()
}

/// Values that the schema admits: of an optional member they are in a rule.
fn enumeration(node: &Value) -> BTreeSet<String> {
    if let Some(values) = node["enum"].as_array() {
        return values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    let rules = node["x-kubernetes-validations"].as_array().cloned().unwrap_or_default();
    rules
        .iter()
        .filter_map(|rule| rule["rule"].as_str()?.strip_prefix("self in [")?.strip_suffix(']'))
        .flat_map(|list| list.split(", ").map(|value| value.trim_matches('\'').to_owned()))
        .collect()
}

/// What is wrong with the schema of `member`, if anything.
fn problem(member: &Member<'_>, node: &Value) -> Option<String> {
    if keeps_anything(node) && node.get("properties").is_none() {
        return None;
    }
    let written = node["type"].as_str().unwrap_or_default();
    let right = match member.kind {
        "string" => written == "string" || node["x-kubernetes-int-or-string"] == true,
        "structure" => written == "object" && node.get("additionalProperties").is_none(),
        "map" => written == "object" && node["additionalProperties"].is_object(),
        "list" => written == "array",
        "integer" | "long" => written == "integer",
        "float" | "double" => written == "number",
        "boolean" => written == "boolean",
        // JSON has no time: tools write text or seconds since 1970.
        "timestamp" => written == "string" || node["x-kubernetes-int-or-string"] == true,
        other => return Some(format!("the model has a new type, {other}")),
    };
    if !right {
        return Some(format!("should be {}, is {node}", member.kind));
    }
    let values = enumeration(node);
    let missing: Vec<_> = member.enumeration.iter().filter(|value| !values.contains(**value)).collect();
    if !values.is_empty() && !missing.is_empty() {
        return Some(format!("lacks {missing:?}"));
    }
    let invented: Vec<_> = values.iter().filter(|value| !member.enumeration.contains(&value.as_str())).collect();
    if !member.enumeration.is_empty() && !invented.is_empty() {
        return Some(format!("invents {invented:?}"));
    }
    // Ours may be wider than the model's, never narrower.
    let (least, most) = match member.kind {
        "list" => ("minItems", "maxItems"),
        "string" => ("minLength", "maxLength"),
        _ => ("minimum", "maximum"),
    };
    let number = |key: &str| node[key].as_f64();
    if let (Some(model), Some(ours)) = (member.min, number(least))
        && ours > model as f64
    {
        return Some(format!("{least} {ours} refuses {model}"));
    }
    if let (Some(model), Some(ours)) = (member.max, number(most))
        && ours < model as f64
    {
        return Some(format!("{most} {ours} refuses {model}"));
    }
    None
}

/// Everything that is wrong with `kind` as a form of the operation whose table is given. `inside` is where the members
/// of the input are found in the spec; `elsewhere` are members that have another place, each with its reason.
fn check(table: &str, kind: &str, inside: &str, elsewhere: &[(&str, &str)]) -> Vec<String> {
    let spec = spec_of(kind).unwrap_or_else(|| panic!("no kind {kind}"));
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for member in members(table) {
        if let Some((path, _)) = elsewhere.iter().find(|(path, _)| *path == member.path) {
            used.insert(*path);
            continue;
        }
        let path = if inside.is_empty() { member.path.to_owned() } else { format!("{inside}.{}", member.path) };
        match find(&spec, &path) {
            None => found.push(format!("{path} is missing")),
            Some(node) => found.extend(problem(&member, node).map(|text| format!("{path} {text}"))),
        }
        let _ = member.required;
    }
    for (path, reason) in elsewhere {
        assert!(used.contains(path), "{path} ({reason}) is not in the model any more");
    }
    found
}

/// Members of describe output that the kind would drop.
fn output(table: &str, kind: &str, inside: &str) -> Vec<String> {
    let spec = spec_of(kind).unwrap_or_else(|| panic!("no kind {kind}"));
    let place = find(&spec, inside).unwrap().clone();
    members(table)
        .into_iter()
        .filter(|member| find(&place, member.path).is_none())
        .map(|member| format!("{inside}{} is missing", member.path))
        .collect()
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn a_task_definition_takes_every_member_of_register_task_definition() {
    assert_eq!(check(include_str!("model/RegisterTaskDefinition.tsv"), "ECSTaskDefinition", "", &[]), none());
}

#[test]
fn a_task_definition_takes_what_describe_prints() {
    assert_eq!(output(include_str!("model/output-TaskDefinition.tsv"), "ECSTaskDefinition", ""), none());
}

#[test]
fn what_the_model_requires_is_required_by_the_schema() {
    let spec = spec_of("ECSTaskDefinition").unwrap();
    // Absent, the name of the object is the name of the family.
    let optional_here = ["family"];
    for member in members(include_str!("model/RegisterTaskDefinition.tsv")) {
        let (parent, name) = member.path.rsplit_once('.').unwrap_or(("", member.path));
        let required = find(&spec, parent).unwrap()["required"].as_array().cloned().unwrap_or_default();
        let is_required = required.contains(&Value::from(name));
        assert!(!member.required || is_required || optional_here.contains(&member.path), "{} is optional", member.path);
    }
}
