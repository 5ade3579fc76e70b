//! The registry of fields is complete, true to the schemas, and documented.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plan::support::{self, Document, Level, field, fields, findings, reference, refusals};
use serde_json::{Value, json};

/// Tables of the API model, with where their members are in the spec, and members that are somewhere else in it.
const MODEL: &[(&str, Document, &str)] = &[
    ("RegisterTaskDefinition", Document::TaskDefinition, ""),
    ("CreateService", Document::Service, ""),
    ("UpdateService", Document::Service, ""),
    ("CreateCluster", Document::Cluster, ""),
    ("PutClusterCapacityProviders", Document::Cluster, ""),
    ("CreateCapacityProvider", Document::CapacityProvider, ""),
    ("RegisterScalableTarget", Document::ScalableTarget, ""),
    ("PutScalingPolicy", Document::ScalableTarget, "ScalingPolicies[]."),
    ("PutScheduledAction", Document::ScalableTarget, "ScheduledActions[]."),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Paths of a table. Items of lists and values of maps are part of their list or map.
fn paths_of(table: &str) -> Vec<String> {
    let file = workspace().join(format!("operator/api/tests/model/{table}.tsv"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let paths = text.lines().skip(1).filter_map(|line| line.split('\t').next());
    paths.filter(|path| !path.ends_with("[]") && !path.ends_with("{}")).map(ToOwned::to_owned).collect()
}

fn kind_of(document: Document) -> &'static str {
    match document {
        Document::TaskDefinition => "ECSTaskDefinition",
        Document::Service => "ECSService",
        Document::Cluster => "ECSCluster",
        Document::CapacityProvider => "ECSCapacityProvider",
        Document::ScalableTarget => "ECSScalableTarget",
    }
}

/// Paths of the members of a spec in the CRD.
fn schema_paths(document: Document) -> BTreeSet<String> {
    let crds = api::crds::all().unwrap();
    let crd = crds.into_iter().find(|crd| crd.spec.names.kind == kind_of(document)).unwrap();
    let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
    let spec = schema.pointer("/openAPIV3Schema/properties/spec").unwrap();
    let mut paths = BTreeSet::new();
    collect(spec, "", &mut paths);
    paths
}

fn collect(schema: &Value, path: &str, paths: &mut BTreeSet<String>) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        paths.insert(path.clone());
        collect(member, &path, paths);
        collect(&member["items"], &format!("{path}[]"), paths);
    }
}

#[test]
fn every_field_of_the_api_model_is_in_the_registry() {
    let mut missing = Vec::new();
    for (table, document, prefix) in MODEL {
        let paths = paths_of(table);
        assert!(paths.len() > 2, "{table} is empty");
        missing.extend(
            paths.into_iter().map(|path| format!("{prefix}{path}")).filter(|path| field(*document, path).is_none()),
        );
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_field_of_the_schemas_is_in_the_registry_and_the_other_way_round() {
    for document in Document::ALL {
        let registered: BTreeSet<String> = fields(document).map(|field| field.path.to_owned()).collect();
        let schema = schema_paths(document);
        let missing: Vec<_> = schema.difference(&registered).collect();
        assert!(missing.is_empty(), "{document:?} is missing in the registry: {missing:?}");
        let invented: Vec<_> = registered.difference(&schema).collect();
        assert!(invented.is_empty(), "{document:?} is not in the schema: {invented:?}");
    }
}

#[test]
fn the_committed_definitions_are_those_of_the_types_with_the_level_of_each_field() {
    let definitions = support::definitions().unwrap();
    let mut expected = BTreeSet::new();
    for crd in &definitions {
        let (name, text) = (api::crds::file_name(crd), api::crds::yaml(crd).unwrap());
        for folder in ["crds", "charts/ecs-operator-crds/files"] {
            let file = workspace().join(folder).join(&name);
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&file, &text).unwrap();
            }
            let committed = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(committed == text, "{} is stale: run `cargo xtask crds`", file.display());
        }
        // An annotation, as client-side apply writes it, may have 256 KiB; an object 1 MiB.
        let size = serde_json::to_string(crd).unwrap().len();
        assert!(size < 200 << 10, "{name}: {size} bytes");
        expected.insert(name);
    }
    let entries = std::fs::read_dir(workspace().join("crds")).unwrap();
    let present: BTreeSet<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(present, expected);
}

