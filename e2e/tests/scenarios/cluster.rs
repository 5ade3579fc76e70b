//! Clusters: nodes as container instances, counters, and the rules of PutClusterCapacityProviders.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::nodes;
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::manifest::{self, with};
use serde_json::{Value, json};

use super::pool::Pool;

fn counts(cluster: &Value) -> [Option<i64>; 3] {
    let is = |name: &str| cluster["status"][name].as_i64();
    [is("registeredContainerInstancesCount"), is("drainingContainerInstancesCount"), is("runningTasksCount")]
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nodes_of_a_cluster_drain_or_go_then_its_container_instances_follow() -> Result<()> {
    Pool::run("instances", 3, async |pool| {
        let scenario = pool.scenario;
        let selector = json!({ "kubernetes": { "nodeSelector": pool.selector() } });
        scenario.given_allowed(json!({ "ecs-operator.dev/allowed-placement": "node-labels=*" })).await?;
        scenario.given([with(manifest::cluster("main", &[&pool.provider]), selector)]).await?;
        scenario.given([pool.service("web", Some(2))]).await?;
        let is = async |wanted: [i64; 3]| -> Result<Value> {
            let then = scenario.then_within(60);
            let what = format!("has {wanted:?} registered, draining and running");
            then.object("ECSCluster", "main", &what, |cluster| counts(cluster) == wanted.map(Some)).await
        };
        is([3, 0, 2]).await?;
        let [one, two, _] = pool.nodes.clone().try_into().unwrap();
        nodes::cordon(scenario.client(), &one, true).await?;
        let draining = json!({ "ecs-operator.dev/container-instance-status": "DRAINING" });
        nodes::label(scenario.client(), &two, draining).await?;
        let cluster = is([3, 2, 2]).await?;
        let first = &cluster["status"]["containerInstances"][0];
        ensure!(first["name"] == one && first["status"] == "DRAINING" && first["agentConnected"] == true, "{first}");
        nodes::cordon(scenario.client(), &one, false).await?;
        nodes::label(scenario.client(), &two, json!({ "ecs-operator.dev/container-instance-status": null })).await?;
        is([3, 0, 2]).await?;
        nodes::remove(scenario.client(), &one).await?;
        is([2, 0, 2]).await?;
        scenario.when_deleted("ECSService", "web").await?;
        is([2, 0, 0]).await?;
        // Nodes belong to Kubernetes: registered as they are, they do not keep the cluster.
        scenario.when_deleted("ECSCluster", "main").await?;
        scenario.then_within(30).is_gone("ECSCluster", "main").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_provider_is_taken_off_the_list_while_tasks_use_it_then_it_stays_associated_until_they_have_stopped()
-> Result<()> {
    Pool::run("provider-leaves", 2, async |pool| {
        let scenario = pool.scenario;
        scenario.given([pool.service("web", Some(2))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("app:1").await?;
        scenario.when_applied([manifest::cluster("main", &[])]).await?;
        let then = scenario.then_within(30);
        let said = then
            .condition("ECSCluster", "main", is_true(ConditionType::Stalled, Reason::CapacityProviderInUse))
            .await?;
        ensure!(said.contains(&pool.provider), "{said}");

        // Associated as it is, the service can still be updated.
        let new = manifest::with_container(manifest::task_definition("app"), json!({ "command": ["sleep", "2"] }));
        scenario.when_applied([new]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("app:2").await?;

        scenario.when_deleted("ECSService", "web").await?;
        scenario
            .then_within(60)
            .condition("ECSCluster", "main", is_true(ConditionType::Ready, Reason::ReconcileCompleted))
            .await?;
        let cluster = scenario.object("ECSCluster", "main").unwrap();
        ensure!(cluster["status"].get("capacityProviders").is_none(), "{}", cluster["status"]["capacityProviders"]);
        let said = scenario.then_within(30);
        scenario.given([pool.service("late", Some(1))]).await?;
        let message =
            said.the_service("late").has(is_false(ConditionType::Accepted, Reason::InvalidParameterException)).await?;
        ensure!(message.contains("is not associated with cluster main"), "{message}");
        Ok(())
    })
    .await
}
