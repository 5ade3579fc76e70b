//! What is printed when a scenario fails: what happened, the objects, the events, and what the operator said.

use std::fs;
use std::path::Path;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use super::Scenario;
use super::json::text;
use super::kinds::Known;
use super::task;
use crate::operator::NAMESPACE;

/// Pods whose logs are shown.
const MOST_PODS: usize = 6;
/// Log lines of the operator or a container that are shown.
const MOST_LOG_LINES: usize = 60;
/// Objects that are shown: a scenario with hundreds is about none in particular.
const MOST_OBJECTS: usize = 40;
/// Lines of history that are shown.
const MOST_HISTORY_LINES: usize = 150;

impl Scenario {
    /// Prints everything that helps to see why the scenario failed.
    pub(super) async fn print_report(&self) {
        println!("──── namespace {}: what happened", self.namespace());
        let history = self.view().history();
        let start = history.len().saturating_sub(MOST_HISTORY_LINES);
        for line in history.get(start..).unwrap_or_default() {
            println!("{line}");
        }
        println!("──── objects (without pods; at most {MOST_OBJECTS})");
        let objects = self.view().read(Clone::clone).into_iter().filter(|((kind, _), _)| *kind != "Pod");
        for (_, object) in objects.take(MOST_OBJECTS) {
            println!("---\n{}", yaml(object));
        }
        println!("──── events");
        self.print_events().await;
        for pod in self.objects("Pod").iter().take(MOST_PODS) {
            println!("──── pod {}", task::describe(pod));
            self.print_containers(pod).await;
        }
        if self.environment.logs.is_empty() {
            self.print_operator_pods().await;
        }
        for log in &self.environment.logs {
            println!("──── {} about this namespace", log.display());
            print_log(log, self.namespace());
        }
        println!("──── end of namespace {}", self.namespace());
    }

    /// What the containers wrote, where there are any: on real nodes.
    async fn print_containers(&self, pod: &Value) {
        for status in task::statuses(pod) {
            let container = text(status, "/name");
            if let Ok(log) = self.log(task::name(pod), container).await {
                println!("──── {} {container}", task::name(pod));
                print_last(log.lines());
            }
        }
    }

    /// What an operator that runs in the cluster said about this namespace.
    async fn print_operator_pods(&self) {
        let pods: Api<Pod> = Api::namespaced(self.client().clone(), NAMESPACE);
        for pod in pods.list(&ListParams::default()).await.into_iter().flatten() {
            let name = pod.name_any();
            if let Ok(log) = pods.logs(&name, &LogParams::default()).await {
                println!("──── {name} about this namespace");
                print_last(log.lines().filter(|line| line.contains(self.namespace())));
            }
        }
    }

    async fn print_events(&self) {
        let Ok(known) = Known::find("Event") else { return };
        match known.api(self.client(), self.namespace()).list(&ListParams::default()).await {
            Err(error) => println!("cannot be listed: {error}"),
            Ok(events) => {
                for event in events.into_iter().take(MOST_HISTORY_LINES) {
                    let regarding = |name: &str| text(&event.data, &format!("/regarding/{name}")).to_owned();
                    let (reason, note) = (text(&event.data, "/reason"), text(&event.data, "/note"));
                    println!("{} {}: {reason}: {note}", regarding("kind"), regarding("name"));
                }
            }
        }
    }
}

/// Without what nobody reads.
fn yaml(mut object: Value) -> String {
    if let Some(map) = object.as_object_mut() {
        map.remove("managedFields");
    }
    if let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    serde_saphyr::to_string(&object).unwrap_or_else(|_| object.to_string())
}

/// The log has one JSON object per line, with the namespace as `ns`.
fn print_log(log: &Path, namespace: &str) {
    let text = match fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return println!("cannot be read: {error}"),
    };
    print_last(text.lines().filter(|line| line.contains(namespace)));
}

fn print_last<'a>(lines: impl Iterator<Item = &'a str>) {
    let lines: Vec<_> = lines.collect();
    for line in lines.iter().skip(lines.len().saturating_sub(MOST_LOG_LINES)) {
        println!("{line}");
    }
}