#[test]
fn every_description_of_an_input_ends_with_its_level() {
    let definitions = support::definitions().unwrap();
    for document in Document::ALL {
        let crd = definitions.iter().find(|crd| crd.spec.names.kind == kind_of(document)).unwrap();
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let spec = schema.pointer("/openAPIV3Schema/properties/spec").unwrap();
        for field in fields(document) {
            let pointer =
                format!("/properties/{}", field.path.replace("[].", "/items/properties/").replace('.', "/properties/"));
            let text = spec.pointer(&pointer).unwrap()["description"].as_str().unwrap();
            assert!(text.ends_with(&support::sentence(field)), "{document:?} {}: {text}", field.path);
            assert_eq!(text.matches("Support: ").count(), 1, "{document:?} {}: {text}", field.path);
        }
    }
}

#[test]
fn every_field_is_there_once_and_says_why_unless_it_is_honoured() {
    for document in Document::ALL {
        let mut seen = BTreeSet::new();
        for field in fields(document) {
            assert!(seen.insert(field.path), "{} is there twice", field.path);
            assert!(!field.why.is_empty() || field.level == Level::Honoured, "{}", field.path);
            for case in field.cases {
                assert_eq!(case.why.is_empty(), case.level == Level::Honoured, "{} {}", field.path, case.value);
                assert!(!case.why.ends_with('.'), "{}", field.path);
            }
            assert!(!field.why.ends_with('.') && !field.why.contains('\n'), "{}", field.path);
        }
    }
}

#[test]
fn the_members_of_a_field_without_effect_are_never_said_to_be_honoured() {
    for document in Document::ALL {
        for parent in fields(document).filter(|field| matches!(field.level, Level::NoEffect | Level::Refused)) {
            for member in fields(document) {
                let rest = member.path.strip_prefix(parent.path).unwrap_or_default();
                let is_member = rest.starts_with('.') || rest.starts_with("[]");
                assert!(!is_member || member.level != Level::Honoured, "{} in {}", member.path, parent.path);
            }
        }
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    let file = workspace().join("docs/reference/support.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, reference()).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == reference(), "docs/reference/support.md is stale: UPDATE=1 cargo test -p plan --test support");
}

/// Every field that the front page names among those that do not act yet, and that it does not.
#[test]
fn what_the_front_page_says_does_not_act_does_not() {
    let page = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let (_, section) = page.split_once("## What does not act yet").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let documents = [Document::TaskDefinition, Document::Service, Document::CapacityProvider, Document::ScalableTarget];
    let mut known = 0;
    for path in section.split('`').skip(1).step_by(2) {
        let levels = documents.iter().flat_map(|document| fields(*document)).filter(|field| field.path == path);
        for level in levels.map(|field| field.level) {
            known += 1;
            assert!(matches!(level, Level::NoEffect | Level::Refused), "{path}: {level:?}");
        }
    }
    assert!(known >= 10, "{known}");
}

fn said(document: Document, spec: &Value) -> Vec<(String, bool)> {
    findings(document, spec).into_iter().map(|finding| (finding.path, finding.is_approximated)).collect()
}

fn one(path: &str, is_approximated: bool) -> Vec<(String, bool)> {
    vec![(path.to_owned(), is_approximated)]
}

#[test]
fn when_every_member_says_the_same_then_only_the_parent_is_reported_with_its_index() {
    let spec = json!({"containerDefinitions": [{"name": "a"}, {"name": "b", "ulimits": [
        {"name": "nofile", "softLimit": 1, "hardLimit": 2}, {"name": "core", "softLimit": 1, "hardLimit": 2}]}]});
    assert_eq!(said(Document::TaskDefinition, &spec), one("containerDefinitions[1].ulimits", false));
}

#[test]
fn when_a_member_says_something_else_then_it_is_reported_beside_its_parent() {
    let spec = json!({"networkConfiguration": {"awsvpcConfiguration": {
        "subnets": ["subnet-1"], "securityGroups": [], "assignPublicIp": "ENABLED"}}});
    let paths: Vec<_> = said(Document::Service, &spec).into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        ["networkConfiguration.awsvpcConfiguration.assignPublicIp", "networkConfiguration.awsvpcConfiguration.subnets"]
    );
}

#[test]
fn when_a_field_asks_for_nothing_then_it_is_not_reported() {
    let spec = json!({
        "platformVersion": null, "role": "", "loadBalancers": [], "enableExecuteCommand": false, "propagateTags": "NONE",
        "platformFamily": "Linux", "events": [{"message": "x"}], "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"}, "serviceConnectConfiguration": {"enabled": false, "namespace": "x"},
        "deploymentConfiguration": {"strategy": "ROLLING", "bakeTimeInMinutes": 0, "lifecycleHooks": [],
            "deploymentCircuitBreaker": {"enable": false, "rollback": true}, "maximumPercent": 200,
            "alarms": {"enable": false, "rollback": false, "alarmNames": ["x"]}},
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [], "assignPublicIp": "DISABLED"}},
    });
    assert_eq!(said(Document::Service, &spec), []);
    assert_eq!(refusals(Document::Service, &spec), []);
}

