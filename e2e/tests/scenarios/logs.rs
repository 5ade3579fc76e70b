//! Logs: the router of a task and its configuration.

use anyhow::{Context, Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::json::text;
use e2e::scenario::kinds::Known;
use e2e::scenario::manifest::{self, with, with_container};
use serde_json::{Value, json};

/// A task definition whose container sends its log to a router.
fn routed() -> Value {
    let log = json!({ "logConfiguration": { "logDriver": "awsfirelens", "options": { "Name": "stdout" } } });
    let mut definition = with_container(manifest::task_definition("web"), log);
    let router = json!({
        "name": "log_router", "image": manifest::IMAGE, "memory": 32, "essential": true,
        "firelensConfiguration": { "type": "fluentbit" },
    });
    if let Some(containers) = definition.pointer_mut("/spec/containerDefinitions").and_then(Value::as_array_mut) {
        containers.push(router);
    }
    definition
}

#[tokio::test(flavor = "multi_thread")]
async fn when_services_have_a_log_router_then_they_share_its_configuration_and_it_goes_with_the_last() -> Result<()> {
    Scenario::run_on_kwok("firelens", async |scenario| {
        scenario.view().watch(Known::find("ConfigMap")?).await?;
        let service = |name: &str| with(manifest::service(name, 1), json!({ "taskDefinition": "web" }));
        scenario.given([manifest::cluster("main", &[]), routed()]).await?;
        scenario.when_applied([service("one"), service("two")]).await?;
        for name in ["one", "two"] {
            scenario.then_within(60).the_service(name).is_steady().await?;
        }
        let maps: Vec<Value> = scenario
            .objects("ConfigMap")
            .into_iter()
            .filter(|map| text(map, "/metadata/name").starts_with("ecs-firelens-"))
            .collect();
        let map = maps.first().filter(|_| maps.len() == 1).context("not one ConfigMap")?;
        let configuration = map["data"]["fluent-bit.conf"].as_str().unwrap_or_default();
        ensure!(configuration.contains("Match app-firelens*") && map["immutable"] == json!(true), "{map}");
        let name = text(map, "/metadata/name");
        let owners = |object: &Value| object["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
        scenario.then_within(30).object("ConfigMap", name, "belongs to both", |map| owners(map) == 2).await?;
        scenario.when_deleted("ECSService", "one").await?;
        scenario.then_within(60).object("ConfigMap", name, "belongs to the other", |map| owners(map) == 1).await?;
        scenario.when_deleted("ECSService", "two").await?;
        scenario.then_within(60).is_gone("ConfigMap", name).await
    })
    .await
}
