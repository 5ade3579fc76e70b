//! What a user sees of tasks whose containers are processes. Run with `cargo xtask test --nodes real`.
//!
//! All scenarios run side by side on one node; each is given a namespace of its own.

// What is not there fails the test, as it should.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod endings;
mod exits;
mod health;
mod kubelet;
mod logs;
mod order;
mod process;
mod secrets;
mod teardown;
mod volumes;
mod web;

use anyhow::Result;
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{self, real_task_definition};
use serde_json::{Value, json};

/// A cluster, a family with these containers and one task of it, under one name.
async fn given_a_task(scenario: &Scenario, name: &str, containers: &[Value]) -> Result<()> {
    given_a_task_with(scenario, name, containers, json!({})).await
}

/// The same with more in the task definition.
async fn given_a_task_with(scenario: &Scenario, name: &str, containers: &[Value], more: Value) -> Result<()> {
    let definition = manifest::with(real_task_definition(name, containers), more);
    scenario.given([manifest::cluster("main", &[]), definition, manifest::service(name, 1)]).await
}

/// A volume of the node that every task of the namespace finds under this name.
fn shared_volume(name: &str) -> Value {
    json!({ "name": name, "dockerVolumeConfiguration": { "scope": "shared", "autoprovision": true } })
}

/// A task that serves the files of a shared volume.
async fn reader(scenario: &Scenario, volume: &str, path: &str) -> Result<Value> {
    let mounts = json!({ "mountPoints": [{ "sourceVolume": volume, "containerPath": path }] });
    let container = manifest::and(manifest::real_container("app", "app", &["serve", "8080"]), mounts);
    given_a_task_with(scenario, "reader", &[container], json!({ "volumes": [shared_volume(volume)] })).await?;
    scenario.then_within(90).a_task_of("reader").await
}
