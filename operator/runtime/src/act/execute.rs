//! Carries out the writes of a plan, in order, until one fails that others follow from.
//!
//! What a quota, a policy or the server refuses is left out, and the rest goes on: a Service that may not be made does not keep
//! a service from scaling, and from replacing its tasks.
//!
//! Before each: may this process write, and is there time left? Each has a deadline of its own. What the server answers
//! is not taken into the store (the watch does that); only the version is remembered, by the gate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use plan::Stored;
use plan::core::kind::ObjectKey;
use plan::core::op::{FIELD_MANAGER, Op, STATUS_FIELD_MANAGER};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tracing::{debug, info};

use crate::act::gate::{Gate, Shown};
use crate::api_server::execute_error::ExecuteError;
use crate::api_server::metadata::{self, Page};
use crate::api_server::request::{self, Written};
use crate::lead::leadership::Leadership;
use crate::serve::metrics::Metrics;

const JSON: &str = "application/json";
// The body is JSON, which is YAML; servers before 1.33 know no JSON spelling of this type.
const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";

/// How long writes may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// One request.
    pub op: Duration,
    /// All requests of one reconcile.
    pub reconcile: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { op: Duration::from_secs(10), reconcile: Duration::from_mins(1) }
    }
}

/// The first write that failed, and why. Everything before it happened.
#[derive(Debug, thiserror::Error)]
#[error("{op}: {error}")]
pub struct Failed {
    /// The write in one line.
    pub op: String,
    /// Whether everything after it was carried out as well, as far as it was not refused too.
    pub is_rest_done: bool,
    /// Why.
    #[source]
    pub error: ExecuteError,
}

/// Carries out writes while this process leads.
#[derive(Clone)]
pub struct Executor {
    client: Client,
    leadership: Leadership,
    deadlines: Deadlines,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Executor").field("leadership", &self.leadership).finish_non_exhaustive()
    }
}

/// The object that a plan was made on: what it has to be still, for a write that follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its incarnation; `None` if the plan did not know it.
    pub uid: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

impl Seen {
    /// The copy that a plan read.
    #[must_use]
    pub fn of(stored: Option<&Stored>) -> Self {
        let text = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
        let uid = stored.and_then(|stored| text(&stored.uid));
        Self { uid, version: stored.and_then(|stored| text(&stored.resource_version)) }
    }
}

/// One reconcile's allowance of time, and for whom it writes.
#[derive(Debug)]
pub struct Session<'a> {
    executor: &'a Executor,
    root: &'a ObjectKey,
    seen: Seen,
    gate: &'a Gate,
    until: Instant,
    /// Whether the server said in this reconcile that it has the root.
    is_root_there: AtomicBool,
    /// What this reconcile wrote itself: later than what the plan saw.
    written: Mutex<BTreeMap<ObjectKey, Seen>>,
}

impl Executor {
    /// The client must not try again by itself: deadlines and backoff are decided here.
    #[must_use]
    pub const fn new(client: Client, leadership: Leadership, deadlines: Deadlines, metrics: Arc<Metrics>) -> Self {
        Self { client, leadership, deadlines, metrics }
    }

    /// Begins a reconcile of `root` as it was seen.
    #[must_use]
    pub fn session<'a>(&'a self, root: &'a ObjectKey, seen: Seen, gate: &'a Gate) -> Session<'a> {
        let until = Instant::now() + self.deadlines.reconcile;
        let is_root_there = AtomicBool::new(false);
        Session { executor: self, root, seen, gate, until, is_root_there, written: Mutex::default() }
    }
}

