//! Every case of `bad_input/` without the API server: what the planner says when admission is off.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plan::Kind;
use plan::validate::{object, schema, unknown_fields};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bad {
    name: String,
    path: String,
    exception: String,
    server: bool,
    document: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Good {
    name: String,
    document: Value,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input")
}

fn read<T: for<'de> Deserialize<'de>>(file: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(file).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn bad() -> Vec<Bad> {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().filter(|file| file.file_name().unwrap() != "good.yaml").flat_map(|file| read::<Bad>(file)).collect()
}

fn good() -> Vec<Good> {
    read(&folder().join("good.yaml"))
}

fn kind_of(document: &Value) -> Kind {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    Kind::from_type(text("apiVersion"), text("kind")).unwrap()
}

#[test]
fn every_bad_object_is_refused_at_its_path_with_the_exception_of_ecs() {
    let cases = bad();
    assert!(cases.len() > 300, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let refusals = object(kind_of(&case.document), &case.document);
        let is_said =
            |said: &plan::core::report::Refusal| said.path == case.path && said.exception.as_str() == case.exception;
        if !refusals.iter().any(is_said) {
            wrong.push(format!("{} ({} {}): {refusals:#?}", case.name, case.path, case.exception));
        }
    }
    assert!(wrong.is_empty(), "{} cases: {}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_the_server_refuses_is_refused_by_the_schema_alone_and_nothing_else_is() {
    let mut wrong = Vec::new();
    for case in bad().into_iter().filter(|case| !case.path.starts_with("metadata")) {
        let by_schema = schema(kind_of(&case.document), &case.document).iter().any(|said| said.path == case.path);
        if by_schema != case.server {
            wrong.push(case.name);
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_good_object_is_accepted_and_has_no_unknown_member() {
    let mut wrong = Vec::new();
    for case in good() {
        let kind = kind_of(&case.document);
        let (refusals, unknown) = (object(kind, &case.document), unknown_fields(kind, &case.document));
        if !refusals.is_empty() || !unknown.is_empty() {
            wrong.push(format!("{}: {refusals:#?} {unknown:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_of_the_schemas_is_broken_by_some_bad_object() {
    let mut rules = BTreeSet::new();
    for crd in api::crds::all().unwrap() {
        let versions = serde_json::to_value(&crd.spec.versions).unwrap();
        collect_rules(versions.pointer("/0/schema/openAPIV3Schema/properties/spec").unwrap(), &mut rules);
    }
    assert!(rules.len() > 100, "{}", rules.len());
    for case in bad() {
        for refusal in object(kind_of(&case.document), &case.document) {
            rules.remove(&format!("{}: {}", refusal.exception, refusal.message));
        }
    }
    assert_eq!(rules, BTreeSet::new());
}

/// Messages of rules that do not compare with the previous object. Closed lists of values all have the same form.
fn collect_rules(schema: &Value, messages: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let (text, message) = (rule["rule"].as_str().unwrap(), rule["message"].as_str().unwrap());
                if !text.contains("oldSelf") && !message.contains("must be one of: ") {
                    messages.insert(message.to_owned());
                }
            }
            members.values().for_each(|member| collect_rules(member, messages));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_rules(item, messages)),
        _ => {}
    }
}

#[test]
fn no_message_carries_a_control_character_or_more_than_a_screen_of_input() {
    for case in bad() {
        for refusal in object(kind_of(&case.document), &case.document) {
            let text = format!("{} {}", refusal.path, refusal.message);
            let is_hostile = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            assert!(!text.contains(is_hostile), "{}: {text:?}", case.name);
            assert!(text.chars().count() < 1200, "{}: {text}", case.name);
        }
    }
}

#[test]
fn names_of_cases_are_unique_in_their_file() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let mut seen = BTreeSet::new();
        for case in read::<Value>(&entry.unwrap().path()) {
            assert!(seen.insert(case["name"].to_string()), "{case}");
        }
    }
}

fn task_definition(containers: Value) -> Value {
    let mut document = json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSTaskDefinition",
        "metadata": {"name": "case"}, "spec": {"family": "case"}});
    document["spec"]["containerDefinitions"] = containers;
    document
}

#[test]
fn when_a_task_definition_is_longer_than_64_kib_then_ecs_would_not_take_it() {
    let environment = |length: usize| {
        task_definition(json!([{"name": "app", "image": "nginx", "memory": 128,
            "environment": [{"name": "A", "value": "x".repeat(length)}]}]))
    };
    assert_eq!(object(Kind::TaskDefinition, &environment(64_000)), []);
    let refusals = object(Kind::TaskDefinition, &environment(65_530));
    assert_eq!(refusals.len(), 1);
    assert!(refusals[0].message.contains("Max allowed length is '65536' bytes."), "{}", refusals[0].message);
}

#[test]
fn when_members_are_misspelt_then_they_are_listed_and_nothing_is_refused() {
    let document = task_definition(json!([{"name": "app", "image": "nginx", "memory": 128, "comand": ["a"],
        "healthCheck": {"command": ["CMD", "true"], "intervall": 5}, "dockerLabels": {"any.key": "x"}}]));
    assert_eq!(object(Kind::TaskDefinition, &document), []);
    assert_eq!(
        unknown_fields(Kind::TaskDefinition, &document),
        ["spec.containerDefinitions[0].comand", "spec.containerDefinitions[0].healthCheck.intervall"]
    );
}

#[test]
fn when_an_object_is_garbage_then_it_is_refused_and_nothing_panics() {
    let garbage =
        [json!(null), json!([]), json!("x"), json!({}), json!({"spec": null}), json!({"spec": []}), json!({"spec": 1})];
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_ours()) {
        for document in &garbage {
            assert!(!object(kind, document).is_empty(), "{kind} {document}");
        }
    }
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_ours()) {
        assert_eq!(object(kind, &json!({})), []);
    }
}

#[test]
fn when_many_things_are_wrong_then_the_list_stays_short() {
    let environment: Vec<_> = (0..1000).map(|_| json!({"name": 1, "value": 1})).collect();
    let document = task_definition(json!([{"name": "app", "image": "nginx", "environment": environment}]));
    assert!(object(Kind::TaskDefinition, &document).len() <= 50);
}

#[test]
fn when_a_rule_names_a_list_then_the_planner_names_the_item_too() {
    let unknown = json!([{"name": "a", "image": "nginx", "memory": 128,
        "dependsOn": [{"containerName": "b", "condition": "START"}, {"containerName": "db", "condition": "START"}]},
        {"name": "b", "image": "nginx", "memory": 128}]);
    let paths: Vec<_> =
        object(Kind::TaskDefinition, &task_definition(unknown)).into_iter().map(|refusal| refusal.path).collect();
    assert_eq!(paths, ["spec.containerDefinitions", "spec.containerDefinitions[0].dependsOn[1].containerName"]);
}

/// Any JSON, three levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}|[\\x00-\\x1f]{1,3}|arn:[a-z:/]{0,20}|[0-9]{1,20}-[0-9]{1,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z]{1,8}|\\PC{1,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every place in a document, as JSON pointers.
fn places(document: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match document {
        Value::Object(members) => {
            for (name, value) in members {
                places(value, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{pointer}/{index}"), found));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn when_any_part_of_a_good_object_becomes_anything_then_nothing_panics_and_messages_stay_printable(
        which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), replacement in any_json(),
    ) {
        let mut documents = good();
        let mut document = documents.swap_remove(which.index(documents.len())).document;
        let kind = kind_of(&document);
        let mut found = Vec::new();
        places(&document, "", &mut found);
        let pointer = &found[place.index(found.len())];
        *document.pointer_mut(pointer).unwrap() = replacement;
        for refusal in object(kind, &document) {
            prop_assert!(!refusal.path.contains(char::is_control), "{:?}", refusal);
            prop_assert!(!refusal.message.contains(char::is_control), "{:?}", refusal);
        }
        let _ = unknown_fields(kind, &document);
        for document_kind in plan::support::Document::ALL {
            let spec = document.get("spec").cloned().unwrap_or_default();
            let _ = plan::support::findings(document_kind, &spec);
        }
    }
}
