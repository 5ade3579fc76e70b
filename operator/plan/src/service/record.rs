//! Deployment records: one `ECSServiceDeployment` per rollout, holding the frozen inputs it was started with.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::service_deployment::{
    DeploymentEnd, DeploymentEndCause, DeploymentEndRollback, ServiceDeploymentSpec, ServiceDeploymentState,
    ServiceDeploymentStatus,
};
use ecs::deployment::circuit_breaker::Count;
use ecs::deployment::end::{Cause, End, Rollback};
use ecs::deployment::moment::Moment;
use ecs::deployment::monitor::Tally;
use ecs::deployment::throttle::Throttle;
use ecs::deployment::{Stage, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::alarms::watch_of;
use super::revision::ServiceRevision;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::store::{DecodeError, Stored, View};
use crate::core::world::{Term, World};

/// One deployment of the service: existing, or about to be created.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(super) key: ObjectKey,
    pub(super) spec: Arc<ServiceDeploymentSpec>,
    pub(super) status: ServiceDeploymentStatus,
    pub(super) revision: Arc<ServiceRevision>,
    pub(super) created_at: Timestamp,
    /// Whether the object exists already.
    pub(super) exists: bool,
    /// Bytes of the object, if it exists.
    pub(super) size: usize,
}

#[derive(Deserialize)]
struct Whole {
    spec: ServiceDeploymentSpec,
    #[serde(default)]
    status: Option<ServiceDeploymentStatus>,
}

impl View for Record {
    fn read(stored: &Stored) -> Result<Self, DecodeError> {
        let mut whole: Whole = stored.decode()?;
        // The typed revision is all that is read of it: its text need not be kept twice.
        let revision = serde_path_to_error::deserialize(std::mem::take(&mut whole.spec.service_revision));
        let revision = revision.map_err(|error| DecodeError::Form {
            path: format!("spec.serviceRevision.{}", error.path()),
            message: error.into_inner().to_string(),
        })?;
        let created_at = whole.spec.created_at.0;
        Ok(Self {
            key: stored.key.clone(),
            spec: Arc::new(whole.spec),
            status: whole.status.unwrap_or_default(),
            revision: Arc::new(revision),
            created_at,
            exists: true,
            size: stored.size(),
        })
    }
}

impl Record {
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
}

/// Whether the newest deployment of a service of the namespace makes volumes of a StorageClass. Earlier ones do while their
/// Deployments are there.
pub(crate) fn names_storage_class(world: &dyn World, namespace: &str, name: &str) -> bool {
    let mut newest: BTreeMap<String, Arc<Record>> = BTreeMap::new();
    let records = world.find(Kind::ServiceDeployment, Some(namespace), &Term::Namespace(namespace.to_owned()));
    for record in records.iter().filter_map(|stored| stored.view::<Record>().ok()) {
        let known = newest.get(&record.spec.service);
        if known.is_none_or(|known| known.created_at < record.created_at) {
            newest.insert(record.spec.service.clone(), record);
        }
    }
    let is_class = |object: &Value| {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        text("/kind") == Some(Kind::StorageClass.kind()) && text("/metadata/name") == Some(name)
    };
    newest.values().any(|record| record.revision.cluster_children.iter().any(is_class))
}

/// How far a deployment is.
pub(super) const fn stage_of(status: &ServiceDeploymentStatus) -> Stage {
    match status.status {
        None | Some(ServiceDeploymentState::Pending) => Stage::Pending,
        Some(ServiceDeploymentState::InProgress) => Stage::InProgress,
        Some(ServiceDeploymentState::Successful) => Stage::Successful,
        Some(ServiceDeploymentState::Stopped | ServiceDeploymentState::StopRequested) => Stage::Stopped,
        Some(ServiceDeploymentState::RollbackInProgress | ServiceDeploymentState::RollbackRequested) => {
            Stage::RollbackInProgress
        }
        Some(ServiceDeploymentState::RollbackSuccessful) => Stage::RollbackSuccessful,
        Some(ServiceDeploymentState::RollbackFailed) => Stage::RollbackFailed,
    }
}

/// How the status shows a stage.
pub(super) const fn state_name(stage: Stage) -> Option<ServiceDeploymentState> {
    match stage {
        Stage::Pending => None,
        Stage::InProgress => Some(ServiceDeploymentState::InProgress),
        Stage::Successful => Some(ServiceDeploymentState::Successful),
        Stage::Stopped => Some(ServiceDeploymentState::Stopped),
        Stage::RollbackInProgress => Some(ServiceDeploymentState::RollbackInProgress),
        Stage::RollbackSuccessful => Some(ServiceDeploymentState::RollbackSuccessful),
        Stage::RollbackFailed => Some(ServiceDeploymentState::RollbackFailed),
    }
}

/// What the record remembers, as the rules of deployments know it.
pub(super) fn state_of(status: &ServiceDeploymentStatus) -> State {
    let failures = Count {
        failure_count: status.failure_count.map_or(0, i64::from),
        failed_tasks: status.failed_tasks.map_or(0, i64::from),
        counted: status.counted_tasks.iter().cloned().collect(),
        healthy: status.healthy_tasks.iter().filter_map(|mark| u32::try_from(*mark).ok()).collect(),
    };
    State {
        stage: stage_of(status),
        end: end_of(status),
        tally: Tally { failures, throttle: throttle_of(status) },
        alarms: watch_of(status),
        bake_started_at: status.bake_started_at.as_ref().map(|at| moment(at.0)),
    }
}

/// How fast tasks of the deployment that fail before RUNNING are started again.
pub(super) fn throttle_of(status: &ServiceDeploymentStatus) -> Throttle {
    Throttle {
        attempts: status.start_attempts.map_or(0, i64::from),
        retry_at: status.retry_at.as_ref().map(|at| at.0.as_second()),
    }
}

/// A time as the rules of deployments know it, to the microsecond.
pub(super) fn moment(time: Timestamp) -> Moment {
    Moment::from_micros(time.as_microsecond())
}

/// How a deployment ended that did not complete.
pub(super) fn end_of(status: &ServiceDeploymentStatus) -> Option<End> {
    status.end.map(|end| End {
        cause: match end.cause {
            DeploymentEndCause::CircuitBreaker => Cause::CircuitBreaker,
            DeploymentEndCause::Alarm => Cause::Alarms,
            DeploymentEndCause::User => Cause::Request,
            DeploymentEndCause::Replaced => Cause::Replaced,
        },
        rollback: match end.rollback {
            DeploymentEndRollback::NotRequested => Rollback::NotWanted,
            DeploymentEndRollback::NoCandidate => Rollback::NoCandidate,
            DeploymentEndRollback::Started => Rollback::Started,
        },
    })
}

/// How the status shows an end.
pub(super) const fn end_shown(end: End) -> DeploymentEnd {
    DeploymentEnd {
        cause: match end.cause {
            Cause::CircuitBreaker => DeploymentEndCause::CircuitBreaker,
            Cause::Alarms => DeploymentEndCause::Alarm,
            Cause::Request => DeploymentEndCause::User,
            Cause::Replaced => DeploymentEndCause::Replaced,
        },
        rollback: match end.rollback {
            Rollback::NotWanted => DeploymentEndRollback::NotRequested,
            Rollback::NoCandidate => DeploymentEndRollback::NoCandidate,
            Rollback::Started => DeploymentEndRollback::Started,
        },
    }
}
