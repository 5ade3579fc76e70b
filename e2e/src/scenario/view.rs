//! What a scenario sees: the objects of its namespace, kept up to date by watches. Waiting is asking again after each event,
//! never sleeping.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::StreamExt as _;
use kube::Client;
use kube::core::DynamicObject;
use kube::runtime::watcher;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::kinds::Known;

/// Objects as JSON, by kind and name.
pub type Objects = BTreeMap<(&'static str, String), Value>;

/// What is called after each event, with the objects as they are then.
pub type Observer = Box<dyn FnMut(&Objects) + Send>;

#[derive(Default)]
struct State {
    objects: Objects,
    /// Names seen in a listing that is under way.
    listing: BTreeMap<&'static str, BTreeSet<String>>,
    /// One line per event, for the report of a failure.
    history: Vec<String>,
    observers: Vec<Observer>,
}

/// The namespace as the watches show it.
pub struct View {
    client: Client,
    namespace: String,
    begun: Instant,
    state: Arc<Mutex<State>>,
    /// Counts events; a waiter is woken by each.
    changes: watch::Sender<u64>,
    tasks: Mutex<BTreeMap<&'static str, JoinHandle<()>>>,
}

/// How long a watch stays away from an API server that does not answer.
const RETRY: Duration = Duration::from_millis(200);

/// Lines of history that are kept.
const MOST_HISTORY: usize = 2_000;

impl View {
    /// An empty view of a namespace.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            begun: Instant::now(),
            state: Arc::default(),
            changes: watch::Sender::new(0),
            tasks: Mutex::default(),
        }
    }

    /// Begins to watch a kind; nothing happens when it is watched already. Returns once its objects were listed.
    ///
    /// # Errors
    /// When the kind is not in the table, or cannot be listed within half a minute.
    pub async fn watch(&self, known: &'static Known) -> Result<()> {
        let (listed, mut is_listed) = watch::channel(false);
        {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            if tasks.contains_key(known.kind) {
                return Ok(());
            }
            let api = known.api(&self.client, &self.namespace);
            let (state, changes, begun) = (Arc::clone(&self.state), self.changes.clone(), self.begun);
            let task = tokio::spawn(async move {
                let mut events = watcher(api, watcher::Config::default()).boxed();
                while let Some(event) = events.next().await {
                    // Errors are what a stopped API server looks like. The watcher tries again when it is asked for more.
                    let Ok(event) = event else {
                        tokio::time::sleep(RETRY).await;
                        continue;
                    };
                    let is_done = matches!(event, watcher::Event::InitDone);
                    let mut state = lock(&state);
                    state.take(known.kind, event, begun.elapsed());
                    state.observe();
                    drop(state);
                    changes.send_modify(|count| *count += 1);
                    if is_done {
                        listed.send_replace(true);
                    }
                }
            });
            tasks.insert(known.kind, task);
        }
        let limit = Duration::from_secs(30);
        if tokio::time::timeout(limit, is_listed.wait_for(|listed| *listed)).await.is_err() {
            bail!("{} could not be listed within {} s", known.kind, limit.as_secs());
        }
        Ok(())
    }

    /// Whether a kind is watched.
    #[must_use]
    pub fn is_watched(&self, kind: &str) -> bool {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).contains_key(kind)
    }

    /// Reads the objects as they are now.
    pub fn read<T>(&self, read: impl FnOnce(&Objects) -> T) -> T {
        read(&lock(&self.state).objects)
    }

    /// Calls `observer` now and after each event.
    pub fn observe(&self, mut observer: Observer) {
        let mut state = lock(&self.state);
        observer(&state.objects);
        state.observers.push(observer);
    }

    /// Waits until `look` finds what it looks for. What it says instead is in the message when the time is over.
    ///
    /// # Errors
    /// When it does not within `limit`.
    pub async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&Objects) -> Result<T, String>,
    ) -> Result<T> {
        let mut changes = self.changes.subscribe();
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            changes.mark_unchanged();
            let instead = match self.read(&mut look) {
                Ok(found) => return Ok(found),
                Err(instead) => instead,
            };
            if tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
                bail!("{what}: not within {} s; {instead}", limit.as_secs());
            }
        }
    }

    /// Waits for `window` and fails at the first event that `is_bad` objects to.
    ///
    /// # Errors
    /// With the objection.
    pub async fn stays(
        &self,
        what: &str,
        window: Duration,
        mut look: impl FnMut(&Objects) -> Result<(), String>,
    ) -> Result<()> {
        let mut changes = self.changes.subscribe();
        let deadline = tokio::time::Instant::now() + window;
        loop {
            changes.mark_unchanged();
            if let Err(objection) = self.read(&mut look) {
                bail!("{what}: {objection}");
            }
            if tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
                return Ok(());
            }
        }
    }

    /// What happened, one line per event.
    #[must_use]
    pub fn history(&self) -> Vec<String> {
        lock(&self.state).history.clone()
    }
}

