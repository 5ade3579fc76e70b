//! Capacity providers: what a changed strategy does, and what it leaves alone.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, condition, service, task_definition};
use plan::Kind;
use serde_json::{Value, json};

fn provider(name: &str) -> Value {
    json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider", "metadata": {"name": name},
        "spec": {"autoScalingGroupProvider": {"autoScalingGroupArn": format!(
            "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:x:autoScalingGroupName/{name}")}}})
}

fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.edit(Kind::Cluster, "default", |cluster| {
        cluster["spec"]["capacityProviders"] = json!(["one", "two", "three"]);
    });
    for name in ["one", "two", "three"] {
        cluster.apply(provider(name));
    }
    cluster.apply(task_definition("web", "example.com/web:1"));
    cluster
}

fn strategy(items: &[(&str, i64, i64)]) -> Value {
    items.iter().map(|(name, base, weight)| json!({"capacityProvider": name, "base": base, "weight": weight})).collect()
}

/// Replicas and template by provider.
fn spread(cluster: &Cluster) -> Vec<(String, i64)> {
    let mut spread: Vec<(String, i64)> = cluster
        .list(Kind::Deployment)
        .iter()
        .map(|deployment| {
            let label = &deployment["metadata"]["labels"]["ecs-operator.dev/capacity-provider"];
            (label.as_str().unwrap().to_owned(), deployment["spec"]["replicas"].as_i64().unwrap())
        })
        .collect();
    spread.sort();
    spread
}

fn pairs(items: &[(&str, i64)]) -> Vec<(String, i64)> {
    items.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn with_strategy(items: &[(&str, i64, i64)], count: i64) -> Cluster {
    let mut cluster = cluster();
    let mut web = service("web", "web", count);
    web["spec"]["capacityProviderStrategy"] = strategy(items);
    cluster.apply(web);
    cluster.run();
    cluster
}

#[test]
fn when_weights_change_then_what_runs_stays_and_only_new_tasks_follow_them() {
    let mut cluster = with_strategy(&[("one", 0, 1), ("two", 0, 1)], 4);
    assert_eq!(spread(&cluster), pairs(&[("one", 2), ("two", 2)]));
    let uids = |cluster: &Cluster| -> Vec<String> {
        cluster.list(Kind::Pod).iter().map(|pod| pod["metadata"]["uid"].as_str().unwrap().to_owned()).collect()
    };
    let before = uids(&cluster);
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["capacityProviderStrategy"] = strategy(&[("one", 0, 0), ("two", 0, 1)]);
    });
    cluster.run();
    assert_eq!(spread(&cluster), pairs(&[("one", 2), ("two", 2)]));
    assert_eq!(uids(&cluster), before);
    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(6));
    cluster.run();
    assert_eq!(spread(&cluster), pairs(&[("one", 2), ("two", 4)]));
    // A new deployment places everything by the new strategy.
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    assert_eq!(spread(&cluster), pairs(&[("one", 0), ("two", 6)]));
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
}

