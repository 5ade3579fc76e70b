//! The immutable revisions of a family, as the cluster has them.

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
use crate::core::store::DecodeError;
use crate::core::world::{Term, World};

/// One registered revision.
#[derive(Clone, Debug)]
pub struct Revision {
    /// The family.
    pub family: String,
    /// The number in the family, from 1.
    pub number: i64,
    /// Whether something new may use it. A revision is ACTIVE until it is deregistered.
    pub is_active: bool,
    pub(super) key: ObjectKey,
    pub(super) metadata: Metadata,
    spec: TaskDefinitionRevisionSpec,
    state: RevisionState,
    previous_status: Value,
}

#[derive(Deserialize)]
struct Whole {
    spec: TaskDefinitionRevisionSpec,
    #[serde(default)]
    status: Option<RevisionState>,
}

impl Revision {
    /// `family:N`
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}:{}", self.family, self.number)
    }

    /// The document it was registered with.
    ///
    /// # Errors
    /// When another version of the operator stored a document that this one cannot read.
    pub fn task_definition(&self) -> Result<TaskDefinitionSpec, DecodeError> {
        serde_path_to_error::deserialize(&self.spec.task_definition.0).map_err(|error| DecodeError::Form {
            path: error.path().to_string(),
            message: error.into_inner().to_string(),
        })
    }

    /// Whether a family at `metadata` whose document hashes to `content` asks for another revision than this one. A copy of
    /// the family that is older than the one this revision was registered from asks for nothing.
    pub(super) fn has_other_content(&self, content: &str, metadata: &Metadata) -> bool {
        let is_outdated = self.metadata.is_owned_by(&metadata.uid)
            && self.spec.family_generation.is_some_and(|generation| generation > metadata.generation);
        self.spec.content_hash != content && !is_outdated
    }

    /// Status of a revision: registered once, and deregistered when its annotation says so.
    pub(super) fn report(&self, settings: &Settings, now: Timestamp) -> Option<Op> {
        let state = RevisionState {
            observed_generation: Some(self.metadata.generation),
            status: Some(self.status()),
            task_definition_arn: Some(settings.identity.task_definition_arn(&self.family, self.number)),
            registered_at: Some(self.registered_at(now)),
            deregistered_at: (!self.is_active).then(|| self.state.deregistered_at.clone().unwrap_or(Time(now))),
            compatibilities: compatibilities(&self.spec.task_definition.0),
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

    fn is_deregistered(&self) -> bool {
        self.metadata.annotations.get(labels::DEREGISTER).is_some_and(|value| value == "true")
    }
}

/// All registered revisions of a family, oldest first.
#[must_use]
pub fn revisions(world: &dyn World, namespace: &str, family: &str) -> Vec<Revision> {
    let mut revisions: Vec<Revision> = world
        .find(Kind::TaskDefinitionRevision, Some(namespace), &Term::Family(family.to_owned()))
        .iter()
        .filter_map(|stored| {
            let whole: Whole = stored.decode().ok()?;
            let metadata = Metadata::of(stored);
            if metadata.is_deleting() {
                return None;
            }
            let state = whole.status.unwrap_or_default();
            let mut revision = Revision {
                family: whole.spec.family.clone(),
                number: whole.spec.revision,
                is_active: state.status != Some(RevisionStatus::Inactive),
                key: stored.key.clone(),
                metadata,
                spec: whole.spec,
                previous_status: stored.value().get("status").cloned().unwrap_or_default(),
                state,
            };
            revision.is_active &= !revision.is_deregistered();
            Some(revision)
        })
        .collect();
    revisions.sort_by_key(|revision| revision.number);
    revisions
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
