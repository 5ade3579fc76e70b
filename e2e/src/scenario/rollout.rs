//! A service `web` in the middle of a rollout: how scenarios bring it there, and what they count.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::json::text;
use super::manifest::{self, percents, with};
use super::records::workloads;
use super::sampler::{exists, tasks};
use super::{Bounds, HELD, Objects, Sampler, Scenario, revision};
use crate::cluster::fate;

/// The family `web`.
#[must_use]
pub fn web() -> Value {
    manifest::task_definition("web")
}

/// A revision whose tasks wait until the scenario lets them run.
#[must_use]
pub fn held(definition: Value) -> Value {
    with(definition, manifest::fate(fate::START_DELAY, HELD))
}

/// A steady service `web` on `web:1`, and a sampler of its bounds.
///
/// # Errors
/// When the service does not become steady.
pub async fn given_web(scenario: &Scenario, desired: usize, percentages: (usize, usize)) -> Result<Sampler> {
    given_web_with(scenario, desired, percentages, json!({})).await
}

/// The same with more in the spec of the service.
///
/// # Errors
/// When the service does not become steady.
pub async fn given_web_with(
    scenario: &Scenario,
    desired: usize,
    percentages: (usize, usize),
    more: Value,
) -> Result<Sampler> {
    let (minimum, maximum) = (i64::try_from(percentages.0)?, i64::try_from(percentages.1)?);
    let service = with(manifest::service("web", i64::try_from(desired)?), percents(minimum, maximum));
    let service = with(service, more);
    scenario.given([manifest::cluster("main", &[]), web(), service]).await?;
    scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
    Ok(scenario.sample("web", Bounds::of(desired, percentages)))
}

/// How many tasks of a revision are RUNNING or PENDING.
#[must_use]
pub fn count(objects: &Objects, wanted: &str) -> usize {
    tasks(objects, "web").into_iter().filter(|pod| exists(pod) && revision(pod) == wanted).count()
}

/// Expects so many tasks of a revision.
///
/// # Errors
/// When it is otherwise when the time is over.
pub async fn has(scenario: &Scenario, wanted: &str, tasks: usize) -> Result<()> {
    scenario
        .then_within(30)
        .until(&format!("there are {tasks} tasks of {wanted}"), |objects| {
            let is = count(objects, wanted);
            if is == tasks { Ok(()) } else { Err(format!("there are {is}")) }
        })
        .await
}

/// What a container that cannot be started says.
pub const NO_START: (&str, &str) = (fate::START_ERROR, "exec: \"serve\": executable file not found in $PATH");

/// A revision whose tasks cannot be started.
#[must_use]
pub fn broken(definition: Value) -> Value {
    with(definition, manifest::fate(NO_START.0, NO_START.1))
}

/// The uids of all tasks of a revision that the watches show, also of those that are ending.
fn uids(objects: &Objects, service: &str, of_revision: &str) -> Vec<String> {
    let pods = tasks(objects, service).into_iter().filter(|pod| revision(pod) == of_revision);
    pods.map(|pod| text(pod, "/metadata/uid").to_owned()).collect()
}

/// Expects that no task of a revision is started for some seconds.
///
/// # Errors
/// When it is otherwise when the time is over.
pub async fn launches_none(scenario: &Scenario, service: &str, of_revision: &str, seconds: u64) -> Result<()> {
    // What was asked for before the last failure may still be on its way.
    let count = |deployment: &Value, pointer: &str| deployment.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    scenario
        .then_within(30)
        .until(&format!("{service} has the tasks that were asked for"), |objects| {
            let waiting = workloads(objects, service).into_iter().find(|one| {
                count(one, "/metadata/generation") != count(one, "/status/observedGeneration")
                    || count(one, "/spec/replicas") != count(one, "/status/replicas")
            });
            let there: u64 = workloads(objects, service).into_iter().map(|one| count(one, "/status/replicas")).sum();
            let seen = tasks(objects, service).into_iter().filter(|pod| exists(pod)).count() as u64;
            match waiting {
                None if there == seen => Ok(()),
                None => Err(format!("{seen} of {there} tasks are seen")),
                Some(one) => Err(format!("Deployment {} is on its way", text(one, "/metadata/name"))),
            }
        })
        .await?;
    let before = scenario.view().read(|objects| uids(objects, service, of_revision));
    let what = format!("service {service} launches no task of {of_revision}");
    let window = Duration::from_secs(seconds);
    scenario
        .view()
        .stays(&what, window, |objects| {
            let new: Vec<_> =
                uids(objects, service, of_revision).into_iter().filter(|uid| !before.contains(uid)).collect();
            if new.is_empty() { Ok(()) } else { Err(format!("it launched {new:?}")) }
        })
        .await
}
