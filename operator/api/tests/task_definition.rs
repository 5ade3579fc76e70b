//! Task definitions as people have them: read without loss, and a case for every rule.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests report by panicking, in helpers too"
)]

use api::{
    schema::{Rule, StringOrInteger},
    tags::TAG_RULES,
    task_definition::{NetworkMode, TaskDefinitionSpec, rules},
};
use serde_json::{Value, json};

fn cases() -> Value {
    serde_json::from_str(include_str!("cases/task_definition.json")).unwrap()
}

/// The base with `spec` merged in, `container` merged into the first container and `containers` appended.
fn document(cases: &Value, case: &Value) -> Value {
    let mut spec = cases["base"].clone();
    let merge = |target: &mut Value, members: &Value| {
        target.as_object_mut().unwrap().extend(members.as_object().cloned().unwrap_or_default());
    };
    merge(&mut spec, &case["spec"]);
    if let Some(containers) = spec["containerDefinitions"].as_array_mut().filter(|containers| !containers.is_empty()) {
        merge(&mut containers[0], &case["container"]);
        containers.extend(case["containers"].as_array().cloned().unwrap_or_default());
    }
    spec
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[test]
fn every_task_definition_that_the_server_takes_is_read_and_written_back_without_loss() {
    let cases = cases();
    for case in cases["taken"].as_array().unwrap() {
        let mut written = document(&cases, case);
        let read: TaskDefinitionSpec =
            serde_json::from_value(written.clone()).unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
        without_nulls(&mut written);
        assert_eq!(serde_json::to_value(&read).unwrap(), written, "{}", case["name"]);
    }
}

#[test]
fn every_rule_has_a_case_that_breaks_it() {
    let cases = cases();
    let says: Vec<&str> = cases["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["says"].as_str().unwrap())
        .filter(|says| !says.is_empty())
        .collect();
    let tables: [&[Rule]; 18] = [
        rules::TASK_DEFINITION_RULES,
        rules::FARGATE_RULES,
        rules::CONTAINER_RULES,
        rules::PORT_MAPPING_RULES,
        rules::ENVIRONMENT_RULES,
        rules::ENVIRONMENT_FILE_RULES,
        rules::ENVIRONMENT_FILE_OBJECT_RULES,
        rules::MOUNT_POINT_RULES,
        rules::VOLUME_FROM_RULES,
        rules::HEALTH_CHECK_RULES,
        rules::LOG_RULES,
        rules::RESOURCE_RULES,
        rules::VOLUME_RULES,
        rules::DOCKER_VOLUME_RULES,
        rules::EFS_RULES,
        rules::S3FILES_RULES,
        rules::PLACEMENT_CONSTRAINT_RULES,
        rules::TRUSTED_EXECUTION_RULES,
    ];
    let untried: Vec<&str> = tables
        .into_iter()
        .chain([TAG_RULES])
        .flatten()
        .map(|rule| rule.message)
        .filter(|message| !says.iter().any(|says| message.starts_with(says)))
        .collect();
    assert_eq!(untried, Vec::<&str>::new());
}

#[test]
fn a_message_names_one_rule_only() {
    let mut messages: Vec<&str> = [rules::TASK_DEFINITION_RULES, rules::FARGATE_RULES, rules::CONTAINER_RULES]
        .concat()
        .iter()
        .map(|rule| rule.message)
        .collect();
    let all = messages.len();
    messages.sort_unstable();
    messages.dedup();
    assert_eq!(messages.len(), all);
}

#[test]
fn numbers_and_text_are_both_a_task_size_and_null_is_absent() {
    let read = |value: Value| serde_json::from_value::<TaskDefinitionSpec>(value).unwrap();
    let numbers = read(json!({ "containerDefinitions": [], "cpu": 256, "memory": "1GB", "networkMode": "awsvpc" }));
    assert_eq!(numbers.cpu, Some(StringOrInteger::Integer(256)));
    assert_eq!(numbers.memory, Some(StringOrInteger::from("1GB")));
    assert_eq!(numbers.network_mode, Some(NetworkMode::Awsvpc));
    let nulls = read(json!({ "containerDefinitions": [], "cpu": null, "networkMode": null, "tags": null }));
    assert_eq!((nulls.cpu, nulls.network_mode, nulls.tags), (None, None, None));
}

#[test]
fn an_unknown_enum_value_is_refused_by_name() {
    let error =
        serde_json::from_value::<TaskDefinitionSpec>(json!({ "containerDefinitions": [], "networkMode": "vpc" }));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("vpc") && text.contains("awsvpc"), "{text}");
}
