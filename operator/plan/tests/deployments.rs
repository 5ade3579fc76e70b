//! How deployments end: completed, given up, rolled back, stopped, and what is remembered of each.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, breaker, condition, configured, images, records, service, task_definition};
use jiff::{SignedDuration, Timestamp};
use plan::Kind;
use serde_json::{Value, json};

/// No image of this revision can be pulled: its new pods wait.
fn break_pods(cluster: &mut Cluster, revision: i64) -> usize {
    let pods = cluster.list(Kind::Pod);
    let revision = json!(revision.to_string());
    let broken: Vec<String> = pods
        .iter()
        .filter(|pod| pod["metadata"]["labels"]["ecs-operator.dev/revision"] == revision)
        .filter(|pod| pod["status"]["containerStatuses"][0]["state"].get("waiting").is_none())
        .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    for name in &broken {
        cluster.edit(Kind::Pod, name, |pod| {
            pod["status"]["phase"] = json!("Pending");
            pod["status"]["conditions"][0]["status"] = json!("False");
            pod["status"]["containerStatuses"][0] = json!({"name": "app", "ready": false, "started": false,
                "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}});
        });
    }
    broken.len()
}

/// Settles with every pod of the revision failing, until nothing moves; answers how many pods failed.
fn run_broken(cluster: &mut Cluster, revision: i64) -> usize {
    let mut failed = 0;
    for _ in 0..200 {
        let writes = cluster.settle();
        let moved = cluster.deployment_controller();
        failed += break_pods(cluster, revision);
        if writes == 0 && !moved {
            break;
        }
    }
    failed
}

fn messages(cluster: &Cluster) -> Vec<String> {
    let events = cluster.get(Kind::Service, "web")["status"]["events"].clone();
    events.as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn when_as_many_tasks_fail_as_the_threshold_says_then_the_deployment_fails_at_exactly_that_one() {
    for (count, threshold, expected) in [
        (1, json!(null), 3),
        (3, json!(null), 3),
        (10, json!(null), 5),
        (50, json!(null), 25),
        (401, json!(null), 200),
        (10, json!({"type": "COUNT", "value": 7}), 7),
        (10, json!({"type": "BOUNDED_PERCENT", "value": 1}), 3),
        (10, json!({"type": "UNBOUNDED_PERCENT", "value": 1}), 1),
        (10, json!({"type": "UNBOUNDED_PERCENT", "value": 100}), 10),
    ] {
        let mut configuration = breaker(false);
        configuration["deploymentCircuitBreaker"]["thresholdConfiguration"] = threshold.clone();
        let mut cluster = configured(count, &configuration);
        cluster.apply(task_definition("web", "bad:1"));
        run_broken(&mut cluster, 2);
        let record = records(&cluster).pop().unwrap();
        let breaker = &record["status"]["deploymentCircuitBreaker"];
        assert_eq!(
            breaker,
            &json!({"status": "TRIGGERED", "failureCount": expected, "threshold": expected}),
            "{count}"
        );
        assert_eq!(
            (&record["status"]["status"], &record["status"]["rolloutState"]),
            (&json!("STOPPED"), &json!("FAILED"))
        );
        // What works stays, and what failed is not started again.
        assert_eq!(images(&cluster), vec!["good:1"; usize::try_from(count).unwrap()], "{threshold}");
        let web = cluster.get(Kind::Service, "web");
        assert_eq!(condition(&web, "Stalled")["reason"], "CircuitBreakerTriggered");
        let primary = &web["status"]["deployments"][0];
        assert_eq!(primary["rolloutStateReason"], "ECS deployment circuit breaker: tasks failed to start.");
        assert_eq!(primary["failedTasks"], record["status"]["failedTasks"]);
    }
}

#[test]
fn when_fewer_tasks_fail_than_the_threshold_says_then_the_deployment_goes_on() {
    let mut configuration = breaker(false);
    configuration["deploymentCircuitBreaker"]["thresholdConfiguration"] = json!({"type": "COUNT", "value": 3});
    configuration["maximumPercent"] = json!(150);
    let mut cluster = configured(4, &configuration);
    cluster.apply(task_definition("web", "bad:1"));
    cluster.settle();
    cluster.deployment_controller();
    // Two new tasks, both fail once; their replacements run.
    assert_eq!(break_pods(&mut cluster, 2), 2);
    cluster.run();
    let record = records(&cluster).pop().unwrap();
    assert_eq!(record["status"]["status"], "SUCCESSFUL");
    assert_eq!(record["status"]["failedTasks"], 2);
    assert_eq!(record["status"]["deploymentCircuitBreaker"]["status"], "MONITORING_COMPLETE");
    assert_eq!(images(&cluster), ["bad:1"; 4]);
}

#[test]
fn when_a_deployment_fails_then_the_service_goes_back_to_the_last_one_that_completed() {
    let mut cluster = configured(2, &breaker(true));
    // This one never completes: it is replaced half-way.
    cluster.apply(task_definition("web", "unfinished:1"));
    cluster.settle();
    cluster.deployment_controller();
    cluster.apply(task_definition("web", "bad:1"));
    run_broken(&mut cluster, 3);
    cluster.run();
    assert_eq!(images(&cluster), ["good:1"; 2]);
    let all = records(&cluster);
    let state = |record: &Value| record["status"]["status"].as_str().unwrap().to_owned();
    assert_eq!(
        all.iter().map(state).collect::<Vec<_>>(),
        ["SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    );
    let (first, failed, rollback) = (&all[0], &all[2], &all[3]);
    assert_eq!(failed["status"]["rollback"]["serviceRevision"], first["metadata"]["name"]);
    assert_eq!(rollback["spec"]["rollbackOf"], failed["metadata"]["name"]);
    assert_eq!(rollback["spec"]["serviceRevision"]["podTemplate"], first["spec"]["serviceRevision"]["podTemplate"]);
    let (failed, back) = (&failed["spec"]["deploymentId"], &rollback["spec"]["deploymentId"]);
    let said = messages(&cluster);
    for text in [
        format!("(service web) (deployment {}) deployment failed: tasks failed to start.", failed.as_str().unwrap()),
        format!("(service web) rolling back to deployment {}.", back.as_str().unwrap()),
        format!("(service web) (deployment {}) deployment completed.", back.as_str().unwrap()),
    ] {
        assert!(said.contains(&text), "{text} is not in {said:#?}");
    }
    // What the spec asks for is not out, and it is not tried again by itself.
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Stalled")["reason"], "DeploymentFailed");
    assert_eq!(cluster.settle(), 0);
    cluster.apply(task_definition("web", "fixed:1"));
    cluster.run();
    assert_eq!(images(&cluster), ["fixed:1"; 2]);
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
}

#[test]
fn when_the_first_deployment_fails_then_there_is_nothing_to_go_back_to_and_that_is_said() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "bad:1"));
    let mut web = service("web", "web", 2);
    web["spec"]["deploymentConfiguration"] = breaker(true);
    cluster.apply(web);
    run_broken(&mut cluster, 1);
    let record = records(&cluster).pop().unwrap();
    assert_eq!(record["status"]["status"], "STOPPED");
    assert_eq!(images(&cluster), Vec::<String>::new());
    let said = messages(&cluster);
    assert!(said.iter().any(|text| text.contains("No rollback candidate was found")), "{said:#?}");
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Stalled")["reason"], "NoRollbackCandidate");
}

#[test]
fn when_somebody_stops_a_deployment_then_it_is_rolled_back_or_left_where_it_is() {
    for (stop_type, state, expected) in [
        (None, "ROLLBACK_SUCCESSFUL", vec!["good:1"; 4]),
        (Some("ABORT"), "STOPPED", vec!["good:1", "good:1", "good:1", "good:1", "new:1", "new:1"]),
    ] {
        let mut cluster = configured(4, &json!({"maximumPercent": 150}));
        cluster.apply(task_definition("web", "new:1"));
        cluster.settle();
        cluster.deployment_controller();
        cluster.settle();
        let record = records(&cluster).pop().unwrap();
        cluster.edit(Kind::Service, "web", |web| {
            let mut stop = json!({"serviceDeployment": record["metadata"]["name"]});
            if let Some(stop_type) = stop_type {
                stop["stopType"] = json!(stop_type);
            }
            web["spec"]["kubernetes"] = json!({ "stopServiceDeployment": stop });
        });
        cluster.run();
        let name = record["metadata"]["name"].as_str().unwrap();
        assert_eq!(cluster.get(Kind::ServiceDeployment, name)["status"]["status"], state);
        assert_eq!(images(&cluster), expected, "{stop_type:?}");
    }
}

#[test]
fn when_something_else_is_asked_for_before_a_rollback_begins_then_the_rollback_has_failed() {
    let mut cluster = configured(4, &json!({"maximumPercent": 150}));
    cluster.apply(task_definition("web", "new:1"));
    cluster.settle();
    cluster.deployment_controller();
    cluster.settle();
    let name = records(&cluster).pop().unwrap()["metadata"]["name"].clone();
    let name = name.as_str().unwrap();
    let ask = |cluster: &mut Cluster, kubernetes: Value| {
        cluster.edit(Kind::Service, "web", |web| web["spec"]["kubernetes"] = kubernetes);
        let service = plan::ObjectKey::namespaced(Kind::Service, common::NAMESPACE, "web");
        cluster.reconcile(&service);
        cluster.get(Kind::ServiceDeployment, name)["status"]["status"].clone()
    };
    let stop = json!({"serviceDeployment": name});
    assert_eq!(ask(&mut cluster, json!({"stopServiceDeployment": stop})), "ROLLBACK_IN_PROGRESS");
    ask(&mut cluster, json!({"stopServiceDeployment": stop, "forceNewDeployment": "now"}));
    cluster.run();
    let states: Vec<Value> = records(&cluster).iter().map(|record| record["status"]["status"].clone()).collect();
    assert_eq!(states, ["SUCCESSFUL", "ROLLBACK_FAILED", "SUCCESSFUL"]);
    assert_eq!(images(&cluster), ["new:1"; 4]);
}

#[test]
fn when_an_earlier_service_revision_is_named_then_it_runs_without_its_task_definition() {
    let mut cluster = configured(2, &json!({}));
    let first = records(&cluster)[0]["metadata"]["name"].clone();
    cluster.apply(task_definition("web", "second:1"));
    cluster.run();
    cluster.edit(Kind::TaskDefinitionRevision, "web-1", |revision| {
        revision["metadata"]["annotations"] = json!({"ecs-operator.dev/deregister": "true"});
    });
    cluster.edit(Kind::Service, "web", |web| web["spec"]["kubernetes"] = json!({"serviceRevision": first}));
    cluster.run();
    assert_eq!(images(&cluster), ["good:1"; 2]);
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
    // A new revision of the family changes nothing meanwhile.
    cluster.apply(task_definition("web", "third:1"));
    cluster.run();
    assert_eq!(images(&cluster), ["good:1"; 2]);
    cluster.edit(Kind::Service, "web", |web| web["spec"]["kubernetes"] = json!({}));
    cluster.run();
    assert_eq!(images(&cluster), ["third:1"; 2]);
    cluster.edit(Kind::Service, "web", |web| web["spec"]["kubernetes"] = json!({"serviceRevision": "nothing"}));
    cluster.run();
    assert_eq!(images(&cluster), ["third:1"; 2]);
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Accepted")["reason"], "ServiceRevisionNotFound");
}

#[test]
fn when_enough_tasks_are_healthy_then_the_deployment_completes_before_or_after_the_old_ones_are_gone() {
    for (cleanup, is_early) in [("DEFERRED", true), ("BLOCKING", false)] {
        let criteria = json!({"enable": true, "healthyPercent": 50, "sourceServiceRevisionCleanup": cleanup});
        let configuration =
            json!({"minimumHealthyPercent": 50, "maximumPercent": 150, "earlySuccessCriteria": criteria});
        let mut cluster = configured(4, &configuration);
        cluster.apply(task_definition("web", "new:1"));
        cluster.settle();
        cluster.deployment_controller();
        cluster.pass(41);
        cluster.settle();
        // Two of four are healthy.
        let record = records(&cluster).pop().unwrap();
        assert_eq!(record["status"]["status"] == "SUCCESSFUL", is_early, "{cleanup}");
        cluster.run();
        assert_eq!(images(&cluster), ["new:1"; 4]);
        assert_eq!(records(&cluster).pop().unwrap()["status"]["status"], "SUCCESSFUL");
    }
}

#[test]
fn when_a_bake_time_is_set_then_the_deployment_completes_after_it_and_not_a_moment_before() {
    let mut cluster = configured(1, &json!({}));
    cluster.now += SignedDuration::from_millis(900);
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["deploymentConfiguration"] = json!({"bakeTimeInMinutes": 10});
    });
    cluster.apply(task_definition("web", "new:1"));
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Ready")["status"], "False");
    assert_eq!(condition(&web, "Reconciling")["reason"], "Baking");
    let began: Timestamp =
        records(&cluster).pop().unwrap()["status"]["bakeStartedAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(began.subsec_millisecond(), 900);
    cluster.now = began + SignedDuration::from_millis(599_999);
    cluster.settle();
    assert_eq!(records(&cluster).pop().unwrap()["status"]["status"], "IN_PROGRESS");
    cluster.now = began + SignedDuration::from_mins(10);
    cluster.run();
    assert_eq!(records(&cluster).pop().unwrap()["status"]["status"], "SUCCESSFUL");
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
}

#[test]
fn when_tasks_cannot_start_then_they_are_tried_again_more_and_more_slowly_and_nothing_is_written_meanwhile() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "bad:1"));
    cluster.apply(service("web", "web", 1));
    let mut seen = 0;
    let mut starts = Vec::new();
    for second in (0..=310_i64).step_by(5) {
        let pods = run_broken(&mut cluster, 1);
        if pods > 0 {
            seen += pods;
            starts.push(second);
        }
        assert_eq!(cluster.settle(), 0, "at {second} s");
        cluster.pass(5);
    }
    // Four starts at once, then 10, 20, 40, 80 and 160 seconds apart.
    assert_eq!((seen, starts), (9, vec![0, 10, 30, 70, 150, 310]));
    let said = messages(&cluster);
    let text = "(service web) is unable to consistently start tasks successfully.";
    assert_eq!(said.iter().filter(|message| *message == text).count(), 1, "{said:#?}");
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["deployments"][0]["failedTasks"], 9);
    // A new task definition starts at once.
    cluster.apply(task_definition("web", "good:1"));
    cluster.run();
    assert_eq!(images(&cluster), ["good:1"]);
}

