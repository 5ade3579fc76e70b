//! Which deployment is the newest (PRIMARY), what starts another one, and which records are still needed.
//!
//! A change of the spec starts a deployment, and so does the end of one that is rolled back. The record of a new deployment is
//! the first thing that is written: whatever follows is explained by it.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::schema::MicroTime;
use api::service_deployment::{ServiceDeploymentSpec, ServiceDeploymentState, ServiceDeploymentStatus};
use jiff::{SignedDuration, Timestamp};

use super::context::Context;
use super::identity;
use super::record::Record;
use super::resolve::{self, NextRevision, Pinned, Resolution, ResolvedService};
use super::revision::ServiceRevision;
use super::snapshot::ServiceSnapshot;
use crate::core::history;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::question::Question;
use crate::core::report::Refusal;
use crate::permission;

/// The deployments of a service.
#[derive(Default)]
pub(super) struct Deployments {
    /// The deployment new tasks belong to, existing or about to be made; `None` while there has never been one.
    pub(super) primary: Option<Record>,
    /// Records that Deployments or tasks were made from, besides the PRIMARY one.
    pub(super) in_use: Vec<Record>,
    /// Records that are no longer needed, oldest first.
    pub(super) obsolete: Vec<Record>,
    /// Images whose digests are waited for before the next deployment starts.
    pub(super) resolving: Vec<String>,
    /// What registries are asked.
    pub(super) questions: Vec<Question>,
    /// Why the service does not return to the deployment that it should return to.
    pub(super) not_permitted: Vec<Refusal>,
}

impl Deployments {
    /// Whether a record is about to be removed.
    pub(super) fn is_obsolete(&self, record: &Record) -> bool {
        self.obsolete.iter().any(|obsolete| obsolete.key == record.key)
    }

    /// The deployment that begins with this reconcile.
    pub(super) fn began(&self) -> Option<&Record> {
        self.primary.as_ref().filter(|record| !record.exists)
    }
}

pub(super) fn identify(context: Context<'_>, resolution: &Resolution) -> Deployments {
    let snapshot = context.snapshot;
    let Some(service) = resolution.service() else {
        return Deployments { primary: snapshot.primary().cloned(), ..Deployments::default() };
    };
    let Newest { primary, resolving, questions, not_permitted } = newest(context, service);
    let Some(primary) = primary else { return Deployments { resolving, questions, ..Deployments::default() } };
    let used: BTreeSet<&str> = snapshot
        .workloads
        .values()
        .map(|workload| workload.deployment.as_str())
        .chain(snapshot.daemon_set.as_ref().map(|daemon_set| daemon_set.deployment.as_str()))
        .chain(snapshot.tasks.iter().filter_map(|task| task.deployment_id.as_deref()))
        .collect();
    let is_used = |record: &&Record| record.id() == primary.id() || used.contains(record.digits());
    let (in_use, past): (Vec<&Record>, Vec<&Record>) = snapshot.records.iter().partition(is_used);
    Deployments {
        obsolete: obsolete(snapshot, service.history_limit, &past),
        in_use: in_use.into_iter().filter(|record| record.id() != primary.id()).cloned().collect(),
        primary: Some(primary),
        resolving,
        questions,
        not_permitted,
    }
}

/// The PRIMARY deployment, and what another one waits for.
#[derive(Default)]
struct Newest {
    primary: Option<Record>,
    resolving: Vec<String>,
    questions: Vec<Question>,
    not_permitted: Vec<Refusal>,
}

/// The newest record, or a new one when a field that starts a deployment changed or the newest is rolled back; with the images
/// that are waited for, and what registries are asked.
fn newest(context: Context<'_>, service: &ResolvedService) -> Newest {
    let Context { world, snapshot, now, .. } = context;
    let mut newest = Newest::default();
    let next = service.next.as_ref().ok();
    if let Some((starting, next)) = next.and_then(|next| Some((starting(snapshot, service, next)?, next))) {
        let Pinned { revision, questions: asked } = resolve::pin(context, next, &starting.id);
        newest.questions = asked;
        match revision {
            Ok(revision) => return Newest { primary: record(snapshot, starting, Arc::new(revision), now), ..newest },
            Err(images) => newest.resolving = images,
        }
    }
    newest.primary = snapshot.primary().cloned();
    if let Some((starting, revision)) = rollback(snapshot) {
        // What was allowed when that deployment was started need not be allowed now.
        newest.not_permitted = permission::refusals(world, &snapshot.namespace, revision.frozen());
        if newest.not_permitted.is_empty() {
            newest.primary = record(snapshot, starting, revision, now);
        }
    }
    newest
}

/// A deployment that does not exist yet and would be started now.
struct Starting {
    /// `ecs-svc/<19 digits>`
    id: String,
    /// Why, for people.
    trigger: String,
    /// [`identity::trigger_hash`] of the spec that it answers.
    trigger_hash: String,
    /// [`identity::request_hash`] of that spec.
    request: String,
    /// Name of the record that it undoes.
    rollback_of: Option<String>,
}

/// Whether what is asked for is a new deployment. The id follows from what is asked for and from the deployment before, so
/// it is the same until that deployment exists.
fn starting(snapshot: &ServiceSnapshot, service: &ResolvedService, next: &NextRevision) -> Option<Starting> {
    let request = identity::request_hash(&snapshot.document);
    let trigger = match snapshot.primary() {
        None => "the service was created",
        Some(record) if record.spec.trigger_hash != next.trigger => {
            if record.spec.task_definition == next.revision.task_definition {
                "a field that starts a deployment changed"
            } else {
                "taskDefinition changed"
            }
        }
        Some(record) if service.is_forced && record.spec.force_hash.as_ref() != Some(&request) => "forceNewDeployment",
        Some(_) => return None,
    };
    Some(Starting {
        id: identity::next_deployment(snapshot, &next.trigger),
        trigger: trigger.to_owned(),
        trigger_hash: next.trigger.clone(),
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

/// The record of a deployment that begins now.
fn record(
    snapshot: &ServiceSnapshot,
    starting: Starting,
    revision: Arc<ServiceRevision>,
    now: Timestamp,
) -> Option<Record> {
    let service_revision = serde_json::to_value(revision.as_ref()).ok()?;
    let current = snapshot.primary();
    // Times order the records; a clock that went backwards must not reorder them.
    let created_at = current
        .map_or(now, |record| now.max(record.created_at.checked_add(SignedDuration::from_micros(1)).unwrap_or(now)));
    let name = ecs::name::child_name(&snapshot.key.name, ecs::arn::last_segment(&starting.id), 253);
    Some(Record {
        key: ObjectKey::namespaced(Kind::ServiceDeployment, &snapshot.namespace, name),
        spec: Arc::new(ServiceDeploymentSpec {
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
            service_revision,
        }),
        status: ServiceDeploymentStatus::default(),
        revision,
        created_at,
        exists: false,
        size: 0,
    })
}

/// Records beyond the history limit or [`history::MOST_BYTES`] that nothing runs from any more. The last one that completed stays: it is what a
/// failed deployment goes back to.
fn obsolete(snapshot: &ServiceSnapshot, limit: usize, past: &[&Record]) -> Vec<Record> {
    let last_completed = snapshot.last_completed().map(Record::id);
    let kept = history::kept(limit, past.iter().rev().map(|record| record.size));
    past.iter()
        .take(past.len().saturating_sub(kept))
        .filter(|record| Some(record.id()) != last_completed)
        .map(|record| (*record).clone())
        .collect()
}
