//! Everything that the API server tells about a namespace, in the order in which it happened.
//!
//! Watches of several kinds arrive side by side, but resource versions of one etcd are one sequence: sorted by them, the
//! events are what was stored, one after the other, without the lag of a cache.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
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

use crate::scenario::kinds::Known;

/// Kinds that are taken down.
const KINDS: [&str; 4] = ["ECSService", "ECSServiceDeployment", "Deployment", "Pod"];

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Event {
    /// Place in the sequence of everything that the cluster stored.
    pub version: u64,
    /// When it arrived, since the beginning.
    pub at: Duration,
    /// Kind.
    pub kind: &'static str,
    /// Name.
    pub name: String,
    /// The object after the change; before it when it was deleted.
    pub object: Value,
    /// Whether it is gone.
    pub is_deleted: bool,
}

/// Something that the history did.
#[derive(Clone, Debug)]
pub struct Deed {
    /// When.
    pub at: Duration,
    /// What, for people.
    pub text: String,
}

#[derive(Default)]
struct Taken {
    events: Vec<Event>,
    deeds: Vec<Deed>,
    /// Uids of tasks that the history deleted or made unhealthy.
    hurt: BTreeSet<String>,
}

/// What was taken down.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// In the order in which they were stored.
    pub events: Vec<Event>,
    /// What the history did.
    pub deeds: Vec<Deed>,
    /// Uids of tasks that the history deleted or made unhealthy.
    pub hurt: BTreeSet<String>,
    /// How often a watch had to begin again and may have missed something.
    pub gaps: usize,
}

/// Takes down until it is dropped.
pub struct Recorder {
    begun: Instant,
    taken: Arc<Mutex<Taken>>,
    gaps: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Recorder {
    /// Begins; returns once everything that is there was listed.
    ///
    /// # Errors
    /// When the API server does not list within half a minute.
    pub async fn start(client: &Client, namespace: &str) -> Result<Self> {
        let mut recorder =
            Self { begun: Instant::now(), taken: Arc::default(), gaps: Arc::default(), tasks: Vec::new() };
        for kind in KINDS {
            let known = Known::find(kind)?;
            let (listed, mut is_listed) = watch::channel(false);
            let (taken, gaps, begun) = (Arc::clone(&recorder.taken), Arc::clone(&recorder.gaps), recorder.begun);
            let api = known.api(client, namespace);
            recorder.tasks.push(tokio::spawn(async move {
                let mut events = watcher(api, watcher::Config::default()).boxed();
                let mut listings = 0;
                while let Some(event) = events.next().await {
                    match event {
                        Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                        Ok(watcher::Event::Init) => {
                            listings += 1;
                            if listings > 1 {
                                gaps.fetch_add(1, Ordering::SeqCst);
                            }
                        }
                        Ok(watcher::Event::InitDone) => {
                            listed.send_replace(true);
                        }
                        Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                            lock(&taken).events.extend(event_of(known.kind, object, begun.elapsed(), false));
                        }
                        Ok(watcher::Event::Delete(object)) => {
                            lock(&taken).events.extend(event_of(known.kind, object, begun.elapsed(), true));
                        }
                    }
                }
            }));
            let limit = Duration::from_secs(30);
            if tokio::time::timeout(limit, is_listed.wait_for(|listed| *listed)).await.is_err() {
                bail!("{kind} could not be listed within {} s", limit.as_secs());
            }
        }
        Ok(recorder)
    }

    /// Takes down what the history does.
    pub fn deed(&self, text: impl Into<String>) {
        let deed = Deed { at: self.begun.elapsed(), text: text.into() };
        lock(&self.taken).deeds.push(deed);
    }

    /// Takes down that what becomes of a task from now on is the doing of the history.
    pub fn hurts(&self, uid: &str) {
        lock(&self.taken).hurt.insert(uid.to_owned());
    }

    /// Ends, and answers with everything that was taken down.
    #[must_use]
    pub fn stop(self) -> Tape {
        for task in &self.tasks {
            task.abort();
        }
        let mut taken = std::mem::take(&mut *lock(&self.taken));
        taken.events.sort_by_key(|event| event.version);
        taken
            .events
            .dedup_by(|one, other| (one.version, &one.name, one.kind) == (other.version, &other.name, other.kind));
        Tape { events: taken.events, deeds: taken.deeds, hurt: taken.hurt, gaps: self.gaps.load(Ordering::SeqCst) }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

fn event_of(kind: &'static str, mut object: DynamicObject, at: Duration, is_deleted: bool) -> Option<Event> {
    object.metadata.managed_fields = None;
    let version = object.metadata.resource_version.as_deref()?.parse().ok()?;
    let name = object.metadata.name.clone()?;
    Some(Event { version, at, kind, name, object: serde_json::to_value(object).ok()?, is_deleted })
}
