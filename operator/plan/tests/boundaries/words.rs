//! `ecs` says what Amazon ECS means and names nothing of Kubernetes; what a rule becomes there is decided in `plan`.
//!
//! Identifiers and texts are looked at. A comment may compare the two worlds, and so may a test.

use std::fs;
use std::path::Path;

use super::source::{modules, tokens};

/// Words that only Kubernetes uses, in lower case and without separators: `readinessProbe` and `readiness_probe` are one.
const WORDS: [&str; 26] = [
    "affinity",
    "autoscaler",
    "configmap",
    "cronjob",
    "crd",
    "daemonset",
    "deletioncost",
    "disruptionbudget",
    "fieldref",
    "initcontainer",
    "kubelet",
    "kubernetes",
    "liveness",
    "nodeselector",
    "ownerreference",
    "persistentvolume",
    "pod",
    "probe",
    "readiness",
    "replicaset",
    "sidecar",
    "stabilizationwindow",
    "statefulset",
    "storageclass",
    "taint",
    "toleration",
];

/// `PodDisruptionBudget` and `pod_disruption_budget` are `pod`, `disruption` and `budget`.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut was_lower = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            parts.push(String::new());
        }
        if c.is_alphanumeric() {
            parts.last_mut().unwrap().extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The first word of the list that a text has, as one of its parts or as several in a row; the last may be a plural.
fn word(text: &str) -> Option<&'static str> {
    let parts = parts(text);
    WORDS.into_iter().find(|word| {
        (0..parts.len()).any(|start| {
            let mut joined = String::new();
            parts[start..].iter().any(|part| {
                joined.push_str(part);
                joined == *word || joined.strip_suffix('s') == Some(word)
            })
        })
    })
}

/// What may stand all the same.
const EXCEPTIONS: [(&str, &str); 1] = [
    // The region of an ARN that nobody configured: it must be plain that the ARN is not one of AWS.
    ("arn.rs", "\"kubernetes\""),
];

#[test]
fn the_semantics_of_ecs_name_nothing_of_kubernetes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ecs/src");
    let mut found = Vec::new();
    for (module, file) in modules(&folder) {
        if module.last().is_some_and(|last| last == "tests") {
            continue;
        }
        let path = file.path.display().to_string();
        let text = fs::read_to_string(folder.join(&file.path)).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for token in tokens(code).into_iter().filter(|token| !EXCEPTIONS.contains(&(&path, &token.text))) {
            if let Some(word) = word(&token.text) {
                found.push(format!("  {path}:{}: `{}` names {word}", token.line, token.text));
            }
        }
    }
    assert!(found.is_empty(), "move it to `plan`, next to what needs it:\n{}", found.join("\n"));
}

#[test]
fn a_word_is_found_in_every_spelling_and_not_inside_of_another() {
    for text in ["readinessProbe", "readiness_probes", "a readiness probe", "PROBE"] {
        assert!(word(text).is_some(), "{text}");
    }
    assert_eq!(word("InitContainers"), Some("initcontainer"));
    for text in ["podium", "problem", "tainted", "deployment"] {
        assert_eq!(word(text), None, "{text}");
    }
}
