//! Deletion: in any order, and nothing is left.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::scenario::Scenario;
use e2e::scenario::condition::is_true;
use e2e::scenario::manifest::{self, with};
use serde_json::json;

const EVERYTHING: [(&str, &str); 4] =
    [("ECSCluster", "main"), ("ECSTaskDefinition", "web"), ("ECSService", "web"), ("ECSScalableTarget", "web")];

#[tokio::test(flavor = "multi_thread")]
async fn when_objects_are_deleted_in_any_order_then_nothing_is_left() -> Result<()> {
    // Each kind is once the first and once the last.
    for order in [[0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2]] {
        Scenario::run("deletion", async |scenario| {
            scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
            scenario.given([manifest::service("web", 2), manifest::cpu_target("web", (2, 4), 50)]).await?;
            scenario.then_within(60).the_service("web").is_steady().await?;
            let target = scenario.then_within(30);
            target.object("HorizontalPodAutoscaler", "web", "exists", |_| true).await?;
            for index in order {
                let (kind, name) = EVERYTHING[index];
                scenario.when_deleted(kind, name).await?;
            }
            scenario.then_within(60).nothing_is_left().await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_cluster_in_use_is_deleted_then_it_waits_for_its_services_and_says_so() -> Result<()> {
    Scenario::run("in-use", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 1)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let before = scenario.task_uids("web");
        scenario.when_deleted("ECSCluster", "main").await?;
        let then = scenario.then_within(30);
        let said = then.condition("ECSCluster", "main", is_true(ConditionType::DeletionBlocked, Reason::InUse)).await?;
        ensure!(said == "The Cluster cannot be deleted while Services are active: web", "{said}");
        ensure!(scenario.task_uids("web") == before, "tasks were stopped");
        scenario.when_deleted("ECSService", "web").await?;
        scenario.then_within(30).is_gone("ECSCluster", "main").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_capacity_provider_in_use_is_deleted_then_it_waits_and_says_so() -> Result<()> {
    Scenario::run("provider-in-use", async |scenario| {
        let provider = format!("{}-nodes", scenario.namespace());
        scenario.view().watch(e2e::scenario::kinds::Known::find("ECSCapacityProvider")?).await?;
        let nodes = manifest::capacity_provider(&provider, &provider, ("kubernetes.io/os", "linux"));
        scenario.given([nodes, manifest::cluster("main", &[&provider])]).await?;
        let then = scenario.then_within(30);
        then.condition("ECSCluster", "main", is_true(ConditionType::Ready, Reason::ReconcileCompleted)).await?;
        then.condition("ECSCapacityProvider", &provider, is_true(ConditionType::Ready, Reason::ReconcileCompleted))
            .await?;
        scenario.when_deleted("ECSCapacityProvider", &provider).await?;
        then.condition(
            "ECSCapacityProvider",
            &provider,
            is_true(ConditionType::DeletionBlocked, Reason::CapacityProviderInUse),
        )
        .await?;
        scenario.when_deleted("ECSCluster", "main").await?;
        scenario.then_within(30).is_gone("ECSCapacityProvider", &provider).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_service_must_be_scaled_down_first_then_its_deletion_is_refused_until_it_is() -> Result<()> {
    Scenario::run("refuse", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        let policy = json!({ "kubernetes": { "deletionPolicy": "RefuseWhileScaled" } });
        scenario.given([with(manifest::service("web", 1), policy)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let said = scenario.when_deleted("ECSService", "web").await.err().map(|error| format!("{error:#}"));
        let said = said.unwrap_or_default();
        ensure!(said.contains("The service cannot be stopped while it is scaled above 0"), "{said}");
        scenario.when_scaled("web", 0).await?;
        scenario.then_within(30).the_service("web").is_steady().await?;
        scenario.when_deleted("ECSService", "web").await?;
        scenario.then_within(30).is_gone("ECSService", "web").await
    })
    .await
}
