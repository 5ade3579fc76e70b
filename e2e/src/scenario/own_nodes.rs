//! Nodes of one scenario alone: what is elsewhere in the cluster neither fills them nor feels what becomes of them.

use anyhow::Result;
use serde_json::json;

use super::{Scenario, manifest};
use crate::cluster::nodes::{self, NodeTemplate};

/// Label and taint of such nodes; the value is the scenario's namespace.
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
        let pool = self.namespace();
        let mut own = Vec::new();
        for mut template in templates {
            template.name = format!("{pool}-{}", template.name);
            own.push(template.label(POOL, pool).taint(POOL, pool));
        }
        let toleration = json!({ "key": POOL, "operator": "Equal", "value": pool, "effect": "NoSchedule" });
        let provider = manifest::with(
            manifest::capacity_provider(pool, pool, (POOL, pool)),
            json!({ "kubernetes": { "tolerations": [toleration] } }),
        );
        nodes::add(self.client(), &own).await?;
        let outcome = async {
            self.when_applied([provider]).await?;
            story(pool).await
        }
        .await;
        for node in &own {
            match nodes::remove(self.client(), &node.name).await {
                // Some stories take nodes away themselves.
                Err(error) if format!("{error:#}").contains("not found") => {}
                other => other?,
            }
        }
        self.when_deleted("ECSCapacityProvider", pool).await?;
        outcome
    }
}
