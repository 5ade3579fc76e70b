//! A cluster in memory in which plans are carried out: for `kubectl ecs render`, and for tests.
//!
//! Every operation does what an API server would make of it, with its preconditions, versions, generations, owners and
//! finalizers. Nobody else acts: no ReplicaSet makes pods, nothing is collected as garbage. Who needs that adds it.

mod merge;
mod server;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use merge::merge;
pub use server::{Name, Objects, Part, Preconditions, Refused, Server};

use crate::core::kind::ObjectKey;
use crate::core::op::{Op, STATUS_FIELD_MANAGER};
use crate::core::store::Stored;
use crate::core::world::{MemoryWorld, World};

impl Name for ObjectKey {
    fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn uid(&self, incarnation: u64) -> String {
        let place = format!("{}/{}/{}", self.kind, self.namespace.as_deref().unwrap_or_default(), self.name);
        ecs::name::short_hash(&if incarnation == 1 { place } else { format!("{place}#{incarnation}") })
    }
}

impl Objects for MemoryWorld {
    type Name = ObjectKey;

    fn read(&self, name: &ObjectKey) -> Option<Value> {
        let stored = self.get(name)?;
        let mut object = stored.value();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".to_owned(), json!(stored.resource_version));
        }
        Some(object)
    }

    fn write(&mut self, name: &ObjectKey, object: Value) -> Result<(), Refused> {
        let stored = Stored::accept(name.kind, object).map_err(|_| Refused::Invalid)?;
        self.insert(stored);
        Ok(())
    }

    fn remove(&mut self, name: &ObjectKey, _: u64) {
        Self::remove(self, name);
    }
}

impl Server<ObjectKey> {
    /// Carries out one operation of a plan. One whose reason is gone (see [`Op::Delete`]) does nothing.
    ///
    /// # Errors
    /// As the server refuses it: the operator would plan again.
    pub fn carry_out(&mut self, world: &mut MemoryWorld, op: &Op, now: Timestamp) -> Result<(), Refused> {
        match op {
            Op::Create { key, body } => self.create(world, key, body.clone(), now).map(drop),
            Op::Apply { key, body, manager, .. } => {
                self.apply(world, key, (manager, Part::Main), body.clone(), now).map(drop)
            }
            Op::ApplyStatus { key, status } => self.apply_status(world, key, status, now),
            Op::Annotate { key, uid, annotations } => {
                self.patch(world, key, uid, &json!({ "metadata": { "annotations": annotations } }))
            }
            Op::Place { key, body } => {
                let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                if world.get(key).is_some_and(|live| live.resource_version != text("/metadata/resourceVersion")) {
                    return Err(Refused::Conflict);
                }
                self.patch(world, key, text("/metadata/uid"), body)
            }
            Op::Delete { key, uid, resource_version, only_if_absent } => {
                if only_if_absent.iter().any(|key| world.get(key).is_some()) {
                    return Ok(());
                }
                let preconditions = Preconditions { uid: Some(uid), resource_version: Some(resource_version) };
                self.delete(world, key, preconditions, now).map(drop)
            }
            Op::AddFinalizer { key, resource_version, finalizers }
            | Op::RemoveFinalizer { key, resource_version, finalizers } => {
                let live = world.get(key).ok_or(Refused::NotFound)?;
                if live.resource_version != *resource_version {
                    return Err(Refused::Conflict);
                }
                self.edit(world, key, |object| {
                    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                        metadata.insert("finalizers".to_owned(), json!(finalizers));
                    }
                })
                .map(drop)
            }
        }
    }

    /// Writes the status of a root, or of what a plan applies the status of.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn apply_status(
        &mut self,
        world: &mut MemoryWorld,
        key: &ObjectKey,
        status: &Value,
        now: Timestamp,
    ) -> Result<(), Refused> {
        self.apply(world, key, (STATUS_FIELD_MANAGER, Part::Status), json!({ "status": status }), now).map(drop)
    }

    fn patch(&mut self, world: &mut MemoryWorld, key: &ObjectKey, uid: &str, patch: &Value) -> Result<(), Refused> {
        // One that is gone is left alone.
        let Some(live) = world.get(key) else { return Ok(()) };
        if live.uid != uid {
            return Err(Refused::Conflict);
        }
        self.edit(world, key, |object| merge(object, patch)).map(drop)
    }
}
