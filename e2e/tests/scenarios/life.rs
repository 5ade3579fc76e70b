//! How tasks end: what ECS replaces is replaced, and the record says why.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::fate;
use e2e::scenario::Scenario;
use e2e::scenario::condition::is_true;
use e2e::scenario::json::{find, text};
use e2e::scenario::manifest::{self, with, with_container};
use e2e::scenario::sampler::{exists, tasks};
use serde_json::{Value, json};

/// `app` (essential, a health check every 5 s, 2 retries) beside `helper` (not essential).
fn two_containers(family: &str) -> Value {
    let mut definition = manifest::task_definition(family);
    let containers = definition["spec"]["containerDefinitions"].as_array_mut().unwrap();
    containers[0]["healthCheck"]["retries"] = json!(2);
    let helper = json!({
        "name": "helper", "image": manifest::IMAGE, "cpu": 16, "memory": 16, "essential": false,
        "command": ["sleep", "86400"],
    });
    containers.push(helper);
    definition
}

fn service(more: Value) -> Value {
    with(manifest::service("web", 1), more)
}

async fn is_replaced(scenario: &Scenario, before: &[String]) -> Result<()> {
    scenario
        .then_within(60)
        .until("the task is replaced", |objects| {
            let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
            let now: Vec<&str> = pods.map(|pod| text(pod, "/metadata/uid")).collect();
            let is_new = now.len() == 1 && before.iter().all(|old| old != now[0]);
            if is_new { Ok(()) } else { Err(format!("tasks are {now:?}")) }
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_essential_container_exits_then_the_task_is_replaced_and_its_exit_code_recorded() -> Result<()> {
    for (code, name) in [("0", "exit-0"), ("42", "exit-42")] {
        Scenario::run_on_kwok(name, async |scenario| {
            scenario.given([manifest::cluster("main", &[]), two_containers("web"), service(json!({}))]).await?;
            scenario.then_within(60).the_service("web").is_steady().await?;
            let before = scenario.task_uids("web");
            scenario.when_fate_changes("web", fate::CONTAINER, Some("app")).await?;
            scenario.when_fate_changes("web", fate::EXIT_CODE, Some(code)).await?;
            let record = scenario.then_within(60).the_service("web").has_stopped_a_task().await?;
            ensure!(text(&record, "/stopCode") == "EssentialContainerExited", "{record}");
            ensure!(text(&record, "/stoppedReason") == "Essential container in task exited", "{record}");
            ensure!(text(&record, "/uid") == before[0] && text(&record, "/taskDefinition") == "web:1", "{record}");
            let app = &record["containers"][0];
            ensure!(app["exitCode"].as_i64() == code.parse().ok() && app["endedTheTask"] == true, "{record}");
            ensure!(record["containers"][1].get("exitCode").is_none(), "the helper ran: {record}");
            let id = text(&record, "/taskArn").rsplit('/').next().unwrap_or_default().to_owned();
            let told = format!("(service web) has stopped 1 running tasks: (task {id}).");
            scenario.then_within(10).the_service("web").tells(&told).await?;
            is_replaced(scenario, &before).await?;
            // The next task has no such fate.
            scenario.then_within(60).the_service("web").is_steady().await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_container_that_is_not_essential_exits_then_it_stays_stopped_and_the_task_goes_on() -> Result<()> {
    Scenario::run_on_kwok("helper", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), two_containers("web"), service(json!({}))]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let before = scenario.task_uids("web");
        scenario.when_fate_changes("web", fate::CONTAINER, Some("helper")).await?;
        scenario.when_fate_changes("web", fate::EXIT_CODE, Some("7")).await?;
        let pod = scenario.objects("Pod").into_iter().next().unwrap_or_default();
        let ended = |pod: &Value| {
            let statuses = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
            statuses.iter().any(|one| one["name"] == "helper" && one["state"]["terminated"]["exitCode"] == 7)
        };
        scenario.then_within(30).object("Pod", text(&pod, "/metadata/name"), "has ended its helper", ended).await?;
        // Kubernetes takes the pod for not ready; for ECS it is as healthy as before.
        scenario.then_within(20).the_service("web").is_steady().await?;
        // A rollout goes on although the old tasks, and the new ones, are not ready.
        let again = with_container(two_containers("web"), json!({ "cpu": 65 }));
        let fates = json!({ "kubernetes": { "podAnnotations": { fate::CONTAINER: "helper", fate::EXIT_CODE: "7" } } });
        scenario.when_applied([service(fates), again]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:2").await?;
        let service = scenario.object("ECSService", "web").unwrap_or_default();
        ensure!(service["status"].get("stoppedTasks").is_none(), "{}", service["status"]);
        ensure!(!scenario.task_uids("web").contains(&before[0]), "the rollout replaced nothing");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_task_becomes_unhealthy_then_it_is_replaced_after_the_grace_period_and_not_before() -> Result<()> {
    Scenario::run_on_kwok("unhealthy", async |scenario| {
        let grace = json!({ "healthCheckGracePeriodSeconds": 25 });
        scenario.given([manifest::cluster("main", &[]), two_containers("web"), service(grace)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let before = scenario.task_uids("web");
        scenario.when_fate_changes("web", fate::CONTAINER, Some("app")).await?;
        scenario.when_fate_changes("web", fate::UNREADY, Some("true")).await?;
        let record = scenario.then_within(60).the_service("web").has_stopped_a_task().await?;
        ensure!(text(&record, "/stopCode") == "ServiceSchedulerInitiated", "{record}");
        ensure!(text(&record, "/stoppedReason") == "Task failed container health checks", "{record}");
        let time = |pointer: &str| text(&record, pointer).parse::<jiff::Timestamp>();
        let lived = time("/stoppedAt")?.duration_since(time("/startedAt")?).as_secs();
        ensure!((25..40).contains(&lived), "stopped {lived} s after its start");
        let id = text(&record, "/taskArn").rsplit('/').next().unwrap_or_default().to_owned();
        let told = format!("(service web) (task {id}) failed container health checks.");
        scenario.then_within(10).the_service("web").tells(&told).await?;
        is_replaced(scenario, &before).await?;
        scenario.then_within(60).the_service("web").is_steady().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_keep_ending_right_after_their_start_then_they_are_not_replaced_without_a_pause() -> Result<()> {
    Scenario::run_on_kwok("failing", async |scenario| {
        let fates = json!({ "kubernetes": { "podAnnotations": { fate::CONTAINER: "app", fate::EXIT_CODE: "1" } } });
        scenario.given([manifest::cluster("main", &[]), two_containers("web"), service(fates)]).await?;
        let times = scenario
            .then_within(90)
            .until("five tasks are recorded as stopped", |objects| {
                let service = find(objects, "ECSService", "web").ok_or("there is no service")?;
                let list =
                    service.pointer("/status/stoppedTasks").and_then(Value::as_array).cloned().unwrap_or_default();
                let times: Vec<jiff::Timestamp> =
                    list.iter().rev().filter_map(|record| text(record, "/stoppedAt").parse().ok()).collect();
                if times.len() >= 5 { Ok(times) } else { Err(format!("{} are", times.len())) }
            })
            .await?;
        // Three at once, then one every ten seconds.
        for pair in times.windows(2).skip(2) {
            let pause = pair[1].duration_since(pair[0]).as_millis();
            ensure!(pause >= 10_000, "a pause of {pause} ms in {times:?}");
        }
        let said = scenario
            .then_within(20)
            .the_service("web")
            .has(is_true(ConditionType::Stalled, Reason::EssentialContainerExited))
            .await?;
        ensure!(said.contains("container app exited with code 1"), "{said}");
        // ECS says that it cannot start tasks only of those that stop before they run.
        let service = scenario.object("ECSService", "web").unwrap();
        let events = service["status"]["events"].to_string();
        ensure!(!events.contains("unable to consistently start"), "{events}");
        Ok(())
    })
    .await
}
