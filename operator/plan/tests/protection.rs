//! Task scale-in protection: what a protected task outlives, and what not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, service, task_definition};
use plan::Kind;
use serde_json::{Value, json};

/// A service of three tasks, of which the first is protected for an hour; answers with its name.
fn given() -> (Cluster, String) {
    let mut cluster = Cluster::new();
    let mut family = task_definition("web", "example.com/web:1");
    let check = json!({"command": ["CMD", "true"], "interval": 5, "timeout": 2, "retries": 1});
    family["spec"]["containerDefinitions"][0]["healthCheck"] = check;
    cluster.apply(family);
    cluster.apply(service("web", "web", 3));
    cluster.run();
    let name = names(&cluster)[0].clone();
    let until = (cluster.now + jiff::SignedDuration::from_secs(3600)).to_string();
    cluster.edit(Kind::Pod, &name, |pod| {
        pod["metadata"]["annotations"][plan::core::labels::PROTECTED_UNTIL] = json!(until);
    });
    cluster.run();
    (cluster, name)
}

fn names(cluster: &Cluster) -> Vec<String> {
    cluster.list(Kind::Pod).iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Lets time pass until everything that is wanted has happened.
fn move_on(cluster: &mut Cluster) {
    for _ in 0..6 {
        cluster.run();
        cluster.pass(10);
    }
}

fn node(name: &str, is_draining: bool) -> Value {
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"unschedulable": is_draining},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

#[test]
fn when_a_service_scales_to_nothing_then_the_protected_task_stays_until_its_time_is_over() {
    let (mut cluster, name) = given();
    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(0));
    move_on(&mut cluster);
    assert_eq!(names(&cluster), [name]);
    cluster.pass(3600);
    move_on(&mut cluster);
    assert_eq!(names(&cluster), [""; 0]);
}

#[test]
fn when_a_protected_task_fails_its_health_checks_then_it_is_replaced() {
    let (mut cluster, name) = given();
    cluster.edit(Kind::Pod, &name, |pod| {
        pod["status"]["containerStatuses"][0]["ready"] = json!(false);
        pod["status"]["conditions"][0]["status"] = json!("False");
    });
    cluster.pass(120);
    move_on(&mut cluster);
    let left = names(&cluster);
    assert!(left.len() == 3 && !left.contains(&name), "{left:?}");
}

#[test]
fn when_its_instance_drains_then_a_protected_task_stays_until_its_time_is_over_and_the_others_are_left_alone() {
    let (mut cluster, name) = given();
    cluster.apply(node("node-1", false));
    cluster.edit(Kind::Pod, &name, |pod| pod["spec"]["nodeName"] = json!("node-2"));
    cluster.apply(node("node-2", true));
    let before = names(&cluster);
    move_on(&mut cluster);
    assert_eq!(names(&cluster), before);
    cluster.pass(3600);
    move_on(&mut cluster);
    let left = names(&cluster);
    assert!(left.len() == 3 && !left.contains(&name), "{left:?}");
    assert!(before[1..].iter().all(|other| left.contains(other)), "{before:?} became {left:?}");
}
