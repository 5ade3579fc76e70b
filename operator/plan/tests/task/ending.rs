//! When a task is over although its Pod goes on: a row of the table per case.

use api::task_definition::TaskDefinitionSpec;
use ecs::lifecycle::StopCode;
use jiff::{SignedDuration, Timestamp};
use plan::core::facts::ClusterFeatures;
use plan::core::policy::NamespacePolicy;
use plan::pod::observe::{Task, observe};
use plan::pod::{TaskInput, pod};
use plan::{Kind, Stored};
use serde_json::{Value, json};

const STARTED: &str = "2026-03-01T10:00:00Z";

fn at(seconds: i64) -> Timestamp {
    STARTED.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// `migrate` must succeed, `cache` be healthy, `seed` be complete before `app` starts; `app` restarts in place unless it
/// exits with 9.
fn definition(replace: &str) -> TaskDefinitionSpec {
    serde_json::from_value(json!({
        "kubernetes": {"essentialContainerExit": replace},
        "containerDefinitions": [
            {"name": "app", "image": "a", "memory": 64, "restartPolicy": {"enabled": true, "ignoredExitCodes": [9]},
                "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"},
                    {"containerName": "cache", "condition": "HEALTHY"}, {"containerName": "seed", "condition": "COMPLETE"}]},
            {"name": "migrate", "image": "a", "memory": 64, "essential": false, "startTimeout": 30},
            {"name": "seed", "image": "a", "memory": 64, "essential": false, "startTimeout": 40},
            {"name": "cache", "image": "a", "memory": 64, "startTimeout": 50,
                "healthCheck": {"command": ["CMD", "true"], "interval": 10}},
        ],
    }))
    .unwrap()
}

fn task(replace: &str, statuses: &[(&str, Value)], now: Timestamp) -> Task {
    let definition = definition(replace);
    let input = TaskInput {
        task_definition: &definition,
        volume_configurations: &[],
        is_fargate: false,
        namespace: "shop",
        facts: &ClusterFeatures::default(),
        policy: &NamespacePolicy::default(),
        deployment: "1234567890123456789",
    };
    let list = |main: bool| -> Vec<Value> {
        let mine = statuses.iter().filter(|(name, _)| (*name == "app") == main);
        mine.map(|(name, status)| {
            let mut status = status.clone();
            status["name"] = json!(name);
            status
        })
        .collect()
    };
    let pod = json!({
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "resourceVersion": "7",
            "annotations": pod(&input).unwrap().annotations},
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Running", "containerStatuses": list(true), "initContainerStatuses": list(false)},
    });
    observe(&Stored::accept(Kind::Pod, pod).unwrap().decode().unwrap(), now)
}

fn runs() -> Value {
    json!({"ready": true, "started": true, "state": {"running": {"startedAt": STARTED}}})
}

fn starts() -> Value {
    json!({"ready": false, "started": false, "state": {"running": {"startedAt": STARTED}}})
}

fn ended(code: i64) -> Value {
    json!({"ready": false, "state": {"terminated": {"exitCode": code, "reason": "Error", "startedAt": STARTED}}})
}

/// It exited and runs again.
fn again(code: i64) -> Value {
    json!({"ready": true, "started": true, "restartCount": 1, "state": {"running": {"startedAt": STARTED}},
        "lastState": {"terminated": {"exitCode": code, "reason": "Error", "startedAt": STARTED}}})
}

fn waits() -> Value {
    json!({"ready": false, "state": {"waiting": {"reason": "PodInitializing"}}})
}

