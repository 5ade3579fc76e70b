//! What both demos have in common: a namespace in which a story happens, and its events told while they come.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::operator::Operator;
use crate::progress;
use crate::scenario::json::text;
use crate::scenario::{Environment, Objects, Scenario};

/// Where the story happens.
pub(super) const NAMESPACE: &str = "demo";

/// Makes the namespace and begins to tell the events in it. An operator that runs outside the cluster is given.
///
/// # Errors
/// When the namespace cannot be made.
pub(super) async fn begin(cluster: &Cluster, operator: Option<&Operator>) -> Result<Scenario> {
    cluster.kubectl(["create", "namespace", NAMESPACE]).await?;
    let environment = Environment {
        kubeconfig: cluster.kubeconfig().to_owned(),
        logs: operator.iter().map(|operator| operator.log().to_owned()).collect(),
        url: operator.map(Operator::url),
        audit_log: None,
        alertmanager: None,
    };
    let scenario = Scenario::in_namespace(environment, NAMESPACE).await?;
    tell_events(&scenario);
    Ok(scenario)
}

/// Tells a story to its end.
///
/// # Errors
/// What the story says, and when Ctrl-C ends it.
pub(super) async fn tell(story: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        told = story => told,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    }
}

/// Prints each event of each service when it appears, in the words of ECS.
fn tell_events(scenario: &Scenario) {
    let mut told = BTreeSet::new();
    scenario.view().observe(Box::new(move |objects: &Objects| {
        for ((_, _), service) in objects.iter().filter(|((kind, _), _)| *kind == "ECSService") {
            let events = service.pointer("/status/events").and_then(Value::as_array);
            // The newest comes first.
            for event in events.into_iter().flatten().rev() {
                if told.insert(text(event, "/id").to_owned()) {
                    progress::note(format!("  {}", text(event, "/message")));
                }
            }
        }
    }));
}
