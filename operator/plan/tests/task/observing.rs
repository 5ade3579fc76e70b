//! Pods read back as tasks: one row of the table of states per test.

use api::conditions::Reason;
use api::task_definition::TaskDefinitionSpec;
use ecs::health::HealthStatus;
use ecs::lifecycle::{LastStatus, StopCode};
use jiff::Timestamp;
use plan::core::facts::ClusterFeatures;
use plan::core::policy::NamespacePolicy;
use plan::pod::observe::{PodView, Task, observe};
use plan::pod::pod;
use plan::{Kind, Stored};
use serde_json::{Value, json};

use super::input;

const STARTED: &str = "2026-03-01T10:00:00Z";

/// Seconds after [`STARTED`].
fn at(seconds: i64) -> Timestamp {
    STARTED.parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(seconds)
}

/// `app` (essential, with a health check or not), `helper` (not essential) and `init` (ends first).
fn annotations(has_health_check: bool) -> Value {
    let mut app = json!({"name": "App_1", "image": "a", "memory": 64, "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}]});
    if has_health_check {
        app["healthCheck"] = json!({"command": ["CMD", "true"], "interval": 10, "retries": 3, "startPeriod": 30});
    }
    let definition: TaskDefinitionSpec = serde_json::from_value(json!({"containerDefinitions": [
        app,
        {"name": "helper", "image": "a", "memory": 64, "essential": false},
        {"name": "init", "image": "a", "memory": 64, "essential": false},
    ]}))
    .unwrap();
    json!(pod(&input(&definition, &ClusterFeatures::default(), &NamespacePolicy::default())).unwrap().annotations)
}

fn app_name() -> String {
    ecs::name::dns_label("App_1", 63)
}

fn running(name: &str, ready: bool) -> Value {
    json!({"name": name, "ready": ready, "restartCount": 0, "state": {"running": {"startedAt": STARTED}}})
}

fn waiting(name: &str, reason: &str, message: &str) -> Value {
    json!({"name": name, "ready": false, "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}})
}

fn ended(name: &str, code: i64, reason: &str) -> Value {
    json!({"name": name, "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": code, "reason": reason}}})
}

fn pod_of(has_health_check: bool, app: Value, helper: Value, init: Value) -> Value {
    json!({
        "metadata": {
            "name": "web-1", "namespace": "shop", "uid": "0a1b2c3d-0000-4000-8000-00000000abcd", "resourceVersion": "7",
            "creationTimestamp": "2026-03-01T09:59:00Z",
            "labels": {"ecs-operator.dev/deployment-id": "1234567890123456789", "ecs-operator.dev/revision": "3",
                       "ecs-operator.dev/capacity-provider": "FARGATE"},
            "annotations": annotations(has_health_check),
        },
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Running", "containerStatuses": [app, helper], "initContainerStatuses": [init]},
    })
}

fn healthy_pod(has_health_check: bool) -> Value {
    pod_of(has_health_check, running(&app_name(), true), running("helper", true), ended("init", 0, "Completed"))
}

fn task_at(pod: Value, now: Timestamp) -> Task {
    let stored = Stored::accept(Kind::Pod, pod).unwrap();
    observe(&stored.view::<PodView>().unwrap(), now)
}

fn task(pod: Value) -> Task {
    task_at(pod, at(60))
}

#[test]
fn when_all_containers_run_then_the_task_is_running_and_knows_where_it_comes_from() {
    let task = task(healthy_pod(true));
    assert_eq!(task.last_status, LastStatus::Running);
    assert_eq!(task.id, "0a1b2c3d000040008000 00000000abcd".replace(' ', ""));
    assert_eq!(task.deployment_id.as_deref(), Some("1234567890123456789"));
    assert_eq!((task.revision, task.capacity_provider.as_deref()), (Some(3), Some("FARGATE")));
    assert_eq!((task.running_since, task.created_at), (Some(at(0)), at(-60)));
    assert_eq!((task.trouble, task.stop_code, task.failed_attempts), (None, None, vec![]));
}

#[test]
fn when_a_pod_says_until_when_it_is_protected_then_the_task_is_until_then() {
    let protected = |text: &str, now: i64| {
        let mut pod = healthy_pod(true);
        pod["metadata"]["annotations"][plan::core::labels::PROTECTED_UNTIL] = json!(text);
        let task = task_at(pod, at(now));
        (task.protected_until, task.changes_at)
    };
    assert_eq!(protected("2026-03-01T10:10:00Z", 60), (Some(at(600)), Some(at(600))));
    assert_eq!(protected(" 2026-03-01T12:10:00+02:00\n", 60), (Some(at(600)), Some(at(600))));
    for (text, now) in [("2026-03-01T10:10:00Z", 600), ("soon", 60), ("", 60), ("2026-03-01", 60), ("600", 60)] {
        assert_eq!(protected(text, now), (None, None), "{text}");
    }
    // Further ahead than ECS would take, and taken for what it says.
    assert_eq!(protected("2027-03-01T10:00:00Z", 60).0, Some(at(365 * 24 * 3600)));
}

#[test]
fn when_there_is_no_health_check_then_a_task_counts_40_seconds_after_it_runs_and_its_health_stays_unknown() {
    let early = task_at(healthy_pod(false), at(39));
    assert!(!early.is_healthy_for_deployment);
    assert_eq!(early.changes_at, Some(at(40)));
    let late = task_at(healthy_pod(false), at(40));
    assert!(late.is_healthy_for_deployment);
    assert_eq!((late.changes_at, late.health), (None, HealthStatus::Unknown));
}

#[test]
fn when_there_is_a_health_check_then_a_task_counts_as_soon_as_it_is_healthy() {
    let task = task_at(healthy_pod(true), at(1));
    assert!(task.is_healthy_for_deployment);
    assert_eq!(task.health, HealthStatus::Healthy);
}

#[test]
fn when_checks_fail_through_start_period_and_retries_then_the_task_is_unhealthy() {
    let pod = || pod_of(true, running(&app_name(), false), running("helper", true), ended("init", 0, "Completed"));
    // 30 s start period and 3 checks at 10 s.
    let early = task_at(pod(), at(59));
    assert_eq!((early.health, early.changes_at), (HealthStatus::Unknown, Some(at(60))));
    let late = task_at(pod(), at(60));
    assert_eq!((late.health, late.last_status), (HealthStatus::Unhealthy, LastStatus::Running));
    assert!(!late.is_healthy_for_deployment);
}

fn with_ready(mut pod: Value, status: &str, since: i64) -> Value {
    let condition = json!({"type": "Ready", "status": status, "lastTransitionTime": at(since).to_string()});
    pod["status"]["conditions"] = json!([condition]);
    pod
}

#[test]
fn when_a_healthy_container_turns_unready_then_it_is_unhealthy_after_as_many_checks_as_ecs_asks_for() {
    // A kubelet that starts again says so of every probed container until the next check.
    let unready = || pod_of(true, running(&app_name(), false), running("helper", true), ended("init", 0, "Completed"));
    let early = task_at(with_ready(unready(), "False", 600), at(629));
    assert_eq!((early.health, early.changes_at), (HealthStatus::Unknown, Some(at(630))));
    assert!(!early.is_healthy_for_deployment);
    assert_eq!(task_at(with_ready(unready(), "False", 600), at(630)).health, HealthStatus::Unhealthy);
    // Never ready: the start period counts.
    assert_eq!(task_at(with_ready(unready(), "False", -60), at(59)).health, HealthStatus::Unknown);
    assert_eq!(task_at(with_ready(unready(), "False", -60), at(60)).health, HealthStatus::Unhealthy);
}

#[test]
fn when_kubernetes_takes_the_pod_for_lost_then_it_does_not_count_as_healthy_though_its_containers_do() {
    // The node is not Ready: the condition turns, and what the kubelet said of containers stays.
    let lost = task(with_ready(healthy_pod(true), "False", 30));
    assert!(!lost.is_healthy_for_deployment);
    assert_eq!((lost.health, lost.last_status), (HealthStatus::Healthy, LastStatus::Running));
    assert!(task(with_ready(healthy_pod(true), "True", 30)).is_healthy_for_deployment);
    // A container that somebody injected is not ready.
    let mut injected = with_ready(healthy_pod(true), "False", 30);
    let containers = injected["status"]["containerStatuses"].as_array_mut().unwrap();
    containers.push(running("istio-proxy", false));
    assert!(!task(injected).is_healthy_for_deployment);
}

#[test]
fn when_a_helper_ended_then_the_task_goes_on_and_stays_healthy() {
    let mut pod = pod_of(true, running(&app_name(), true), ended("helper", 1, "Error"), ended("init", 0, "Completed"));
    pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]);
    let task = task(pod);
    assert_eq!((task.last_status, task.health), (LastStatus::Running, HealthStatus::Healthy));
    assert!(task.is_healthy_for_deployment);
    assert_eq!((task.trouble, task.failed_attempts), (None, vec![]));
}

