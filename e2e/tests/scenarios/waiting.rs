//! Tools that wait for objects, such as Helm and Flux, are right about them from the first moment on.

use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use e2e::cluster::fate;
use e2e::scenario::Scenario;
use e2e::scenario::json::find;
use e2e::scenario::manifest;
use kstatus::{Verdict, contradicts_itself, verdict};
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};

use super::command::{Said, cluster, helm};
use super::unnamed_count::chart;

// The rule of the tools, which the tests of plans have too.
#[path = "../../../operator/plan/tests/common/kstatus.rs"]
#[allow(unreachable_pub, clippy::must_use_candidate)] // public for the other crate that includes the file
mod kstatus;

/// Creates an object and answers with it as the server returns it: nobody has looked at it then.
async fn created(scenario: &Scenario, manifest: Value) -> Result<Value> {
    let kind = manifest["kind"].as_str().unwrap_or_default().to_owned();
    let object: DynamicObject = serde_json::from_value(manifest)?;
    let created = scenario.api(&kind)?.create(&PostParams::default(), &object).await?;
    Ok(serde_json::to_value(created)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_object_was_just_created_then_no_tool_takes_it_for_finished() -> Result<()> {
    Scenario::run("just-created", async |scenario| {
        let name = scenario.namespace().to_owned();
        let provider = manifest::capacity_provider(&name, &name, ("kubernetes.io/os", "linux"));
        let manifests = [
            manifest::cluster("main", &[]),
            manifest::task_definition("web"),
            manifest::service("web", 1),
            manifest::cpu_target("web", (1, 2), 50),
            provider,
        ];
        for manifest in manifests {
            let object = created(scenario, manifest).await?;
            ensure!(verdict(&object) == Verdict::InProgress, "{object:#}");
            let said = object["status"]["conditions"].to_string();
            ensure!(said.contains("Unknown") && said.contains("\"Pending\""), "{said}");
        }
        let kinds = ["ECSCluster", "ECSTaskDefinition", "ECSService"];
        for (kind, name) in kinds.into_iter().zip(["main", "web", "web"]) {
            let is_current = |object: &Value| verdict(object) == Verdict::Current;
            let object = scenario.then_within(60).object(kind, name, "is finished", is_current).await?;
            let said = object["status"]["conditions"].to_string();
            ensure!(!said.contains("\"Pending\""), "{kind}: {said}");
        }
        scenario.when_deleted("ECSCapacityProvider", &name).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_service_is_taken_for_finished_then_its_tasks_run_at_every_moment_of_two_deployments() -> Result<()> {
    Scenario::run("finished", async |scenario| {
        let wrong = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&wrong);
        scenario.view().observe(Box::new(move |objects| {
            let Some(service) = find(objects, "ECSService", "web") else { return };
            let is_done = service["status"]["runningCount"] == service["spec"]["desiredCount"]
                && service["status"]["deployments"][0]["rolloutState"] == "COMPLETED";
            if contradicts_itself(&service["status"]) || (verdict(service) == Verdict::Current && !is_done) {
                sink.lock().unwrap().push(service.clone());
            }
        }));
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.when_applied([manifest::service("web", 2)]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let changed = manifest::with_container(manifest::task_definition("web"), json!({ "command": ["sleep", "2"] }));
        scenario.when_applied([changed]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        let wrong = wrong.lock().unwrap().clone();
        ensure!(wrong.is_empty(), "{wrong:#?}");
        Ok(())
    })
    .await
}

/// `helm upgrade --install web … --wait` with values.
async fn install(scenario: &Scenario, values: &Value) -> Result<Said> {
    let (cluster, chart, values) = (cluster().await?, chart(), values.to_string());
    let namespace = scenario.namespace();
    let install = ["upgrade", "--install", "web", &chart, "-n", namespace, "--wait", "--timeout", "90s"];
    helm(&cluster, &[&install[..], &["--set-json", &values]].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_helm_waits_for_a_chart_then_it_ends_with_a_steady_service_or_says_what_failed() -> Result<()> {
    Scenario::run_on_kwok("helm-wait", async |scenario| {
        let said = install(scenario, &json!({})).await?;
        ensure!(said.is_success, "{said:?}");
        // It has waited: nothing more has to happen.
        let web = scenario.then_within(1).object("ECSService", "web", "is there", |_| true).await?;
        ensure!(verdict(&web) == Verdict::Current && web["status"]["runningCount"] == 1, "{web:#}");

        let broken = json!({ "command": "sleep 2d", "fate": { fate::IMAGE_PULL_ERROR: "manifest unknown" } });
        let started = std::time::Instant::now();
        let said = install(scenario, &broken).await?;
        ensure!(!said.is_success, "{said:?}");
        for part in ["ECSService", "Failed", "manifest unknown"] {
            ensure!(said.errors.contains(part), "no {part} in {}", said.errors);
        }
        ensure!(started.elapsed().as_secs() < 80, "it has waited until its time was over");

        let said = install(scenario, &json!({ "command": "sleep 3d" })).await?;
        ensure!(said.is_success, "{said:?}");
        scenario.then_within(1).the_service("web").is_steady().await
    })
    .await
}
