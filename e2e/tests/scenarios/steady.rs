//! The main job: ECS's own documents become running tasks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::operator::USER;
use e2e::scenario::audit::Mark;
use e2e::scenario::condition::is_true;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, ecs_json, percents, with, with_container, without_health_check};
use e2e::scenario::{Bounds, Objects, Scenario};
use e2e::xtask::root;
use serde_json::{Value, json};

fn document(name: &str) -> Result<Value> {
    let path = root().join("examples/ecs-json").join(name);
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_web_service_is_applied_then_it_becomes_steady() -> Result<()> {
    Scenario::run("web", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.when_applied([manifest::service("web", 3)]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_json_of_ecs_is_applied_then_the_service_becomes_steady_and_says_what_has_no_effect() -> Result<()> {
    Scenario::run_on_kwok("ecs-json", async |scenario| {
        let secrets = r"
            apiVersion: v1
            kind: Secret
            metadata: {name: orders-database}
            stringData: {password: secret}
        ";
        let mut definition = document("task-definition.json")?;
        // The nodes here are no ARM machines.
        definition["runtimePlatform"]["cpuArchitecture"] = "X86_64".into();
        scenario
            .given([
                ecs_json("ECSCluster", "shop", document("cluster.json")?),
                ecs_json("ECSTaskDefinition", "orders", definition),
            ])
            .await?;
        scenario.given(secrets).await?;
        scenario.when_applied([ecs_json("ECSService", "orders", document("service.json")?)]).await?;

        let then = scenario.then_within(60);
        then.the_service("orders").is_steady_on("orders:1").await?;
        then.the_service("orders").tells("(service orders) has reached a steady state.").await?;
        then.the_service("orders")
            .has(is_true(ConditionType::FieldsNotApplied, Reason::NoKubernetesEquivalent))
            .await?;
        let service = scenario.object("ECSService", "orders").unwrap_or_default();
        ensure!(text(&service, "/status/serviceArn") == "arn:aws:ecs:kubernetes:000000000000:service/shop/orders");
        Ok(())
    })
    .await
}

/// Versions of everything that the operator or a user writes. What Kubernetes' own controllers write into a
/// HorizontalPodAutoscaler's status is theirs.
fn versions(objects: &Objects) -> BTreeMap<String, String> {
    objects
        .iter()
        .filter(|((kind, _), _)| !matches!(*kind, "Pod" | "HorizontalPodAutoscaler"))
        .map(|((kind, name), object)| (format!("{kind} {name}"), text(object, "/metadata/resourceVersion").to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_same_manifests_are_applied_again_then_nothing_is_written() -> Result<()> {
    Scenario::run("again", async |scenario| {
        let manifests = || {
            [
                manifest::cluster("main", &[]),
                with(manifest::task_definition("web"), json!({ "taskRoleArn": "arn:aws:iam::123456789012:role/web" })),
                manifest::service("web", 2),
                manifest::cpu_target("web", (2, 4), 50),
            ]
        };
        scenario.given(manifests()).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let target = scenario.then_within(60);
        target.condition("ECSScalableTarget", "web", is_true(ConditionType::Ready, Reason::ReconcileCompleted)).await?;
        // The autoscaler reads its first metrics some seconds later; until then the target's status still changes.
        let metrics = scenario.then_within(90);
        metrics
            .condition("ECSScalableTarget", "web", is_true(ConditionType::ScalingActive, Reason::ScalingActive))
            .await?;

        let before = scenario.view().read(versions);
        let mark = scenario.environment.audit_log.as_deref().map(Mark::now).transpose()?;
        scenario.when_applied(manifests()).await?;
        let window = Duration::from_secs(8);
        scenario
            .view()
            .stays("nothing is written", window, |objects| {
                let after = versions(objects);
                let changed: Vec<_> =
                    after.iter().filter(|(name, version)| before.get(*name) != Some(version)).collect();
                if changed.is_empty() { Ok(()) } else { Err(format!("written: {changed:?}")) }
            })
            .await?;
        if let Some(mark) = mark {
            let writes = mark.writes(USER, Some(scenario.namespace()))?;
            ensure!(writes.is_empty(), "the operator wrote {writes:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_task_has_no_health_check_then_it_is_healthy_after_forty_seconds_and_not_before() -> Result<()> {
    Scenario::run("forty", async |scenario| {
        let definition = without_health_check(manifest::task_definition("worker"));
        scenario.given([manifest::cluster("main", &[]), definition.clone()]).await?;
        let begun = Instant::now();
        scenario.when_applied([with(manifest::service("worker", 1), percents(100, 200))]).await?;
        scenario.then_within(100).the_service("worker").is_steady_on("worker:1").await?;
        ensure!(begun.elapsed() >= Duration::from_secs(39), "steady after {:?}", begun.elapsed());

        // The old task stays until the new one has run for 40 seconds.
        let sampler = scenario.sample("worker", Bounds { at_least: 1, at_most: 2, min_ready_seconds: 40 });
        let begun = Instant::now();
        scenario.when_applied([with_container(definition, json!({ "command": ["sleep", "86401"] }))]).await?;
        scenario.then_within(100).the_service("worker").is_steady_on("worker:2").await?;
        ensure!(begun.elapsed() >= Duration::from_secs(39), "replaced after {:?}", begun.elapsed());
        let seen = sampler.verdict()?;
        ensure!(seen.most_existing == 2, "there never were two tasks: {seen:?}");
        Ok(())
    })
    .await
}
