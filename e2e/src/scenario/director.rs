//! Deals out the fates of a service's tasks one by one: the first three cannot be started, all others run.
//!
//! A pod's template gives every task of a revision the same fate. With [`HELD`] they wait, and a [`Director`] decides for each
//! one, in the order in which they were made.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::Scenario;
use super::json::text;
use super::sampler::{exists, tasks};
use super::then::Then;
use super::view::Objects;
use crate::cluster::fate;

/// A start delay that does not end by itself, for [`fate::START_DELAY`].
pub const HELD: &str = "86400s";

/// Patches at a time.
const CONCURRENCY: usize = 16;

/// A task whose fate is to be decided.
#[derive(Clone, Debug)]
pub struct Dealt {
    /// How many there were before it.
    pub index: usize,
    /// Its task definition, `family:N`, as its labels tell it.
    pub revision: String,
}

/// Decides until it is dropped.
#[derive(Debug)]
pub struct Director {
    task: JoinHandle<()>,
    failed: Arc<AtomicUsize>,
}

impl Director {
    /// How many tasks were given a fate so far.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failed.load(Ordering::SeqCst)
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scenario {
    /// Decides about every held task of a service: `None` lets it run, an annotation with its value is its fate.
    ///
    /// # Errors
    /// When pods are not in the table of kinds.
    pub fn direct(
        &self,
        service: &str,
        mut decide: impl FnMut(&Dealt) -> Option<(&'static str, &'static str)> + Send + 'static,
    ) -> Result<Director> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (name, seen) = (service.to_owned(), Mutex::new(BTreeSet::new()));
        self.view().observe(Box::new(move |objects| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let mut new: Vec<&Value> = tasks(objects, &name)
                .into_iter()
                .filter(|pod| exists(pod) && is_held(pod) && seen.insert(text(pod, "/metadata/uid").to_owned()))
                .collect();
            new.sort_by_key(|pod| (text(pod, "/metadata/creationTimestamp"), text(pod, "/metadata/name")));
            for pod in new {
                let _ = sender.send((text(pod, "/metadata/name").to_owned(), revision(pod)));
            }
        }));
        let pods = self.api("Pod")?;
        let failed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&failed);
        let task = tokio::spawn(async move {
            let mut patches = JoinSet::new();
            let mut index = 0;
            while let Some((name, revision)) = receiver.recv().await {
                let fate = decide(&Dealt { index, revision });
                index += 1;
                if fate.is_some() {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                while patches.len() >= CONCURRENCY {
                    patches.join_next().await;
                }
                let pods = pods.clone();
                patches.spawn(async move { release(&pods, &name, fate).await });
            }
        });
        Ok(Director { task, failed })
    }
}

impl Then<'_> {
    /// Waits for a held task of a revision and decides its fate: the oldest there is. Answers with its uid.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn next_task(
        self,
        service: &str,
        of_revision: &str,
        fate: Option<(&'static str, &'static str)>,
    ) -> Result<String> {
        let (name, uid) = self
            .until(&format!("service {service} has a held task of {of_revision}"), |objects| {
                let pods = tasks(objects, service).into_iter();
                let oldest = pods
                    .filter(|pod| exists(pod) && is_held(pod) && revision(pod) == of_revision)
                    .min_by_key(|pod| (text(pod, "/metadata/creationTimestamp"), text(pod, "/metadata/name")));
                let names =
                    |pod: &Value| (text(pod, "/metadata/name").to_owned(), text(pod, "/metadata/uid").to_owned());
                oldest.map(names).ok_or_else(|| format!("its tasks are {}", describe(objects, service)))
            })
            .await?;
        release(&self.scenario.api("Pod")?, &name, fate).await;
        self.until(&format!("task {name} is released"), |objects| {
            let pods = tasks(objects, service).into_iter();
            let is_waiting = pods.filter(|pod| is_held(pod)).any(|pod| text(pod, "/metadata/uid") == uid);
            if is_waiting { Err("it is still held".to_owned()) } else { Ok(()) }
        })
        .await?;
        Ok(uid)
    }
}

/// `web-1 web:2 Pending, web-2 web:1 Running`
fn describe(objects: &Objects, service: &str) -> String {
    let pods = tasks(objects, service).into_iter().filter(|pod| exists(pod));
    let lines =
        pods.map(|pod| format!("{} {} {}", text(pod, "/metadata/name"), revision(pod), text(pod, "/status/phase")));
    lines.collect::<Vec<_>>().join(", ")
}

/// A task that is gone already needs no fate any more; anything else shows in what the scenario waits for.
async fn release(pods: &Api<DynamicObject>, name: &str, fate: Option<(&'static str, &'static str)>) {
    let mut annotations = json!({ fate::START_DELAY: null });
    if let (Some((annotation, value)), Some(map)) = (fate, annotations.as_object_mut()) {
        map.insert(annotation.to_owned(), value.into());
    }
    let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
    let _ = pods.patch(name, &PatchParams::default(), &patch).await;
}

fn is_held(pod: &Value) -> bool {
    pod.pointer("/metadata/annotations").and_then(|map| map.get(fate::START_DELAY)?.as_str()) == Some(HELD)
}

/// The task definition of a task, `family:N`.
#[must_use]
pub fn revision(pod: &Value) -> String {
    let label = |name: &str| pod.pointer("/metadata/labels").and_then(|labels| labels.get(name)?.as_str());
    let (family, number) = (label(plan::core::labels::FAMILY), label(plan::core::labels::REVISION));
    format!("{}:{}", family.unwrap_or_default(), number.unwrap_or_default())
}
