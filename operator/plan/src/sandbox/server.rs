//! What an API server does to one object at a time: identities, versions, generations, preconditions and finalizers.
//!
//! The objects are kept elsewhere, see [`Objects`]: in the world that plans read, or in the history that watches read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::merge::{merge, withdraw};

/// What an object is kept under.
pub trait Name: Clone + Ord {
    /// `metadata.namespace`; `None` for cluster-scoped kinds.
    fn namespace(&self) -> Option<&str>;
    /// `metadata.name`
    fn name(&self) -> &str;
    /// `metadata.uid` of the object that is created under the name for the `incarnation`th time, from 1. The same in every
    /// run, so that runs can be compared.
    fn uid(&self, incarnation: u64) -> String;
}

/// Where the objects are.
pub trait Objects {
    /// What an object is kept under.
    type Name: Name;

    /// The object with its version; `None` when it is not there.
    fn read(&self, name: &Self::Name) -> Option<Value>;
    /// Keeps an object.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when it cannot be kept.
    fn write(&mut self, name: &Self::Name, object: Value) -> Result<(), Refused>;
    /// Forgets an object; `version` is that of its removal.
    fn remove(&mut self, name: &Self::Name, version: u64);
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is an object of that name.
    #[error("there is an object of that name")]
    AlreadyExists,
    /// There is no object of that name.
    #[error("there is no object of that name")]
    NotFound,
    /// The object is not the one, or not in the state, that the write is about.
    #[error("the object has changed")]
    Conflict,
    /// It is no object.
    #[error("this is no object")]
    Invalid,
}

/// Which part of an object is applied; the other is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status.
    Main,
    /// The status.
    Status,
}

/// What has to be so for a delete. `None` is everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preconditions<'a> {
    /// `metadata.uid`
    pub uid: Option<&'a str>,
    /// `metadata.resourceVersion`
    pub resource_version: Option<&'a str>,
}

/// What a server remembers besides the objects.
#[derive(Clone, Debug)]
pub struct Server<N> {
    version: u64,
    /// What each manager applied last, by object.
    applied: BTreeMap<(N, String), Value>,
    incarnations: BTreeMap<N, u64>,
}

impl<N> Default for Server<N> {
    fn default() -> Self {
        Self { version: 0, applied: BTreeMap::new(), incarnations: BTreeMap::new() }
    }
}

