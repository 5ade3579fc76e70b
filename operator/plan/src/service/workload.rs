//! What is read of a service's Deployments.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::store::{DecodeError, Stored, View};
use crate::pod::observe::PodView;

/// The Deployment of a service deployment on a capacity provider, by the name that it is made with: `web-3f2a91c07b`, or
/// `web-fargate-3f2a91c07b` with a provider. The hash is of the service, the deployment and the provider, so that no two of
/// them ever meet.
pub(super) fn key(service: &ObjectKey, deployment: &str, provider: Option<&str>) -> ObjectKey {
    let provider = provider.unwrap_or_default();
    let readable: String =
        provider.chars().filter(char::is_ascii_alphanumeric).take(20).collect::<String>().to_ascii_lowercase();
    let hash = ecs::name::short_hash(&format!("{}/{deployment}/{provider}", service.name));
    let suffix = if readable.is_empty() { hash } else { format!("{readable}-{hash}") };
    let stem = ecs::name::dns_label(&service.name, LONGEST_NAME - 1 - suffix.len());
    let namespace = service.namespace.clone().unwrap_or_default();
    ObjectKey::namespaced(Kind::Deployment, namespace, format!("{stem}-{suffix}"))
}

/// Pods get their Deployment's name and 17 characters more, cut at 63: longer names would hide which is which.
const LONGEST_NAME: usize = 63;

/// Whether a pod is of one of these Deployments, or of the DaemonSet with this name. Its labels alone do not say so: whoever
/// may label pods in the namespace could make the operator count and stop anybody's.
pub(super) fn is_task(pod: &PodView, deployments: &BTreeSet<String>, daemon_set: &str) -> bool {
    let Some(controller) = pod.controller() else { return false };
    let hash = pod.metadata.labels.get(labels::TEMPLATE_HASH).map(String::as_str).unwrap_or_default();
    match controller.kind.as_str() {
        "DaemonSet" => controller.name == daemon_set,
        "ReplicaSet" => {
            let deployment = controller.name.strip_suffix(hash).and_then(|name| name.strip_suffix('-'));
            deployment.is_some_and(|name| deployments.contains(name))
        }
        _ => false,
    }
}

/// A Deployment of the service: all tasks of one service deployment on one capacity provider.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    view: Arc<WorkloadView>,
    pub(super) stored: Arc<Stored>,
}

impl Deref for Workload {
    type Target = WorkloadView;

    fn deref(&self) -> &WorkloadView {
        &self.view
    }
}

/// What is read of it.
#[derive(Clone, Debug)]
pub(crate) struct WorkloadView {
    is_deleting: bool,
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
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Whole {
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

impl View for WorkloadView {
    fn read(stored: &Stored) -> Result<Self, DecodeError> {
        let Whole { metadata, spec, status } = stored.decode()?;
        let label = |name: &str| spec.template.metadata.labels.get(name).cloned().unwrap_or_default();
        let mut conditions = status.conditions.iter();
        let failure = conditions.find(|condition| condition.r#type == "ReplicaFailure" && condition.status == "True");
        Ok(Self {
            is_deleting: metadata.is_deleting(),
            deployment: label(labels::DEPLOYMENT),
            provider: label(labels::CAPACITY_PROVIDER),
            replicas: spec.replicas,
            asked_for: metadata.annotations.get(labels::DESIRED_COUNT).and_then(|text| text.parse().ok()),
            replica_failure: failure.map(|condition| condition.message.clone()),
        })
    }
}

impl Workload {
    /// A Deployment that is not on its way out.
    pub(super) fn read(stored: Arc<Stored>) -> Option<Self> {
        let view: Arc<WorkloadView> = stored.view().ok()?;
        (!view.is_deleting).then_some(Self { view, stored })
    }

    /// Affinity and tolerations of its pods as they are, so that they can be kept.
    pub(super) fn placement(&self) -> (Option<Value>, Option<Value>) {
        let object = self.stored.value();
        let read = |name: &str| object.pointer(&format!("/spec/template/spec/{name}")).cloned();
        (read("affinity"), read("tolerations"))
    }
}

/// The DaemonSet of a DAEMON service.
#[derive(Clone, Debug)]
pub(crate) struct DaemonSetView {
    is_deleting: bool,
    /// Digits of the deployment whose template it has.
    pub(super) deployment: String,
}

impl View for DaemonSetView {
    fn read(stored: &Stored) -> Result<Self, DecodeError> {
        let Whole { metadata, mut spec, .. } = stored.decode()?;
        let deployment = spec.template.metadata.labels.remove(labels::DEPLOYMENT).unwrap_or_default();
        Ok(Self { is_deleting: metadata.is_deleting(), deployment })
    }
}

impl DaemonSetView {
    /// A DaemonSet that is not on its way out.
    pub(super) fn current(stored: &Stored) -> Option<Arc<Self>> {
        stored.view::<Self>().ok().filter(|view| !view.is_deleting)
    }
}
