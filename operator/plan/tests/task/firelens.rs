//! What is written for a log router, read back by parsers of the two formats that know nothing of the code that writes.
//!
//! They are stricter than Fluent Bit and Fluentd: what they take, both take.

use std::collections::BTreeMap;

use api::task_definition::TaskDefinitionSpec;
use plan::core::facts::ClusterFeatures;
use plan::core::policy::NamespacePolicy;
use plan::pod::{TaskPod, pod};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::input;

/// A part of a configuration: its head, its lines, the parts in it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Part {
    head: String,
    lines: Vec<(String, String)>,
    parts: Vec<Part>,
}

impl Part {
    fn get(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The classic format: `[SECTION]`, then indented lines of a name, a space and a value; `@INCLUDE FILE` at the margin.
fn fluent_bit(text: &str) -> Result<Vec<Part>, String> {
    const SECTIONS: [&str; 3] = ["INPUT", "FILTER", "OUTPUT"];
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            if !SECTIONS.contains(&name) {
                return Err(format!("section {name}"));
            }
            parts.push(Part { head: name.to_owned(), ..Part::default() });
        } else if let Some(file) = line.strip_prefix("@INCLUDE ") {
            parts.push(Part { head: format!("@INCLUDE {file}"), ..Part::default() });
        } else {
            let entry =
                line.strip_prefix("    ").filter(|entry| !entry.starts_with(' ')).ok_or(format!("margin: {line:?}"))?;
            let (name, value) = entry.split_once(' ').ok_or(format!("no value: {line:?}"))?;
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.@".contains(c)) && !name.is_empty();
            let last = parts.last_mut().filter(|part| !part.head.starts_with('@')).ok_or("a line without section")?;
            if !is_name || value.trim().is_empty() {
                return Err(format!("{line:?}"));
            }
            last.lines.push((name.to_owned(), value.to_owned()));
        }
    }
    match parts
        .iter()
        .find(|part| !part.head.starts_with('@') && part.lines.first().is_none_or(|line| line.0 != "Name"))
    {
        Some(part) => Err(format!("{part:?} does not begin with its Name")),
        None => Ok(parts),
    }
}

/// `<name argument>` and `</name>` around indented lines; `@include FILE` at the margin.
fn fluentd(text: &str) -> Result<Vec<Part>, String> {
    let mut open = vec![Part::default()];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("</").and_then(|line| line.strip_suffix('>')) {
            let part = open.pop().filter(|_| !open.is_empty()).ok_or("too many ends")?;
            if part.head.split(' ').next() != Some(name) {
                return Err(format!("{name} ends {}", part.head));
            }
            open.last_mut().unwrap().parts.push(part);
        } else if let Some(head) = line.strip_prefix('<').and_then(|line| line.strip_suffix('>')) {
            open.push(Part { head: head.to_owned(), ..Part::default() });
        } else {
            let (name, value) = line.split_once(' ').ok_or(format!("no value: {line:?}"))?;
            open.last_mut().unwrap().lines.push((name.to_owned(), value.to_owned()));
        }
    }
    if open.len() == 1 { Ok(open.remove(0).parts) } else { Err(format!("{} is open", open.last().unwrap().head)) }
}

fn task(type_: &str, router_options: Value, options: &BTreeMap<String, String>) -> Result<TaskPod, Vec<String>> {
    let definition: TaskDefinitionSpec = serde_json::from_value(json!({"networkMode": "awsvpc", "containerDefinitions": [
        {"name": "app", "image": "a", "memory": 64,
            "logConfiguration": {"logDriver": "awsfirelens", "options": options,
                "secretOptions": [{"name": "token", "valueFrom": "/token"}]}},
        {"name": "router", "image": "r", "memory": 64, "firelensConfiguration": {"type": type_, "options": router_options}},
    ]}))
    .unwrap();
    let policy = NamespacePolicy::from_annotations(Some(&json!({"ecs-operator.dev/allowed-secrets": "*"})));
    pod(&input(&definition, &ClusterFeatures::default(), &policy))
        .map_err(|refusals| refusals.into_iter().map(|refusal| refusal.path).collect())
}

