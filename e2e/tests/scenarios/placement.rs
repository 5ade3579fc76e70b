//! Constraints on nodes, as the real scheduler reads them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::nodes::{self, NodeTemplate};
use e2e::scenario::Scenario;
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, with};
use e2e::scenario::sampler::{exists, tasks};
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
        let then = scenario.then_within(30);
        then.the_service("web")
            .has(is_true(ConditionType::PlacementPending, Reason::PlacementPendingNextDeployment))
            .await?;
        scenario.when_service_changed("web", json!({ "placementConstraints": member_of(not_b) })).await?;
        then.the_service("web").has(is_false(ConditionType::PlacementPending, Reason::PlacementApplied)).await?;
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
        scenario
            .then_within(60)
            .the_service("web")
            .has(is_false(ConditionType::Ready, Reason::TaskPlacementFailure))
            .await?;
        let text = "was unable to place a task because no container instance met all of its requirements.";
        scenario.then_within(30).the_service("web").tells(text).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nodes_of_the_right_kind_come_later_then_tasks_run_there_and_those_that_run_stay() -> Result<()> {
    Scenario::run_on_kwok("come-later", async |scenario| {
        let kind = |value: &str| json!({ "attributes.ecs-operator.dev/kind": value });
        let templates = ["a", "b"].map(|name| NodeTemplate::new(name, "us-east-1a"));
        scenario
            .on_own_nodes(templates.into(), async |pool| {
                let gold = member_of("attribute:kind =~ gold-.*");
                let web = with(manifest::service_on("web", 2, pool), json!({ "placementConstraints": gold }));
                scenario.given([manifest::cluster("main", &[pool]), manifest::task_definition("web"), web]).await?;
                let then = scenario.then_within(60);
                then.the_service("web").has(is_false(ConditionType::Ready, Reason::TaskPlacementFailure)).await?;

                nodes::label(scenario.client(), &format!("{pool}-a"), kind("gold-1")).await?;
                scenario.then_within(60).the_service("web").is_steady().await?;
                let before = scenario.task_uids("web");
                let first = [format!("{pool}-a")];
                ensure!(nodes_of(scenario, "web").iter().all(|node| first.contains(node)), "{first:?}");

                // Another value that matches moves nothing, and is good for what starts from now on.
                nodes::label(scenario.client(), &format!("{pool}-b"), kind("gold-2")).await?;
                scenario.when_service_changed("web", json!({ "desiredCount": 6 })).await?;
                scenario.then_within(60).the_service("web").is_steady().await?;
                let after = scenario.task_uids("web");
                ensure!(before.iter().all(|uid| after.contains(uid)), "{before:?} became {after:?}");
                let nodes: BTreeSet<String> = nodes_of(scenario, "web").into_iter().collect();
                ensure!(nodes.len() == 2, "tasks are on {nodes:?}");
                Ok(())
            })
            .await
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

/// How many tasks of a service each node has, most first.
fn tasks_per_node(scenario: &Scenario, service: &str) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for node in nodes_of(scenario, service) {
        *counts.entry(node).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// A family whose tasks take half a CPU and 512 MiB: four fill a node of 2 CPUs and 2 GiB.
fn quarter(family: &str) -> Value {
    manifest::with_container(manifest::task_definition(family), json!({ "cpu": 512, "memory": 512 }))
}

fn small(name: &str, zone: &str) -> NodeTemplate {
    NodeTemplate::new(name, zone).size("2", "2Gi", 110)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_are_packed_by_cpu_then_one_node_is_filled_before_the_next() -> Result<()> {
    Scenario::run_on_kwok("binpack", async |scenario| {
        let nodes = ["a", "b", "c"].map(|name| small(name, "pack-1a")).into();
        scenario
            .on_own_nodes(nodes, async |pool| {
                let pack = json!({ "placementStrategy": [{ "type": "binpack", "field": "cpu" }] });
                scenario.given([manifest::cluster("main", &[pool]), quarter("web")]).await?;
                scenario.given([with(manifest::service_on("web", 3, pool), pack)]).await?;
                scenario.then_within(60).the_service("web").is_steady().await?;
                let first = tasks_per_node(scenario, "web");
                ensure!(first.len() == 1, "three tasks that fit on one node are on {first:?}");

                scenario.when_scaled("web", 9).await?;
                scenario.then_within(60).the_service("web").is_steady().await?;
                let counts: Vec<_> = tasks_per_node(scenario, "web").into_iter().map(|(_, count)| count).collect();
                ensure!(counts == [4, 4, 1], "{counts:?}");
                let web = scenario.object("ECSService", "web").unwrap();
                ensure!(!web["status"]["conditions"].to_string().contains("placementStrategy"), "{web}");
                Ok(())
            })
            .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_are_spread_over_zones_and_then_packed_then_each_zone_fills_one_node() -> Result<()> {
    Scenario::run_on_kwok("spread-pack", async |scenario| {
        let nodes = [("a1", "pack-1a"), ("a2", "pack-1a"), ("b1", "pack-1b"), ("b2", "pack-1b")];
        let nodes = nodes.map(|(name, zone)| small(name, zone)).into();
        scenario
            .on_own_nodes(nodes, async |pool| {
                let zones = json!({ "type": "spread", "field": "attribute:ecs.availability-zone" });
                let pack = json!({ "placementStrategy": [zones, { "type": "binpack", "field": "memory" }] });
                scenario.given([manifest::cluster("main", &[pool]), quarter("web")]).await?;
                scenario.given([with(manifest::service_on("web", 6, pool), pack)]).await?;
                scenario.then_within(60).the_service("web").is_steady().await?;
                let counts = tasks_per_node(scenario, "web");
                let in_zone = |zone: &str| -> Vec<usize> {
                    let here = counts.iter().filter(|(node, _)| node.starts_with(&format!("{pool}-{zone}")));
                    here.map(|(_, count)| *count).collect()
                };
                ensure!(in_zone("a") == [3] && in_zone("b") == [3], "{counts:?}");
                Ok(())
            })
            .await
    })
    .await
}
