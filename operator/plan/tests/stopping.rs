//! Which tasks the operator stops, in which order with their records, and how fast.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::needless_pass_by_value)] // helpers of tests

mod common;

use common::{Cluster, NAMESPACE, condition, service};
use plan::{Kind, ObjectKey, Op, Plan};
use serde_json::{Value, json};

/// A service of tasks with `app` (essential, checked every 10 s, 3 retries) and `helper`.
fn cluster(count: i64, more: Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.apply(
        json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSTaskDefinition", "metadata": {"name": "web"},
        "spec": {"family": "web", "containerDefinitions": [
            {"name": "app", "image": "a", "memory": 64,
                "healthCheck": {"command": ["CMD", "true"], "interval": 10, "retries": 3}},
            {"name": "helper", "image": "a", "memory": 64, "essential": false}]}}),
    );
    let mut web = service("web", "web", count);
    for (field, value) in more.as_object().unwrap() {
        web["spec"][field] = value.clone();
    }
    cluster.apply(web);
    cluster.run();
    cluster
}

fn web() -> ObjectKey {
    ObjectKey::namespaced(Kind::Service, NAMESPACE, "web")
}

fn pods(cluster: &Cluster) -> Vec<String> {
    cluster.list(Kind::Pod).iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// What the kubelet says after `app` or `helper` exited and was started again.
fn exits(cluster: &mut Cluster, pod: &str, container: usize, code: i64) {
    let now = cluster.now.to_string();
    cluster.edit(Kind::Pod, pod, |pod| {
        let status = &mut pod["status"]["containerStatuses"][container];
        let started = status["state"]["running"]["startedAt"].clone();
        status["restartCount"] = json!(1);
        status["lastState"] = json!({"terminated": {"exitCode": code, "reason": "Error", "startedAt": started}});
        status["state"] = json!({"running": {"startedAt": now}});
    });
}

/// A task definition of one container that the kubelet starts again.
fn restarted_in_place() -> Value {
    let mut definition = common::task_definition("web", "a");
    definition["spec"]["kubernetes"] = json!({"essentialContainerExit": "RestartInPlace"});
    definition
}

fn becomes_unhealthy(cluster: &mut Cluster, pod: &str) {
    cluster.edit(Kind::Pod, pod, |pod| pod["status"]["containerStatuses"][0]["ready"] = json!(false));
}

fn deleted(plan: &Plan) -> Vec<String> {
    let name = |op: &Op| match op {
        Op::Delete { key, .. } if key.kind == Kind::Pod => Some(key.name.clone()),
        _ => None,
    };
    plan.ops.iter().filter_map(name).collect()
}

fn records(cluster: &Cluster) -> Vec<Value> {
    cluster.get(Kind::Service, "web")["status"]["stoppedTasks"].as_array().cloned().unwrap_or_default()
}

#[test]
fn when_an_essential_container_exits_then_the_record_is_stored_before_the_pod_is_deleted() {
    for code in [0, 42] {
        let mut cluster = cluster(1, json!({}));
        let pod = pods(&cluster)[0].clone();
        let uid = cluster.get(Kind::Pod, &pod)["metadata"]["uid"].clone();
        cluster.pass(60);
        exits(&mut cluster, &pod, 0, code);
        let first = cluster.reconcile(&web());
        assert_eq!(deleted(&first), Vec::<String>::new(), "nothing is deleted before its record is stored");
        let record = &records(&cluster)[0];
        assert_eq!(record["stopCode"], "EssentialContainerExited");
        assert_eq!(record["stoppedReason"], "Essential container in task exited");
        assert_eq!((&record["uid"], &record["taskDefinition"]), (&uid, &json!("web:1")));
        let containers = json!([{"name": "app", "exitCode": code, "endedTheTask": true}, {"name": "helper"}]);
        assert_eq!(record["containers"], containers);
        let version = cluster.version(Kind::Pod, &pod);
        let second = cluster.reconcile(&web());
        assert_eq!(deleted(&second), [pod.as_str()]);
        let Some(Op::Delete { uid: precondition, resource_version, .. }) = second.ops.last() else {
            panic!("no delete")
        };
        assert_eq!((json!(precondition), resource_version.as_str()), (uid, version.as_str()));
        cluster.run();
        assert_eq!((records(&cluster).len(), pods(&cluster).len()), (1, 1));
        assert_ne!(pods(&cluster)[0], pod);
    }
}

#[test]
fn when_the_operator_ends_between_record_and_delete_then_its_successor_deletes_and_records_nothing_twice() {
    let mut cluster = cluster(2, json!({}));
    let pod = pods(&cluster)[0].clone();
    cluster.pass(60);
    exits(&mut cluster, &pod, 0, 1);
    cluster.reconcile(&web());
    cluster.pass(3600);
    // The deletion fails a few times: each plan asks for the same again.
    for _ in 0..3 {
        let plan = plan::plan(&cluster.world, &web(), &plan::Settings::default(), cluster.now);
        assert_eq!(deleted(&plan), [pod.as_str()]);
        assert_eq!(plan.status.unwrap()["stoppedTasks"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn when_a_helper_exits_or_one_that_is_restarted_in_place_does_then_no_task_is_stopped() {
    let mut helper = cluster(1, json!({}));
    let pod = pods(&helper)[0].clone();
    exits(&mut helper, &pod, 1, 9);
    let mut alone = Cluster::new();
    alone.apply(restarted_in_place());
    alone.apply(service("web", "web", 1));
    alone.run();
    let only = pods(&alone)[0].clone();
    exits(&mut alone, &only, 0, 1);
    for mut cluster in [helper, alone] {
        let before = pods(&cluster);
        cluster.settle();
        assert_eq!((pods(&cluster), records(&cluster)), (before, Vec::new()));
    }
}

#[test]
fn when_the_container_of_a_single_container_task_exits_then_the_task_is_replaced_as_on_ecs() {
    let mut cluster = Cluster::new();
    cluster.apply(common::task_definition("web", "a"));
    cluster.apply(service("web", "web", 1));
    cluster.run();
    let pod = pods(&cluster)[0].clone();
    exits(&mut cluster, &pod, 0, 0);
    cluster.run();
    assert_eq!(records(&cluster).len(), 1);
    assert_ne!(pods(&cluster), [pod]);
}

#[test]
fn when_a_task_is_unhealthy_then_it_is_stopped_after_the_grace_period_and_not_before() {
    let mut cluster = cluster(1, json!({"healthCheckGracePeriodSeconds": 100}));
    let pod = pods(&cluster)[0].clone();
    let start = cluster.now;
    cluster.pass(60);
    becomes_unhealthy(&mut cluster, &pod);
    let early = cluster.reconcile(&web());
    assert_eq!(early.wake, Some(start + jiff::SignedDuration::from_secs(100)));
    assert_eq!(records(&cluster), Vec::<Value>::new());
    cluster.pass(39);
    cluster.reconcile(&web());
    assert_eq!(records(&cluster), Vec::<Value>::new());
    cluster.pass(1);
    // The replacement comes first, since there is room for it.
    cluster.settle();
    assert_eq!(records(&cluster), Vec::<Value>::new());
    cluster.deployment_controller();
    assert_eq!(pods(&cluster).len(), 2);
    cluster.run();
    assert_eq!(pods(&cluster).len(), 1);
    assert_ne!(pods(&cluster)[0], pod);
    let record = &records(&cluster)[0];
    assert_eq!(record["stopCode"], "ServiceSchedulerInitiated");
    assert_eq!(record["stoppedReason"], "Task failed container health checks");
    assert_eq!(record["containers"][0], json!({"name": "app", "endedTheTask": true}));
    let events = cluster.get(Kind::Service, "web")["status"]["events"].clone();
    assert!(events.to_string().contains("failed container health checks."), "{events}");
    let replaced = ". Amazon ECS replaced 1 tasks due to an unhealthy status.";
    assert!(events.to_string().contains(replaced), "{events}");
}

#[test]
fn when_a_container_has_no_check_then_its_task_is_never_unhealthy() {
    let mut cluster = Cluster::new();
    cluster.apply(common::task_definition("web", "a"));
    cluster.apply(service("web", "web", 1));
    cluster.run();
    let pod = pods(&cluster)[0].clone();
    becomes_unhealthy(&mut cluster, &pod);
    cluster.pass(100_000);
    cluster.settle();
    assert_eq!((pods(&cluster), records(&cluster)), (vec![pod], Vec::new()));
}

#[test]
fn when_many_tasks_are_unhealthy_then_as_many_go_as_the_minimum_leaves_else_one_by_one() {
    // Of 4 tasks, without room for a fifth: 75 % leave room for 1, 50 % for 2, 99 % for none and then one goes all the same.
    for (minimum, expected) in [(75, 1), (50, 2), (99, 1)] {
        let bounds = json!({"deploymentConfiguration": {"minimumHealthyPercent": minimum, "maximumPercent": 100}});
        let mut cluster = cluster(4, bounds);
        cluster.pass(60);
        for pod in pods(&cluster) {
            becomes_unhealthy(&mut cluster, &pod);
        }
        cluster.reconcile(&web());
        assert_eq!(records(&cluster).len(), 0, "failures are counted first");
        cluster.reconcile(&web());
        assert_eq!(records(&cluster).len(), expected, "minimum {minimum}");
        // Until their pods are gone and replaced no other one follows.
        cluster.settle();
        assert_eq!(records(&cluster).len(), expected, "minimum {minimum}");
        assert_eq!(pods(&cluster).len(), 4 - expected);
    }
}

#[test]
fn when_tasks_keep_failing_then_three_go_at_once_and_then_a_tenth_every_ten_seconds() {
    for (count, expected) in [(1, [1, 2, 3, 3, 4, 5]), (5, [3, 4, 5, 6, 7, 8]), (60, [6, 12, 18, 24, 30, 36])] {
        let mut cluster = cluster(count, json!({}));
        let mut stopped = 0;
        let mut seen = Vec::new();
        let mut said = Value::Null;
        for round in 0..6 {
            let before = pods(&cluster);
            for pod in &before {
                exits(&mut cluster, pod, 0, 1);
            }
            cluster.settle();
            said = cluster.get(Kind::Service, "web");
            stopped += before.len() - pods(&cluster).len();
            cluster.deployment_controller();
            seen.push(stopped);
            // One task fails again and again at once; many fail every ten seconds.
            cluster.pass(if count == 1 && round < 3 { 1 } else { 10 });
        }
        assert_eq!(seen, expected, "{count} tasks");
        assert!(said["status"]["stoppedTasks"].as_array().unwrap().len() <= 10);
        // A task that ran for 40 seconds before it ended has not failed the deployment.
        let failed = cluster.list(Kind::ServiceDeployment)[0]["status"]["failedTasks"].as_u64().unwrap();
        assert!(failed >= 4 && failed <= stopped as u64 + count.unsigned_abs(), "{failed} of {stopped}");
        assert_eq!(condition(&said, "Stalled")["status"], "True");
        assert_eq!(condition(&said, "Stalled")["reason"], "EssentialContainerExited");
    }
}

#[test]
fn when_there_was_a_pause_then_the_wake_up_is_set_for_the_next_task() {
    let mut cluster = cluster(1, json!({}));
    for _ in 0..3 {
        let pod = pods(&cluster)[0].clone();
        exits(&mut cluster, &pod, 0, 1);
        cluster.run();
        cluster.pass(1);
    }
    let pod = pods(&cluster)[0].clone();
    exits(&mut cluster, &pod, 0, 1);
    cluster.reconcile(&web());
    let plan = cluster.reconcile(&web());
    assert_eq!(records(&cluster).len(), 3);
    // The three went at 0, 1 and 2 s: ten seconds after the last of them there is room for one.
    assert_eq!(plan.wake, Some(cluster.now + jiff::SignedDuration::from_secs(9)));
}

#[test]
fn when_the_spec_is_refused_then_no_task_is_stopped() {
    let mut cluster = cluster(1, json!({}));
    let pod = pods(&cluster)[0].clone();
    cluster.edit(Kind::Service, "web", |web| web["spec"]["launchType"] = json!("MOON"));
    exits(&mut cluster, &pod, 0, 1);
    cluster.settle();
    assert_eq!((pods(&cluster), records(&cluster)), (vec![pod], Vec::new()));
}

#[test]
fn when_the_node_takes_a_pod_away_then_it_is_recorded_and_its_remains_are_removed() {
    let mut cluster = cluster(1, json!({}));
    let pod = pods(&cluster)[0].clone();
    cluster.edit(Kind::Pod, &pod, |pod| {
        pod["status"]["phase"] = json!("Failed");
        pod["status"]["reason"] = json!("Evicted");
        pod["status"]["message"] = json!("The node was low on resource: memory.");
    });
    cluster.settle();
    let record = &records(&cluster)[0];
    assert_eq!(record["stopCode"], "InfrastructureHealth");
    assert_eq!(record["stoppedReason"], "The node was low on resource: memory.");
    assert_eq!(pods(&cluster), Vec::<String>::new());
}

#[test]
fn when_an_old_task_is_about_to_go_then_a_healthy_one_on_a_draining_instance_waits() {
    let node = |name: &str, is_draining: bool| {
        json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "spec": {"unschedulable": is_draining},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    };
    // 2 tasks, 2 of them healthy at least and 3 at most.
    let percents = json!({"minimumHealthyPercent": 100, "maximumPercent": 150});
    let mut cluster = cluster(2, json!({"deploymentConfiguration": percents}));
    cluster.apply(node("node-1", false));
    cluster.apply(node("node-2", false));
    let old = pods(&cluster);
    cluster.edit(Kind::TaskDefinition, "web", |web| web["spec"]["containerDefinitions"][0]["image"] = json!("b"));
    cluster.settle();
    cluster.deployment_controller();
    let new: Vec<String> = pods(&cluster).into_iter().filter(|pod| !old.contains(pod)).collect();
    assert_eq!(new.len(), 1);
    cluster.edit(Kind::Pod, &new[0], |pod| pod["spec"]["nodeName"] = json!("node-2"));
    cluster.settle();
    let asked: i64 = cluster.list(Kind::Deployment).iter().map(|one| one["spec"]["replicas"].as_i64().unwrap()).sum();
    assert_eq!((asked, pods(&cluster).len()), (2, 3), "one old task is about to go");

    cluster.apply(node("node-2", true));
    cluster.settle();
    assert!(pods(&cluster).contains(&new[0]), "with it only one healthy task would be left");
    cluster.run();
    let left = cluster.list(Kind::Pod);
    assert!(left.len() == 2 && left.iter().all(|pod| pod["spec"]["nodeName"] == "node-1"), "{left:#?}");
}

#[test]
fn when_a_container_is_started_again_in_place_then_each_of_its_ends_counts_once() {
    let mut cluster = Cluster::new();
    cluster.apply(restarted_in_place());
    cluster.apply(service("web", "web", 1));
    cluster.run();
    let pod = pods(&cluster)[0].clone();
    let end = json!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": cluster.now.to_string()}});
    let back_off = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let running = json!({"running": {"startedAt": cluster.now.to_string()}});
    // How often it was started again, its state, the one before, and how many failures that makes. A kubelet may tell of
    // an end by the state before only.
    let table = [
        (0, &end, &json!({}), 1),
        (1, &running, &end, 1),
        (1, &end, &end, 2),
        (1, &back_off, &end, 2),
        (2, &running, &end, 2),
        (2, &back_off, &end, 3),
        (3, &running, &end, 3),
    ];
    for (restarts, state, before, failures) in table {
        cluster.edit(Kind::Pod, &pod, |pod| {
            let status = &mut pod["status"]["containerStatuses"][0];
            status["restartCount"] = json!(restarts);
            status["state"] = state.clone();
            status["lastState"] = before.clone();
        });
        cluster.settle();
        let told = &cluster.list(Kind::ServiceDeployment)[0]["status"]["failedTasks"];
        assert_eq!(*told, json!(failures), "{restarts} restarts, {state}");
    }
    assert_eq!(pods(&cluster), [pod]);
}

/// The node refuses every pod that is there; answers with their uids.
fn refuse(cluster: &mut Cluster) -> Vec<String> {
    let mut refused = Vec::new();
    for name in pods(cluster) {
        let pod = cluster.get(Kind::Pod, &name);
        if pod["status"]["phase"] != "Failed" {
            refused.push(pod["metadata"]["uid"].as_str().unwrap().to_owned());
            let message = "forbidden sysctl: \"net.core.somaxconn\" not allowlisted";
            cluster.edit(Kind::Pod, &name, |pod| {
                pod["status"] = json!({"phase": "Failed", "reason": "SysctlForbidden", "message": message});
            });
        }
    }
    refused
}

#[test]
fn when_a_node_refuses_every_task_then_the_next_one_waits_longer_and_longer_and_none_is_left_lying() {
    for (desired, most) in [(1, 9), (4, 36)] {
        let mut cluster = Cluster::new();
        cluster.apply(common::task_definition("web", "a"));
        cluster.apply(service("web", "web", desired));
        let mut refused = Vec::new();
        for _ in 0..120 {
            cluster.settle();
            // A ReplicaSet replaces what is over at once, a kubelet refuses at once.
            for _ in 0..2 {
                cluster.deployment_controller();
                refused.extend(refuse(&mut cluster));
            }
            cluster.pass(1);
        }
        // Failures at 0, 1, 2, 3 and after 10, 20 and 40 s more, each of them twice at most.
        assert!((4..=most).contains(&refused.len()), "{} of {desired}", refused.len());
        let service = cluster.get(Kind::Service, "web");
        let stopped = &service["status"]["stoppedTasks"][0];
        assert_eq!((&stopped["stopCode"], stopped["startedAt"].clone()), (&json!("InfrastructureHealth"), Value::Null));
        for _ in 0..10 {
            cluster.settle();
        }
        assert_eq!(pods(&cluster), Vec::<String>::new());
        // Once it is allowed, tasks start again, and the next failure is the first.
        cluster.pass(1700);
        cluster.run();
        assert_eq!(pods(&cluster).len(), usize::try_from(desired).unwrap());
        let record = &cluster.list(Kind::ServiceDeployment)[0];
        assert_eq!(record["status"]["startAttempts"], Value::Null, "{record}");
    }
}

#[test]
fn when_tasks_worked_before_they_end_then_all_are_replaced_at_once_and_nothing_is_impaired() {
    let mut cluster = Cluster::new();
    cluster.apply(common::task_definition("web", "a"));
    cluster.apply(service("web", "web", 8));
    cluster.run();
    cluster.pass(60);
    for pod in pods(&cluster) {
        exits(&mut cluster, &pod, 0, 0);
    }
    cluster.settle();
    assert_eq!(records(&cluster).len(), 8);
    let events = cluster.get(Kind::Service, "web")["status"]["events"].to_string();
    assert!(!events.contains("unable to consistently start"), "{events}");
}

#[test]
fn when_a_task_is_evicted_from_its_node_then_that_is_recorded_and_told_once() {
    let mut cluster = Cluster::new();
    cluster.apply(common::task_definition("web", "a"));
    cluster.apply(service("web", "web", 2));
    cluster.run();
    cluster.pass(60);
    cluster.settle();
    let evicted = pods(&cluster)[0].clone();
    let until = (cluster.now + jiff::SignedDuration::from_secs(30)).to_string();
    cluster.edit(Kind::Pod, &evicted, |pod| {
        pod["metadata"]["deletionTimestamp"] = json!(until);
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        let message = "Eviction API: evicting";
        let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": message});
        pod["status"]["conditions"].as_array_mut().unwrap().push(condition);
    });
    for _ in 0..3 {
        cluster.settle();
        let record = &records(&cluster)[0];
        assert_eq!((&record["stopCode"], &record["pod"]), (&json!("InfrastructureHealth"), &json!(evicted)));
        assert_eq!(record["stoppedReason"], "Eviction API: evicting");
        assert_eq!(records(&cluster).len(), 1);
    }
    let events = cluster.get(Kind::Service, "web")["status"]["events"].to_string();
    assert_eq!(events.matches("has stopped 1 running tasks").count(), 1, "{events}");
}

#[test]
fn when_a_helper_may_stay_stopped_then_a_drain_does_not_evict_all_tasks_because_they_are_not_ready() {
    let policy = |cluster: &Cluster| {
        let budget = cluster.get(Kind::PodDisruptionBudget, "web");
        budget["spec"]["unhealthyPodEvictionPolicy"].as_str().unwrap().to_owned()
    };
    assert_eq!(policy(&cluster(2, json!({}))), "IfHealthyBudget");
    let mut alone = Cluster::new();
    alone.apply(common::task_definition("web", "a"));
    alone.apply(service("web", "web", 2));
    alone.run();
    assert_eq!(policy(&alone), "AlwaysAllow");
}

#[test]
fn when_what_a_task_depends_on_fails_again_and_again_then_the_next_one_waits_longer_and_longer() {
    let mut cluster = Cluster::new();
    cluster.apply(
        json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSTaskDefinition", "metadata": {"name": "web"},
        "spec": {"family": "web", "containerDefinitions": [
            {"name": "app", "image": "a", "memory": 64, "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}]},
            {"name": "migrate", "image": "a", "memory": 64, "essential": false}]}}),
    );
    cluster.apply(service("web", "web", 1));
    let mut failed = std::collections::BTreeSet::new();
    for _ in 0..120 {
        cluster.settle();
        cluster.deployment_controller();
        for pod in pods(&cluster) {
            let end = json!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": cluster.now.to_string()}});
            cluster.edit(Kind::Pod, &pod, |pod| {
                pod["status"]["phase"] = json!("Pending");
                pod["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "PodInitializing"}});
                pod["status"]["initContainerStatuses"] =
                    json!([{"name": "migrate", "ready": false, "restartCount": 0, "state": end}]);
            });
            failed.insert(pod);
        }
        cluster.pass(1);
    }
    // At 0, 1, 2 and 3 s, and after 10, 20, 40 s more; the next one would wait for 80 s.
    assert!((5..=9).contains(&failed.len()), "{}", failed.len());
}
