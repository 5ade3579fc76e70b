//! Tasks of a revision that works, while the newest one does not: nothing of what runs may fade away.

use anyhow::{Context, Result, ensure};
use e2e::cluster::fate;
use e2e::scenario::json::text;
use e2e::scenario::manifest::revised;
use e2e::scenario::rollout::{broken, count, given_web, has, web};
use e2e::scenario::sampler::{exists, is_healthy, tasks};
use e2e::scenario::{Scenario, revision};
use jiff::Timestamp;
use kube::api::DeleteParams;
use serde_json::{Value, json};

/// A task of a revision that exists: name and uid.
fn a_task(scenario: &Scenario, wanted: &str) -> Result<(String, String)> {
    let found = scenario.view().read(|objects| {
        let mut pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod) && revision(pod) == wanted);
        pods.next().map(|pod| (text(pod, "/metadata/name").to_owned(), text(pod, "/metadata/uid").to_owned()))
    });
    found.with_context(|| format!("there is no task of {wanted}"))
}

/// Waits until a revision has so many tasks, all of them healthy, and the one with this uid is none of them.
async fn is_replaced(scenario: &Scenario, wanted: &str, desired: usize, uid: &str) -> Result<()> {
    scenario
        .then_within(60)
        .until(&format!("{uid} is replaced by a task of {wanted}"), |objects| {
            let pods: Vec<&Value> =
                tasks(objects, "web").into_iter().filter(|pod| exists(pod) && revision(pod) == wanted).collect();
            let healthy = pods.iter().filter(|pod| is_healthy(pod, 0, Timestamp::now())).count();
            let is_there = pods.iter().any(|pod| text(pod, "/metadata/uid") == uid);
            if !is_there && healthy == desired && pods.len() == desired {
                Ok(())
            } else {
                Err(format!("{} tasks, {healthy} healthy, it is there: {is_there}", pods.len()))
            }
        })
        .await
}

async fn becomes_unhealthy(scenario: &Scenario, pod: &str) -> Result<()> {
    scenario.when_patched("Pod", pod, json!({ "metadata": { "annotations": { fate::UNREADY: "true" } } })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_new_revision_cannot_start_then_unhealthy_old_tasks_are_replaced_by_their_own_revision() -> Result<()>
{
    for (name, percentages) in [("upkeep-room", (100, 200)), ("upkeep-full", (100, 150))] {
        Scenario::run_on_kwok(name, async |scenario| {
            let _sampler = given_web(scenario, 4, percentages).await?;
            scenario.when_applied([broken(revised(web(), "2"))]).await?;
            let then = scenario.then_within(60);
            then.the_service("web")
                .has_records("a task failed", |records| {
                    records.last().filter(|newest| newest.failed_tasks >= 1).cloned()
                })
                .await?;
            for _ in 0..3 {
                let (pod, uid) = a_task(scenario, "web:1")?;
                becomes_unhealthy(scenario, &pod).await?;
                is_replaced(scenario, "web:1", 4, &uid).await?;
            }
            scenario.when_applied([revised(web(), "3")]).await?;
            scenario.then_within(60).the_service("web").is_steady_on("web:3").await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_deployment_was_stopped_and_nothing_older_is_left_then_its_tasks_are_still_replaced() -> Result<()> {
    Scenario::run_on_kwok("upkeep-aborted", async |scenario| {
        let _sampler = given_web(scenario, 4, (100, 200)).await?;
        let bake = json!({ "deploymentConfiguration": { "bakeTimeInMinutes": 60 } });
        scenario.when_service_changed("web", bake).await?;
        scenario.when_applied([revised(web(), "2")]).await?;
        has(scenario, "web:2", 4).await?;
        has(scenario, "web:1", 0).await?;
        let newest = scenario.records("web").pop().context("there is no record")?;
        let stop = json!({ "serviceDeployment": newest.name, "stopType": "ABORT" });
        scenario.when_service_changed("web", json!({ "kubernetes": { "stopServiceDeployment": stop } })).await?;
        scenario.then_within(30).the_service("web").has_deployment("web:2", "STOPPED").await?;

        let (pod, uid) = a_task(scenario, "web:2")?;
        becomes_unhealthy(scenario, &pod).await?;
        is_replaced(scenario, "web:2", 4, &uid).await?;
        let (pod, uid) = a_task(scenario, "web:2")?;
        scenario.api("Pod")?.delete(&pod, &DeleteParams::default()).await?;
        is_replaced(scenario, "web:2", 4, &uid).await?;
        scenario.when_scaled("web", 6).await?;
        has(scenario, "web:2", 6).await?;
        let older = scenario.view().read(|objects| count(objects, "web:1"));
        ensure!(older == 0, "{older} tasks of web:1");
        Ok(())
    })
    .await
}
