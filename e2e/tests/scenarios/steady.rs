//! The main job: ECS's own documents become running tasks.

use anyhow::{Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{self, ecs_json};
use e2e::scenario::then::text;
use e2e::xtask::root;
use serde_json::Value;

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
        then.the_service("orders").has("FieldsNotApplied", "True", "NoKubernetesEquivalent").await?;
        let service = scenario.object("ECSService", "orders").unwrap_or_default();
        ensure!(text(&service, "/status/serviceArn") == "arn:aws:ecs:kubernetes:000000000000:service/shop/orders");
        Ok(())
    })
    .await
}
