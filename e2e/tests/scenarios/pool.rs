//! Nodes of a scenario's own. Nodes are there for every scenario, so these are tainted, and only the tasks of the scenario's
//! own capacity provider tolerate that.

use anyhow::Result;
use e2e::cluster::CapacityLabel;
use e2e::cluster::nodes::{self, NodeTemplate, ZONES};
use e2e::scenario::{Scenario, manifest};
use serde_json::{Value, json};

const LABEL: &str = "e2e.local/pool";

/// Nodes, and the provider that stands for them.
pub(crate) struct Pool<'a> {
    pub(crate) scenario: &'a Scenario,
    /// Name of the provider.
    pub(crate) provider: String,
    /// Names of the nodes.
    pub(crate) nodes: Vec<String>,
}

impl Pool<'_> {
    /// Runs a scenario on `count` nodes of its own, and removes them.
    pub(crate) async fn run(
        name: &str,
        count: usize,
        story: impl AsyncFnOnce(&mut Pool<'_>) -> Result<()>,
    ) -> Result<()> {
        Scenario::run_on_kwok(name, async |scenario| {
            let provider = format!("{}-pool", scenario.namespace());
            let mut pool = Pool { scenario, provider, nodes: Vec::new() };
            let outcome = async {
                for _ in 0..count {
                    pool.add().await?;
                }
                let label = (LABEL, scenario.namespace());
                let tolerations = json!([{ "key": LABEL, "operator": "Exists", "effect": "NoSchedule" }]);
                let provider = manifest::capacity_provider(&pool.provider, &pool.provider, label);
                let provider = manifest::with(provider, json!({ "kubernetes": { "tolerations": tolerations } }));
                let cluster = manifest::cluster("main", &[&pool.provider]);
                scenario.given([provider, cluster, manifest::task_definition("app")]).await?;
                story(&mut pool).await
            }
            .await;
            for node in &pool.nodes {
                // A story may have removed one.
                drop(nodes::remove(scenario.client(), node).await);
            }
            scenario.when_deleted("ECSCapacityProvider", &pool.provider).await?;
            outcome
        })
        .await
    }

    /// One more node.
    pub(crate) async fn add(&mut self) -> Result<String> {
        let index = self.nodes.len();
        let name = format!("{}-{index}", self.scenario.namespace());
        let zone = ZONES[index % ZONES.len()];
        let node = NodeTemplate::new(&name, zone).capacity_label(CapacityLabel::None);
        let node = node.label(LABEL, self.scenario.namespace()).taint(LABEL, "e2e");
        nodes::add(self.scenario.client(), &[node]).await?;
        self.nodes.push(name.clone());
        Ok(name)
    }

    /// Takes a node out of the pool, or back into it.
    pub(crate) async fn belongs(&self, node: &str, belongs: bool) -> Result<()> {
        let value = if belongs { json!(self.scenario.namespace()) } else { Value::Null };
        nodes::label(self.scenario.client(), node, json!({ LABEL: value })).await
    }

    /// The label that a cluster selects these nodes with.
    pub(crate) fn selector(&self) -> Value {
        json!({ LABEL: self.scenario.namespace() })
    }

    /// A service on these nodes: with a desired count, or a task on each of them.
    pub(crate) fn service(&self, name: &str, desired: Option<i64>) -> Value {
        let strategy = json!([{ "capacityProvider": self.provider, "weight": 1 }]);
        let mut spec = json!({ "cluster": "main", "taskDefinition": "app", "capacityProviderStrategy": strategy });
        match desired {
            Some(desired) => spec["desiredCount"] = desired.into(),
            None => spec["schedulingStrategy"] = "DAEMON".into(),
        }
        manifest::ecs_json("ECSService", name, spec)
    }
}
