//! What a scenario expects, and within which time. Each expectation says what is the case instead when it fails.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::condition::Expected;
use super::json::{condition, conditions, find, text};
use super::sampler::{exists, tasks};
use super::view::Objects;
use super::{Scenario, kinds};

/// Expectations with a limit.
#[derive(Clone, Copy)]
pub struct Then<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) limit: Duration,
}

/// Expectations about one service.
#[derive(Clone, Copy)]
pub struct ServiceThen<'a> {
    then: Then<'a>,
    name: &'a str,
}

impl Scenario {
    /// Expectations that must be met within so many seconds.
    #[must_use]
    pub fn then_within(&self, seconds: u64) -> Then<'_> {
        Then { scenario: self, limit: Duration::from_secs(seconds) }
    }

    /// An object as the watches show it now.
    #[must_use]
    pub fn object(&self, kind: &str, name: &str) -> Option<Value> {
        self.view.read(|objects| find(objects, kind, name).cloned())
    }

    /// The names of the pods of a service that are RUNNING or PENDING and were not asked to stop, with their uids.
    #[must_use]
    pub fn task_uids(&self, service: &str) -> Vec<String> {
        self.view.read(|objects| {
            let pods = tasks(objects, service).into_iter().filter(|pod| exists(pod));
            pods.map(|pod| text(pod, "/metadata/uid").to_owned()).collect()
        })
    }

    /// All objects of a kind, by name.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        self.view.read(|objects| {
            objects.iter().filter(|((other, _), _)| *other == kind).map(|(_, object)| object.clone()).collect()
        })
    }
}

impl<'a> Then<'a> {
    /// Expectations about a service.
    #[must_use]
    pub fn the_service(self, name: &'a str) -> ServiceThen<'a> {
        ServiceThen { then: self, name }
    }

    /// Waits until `look` finds what it looks for.
    ///
    /// # Errors
    /// When it does not in time, with what it said instead.
    pub async fn until<T>(self, what: &str, look: impl FnMut(&Objects) -> Result<T, String>) -> Result<T> {
        self.scenario.view.until(what, self.limit, look).await
    }

    /// Expects an object and answers with it as soon as `is_so`.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn object(
        self,
        kind: &str,
        name: &str,
        what: &str,
        mut is_so: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        self.until(&format!("{kind} {name} {what}"), |objects| {
            let object = find(objects, kind, name).ok_or("there is no such object")?;
            if is_so(object) { Ok(object.clone()) } else { Err("it is otherwise".to_owned()) }
        })
        .await
    }

    /// Expects a condition with status and reason, judged on the object's current generation; answers with its message.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn condition(self, kind: &str, name: &str, expected: Expected) -> Result<String> {
        self.condition_saying(kind, name, expected, "").await
    }

    /// The same of one whose message holds a text.
    async fn condition_saying(self, kind: &str, name: &str, expected: Expected, wanted: &str) -> Result<String> {
        let Expected { type_, status, reason } = expected;
        self.until(&format!("{kind} {name} has {expected} {wanted}"), |objects| {
            let object = find(objects, kind, name).ok_or("there is no such object")?;
            let condition =
                condition(object, type_.as_str()).ok_or_else(|| format!("it has {}", conditions(object)))?;
            let is = (text(condition, "/status"), text(condition, "/reason"));
            let is_current = condition.pointer("/observedGeneration") == object.pointer("/metadata/generation");
            if is == (status, reason.as_str()) && is_current && text(condition, "/message").contains(wanted) {
                Ok(text(condition, "/message").to_owned())
            } else {
                Err(format!("it has {}", conditions(object)))
            }
        })
        .await
    }

    /// Expects that an object is gone.
    ///
    /// # Errors
    /// When it is still there when the time is over.
    pub async fn is_gone(self, kind: &str, name: &str) -> Result<()> {
        self.until(&format!("{kind} {name} is gone"), |objects| match find(objects, kind, name) {
            None => Ok(()),
            Some(object) => Err(format!("it has {}", conditions(object))),
        })
        .await
    }

    /// Expects that nothing of what the operator makes is left in the namespace.
    ///
    /// # Errors
    /// With what is left.
    pub async fn nothing_is_left(self) -> Result<()> {
        self.until("nothing is left in the namespace", |objects| {
            let left: Vec<_> = objects
                .keys()
                .filter(|(kind, name)| {
                    (kinds::CHILDREN.contains(kind) && (*kind, name.as_str()) != ("ServiceAccount", "default"))
                        || kind.starts_with("ECS")
                })
                .filter(|(kind, _)| *kind != "ECSCapacityProvider")
                .map(|(kind, name)| format!("{kind} {name}"))
                .collect();
            if left.is_empty() { Ok(()) } else { Err(format!("there are {}", left.join(", "))) }
        })
        .await
    }
}

