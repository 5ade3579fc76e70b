//! Task scale-in protection: what it keeps, what it does not keep, and how it ends.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::stages::fate;
use e2e::scenario::Scenario;
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, with_container};
use e2e::scenario::sampler::{exists, tasks};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

const UNTIL: &str = "ecs-operator.dev/protected-until";

/// Names and uids of the pods of a service that exist, by name.
fn pods(scenario: &Scenario, service: &str) -> Vec<(String, String)> {
    scenario.view().read(|objects| {
        let pods = tasks(objects, service).into_iter().filter(|pod| exists(pod));
        pods.map(|pod| (text(pod, "/metadata/name").to_owned(), text(pod, "/metadata/uid").to_owned())).collect()
    })
}

/// Protects the first `count` pods for so many seconds; answers with their names and uids.
async fn protect(scenario: &Scenario, service: &str, count: usize, seconds: i64) -> Result<Vec<(String, String)>> {
    let chosen: Vec<_> = pods(scenario, service).into_iter().take(count).collect();
    ensure!(chosen.len() == count, "there are only {chosen:?}");
    for (name, _) in &chosen {
        set(scenario, name, Some(seconds)).await?;
    }
    Ok(chosen)
}

/// Protects a pod from now on for so many seconds, or not any longer.
async fn set(scenario: &Scenario, pod: &str, seconds: Option<i64>) -> Result<()> {
    let until = seconds.map(|seconds| (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string());
    scenario.when_patched("Pod", pod, json!({ "metadata": { "annotations": { UNTIL: until } } })).await
}

/// Waits until exactly these pods of the service are left.
async fn only_these_are_left(scenario: &Scenario, service: &str, uids: &BTreeSet<&str>) -> Result<()> {
    let what = format!("{} tasks of {service} are left, the protected ones", uids.len());
    scenario
        .then_within(60)
        .until(&what, |objects| {
            let left: BTreeSet<&str> = tasks(objects, service)
                .into_iter()
                .filter(|pod| exists(pod))
                .map(|pod| text(pod, "/metadata/uid"))
                .collect();
            if left == *uids { Ok(()) } else { Err(format!("{left:?} instead of {uids:?}")) }
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_service_scales_in_then_protected_tasks_stay_until_their_time_is_over() -> Result<()> {
    Scenario::run_on_kwok("protected", async |scenario| {
        scenario
            .given([manifest::cluster("main", &[]), manifest::task_definition("web"), manifest::service("web", 4)])
            .await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let protected = protect(scenario, "web", 2, 3600).await?;
        scenario.when_scaled("web", 1).await?;
        let uids: BTreeSet<&str> = protected.iter().map(|(_, uid)| uid.as_str()).collect();
        only_these_are_left(scenario, "web", &uids).await?;
        let message = scenario
            .then_within(30)
            .the_service("web")
            .has(is_true(ConditionType::DeploymentBlocked, Reason::TasksProtected))
            .await?;
        ensure!(message.contains("2 tasks under protection"), "{message}");
        scenario.then_within(30).the_service("web").tells("was unable to scale in due to").await?;
        let web = scenario.object("ECSService", "web").context("the service is gone")?;
        ensure!(web["spec"]["desiredCount"] == 1, "desiredCount is {}", web["spec"]["desiredCount"]);

        // Every call begins anew, so a protection can be made shorter; nobody applies anything when it ends.
        for (name, _) in &protected {
            set(scenario, name, Some(4)).await?;
        }
        scenario.then_within(60).the_service("web").is_steady().await?;
        ensure!(uids.contains(scenario.task_uids("web")[0].as_str()), "another task was started");
        scenario
            .then_within(30)
            .the_service("web")
            .has(is_false(ConditionType::DeploymentBlocked, Reason::NotBlocked))
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_deployment_replaces_tasks_then_protected_ones_stay_until_they_are_released() -> Result<()> {
    Scenario::run_on_kwok("protected-rollout", async |scenario| {
        scenario
            .given([manifest::cluster("main", &[]), manifest::task_definition("web"), manifest::service("web", 3)])
            .await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let protected = protect(scenario, "web", 1, 3600).await?;
        let (name, uid) = protected.first().context("nothing is protected")?;
        scenario.when_applied([with_container(manifest::task_definition("web"), json!({ "cpu": 128 }))]).await?;
        scenario
            .then_within(60)
            .the_service("web")
            .has(is_true(ConditionType::DeploymentBlocked, Reason::TasksProtected))
            .await?;
        // Three new ones and the one that stays; the others of the old revision are gone.
        let what = "three new tasks run beside the protected one";
        scenario
            .then_within(60)
            .until(what, |objects| {
                let left: Vec<_> = tasks(objects, "web").into_iter().filter(|pod| exists(pod)).collect();
                let is_there = left.iter().any(|pod| text(pod, "/metadata/uid") == uid);
                if is_there && left.len() == 4 { Ok(()) } else { Err(format!("{} tasks", left.len())) }
            })
            .await?;
        set(scenario, name, None).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        ensure!(!scenario.task_uids("web").contains(uid), "the old task is still there");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_protected_task_fails_its_health_checks_then_it_is_replaced_all_the_same() -> Result<()> {
    Scenario::run_on_kwok("protected-sick", async |scenario| {
        scenario
            .given([manifest::cluster("main", &[]), manifest::task_definition("web"), manifest::service("web", 2)])
            .await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let protected = protect(scenario, "web", 1, 3600).await?;
        let (name, uid) = protected.first().context("nothing is protected")?;
        scenario.when_patched("Pod", name, json!({ "metadata": { "annotations": { fate::UNREADY: "true" } } })).await?;
        let what = "the sick task is replaced";
        scenario
            .then_within(90)
            .until(what, |objects| {
                let is_left =
                    tasks(objects, "web").into_iter().any(|pod| exists(pod) && text(pod, "/metadata/uid") == uid);
                if is_left { Err("it is still there".to_owned()) } else { Ok(()) }
            })
            .await?;
        scenario.then_within(60).the_service("web").is_steady().await
    })
    .await
}
