//! How much one object may say, and how much is kept of what is past.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, condition, steady, task_definition};
use plan::{Kind, Stored};
use serde_json::json;

#[test]
fn when_revisions_are_large_then_fewer_of_them_are_kept() {
    let mut cluster = Cluster::new();
    for number in 1..=44 {
        let mut family = task_definition("big", &format!("example.com/big:{number}"));
        family["spec"]["containerDefinitions"][0]["environment"] = json!([{"name": "A", "value": "x".repeat(60_000)}]);
        cluster.apply(family);
        cluster.run();
    }
    let numbers: Vec<i64> = cluster
        .list(Kind::TaskDefinitionRevision)
        .iter()
        .map(|one| one["spec"]["revision"].as_i64().unwrap())
        .collect();
    assert!((33..=35).contains(&numbers.len()) && numbers.contains(&44) && !numbers.contains(&1), "{numbers:?}");
}

#[test]
fn when_a_spec_is_too_long_to_be_kept_then_the_service_says_so_and_what_runs_goes_on() {
    let mut cluster = steady("web", 2);
    cluster.edit(Kind::Service, "web", |web| web["spec"]["events"] = json!(["x".repeat(300_000)]));
    let log = cluster.log.len();
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    let accepted = condition(&web, "Accepted");
    assert_eq!(accepted["reason"], "InvalidParameterException");
    let message = accepted["message"].as_str().unwrap();
    assert!(
        message.starts_with("spec: InvalidParameterException: must have at most 262144 bytes as JSON, but has 300"),
        "{message}"
    );
    assert_eq!(web["status"]["runningCount"], 2);
    assert!(cluster.log[log..].iter().all(|line| line.contains("status")), "{:?}", &cluster.log[log..]);
}

#[test]
fn when_the_runtime_kept_only_a_part_of_a_spec_then_its_length_is_told_and_nothing_else() {
    let mut cluster = steady("web", 2);
    let mut web = cluster.get(Kind::Service, "web");
    web["spec"]["events"] = json!(["x".repeat(300_000)]);
    let stored = Stored::accept_shortened(Kind::Service, web).unwrap();
    let key = stored.key.clone();
    cluster.world.insert(stored);
    let planned = plan::plan(&cluster.world, &key, &cluster.settings, cluster.now);
    assert_eq!(planned.ops, []);
    let status = planned.status.unwrap();
    let message = condition(&json!({"status": status}), "Accepted")["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("spec: InvalidParameterException: must have at most 262144 bytes"), "{message}");
}
