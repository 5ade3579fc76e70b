//! Every input member of the ECS and Application Auto Scaling API models exists in the schema of its kind, with the
//! right type and every enum value. The tables come from the model itself: `tests/model/update.py`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests report by panicking, in helpers too"
)]

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
    if keeps_anything(node) {
        return None;
    }
    let written = node["type"].as_str().unwrap_or_default();
    let right = match member.kind {
        // JSON has no time: tools write text or seconds since 1970.
        "string" | "timestamp" => written == "string" || node["x-kubernetes-int-or-string"] == true,
        "structure" => written == "object" && node.get("additionalProperties").is_none(),
        "map" => written == "object" && node["additionalProperties"].is_object(),
        "list" => written == "array",
        "integer" | "long" => written == "integer",
        "float" | "double" => written == "number",
        "boolean" => written == "boolean",
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
    // The Kubernetes type keeps bounds of numbers as doubles.
    let number = |key: &str| node[key].as_i64().or_else(|| format!("{:.0}", node[key].as_f64()?).parse().ok());
    if let (Some(model), Some(ours)) = (member.min, number(least))
        && ours > model
    {
        return Some(format!("{least} {ours} refuses {model}"));
    }
    if let (Some(model), Some(ours)) = (member.max, number(most))
        && ours < model
    {
        return Some(format!("{most} {ours} refuses {model}"));
    }
    None
}

/// Everything that is wrong with `kind` as a form of the operation whose table is given. `inside` is where the members
/// of the input are found in the spec.
fn check(table: &str, kind: &str, inside: &str) -> Vec<String> {
    let spec = spec_of(kind).unwrap_or_else(|| panic!("no kind {kind}"));
    let Some(place) = find(spec, inside) else { return vec![format!("{inside} is missing")] };
    members(table)
        .into_iter()
        .filter_map(|member| match find(place, member.path) {
            None => Some(format!("{} is missing", member.path)),
            Some(node) => problem(&member, node).map(|text| format!("{} {text}", member.path)),
        })
        .collect()
}

/// Members of describe output that the kind would refuse or drop.
fn output(table: &str, kind: &str, inside: &str) -> Vec<String> {
    let spec = spec_of(kind).unwrap_or_else(|| panic!("no kind {kind}"));
    let place = find(spec, inside).unwrap();
    members(table)
        .into_iter()
        .filter(|member| !ancestors(member.path).any(|path| find(place, path).is_some_and(keeps_anything)))
        .filter_map(|member| match find(place, member.path) {
            None => Some(format!("{} is missing", member.path)),
            Some(node) => problem(&member, node).map(|text| format!("{} {text}", member.path)),
        })
        .collect()
}

/// `a`, `a[]`, `a[].b` for `a[].b`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.char_indices().filter(|(_, letter)| matches!(letter, '.' | '[' | '{')).map(|(index, _)| index);
    ends.chain([path.len()]).map(|end| &path[..end])
}

fn none() -> Vec<String> {
    Vec::new()
}

/// Every operation, the kind that takes its input, and where in the spec.
const OPERATIONS: &[(&str, &str, &str)] = &[
    (include_str!("model/RegisterTaskDefinition.tsv"), "ECSTaskDefinition", ""),
    (include_str!("model/CreateService.tsv"), "ECSService", ""),
    (include_str!("model/UpdateService.tsv"), "ECSService", ""),
    (include_str!("model/CreateCluster.tsv"), "ECSCluster", ""),
    (include_str!("model/PutClusterCapacityProviders.tsv"), "ECSCluster", ""),
    (include_str!("model/CreateCapacityProvider.tsv"), "ECSCapacityProvider", ""),
    (include_str!("model/RegisterScalableTarget.tsv"), "ECSScalableTarget", ""),
    (include_str!("model/PutScalingPolicy.tsv"), "ECSScalableTarget", "ScalingPolicies[]"),
    (include_str!("model/PutScheduledAction.tsv"), "ECSScalableTarget", "ScheduledActions[]"),
];

