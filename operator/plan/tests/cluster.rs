//! Clusters: container instances, counters, and capacity providers that leave while tasks use them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, condition, service, task_definition};
use plan::{Kind, ObjectKey};
use serde_json::{Value, json};

#[allow(clippy::needless_pass_by_value)] // every caller has just made them
fn node(name: &str, ready: &str, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"pool": "shop"}}, "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": ready, "lastHeartbeatTime": "2026-03-01T10:00:00Z"}]}})
}

fn status(cluster: &Cluster) -> Value {
    cluster.get(Kind::Cluster, "default")["status"].clone()
}

#[test]
fn when_nodes_are_cordoned_or_lost_then_they_stay_registered_and_say_so() {
    let mut cluster = Cluster::new();
    cluster.edit(Kind::Cluster, "default", |cluster| {
        cluster["spec"]["kubernetes"] = json!({"nodeSelector": {"pool": "shop"}});
    });
    cluster.apply(node("a", "True", json!({"providerID": "aws:///eu-west-1a/i-0123456789abcdef0"})));
    cluster.apply(node("b", "Unknown", json!({})));
    cluster.apply(node("c", "True", json!({"unschedulable": true})));
    let mut other = node("d", "True", json!({}));
    other["metadata"]["labels"] = json!({"pool": "bank"});
    cluster.apply(other);
    cluster.settle();
    let is = status(&cluster);
    assert_eq!(
        (&is["registeredContainerInstancesCount"], &is["drainingContainerInstancesCount"]),
        (&json!(3), &json!(1))
    );
    let told = |name: &str| {
        let list = is["containerInstances"].as_array().unwrap();
        let entry = list.iter().find(|entry| entry["name"] == name).unwrap();
        (entry["status"].clone(), entry["agentConnected"].clone(), entry["ec2InstanceId"].clone())
    };
    assert_eq!(told("a"), (json!("ACTIVE"), json!(true), json!("i-0123456789abcdef0")));
    assert_eq!(told("b"), (json!("ACTIVE"), json!(false), Value::Null));
    assert_eq!(told("c"), (json!("DRAINING"), json!(true), Value::Null));
    assert_eq!(is["containerInstances"][0]["name"], "c");
    assert_eq!(is.get("moreContainerInstancesCount"), None);

    // A heartbeat writes nothing.
    let mut beat = node("a", "True", json!({"providerID": "aws:///eu-west-1a/i-0123456789abcdef0"}));
    beat["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-03-01T10:00:10Z");
    cluster.apply(beat);
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn when_there_are_more_nodes_than_a_status_should_hold_then_the_rest_is_a_number() {
    let mut cluster = Cluster::new();
    for index in 0..60 {
        cluster.apply(node(&format!("node-{index:02}"), "True", json!({"unschedulable": index == 57})));
    }
    cluster.settle();
    let is = status(&cluster);
    assert_eq!(is["registeredContainerInstancesCount"], 60);
    assert_eq!(is["containerInstances"].as_array().unwrap().len(), 50);
    assert_eq!(is["containerInstances"][0]["name"], "node-57");
    assert_eq!(is["moreContainerInstancesCount"], 10);
}

fn statistic(is: &Value, name: &str) -> String {
    let list = is["statistics"].as_array().unwrap();
    let entry = list.iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no {name} in {list:?}"));
    entry["value"].as_str().unwrap().to_owned()
}

#[test]
fn when_a_service_is_being_deleted_then_it_is_draining_and_its_tasks_count_until_they_stop() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    cluster.apply(service("web", "web", 2));
    cluster.apply(service("api", "web", 1));
    cluster.run();
    let is = status(&cluster);
    assert_eq!((&is["activeServicesCount"], &is["runningTasksCount"]), (&json!(2), &json!(3)));
    assert_eq!(statistic(&is, "runningEC2TasksCount"), "3");
    assert_eq!(statistic(&is, "activeEC2ServiceCount"), "2");

    // As with foreground deletion: the object stays until its children are gone.
    cluster.edit(Kind::Service, "web", |web| {
        web["metadata"]["deletionTimestamp"] = json!("2026-03-01T11:00:00Z");
        web["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
    });
    cluster.settle();
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["status"], "DRAINING");
    let is = status(&cluster);
    assert_eq!((&is["activeServicesCount"], &is["runningTasksCount"]), (&json!(1), &json!(3)));
    assert_eq!(statistic(&is, "drainingEC2ServiceCount"), "1");

    let of_web: Vec<String> = cluster
        .list(Kind::Pod)
        .iter()
        .filter(|pod| pod["metadata"]["labels"]["ecs-operator.dev/service"] == "web")
        .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    for pod in of_web {
        cluster.remove(Kind::Pod, &pod);
    }
    cluster.settle();
    assert_eq!(status(&cluster)["runningTasksCount"], 1);
    cluster.remove(Kind::Service, "web");
    cluster.settle();
    assert_eq!(statistic(&status(&cluster), "drainingEC2ServiceCount"), "0");
}