impl<'a> ServiceThen<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn then(&self) -> Then<'a> {
        self.then
    }

    /// Expects a steady state as ECS means it: as many tasks run as desired, one deployment, completed; the status is about
    /// the current generation.
    ///
    /// # Errors
    /// When it does not get there in time.
    pub async fn is_steady(self) -> Result<()> {
        self.then.until(&format!("service {} is steady", self.name), |objects| self.steady(objects)).await
    }

    /// Expects a steady state with tasks of this revision, `family:N`.
    ///
    /// # Errors
    /// When it does not get there in time.
    pub async fn is_steady_on(self, revision: &str) -> Result<()> {
        self.then
            .until(&format!("service {} is steady on {revision}", self.name), |objects| {
                self.steady(objects)?;
                let service = self.find(objects)?;
                let is = text(service, "/status/taskDefinition");
                if is == revision { Ok(()) } else { Err(format!("it is steady on {is}")) }
            })
            .await
    }

    /// Expects a steady state with tasks of this revision after a deployment that was given up: nothing is left to do, and
    /// the service says what happened.
    ///
    /// # Errors
    /// When it does not get there in time.
    pub async fn is_back_on(self, revision: &str) -> Result<()> {
        self.then
            .until(&format!("service {} is back on {revision}", self.name), |objects| {
                self.settled(objects, "False", Some("DeploymentFailed"))?;
                let is = text(self.find(objects)?, "/status/taskDefinition");
                if is == revision { Ok(()) } else { Err(format!("it is steady on {is}")) }
            })
            .await
    }

    fn find<'o>(&self, objects: &'o Objects) -> Result<&'o Value, String> {
        find(objects, "ECSService", self.name).ok_or_else(|| "there is no such service".to_owned())
    }

    fn steady(&self, objects: &Objects) -> Result<(), String> {
        self.settled(objects, "True", None)
    }

    /// Everything runs as it should, and `Ready` has this status and, where it matters, this reason.
    fn settled(&self, objects: &Objects, status: &str, reason: Option<&str>) -> Result<(), String> {
        let service = self.find(objects)?;
        let is = |pointer: &str| service.pointer(pointer).and_then(Value::as_i64);
        // A DAEMON service has as many tasks as there are nodes for it.
        let desired = is("/spec/desiredCount").or_else(|| is("/status/desiredCount"));
        let deployments = service.pointer("/status/deployments").and_then(Value::as_array).map_or(0, Vec::len);
        let is_so = |ready: &Value| {
            text(ready, "/status") == status && reason.is_none_or(|reason| text(ready, "/reason") == reason)
        };
        // The watch of the pods may be behind the watch of the service.
        let existing = tasks(objects, self.name).into_iter().filter(|pod| exists(pod)).count();
        let facts = [
            desired == i64::try_from(existing).ok(),
            is("/status/observedGeneration") == is("/metadata/generation"),
            is("/status/runningCount") == desired,
            is("/status/pendingCount") == Some(0),
            deployments == 1,
            text(service, "/status/deployments/0/rolloutState") == "COMPLETED",
            condition(service, "Ready").is_some_and(is_so),
        ];
        if facts.iter().all(|fact| *fact) {
            return Ok(());
        }
        Err(format!(
            "desired {desired:?}, {existing} pods, running {:?}, pending {:?}, {deployments} deployments, {}",
            is("/status/runningCount"),
            is("/status/pendingCount"),
            conditions(service)
        ))
    }

    /// Expects a condition, judged on the current generation; answers with its message.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn has(self, expected: Expected) -> Result<String> {
        self.then.condition("ECSService", self.name, expected).await
    }

    /// Expects a condition whose message holds a text, and answers with the whole message. With the same reason it may have said
    /// something else before.
    ///
    /// # Errors
    /// When it is otherwise when the time is over.
    pub async fn says(self, expected: Expected, wanted: &str) -> Result<String> {
        self.then.condition_saying("ECSService", self.name, expected, wanted).await
    }

    /// Expects an event that holds a text.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn tells(self, wanted: &str) -> Result<()> {
        self.then
            .until(&format!("service {} tells `{wanted}`", self.name), |objects| {
                let events = self.find(objects)?.pointer("/status/events").and_then(Value::as_array);
                let texts: Vec<_> = events.into_iter().flatten().map(|event| text(event, "/message")).collect();
                if texts.iter().any(|text| text.contains(wanted)) { Ok(()) } else { Err(format!("it tells {texts:?}")) }
            })
            .await
    }

    /// Expects a record of a stopped task, and answers with the newest.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn has_stopped_a_task(self) -> Result<Value> {
        self.then
            .until(&format!("service {} has stopped a task", self.name), |objects| {
                let service = self.find(objects)?;
                let newest = service.pointer("/status/stoppedTasks/0").cloned();
                newest.ok_or_else(|| format!("it has {}", conditions(service)))
            })
            .await
    }

    /// Expects that this many tasks are RUNNING or PENDING.
    ///
    /// # Errors
    /// When there are more or fewer when the time is over.
    pub async fn has_tasks(self, count: usize) -> Result<()> {
        self.then
            .until(&format!("service {} has {count} tasks", self.name), |objects| {
                let is = tasks(objects, self.name).into_iter().filter(|pod| exists(pod)).count();
                if is == count { Ok(()) } else { Err(format!("it has {is}")) }
            })
            .await
    }
}