impl<N: Name> Server<N> {
    /// The version of the last write.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Creates an object, whatever identity it brings along.
    ///
    /// # Errors
    /// [`Refused::AlreadyExists`] and [`Refused::Invalid`].
    pub fn create(
        &mut self,
        objects: &mut impl Objects<Name = N>,
        name: &N,
        mut object: Value,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        if objects.read(name).is_some() {
            return Err(Refused::AlreadyExists);
        }
        let metadata = metadata(&mut object)?;
        let incarnation = self.incarnations.entry(name.clone()).or_default();
        *incarnation += 1;
        metadata.insert("name".to_owned(), json!(name.name()));
        if let Some(namespace) = name.namespace() {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        metadata.insert("uid".to_owned(), json!(name.uid(*incarnation)));
        metadata.insert("creationTimestamp".to_owned(), json!(time(now)));
        metadata.insert("generation".to_owned(), json!(1));
        self.store(objects, name, object)
    }

    /// Replaces an object by what `edit` makes of it. An edit that changes nothing is no write; one that takes the last
    /// finalizer off an object that is being deleted removes it.
    ///
    /// # Errors
    /// [`Refused::NotFound`] and [`Refused::Invalid`].
    pub fn edit(
        &mut self,
        objects: &mut impl Objects<Name = N>,
        name: &N,
        edit: impl FnOnce(&mut Value),
    ) -> Result<Value, Refused> {
        let old = objects.read(name).ok_or(Refused::NotFound)?;
        let mut new = old.clone();
        edit(&mut new);
        if new == old {
            return Ok(old);
        }
        if new.get("spec") != old.get("spec") {
            let generation = old.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default() + 1;
            metadata(&mut new)?.insert("generation".to_owned(), json!(generation));
        }
        let is_deleted = new.pointer("/metadata/deletionTimestamp").is_some();
        if is_deleted && has_finalizers(&old) && !has_finalizers(&new) {
            self.remove(objects, name);
            return Ok(new);
        }
        self.store(objects, name, new)
    }

    /// Server-side apply; where there is no object, it is created.
    ///
    /// A uid or version in the body is a precondition, the version only where there is an object: an object that is to be a
    /// certain one is not created.
    ///
    /// # Errors
    /// [`Refused::Conflict`], [`Refused::NotFound`] for a status and [`Refused::Invalid`].
    pub fn apply(
        &mut self,
        objects: &mut impl Objects<Name = N>,
        name: &N,
        (manager, part): (&str, Part),
        mut body: Value,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let metadata = metadata(&mut body)?;
        let (version, uid) = (metadata.remove("resourceVersion"), metadata.remove("uid"));
        let place = (name.clone(), manager.to_owned());
        let before = self.applied.get(&place).cloned().unwrap_or_default();
        let Some(live) = objects.read(name) else {
            if part == Part::Status {
                return Err(Refused::NotFound);
            }
            if uid.is_some() {
                return Err(Refused::Conflict);
            }
            self.applied.insert(place, body.clone());
            return self.create(objects, name, body, now);
        };
        let differs = |wanted: Option<&Value>, pointer: &str| wanted.is_some() && wanted != live.pointer(pointer);
        if differs(uid.as_ref(), "/metadata/uid") || differs(version.as_ref(), "/metadata/resourceVersion") {
            return Err(Refused::Conflict);
        }
        self.applied.insert(place, body.clone());
        self.edit(objects, name, |live| {
            let Some(members) = live.as_object_mut() else { return };
            for (member, new) in body.as_object().into_iter().flatten() {
                let is_status = member == "status";
                if matches!(member.as_str(), "apiVersion" | "kind") || is_status != (part == Part::Status) {
                    continue;
                }
                let target = members.entry(member.clone()).or_insert_with(|| json!({}));
                withdraw(target, before.get(member).unwrap_or(&Value::Null), new);
                merge(target, new);
            }
        })
    }

    /// Deletes an object; `Some` when a finalizer holds it and it was only marked.
    ///
    /// # Errors
    /// [`Refused::NotFound`] and [`Refused::Conflict`].
    pub fn delete(
        &mut self,
        objects: &mut impl Objects<Name = N>,
        name: &N,
        preconditions: Preconditions<'_>,
        now: Timestamp,
    ) -> Result<Option<Value>, Refused> {
        let live = objects.read(name).ok_or(Refused::NotFound)?;
        let differs = |wanted: Option<&str>, pointer: &str| {
            wanted.is_some_and(|wanted| live.pointer(pointer).and_then(Value::as_str) != Some(wanted))
        };
        if differs(preconditions.uid, "/metadata/uid")
            || differs(preconditions.resource_version, "/metadata/resourceVersion")
        {
            return Err(Refused::Conflict);
        }
        if has_finalizers(&live) {
            let mark = |live: &mut Value| {
                if let Ok(metadata) = metadata(live) {
                    metadata.insert("deletionTimestamp".to_owned(), json!(time(now)));
                }
            };
            return self.edit(objects, name, mark).map(Some);
        }
        self.remove(objects, name);
        Ok(None)
    }

    fn remove(&mut self, objects: &mut impl Objects<Name = N>, name: &N) {
        self.version += 1;
        self.applied.retain(|(other, _), _| other != name);
        objects.remove(name, self.version);
    }

    fn store(&mut self, objects: &mut impl Objects<Name = N>, name: &N, mut object: Value) -> Result<Value, Refused> {
        self.version += 1;
        metadata(&mut object)?.insert("resourceVersion".to_owned(), json!(self.version.to_string()));
        objects.write(name, object.clone())?;
        Ok(object)
    }
}

fn metadata(object: &mut Value) -> Result<&mut Map<String, Value>, Refused> {
    let members = object.as_object_mut().ok_or(Refused::Invalid)?;
    members.entry("metadata").or_insert_with(|| json!({})).as_object_mut().ok_or(Refused::Invalid)
}

fn has_finalizers(object: &Value) -> bool {
    object.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

/// Servers keep whole seconds.
fn time(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