impl Session<'_> {
    /// Carries out the writes in order. Stops at the first that fails, unless it is one that is refused and that no later one
    /// follows from. `seen` knows what the plan was made on.
    pub async fn run(&self, ops: &[Op], seen: impl Fn(&ObjectKey) -> Seen) -> Result<(), Failed> {
        let mut refused: Option<Failed> = None;
        for op in ops {
            let result = self.one(op, self.latest(op.key()).unwrap_or_else(|| seen(op.key()))).await;
            let category = result.as_ref().map_or_else(ExecuteError::category, |()| "ok");
            self.executor.metrics.op(op.verb(), op.key().kind, category);
            let Err(error) = result else { continue };
            let is_rest_done = error.is_refusal() && !op.is_followed_from();
            let failed = Failed { op: op.to_string(), is_rest_done, error };
            if !is_rest_done {
                return Err(failed);
            }
            refused.get_or_insert(failed);
        }
        refused.map_or(Ok(()), Err)
    }

    /// Writes the root's own status.
    pub async fn report(&self, status: &Value) -> Result<(), Failed> {
        let op = Op::ApplyStatus { key: self.root.clone(), status: status.clone() };
        self.run(std::slice::from_ref(&op), |_| self.seen.clone()).await
    }

    /// What a watch of the object's kind would show now. Read from what is stored, not from the server's cache.
    pub async fn shown(&self, key: &ObjectKey) -> Result<Shown, ExecuteError> {
        let by_name = format!("metadata.name={}", key.name);
        let selector = request::selector(key.kind);
        let mut pairs = vec![("fieldSelector", by_name.as_str())];
        pairs.extend(selector.iter().map(|selector| ("labelSelector", selector.as_str())));
        let collection = request::collection(key.kind, key.namespace.as_deref())?;
        let page: Page = self.send(metadata::list(&collection, &pairs)?).await?;
        let found = page.identities().find(|found| found.name == key.name);
        Ok(found.map_or(Shown::Nothing, |found| Shown::Object { uid: found.uid, version: found.resource_version }))
    }

    fn latest(&self, key: &ObjectKey) -> Option<Seen> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    async fn one(&self, op: &Op, seen: Seen) -> Result<(), ExecuteError> {
        self.stay_inside(op.key())?;
        let key = op.key();
        let begins = matches!(op, Op::Create { .. }) && key.kind.is_written_once();
        if begins && !self.is_root_there.load(Ordering::Relaxed)
            || matches!(op, Op::Create { .. } | Op::Apply { .. }) && self.gate.was_removed(key)
        {
            self.confirm_root().await?;
        }
        match op {
            Op::Create { body, .. } if !key.kind.is_written_once() => self.create_applied(op, body).await,
            Op::Create { body, .. } => {
                let path = request::collection(key.kind, key.namespace.as_deref())?;
                let query = request::query(&[("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")]);
                self.write(op, request::send(Method::POST, &format!("{path}?{query}"), JSON, body)?).await
            }
            Op::Apply { body, manager, .. } => {
                let path = format!("{}?{}", request::item(key)?, apply_query(manager));
                let body = of_incarnation(body, seen.uid);
                self.write(op, request::send(Method::PATCH, &path, APPLY, &body)?).await
            }
            Op::ApplyStatus { status, .. } => {
                let path = format!("{}/status?{}", request::item(key)?, apply_query(STATUS_FIELD_MANAGER));
                let body = status_body(key, seen, status);
                self.write(op, request::send(Method::PATCH, &path, APPLY, &body)?).await
            }
            Op::AddFinalizer { resource_version, finalizers, .. }
            | Op::RemoveFinalizer { resource_version, finalizers, .. } => {
                let path = format!("{}?{}", request::item(key)?, request::query(&[("fieldManager", FIELD_MANAGER)]));
                let body = json!({"metadata": {"resourceVersion": resource_version, "finalizers": finalizers}});
                let request = request::send(Method::PATCH, &path, MERGE, &body)?;
                match self.write(op, request).await {
                    // Gone already: there is nothing left to hold.
                    Err(ExecuteError::NotFound(_)) if matches!(op, Op::RemoveFinalizer { .. }) => Ok(()),
                    other => other,
                }
            }
            Op::Annotate { uid, annotations, .. } => {
                self.merge(op, &json!({"metadata": {"uid": uid, "annotations": annotations}})).await
            }
            Op::Place { body, .. } => self.merge(op, body).await,
            Op::Delete { uid, resource_version, only_if_absent, .. } => {
                for other in only_if_absent {
                    self.confirm_absence(other).await?;
                }
                self.delete(op, uid, resource_version).await
            }
        }
    }

    /// Merges into an object that is not ours. One that is gone already is left alone.
    async fn merge(&self, op: &Op, body: &Value) -> Result<(), ExecuteError> {
        let path = format!("{}?{}", request::item(op.key())?, request::query(&[("fieldManager", FIELD_MANAGER)]));
        match self.write(op, request::send(Method::PATCH, &path, MERGE, body)?).await {
            Err(ExecuteError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// Makes an object by server-side apply. What a POST sets belongs to the manager's "Update" entry for good: a field
    /// that a later apply leaves out would stay, and with it a container, a variable or a privilege that nobody wants
    /// any more.
    ///
    /// An apply changes what is there already, and that may be somebody else's. So the body names version 1, which no
    /// object ever has: where there is one the server answers with a conflict, where there is none the version counts
    /// for nothing.
    async fn create_applied(&self, op: &Op, body: &Value) -> Result<(), ExecuteError> {
        let key = op.key();
        let mut body = body.clone();
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".to_owned(), Value::from("1"));
        }
        let path = format!("{}?{}", request::item(key)?, apply_query(FIELD_MANAGER));
        match self.write(op, request::send(Method::PATCH, &path, APPLY, &body)?).await {
            Err(ExecuteError::Conflict(_)) => Err(ExecuteError::AlreadyExists(format!("{key} already exists"))),
            other => other,
        }
    }

    /// A namespace is a wall: whatever a plan says, nothing is written in another namespace than the root's. Objects
    /// without a namespace are the planner's business; the service account's rights bound which kinds those can be.
    fn stay_inside(&self, key: &ObjectKey) -> Result<(), ExecuteError> {
        match (&self.root.namespace, &key.namespace) {
            (Some(own), Some(other)) if own != other => {
                Err(ExecuteError::Unsafe(format!("{key} is outside the namespace of {}", self.root)))
            }
            _ if key.kind.is_namespaced() != key.namespace.is_some() => {
                Err(ExecuteError::Unsafe(format!("{key} does not say where it is")))
            }
            _ => Ok(()),
        }
    }

    async fn write(&self, op: &Op, request: Request<Vec<u8>>) -> Result<(), ExecuteError> {
        let written: Written = self.send(request).await?;
        let (uid, version) = (written.metadata.uid, written.metadata.resource_version);
        self.gate.wrote(self.root, op.key(), &uid, &version);
        let latest = Seen { uid: Some(uid), version: Some(version) };
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(op.key().clone(), latest);
        self.log(op);
        Ok(())
    }

    async fn delete(&self, op: &Op, uid: &str, resource_version: &str) -> Result<(), ExecuteError> {
        let key = op.key();
        let body = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
            "propagationPolicy": "Background",
        });
        let request = request::send(Method::DELETE, &request::item(key)?, JSON, &body)?;
        match self.send::<Written>(request).await {
            Ok(left) if left.kind != "Status" && left.metadata.deletion_timestamp.is_some() => {
                // It stays for a while: what has to be seen is that it is going.
                self.gate.wrote(self.root, key, &left.metadata.uid, &left.metadata.resource_version);
            }
            Ok(_) => self.gate.deleted(self.root, key, uid),
            Err(ExecuteError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        self.log(op);
        Ok(())
    }

    /// Reads from the server, not from the cache: no `resourceVersion` means a quorum read.
    async fn confirm_absence(&self, key: &ObjectKey) -> Result<(), ExecuteError> {
        match self.send::<Written>(request::get(&request::item(key)?)?).await {
            Ok(_) => Err(ExecuteError::StillThere(key.clone())),
            Err(ExecuteError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// When a service is deleted, its children go too, and the watch of their kind may say so first. What went away is
    /// made again only if the server itself still has the root. The same for what something begins with, such as the record of
    /// a deployment: the watch of the roots may have said nothing for minutes. That is one read for each deployment.
    async fn confirm_root(&self) -> Result<(), ExecuteError> {
        let gone = || ExecuteError::RootGone(self.root.clone());
        let root = match self.send::<Written>(request::get(&request::item(self.root)?)?).await {
            Err(ExecuteError::NotFound(_)) => return Err(gone()),
            other => other?,
        };
        let is_same = self.seen.uid.as_ref().is_none_or(|uid| *uid == root.metadata.uid);
        if !is_same || root.metadata.deletion_timestamp.is_some() {
            return Err(gone());
        }
        self.is_root_there.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn send<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T, ExecuteError> {
        if !self.executor.leadership.may_write() {
            return Err(ExecuteError::NotLeader);
        }
        let deadlines = self.executor.deadlines;
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ExecuteError::Deadline(deadlines.reconcile));
        }
        let limit = deadlines.op.min(left);
        let bytes = request.body().len();
        match timeout(limit, self.executor.client.request::<T>(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(ExecuteError::read(error).of_size(bytes)),
            Err(_) => Err(ExecuteError::Deadline(limit)),
        }
    }

    fn log(&self, op: &Op) {
        let key = op.key();
        let (kind, ns, name) = (key.kind.kind(), key.namespace.as_deref().unwrap_or_default(), key.name.as_str());
        let (verb, root) = (op.verb(), self.root.to_string());
        if matches!(op, Op::ApplyStatus { .. }) {
            debug!(kind, ns, name, step = "execute", verb, root, "written");
        } else {
            let because = op.because().unwrap_or_default();
            info!(kind, ns, name, step = "execute", verb, because, root, "written");
        }
    }
}

/// Fields that others set are taken over: a plan only contains what is ours to say.
fn apply_query(manager: &str) -> String {
    request::query(&[("fieldManager", manager), ("force", "true"), ("fieldValidation", "Strict")])
}

/// An apply makes what is not there. A child that the plan saw and that is gone by now may have gone with its root, of which
/// the watch has yet to tell: with its uid in the body the server answers with a conflict rather than make it again.
fn of_incarnation(body: &Value, uid: Option<String>) -> Value {
    let mut body = body.clone();
    if let (Some(uid), Some(metadata)) = (uid, body.get_mut("metadata").and_then(Value::as_object_mut)) {
        metadata.insert("uid".to_owned(), Value::String(uid));
    }
    body
}

/// The uid is a precondition: the status of an object must not end up on its successor of the same name. The version is
/// another: a status counts on from the one that the plan read, which may have been followed by that of another leader or by
/// one of our own whose answer was lost.
fn status_body(key: &ObjectKey, seen: Seen, status: &Value) -> Value {
    let mut metadata = json!({"name": key.name});
    if let Some(metadata) = metadata.as_object_mut() {
        let known = [("namespace", key.namespace.clone()), ("uid", seen.uid), ("resourceVersion", seen.version)];
        let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
        metadata.extend(known);
    }
    json!({"apiVersion": key.kind.api_version(), "kind": key.kind.kind(), "metadata": metadata, "status": status})
}

#[cfg(test)]
#[path = "execute_tests.rs"]
mod tests;
