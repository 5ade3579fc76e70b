//! Availability Zone rebalancing: when one task more is asked for, and when no longer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, service, task_definition};
use plan::Kind;
use serde_json::{Value, json};

/// Where the pods of a test begin.
const OLD: &str = "node-a";
/// Where new pods go: what the simulated cluster does with every pod.
const NEW: &str = "node-1";

fn node(name: &str, zone: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

/// Four tasks on [`OLD`], before any node of another zone is there.
fn given(spec: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    let mut web = service("web", "web", 4);
    web["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    cluster.apply(web);
    cluster.run();
    for pod in names(&cluster) {
        cluster.edit(Kind::Pod, &pod, |pod| pod["spec"]["nodeName"] = json!(OLD));
    }
    cluster.apply(node(OLD, "a"));
    cluster.run();
    cluster
}

fn names(cluster: &Cluster) -> Vec<String> {
    cluster.list(Kind::Pod).iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Lets time pass until every move that is wanted is made.
fn move_on(cluster: &mut Cluster) {
    for _ in 0..8 {
        cluster.run();
        cluster.pass(1);
    }
}

fn tasks(cluster: &Cluster, node: &str) -> usize {
    cluster.list(Kind::Pod).iter().filter(|pod| pod["spec"]["nodeName"] == node).count()
}

/// What was told about balance, oldest first.
fn told(cluster: &Cluster) -> Vec<String> {
    messages(cluster).into_iter().filter(|text| text.contains("AZ balanced")).collect()
}

/// Everything that was told, oldest first.
fn messages(cluster: &Cluster) -> Vec<String> {
    let web = cluster.get(Kind::Service, "web");
    let events = web["status"]["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().rev().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn when_a_zone_has_two_tasks_more_then_they_move_until_the_difference_is_one() {
    let mut cluster = given(&json!({"availabilityZoneRebalancing": "ENABLED"}));
    assert_eq!(told(&cluster), [""; 0]);
    cluster.apply(node(NEW, "b"));
    move_on(&mut cluster);
    assert_eq!((tasks(&cluster, OLD), tasks(&cluster, NEW)), (2, 2));
    assert_eq!(
        told(&cluster),
        [
            "(service web) is not AZ balanced with 4 tasks in a, 0 tasks in b. AZ Rebalancing in progress.",
            "(service web) is not AZ balanced with 3 tasks in a, 1 tasks in b. AZ Rebalancing in progress.",
            "(service web) is AZ balanced with 2 tasks in a, 2 tasks in b.",
        ]
    );
    let started =
        messages(&cluster).into_iter().filter(|text| text.contains("has started 1 tasks in b to AZ Rebalance: "));
    assert_eq!(started.count(), 2, "{:?}", messages(&cluster));
    assert_eq!(cluster.list(Kind::ServiceDeployment).len(), 1);
    let replicas = &cluster.list(Kind::Deployment)[0]["spec"]["replicas"];
    assert_eq!(*replicas, 4);
}

#[test]
fn when_rebalancing_is_not_asked_for_or_there_is_no_room_then_nothing_moves() {
    for spec in [
        json!({}),
        json!({"availabilityZoneRebalancing": "DISABLED"}),
        json!({"availabilityZoneRebalancing": "ENABLED", "deploymentConfiguration": {"maximumPercent": 124}}),
    ] {
        let mut cluster = given(&spec);
        cluster.apply(node(NEW, "b"));
        move_on(&mut cluster);
        assert_eq!((tasks(&cluster, OLD), told(&cluster).len()), (4, 0), "{spec}");
    }
}

#[test]
fn when_the_other_zone_takes_no_tasks_of_the_service_then_it_does_not_count() {
    let enabled = json!({"availabilityZoneRebalancing": "ENABLED"});
    let refusing: [fn(&mut Value); 4] = [
        |node| node["spec"] = json!({"unschedulable": true}),
        |node| node["spec"] = json!({"taints": [{"key": "gpu", "value": "", "effect": "NoSchedule"}]}),
        |node| node["status"] = json!({"conditions": [{"type": "Ready", "status": "False"}]}),
        |node| node["metadata"]["labels"] = json!({}),
    ];
    for refuses in refusing {
        let mut cluster = given(&enabled);
        let mut other = node(NEW, "b");
        refuses(&mut other);
        cluster.apply(other.clone());
        move_on(&mut cluster);
        assert_eq!((tasks(&cluster, OLD), told(&cluster).len()), (4, 0), "{other}");
    }
}

#[test]
fn when_tasks_are_protected_then_they_do_not_move() {
    let mut cluster = given(&json!({"availabilityZoneRebalancing": "ENABLED"}));
    let pods = names(&cluster);
    for pod in &pods[..3] {
        cluster.edit(Kind::Pod, pod, |pod| {
            pod["metadata"]["annotations"]["ecs-operator.dev/protected-until"] = json!("2100-01-01T00:00:00Z");
        });
    }
    cluster.apply(node(NEW, "b"));
    move_on(&mut cluster);
    assert_eq!((tasks(&cluster, OLD), tasks(&cluster, NEW)), (3, 1));
    let left = names(&cluster);
    assert!(pods[..3].iter().all(|pod| left.contains(pod)), "{pods:?} became {left:?}");
}

#[test]
fn when_the_new_task_lands_in_the_wrong_zone_then_the_next_try_is_half_an_hour_later() {
    let mut cluster = given(&json!({"availabilityZoneRebalancing": "ENABLED"}));
    cluster.apply(node(NEW, "a"));
    cluster.apply(node("node-b", "b"));
    move_on(&mut cluster);
    assert_eq!((cluster.list(Kind::Pod).len(), told(&cluster).len()), (4, 1), "{:?}", told(&cluster));
    cluster.pass(1000);
    move_on(&mut cluster);
    assert_eq!(told(&cluster).len(), 1);
    cluster.pass(1000);
    move_on(&mut cluster);
    assert_eq!((cluster.list(Kind::Pod).len(), told(&cluster).len()), (4, 2), "{:?}", told(&cluster));
}

#[test]
fn when_the_list_of_events_has_moved_on_then_the_pause_and_the_imbalance_are_remembered() {
    let mut cluster = given(&json!({"availabilityZoneRebalancing": "ENABLED"}));
    cluster.apply(node(NEW, "a"));
    cluster.apply(node("node-b", "b"));
    move_on(&mut cluster);
    assert_eq!(told(&cluster).len(), 1);
    let forget = |cluster: &mut Cluster| cluster.edit(Kind::Service, "web", |web| web["status"]["events"] = json!([]));
    forget(&mut cluster);
    cluster.pass(60);
    move_on(&mut cluster);
    assert_eq!(told(&cluster), [""; 0], "the same move is not tried again");
    // The zones come to be balanced by themselves.
    for pod in &names(&cluster)[..2] {
        cluster.edit(Kind::Pod, pod, |pod| pod["spec"]["nodeName"] = json!("node-b"));
    }
    move_on(&mut cluster);
    assert_eq!(told(&cluster), ["(service web) is AZ balanced with 2 tasks in a, 2 tasks in b."]);
}