fn operation(table: &str) -> Vec<String> {
    let (_, kind, inside) = OPERATIONS.iter().find(|(text, _, _)| *text == table).unwrap();
    check(table, kind, inside)
}

#[test]
fn a_task_definition_takes_every_member_of_register_task_definition() {
    assert_eq!(operation(include_str!("model/RegisterTaskDefinition.tsv")), none());
}

#[test]
fn a_service_takes_every_member_of_create_service() {
    assert_eq!(operation(include_str!("model/CreateService.tsv")), none());
}

#[test]
fn a_service_takes_every_member_of_update_service() {
    assert_eq!(operation(include_str!("model/UpdateService.tsv")), none());
}

#[test]
fn a_cluster_takes_every_member_of_create_cluster() {
    assert_eq!(operation(include_str!("model/CreateCluster.tsv")), none());
}

#[test]
fn a_cluster_takes_every_member_of_put_cluster_capacity_providers() {
    assert_eq!(operation(include_str!("model/PutClusterCapacityProviders.tsv")), none());
}

#[test]
fn a_capacity_provider_takes_every_member_of_create_capacity_provider() {
    assert_eq!(operation(include_str!("model/CreateCapacityProvider.tsv")), none());
}

#[test]
fn a_scalable_target_takes_every_member_of_register_scalable_target() {
    assert_eq!(operation(include_str!("model/RegisterScalableTarget.tsv")), none());
}

#[test]
fn a_scaling_policy_takes_every_member_of_put_scaling_policy() {
    assert_eq!(operation(include_str!("model/PutScalingPolicy.tsv")), none());
}

#[test]
fn a_scheduled_action_takes_every_member_of_put_scheduled_action() {
    assert_eq!(operation(include_str!("model/PutScheduledAction.tsv")), none());
}

#[test]
fn every_kind_takes_what_describe_prints() {
    assert_eq!(output(include_str!("model/output-TaskDefinition.tsv"), "ECSTaskDefinition", ""), none());
    assert_eq!(output(include_str!("model/output-Service.tsv"), "ECSService", ""), none());
    assert_eq!(output(include_str!("model/output-Cluster.tsv"), "ECSCluster", ""), none());
    assert_eq!(output(include_str!("model/output-CapacityProvider.tsv"), "ECSCapacityProvider", ""), none());
    assert_eq!(output(include_str!("model/output-ScalableTarget.tsv"), "ECSScalableTarget", ""), none());
    assert_eq!(
        output(include_str!("model/output-ScalingPolicy.tsv"), "ECSScalableTarget", "ScalingPolicies[]"),
        none()
    );
    let actions = output(include_str!("model/output-ScheduledAction.tsv"), "ECSScalableTarget", "ScheduledActions[]");
    assert_eq!(actions, none());
}

#[test]
fn what_the_model_requires_is_required_by_the_schema() {
    // The name of the object stands in for the name in ECS, and the scalable target for what its policies repeat.
    let optional_here = [
        "family",
        "serviceName",
        "service",
        "name",
        "cluster",
        "capacityProviders",
        "defaultCapacityProviderStrategy",
        "ServiceNamespace",
        "ResourceId",
        "ScalableDimension",
    ];
    let mut found = Vec::new();
    for (table, kind, inside) in OPERATIONS {
        let spec = spec_of(kind).unwrap();
        let place = find(spec, inside).unwrap();
        for member in members(table).into_iter().filter(|member| member.required) {
            let (parent, name) = member.path.rsplit_once('.').unwrap_or(("", member.path));
            let required =
                find(place, parent).and_then(|node| node["required"].as_array().cloned()).unwrap_or_default();
            if !required.contains(&Value::from(name)) && !optional_here.contains(&member.path) {
                found.push(format!("{kind}.{inside}.{} is optional", member.path));
            }
        }
    }
    assert_eq!(found, none());
}
