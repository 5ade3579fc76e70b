//! What is read of a service's Deployments.

use std::sync::Arc;

use ecs::rolling::Budget;
use serde::Deserialize;
use serde_json::Value;

use crate::labels;
use crate::object::Metadata;
use crate::store::Stored;
use crate::task::observe::Task;

/// A Deployment of the service: all its tasks on one capacity provider.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    /// Value of the capacity provider label.
    pub(super) provider: String,
    /// Digits of the deployment whose template it runs.
    pub(super) deployment: String,
    /// `spec.replicas`
    pub(super) replicas: i64,
    /// Pods that count as healthy for ECS.
    pub(super) available: i64,
    /// Those of them that Kubernetes does not take for available, see [`Workload::excuse`].
    pub(super) excused: i64,
    /// Pods that exist, of either template, without those being deleted.
    pub(super) existing: i64,
    /// Surge and unavailability the Deployment has now.
    pub(super) budget: Budget,
    /// Whether the Deployment controller has seen the latest spec.
    pub(super) is_observed: bool,
    /// Whether pods of an older template are left.
    pub(super) has_old_pods: bool,
    /// Pods of the current template.
    updated: i64,
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
            excused: 0,
            existing: view.status.replicas,
            budget: Budget {
                max_surge: view.spec.strategy.rolling_update.max_surge.as_i64().unwrap_or_default(),
                max_unavailable: view.spec.strategy.rolling_update.max_unavailable.as_i64().unwrap_or_default(),
            },
            is_observed,
            has_old_pods: view.status.updated_replicas < view.status.replicas,
            is_settled: is_observed && counts.iter().all(|count| *count == replicas),
            updated: view.status.updated_replicas,
            replica_failure: failure.map(|condition| condition.message.clone()),
            affinity: view.spec.template.spec.affinity,
            tolerations: view.spec.template.spec.tolerations,
            stored,
        })
    }

    /// Counts tasks as available whose Pod is not Ready only because a container that is not essential has ended: for ECS
    /// they are as healthy as before, and a rollout that waited for them would never end.
    pub(super) fn excuse(&mut self, tasks: &[Task]) {
        let mine = |task: &&Task| task.capacity_provider.as_deref().unwrap_or_default() == self.provider;
        let excused = tasks.iter().filter(mine).filter(|task| task.is_healthy_for_deployment && !task.is_pod_ready);
        let excused = i64::try_from(excused.count()).unwrap_or(i64::MAX).min(self.existing - self.available).max(0);
        self.excused = excused;
        self.available += excused;
        let counts = [self.existing, self.updated, self.available];
        self.is_settled = self.is_observed && counts.iter().all(|count| *count == self.replicas);
    }

    /// The same room for a Deployment controller that takes some healthy tasks for unavailable.
    pub(super) fn with_excused(&self, budget: Budget) -> Budget {
        Budget { max_unavailable: budget.max_unavailable.saturating_add(self.excused), ..budget }
    }
}
