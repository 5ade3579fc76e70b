//! Capacity providers: how many tasks go where, and that they really go there.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::json::text;
use e2e::scenario::manifest;
use e2e::scenario::sampler::{exists, tasks};
use e2e::scenario::view::Objects;
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::Value;

/// FARGATE with base 2 and weight 1, FARGATE_SPOT with weight 3, at 1 to 12 tasks. The base comes first; each task after it
/// goes where tasks divided by weight plus a half is lowest (Sainte-Laguë), the first of the list winning a tie.
const SPLIT: [(usize, usize); 12] =
    [(1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (3, 3), (3, 4), (4, 4), (4, 5), (4, 6), (4, 7), (5, 7)];

fn provider(pod: &Value) -> &str {
    let labels = pod.pointer("/metadata/labels");
    labels
        .and_then(|labels| labels.get("ecs-operator.dev/capacity-provider"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn split(objects: &Objects) -> (usize, usize) {
    let pods: Vec<_> = tasks(objects, "web").into_iter().filter(|pod| exists(pod)).collect();
    let on = |name: &str| pods.iter().filter(|pod| provider(pod).to_lowercase() == name).count();
    (on("fargate"), on("fargate_spot"))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_service_scales_from_one_to_twelve_and_back_then_base_and_weights_decide_each_task() -> Result<()> {
    Scenario::run_on_kwok("split", async |scenario| {
        let providers = ["FARGATE", "FARGATE_SPOT"];
        scenario.given([manifest::cluster("main", &providers), manifest::fargate_task_definition("web")]).await?;
        scenario.given([manifest::fargate_service("web", 0, &[("FARGATE", 2, 1), ("FARGATE_SPOT", 0, 3)])]).await?;
        let up = 1..=SPLIT.len();
        let down = (1..SPLIT.len()).rev();
        for (count, direction) in up.map(|count| (count, "up")).chain(down.map(|count| (count, "down"))) {
            scenario.when_scaled("web", i64::try_from(count)?).await?;
            scenario.then_within(30).the_service("web").is_steady().await?;
            let expected = SPLIT.get(count - 1).copied().context("no such count")?;
            let is = scenario.view().read(split);
            ensure!(is == expected, "{direction} to {count}: {is:?} instead of {expected:?}");
            if count == SPLIT.len() {
                land_on_their_nodes(scenario).await?;
            }
        }
        Ok(())
    })
    .await
}

/// Tasks of FARGATE are on on-demand nodes, tasks of FARGATE_SPOT on spot nodes.
async fn land_on_their_nodes(scenario: &Scenario) -> Result<()> {
    let nodes: Api<Node> = Api::all(scenario.client().clone());
    let nodes = nodes.list(&ListParams::default()).await?.items;
    let types: BTreeMap<_, _> = nodes
        .iter()
        .filter_map(|node| Some((node.name_any(), node.labels().get("karpenter.sh/capacity-type")?.clone())))
        .collect();
    let placed: Vec<_> = scenario.view().read(|objects| {
        let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
        pods.map(|pod| (provider(pod).to_owned(), text(pod, "/spec/nodeName").to_owned())).collect()
    });
    for (provider, node) in placed {
        let wanted = if provider.to_lowercase() == "fargate" { "on-demand" } else { "spot" };
        let is = types.get(&node).map(String::as_str);
        ensure!(is == Some(wanted), "a task of {provider} is on {node}, which is {is:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_service_names_no_strategy_then_the_clusters_default_decides() -> Result<()> {
    Scenario::run_on_kwok("default-strategy", async |scenario| {
        let mut cluster = manifest::cluster("main", &["FARGATE", "FARGATE_SPOT"]);
        cluster["spec"]["defaultCapacityProviderStrategy"] =
            serde_json::json!([{ "capacityProvider": "FARGATE_SPOT", "weight": 1 }]);
        let mut service = manifest::fargate_service("web", 3, &[]);
        service["spec"].as_object_mut().context("no spec")?.remove("capacityProviderStrategy");
        scenario.given([cluster, manifest::fargate_task_definition("web"), service]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let is = scenario.view().read(split);
        ensure!(is == (0, 3), "{is:?}");
        land_on_their_nodes(scenario).await
    })
    .await
}