type Case = (&'static str, [Value; 4], i64, Option<(StopCode, &'static str, &'static str)>);

#[test]
fn when_containers_exit_fail_or_take_too_long_then_the_task_is_over_with_the_code_of_ecs() {
    use StopCode::{EssentialContainerExited as Exited, TaskFailedToStart as Failed};
    let exited = "Essential container in task exited";
    // app, migrate, seed, cache; seconds since their start.
    let cases: [Case; 12] = [
        ("all is well", [runs(), ended(0), ended(0), runs()], 1000, None),
        ("restarted by ECS too", [again(1), ended(0), ended(0), runs()], 60, None),
        ("an ignored code", [again(9), ended(0), ended(0), runs()], 60, Some((Exited, exited, "app"))),
        (
            "a sidecar that ECS does not restart",
            [runs(), ended(0), ended(0), again(0)],
            60,
            Some((Exited, exited, "cache")),
        ),
        (
            "migrate failed",
            [waits(), ended(3), waits(), waits()],
            5,
            Some((
                Failed,
                "Task failed to start: dependency on the success of container migrate failed: it exited with code 3",
                "migrate",
            )),
        ),
        (
            "migrate failed and runs again",
            [waits(), again(3), waits(), waits()],
            5,
            Some((
                Failed,
                "Task failed to start: dependency on the success of container migrate failed: it exited with code 3",
                "migrate",
            )),
        ),
        ("migrate is in time", [waits(), starts(), waits(), waits()], 29, None),
        (
            "migrate takes too long",
            [waits(), starts(), waits(), waits()],
            30,
            Some((
                Failed,
                "Task failed to start: dependency on container migrate timed out: it did not exit within 30 seconds",
                "migrate",
            )),
        ),
        ("complete with another code is tried again", [waits(), ended(0), ended(2), waits()], 39, None),
        (
            "seed takes too long",
            [waits(), ended(0), starts(), waits()],
            40,
            Some((
                Failed,
                "Task failed to start: dependency on container seed timed out: it did not exit within 40 seconds",
                "seed",
            )),
        ),
        ("cache is in time", [waits(), ended(0), ended(0), starts()], 49, None),
        (
            "cache takes too long",
            [waits(), ended(0), ended(0), starts()],
            50,
            Some((
                Failed,
                "Task failed to start: dependency on container cache timed out: it did not become healthy within 50 seconds",
                "cache",
            )),
        ),
    ];
    for (name, [app, migrate, seed, cache], seconds, expected) in cases {
        let statuses = [("app", app), ("migrate", migrate), ("seed", seed), ("cache", cache)];
        let task = task("ReplaceTask", &statuses, at(seconds));
        let ending = task.ending.map(|ending| (ending.stop_code, ending.reason, ending.container.unwrap()));
        let expected = expected.map(|(code, reason, container)| (code, reason.to_owned(), container.to_owned()));
        assert_eq!(ending, expected, "{name}");
    }
}

#[test]
fn when_somebody_waits_for_a_container_then_the_task_is_looked_at_again_when_its_time_is_over() {
    let statuses = [("app", waits()), ("migrate", starts()), ("seed", waits()), ("cache", waits())];
    assert_eq!(task("ReplaceTask", &statuses, at(10)).changes_at, Some(at(30)));
}

#[test]
fn when_containers_restart_in_place_then_only_failed_dependencies_end_the_task() {
    let exits = [("app", again(9)), ("migrate", ended(0)), ("seed", ended(0)), ("cache", again(1))];
    assert_eq!(task("RestartInPlace", &exits, at(60)).ending, None);
    let fails = [("app", waits()), ("migrate", ended(1)), ("seed", waits()), ("cache", waits())];
    assert_eq!(task("RestartInPlace", &fails, at(5)).ending.unwrap().stop_code, StopCode::TaskFailedToStart);
}

#[test]
fn when_a_task_is_over_then_its_containers_are_known_with_their_last_exits() {
    let statuses = [("app", again(9)), ("migrate", ended(0)), ("seed", ended(0)), ("cache", runs())];
    let task = task("ReplaceTask", &statuses, at(60));
    let codes: Vec<(String, Option<i64>)> = task.containers.into_iter().map(|end| (end.name, end.exit_code)).collect();
    let expected = [("app", Some(9)), ("migrate", Some(0)), ("seed", Some(0)), ("cache", None)];
    assert_eq!(codes, expected.map(|(name, code)| (name.to_owned(), code)));
    assert_eq!(task.started_at, Some(at(0)));
}
