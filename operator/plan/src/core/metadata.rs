//! The identity, age, labels and owners of an object that is known.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::core::store::Stored;

/// The part of `metadata` that plans read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// `metadata.name`
    pub name: String,
    /// `metadata.namespace`; empty for cluster-scoped kinds.
    pub namespace: String,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.generation`
    pub generation: i64,
    /// `metadata.resourceVersion`; only [`Metadata::of`] knows it, since it is not a part of what is kept as text.
    #[serde(skip)]
    pub resource_version: String,
    /// `metadata.creationTimestamp`
    pub creation_timestamp: Option<Timestamp>,
    /// `metadata.deletionTimestamp`
    pub deletion_timestamp: Option<Timestamp>,
    /// `metadata.finalizers`
    pub finalizers: Vec<String>,
    /// `metadata.labels`
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`
    pub annotations: BTreeMap<String, String>,
    /// `metadata.ownerReferences`
    pub owner_references: Vec<OwnerReference>,
}

/// The part of an owner reference that plans read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// The owner's `metadata.uid`.
    pub uid: String,
    /// Whether this owner is the controller.
    pub controller: bool,
}

/// Reads only `metadata`, whatever the rest of the object holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Whole {
    metadata: Metadata,
}

impl Metadata {
    /// The metadata of a stored object; what cannot be read counts as absent.
    #[must_use]
    pub fn of(stored: &Stored) -> Self {
        let metadata = stored.decode::<Whole>().unwrap_or_default().metadata;
        Self { resource_version: stored.resource_version.clone(), ..metadata }
    }

    /// Whether the object is on its way out.
    #[must_use]
    pub const fn is_deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Whether `uid` is among the owners.
    #[must_use]
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.owner_references.iter().any(|owner| owner.uid == uid)
    }
}