impl Drop for View {
    fn drop(&mut self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).values() {
            task.abort();
        }
    }
}

/// A failed assertion in an observer must not hide the objects from the report.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn take(&mut self, kind: &'static str, event: watcher::Event<DynamicObject>, at: Duration) {
        match event {
            watcher::Event::Init => {
                self.listing.insert(kind, BTreeSet::new());
            }
            watcher::Event::InitApply(object) => {
                if let Some(name) = object.metadata.name.clone() {
                    self.listing.entry(kind).or_default().insert(name);
                }
                self.put(kind, object, at);
            }
            watcher::Event::InitDone => {
                if let Some(seen) = self.listing.remove(kind) {
                    self.objects.retain(|(other, name), _| *other != kind || seen.contains(name));
                }
            }
            watcher::Event::Apply(object) => self.put(kind, object, at),
            watcher::Event::Delete(object) => {
                let name = object.metadata.name.unwrap_or_default();
                self.note(at, &format!("{kind} {name} deleted"));
                self.objects.remove(&(kind, name));
            }
        }
    }

    fn put(&mut self, kind: &'static str, mut object: DynamicObject, at: Duration) {
        let Some(name) = object.metadata.name.clone() else { return };
        let managers = object.metadata.managed_fields.take();
        let Ok(mut value) = serde_json::to_value(&object) else { return };
        // Kept beside the object: reports leave it out, one scenario asks who wrote a field.
        if let (Some(map), Some(managers)) = (value.as_object_mut(), managers) {
            map.insert("managedFields".to_owned(), serde_json::to_value(managers).unwrap_or_default());
        }
        let line = format!("{kind} {name} {}", summary(kind, &value));
        self.note(at, &line);
        self.objects.insert((kind, name), value);
    }

    fn note(&mut self, at: Duration, line: &str) {
        if self.history.len() < MOST_HISTORY {
            self.history.push(format!("{:>7.2}s {line}", at.as_secs_f64()));
        }
    }

    fn observe(&mut self) {
        for observer in &mut self.observers {
            observer(&self.objects);
        }
    }
}

/// What of an object is worth a line: versions, counts, readiness.
fn summary(kind: &str, object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).map(ToString::to_string).unwrap_or_default();
    let mut line = format!("rv={}", text("/metadata/resourceVersion"));
    if !text("/metadata/deletionTimestamp").is_empty() {
        line.push_str(" deleting");
    }
    let fields: &[(&str, &str)] = match kind {
        "Pod" => &[("phase", "/status/phase"), ("node", "/spec/nodeName")],
        "Deployment" => &[
            ("paused", "/spec/paused"),
            ("replicas", "/spec/replicas"),
            ("surge", "/spec/strategy/rollingUpdate/maxSurge"),
            ("unavailable", "/spec/strategy/rollingUpdate/maxUnavailable"),
            ("all", "/status/replicas"),
            ("updated", "/status/updatedReplicas"),
            ("available", "/status/availableReplicas"),
        ],
        "ECSService" => &[
            ("desired", "/spec/desiredCount"),
            ("running", "/status/runningCount"),
            ("pending", "/status/pendingCount"),
            ("on", "/status/taskDefinition"),
        ],
        "ECSServiceDeployment" => &[("state", "/status/status"), ("on", "/spec/taskDefinition")],
        "HorizontalPodAutoscaler" => {
            &[("desired", "/status/desiredReplicas"), ("metrics", "/status/currentMetrics/0/resource/current")]
        }
        _ => &[],
    };
    for (name, pointer) in fields {
        let _ = write!(line, " {name}={}", text(pointer));
    }
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    for condition in conditions.into_iter().flatten() {
        let member = |name: &str| condition.get(name).and_then(Value::as_str).unwrap_or_default();
        if matches!(member("type"), "Ready" | "Stalled" | "Accepted" | "DeploymentStuck" | "ScalingActive") {
            let _ = write!(line, " {}={}/{}", member("type"), member("status"), member("reason"));
        }
    }
    line
}
