//! Availability Zone rebalancing on nodes of the scenario's own.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use e2e::cluster::nodes::{self, NodeTemplate};
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, with};
use e2e::scenario::sampler::{exists, tasks};
use e2e::scenario::{Bounds, Objects, Sampler, Scenario};
use serde_json::json;

const UNTIL: &str = "ecs-operator.dev/protected-until";

fn two_zones() -> Vec<NodeTemplate> {
    [("a", "balance-1a"), ("b", "balance-1b")].map(|(name, zone)| NodeTemplate::new(name, zone)).into()
}

/// Tasks of a service on each node.
fn on_nodes(objects: &Objects, service: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for pod in tasks(objects, service).into_iter().filter(|pod| exists(pod)) {
        *counts.entry(text(pod, "/spec/nodeName").to_owned()).or_default() += 1;
    }
    counts
}

async fn are_on(scenario: &Scenario, expected: &[(String, usize)]) -> Result<()> {
    scenario
        .then_within(90)
        .until(&format!("tasks are on {expected:?}"), |objects| {
            let is = on_nodes(objects, "web");
            if is.iter().map(|(node, count)| (node.clone(), *count)).eq(expected.iter().cloned()) {
                Ok(())
            } else {
                Err(format!("they are on {is:?}"))
            }
        })
        .await
}

/// A service of four tasks, all in the first zone, as the node of the other one was cordoned.
async fn all_in_one_zone(scenario: &Scenario, pool: &str, rebalancing: &str) -> Result<()> {
    nodes::cordon(scenario.client(), &format!("{pool}-b"), true).await?;
    scenario.given([manifest::cluster("main", &[pool]), manifest::task_definition("web")]).await?;
    let web = with(manifest::service_on("web", 4, pool), json!({ "availabilityZoneRebalancing": rebalancing }));
    scenario.given([web]).await?;
    scenario.then_within(60).the_service("web").is_steady().await?;
    are_on(scenario, &[(format!("{pool}-a"), 4)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_zone_comes_back_then_tasks_move_there_one_by_one_and_never_are_too_few() -> Result<()> {
    Scenario::run_on_kwok("rebalance", async |scenario| {
        scenario
            .on_own_nodes(two_zones(), async |pool| {
                all_in_one_zone(scenario, pool, "ENABLED").await?;
                let bounds = Bounds { at_least: 4, at_most: 5, min_ready_seconds: 0 };
                let sampler = Sampler::start(scenario.view(), "web", bounds);
                nodes::cordon(scenario.client(), &format!("{pool}-b"), false).await?;
                are_on(scenario, &[(format!("{pool}-a"), 2), (format!("{pool}-b"), 2)]).await?;
                scenario.then_within(60).the_service("web").is_steady().await?;
                sampler.verdict()?;
                let then = scenario.then_within(30);
                then.the_service("web")
                    .tells("is not AZ balanced with 4 tasks in balance-1a, 0 tasks in balance-1b. AZ Rebalancing in progress.")
                    .await?;
                then.the_service("web").tells("has started 1 tasks in balance-1b to AZ Rebalance: (task ").await?;
                let stopped = "has stopped 1 running tasks in balance-1a due to AZ rebalancing: (task ";
                then.the_service("web").tells(stopped).await?;
                then.the_service("web").tells("is AZ balanced with 2 tasks in balance-1a, 2 tasks in balance-1b.").await?;
                let web = scenario.object("ECSService", "web").unwrap();
                ensure!(web["spec"]["desiredCount"] == 4, "desiredCount is {}", web["spec"]["desiredCount"]);
                Ok(())
            })
            .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_are_protected_then_they_stay_in_the_fullest_zone_and_others_move() -> Result<()> {
    Scenario::run_on_kwok("rebalance-protected", async |scenario| {
        scenario
            .on_own_nodes(two_zones(), async |pool| {
                all_in_one_zone(scenario, pool, "ENABLED").await?;
                let before = scenario.task_uids("web");
                let pods: Vec<String> = scenario.view().read(|objects| {
                    let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
                    pods.map(|pod| text(pod, "/metadata/name").to_owned()).collect()
                });
                for pod in pods.iter().take(3) {
                    let until = json!({ "metadata": { "annotations": { UNTIL: "2100-01-01T00:00:00Z" } } });
                    scenario.when_patched("Pod", pod, until).await?;
                }
                nodes::cordon(scenario.client(), &format!("{pool}-b"), false).await?;
                are_on(scenario, &[(format!("{pool}-a"), 3), (format!("{pool}-b"), 1)]).await?;
                let now = scenario.task_uids("web");
                ensure!(before.iter().filter(|uid| now.contains(uid)).count() == 3, "{before:?} became {now:?}");
                scenario.then_within(60).the_service("web").is_steady().await
            })
            .await
    })
    .await
}
