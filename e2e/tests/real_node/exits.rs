//! How containers end, and what is seen of it.

use anyhow::{Context, Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{and, real_container};
use serde_json::json;

use super::given_a_task;

/// Service, command of its only container, exit code, reason.
const ENDS: [(&str, &[&str], i64, &str); 5] = [
    ("zero", &["exit", "0"], 0, "Completed"),
    ("one", &["exit", "1"], 1, "Error"),
    ("fortytwo", &["exit", "42", "500ms"], 42, "Error"),
    // 128 and the number of the signal.
    ("terminated", &["exit", "143"], 143, "Error"),
    ("memory", &["allocate", "64"], 137, "OOMKilled"),
];

#[tokio::test(flavor = "multi_thread")]
async fn when_an_essential_container_ends_then_its_exit_code_is_told_and_the_task_runs_again() -> Result<()> {
    Scenario::run("exits", async |scenario| {
        for (name, command, _, _) in ENDS {
            given_a_task(scenario, name, &[real_container("app", "app", command)]).await?;
        }
        for (name, _, code, reason) in ENDS {
            // The kernel's word that memory ran out may reach the kubelet after the end itself: then a later end has it.
            let ended = |pod: &serde_json::Value| {
                let status = e2e::scenario::task::status(pod, "app");
                let mut ends = ["state", "lastState"].into_iter().filter_map(|at| status?.get(at)?.get("terminated"));
                ends.any(|end| end["exitCode"] == code && end["reason"] == reason)
            };
            let pod = scenario.then_within(90).pod(name, &format!("ends with {code} {reason}"), ended).await?;
            let first = pod["metadata"]["uid"].clone();
            // Started again in its place, or another task in its stead.
            let again = |pod: &serde_json::Value| {
                let restarts = e2e::scenario::task::status(pod, "app").and_then(|app| app["restartCount"].as_i64());
                pod["metadata"]["uid"] != first || restarts > Some(0)
            };
            scenario.then_within(90).pod(name, "it runs again", again).await.context(name)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_container_that_is_not_essential_ends_then_the_task_goes_on() -> Result<()> {
    Scenario::run("helper", async |scenario| {
        let helper = and(real_container("helper", "app", &["exit", "3"]), json!({ "essential": false }));
        given_a_task(scenario, "web", &[real_container("app", "app", &["serve", "8080"]), helper]).await?;
        let ended = scenario.then_within(90).ends("web", "helper").await?;
        ensure!(ended.code == 3, "it ended with {}", ended.code);
        let before = scenario.then_within(20).get(&ended.pod, 8080, "/").await?;
        let uids = scenario.task_uids("web");
        ensure!(uids == [ended.pod["metadata"]["uid"].as_str().unwrap()], "the task was replaced: {uids:?}");
        // The same process: it counts what it has answered.
        let after = scenario.then_within(20).get(&ended.pod, 8080, "/").await?;
        ensure!(before.contains(" 1 ") && after.contains(" 2 "), "{before} {after}");
        Ok(())
    })
    .await
}
