//! What is read of a service's Deployments.

use std::sync::Arc;

use ecs::rolling::Budget;
use serde::Deserialize;
use serde_json::Value;

use crate::labels;
use crate::object::Metadata;
use crate::store::Stored;

/// A Deployment of the service: all its tasks on one capacity provider.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    /// Value of the capacity provider label.
    pub(super) provider: String,
    /// Digits of the deployment whose template it runs.
    pub(super) deployment: String,
    /// `spec.replicas`
    pub(super) replicas: i64,
    pub(super) available: i64,
    /// Pods that exist, of either template, without those being deleted.
    pub(super) existing: i64,
    /// Surge and unavailability the Deployment has now.
    pub(super) budget: Budget,
    /// Whether the Deployment controller has seen the latest spec.
    pub(super) is_observed: bool,
    /// Whether pods of an older template are left.
    pub(super) has_old_pods: bool,
    /// Whether every pod runs the current template and is available, and no other pod is left.
    pub(super) is_settled: bool,
    /// What the Deployment controller said when it could not create pods.
    pub(super) replica_failure: Option<String>,
    /// Affinity and tolerations as they are, so that they can be kept.
    pub(super) affinity: Option<Value>,
    pub(super) tolerations: Option<Value>,
    pub(super) stored: Arc<Stored>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct View {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    replicas: i64,
    template: Template,
    strategy: Strategy,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Strategy {
    rolling_update: RollingUpdate,
}

/// The operator writes integers; a percentage somebody else wrote counts as not ours.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RollingUpdate {
    max_surge: Value,
    max_unavailable: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    metadata: Metadata,
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodSpec {
    affinity: Option<Value>,
    tolerations: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    replicas: i64,
    updated_replicas: i64,
    available_replicas: i64,
    conditions: Vec<DeploymentCondition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DeploymentCondition {
    r#type: String,
    status: String,
    message: String,
}

impl Workload {
    /// Reads a Deployment that is not on its way out.
    pub(super) fn read(stored: Arc<Stored>) -> Option<Self> {
        let view: View = stored.decode().ok()?;
        if view.metadata.is_deleting() {
            return None;
        }
        let is_observed = view.status.observed_generation >= view.metadata.generation;
        let replicas = view.spec.replicas;
        let counts = [view.status.replicas, view.status.updated_replicas, view.status.available_replicas];
        let failure = view
            .status
            .conditions
            .iter()
            .find(|condition| condition.r#type == "ReplicaFailure" && condition.status == "True");
        Some(Self {
            provider: view.metadata.labels.get(labels::CAPACITY_PROVIDER).cloned().unwrap_or_default(),
            deployment: view.spec.template.metadata.labels.get(labels::DEPLOYMENT).cloned().unwrap_or_default(),
            replicas,
            available: view.status.available_replicas,
            existing: view.status.replicas,
            budget: Budget {
                max_surge: view.spec.strategy.rolling_update.max_surge.as_i64().unwrap_or_default(),
                max_unavailable: view.spec.strategy.rolling_update.max_unavailable.as_i64().unwrap_or_default(),
            },
            is_observed,
            has_old_pods: view.status.updated_replicas < view.status.replicas,
            is_settled: is_observed && counts.iter().all(|count| *count == replicas),
            replica_failure: failure.map(|condition| condition.message.clone()),
            affinity: view.spec.template.spec.affinity,
            tolerations: view.spec.template.spec.tolerations,
            stored,
        })
    }
}
