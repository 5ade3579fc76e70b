//! What is read of a Pod: only the members that [`crate::core::store`] keeps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::store::{DecodeError, Stored, View};
use crate::core::text::clean;

/// A Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodView {
    /// `metadata`
    pub metadata: PodMetadata,
    /// `spec`, of which only the node and what keeps the Pod from getting one are kept.
    pub spec: PodSpecView,
    /// `status`
    pub status: PodStatusView,
}

impl View for PodView {
    fn read(stored: &Stored) -> Result<Self, DecodeError> {
        let mut pod: Self = stored.decode()?;
        pod.metadata.resource_version.clone_from(&stored.resource_version);
        pod.status.clean();
        Ok(pod)
    }
}

impl PodView {
    /// Who made it and replaces it.
    #[must_use]
    pub fn controller(&self) -> Option<&PodOwner> {
        self.metadata.owner_references.iter().find(|owner| owner.controller)
    }

    /// Whether its containers have ended for good.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }
}

/// Metadata of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodMetadata {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Uid, from which the task id is made.
    pub uid: String,
    /// Version, a precondition of deletes. Not a part of what is kept as text: the store knows it.
    #[serde(skip)]
    pub resource_version: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Whom it belongs to.
    pub owner_references: Vec<PodOwner>,
    /// When it was made.
    pub creation_timestamp: Option<Timestamp>,
    /// When it will be gone at the latest; set while it is being deleted.
    pub deletion_timestamp: Option<Timestamp>,
    /// Seconds between the request to delete it and that time.
    pub deletion_grace_period_seconds: Option<i64>,
}

/// Somebody that a Pod belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodOwner {
    /// `ReplicaSet`, `DaemonSet` …
    pub kind: String,
    /// Name, unique among those of the kind in the namespace.
    pub name: String,
    /// Whether it made the Pod and replaces it.
    pub controller: bool,
}

/// Spec of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpecView {
    /// The node, once there is one.
    pub node_name: Option<String>,
    /// What the scheduler waits for before it looks for a node.
    pub scheduling_gates: Vec<SchedulingGate>,
}

/// Something that a controller says of a Pod before it is scheduled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct SchedulingGate {
    /// Whose gate it is.
    pub name: String,
}

/// Status of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatusView {
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`
    pub phase: String,
    /// Why it failed, such as `Evicted`.
    pub reason: String,
    /// Details to the reason.
    pub message: String,
    /// Conditions.
    pub conditions: Vec<PodCondition>,
    /// Main containers.
    pub container_statuses: Vec<ContainerStatusView>,
    /// Init containers and native sidecars.
    pub init_container_statuses: Vec<ContainerStatusView>,
}

/// A condition of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodCondition {
    /// `Ready`, `PodScheduled`, `DisruptionTarget` …
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False`, `Unknown`
    pub status: String,
    /// Why.
    pub reason: String,
    /// Details.
    pub message: String,
    /// When the status last changed.
    pub last_transition_time: Option<Timestamp>,
}

/// Status of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatusView {
    /// Name in the Pod.
    pub name: String,
    /// Its readiness probe, if any, succeeds.
    pub ready: bool,
    /// Its startup probe, if any, has succeeded.
    pub started: Option<bool>,
    /// How often it was started again.
    pub restart_count: i64,
    /// What it does now.
    pub state: StateView,
    /// What it did before.
    pub last_state: StateView,
}

/// One of three states.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StateView {
    /// Not started.
    pub waiting: Option<WaitingView>,
    /// Running.
    pub running: Option<RunningView>,
    /// Ended.
    pub terminated: Option<TerminatedView>,
}

/// A container that has not started.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WaitingView {
    /// `ContainerCreating`, `ImagePullBackOff` …
    pub reason: String,
    /// Details.
    pub message: String,
}

/// A container that runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunningView {
    /// Since when.
    pub started_at: Option<Timestamp>,
}

/// A container that ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TerminatedView {
    /// Exit code.
    pub exit_code: i64,
    /// `Completed`, `Error`, `OOMKilled` …
    pub reason: String,
    /// Details.
    pub message: String,
    /// When it had started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl PodStatusView {
    /// Messages come from nodes, runtimes and registries, and repeat what users wrote: from here on they are safe to show.
    fn clean(&mut self) {
        let containers = self.container_statuses.iter_mut().chain(&mut self.init_container_statuses);
        let states = containers.flat_map(|container| [&mut container.state, &mut container.last_state]);
        let in_states = states.flat_map(|state| {
            let waiting = state.waiting.as_mut().map(|waiting| [&mut waiting.reason, &mut waiting.message]);
            let ended = state.terminated.as_mut().map(|ended| [&mut ended.reason, &mut ended.message]);
            waiting.into_iter().chain(ended).flatten()
        });
        let in_conditions =
            self.conditions.iter_mut().flat_map(|condition| [&mut condition.reason, &mut condition.message]);
        for text in [&mut self.reason, &mut self.message].into_iter().chain(in_states).chain(in_conditions) {
            *text = clean(text);
        }
    }

    /// The condition of a type, if the Pod has it.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Option<&PodCondition> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// The status of a container by its name in the Pod.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&ContainerStatusView> {
        self.container_statuses.iter().chain(&self.init_container_statuses).find(|status| status.name == name)
    }
}