fn configuration(pod: &TaskPod) -> String {
    let map = pod.shared.iter().find(|object| object["kind"] == "ConfigMap").unwrap();
    let data = map["data"].as_object().unwrap();
    assert_eq!((data.len(), &map["immutable"]), (1, &json!(true)));
    data.values().next().unwrap().as_str().unwrap().to_owned()
}

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn when_a_task_has_a_fluent_bit_router_then_its_configuration_has_every_part_in_its_order() {
    let given = options(&[("Name", "http"), ("Host", "logs.example.com"), ("exclude-pattern", "^GET /health")]);
    let file = json!({"config-file-type": "file", "config-file-value": "/extra.conf"});
    let parts = fluent_bit(&configuration(&task("fluentbit", file, &given).unwrap())).unwrap();
    let heads: Vec<(&str, &str)> =
        parts.iter().map(|part| (part.head.as_str(), part.get("Name").unwrap_or_default())).collect();
    let expected = [
        ("INPUT", "forward"),
        ("INPUT", "forward"),
        ("FILTER", "record_modifier"),
        ("@INCLUDE /extra.conf", ""),
        ("FILTER", "grep"),
        ("OUTPUT", "http"),
    ];
    assert_eq!(heads, expected);
    assert_eq!(parts[0].get("unix_path"), Some("/var/run/fluent.sock"));
    assert_eq!((parts[1].get("Listen"), parts[1].get("Port")), (Some("127.0.0.1"), Some("24224")));
    assert_eq!((parts[4].get("Match"), parts[4].get("Exclude")), (Some("app-firelens*"), Some("log ^GET /health")));
    assert_eq!(parts[5].get("Match"), Some("app-firelens*"));
    assert_eq!(parts[5].get("token"), Some("${FIRELENS_TOKEN_0}"));
}

#[test]
fn when_metadata_is_off_then_records_stay_as_they_are_and_the_router_learns_nothing() {
    let pod = task("fluentbit", json!({"enable-ecs-log-metadata": "false"}), &options(&[("Name", "stdout")])).unwrap();
    assert!(!configuration(&pod).contains("record_modifier"));
    let router = &pod.spec["initContainers"][0];
    let names: Vec<_> = router["env"].as_array().unwrap().iter().map(|variable| variable["name"].clone()).collect();
    assert_eq!(names, ["FIRELENS_TOKEN_0"]);
}

#[test]
fn when_two_tasks_have_the_same_options_then_they_share_one_config_map_and_others_have_another() {
    let name = |value: &str| {
        let pod = task("fluentbit", json!({}), &options(&[("Name", value)])).unwrap();
        pod.shared.iter().find(|object| object["kind"] == "ConfigMap").unwrap()["metadata"]["name"].clone()
    };
    assert_eq!(name("stdout"), name("stdout"));
    assert_ne!(name("stdout"), name("null"));
}

proptest! {
    /// Whatever options say, they are refused, or they are exactly the lines of one output.
    #[test]
    fn options_are_lines_of_their_own_output_and_of_nothing_else(
        given in prop::collection::btree_map("[A-Za-z@_.-]{1,12}|\\PC{0,8}", "\\PC{0,24}|[ -~]{1,24}|a\n\\[OUTPUT\\]|\\$\\{HOME\\}", 0..6),
    ) {
        for (type_, key, tag) in [("fluentbit", "Name", "app-firelens*"), ("fluentd", "@type", "app-firelens**")] {
            let mut given = given.clone();
            for name in ["include-pattern", "exclude-pattern", "name", "NAME", "match", "Match", "token"] {
                given.remove(name);
            }
            given.insert(key.to_owned(), "stdout".to_owned());
            let Ok(pod) = task(type_, json!({}), &given) else { continue };
            let text = configuration(&pod);
            let parts = if type_ == "fluentbit" { fluent_bit(&text) } else { fluentd(&text) };
            let parts = parts.map_err(TestCaseError::fail)?;
            let outputs: Vec<&Part> =
                parts.iter().filter(|part| part.head == "OUTPUT" || part.head.starts_with("match ")).collect();
            prop_assert_eq!(outputs.len(), 1);
            let output = outputs[0];
            if type_ == "fluentbit" {
                prop_assert_eq!(output.get("Match"), Some(tag));
            } else {
                prop_assert_eq!(&output.head, &format!("match {tag}"));
            }
            let stated: BTreeMap<String, String> =
                output.lines.iter().filter(|(name, _)| name != "Match" && name != "token").cloned().collect();
            given.retain(|name, value| !value.trim().is_empty() && name != "log-driver-buffer-limit");
            let trimmed = |map: BTreeMap<String, String>| -> BTreeMap<String, String> {
                map.into_iter().map(|(name, value)| (name, value.trim().to_owned())).collect()
            };
            prop_assert_eq!(trimmed(stated), trimmed(given));
        }
    }
}
