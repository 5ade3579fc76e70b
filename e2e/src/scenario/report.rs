//! What is printed when a scenario fails: what happened, the objects, the events, and what the operator said.

use std::fs;
use std::path::Path;

use kube::api::ListParams;
use serde_json::Value;

use super::Scenario;
use super::kinds::Known;
use super::then::text;

/// Log lines of the operator that are shown.
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
        for log in &self.environment.logs {
            println!("──── {} about this namespace", log.display());
            print_log(log, self.namespace());
        }
        println!("──── end of namespace {}", self.namespace());
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
    let lines: Vec<_> = text.lines().filter(|line| line.contains(namespace)).collect();
    for line in lines.iter().skip(lines.len().saturating_sub(MOST_LOG_LINES)) {
        println!("{line}");
    }
}