#[test]
fn when_a_value_brought_something_to_light_then_it_stands_in_for_what_is_said_of_the_field() {
    let finding = |path: &str, why: &str| plan::core::report::Finding {
        path: path.to_owned(),
        is_approximated: true,
        why: why.to_owned(),
    };
    let general = vec![finding("a", "general"), finding("b", "general")];
    let merged = support::merge(general, vec![finding("b", "specific"), finding("c", "specific")]);
    assert_eq!(merged, [finding("a", "general"), finding("b", "specific"), finding("c", "specific")]);
}

#[test]
fn when_a_value_is_refused_then_its_exact_path_is_named() {
    let spec = json!({
        "schedulingStrategy": "DAEMON",
        "deploymentConfiguration": {"strategy": "CANARY"},
        "placementConstraints": [{"type": "distinctInstance"}, {"type": "memberOf", "expression": "attribute:a == b"}],
    });
    let paths: Vec<_> = refusals(Document::Service, &spec).into_iter().map(|refusal| refusal.path).collect();
    assert_eq!(paths, ["spec.deploymentConfiguration.strategy"]);
}

#[test]
fn when_everything_is_wrong_everywhere_then_the_list_stays_short() {
    let container = json!({"name": "a", "ulimits": [{"name": "core", "softLimit": 1, "hardLimit": 1}],
        "environmentFiles": [{"value": "x", "type": "s3"}], "credentialSpecs": ["x"]});
    let spec = json!({"containerDefinitions": vec![container; 1000]});
    assert!(findings(Document::TaskDefinition, &spec).len() <= 64);
}

#[test]
fn when_a_spec_is_not_even_an_object_then_nothing_is_found() {
    for spec in [json!(null), json!([1]), json!("x"), json!({"containerDefinitions": "x", "volumes": [1, null]})] {
        for document in Document::ALL {
            assert_eq!(findings(document, &spec), []);
            assert_eq!(refusals(document, &spec), []);
        }
    }
}

#[test]
fn every_field_of_a_task_definition_is_in_the_page_for_people_who_come_from_ecs() {
    let page = include_str!("../../../docs/migration/task-definitions.md");
    let of_ecs = fields(Document::TaskDefinition)
        .filter(|field| field.level != Level::Ignored && !field.path.starts_with("kubernetes"));
    let names = of_ecs.map(|field| field.path.rsplit('.').next().unwrap_or_default().trim_end_matches("[]"));
    let missing: Vec<_> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