#[test]
fn when_a_provider_joins_the_strategy_then_only_new_tasks_go_there() {
    let mut cluster = with_strategy(&[("one", 0, 1)], 3);
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["capacityProviderStrategy"] = strategy(&[("one", 0, 1), ("three", 0, 1)]);
    });
    cluster.run();
    assert_eq!(spread(&cluster), pairs(&[("one", 3), ("three", 0)]));
    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(6));
    cluster.run();
    assert_eq!(spread(&cluster), pairs(&[("one", 3), ("three", 3)]));
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn when_a_forced_deployment_has_another_provider_then_everything_moves_and_nothing_is_left() {
    let mut cluster = with_strategy(&[("one", 0, 1)], 3);
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["capacityProviderStrategy"] = strategy(&[("two", 0, 1)]);
        web["spec"]["forceNewDeployment"] = json!(true);
    });
    cluster.run();
    assert_eq!(spread(&cluster), pairs(&[("two", 3)]));
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(web["status"]["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(web["status"]["runningCount"], 3);
}

#[test]
fn when_a_provider_is_not_for_this_namespace_then_the_service_says_so() {
    let mut cluster = cluster();
    let mut guarded = provider("two");
    guarded["spec"]["kubernetes"] = json!({"allowedNamespaces": ["payments"]});
    cluster.apply(guarded);
    let mut web = service("web", "web", 1);
    web["spec"]["capacityProviderStrategy"] = strategy(&[("two", 0, 1)]);
    cluster.apply(web);
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Accepted")["reason"], "CapacityProviderNotAllowed");
    assert!(cluster.list(Kind::Deployment).is_empty());
}

#[test]
fn when_a_younger_object_claims_the_name_of_a_provider_or_a_cluster_then_nobody_follows_it() {
    let mut cluster = with_strategy(&[("one", 0, 1)], 2);
    let before = cluster.list(Kind::Deployment);
    let mut twin = provider("a-younger");
    twin["spec"]["name"] = json!("one");
    twin["spec"]["kubernetes"] = json!({"nodeSelector": {"whose": "theirs"}});
    cluster.pass(1);
    cluster.apply(twin);
    let strategy = json!([{"capacityProvider": "two", "weight": 1}]);
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCluster",
        "metadata": {"name": "a-younger"},
        "spec": {"clusterName": "default", "capacityProviders": ["two"], "defaultCapacityProviderStrategy": strategy}}));
    cluster.apply(service("api", "web", 1));
    cluster.run();
    let after = cluster.list(Kind::Deployment);
    assert_eq!(
        after.iter().filter(|one| one["metadata"]["labels"]["ecs-operator.dev/service"] != "api").count(),
        before.len()
    );
    assert!(before.iter().all(|one| after.contains(one)), "{after:#?}");
    let api = after.iter().find(|one| one["metadata"]["labels"]["ecs-operator.dev/service"] == "api").unwrap();
    assert_eq!(api["spec"]["template"]["metadata"]["labels"]["ecs-operator.dev/capacity-provider"], "none");
    for kind in [Kind::CapacityProvider, Kind::Cluster] {
        let objects = cluster.list(kind);
        let refused = objects.iter().find(|object| object["metadata"]["name"] == "a-younger").unwrap();
        assert_eq!(condition(refused, "Accepted")["reason"], "NameTaken");
    }
}

#[test]
fn when_a_cluster_has_a_default_strategy_then_services_without_one_follow_it() {
    let mut cluster = cluster();
    cluster.edit(Kind::Cluster, "default", |cluster| {
        cluster["spec"]["defaultCapacityProviderStrategy"] = strategy(&[("three", 0, 1)]);
    });
    cluster.apply(service("web", "web", 2));
    cluster.run();
    assert_eq!(spread(&cluster), pairs(&[("three", 2)]));
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(web["status"]["capacityProviderStrategy"][0]["capacityProvider"], "three");
}

#[test]
fn when_the_predefined_providers_meet_other_nodes_then_status_says_which_label_counts() {
    let fargate = json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider", "metadata": {"name": "fargate-spot"},
        "spec": {"name": "FARGATE_SPOT", "kubernetes": {"predefined": true, "capacityType": "Spot"}}});
    for (label, value, source) in [
        ("kubernetes.io/os", "linux", "AnyNode"),
        ("karpenter.sh/capacity-type", "spot", "karpenter.sh/capacity-type"),
        ("eks.amazonaws.com/capacityType", "SPOT", "eks.amazonaws.com/capacityType"),
    ] {
        let mut cluster = Cluster::new();
        cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {label: value}}}));
        let key = cluster.apply(fargate.clone());
        cluster.run();
        let provider = plan::World::get(&cluster.world, &key).unwrap().value();
        assert_eq!(provider["status"]["nodeSource"], source);
        assert_eq!(provider["status"]["matchingNodes"], 1);
    }
}

#[test]
fn when_a_cluster_in_use_is_deleted_then_it_waits_and_names_the_services() {
    let mut cluster = cluster();
    cluster.apply(service("web", "web", 1));
    cluster.run();
    cluster.edit(Kind::Cluster, "default", |object| {
        object["metadata"]["deletionTimestamp"] = json!("2026-03-01T11:00:00Z");
    });
    cluster.settle();
    let object = cluster.get(Kind::Cluster, "default");
    let blocked = condition(&object, "DeletionBlocked");
    assert_eq!(blocked["status"], "True");
    assert!(blocked["message"].as_str().unwrap().contains("web"));
    assert_eq!(object["metadata"]["finalizers"], json!(["ecs-operator.dev/in-use"]));
    cluster.remove(Kind::Service, "web");
    cluster.settle();
    let object = cluster.get(Kind::Cluster, "default");
    assert_eq!(
        condition(&object, "DeletionBlocked")["message"],
        "The Cluster cannot be deleted while Tasks are active: 1"
    );
    let pod = cluster.list(Kind::Pod)[0]["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.remove(Kind::Pod, &pod);
    cluster.settle();
    assert_eq!(cluster.get(Kind::Cluster, "default")["metadata"]["finalizers"], json!([]));
}
