//! What every plan begins with: the root itself, as it was read.

use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::op::{Op, Plan};
use crate::core::store::Stored;
use crate::core::world::{Term, World};

/// A root object, opened for planning.
pub(crate) struct Root {
    pub(crate) key: ObjectKey,
    pub(crate) metadata: Metadata,
    /// The whole object, for validation.
    pub(crate) object: Value,
    /// `spec` as it was written, for hashes and for naming fields that do nothing.
    pub(crate) document: Value,
    pub(crate) stored: Arc<Stored>,
}

impl Root {
    /// The root, if it is still there.
    pub(crate) fn open(world: &dyn World, key: &ObjectKey) -> Option<Self> {
        let stored = world.get(key)?;
        let metadata = Metadata::of(&stored);
        let object = stored.value();
        let document = object.get("spec").cloned().unwrap_or_default();
        Some(Self { key: key.clone(), metadata, object, document, stored })
    }

    /// The status as it was read. One that another version wrote and this one cannot read counts as none.
    pub(crate) fn previous_status<S: DeserializeOwned + Default>(&self) -> S {
        self.object.get("status").and_then(|status| S::deserialize(status).ok()).unwrap_or_default()
    }

    /// An empty plan that knows the status to compare with.
    pub(crate) fn plan(&self) -> Plan {
        let previous_status = self.object.get("status").cloned().unwrap_or_default();
        Plan { previous_status, ..Plan::default() }
    }

    /// The name ECS knows the object by: a member of `spec`, or the object's own name without it.
    pub(crate) fn ecs_name(&self, member: &str) -> &str {
        let written = self.document.get(member).and_then(Value::as_str);
        written.filter(|name| !name.is_empty()).unwrap_or(&self.key.name)
    }

    /// The name of an older object of the same kind and namespace that carries all of `terms`. Of two that claim one ECS
    /// name, the older keeps it; of two made in the same second, the one whose name comes first.
    pub(crate) fn older_namesake(&self, world: &dyn World, terms: &[Term]) -> Option<String> {
        namesakes(world, self.key.kind, self.key.namespace.as_deref(), terms)
            .into_iter()
            .filter(|other| other.key != self.key)
            .find(|other| rank(&Metadata::of(other)) < rank(&self.metadata))
            .map(|other| other.key.name.clone())
    }
}

/// The object that has an ECS name: the oldest of those that claim it and are not being deleted. A younger one is refused,
/// and must not take over what refers to the name.
pub(crate) fn holder(world: &dyn World, kind: Kind, namespace: Option<&str>, terms: &[Term]) -> Option<Arc<Stored>> {
    let claims = namesakes(world, kind, namespace, terms).into_iter();
    let claims = claims.map(|stored| (Metadata::of(&stored), stored)).filter(|(metadata, _)| !metadata.is_deleting());
    claims.min_by_key(|(metadata, _)| rank(metadata)).map(|(_, stored)| stored)
}

fn namesakes(world: &dyn World, kind: Kind, namespace: Option<&str>, terms: &[Term]) -> Vec<Arc<Stored>> {
    let mut found = terms.first().map(|term| world.find(kind, namespace, term)).unwrap_or_default();
    found.retain(|stored| terms.iter().all(|term| stored.terms.contains(term)));
    found
}

fn rank(metadata: &Metadata) -> (Option<Timestamp>, String) {
    (metadata.creation_timestamp, metadata.name.clone())
}

/// The finalizer that keeps a cluster or provider while it is used, if it is not there yet.
pub(crate) fn add_finalizer(root: &ObjectKey, metadata: &Metadata) -> Option<Op> {
    let has_it = metadata.finalizers.iter().any(|finalizer| finalizer == labels::FINALIZER);
    let finalizers = metadata.finalizers.iter().cloned().chain([labels::FINALIZER.to_owned()]).collect();
    (root.kind.has_finalizer() && !has_it).then(|| Op::AddFinalizer {
        key: root.clone(),
        resource_version: metadata.resource_version.clone(),
        finalizers,
    })
}

/// Takes the finalizer off again, so that the server may remove the object.
pub(crate) fn remove_finalizer(root: &ObjectKey, metadata: &Metadata) -> Option<Op> {
    let rest: Vec<String> =
        metadata.finalizers.iter().filter(|finalizer| *finalizer != labels::FINALIZER).cloned().collect();
    (rest.len() < metadata.finalizers.len()).then(|| Op::RemoveFinalizer {
        key: root.clone(),
        resource_version: metadata.resource_version.clone(),
        finalizers: rest,
    })
}