#[test]
fn when_a_cluster_is_deleted_then_its_tasks_keep_it_and_its_nodes_and_providers_do_not() {
    let mut cluster = Cluster::new();
    cluster.apply(node("a", "True", json!({})));
    cluster.apply(provider("one"));
    cluster.edit(Kind::Cluster, "default", |cluster| cluster["spec"]["capacityProviders"] = json!(["one"]));
    cluster.apply(task_definition("web", "example.com/web:1"));
    cluster.apply(service("web", "web", 1));
    cluster.run();
    let is = status(&cluster);
    assert_eq!((&is["registeredContainerInstancesCount"], &is["runningTasksCount"]), (&json!(1), &json!(1)));
    cluster.edit(Kind::Cluster, "default", |cluster| {
        cluster["metadata"]["deletionTimestamp"] = json!("2026-03-01T11:00:00Z");
    });
    let finalizers = |cluster: &Cluster| cluster.get(Kind::Cluster, "default")["metadata"]["finalizers"].clone();
    let blocked = |cluster: &Cluster| {
        let object = cluster.get(Kind::Cluster, "default");
        assert_eq!(object["status"]["status"], "DEPROVISIONING");
        condition(&object, "DeletionBlocked")["message"].as_str().unwrap().to_owned()
    };
    cluster.settle();
    assert_eq!(blocked(&cluster), "The Cluster cannot be deleted while Services are active: web");
    cluster.remove(Kind::Service, "web");
    cluster.settle();
    assert_eq!(blocked(&cluster), "The Cluster cannot be deleted while Tasks are active: 1");
    let held = finalizers(&cluster);
    assert!(held.as_array().is_some_and(|held| held.len() == 1), "{held}");
    for pod in cluster.list(Kind::Pod) {
        cluster.remove(Kind::Pod, pod["metadata"]["name"].as_str().unwrap());
    }
    cluster.pass(5);
    cluster.settle();
    assert!(cluster.log.iter().any(|line| line.starts_with("remove-finalizer ECSCluster")), "{:?}", cluster.log);
}

fn provider(name: &str) -> Value {
    json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider", "metadata": {"name": name},
        "spec": {"autoScalingGroupProvider": {"autoScalingGroupArn": format!(
            "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:x:autoScalingGroupName/{name}")}}})
}

#[test]
fn when_a_provider_is_taken_off_the_list_while_tasks_run_on_it_then_it_stays_until_they_have_stopped() {
    let mut cluster = Cluster::new();
    for name in ["one", "two"] {
        cluster.apply(provider(name));
    }
    cluster.edit(Kind::Cluster, "default", |cluster| cluster["spec"]["capacityProviders"] = json!(["one", "two"]));
    cluster.apply(task_definition("web", "example.com/web:1"));
    let mut web = service("web", "web", 2);
    web["spec"]["capacityProviderStrategy"] = json!([{"capacityProvider": "one", "weight": 1}]);
    cluster.apply(web);
    cluster.run();

    cluster.edit(Kind::Cluster, "default", |cluster| cluster["spec"]["capacityProviders"] = json!(["two"]));
    cluster.run();
    let object = cluster.get(Kind::Cluster, "default");
    assert_eq!(object["status"]["capacityProviders"][0], json!({"name": "one", "state": "InUse"}));
    assert_eq!(condition(&object, "Stalled")["reason"], "CapacityProviderInUse");

    // It is associated still: the service may be updated on it.
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Accepted")["status"], "True");
    assert_eq!(web["status"]["taskDefinition"], "web:2");
    assert_eq!(web["status"]["runningCount"], 2);

    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["capacityProviderStrategy"] = json!([{"capacityProvider": "two", "weight": 1}]);
        web["spec"]["forceNewDeployment"] = json!(true);
    });
    cluster.run();
    let object = cluster.get(Kind::Cluster, "default");
    assert_eq!(object["status"]["capacityProviders"], json!([{"name": "two", "state": "Associated"}]));
    assert_eq!(condition(&object, "Ready")["status"], "True");

    // Now it is gone, and nobody may name it again.
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["capacityProviderStrategy"] = json!([{"capacityProvider": "one", "weight": 1}]);
    });
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Accepted")["reason"], "InvalidParameterException");
    assert_eq!(cluster.list(Kind::Pod).len(), 2);
}

#[test]
fn when_a_service_names_a_provider_that_was_never_associated_then_that_does_not_associate_it() {
    let mut cluster = Cluster::new();
    cluster.apply(provider("one"));
    cluster.apply(task_definition("web", "example.com/web:1"));
    let mut web = service("web", "web", 1);
    web["spec"]["capacityProviderStrategy"] = json!([{"capacityProvider": "one", "weight": 1}]);
    cluster.apply(web);
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Accepted")["reason"], "InvalidParameterException");
    assert_eq!(status(&cluster).get("capacityProviders"), None);
    assert!(cluster.list(Kind::Pod).is_empty());
}

#[test]
fn when_the_default_strategy_is_empty_then_services_run_on_the_nodes_of_the_cluster() {
    let mut cluster = Cluster::new();
    cluster.edit(Kind::Cluster, "default", |cluster| {
        cluster["spec"]["defaultCapacityProviderStrategy"] = json!([]);
        cluster["spec"]["capacityProviders"] = json!([]);
    });
    cluster.apply(task_definition("web", "example.com/web:1"));
    cluster.apply(service("web", "web", 1));
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Cluster, "default"), "Accepted")["status"], "True");
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["runningCount"], 1);
}

#[test]
fn when_a_node_begins_to_drain_then_the_services_with_tasks_on_it_are_looked_at() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    let web = cluster.apply(service("web", "web", 1));
    cluster.run();
    let on = cluster.list(Kind::Pod)[0]["spec"]["nodeName"].as_str().unwrap().to_owned();
    let stored = |spec: Value| {
        plan::Stored::accept(Kind::Node, {
            let mut node = node(&on, "True", spec);
            node["metadata"]["uid"] = json!("u");
            node
        })
        .unwrap()
    };
    let roots = |spec: Value| plan::routes::affected(&cluster.world, &stored(spec));
    assert!(!roots(json!({})).contains(&web));
    assert!(roots(json!({"unschedulable": true})).contains(&web));
    assert!(roots(json!({})).contains(&ObjectKey::namespaced(Kind::Cluster, common::NAMESPACE, "default")));
}