#[test]
fn when_an_essential_container_ended_with_0_then_it_is_the_end_of_the_task() {
    let task = task(pod_of(false, ended(&app_name(), 0, "Completed"), running("helper", true), ended("init", 0, "")));
    assert_eq!(task.stop_code, Some(StopCode::EssentialContainerExited));
    assert_eq!(task.stopped_reason.as_deref(), Some("Essential container in task exited"));
    assert_eq!(task.failed_attempts, [0]);
    let trouble = task.trouble.unwrap();
    assert_eq!(trouble.reason, Reason::EssentialContainerExited);
    assert_eq!(trouble.message, "Essential container in task exited: container App_1 exited with code 0");
}

#[test]
fn when_an_essential_container_waits_to_be_started_again_then_each_end_was_a_failed_task() {
    let mut app = waiting(&app_name(), "CrashLoopBackOff", "back-off 10s restarting failed container");
    app["restartCount"] = json!(4);
    app["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    let task = task(pod_of(false, app, running("helper", true), ended("init", 0, "Completed")));
    assert_eq!(task.last_status, LastStatus::Activating);
    // Restarted 4 times, and ended once more. How long it ran before is not known any more.
    assert_eq!(task.failed_attempts, [4]);
    let message = task.trouble.unwrap().message;
    assert!(message.ends_with("code 137: OutOfMemoryError: Container killed due to memory usage"), "{message}");
}

#[test]
fn when_a_container_worked_before_it_ended_then_its_end_is_no_failed_task() {
    let init = ended("init", 0, "Completed");
    let ended = |seconds: i64| json!({"terminated": {"exitCode": 0, "startedAt": at(-300).to_string(), "finishedAt": at(seconds - 300).to_string()}});
    for (before, now, failed) in [(39, 60, vec![1]), (40, 60, vec![]), (40, 1, vec![2]), (1, 1, vec![1, 2])] {
        let mut app = running(&app_name(), false);
        app["restartCount"] = json!(2);
        (app["lastState"], app["state"]) = (ended(before), ended(now));
        let task = task(pod_of(false, app, running("helper", true), init.clone()));
        assert_eq!(task.failed_attempts, failed, "{before} {now}");
    }
}

#[test]
fn when_an_image_cannot_be_pulled_then_the_trouble_has_the_word_of_ecs() {
    let app = waiting(&app_name(), "ImagePullBackOff", "Back-off pulling image \"nope:1\"");
    let mut pod = pod_of(true, app, running("helper", true), ended("init", 0, "Completed"));
    pod["status"]["phase"] = json!("Pending");
    let task = task(pod);
    assert_eq!((task.last_status, task.stop_code), (LastStatus::Activating, Some(StopCode::TaskFailedToStart)));
    let trouble = task.trouble.unwrap();
    assert_eq!(trouble.reason, Reason::CannotPullContainerError);
    assert_eq!(trouble.message, "CannotPullContainerError: Back-off pulling image \"nope:1\" (container App_1)");
}

#[test]
fn when_a_node_repeats_text_that_turns_or_breaks_lines_then_it_is_harmless_in_every_text_of_the_task() {
    let app = waiting(&app_name(), "ImagePullBackOff", "Back-off\u{2028}pulling \u{202e}egap\u{1b}[31m");
    let pod = pod_of(true, app, running("helper", true), ended("init", 0, "Completed"));
    let trouble = task(pod).trouble.unwrap();
    assert!(trouble.message.contains("Back-off\u{fffd}pulling \u{fffd}egap [31m"), "{}", trouble.message);
}

#[test]
fn when_a_secret_is_missing_then_its_name_is_known() {
    for (message, name) in
        [("secret \"db-password\" not found", "db-password"), ("couldn't find key password in Secret shop/db", "db")]
    {
        let app = waiting(&app_name(), "CreateContainerConfigError", message);
        let task = task(pod_of(true, app, running("helper", true), ended("init", 0, "Completed")));
        assert_eq!(task.missing_secret.as_deref(), Some(name));
        assert_eq!(task.trouble.unwrap().reason, Reason::ResourceInitializationError);
    }
}

#[test]
fn when_a_container_whose_end_others_wait_for_fails_then_the_task_has_failed_as_often() {
    let mut init = waiting("init", "CrashLoopBackOff", "");
    init["restartCount"] = json!(2);
    init["lastState"] = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
    let mut pod =
        pod_of(true, waiting(&app_name(), "PodInitializing", ""), waiting("helper", "PodInitializing", ""), init);
    pod["status"]["phase"] = json!("Pending");
    let task = task(pod);
    assert_eq!(
        (task.last_status, task.failed_attempts),
        (LastStatus::Activating, vec![2_000_000, 2_000_001, 2_000_002])
    );
    let trouble = task.trouble.unwrap();
    assert_eq!(trouble.reason, Reason::TaskFailedToStart);
    assert_eq!(trouble.message, "A container that others wait for failed: container init exited with code 3");
}

#[test]
fn when_no_node_has_room_then_the_task_is_pending_and_when_its_volume_is_made_it_is_provisioning() {
    for (message, status) in [
        ("0/3 nodes are available: 3 Insufficient cpu.", LastStatus::Pending),
        ("pod has unbound immediate PersistentVolumeClaims", LastStatus::Provisioning),
    ] {
        let mut pod = healthy_pod(true);
        pod["spec"] = json!({});
        pod["status"] = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]});
        let task = task(pod);
        assert_eq!(task.last_status, status);
        assert_eq!(task.trouble.unwrap().reason, Reason::TaskPlacementFailure);
        assert_eq!((task.health, task.is_healthy_for_deployment), (HealthStatus::Unknown, false));
    }
}

