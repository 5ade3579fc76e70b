//! Watches the tasks of one service over a whole rollout and checks ECS's bounds at every event.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::then::{find, text};
use super::view::{Objects, View};

/// The pods' label that names their service.
pub const SERVICE: &str = "ecs-operator.dev/service";

/// For how long there may be more tasks than the upper bound.
///
/// Kubernetes' Deployment controller adds up the sizes it gave its ReplicaSets, not pods. With 13 at most, it takes the old
/// ReplicaSet from 5 to 4 and the new one from 8 to 9 in one go; when the new pod is made before the old one is asked to
/// stop, 14 are seen for some hundredths of a second. Too many that were really asked for stay for as long as they start.
const OVERLAP: SignedDuration = SignedDuration::from_secs(1);

/// What may never be left while the sampler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `ceil(desired * minimumHealthyPercent / 100)`: healthy tasks, never fewer.
    pub at_least: usize,
    /// `floor(desired * maximumPercent / 100)`: RUNNING and PENDING tasks, never more.
    pub at_most: usize,
    /// For how long a task must have been ready to count as healthy: 40 without a health check, else 0.
    pub min_ready_seconds: i64,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The fewest healthy tasks.
    pub fewest_healthy: Option<usize>,
    /// The most RUNNING and PENDING tasks.
    pub most_existing: usize,
    /// How many looks there were.
    pub looks: usize,
    over_since: Option<Timestamp>,
    violations: Vec<String>,
}

/// A sampler that runs.
#[derive(Clone, Debug)]
pub struct Sampler(Arc<Mutex<Seen>>);

impl Sampler {
    /// Begins with the next event.
    #[must_use]
    pub fn start(view: &View, service: &str, bounds: Bounds) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (sink, service) = (Arc::clone(&seen), service.to_owned());
        view.observe(Box::new(move |objects| {
            let mut seen = sink.lock().unwrap_or_else(PoisonError::into_inner);
            seen.look(&tasks(objects, &service), bounds, Timestamp::now());
        }));
        Self(seen)
    }

    /// What was seen so far.
    ///
    /// # Errors
    /// When a bound was left, with when and how.
    pub fn verdict(&self) -> Result<Seen> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if seen.violations.is_empty() {
            return Ok(seen);
        }
        let shown: Vec<_> = seen.violations.iter().take(10).map(String::as_str).collect();
        bail!("the bounds were left {} times in {} looks:\n{}", seen.violations.len(), seen.looks, shown.join("\n"))
    }
}

impl Seen {
    fn look(&mut self, tasks: &[&Value], bounds: Bounds, now: Timestamp) {
        let existing: Vec<_> = tasks.iter().filter(|task| exists(task)).collect();
        let healthy = existing.iter().filter(|task| is_healthy(task, bounds.min_ready_seconds, now)).count();
        self.looks += 1;
        self.most_existing = self.most_existing.max(existing.len());
        self.fewest_healthy = Some(self.fewest_healthy.map_or(healthy, |fewest| fewest.min(healthy)));
        if healthy < bounds.at_least {
            self.violations.push(format!("{now}: {healthy} healthy, at least {} are needed", bounds.at_least));
        }
        if existing.len() <= bounds.at_most {
            self.over_since = None;
        } else if now.duration_since(*self.over_since.get_or_insert(now)) > OVERLAP {
            self.violations.push(format!("{now}: {} exist, at most {} may", existing.len(), bounds.at_most));
        }
    }
}

/// The pods of a service. A name that no label may have is told by the selector in the service's status.
#[must_use]
pub fn tasks<'a>(objects: &'a Objects, service: &str) -> Vec<&'a Value> {
    let selector = find(objects, "ECSService", service).map(|service| text(service, "/status/selector"));
    let label = selector.and_then(|selector| selector.split_once('=')).map_or(service, |(_, label)| label);
    objects
        .iter()
        .filter(|((kind, _), _)| *kind == "Pod")
        .map(|(_, pod)| pod)
        .filter(|pod| pod.pointer("/metadata/labels").and_then(|labels| labels.get(SERVICE)) == Some(&label.into()))
        .collect()
}

/// RUNNING or PENDING and not asked to stop.
#[must_use]
pub fn exists(pod: &Value) -> bool {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or("Pending");
    pod.pointer("/metadata/deletionTimestamp").is_none() && matches!(phase, "Pending" | "Running")
}

/// Ready for at least that long.
///
/// Ready since 10:00:00 and looked at 10:00:39 is not healthy with 40 seconds; at 10:00:40 it is.
#[must_use]
pub fn is_healthy(pod: &Value, min_ready_seconds: i64, now: Timestamp) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|condition| condition.get("type") == Some(&"Ready".into()));
    let Some(ready) = ready.filter(|ready| ready.get("status") == Some(&"True".into())) else { return false };
    let since = ready.get("lastTransitionTime").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    min_ready_seconds == 0 || since.is_some_and(|since| now.duration_since(since).as_secs() >= min_ready_seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(phase: &str, ready: &str, deleting: bool) -> Value {
        let mut pod = json!({"metadata": {}, "status": {"phase": phase, "conditions": [
            {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T10:00:00Z"}]}});
        if deleting {
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T10:00:00Z".into();
        }
        pod
    }

    #[test]
    fn when_a_task_is_being_stopped_then_it_neither_exists_nor_is_healthy() {
        let pods = [pod("Running", "True", false), pod("Pending", "False", false), pod("Running", "True", true)];
        let mut seen = Seen::default();
        let bounds = Bounds { at_least: 2, at_most: 2, min_ready_seconds: 0 };
        seen.look(&pods.iter().collect::<Vec<_>>(), bounds, "2026-01-01T10:00:05Z".parse().unwrap());
        assert_eq!((seen.fewest_healthy, seen.most_existing), (Some(1), 2));
        assert_eq!(seen.violations, ["2026-01-01T10:00:05Z: 1 healthy, at least 2 are needed"]);
    }

    #[test]
    fn when_there_are_too_many_tasks_for_more_than_a_second_then_the_bound_is_left() {
        let pods = [pod("Running", "True", false), pod("Running", "True", false)];
        let (one, two): (Vec<_>, Vec<_>) = (pods.iter().take(1).collect(), pods.iter().collect());
        let bounds = Bounds { at_least: 0, at_most: 1, min_ready_seconds: 0 };
        let at = |second: &str| format!("2026-01-01T10:00:{second}Z").parse().unwrap();
        let mut seen = Seen::default();
        for (tasks, second) in [(&two, "01.0"), (&two, "01.9"), (&one, "02.5"), (&two, "03.0"), (&two, "04.0")] {
            seen.look(tasks, bounds, at(second));
        }
        assert!(seen.violations.is_empty(), "{:?}", seen.violations);
        seen.look(&two, bounds, at("04.1"));
        assert_eq!(seen.violations.len(), 1, "{:?}", seen.violations);
    }

    #[test]
    fn when_a_task_is_ready_for_less_than_its_forty_seconds_then_it_is_not_healthy() {
        let pod = pod("Running", "True", false);
        assert!(!is_healthy(&pod, 40, "2026-01-01T10:00:39Z".parse().unwrap()));
        assert!(is_healthy(&pod, 40, "2026-01-01T10:00:40Z".parse().unwrap()));
    }
}
