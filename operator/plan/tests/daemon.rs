//! DAEMON services: which nodes have a task, how tasks are replaced, and what a draining node does.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, condition, service, task_definition};
use plan::{Kind, ObjectKey};
use serde_json::{Value, json};

#[allow(clippy::needless_pass_by_value)] // every caller has just made them
fn node(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

/// Four nodes, two in each zone.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    for (name, zone) in [("one", "a"), ("two", "a"), ("three", "b"), ("four", "b")] {
        cluster.apply(node(name, json!({"topology.kubernetes.io/zone": zone})));
    }
    cluster.apply(task_definition("agent", "example.com/agent:1"));
    cluster
}

fn agent(minimum: Option<i64>) -> Value {
    let mut agent = service("agent", "agent", 0);
    let spec = agent["spec"].as_object_mut().unwrap();
    spec.remove("desiredCount");
    spec.insert("schedulingStrategy".to_owned(), json!("DAEMON"));
    if let Some(minimum) = minimum {
        spec.insert("deploymentConfiguration".to_owned(), json!({"minimumHealthyPercent": minimum}));
    }
    agent
}

fn edit_node(cluster: &mut Cluster, name: &str, change: impl FnOnce(&mut Value)) {
    let key = ObjectKey::cluster_scoped(Kind::Node, name);
    let mut node = plan::World::get(&cluster.world, &key).unwrap().value();
    change(&mut node);
    cluster.apply(node);
}

fn node_label(cluster: &Cluster, name: &str, label: &str) -> Value {
    let key = ObjectKey::cluster_scoped(Kind::Node, name);
    plan::World::get(&cluster.world, &key).unwrap().value()["metadata"]["labels"][label].clone()
}

/// What the DaemonSet controller does with the DaemonSet `agent`, at once: one pod of the template on each of `nodes`,
/// unless it may not replace the pods that are there.
fn daemon_set_controller(cluster: &mut Cluster, nodes: &[&str]) {
    let daemon_set = cluster.get(Kind::DaemonSet, "agent");
    let template = &daemon_set["spec"]["template"];
    let rolls = daemon_set["spec"]["updateStrategy"]["type"] == "RollingUpdate";
    for pod in cluster.list(Kind::Pod) {
        let is_here = nodes.iter().any(|node| pod["spec"]["nodeName"] == *node);
        if !is_here || (rolls && pod["metadata"]["labels"] != template["metadata"]["labels"]) {
            cluster.remove(Kind::Pod, pod["metadata"]["name"].as_str().unwrap());
        }
    }
    for node in nodes {
        if cluster.list(Kind::Pod).iter().any(|pod| pod["spec"]["nodeName"] == *node) {
            continue;
        }
        let now = cluster.now.to_string();
        cluster.apply(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("agent-{node}"), "labels": template["metadata"]["labels"],
                "annotations": template["metadata"]["annotations"],
                "ownerReferences": [{"kind": "DaemonSet", "name": "agent", "uid": "d", "controller": true}]},
            "spec": {"nodeName": node},
            "status": {"phase": "Running", "startTime": now,
                "containerStatuses": [{"name": "app", "ready": true, "started": true, "restartCount": 0,
                    "state": {"running": {"startedAt": now}}}],
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}]},
        }));
    }
    cluster.settle();
    cluster.pass(40);
    cluster.settle();
}

const ALL: [&str; 4] = ["one", "two", "three", "four"];