#[test]
fn when_a_pod_is_deleted_then_the_task_stops_since_the_request_on_behalf_of_its_deployment() {
    let mut pod = healthy_pod(true);
    pod["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:01:20Z");
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    let task = task(pod);
    assert_eq!((task.last_status, task.is_stopping), (LastStatus::Stopping, true));
    assert_eq!(task.stopping_since, Some(at(50)));
    assert_eq!(task.stop_code, Some(StopCode::ServiceSchedulerInitiated));
    let reason = task.stopped_reason.unwrap();
    assert!(reason.contains("(deployment ecs-svc/1234567890123456789)"), "{reason}");
    assert!(!task.is_healthy_for_deployment);
    assert_eq!(task.trouble, None);
}

#[test]
fn when_the_node_takes_the_pod_away_then_the_infrastructure_is_the_cause() {
    let mut pod = healthy_pod(true);
    pod["status"]["phase"] = json!("Failed");
    pod["status"]["reason"] = json!("Evicted");
    pod["status"]["message"] = json!("The node was low on resource: memory.");
    let task = task(pod);
    assert_eq!((task.last_status, task.stop_code), (LastStatus::Stopped, Some(StopCode::InfrastructureHealth)));
    assert_eq!(task.stopped_reason.as_deref(), Some("The node was low on resource: memory."));
    assert!(task.is_stopping);
}

