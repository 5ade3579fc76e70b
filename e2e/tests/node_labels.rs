//! FARGATE and FARGATE_SPOT on a cluster whose nodes do not say whether they are spot nodes, and what changes when they do.
//! Run with `cargo xtask test`; it has a cluster of its own, because all providers look at all nodes.

// What is not there fails the test, as it should.
#![allow(clippy::indexing_slicing)]

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use e2e::cluster::nodes::default_templates;
use e2e::cluster::{CapacityLabel, Cluster, Nodes, Options};
use e2e::operator::{self, Launch};
use e2e::scenario::json::text;
use e2e::scenario::kinds::Known;
use e2e::scenario::manifest;
use e2e::scenario::sampler::{exists, tasks};
use e2e::scenario::{Environment, Scenario};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

const SPOT_NODES: [&str; 3] = ["node-4", "node-5", "node-6"];

/// Expects what a provider's status says about its nodes.
async fn provider_has(scenario: &Scenario, name: &str, source: &str, nodes: i64) -> Result<()> {
    let what = format!("has {nodes} nodes by {source}");
    let then = scenario.then_within(30);
    then.object("ECSCapacityProvider", name, &what, |provider| {
        let status = &provider["status"];
        status["nodeSource"] == source && status["matchingNodes"] == nodes
    })
    .await?;
    Ok(())
}

async fn label(cluster: &Cluster, node: &str, value: &str) -> Result<()> {
    let nodes: Api<Node> = Api::all(cluster.client()?);
    let patch = json!({ "metadata": { "labels": { "eks.amazonaws.com/capacityType": value } } });
    nodes.patch(node, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// The nodes on which tasks of a provider run.
fn nodes_of(scenario: &Scenario, provider: &str) -> BTreeSet<String> {
    scenario.view().read(|objects| {
        let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
        let pods = pods.filter(|pod| pod["metadata"]["labels"]["ecs-operator.dev/capacity-provider"] == provider);
        pods.map(|pod| text(pod, "/spec/nodeName").to_owned()).collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nodes_do_not_say_what_they_are_then_fargate_means_all_of_them_until_they_do() -> Result<()> {
    let nodes = Nodes::Kwok(default_templates(CapacityLabel::None));
    let cluster = Cluster::start(Options { nodes, metrics: false, ..Options::default() }).await?;
    operator::install_charts(&cluster).await?;
    let mut operator = Launch::installed(&cluster, "node-labels").await?.spawn()?;
    operator.leads().await?;
    let environment = Environment {
        kubeconfig: cluster.kubeconfig().to_owned(),
        logs: vec![operator.log().to_owned()],
        url: Some(operator.url()),
        audit_log: None,
        alertmanager: None,
    };
    Scenario::run_in(environment, "node-labels", async |scenario| {
        scenario.view().watch(Known::find("ECSCapacityProvider")?).await?;
        provider_has(scenario, "fargate", "AnyNode", 6).await?;
        provider_has(scenario, "fargate-spot", "AnyNode", 6).await?;
        let providers = ["FARGATE", "FARGATE_SPOT"];
        scenario.given([manifest::cluster("main", &providers), manifest::fargate_task_definition("web")]).await?;
        let strategy = [("FARGATE", 0, 1), ("FARGATE_SPOT", 0, 1)];
        scenario.given([manifest::fargate_service("web", 6, &strategy)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let before = scenario.task_uids("web");

        for node in ["node-1", "node-2", "node-3"] {
            label(&cluster, node, "ON_DEMAND").await?;
        }
        for node in SPOT_NODES {
            label(&cluster, node, "SPOT").await?;
        }
        provider_has(scenario, "fargate", "eks.amazonaws.com/capacityType", 3).await?;
        provider_has(scenario, "fargate-spot", "eks.amazonaws.com/capacityType", 3).await?;
        scenario.then_within(30).the_service("web").is_steady().await?;
        ensure!(scenario.task_uids("web") == before, "labels on nodes replaced tasks");

        // What runs stays where it is; the next deployment knows the nodes.
        let force = json!({ "kubernetes": { "forceNewDeployment": "labelled" } });
        scenario.when_service_changed("web", force).await?;
        let then = scenario.then_within(60);
        then.until("every task is a new one", |objects| {
            let pods: Vec<_> = tasks(objects, "web").into_iter().filter(|pod| exists(pod)).collect();
            let old = pods.iter().filter(|pod| before.iter().any(|uid| text(pod, "/metadata/uid") == uid)).count();
            if old == 0 { Ok(()) } else { Err(format!("{old} are old")) }
        })
        .await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let spot: BTreeSet<_> = SPOT_NODES.map(str::to_owned).into();
        let (on_demand, on_spot) = (nodes_of(scenario, "FARGATE"), nodes_of(scenario, "FARGATE_SPOT"));
        ensure!(!on_spot.is_empty() && on_spot.is_subset(&spot), "tasks of FARGATE_SPOT are on {on_spot:?}");
        ensure!(!on_demand.is_empty() && on_demand.is_disjoint(&spot), "tasks of FARGATE are on {on_demand:?}");
        Ok(())
    })
    .await?;
    ensure!(operator.terminate().await?.success());
    Ok(())
}