#[test]
fn when_a_daemon_service_is_made_then_it_is_a_daemon_set_with_a_task_wanted_on_each_node() {
    let mut cluster = cluster();
    cluster.apply(agent(Some(50)));
    cluster.settle();
    let daemon_set = cluster.get(Kind::DaemonSet, "agent");
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "maxSurge": 0}});
    assert_eq!(daemon_set["spec"]["updateStrategy"], strategy);
    assert_eq!(daemon_set["spec"]["minReadySeconds"], 40);
    assert_eq!(daemon_set["spec"]["template"]["spec"].get("topologySpreadConstraints"), None);
    assert!(cluster.list(Kind::Deployment).is_empty() && cluster.list(Kind::PodDisruptionBudget).is_empty());
    let agent = cluster.get(Kind::Service, "agent");
    assert_eq!((&agent["status"]["desiredCount"], &agent["status"]["runningCount"]), (&json!(4), &json!(0)));
    assert_eq!(condition(&agent, "Accepted")["status"], "True");

    daemon_set_controller(&mut cluster, &ALL);
    let agent = cluster.get(Kind::Service, "agent");
    assert_eq!(agent["status"]["runningCount"], 4);
    assert_eq!(condition(&agent, "SteadyState")["status"], "True");
    assert_eq!(agent["status"]["deployments"][0]["desiredCount"], 4);
    assert_eq!(agent["status"]["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn when_nodes_come_and_go_then_the_count_follows_and_no_task_is_replaced() {
    let mut cluster = cluster();
    let mut constrained = agent(Some(50));
    constrained["spec"]["placementConstraints"] =
        json!([{"type": "memberOf", "expression": "attribute:ecs.availability-zone == a"}]);
    cluster.apply(constrained);
    cluster.settle();
    assert_eq!(cluster.get(Kind::Service, "agent")["status"]["desiredCount"], 2);
    daemon_set_controller(&mut cluster, &["one", "two"]);
    let template = cluster.get(Kind::DaemonSet, "agent")["spec"]["template"].clone();

    cluster.apply(node("five", json!({"topology.kubernetes.io/zone": "a"})));
    edit_node(&mut cluster, "three", |node| node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!("a"));
    cluster.settle();
    let daemon_set = cluster.get(Kind::DaemonSet, "agent");
    assert_eq!(daemon_set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"], 2);
    assert_eq!(daemon_set["spec"]["template"], template);
    let agent = cluster.get(Kind::Service, "agent");
    assert_eq!(agent["status"]["desiredCount"], 4);
    assert_eq!(condition(&agent, "SteadyState")["status"], "False");
    assert_eq!(cluster.list(Kind::ServiceDeployment).len(), 1);
}

const VIOLATED: &str = "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED";
const ZONE: &str = "topology.kubernetes.io/zone";

/// A DAEMON service for zone a, with a task on each of the nodes there, `one` and `two`.
fn in_zone_a() -> Cluster {
    let mut cluster = cluster();
    let mut constrained = agent(Some(50));
    constrained["spec"]["placementConstraints"] =
        json!([{"type": "memberOf", "expression": "attribute:ecs.availability-zone == a"}]);
    cluster.apply(constrained);
    cluster.settle();
    daemon_set_controller(&mut cluster, &["one", "two"]);
    cluster
}

/// Every event of the service about violated constraints, oldest first.
fn violations(cluster: &Cluster) -> Vec<String> {
    let events = cluster.get(Kind::Service, "agent")["status"]["events"].as_array().unwrap().clone();
    let messages = events.iter().rev().map(|event| event["message"].as_str().unwrap().to_owned());
    messages.filter(|message| message.contains("placement constraints")).collect()
}

fn task_on(cluster: &Cluster, node: &str) -> Value {
    let pods = cluster.list(Kind::Pod);
    pods.into_iter().find(|pod| pod["spec"]["nodeName"] == node).unwrap()
}

#[test]
fn when_a_node_no_longer_meets_the_constraint_then_each_task_there_is_told_once_while_it_runs_or_stops() {
    let mut cluster = in_zone_a();
    let root = ObjectKey::namespaced(Kind::Service, common::NAMESPACE, "agent");
    assert_eq!(violations(&cluster), [""; 0]);
    edit_node(&mut cluster, "one", |node| node["metadata"]["labels"][ZONE] = json!("b"));
    let plan = cluster.reconcile(&root);
    let notices: Vec<_> = plan.notices.iter().map(|notice| (notice.kind, notice.reason.as_str())).collect();
    assert_eq!(notices, [(plan::NoticeKind::Warning, VIOLATED)]);
    cluster.settle();
    let told = violations(&cluster);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("(service agent) has 1 tasks that no longer meet its placement constraints: (task "));

    // It is asked to stop, and stays for its grace period.
    let mut pod = task_on(&cluster, "one");
    pod["metadata"]["deletionTimestamp"] = json!(cluster.now.to_string());
    cluster.apply(pod);
    cluster.settle();
    cluster.pass(7 * 60 * 60);
    cluster.settle();
    assert_eq!(violations(&cluster), told);
    daemon_set_controller(&mut cluster, &["two"]);
    assert_eq!(cluster.get(Kind::Service, "agent")["status"]["taskWatermark"].get("misplacedIds"), None);

    // Another time is another task.
    edit_node(&mut cluster, "one", |node| node["metadata"]["labels"][ZONE] = json!("a"));
    daemon_set_controller(&mut cluster, &["one", "two"]);
    edit_node(&mut cluster, "one", |node| drop(node["metadata"]["labels"].as_object_mut().unwrap().remove(ZONE)));
    cluster.settle();
    assert_eq!(violations(&cluster).len(), 2);
}

#[test]
fn when_a_daemon_stops_for_another_reason_then_no_constraint_is_violated() {
    // The node is drained, or leaves; the task was stopped before its node changed.
    let mut cluster = in_zone_a();
    edit_node(&mut cluster, "one", |node| node["spec"]["unschedulable"] = json!(true));
    cluster.settle();
    daemon_set_controller(&mut cluster, &["two"]);
    let mut pod = task_on(&cluster, "two");
    pod["metadata"]["deletionTimestamp"] = json!(cluster.now.to_string());
    cluster.apply(pod);
    cluster.settle();
    edit_node(&mut cluster, "two", |node| node["metadata"]["labels"][ZONE] = json!("b"));
    cluster.settle();
    assert_eq!(violations(&cluster), [""; 0]);

    // Without a constraint no node is a wrong one.
    let mut cluster = self::cluster();
    cluster.apply(agent(None));
    cluster.settle();
    daemon_set_controller(&mut cluster, &ALL);
    edit_node(&mut cluster, "one", |node| node["metadata"]["labels"] = json!({}));
    cluster.settle();
    assert_eq!(violations(&cluster), [""; 0]);
}

#[test]
fn when_many_daemons_violate_the_constraint_at_once_then_ten_are_told_in_an_event() {
    let mut cluster = in_zone_a();
    let names: Vec<String> = (0..12).map(|index| format!("more-{index:02}")).collect();
    for name in &names {
        cluster.apply(node(name, json!({ZONE: "a"})));
    }
    let nodes: Vec<&str> = names.iter().map(String::as_str).collect();
    daemon_set_controller(&mut cluster, &nodes);
    for name in &nodes {
        edit_node(&mut cluster, name, |node| node["metadata"]["labels"][ZONE] = json!("b"));
    }
    cluster.settle();
    let counts: Vec<usize> = violations(&cluster).iter().map(|message| message.matches("(task ").count()).collect();
    assert_eq!(counts, [10, 2]);
}

#[test]
fn when_the_task_definition_changes_then_the_daemon_set_rolls_and_the_deployment_completes() {
    let mut cluster = cluster();
    cluster.apply(agent(None));
    cluster.settle();
    assert_eq!(cluster.get(Kind::DaemonSet, "agent")["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"], 4);
    daemon_set_controller(&mut cluster, &ALL);
    cluster.apply(task_definition("agent", "example.com/agent:2"));
    cluster.settle();
    let deployments = cluster.get(Kind::Service, "agent")["status"]["deployments"].clone();
    assert_eq!(
        (deployments[0]["status"].as_str(), deployments[1]["status"].as_str()),
        (Some("PRIMARY"), Some("ACTIVE"))
    );
    daemon_set_controller(&mut cluster, &ALL);
    let agent = cluster.get(Kind::Service, "agent");
    assert_eq!(agent["status"]["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(agent["status"]["taskDefinition"], "agent:2");
    assert_eq!(condition(&agent, "SteadyState")["status"], "True");
}

#[test]
fn when_nothing_may_be_missing_then_the_deployment_is_stuck_until_the_percentage_changes() {
    let mut cluster = cluster();
    cluster.apply(agent(Some(100)));
    cluster.settle();
    assert_eq!(cluster.get(Kind::DaemonSet, "agent")["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
    daemon_set_controller(&mut cluster, &ALL);
    assert_eq!(condition(&cluster.get(Kind::Service, "agent"), "SteadyState")["status"], "True");
    let template = cluster.get(Kind::DaemonSet, "agent")["spec"]["template"].clone();

    cluster.apply(task_definition("agent", "example.com/agent:2"));
    cluster.settle();
    assert_eq!(cluster.get(Kind::DaemonSet, "agent")["spec"]["template"], template);
    let agent = cluster.get(Kind::Service, "agent");
    assert_eq!(condition(&agent, "DeploymentStuck")["status"], "True");
    let said = agent["status"]["events"].to_string();
    assert!(said.contains("was unable to stop or start tasks during a deployment"), "{said}");

    cluster.edit(Kind::Service, "agent", |agent| {
        agent["spec"]["deploymentConfiguration"] = json!({"minimumHealthyPercent": 75});
    });
    cluster.settle();
    let daemon_set = cluster.get(Kind::DaemonSet, "agent");
    assert_eq!(daemon_set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"], 1);
    assert_ne!(daemon_set["spec"]["template"], template);
    daemon_set_controller(&mut cluster, &ALL);
    let agent = cluster.get(Kind::Service, "agent");
    assert_eq!(condition(&agent, "DeploymentStuck")["status"], "False");
    assert_eq!(condition(&agent, "SteadyState")["status"], "True");
}

#[test]
fn when_a_node_is_drained_then_its_daemon_stops_after_every_other_task_and_comes_back_with_the_node() {
    const MARK: &str = "ecs-operator.dev/daemon-tasks";
    let mut cluster = cluster();
    cluster.apply(agent(Some(50)));
    cluster.settle();
    daemon_set_controller(&mut cluster, &ALL);
    let other = |name: &str, node: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"ecs-operator.dev/service": "web"}},
            "spec": {"nodeName": node}, "status": {"phase": "Running"}})
    };
    cluster.apply(other("web-1", "one"));
    cluster.apply(other("web-2", "two"));
    edit_node(&mut cluster, "one", |node| node["spec"]["unschedulable"] = json!(true));
    let draining = "ecs-operator.dev/container-instance-status";
    edit_node(&mut cluster, "two", |node| node["metadata"]["labels"][draining] = json!("DRAINING"));
    cluster.settle();
    assert_eq!(cluster.get(Kind::Service, "agent")["status"]["desiredCount"], 2);
    assert_eq!((node_label(&cluster, "one", MARK), node_label(&cluster, "two", MARK)), (Value::Null, Value::Null));

    cluster.remove(Kind::Pod, "web-1");
    cluster.settle();
    assert_eq!((node_label(&cluster, "one", MARK), node_label(&cluster, "two", MARK)), (json!("STOPPED"), Value::Null));
    let terms = cluster.get(Kind::DaemonSet, "agent")["spec"]["template"]["spec"]["affinity"].to_string();
    assert!(terms.contains(MARK) && !terms.contains(draining), "{terms}");

    edit_node(&mut cluster, "one", |node| node["spec"]["unschedulable"] = json!(false));
    cluster.settle();
    assert_eq!(node_label(&cluster, "one", MARK), Value::Null);
    assert_eq!(cluster.get(Kind::Service, "agent")["status"]["desiredCount"], 3);
}

#[test]
fn when_there_is_no_daemon_service_then_no_node_is_written() {
    let mut cluster = Cluster::new();
    cluster.apply(node("one", json!({})));
    edit_node(&mut cluster, "one", |node| node["spec"]["unschedulable"] = json!(true));
    cluster.settle();
    assert!(cluster.log.iter().all(|line| !line.contains("Node")), "{:?}", cluster.log);
}

#[test]
fn when_a_capacity_provider_selects_nodes_then_daemons_run_there_and_tolerate_its_taints() {
    let mut cluster = cluster();
    cluster.edit(Kind::Cluster, "default", |cluster| cluster["spec"]["capacityProviders"] = json!(["gpu"]));
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider",
        "metadata": {"name": "gpu"}, "spec": {"kubernetes": {"nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]},
            "autoScalingGroupProvider": {"autoScalingGroupArn":
            "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:x:autoScalingGroupName/gpu"}}}));
    let mut gpu = node("gpu", json!({"pool": "gpu"}));
    gpu["spec"]["taints"] = json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]);
    cluster.apply(gpu);
    let mut agent = agent(None);
    agent["spec"]["capacityProviderStrategy"] = json!([{"capacityProvider": "gpu", "weight": 1}]);
    cluster.apply(agent);
    cluster.settle();
    let status = cluster.get(Kind::Service, "agent")["status"].clone();
    assert_eq!(status["desiredCount"], 1, "{status:#}");
    let template = cluster.get(Kind::DaemonSet, "agent")["spec"]["template"].clone();
    assert_eq!(template["spec"]["tolerations"][0]["key"], "gpu");
    assert_eq!(template["metadata"]["labels"]["ecs-operator.dev/capacity-provider"], "gpu");
}

