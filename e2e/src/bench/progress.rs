//! When everything is there: told by watches, in the same words whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::StreamExt as _;
use kube::core::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::scenario::kinds::Known;

/// Whether a status says that all is done.
type IsDone = fn(&Value) -> bool;

/// What is waited for, per kind.
const KINDS: [(&str, IsDone); 3] = [
    ("ECSService", |status| {
        status.pointer("/deployments/0/rolloutState").and_then(Value::as_str) == Some("COMPLETED") && is_ready(status)
    }),
    ("ECSScalableTarget", is_ready),
    // How far the Deployment controller is: the operator has to wait for it, the raw client does not.
    ("Deployment", |status| status.get("observedGeneration").is_some()),
];

fn is_ready(status: &Value) -> bool {
    let conditions = status.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is = |condition: &Value, name: &str, value: &str| condition.get(name).and_then(Value::as_str) == Some(value);
    conditions.iter().any(|condition| is(condition, "type", "Ready") && is(condition, "status", "True"))
}

#[derive(Default)]
struct State {
    done: BTreeMap<&'static str, BTreeSet<String>>,
    /// When the last object of a kind was done.
    last: BTreeMap<&'static str, Instant>,
}

/// Watches a namespace until everything is done.
pub(super) struct Progress {
    state: Arc<Mutex<State>>,
    changes: watch::Receiver<()>,
    _tasks: JoinSet<()>,
}

/// When the last service, target and Deployment was done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Services and targets.
    pub(super) all: Duration,
    /// The Deployment controller saw every Deployment.
    pub(super) deployments: Duration,
}

impl Progress {
    pub(super) fn watch(client: &Client, namespace: &str) -> Result<Self> {
        let state: Arc<Mutex<State>> = Arc::default();
        let (sender, changes) = watch::channel(());
        let mut tasks = JoinSet::new();
        for (kind, is_done) in KINDS {
            let api = Known::find(kind)?.api(client, namespace);
            let (state, sender) = (Arc::clone(&state), sender.clone());
            tasks.spawn(async move {
                let mut objects = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
                while let Some(object) = objects.next().await {
                    // The watcher tries again by itself.
                    let Ok(object) = object else { continue };
                    if object.data.get("status").is_some_and(is_done) {
                        lock(&state).note(kind, &object);
                        sender.send_replace(());
                    }
                }
            });
        }
        Ok(Self { state, changes, _tasks: tasks })
    }

    /// Waits until `count` services, targets and Deployments are done.
    pub(super) async fn wait(&mut self, count: usize, begun: Instant, limit: Duration) -> Result<Times> {
        let deadline = tokio::time::Instant::from_std(begun + limit);
        loop {
            self.changes.mark_unchanged();
            let counts = self.counts();
            if counts.values().all(|&done| done >= count) {
                break;
            }
            if tokio::time::timeout_at(deadline, self.changes.changed()).await.is_err() {
                bail!("after {} s only {counts:?} of {count} are done", limit.as_secs());
            }
        }
        let state = lock(&self.state);
        let time = |kind: &str| state.last.get(kind).map_or(Duration::ZERO, |last| last.duration_since(begun));
        Ok(Times { all: time("ECSService").max(time("ECSScalableTarget")), deployments: time("Deployment") })
    }

    fn counts(&self) -> BTreeMap<&'static str, usize> {
        let state = lock(&self.state);
        KINDS.iter().map(|(kind, _)| (*kind, state.done.get(kind).map_or(0, BTreeSet::len))).collect()
    }
}

impl State {
    fn note(&mut self, kind: &'static str, object: &DynamicObject) {
        if self.done.entry(kind).or_default().insert(object.name_any()) {
            self.last.insert(kind, Instant::now());
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_a_service_is_ready_but_rolls_then_it_is_not_done() {
        let is_done = KINDS[0].1;
        let status = |state: &str, ready: &str| json!({"deployments": [{"rolloutState": state}], "conditions": [{"type": "Ready", "status": ready}]});
        assert!(is_done(&status("COMPLETED", "True")));
        assert!(!is_done(&status("COMPLETED", "False")));
        assert!(!is_done(&status("IN_PROGRESS", "True")));
        assert!(!is_done(&json!({})));
    }
}
