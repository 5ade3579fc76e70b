//! Deployment records: one `ECSServiceDeployment` per rollout, holding the frozen inputs it was started with.

use std::sync::Arc;

use api::service_deployment::{ServiceDeploymentSpec, ServiceDeploymentState, ServiceDeploymentStatus};
use jiff::Timestamp;
use serde::Deserialize;

use super::revision::ServiceRevision;
use crate::core::kind::ObjectKey;
use crate::core::store::Stored;

/// One deployment of the service: existing, or about to be created.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) key: ObjectKey,
    pub(super) spec: ServiceDeploymentSpec,
    pub(super) status: ServiceDeploymentStatus,
    pub(super) revision: Arc<ServiceRevision>,
    pub(super) created_at: Timestamp,
    /// Whether the object exists already.
    pub(super) exists: bool,
}

#[derive(Deserialize)]
struct Whole {
    spec: ServiceDeploymentSpec,
    #[serde(default)]
    status: Option<ServiceDeploymentStatus>,
}

impl Record {
    /// Reads a record; one that cannot be read is left out, as if it had been removed from the history.
    pub(super) fn read(stored: &Stored) -> Option<Self> {
        let whole: Whole = stored.decode().ok()?;
        let revision = serde_json::from_value(whole.spec.service_revision.clone()).ok()?;
        let created_at = whole.spec.created_at.0;
        Some(Self {
            key: stored.key.clone(),
            spec: whole.spec,
            status: whole.status.unwrap_or_default(),
            revision: Arc::new(revision),
            created_at,
            exists: true,
        })
    }

    /// `ecs-svc/<19 digits>`
    pub(super) fn id(&self) -> &str {
        &self.spec.deployment_id
    }

    /// The 19 digits alone, which fit a label.
    pub(super) fn digits(&self) -> &str {
        ecs::arn::last_segment(&self.spec.deployment_id)
    }

    /// Whether a user means this record by its name or by its `ecs-svc/…` id.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.key.name == name || self.id() == name || self.digits() == name
    }

    /// Whether the rollout reached its end well.
    pub(super) fn is_successful(&self) -> bool {
        self.status.status == Some(ServiceDeploymentState::Successful)
    }

    /// Whether the deployment was given up: it launches nothing more.
    pub(super) fn is_frozen(&self) -> bool {
        self.is_over() && !self.is_successful()
    }

    /// Whether the rollout reached its end, well or not.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.status.status, None | Some(ServiceDeploymentState::Pending | ServiceDeploymentState::InProgress))
    }
}
