//! What an API server remembers: objects with versions, what each manager applied, and the history that watches read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

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

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) version: u64,
    pub(crate) objects: BTreeMap<Id, Value>,
    pub(crate) history: Vec<Change>,
    applied: BTreeMap<(Id, String), Value>,
    incarnations: BTreeMap<Id, u64>,
}

impl State {
    /// Creates an object.
    pub(crate) fn create(&mut self, id: &Id, mut object: Value, now: Timestamp) -> Result<Value, Refusal> {
        if self.objects.contains_key(id) {
            return Err(Refusal(409, "AlreadyExists"));
        }
        let incarnation = self.incarnations.entry(id.clone()).or_default();
        *incarnation += 1;
        // The same object gets the same uid in every run, so that runs can be compared.
        let uid = format!("{}-{}-{}-{incarnation}", id.plural, id.namespace, id.name);
        let metadata = metadata(&mut object);
        metadata.insert("name".to_owned(), json!(id.name));
        if !id.namespace.is_empty() {
            metadata.insert("namespace".to_owned(), json!(id.namespace));
        }
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("creationTimestamp".to_owned(), json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
        metadata.insert("generation".to_owned(), json!(1));
        Ok(self.store(id, object))
    }

    /// Replaces an object by what `edit` makes of it. An edit that changes nothing is no write.
    pub(crate) fn edit(&mut self, id: &Id, edit: impl FnOnce(&mut Value)) -> Result<Value, Refusal> {
        let old = self.objects.get(id).cloned().ok_or(Refusal(404, "NotFound"))?;
        let mut new = old.clone();
        edit(&mut new);
        if new == old {
            return Ok(old);
        }
        if new.get("spec") != old.get("spec") {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or_default() + 1;
            new["metadata"]["generation"] = json!(generation);
        }
        let has_finalizers = new["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
        if new["metadata"].get("deletionTimestamp").is_some() && !has_finalizers {
            self.remove(id);
            return Ok(new);
        }
        Ok(self.store(id, new))
    }

    /// Server-side apply of the object or of its status.
    pub(crate) fn apply(
        &mut self,
        id: &Id,
        manager: &str,
        mut body: Value,
        is_status: bool,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let version =
            body.get_mut("metadata").and_then(Value::as_object_mut).and_then(|it| it.remove("resourceVersion"));
        let place = (id.clone(), manager.to_owned());
        let before = self.applied.get(&place).cloned().unwrap_or_default();
        let Some(live) = self.objects.get(id) else {
            if is_status {
                return Err(Refusal(404, "NotFound"));
            }
            self.applied.insert(place, body.clone());
            return self.create(id, body, now);
        };
        if body["metadata"].get("uid").is_some_and(|uid| *uid != live["metadata"]["uid"]) {
            return Err(Refusal(409, "Conflict"));
        }
        // Where there is no object, the version counts for nothing.
        if version.is_some_and(|version| version != live["metadata"]["resourceVersion"]) {
            return Err(Refusal(409, "Conflict"));
        }
        self.applied.insert(place, body.clone());
        self.edit(id, |live| {
            let parts: &[&str] = if is_status { &["status"] } else { &["metadata", "spec"] };
            for part in parts {
                let Some(new) = body.get(part) else { continue };
                let target = live.as_object_mut().unwrap().entry(*part).or_insert_with(|| json!({}));
                withdraw(target, before.get(part).unwrap_or(&Value::Null), new);
                merge(target, new);
            }
        })
    }

    /// Deletes an object, or marks it while a finalizer holds it.
    pub(crate) fn delete(&mut self, id: &Id, preconditions: &Value, now: Timestamp) -> Result<Option<Value>, Refusal> {
        let live = self.objects.get(id).ok_or(Refusal(404, "NotFound"))?;
        for name in ["uid", "resourceVersion"] {
            if preconditions.get(name).is_some_and(|wanted| *wanted != live["metadata"][name]) {
                return Err(Refusal(409, "Conflict"));
            }
        }
        if live["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty()) {
            let time = json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            return self.edit(id, |live| live["metadata"]["deletionTimestamp"] = time).map(Some);
        }
        self.remove(id);
        Ok(None)
    }

    /// The objects as they were at an earlier version.
    pub(crate) fn at(&self, version: u64) -> BTreeMap<Id, Value> {
        let mut objects = BTreeMap::new();
        for change in self.history.iter().take_while(|change| change.version <= version) {
            if change.what == "DELETED" {
                objects.remove(&change.id);
            } else {
                objects.insert(change.id.clone(), change.object.clone());
            }
        }
        objects
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

    fn remove(&mut self, id: &Id) {
        if let Some(before) = self.objects.remove(id) {
            self.version += 1;
            let mut object = before.clone();
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.applied.retain(|(other, _), _| other != id);
            let change =
                Change { version: self.version, what: "DELETED", id: id.clone(), object, before: Some(before) };
            self.history.push(change);
        }
    }

    fn store(&mut self, id: &Id, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let before = self.objects.insert(id.clone(), object.clone());
        let what = if before.is_some() { "MODIFIED" } else { "ADDED" };
        self.history.push(Change { version: self.version, what, id: id.clone(), object: object.clone(), before });
        object
    }
}

fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    let map = object.as_object_mut().unwrap();
    map.entry("metadata").or_insert_with(|| json!({})).as_object_mut().unwrap()
}

/// Removes what a manager applied before and does not apply any more.
fn withdraw(live: &mut Value, before: &Value, now: &Value) {
    let (Some(live), Some(before)) = (live.as_object_mut(), before.as_object()) else { return };
    for (name, old) in before {
        match now.get(name) {
            None => {
                live.remove(name);
            }
            Some(new) => {
                if let Some(part) = live.get_mut(name) {
                    withdraw(part, old, new);
                }
            }
        }
    }
}

/// Puts in what is applied. Lists are replaced: nobody else adds to them here.
pub(crate) fn merge(live: &mut Value, new: &Value) {
    match (live, new) {
        (Value::Object(live), Value::Object(new)) => {
            for (name, value) in new {
                merge(live.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (live, new) => *live = new.clone(),
    }
}
