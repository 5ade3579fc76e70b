//! Nodes of one scenario alone: what is elsewhere in the cluster neither fills them nor feels what becomes of them.

use anyhow::Result;
use serde_json::json;

use super::{Scenario, manifest};
use crate::cluster::nodes::{self, NodeTemplate};

/// Label and taint of such nodes; the value is the name of their capacity provider.
const POOL: &str = "e2e.local/pool";

impl Scenario {
    /// Adds nodes and the capacity provider that leads to them, and takes both away after the story, however it ends. The
    /// provider, and the prefix of the nodes' names, is the scenario's namespace: node `a` is `NAMESPACE-a`.
    ///
    /// # Errors
    /// What the story says, or when the nodes cannot be added.
    pub async fn on_own_nodes(
        &self,
        templates: Vec<NodeTemplate>,
        story: impl AsyncFnOnce(&str) -> Result<()>,
    ) -> Result<()> {
        let pool = self.namespace().to_owned();
        self.on_own_pools(vec![(pool.clone(), templates)], async || story(&pool).await).await
    }

    /// The same with several capacity providers, each with nodes of its own: node `a` of provider `p` is `p-a`. Capacity
    /// providers have no namespace, so their names should begin with the scenario's.
    ///
    /// # Errors
    /// What the story says, or when the nodes cannot be added.
    pub async fn on_own_pools(
        &self,
        pools: Vec<(String, Vec<NodeTemplate>)>,
        story: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<()> {
        let mut own = Vec::new();
        let mut providers = Vec::new();
        for (pool, templates) in &pools {
            for template in templates {
                let named = NodeTemplate { name: format!("{pool}-{}", template.name), ..template.clone() };
                own.push(named.label(POOL, pool).taint(POOL, pool));
            }
            let toleration = json!({ "key": POOL, "operator": "Equal", "value": pool, "effect": "NoSchedule" });
            providers.push(manifest::with(
                manifest::capacity_provider(pool, pool, (POOL, pool)),
                json!({ "kubernetes": { "tolerations": [toleration] } }),
            ));
        }
        nodes::add(self.client(), &own).await?;
        let outcome = async {
            self.when_applied(providers).await?;
            story().await
        }
        .await;
        for node in &own {
            match nodes::remove(self.client(), &node.name).await {
                // Some stories take nodes away themselves.
                Err(error) if format!("{error:#}").contains("not found") => {}
                other => other?,
            }
        }
        for (pool, _) in &pools {
            self.when_deleted("ECSCapacityProvider", pool).await?;
        }
        outcome
    }
}
