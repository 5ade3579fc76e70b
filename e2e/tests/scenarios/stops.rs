//! Rollouts that end otherwise than by replacing every task: early, stopped, or on an earlier revision.

use anyhow::{Context, Result, ensure};
use e2e::scenario::json::text;
use e2e::scenario::manifest::revised;
use e2e::scenario::records::{records, workloads};
use e2e::scenario::rollout::{count, given_web, given_web_with, has, held, web};
use e2e::scenario::sampler::{exists, is_healthy, tasks};
use e2e::scenario::{Objects, Scenario, revision};
use jiff::Timestamp;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn when_half_of_the_tasks_suffice_then_the_deployment_completes_before_it_is_finished() -> Result<()> {
    for (name, cleanup) in [("early-deferred", "DEFERRED"), ("early-blocking", "BLOCKING")] {
        Scenario::run_on_kwok(name, async |scenario| {
            let early = json!({ "deploymentConfiguration": { "earlySuccessCriteria": {
                "enable": true, "healthyPercent": 50, "sourceServiceRevisionCleanup": cleanup,
            } } });
            let sampler = given_web_with(scenario, 4, (50, 200), early).await?;
            scenario.when_applied([held(revised(web(), "2"))]).await?;
            has(scenario, "web:2", 4).await?;
            let then = scenario.then_within(30);
            then.next_task("web", "web:2", None).await?;
            scenario
                .then_within(20)
                .until("one task of web:2 is ready", |objects| {
                    let new = tasks(objects, "web").into_iter().filter(|pod| revision(pod) == "web:2");
                    let ready = new.filter(|pod| is_healthy(pod, 0, Timestamp::now())).count();
                    if ready == 1 { Ok(()) } else { Err(format!("{ready} are")) }
                })
                .await?;
            then.the_service("web").is_deployed("web:2", "IN_PROGRESS").await?;
            then.next_task("web", "web:2", None).await?;
            then.the_service("web").is_deployed("web:2", "SUCCESSFUL").await?;
            if cleanup == "BLOCKING" {
                // Removed before: at most the watch is behind.
                scenario
                    .then_within(1)
                    .until("no old task is left", |objects| {
                        let is = count(objects, "web:1");
                        if is == 0 { Ok(()) } else { Err(format!("there are {is}")) }
                    })
                    .await?;
            }
            has(scenario, "web:1", 0).await?;
            let _director = scenario.direct("web", |_| None)?;
            scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
            sampler.verdict()?;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn when_newest_is_stopped(scenario: &Scenario, stop_type: &str) -> Result<()> {
    let newest = scenario.records("web").pop().context("there is no record")?;
    let stop = json!({ "serviceDeployment": newest.name, "stopType": stop_type });
    scenario.when_service_changed("web", json!({ "kubernetes": { "stopServiceDeployment": stop } })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_deployment_is_stopped_with_a_rollback_then_the_last_completed_one_is_back() -> Result<()> {
    Scenario::run_on_kwok("stop-back", async |scenario| {
        let sampler = given_web(scenario, 3, (67, 200)).await?;
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        has(scenario, "web:2", 3).await?;
        when_newest_is_stopped(scenario, "ROLLBACK").await?;
        let then = scenario.then_within(60);
        then.the_service("web").has_deployment("web:2", "ROLLBACK_SUCCESSFUL").await?;
        then.the_service("web").is_back_on("web:1").await?;
        has(scenario, "web:2", 0).await?;
        then.the_service("web").tells("(service web) rolling back to deployment ").await?;
        // The stop is about that deployment only.
        scenario.when_applied([revised(web(), "3")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:3").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_deployment_is_aborted_then_what_runs_stays_as_it_is_until_the_next_update() -> Result<()> {
    Scenario::run_on_kwok("stop-abort", async |scenario| {
        let sampler = given_web(scenario, 3, (100, 134)).await?;
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        has(scenario, "web:2", 1).await?;
        when_newest_is_stopped(scenario, "ABORT").await?;
        let then = scenario.then_within(60);
        then.the_service("web").has_deployment("web:2", "STOPPED").await?;
        let left = scenario.view().read(|objects| count(objects, "web:1"));
        ensure!(left == 3, "{left} tasks of web:1");
        let launched = std::time::Duration::from_secs(4);
        let stays = scenario.view().stays("nothing is launched", launched, |objects| {
            let is = count(objects, "web:2");
            if is <= 1 { Ok(()) } else { Err(format!("there are {is} tasks of web:2")) }
        });
        stays.await?;
        scenario.when_applied([revised(web(), "3")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:3").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_earlier_revision_is_named_then_it_runs_again_even_if_its_task_definition_is_gone() -> Result<()> {
    Scenario::run_on_kwok("by-revision", async |scenario| {
        let sampler = given_web(scenario, 3, (67, 134)).await?;
        scenario.when_applied([revised(web(), "2")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        let first = scenario.records("web").into_iter().next().context("there is no record")?;
        let registered = scenario.objects("ECSTaskDefinitionRevision").into_iter();
        let registered: Vec<_> = registered.filter(|one| one["spec"]["revision"] == 1).collect();
        let name = registered.first().map(|one| text(one, "/metadata/name")).context("web:1 is not registered")?;
        let deregister = json!({ "metadata": { "annotations": { plan::core::labels::DEREGISTER: "true" } } });
        scenario.when_patched("ECSTaskDefinitionRevision", name, deregister).await?;
        let is_inactive = |one: &Value| text(one, "/status/status") == "INACTIVE";
        scenario.then_within(30).object("ECSTaskDefinitionRevision", name, "is INACTIVE", is_inactive).await?;

        scenario.when_service_changed("web", json!({ "kubernetes": { "serviceRevision": first.name } })).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let image_of = |objects: &Objects| {
            let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
            pods.map(|pod| text(pod, "/spec/containers/0/args/1").to_owned()).collect::<Vec<_>>()
        };
        let run = scenario.view().read(image_of);
        ensure!(run.iter().all(|argument| argument == "86400"), "{run:?}");
        let third = scenario.records("web");
        ensure!(third.len() == 3 && third[2].id != first.id, "{third:?}");

        scenario.when_service_changed("web", json!({ "kubernetes": { "serviceRevision": null } })).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_service_is_deleted_during_a_rollout_then_nothing_is_left() -> Result<()> {
    Scenario::run_on_kwok("delete-in-rollout", async |scenario| {
        given_web(scenario, 3, (67, 134)).await?.verdict()?;
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        has(scenario, "web:2", 1).await?;
        scenario.when_deleted("ECSService", "web").await?;
        scenario
            .then_within(60)
            .until("tasks, Deployments and records are gone", |objects| {
                let left =
                    tasks(objects, "web").len() + workloads(objects, "web").len() + records(objects, "web").len();
                if left == 0 { Ok(()) } else { Err(format!("{left} are left")) }
            })
            .await
    })
    .await
}
