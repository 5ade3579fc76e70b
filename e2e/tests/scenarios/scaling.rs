//! Autoscaling: the HorizontalPodAutoscaler moves the count of the service, and nothing else does.

use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use e2e::cluster::fate;
use e2e::scenario::json::find;
use e2e::scenario::manifest::{self, percents, with, with_container};
use e2e::scenario::{Bounds, Scenario};
use serde_json::{Value, json};

/// Every count that the service was ever asked for.
fn record_counts(scenario: &Scenario) -> Arc<Mutex<Vec<i64>>> {
    let counts = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&counts);
    scenario.view().observe(Box::new(move |objects| {
        let count =
            find(objects, "ECSService", "web").and_then(|service| service.pointer("/spec/desiredCount")?.as_i64());
        let mut counts = sink.lock().unwrap();
        if let Some(count) = count.filter(|count| counts.last() != Some(count)) {
            counts.push(count);
        }
    }));
    counts
}

/// Who wrote `spec.desiredCount`.
fn writers(service: &Value) -> Vec<String> {
    let entries = service["managedFields"].as_array().cloned().unwrap_or_default();
    let wrote = entries.iter().filter(|entry| entry.pointer("/fieldsV1/f:spec/f:desiredCount").is_some());
    wrote.map(|entry| entry["manager"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_load_comes_and_goes_then_the_count_follows_through_a_rollout_too_and_nobody_else_writes_it() -> Result<()>
{
    Scenario::run_on_kwok("scaling", async |scenario| {
        // Each task uses what it reserves: 100 % with a target of 50 %, up to the maximum.
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        let service = with(manifest::service("web", 2), manifest::fate(fate::USAGE_CPU, "62m"));
        scenario.given([with(service, percents(100, 200))]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let counts = record_counts(scenario);
        scenario.when_applied([manifest::cpu_target("web", (2, 6), 50)]).await?;
        let up = scenario.then_within(120);
        up.object("ECSService", "web", "wants 6 tasks", |web| web["spec"]["desiredCount"] == 6).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;

        // Nothing of this scales in, and the bounds are those of 6 tasks.
        let sampler = scenario.sample("web", Bounds { at_least: 6, at_most: 12, min_ready_seconds: 0 });
        let changed = with_container(manifest::task_definition("web"), json!({ "command": ["sleep", "2"] }));
        scenario.when_applied([changed]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:2").await?;
        sampler.verdict()?;
        let so_far = counts.lock().unwrap().clone();
        ensure!(so_far.is_sorted(), "the count went down under load: {so_far:?}");

        let peak = counts.lock().unwrap().len() - 1;
        scenario.when_fate_changes("web", fate::USAGE_CPU, Some("1m")).await?;
        let down = scenario.then_within(120);
        down.object("ECSService", "web", "wants 2 tasks", |web| web["spec"]["desiredCount"] == 2).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        let all = counts.lock().unwrap().clone();
        ensure!(all[peak..].iter().rev().is_sorted(), "the count went up without load: {all:?}");

        let writers = writers(&scenario.object("ECSService", "web").unwrap_or_default());
        let is_allowed = |writer: &String| writer == "scenario" || writer == "kube-controller-manager";
        ensure!(writers.iter().all(is_allowed), "spec.desiredCount was written by {writers:?}");
        Ok(())
    })
    .await
}