#[test]
fn when_the_default_strategy_is_fargate_then_a_daemon_service_is_told_that_it_cannot_be() {
    let mut cluster = cluster();
    cluster.edit(Kind::Cluster, "default", |cluster| {
        cluster["spec"]["capacityProviders"] = json!(["FARGATE"]);
        cluster["spec"]["defaultCapacityProviderStrategy"] = json!([{"capacityProvider": "FARGATE", "weight": 1}]);
    });
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider",
        "metadata": {"name": "fargate"}, "spec": {"name": "FARGATE", "kubernetes": {"predefined": true}}}));
    cluster.apply(agent(None));
    cluster.settle();
    let agent = cluster.get(Kind::Service, "agent");
    let accepted = condition(&agent, "Accepted");
    assert_eq!(accepted["reason"], "InvalidParameterException");
    assert!(accepted["message"].as_str().unwrap().contains("not supported on Fargate"), "{accepted}");
    assert!(cluster.list(Kind::DaemonSet).is_empty());
}

#[test]
fn when_a_daemon_service_is_to_be_scaled_then_the_target_says_that_it_cannot() {
    let mut cluster = cluster();
    cluster.apply(agent(None));
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSScalableTarget", "metadata": {"name": "agent"},
        "spec": {"ServiceNamespace": "ecs", "ResourceId": "service/default/agent", "ScalableDimension": "ecs:service:DesiredCount",
            "MinCapacity": 1, "MaxCapacity": 5, "ScalingPolicies": [{"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50, "PredefinedMetricSpecification":
                    {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}}]}}));
    cluster.settle();
    let target = cluster.get(Kind::ScalableTarget, "agent");
    assert_eq!(condition(&target, "Accepted")["reason"], "ValidationException");
    assert!(condition(&target, "Stalled")["message"].as_str().unwrap().contains("DAEMON"));
    assert!(cluster.list(Kind::HorizontalPodAutoscaler).is_empty());
}
