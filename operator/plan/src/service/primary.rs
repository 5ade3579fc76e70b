//! Which deployment is the newest (PRIMARY), and what starts another one: a change of the spec, or the end of one that is
//! rolled back.

use std::sync::Arc;

use api::schema::MicroTime;
use api::service_deployment::{ServiceDeploymentSpec, ServiceDeploymentState, ServiceDeploymentStatus};
use jiff::{SignedDuration, Timestamp};

use super::record::Record;
use super::revision::{self, ServiceRevision};
use super::snapshot::ServiceSnapshot;
use super::wanted::Wanted;
use crate::core::kind::{Kind, ObjectKey};

/// A deployment that does not exist yet and would be started now.
pub(super) struct Starting {
    /// `ecs-svc/<19 digits>`
    pub(super) id: String,
    /// Why, for people.
    trigger: String,
    /// [`revision::trigger_hash`] of the spec that it answers.
    trigger_hash: String,
    /// [`revision::request_hash`] of that spec.
    request: String,
    /// Name of the record that it undoes.
    rollback_of: Option<String>,
}

/// Whether what is asked for is a new deployment. The id follows from what is asked for and from the deployment before, so
/// it is the same until that deployment exists.
pub(super) fn starting(snapshot: &ServiceSnapshot, wanted: &Wanted) -> Option<Starting> {
    let revision = wanted.revision.as_ref()?;
    let current = snapshot.primary();
    let request = revision::request_hash(&snapshot.document);
    let is_forced = snapshot.spec.as_ref().is_ok_and(|spec| spec.force_new_deployment == Some(true));
    let trigger = match current {
        None => "the service was created",
        Some(record) if record.spec.trigger_hash != wanted.trigger => {
            if record.spec.task_definition == revision.task_definition {
                "a field that starts a deployment changed"
            } else {
                "taskDefinition changed"
            }
        }
        Some(record) if is_forced && record.spec.force_hash.as_ref() != Some(&request) => "forceNewDeployment",
        Some(_) => return None,
    };
    Some(Starting {
        id: next_deployment(snapshot, &wanted.trigger),
        trigger: trigger.to_owned(),
        trigger_hash: wanted.trigger.clone(),
        request,
        rollback_of: None,
    })
}

/// The deployment that undoes the newest one, once its record says that it is rolled back. It answers the same spec: going
/// back is no reason to start what failed again.
fn rollback(snapshot: &ServiceSnapshot) -> Option<(Starting, Arc<ServiceRevision>)> {
    let failed = snapshot.primary()?;
    let rollback = failed.status.rollback.as_ref()?;
    if failed.status.status != Some(ServiceDeploymentState::RollbackInProgress) {
        return None;
    }
    let target = snapshot.records.iter().find(|record| record.key.name == rollback.service_revision)?;
    let seed = format!("{}/{}/rollback/{}", snapshot.metadata.uid, failed.id(), target.id());
    let starting = Starting {
        id: ecs::arn::deployment_id(&seed),
        trigger: format!("rollback of {} to the service revision of {}", failed.id(), target.id()),
        trigger_hash: failed.spec.trigger_hash.clone(),
        request: failed.spec.force_hash.clone().unwrap_or_default(),
        rollback_of: Some(failed.key.name.clone()),
    };
    Some((starting, target.revision.clone()))
}

/// The newest record, or a new one when a field that starts a deployment changed or the newest is rolled back.
pub(super) fn primary(snapshot: &ServiceSnapshot, wanted: &Wanted, now: Timestamp) -> Option<Record> {
    let asked = starting(snapshot, wanted).zip(wanted.revision.as_ref().map(|revision| Arc::new(revision.clone())));
    match asked.or_else(|| rollback(snapshot)) {
        Some((starting, revision)) => Some(record(snapshot, starting, revision, now)),
        None => snapshot.primary().cloned(),
    }
}

fn record(snapshot: &ServiceSnapshot, starting: Starting, revision: Arc<ServiceRevision>, now: Timestamp) -> Record {
    let current = snapshot.primary();
    // Times order the records; a clock that went backwards must not reorder them.
    let created_at = current
        .map_or(now, |record| now.max(record.created_at.checked_add(SignedDuration::from_micros(1)).unwrap_or(now)));
    let name = ecs::name::child_name(&snapshot.key.name, ecs::arn::last_segment(&starting.id), 253);
    Record {
        key: ObjectKey::namespaced(Kind::ServiceDeployment, &snapshot.namespace, name),
        spec: ServiceDeploymentSpec {
            service: snapshot.key.name.clone(),
            service_name: snapshot.ecs_name.clone(),
            cluster: snapshot.cluster.clone(),
            deployment_id: starting.id,
            created_at: MicroTime(created_at),
            trigger: starting.trigger,
            task_definition: revision.task_definition.clone(),
            trigger_hash: starting.trigger_hash,
            force_hash: Some(starting.request),
            previous_deployment: current.map(|record| record.key.name.clone()),
            rollback_of: starting.rollback_of,
            service_revision: serde_json::to_value(revision.as_ref()).unwrap_or_default(),
        },
        status: ServiceDeploymentStatus::default(),
        revision,
        created_at,
        exists: false,
    }
}

/// The id of the deployment that comes after the newest one if `trigger`, or the wish to force one, starts it.
pub(super) fn next_deployment(snapshot: &ServiceSnapshot, trigger: &str) -> String {
    let before = snapshot.primary().map(Record::id).unwrap_or_default();
    let request = revision::request_hash(&snapshot.document);
    ecs::arn::deployment_id(&format!("{}/{before}/{trigger}/{request}", snapshot.metadata.uid))
}
