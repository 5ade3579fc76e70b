//! What a plan consists of: intentions with their full bodies, in the order in which they must happen.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use crate::core::kind::ObjectKey;
use crate::core::question::Question;
use crate::core::report::{Finding, Refusal};
use crate::core::store::Stored;

/// Field manager of everything the operator applies, unless an operation names a narrower one.
pub const FIELD_MANAGER: &str = "ecs-operator";
/// Field manager of status.
pub const STATUS_FIELD_MANAGER: &str = "ecs-operator-status";

/// One write. Its body is complete, so that it can be printed, compared and repeated.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Create an object that must not exist yet. An object of that name is a conflict, never overwritten.
    Create {
        /// What is created.
        key: ObjectKey,
        /// The full object.
        body: Value,
    },
    /// Server-side apply of all fields the manager owns.
    Apply {
        /// What is applied.
        key: ObjectKey,
        /// Every field the manager owns; a field that was owned and is left out is removed by the server.
        body: Value,
        /// Who owns the fields. One manager per concern; for shared children one per owner.
        manager: String,
        /// Path of the first field that differs: the reason, for people.
        because: String,
    },
    /// Server-side apply of the status subresource of an object that is not the root (a revision, a deployment record).
    ApplyStatus {
        /// Whose status.
        key: ObjectKey,
        /// The full status.
        status: Value,
    },
    /// Set annotations of an object that is not ours, only if it is still the one that was seen. One that is gone is
    /// left alone.
    Annotate {
        /// Whose annotations.
        key: ObjectKey,
        /// Precondition: `metadata.uid`.
        uid: String,
        /// Names and values; others stay.
        annotations: BTreeMap<String, String>,
    },
    /// Say which nodes a pod may be on, and open the gate that has kept the scheduler from looking for one. One that is gone is
    /// left alone.
    Place {
        /// The pod.
        key: ObjectKey,
        /// The merge patch: a required node affinity and the gates that stay closed; preconditions are `metadata.uid` and
        /// `metadata.resourceVersion`.
        body: Value,
    },
    /// Delete one object, only if it is still the one that was seen.
    Delete {
        /// What is deleted.
        key: ObjectKey,
        /// Precondition: `metadata.uid`.
        uid: String,
        /// Precondition: `metadata.resourceVersion`.
        resource_version: String,
        /// Objects whose absence is the reason. Each is read from the server (not the cache) first; if one exists, the
        /// delete does not happen.
        only_if_absent: Vec<ObjectKey>,
    },
    /// Put the operator's finalizer on the root.
    AddFinalizer {
        /// The root.
        key: ObjectKey,
        /// Precondition: `metadata.resourceVersion`.
        resource_version: String,
        /// The whole list afterwards.
        finalizers: Vec<String>,
    },
    /// Take the operator's finalizer off the root, so that the server may remove it.
    RemoveFinalizer {
        /// The root.
        key: ObjectKey,
        /// Precondition: `metadata.resourceVersion`.
        resource_version: String,
        /// The whole list afterwards.
        finalizers: Vec<String>,
    },
}

impl Op {
    /// Deletes an object as it was seen.
    #[must_use]
    pub fn delete(seen: &Stored) -> Self {
        Self::delete_if_absent(seen, Vec::new())
    }

    /// Deletes an object as it was seen, unless one of `reasons` exists.
    #[must_use]
    pub fn delete_if_absent(seen: &Stored, reasons: Vec<ObjectKey>) -> Self {
        Self::Delete {
            key: seen.key.clone(),
            uid: seen.uid.clone(),
            resource_version: seen.resource_version.clone(),
            only_if_absent: reasons,
        }
    }

    /// The object that is written.
    #[must_use]
    pub const fn key(&self) -> &ObjectKey {
        match self {
            Self::Create { key, .. }
            | Self::Apply { key, .. }
            | Self::ApplyStatus { key, .. }
            | Self::Annotate { key, .. }
            | Self::Place { key, .. }
            | Self::Delete { key, .. }
            | Self::AddFinalizer { key, .. }
            | Self::RemoveFinalizer { key, .. } => key,
        }
    }

    /// Whether later operations of a plan follow from this one, so that they must not happen without it: what explains them is
    /// stored first (a record, a status with counted failures), and a finalizer holds the root while something is made for it.
    #[must_use]
    pub const fn is_followed_from(&self) -> bool {
        match self {
            Self::Create { key, .. } => key.kind.is_written_once(),
            Self::ApplyStatus { .. } | Self::AddFinalizer { .. } | Self::RemoveFinalizer { .. } => true,
            Self::Apply { .. } | Self::Annotate { .. } | Self::Place { .. } | Self::Delete { .. } => false,
        }
    }

    /// Path of the first field that differs, for an apply.
    #[must_use]
    pub fn because(&self) -> Option<&str> {
        match self {
            Self::Apply { because, .. } => Some(because),
            _ => None,
        }
    }

    /// One word for metrics and logs.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Apply { .. } => "apply",
            Self::ApplyStatus { .. } => "apply-status",
            Self::Annotate { .. } => "annotate",
            Self::Place { .. } => "place",
            Self::Delete { .. } => "delete",
            Self::AddFinalizer { .. } => "add-finalizer",
            Self::RemoveFinalizer { .. } => "remove-finalizer",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.verb(), self.key())?;
        match self {
            Self::Apply { because, .. } => write!(formatter, " for {because}"),
            _ => Ok(()),
        }
    }
}

/// Type of a notice: the two types of Kubernetes Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// Expected progress.
    Normal,
    /// Somebody should look at it.
    Warning,
}

/// Something to report once: becomes a Kubernetes Event on the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Event type.
    pub kind: NoticeKind,
    /// CamelCase or ECS event name, from a closed enum.
    pub reason: String,
    /// The text, in ECS's words where ECS has words.
    pub message: String,
}

/// Everything one reconcile wants to happen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Writes, in order. Each may assume that those before it happened; a crash between two is harmless.
    pub ops: Vec<Op>,
    /// The root's whole status after this reconcile, or `None` for roots without one of ours.
    pub status: Option<Value>,
    /// The root's status as it was read, to compare with.
    pub previous_status: Value,
    /// Why the root is refused; empty when it is accepted. Its conditions say the same in one text.
    pub refusals: Vec<Refusal>,
    /// Fields of an accepted root that do not act as on ECS.
    pub findings: Vec<Finding>,
    /// What to report as Events. Published only when the status write they belong to succeeded or was not needed.
    pub notices: Vec<Notice>,
    /// What this plan depends on besides the objects of the cluster, answered or not, each once. A question that the
    /// next plan of the same root leaves out is dropped.
    pub questions: Vec<Question>,
    /// When something changes by itself (40 seconds of health, a steady-state announcement).
    pub wake: Option<Timestamp>,
}

impl Plan {
    /// Asks to be called again at `time`, or earlier if something already asked for that.
    pub fn wake_at(&mut self, time: Timestamp) {
        self.wake = Some(self.wake.map_or(time, |earlier| earlier.min(time)));
    }

    /// Adds the questions of a step, each once.
    pub fn ask(&mut self, questions: impl IntoIterator<Item = Question>) {
        for question in questions {
            if !self.questions.contains(&question) {
                self.questions.push(question);
            }
        }
    }
}
