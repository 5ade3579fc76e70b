//! What is read of a service's Deployments.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::store::Stored;

/// A Deployment of the service: all tasks of one service deployment on one capacity provider.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    /// Digits of the deployment whose template it runs.
    pub(super) deployment: String,
    /// Value of the capacity provider label.
    pub(super) provider: String,
    /// `spec.replicas`
    pub(super) replicas: i64,
    /// The desired count of the service when `replicas` were written.
    pub(super) asked_for: Option<i64>,
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
#[serde(default)]
struct Status {
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
        let label = |name: &str| view.spec.template.metadata.labels.get(name).cloned().unwrap_or_default();
        let mut conditions = view.status.conditions.iter();
        let failure = conditions.find(|condition| condition.r#type == "ReplicaFailure" && condition.status == "True");
        Some(Self {
            deployment: label(labels::DEPLOYMENT),
            provider: label(labels::CAPACITY_PROVIDER),
            replicas: view.spec.replicas,
            asked_for: view.metadata.annotations.get(labels::DESIRED_COUNT).and_then(|text| text.parse().ok()),
            replica_failure: failure.map(|condition| condition.message.clone()),
            affinity: view.spec.template.spec.affinity,
            tolerations: view.spec.template.spec.tolerations,
            stored,
        })
    }
}

/// The DaemonSet of a DAEMON service.
#[derive(Clone, Debug)]
pub(super) struct DaemonSet {
    /// Digits of the deployment whose template it has.
    pub(super) deployment: String,
}

impl DaemonSet {
    /// Reads a DaemonSet that is not on its way out.
    pub(super) fn read(stored: &Stored) -> Option<Self> {
        let mut view: View = stored.decode().ok()?;
        let deployment = view.spec.template.metadata.labels.remove(labels::DEPLOYMENT).unwrap_or_default();
        (!view.metadata.is_deleting()).then_some(Self { deployment })
    }
}
