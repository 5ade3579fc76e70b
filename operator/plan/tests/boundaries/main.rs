//! The walls between the crates, read from the dependency graph that cargo resolved rather than from a promise; and those
//! between their files, read from the sources.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod circles;
mod source;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Everything a package links: normal dependencies, direct and indirect, with the features this workspace enables.
fn linked(package: &str) -> BTreeSet<String> {
    let manifest = format!("{}/../{package}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p} {f}"])
        .args(["--manifest-path", &manifest, "--package", package])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

fn names(linked: &BTreeSet<String>) -> BTreeSet<&str> {
    linked.iter().filter_map(|line| line.split(' ').next()).collect()
}

#[test]
fn the_semantics_of_ecs_know_nothing_of_kubernetes() {
    let all = linked("ecs");
    let names = names(&all);
    for forbidden in ["kube", "kube-core", "k8s-openapi", "schemars", "api", "plan", "tokio"] {
        assert!(!names.contains(forbidden), "ecs links {forbidden}");
    }
    assert!(names.contains("ecs"));
}

#[test]
fn plans_cannot_reach_the_network() {
    let all = linked("plan");
    let names = names(&all);
    for forbidden in ["tokio", "hyper", "hyper-util", "kube-client", "kube-runtime", "tower", "rustls", "reqwest"] {
        assert!(!names.contains(forbidden), "plan links {forbidden}");
    }
    assert!(names.contains("kube") && names.contains("ecs") && names.contains("api"));
}

#[test]
fn dependencies_between_our_crates_point_one_way() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let uses: BTreeMap<&str, BTreeSet<&str>> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let normal = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
            (package["name"].as_str().unwrap(), normal.filter_map(|dependency| dependency["name"].as_str()).collect())
        })
        .collect();
    let ours: BTreeSet<&str> = uses.keys().copied().collect();
    let of = |name: &str| uses[name].intersection(&ours).copied().collect::<Vec<_>>();
    assert!(of("ecs").is_empty() && of("api").is_empty());
    assert_eq!(of("plan"), ["api", "ecs"]);
    assert!(of("runtime").iter().all(|name| ["api", "ecs", "plan"].contains(name)));
    assert!(of("documents").iter().all(|name| ["api", "ecs", "plan"].contains(name)));
    assert!(of("kubectl-ecs").iter().all(|name| ["api", "documents", "ecs", "plan"].contains(name)));
}

/// A match over kinds that ends in `_ =>` would compile with a new kind that nobody thought of there.
#[test]
fn every_match_over_kinds_names_all_of_them() {
    let root = format!("{}/../..", env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "operator/plan/src",
        "operator/runtime/src",
        "operator/bin/src",
        "documents/src",
        "kubectl-ecs/src",
        "e2e/src",
    ];
    let mut files: Vec<std::path::PathBuf> = folders.iter().map(|folder| format!("{root}/{folder}").into()).collect();
    let (mut seen, mut wrong) = (0, Vec::new());
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let indent = |line: &str| line.len() - line.trim_start().len();
        for (index, line) in lines.iter().enumerate() {
            let arm = line.trim_start().trim_start_matches("| ").trim_start_matches("plan::");
            if !arm.starts_with("Kind::") || !line.contains("=>") {
                continue;
            }
            seen += 1;
            let rest = lines[index..].iter().filter(|next| !next.trim().is_empty());
            let mut arms =
                rest.take_while(|next| indent(next) >= indent(line)).filter(|next| indent(next) == indent(line));
            if arms.any(|next| next.trim_start().starts_with("_ =>") || next.trim_start().starts_with("_ if")) {
                wrong.push(format!("{}:{}: {}", path.display(), index + 1, arm));
            }
        }
    }
    assert!(seen > 40, "the source is written otherwise: {seen} arms seen");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