#[test]
fn when_a_kubelet_refuses_a_kernel_parameter_then_the_task_tells_it() {
    let mut pod = healthy_pod(false);
    pod["status"] = json!({"phase": "Failed", "reason": "SysctlForbidden", "message": "forbidden sysctl: \"net.core.somaxconn\" not allowlisted"});
    let task = task(pod);
    assert!(task.is_refused_by_node);
    let trouble = task.trouble.unwrap();
    assert_eq!(trouble.reason, Reason::TaskFailedToStart);
    assert_eq!(trouble.message, "SysctlForbidden: forbidden sysctl: \"net.core.somaxconn\" not allowlisted");
    assert!(!task_at(healthy_pod(false), at(60)).is_refused_by_node);
}

#[test]
fn when_a_restart_is_ecs_s_own_then_it_is_no_failure() {
    let definition: TaskDefinitionSpec = serde_json::from_value(json!({"containerDefinitions": [
        {"name": "app", "image": "a", "memory": 64, "restartPolicy": {"enabled": true, "ignoredExitCodes": [9]}},
    ]}))
    .unwrap();
    let annotations =
        json!(pod(&input(&definition, &ClusterFeatures::default(), &NamespacePolicy::default())).unwrap().annotations);
    for (code, failed) in [(1, vec![]), (9, vec![4])] {
        let mut pod = healthy_pod(false);
        pod["metadata"]["annotations"] = annotations.clone();
        let mut app = running("app", true);
        app["restartCount"] = json!(5);
        app["lastState"] = json!({"terminated": {"exitCode": code, "reason": "Error"}});
        pod["status"] = json!({"phase": "Running", "containerStatuses": [app]});
        let task = task(pod);
        assert_eq!((task.failed_attempts, task.last_status), (failed, LastStatus::Running), "exit code {code}");
    }
}

#[test]
fn when_the_annotation_is_missing_or_broken_then_all_containers_count_as_essential() {
    for annotations in [json!({}), json!({"ecs-operator.dev/containers": "nonsense"})] {
        let mut pod = healthy_pod(false);
        pod["metadata"]["annotations"] = annotations;
        let task = task(pod);
        assert_eq!(task.last_status, LastStatus::Running);
        assert!(task.is_healthy_for_deployment);
    }
}
