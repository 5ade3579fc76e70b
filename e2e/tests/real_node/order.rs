//! The order in which containers start and stop, told by lines that they add to one file.

use anyhow::{Context, Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{and, real_container};
use e2e::scenario::task::status;
use serde_json::{Value, json};
use std::time::Duration;

use super::{given_a_task, given_a_task_with, reader, shared_volume};

/// A shell container that shares the file `/order/log`.
fn marking(name: &str, script: &str, more: Value) -> Value {
    let container = and(real_container(name, "shell", &["-c", script]), json!({ "entryPoint": ["/bin/sh"] }));
    and(and(container, json!({ "mountPoints": [{ "sourceVolume": "order", "containerPath": "/order" }] })), more)
}

/// The second word of each line; the first is the time.
fn names(lines: &[impl AsRef<str>]) -> Vec<String> {
    lines.iter().filter_map(|line| Some(line.as_ref().split_once(' ')?.1.to_owned())).collect()
}

/// Every name is before the next one of its pair.
fn in_order(names: &[String], pairs: &[(&str, &str)]) -> Result<()> {
    for (first, second) in pairs {
        let at = |wanted: &str| names.iter().position(|name| name == wanted).with_context(|| format!("no {wanted}"));
        ensure!(at(first)? < at(second)?, "{second} before {first}: {names:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_containers_depend_on_start_health_and_success_then_each_starts_when_its_condition_holds() -> Result<()> {
    Scenario::run("order", async |scenario| {
        let containers = [
            // Listed the wrong way round: only the conditions count.
            marking(
                "app",
                "taskapp mark /order/log app; exec taskapp serve 8080",
                json!({ "dependsOn": [
                    { "containerName": "db", "condition": "HEALTHY" },
                    { "containerName": "proxy", "condition": "START" },
                ] }),
            ),
            marking(
                "db",
                "taskapp mark /order/log db; sleep 2; taskapp mark /order/log healthy; touch /tmp/ok; exec taskapp sleep",
                json!({
                    "dependsOn": [{ "containerName": "migrate", "condition": "SUCCESS" }],
                    "healthCheck": { "command": ["CMD", "/bin/taskapp", "test", "/tmp/ok"], "interval": 5, "timeout": 2 },
                }),
            ),
            marking("proxy", "taskapp mark /order/log proxy; exec taskapp sleep", json!({})),
            marking(
                "migrate",
                "taskapp mark /order/log migrate; sleep 1; taskapp mark /order/log migrated",
                json!({ "essential": false }),
            ),
        ];
        given_a_task_with(scenario, "web", &containers, json!({ "volumes": [{ "name": "order" }] })).await?;
        let task = scenario.then_within(90).a_task_of("web").await?;
        let lines = scenario.then_within(20).file(&task, 8080, "/order/log", |lines| !lines.is_empty()).await?;
        let pairs = [("migrate", "migrated"), ("migrated", "db"), ("db", "healthy"), ("healthy", "app"), ("proxy", "app")];
        in_order(&names(&lines), &pairs)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_container_must_succeed_first_and_fails_then_what_depends_on_it_never_starts() -> Result<()> {
    Scenario::run("failed", async |scenario| {
        let migrate = and(real_container("migrate", "app", &["exit", "1"]), json!({ "essential": false }));
        let depends = json!({ "dependsOn": [{ "containerName": "migrate", "condition": "SUCCESS" }] });
        let app = and(real_container("app", "app", &["serve", "8080"]), depends);
        given_a_task(scenario, "web", &[migrate, app]).await?;
        let ended = scenario.then_within(90).ends("web", "migrate").await?;
        ensure!(ended.code == 1, "it ended with {}", ended.code);
        let never = "app never starts";
        scenario
            .view()
            .stays(never, Duration::from_secs(5), |objects| {
                let mut pods = e2e::scenario::sampler::tasks(objects, "web").into_iter();
                let started = pods.find(|pod| {
                    let app = status(pod, "app").and_then(|app| app.get("containerID"));
                    app.and_then(Value::as_str).is_some_and(|id| !id.is_empty())
                });
                started.map_or(Ok(()), |pod| Err(e2e::scenario::task::describe(pod)))
            })
            .await
    })
    .await
}

/// A container that tells its signals in the file, and is ready to be told.
fn trapping(name: &str, image: &str, more_arguments: &[&str], more: Value) -> Value {
    let file = ["trap", "-file", "/order/log", "-name", name];
    let arguments: Vec<_> = file.into_iter().chain(more_arguments.iter().copied()).collect();
    let mount = json!({ "mountPoints": [{ "sourceVolume": "order", "containerPath": "/order" }] });
    and(and(real_container(name, image, &arguments), mount), more)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_task_stops_then_containers_are_told_in_reverse_order_by_the_signal_of_their_image() -> Result<()> {
    Scenario::run("stop", async |scenario| {
        let order = json!({ "volumes": [shared_volume("order")] });
        let depends = json!({ "dependsOn": [{ "containerName": "proxy", "condition": "START" }] });
        let containers = [
            trapping("app", "app", &["-delay", "1s"], depends),
            trapping("proxy", "app", &[], json!({ "stopTimeout": 10 })),
        ];
        given_a_task_with(scenario, "web", &containers, order.clone()).await?;
        let interrupted = [trapping("interrupted", "stopsignal", &[], json!({}))];
        given_a_task_with(scenario, "signal", &interrupted, order).await?;
        let reader = reader(scenario, "order", "/order").await?;
        let has = |wanted: usize| {
            move |lines: &[&str]| names(lines).iter().filter(|line| line.ends_with("started")).count() == wanted
        };
        scenario.then_within(90).file(&reader, 8080, "/order/log", has(3)).await?;

        scenario.when_scaled("web", 0).await?;
        scenario.when_scaled("signal", 0).await?;
        let all_ended = |lines: &[&str]| names(lines).iter().filter(|line| line.ends_with("ended")).count() == 3;
        let lines = names(&scenario.then_within(90).file(&reader, 8080, "/order/log", all_ended).await?);
        let pairs = [
            ("app received SIGTERM", "app ended"),
            ("app ended", "proxy received SIGTERM"),
            ("proxy received SIGTERM", "proxy ended"),
            ("interrupted received SIGINT", "interrupted ended"),
        ];
        in_order(&lines, &pairs)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_container_ignores_sigterm_then_it_is_killed_after_its_stop_timeout() -> Result<()> {
    Scenario::run("stubborn", async |scenario| {
        let stubborn = trapping("app", "app", &["-delay", "-1s"], json!({ "stopTimeout": 4 }));
        given_a_task_with(scenario, "web", &[stubborn], json!({ "volumes": [shared_volume("order")] })).await?;
        scenario.then_within(90).a_task_of("web").await?;
        let reader = reader(scenario, "order", "/order").await?;
        scenario.then_within(90).file(&reader, 8080, "/order/log", |lines| lines.len() == 1).await?;
        scenario.when_scaled("web", 0).await?;
        let ended = scenario.then_within(90).ends("web", "app").await?;
        ensure!(ended.code == 137, "it ended with {}", ended.code);
        let lines = scenario.then_within(20).file(&reader, 8080, "/order/log", |lines| lines.len() == 2).await?;
        let (told, signal) = lines[1].split_once(' ').context("no time")?;
        ensure!(signal == "app received SIGTERM", "{lines:?}");
        // The end is told in whole seconds: 4.0 s after 10.3 s is 14.3 s, which is told as 14 s.
        let waited = ended.finished.parse::<jiff::Timestamp>()?.duration_since(told.parse()?).as_millis();
        ensure!((2_900..7_000).contains(&waited), "it was killed after {waited} ms");
        Ok(())
    })
    .await
}
