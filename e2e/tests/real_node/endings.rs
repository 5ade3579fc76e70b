//! When tasks end: by the exit of an essential container, by a dependency that fails or takes too long, by their health.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, and, real_container, real_task_definition};
use e2e::scenario::task::{describe, status};
use serde_json::{Value, json};

use super::{given_a_task, given_a_task_with};

const CODES: [&str; 5] = ["0", "1", "42", "137", "143"];

/// A container that is not essential.
fn helper(name: &str, command: &[&str]) -> Value {
    and(real_container(name, "app", command), json!({ "essential": false }))
}

fn depends_on(container: &str, condition: &str) -> Value {
    json!({ "dependsOn": [{ "containerName": container, "condition": condition }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_essential_container_exits_beside_others_then_the_task_is_replaced_whatever_the_code() -> Result<()> {
    Scenario::run("essential", async |scenario| {
        for code in CODES {
            let app = real_container("app", "app", &["exit", code, "3s"]);
            let other = real_container("other", "app", &["sleep"]);
            given_a_task(scenario, &format!("web-{code}"), &[app, other, helper("helper", &["sleep"])]).await?;
        }
        for code in CODES {
            let name = format!("web-{code}");
            let record = scenario.then_within(60).the_service(&name).has_stopped_a_task().await?;
            ensure!(text(&record, "/stopCode") == "EssentialContainerExited", "{record}");
            let containers = record["containers"].as_array().context("no containers")?;
            ensure!(containers[0]["exitCode"].as_i64() == code.parse().ok(), "{record}");
            ensure!(containers[0]["endedTheTask"] == true, "{record}");
            ensure!(containers[1..].iter().all(|other| other.get("exitCode").is_none()), "{record}");
            let first = text(&record, "/uid").to_owned();
            let is_another = |pod: &Value| pod["metadata"]["uid"] != first;
            scenario.then_within(60).pod(&name, "it is another task", is_another).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_containers_that_are_not_essential_exit_then_they_stay_stopped_whatever_the_code() -> Result<()> {
    Scenario::run("helpers", async |scenario| {
        let mut containers = vec![real_container("app", "app", &["serve", "8080"])];
        containers.extend(CODES.map(|code| helper(&format!("helper-{code}"), &["exit", code])));
        given_a_task(scenario, "web", &containers).await?;
        let all_ended = |pod: &Value| {
            CODES.iter().all(|code| {
                let status = status(pod, &format!("helper-{code}"));
                let end = status.and_then(|status| status.pointer("/state/terminated/exitCode"));
                end.and_then(Value::as_i64) == code.parse().ok()
            })
        };
        let task = scenario.then_within(60).pod("web", "its helpers have ended", all_ended).await?;
        let uids = scenario.task_uids("web");
        let stays = |objects: &e2e::scenario::Objects| {
            let pods = e2e::scenario::sampler::tasks(objects, "web");
            let restarts = |pod: &Value| e2e::scenario::task::statuses(pod).any(|one| one["restartCount"] != 0);
            let other =
                pods.into_iter().find(|pod| pod["metadata"]["uid"] != uids[0] || restarts(pod) || !all_ended(pod));
            other.map_or(Ok(()), |pod| Err(describe(pod)))
        };
        scenario.view().stays("the task and its helpers are as they were", Duration::from_secs(15), stays).await?;
        let answer = scenario.then_within(10).get(&task, 8080, "/").await?;
        ensure!(!answer.is_empty(), "the app does not answer");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_dependency_fails_or_takes_too_long_then_the_task_is_replaced_and_the_record_says_why() -> Result<()> {
    Scenario::run("dependencies", async |scenario| {
        let app = |more: Value| and(real_container("app", "app", &["serve", "8080"]), more);
        let limit = |container: Value, seconds: i64| and(container, json!({ "startTimeout": seconds }));
        let never_healthy =
            json!({ "healthCheck": { "command": ["CMD", "/bin/false"], "interval": 5, "retries": 10 } });
        let cases = [
            (
                "failed",
                helper("migrate", &["exit", "3"]),
                "SUCCESS",
                "dependency on the success of container migrate failed: it exited with code 3",
            ),
            (
                "slow",
                limit(helper("migrate", &["sleep"]), 4),
                "SUCCESS",
                "dependency on container migrate timed out: it did not exit within 4 seconds",
            ),
            (
                "endless",
                limit(helper("migrate", &["sleep"]), 5),
                "COMPLETE",
                "dependency on container migrate timed out: it did not exit within 5 seconds",
            ),
            (
                "sick",
                limit(and(real_container("migrate", "shell", &["/bin/taskapp", "sleep"]), never_healthy), 12),
                "HEALTHY",
                "dependency on container migrate timed out: it did not become healthy within 12 seconds",
            ),
        ];
        for (name, dependency, condition, _) in &cases {
            given_a_task(scenario, name, &[dependency.clone(), app(depends_on("migrate", condition))]).await?;
        }
        // And one that holds: COMPLETE of a container that ends well.
        let seed = helper("migrate", &["exit", "0", "1s"]);
        given_a_task(scenario, "complete", &[seed, app(depends_on("migrate", "COMPLETE"))]).await?;
        for (name, _, _, why) in &cases {
            let record = scenario.then_within(60).the_service(name).has_stopped_a_task().await.context(*name)?;
            ensure!(text(&record, "/stopCode") == "TaskFailedToStart", "{record}");
            ensure!(text(&record, "/stoppedReason") == format!("Task failed to start: {why}"), "{record}");
            ensure!(record.get("startedAt").is_none(), "its app has started: {record}");
        }
        let task = scenario.then_within(60).a_task_of("complete").await?;
        let time = |container: &str, pointer: &str| {
            let status = status(&task, container).with_context(|| format!("no {container}"))?;
            Ok::<_, anyhow::Error>(text(status, pointer).parse::<jiff::Timestamp>()?)
        };
        ensure!(time("migrate", "/state/terminated/finishedAt")? <= time("app", "/state/running/startedAt")?);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_health_check_turns_bad_then_the_task_is_replaced_after_the_grace_period_and_not_before() -> Result<()> {
    Scenario::run("sick", async |scenario| {
        // Good for 8 seconds and bad after that: two checks, 5 seconds apart, find it out by about 20 seconds. Then its
        // replacement is started and checked, since there is room for it, before the task is stopped.
        let script = "touch /tmp/ok; (sleep 8; rm /tmp/ok) & exec taskapp sleep";
        let check =
            json!({ "command": ["CMD", "/bin/taskapp", "test", "/tmp/ok"], "interval": 5, "timeout": 2, "retries": 2 });
        let app = real_container("app", "shell", &["-c", script]);
        let app = and(app, json!({ "entryPoint": ["/bin/sh"], "healthCheck": check }));
        let definition = real_task_definition("web", &[app, helper("helper", &["sleep"])]);
        let service = |name: &str, grace: i64| {
            let more = json!({ "taskDefinition": "web", "healthCheckGracePeriodSeconds": grace });
            manifest::with(manifest::service(name, 1), more)
        };
        scenario
            .given([manifest::cluster("main", &[]), definition, service("patient", 40), service("strict", 0)])
            .await?;
        for (name, least, most) in [("strict", 8, 75), ("patient", 40, 100)] {
            let record = scenario.then_within(90).the_service(name).has_stopped_a_task().await?;
            ensure!(text(&record, "/stoppedReason") == "Task failed container health checks", "{record}");
            let time = |pointer: &str| text(&record, pointer).parse::<jiff::Timestamp>();
            let lived = time("/stoppedAt")?.duration_since(time("/startedAt")?).as_secs();
            ensure!((least..most).contains(&lived), "{name} was stopped {lived} s after its start");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_container_has_a_restart_policy_then_it_is_restarted_unless_its_code_is_ignored() -> Result<()> {
    Scenario::run("restarts", async |scenario| {
        let policy = json!({ "restartPolicy": { "enabled": true, "ignoredExitCodes": [0, 9] } });
        let restarting = |name: &str, code: &str| and(helper(name, &["exit", code, "1s"]), policy.clone());
        let containers =
            [real_container("app", "app", &["serve", "8080"]), restarting("again", "1"), restarting("ignored", "9")];
        given_a_task_with(scenario, "web", &containers, json!({})).await?;
        let as_stated = |pod: &Value| {
            let restarts = |name: &str| status(pod, name).and_then(|one| one["restartCount"].as_i64());
            restarts("again") > Some(1) && restarts("ignored") == Some(0)
        };
        let task = scenario.then_within(60).pod("web", "one container was restarted and one not", as_stated).await?;
        let ended = status(&task, "ignored").and_then(|one| one.pointer("/state/terminated/exitCode").cloned());
        ensure!(ended == Some(json!(9)), "{}", describe(&task));
        Ok(())
    })
    .await
}
