//! What a user sees of tasks whose containers are processes. Run with `cargo xtask test --nodes real`.
//!
//! All scenarios run side by side on one node; each is given a namespace of its own.

// What is not there fails the test, as it should.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod exits;
mod process;

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