#[test]
fn when_a_marked_task_has_become_healthy_then_it_is_no_capacity_while_it_is_about_to_go() {
    // 4 tasks, of which 3 are healthy at least and 4 are there at most.
    let mut cluster = configured(4, &json!({"minimumHealthyPercent": 75, "maximumPercent": 100}));
    let counts = |cluster: &Cluster| -> Vec<(String, i64)> {
        let deployments = cluster.list(Kind::Deployment).into_iter();
        let mut counts: Vec<(String, i64)> = deployments
            .map(|one| {
                let image = one["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
                (image, one["spec"]["replicas"].as_i64().unwrap())
            })
            .collect();
        counts.sort();
        counts
    };
    cluster.apply(task_definition("web", "good:2"));
    for _ in 0..2 {
        cluster.settle();
        cluster.deployment_controller();
        cluster.settle();
        cluster.deployment_controller();
        cluster.pass(41);
    }
    // The second task of good:2 and one more are too young to count.
    let young = |cluster: &mut Cluster, pod: &str| {
        let now = cluster.now.to_string();
        cluster.edit(Kind::Pod, pod, |pod| {
            pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = json!(now);
        });
    };
    let of_two = |cluster: &Cluster| -> Vec<String> {
        let pods = cluster.list(Kind::Pod).into_iter();
        let pods = pods.filter(|pod| pod["metadata"]["labels"]["ecs-operator.dev/revision"] == "2");
        pods.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(counts(&cluster), [("good:1".to_owned(), 2), ("good:2".to_owned(), 2)]);
    let name = cluster.deployment("web")["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.edit(Kind::Deployment, &name, |one| one["spec"]["replicas"] = json!(3));
    cluster.deployment_controller();
    cluster.edit(Kind::Deployment, &name, |one| one["spec"]["replicas"] = json!(2));
    let pods = of_two(&cluster);
    assert_eq!(pods.len(), 3);
    // One is healthy, one is young, and one was marked when it was young and is healthy by now.
    young(&mut cluster, &pods[1]);
    cluster.pass(1);
    let old = (cluster.now - SignedDuration::from_secs(60)).to_string();
    cluster.edit(Kind::Pod, &pods[2], |pod| {
        pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = json!(old);
        pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"] = json!("-1000");
    });

    cluster.apply(task_definition("web", "good:3"));
    cluster.settle();

    let expected = [("good:1".to_owned(), 2), ("good:2".to_owned(), 1), ("good:3".to_owned(), 0)];
    assert_eq!(counts(&cluster), expected, "with one old task fewer, 2 healthy ones would be left");
}

#[test]
fn when_another_task_was_marked_earlier_then_its_mark_is_taken_away_before_the_count_is_lowered() {
    let mut cluster = configured(3, &json!({}));
    let names: Vec<String> =
        cluster.list(Kind::Pod).iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    let cost = "controller.kubernetes.io/pod-deletion-cost";
    cluster.edit(Kind::Pod, &names[0], |pod| pod["metadata"]["annotations"][cost] = json!("-1000"));
    // It is too young to count, so it goes first.
    let now = cluster.now.to_string();
    cluster.edit(Kind::Pod, &names[1], |pod| {
        pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = json!(now);
    });
    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(2));

    cluster.settle();

    let costs: Vec<Value> =
        names.iter().map(|name| cluster.get(Kind::Pod, name)["metadata"]["annotations"][cost].clone()).collect();
    assert_eq!(costs, [json!("0"), json!("-1000"), Value::Null]);
    let lowered = cluster.log.iter().rposition(|line| line.contains("Deployment")).unwrap();
    let marked = cluster.log.iter().rposition(|line| line.contains("Pod")).unwrap();
    assert!(marked < lowered, "{:#?}", cluster.log);
    assert_eq!(cluster.deployment("web")["spec"]["replicas"], 2);
}

#[test]
fn when_a_status_is_lost_after_the_record_was_written_then_beginning_and_end_are_told_all_the_same() {
    let mut cluster = configured(2, &breaker(true));
    cluster.apply(task_definition("web", "bad:1"));
    let web = plan::ObjectKey::namespaced(Kind::Service, common::NAMESPACE, "web");
    let of = |cluster: &Cluster, text: &str| messages(cluster).iter().filter(|message| message.contains(text)).count();
    for _ in 0..400 {
        // Every other status of the service is lost, whatever it says.
        cluster.reconcile_without_status(&web);
        let writes = cluster.settle();
        let moved = cluster.deployment_controller();
        cluster.reconcile_without_status(&web);
        if writes == 0 && !moved && break_pods(&mut cluster, 2) == 0 {
            break;
        }
    }
    cluster.run();
    let ids: Vec<Value> = records(&cluster).iter().map(|record| record["spec"]["deploymentId"].clone()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert_eq!(of(&cluster, "deployment failed: tasks failed to start."), 1);
    assert_eq!(of(&cluster, "rolling back to deployment"), 1);
    assert_eq!(of(&cluster, &format!("(deployment {}) deployment completed.", ids[2].as_str().unwrap())), 1);
}
