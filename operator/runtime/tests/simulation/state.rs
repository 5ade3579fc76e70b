//! What an API server remembers: the sandbox's server over objects of all kinds, and the history that watches read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plan::sandbox::{Name, Objects, Part, Preconditions, Refused, Server};
use serde_json::Value;

/// Names one object: plural, namespace (empty for none) and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) plural: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Id {
    pub(crate) fn new(plural: &str, namespace: &str, name: &str) -> Self {
        Self { plural: plural.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl Name for Id {
    fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str()).filter(|namespace| !namespace.is_empty())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn uid(&self, incarnation: u64) -> String {
        format!("{}-{}-{}-{incarnation}", self.plural, self.namespace, self.name)
    }
}

/// One step of history.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) what: &'static str,
    pub(crate) id: Id,
    pub(crate) object: Value,
    /// The object as it was before, for watches whose selector it has just begun or ceased to match.
    pub(crate) before: Option<Value>,
}

/// A refusal: HTTP status and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) u16, pub(crate) &'static str);

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::AlreadyExists => Self(409, "AlreadyExists"),
            Refused::NotFound => Self(404, "NotFound"),
            Refused::Conflict => Self(409, "Conflict"),
            Refused::Invalid => Self(400, "BadRequest"),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<Id, Value>,
    pub(crate) history: Vec<Change>,
    server: Server<Id>,
}

/// The objects with their history.
struct Kept<'a> {
    objects: &'a mut BTreeMap<Id, Value>,
    history: &'a mut Vec<Change>,
}

impl Objects for Kept<'_> {
    type Name = Id;

    fn read(&self, id: &Id) -> Option<Value> {
        self.objects.get(id).cloned()
    }

    fn write(&mut self, id: &Id, object: Value) -> Result<(), Refused> {
        let before = self.objects.insert(id.clone(), object.clone());
        let what = if before.is_some() { "MODIFIED" } else { "ADDED" };
        let version = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        self.history.push(Change { version, what, id: id.clone(), object, before });
        Ok(())
    }

    fn remove(&mut self, id: &Id, version: u64) {
        let before = self.objects.remove(id);
        let mut object = before.clone().unwrap();
        object["metadata"]["resourceVersion"] = Value::from(version.to_string());
        self.history.push(Change { version, what: "DELETED", id: id.clone(), object, before });
    }
}

impl State {
    fn parts(&mut self) -> (&mut Server<Id>, Kept<'_>) {
        (&mut self.server, Kept { objects: &mut self.objects, history: &mut self.history })
    }

    /// The version of the last write.
    pub(crate) fn version(&self) -> u64 {
        self.server.version()
    }

    /// Creates an object.
    pub(crate) fn create(&mut self, id: &Id, object: Value, now: Timestamp) -> Result<Value, Refusal> {
        let (server, mut kept) = self.parts();
        Ok(server.create(&mut kept, id, object, now)?)
    }

    /// Replaces an object by what `edit` makes of it.
    pub(crate) fn edit(&mut self, id: &Id, edit: impl FnOnce(&mut Value)) -> Result<Value, Refusal> {
        let (server, mut kept) = self.parts();
        Ok(server.edit(&mut kept, id, edit)?)
    }

    /// Server-side apply of the object or of its status.
    pub(crate) fn apply(
        &mut self,
        id: &Id,
        manager: &str,
        body: Value,
        is_status: bool,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let part = if is_status { Part::Status } else { Part::Main };
        let (server, mut kept) = self.parts();
        Ok(server.apply(&mut kept, id, (manager, part), body, now)?)
    }

    /// Deletes an object, or marks it while a finalizer holds it.
    pub(crate) fn delete(&mut self, id: &Id, preconditions: &Value, now: Timestamp) -> Result<Option<Value>, Refusal> {
        let text = |name: &str| preconditions.get(name).and_then(Value::as_str);
        let preconditions = Preconditions { uid: text("uid"), resource_version: text("resourceVersion") };
        let (server, mut kept) = self.parts();
        Ok(server.delete(&mut kept, id, preconditions, now)?)
    }

    /// Removes objects all of whose owners are gone.
    pub(crate) fn collect_garbage(&mut self, now: Timestamp) {
        let uids: Vec<Value> = self.objects.values().map(|object| object["metadata"]["uid"].clone()).collect();
        let is_orphan = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| !owners.is_empty() && owners.iter().all(|owner| !uids.contains(&owner["uid"])))
        };
        let orphans: Vec<Id> =
            self.objects.iter().filter(|(_, object)| is_orphan(object)).map(|(id, _)| id.clone()).collect();
        for id in orphans {
            let _ = self.delete(&id, &Value::Null, now);
        }
    }
}
