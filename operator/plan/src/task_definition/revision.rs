//! The immutable revisions of a family, as the cluster has them.

use std::sync::Arc;

use api::revision::{RevisionState, TaskDefinitionRevisionSpec};
use api::schema::Time;
use api::task_definition::{Compatibility, RevisionStatus, RevisionSummary, TaskDefinitionSpec};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::op::Op;
use crate::core::settings::Settings;
use crate::core::status;
use crate::core::store::{DecodeError, Stored, View};
use crate::core::term::active_revisions;
use crate::core::world::{Term, World};

/// One registered revision.
#[derive(Debug)]
pub struct Revision {
    /// The family.
    pub family: String,
    /// The number in the family, from 1.
    pub number: i64,
    /// Whether something new may use it. A revision is ACTIVE until it is deregistered.
    pub is_active: bool,
    /// The document it was registered with, or why this version of the operator cannot read it.
    pub task_definition: Result<TaskDefinitionSpec, DecodeError>,
    pub(super) key: ObjectKey,
    pub(super) metadata: Metadata,
    /// Bytes of the object.
    pub(super) size: usize,
    content_hash: String,
    family_generation: Option<i64>,
    compatibilities: Vec<Compatibility>,
    state: RevisionState,
    previous_status: Value,
}

#[derive(Deserialize)]
struct Whole {
    spec: TaskDefinitionRevisionSpec,
    #[serde(default)]
    status: Value,
}

impl View for Revision {
    fn read(stored: &Stored) -> Result<Self, DecodeError> {
        let Whole { spec, status } = stored.decode()?;
        let metadata = Metadata::of(stored);
        let state = Option::<RevisionState>::deserialize(&status)
            .map_err(|error| DecodeError::Form { path: "status".to_owned(), message: error.to_string() })?
            .unwrap_or_default();
        let document = spec.task_definition.0;
        let is_deregistered = metadata.annotations.get(labels::DEREGISTER).is_some_and(|value| value == "true");
        Ok(Self {
            family: spec.family,
            number: spec.revision,
            is_active: state.status != Some(RevisionStatus::Inactive) && !is_deregistered,
            compatibilities: compatibilities(&document),
            task_definition: serde_path_to_error::deserialize(document).map_err(|error| DecodeError::Form {
                path: error.path().to_string(),
                message: error.into_inner().to_string(),
            }),
            key: stored.key.clone(),
            size: stored.size(),
            metadata,
            content_hash: spec.content_hash,
            family_generation: spec.family_generation,
            state,
            previous_status: status,
        })
    }
}

impl Revision {
    /// `family:N`
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}:{}", self.family, self.number)
    }

    /// Whether a family at `metadata` whose document hashes to `content` asks for another revision than this one. A copy of
    /// the family that is older than the one this revision was registered from asks for nothing.
    pub(super) fn has_other_content(&self, content: &str, metadata: &Metadata) -> bool {
        let is_outdated = self.metadata.is_owned_by(&metadata.uid)
            && self.family_generation.is_some_and(|generation| generation > metadata.generation);
        self.content_hash != content && !is_outdated
    }

    /// Status of a revision: registered once, and deregistered when its annotation says so.
    pub(super) fn report(&self, settings: &Settings, now: Timestamp) -> Option<Op> {
        let state = RevisionState {
            observed_generation: Some(self.metadata.generation),
            status: Some(self.status()),
            task_definition_arn: Some(settings.identity.task_definition_arn(&self.family, self.number)),
            registered_at: Some(self.registered_at(now)),
            deregistered_at: (!self.is_active).then(|| self.state.deregistered_at.clone().unwrap_or(Time(now))),
            compatibilities: self.compatibilities.clone(),
            conditions: Vec::new(),
        };
        let status = serde_json::to_value(state).ok()?;
        (!status::same(&status, &self.previous_status)).then(|| Op::ApplyStatus { key: self.key.clone(), status })
    }

    /// The revision in the status of its family.
    pub(super) fn summary(&self, settings: &Settings, now: Timestamp) -> RevisionSummary {
        RevisionSummary {
            revision: self.number,
            status: self.status(),
            task_definition_arn: Some(settings.identity.task_definition_arn(&self.family, self.number)),
            registered_at: Some(self.registered_at(now)),
        }
    }

    fn status(&self) -> RevisionStatus {
        if self.is_active { RevisionStatus::Active } else { RevisionStatus::Inactive }
    }

    fn registered_at(&self, now: Timestamp) -> Time {
        let created = self.metadata.creation_timestamp.unwrap_or(now);
        self.state.registered_at.clone().unwrap_or(Time(created))
    }
}

/// All registered revisions of a family, oldest first.
#[must_use]
pub fn revisions(world: &dyn World, namespace: &str, family: &str) -> Vec<Arc<Revision>> {
    let found = world.find(Kind::TaskDefinitionRevision, Some(namespace), &Term::Family(family.to_owned()));
    let mut revisions: Vec<Arc<Revision>> = found.iter().filter_map(|stored| usable(stored)?.ok()).collect();
    revisions.sort_by_key(|revision| revision.number);
    revisions
}

/// One revision of a family, ACTIVE or not. `None` if it is not there or about to go.
#[must_use]
pub fn revision(
    world: &dyn World,
    namespace: &str,
    family: &str,
    number: i64,
) -> Option<Result<Arc<Revision>, DecodeError>> {
    let term = Term::Revision(format!("{family}:{number}"));
    world.find(Kind::TaskDefinitionRevision, Some(namespace), &term).iter().find_map(|stored| usable(stored))
}

/// The newest revision of a family that something new may use. One that cannot be decoded is an error: an older one in its
/// place is not what was asked for.
#[must_use]
pub fn newest_active_revision(
    world: &dyn World,
    namespace: &str,
    family: &str,
) -> Option<Result<Arc<Revision>, DecodeError>> {
    let prefix = active_revisions(namespace, family);
    world.last(Kind::TaskDefinitionRevision, Term::ActiveRevision, &prefix).and_then(|stored| usable(&stored))
}

/// A revision that is not being deleted.
fn usable(stored: &Stored) -> Option<Result<Arc<Revision>, DecodeError>> {
    let revision = stored.view::<Revision>();
    Some(revision).filter(|revision| !revision.as_ref().is_ok_and(|revision| revision.metadata.is_deleting()))
}

/// EC2 always, and whatever else the document was validated for.
fn compatibilities(document: &Value) -> Vec<Compatibility> {
    let listed = document.get("requiresCompatibilities").cloned().unwrap_or_default();
    let mut all: Vec<Compatibility> = serde_json::from_value(listed).unwrap_or_default();
    all.push(Compatibility::Ec2);
    all.sort();
    all.dedup();
    all
}
