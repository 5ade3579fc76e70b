//! Constraints on nodes, as the real scheduler reads them.

use anyhow::{Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{self, with};
use e2e::scenario::sampler::{exists, tasks};
use e2e::scenario::then::text;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

fn member_of(expression: &str) -> Value {
    json!([{ "type": "memberOf", "expression": expression }])
}

/// Names of the nodes of a zone.
async fn nodes_in(scenario: &Scenario, zone: &str) -> Result<Vec<String>> {
    let nodes: Api<Node> = Api::all(scenario.client().clone());
    let parameters = ListParams::default().labels(&format!("topology.kubernetes.io/zone={zone}"));
    Ok(nodes.list(&parameters).await?.items.iter().map(kube::ResourceExt::name_any).collect())
}

fn nodes_of(scenario: &Scenario, service: &str) -> Vec<String> {
    scenario.view().read(|objects| {
        let pods = tasks(objects, service).into_iter().filter(|pod| exists(pod));
        pods.map(|pod| text(pod, "/spec/nodeName").to_owned()).collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn when_service_and_task_definition_name_attributes_then_tasks_run_where_both_hold_and_stay_when_they_change()
-> Result<()> {
    Scenario::run_on_kwok("member-of", async |scenario| {
        let zones = "attribute:ecs.availability-zone =~ us-east-1[ab]";
        let family = with(manifest::task_definition("web"), json!({ "placementConstraints": member_of(zones) }));
        let not_b = "not(attribute:ecs.availability-zone == us-east-1b) and attribute:ecs.os-family == LINUX";
        let web = with(manifest::service("web", 4), json!({ "placementConstraints": member_of(not_b) }));
        scenario.given([manifest::cluster("main", &[]), family, web]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let (allowed, used) = (nodes_in(scenario, "us-east-1a").await?, nodes_of(scenario, "web"));
        ensure!(used.len() == 4 && used.iter().all(|node| allowed.contains(node)), "{used:?} instead of {allowed:?}");

        // On ECS a changed constraint starts no deployment and moves nothing that runs.
        let before = scenario.task_uids("web");
        let only_b = member_of("attribute:ecs.availability-zone == us-east-1b");
        scenario.when_service_changed("web", json!({ "placementConstraints": only_b })).await?;
        scenario.then_within(30).the_service("web").is_steady().await?;
        ensure!(scenario.task_uids("web") == before, "tasks were replaced");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_node_meets_a_constraint_then_the_tasks_wait_and_the_service_says_so() -> Result<()> {
    Scenario::run_on_kwok("no-member", async |scenario| {
        let none = member_of("attribute:ecs.instance-type =~ z9.*");
        let web = with(manifest::service("web", 1), json!({ "placementConstraints": none }));
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web"), web]).await?;
        scenario.then_within(60).the_service("web").has("Ready", "False", "TaskPlacementFailure").await?;
        let text = "was unable to place a task because no container instance met all of its requirements.";
        scenario.then_within(30).the_service("web").tells(text).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_service_keeps_away_from_a_group_then_no_node_runs_both() -> Result<()> {
    Scenario::run_on_kwok("apart", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::task_definition("other"), manifest::service("other", 2)]).await?;
        scenario.then_within(60).the_service("other").is_steady().await?;
        let apart = member_of("task:group != service:other");
        scenario.given([with(manifest::service("web", 3), json!({ "placementConstraints": apart }))]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let (ours, theirs) = (nodes_of(scenario, "web"), nodes_of(scenario, "other"));
        ensure!(ours.iter().all(|node| !theirs.contains(node)), "{ours:?} beside {theirs:?}");
        Ok(())
    })
    .await
}
