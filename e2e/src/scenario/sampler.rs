//! Watches the tasks of one service over a whole rollout and checks ECS's bounds at every event.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::json::{find, text};
use super::view::{Objects, View};

/// The pods' label that names their service.
pub const SERVICE: &str = "ecs-operator.dev/service";

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

impl Bounds {
    /// The bounds of ECS for tasks with a health check. With 5 desired tasks, 50 and 125 percent: 3 to 6.
    #[must_use]
    pub fn of(desired: usize, (minimum_percent, maximum_percent): (usize, usize)) -> Self {
        Self {
            at_least: (desired * minimum_percent).div_ceil(100),
            at_most: desired * maximum_percent / 100,
            min_ready_seconds: 0,
        }
    }

    /// What holds while one becomes the other: the fewer of both, and the more of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            at_least: self.at_least.min(other.at_least),
            at_most: self.at_most.max(other.at_most),
            min_ready_seconds: self.min_ready_seconds.max(other.min_ready_seconds),
        }
    }
}

/// When fewer healthy tasks than the lower bound are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lower {
    /// Always.
    Always,
    /// When the operator stopped a healthy one. Tasks that fail by themselves may leave fewer.
    WhenStopped,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The fewest healthy tasks.
    pub fewest_healthy: Option<usize>,
    /// The most RUNNING and PENDING tasks.
    pub most_existing: usize,
    /// The fewest RUNNING and PENDING tasks.
    pub fewest_existing: Option<usize>,
    /// How many looks there were.
    pub looks: usize,
    /// Uids of the tasks that were healthy at the last look.
    healthy: BTreeSet<String>,
    violations: Vec<String>,
}

#[derive(Debug)]
struct State {
    bounds: Bounds,
    seen: Seen,
}

/// A sampler that runs.
#[derive(Clone, Debug)]
pub struct Sampler(Arc<Mutex<State>>);

impl Sampler {
    /// Begins now, and looks after each event.
    #[must_use]
    pub fn start(view: &View, service: &str, bounds: Bounds) -> Self {
        Self::start_with(view, service, bounds, Lower::Always)
    }

    /// The same for tasks that fail by themselves: the lower bound says how many must be left whenever a healthy task is
    /// stopped.
    #[must_use]
    pub fn start_with_failures(view: &View, service: &str, bounds: Bounds) -> Self {
        Self::start_with(view, service, bounds, Lower::WhenStopped)
    }

    fn start_with(view: &View, service: &str, bounds: Bounds, lower: Lower) -> Self {
        let state = Arc::new(Mutex::new(State { bounds, seen: Seen::default() }));
        let (sink, service) = (Arc::clone(&state), service.to_owned());
        view.observe(Box::new(move |objects| {
            let mut state = sink.lock().unwrap_or_else(PoisonError::into_inner);
            let bounds = state.bounds;
            state.seen.look(&tasks(objects, &service), bounds, lower, Timestamp::now());
        }));
        Self(state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other bounds from now on.
    pub fn expect(&self, bounds: Bounds) {
        self.state().bounds = bounds;
    }

    /// What was seen so far.
    ///
    /// # Errors
    /// When a bound was left, with when and how.
    pub fn verdict(&self) -> Result<Seen> {
        let seen = self.state().seen.clone();
        if seen.violations.is_empty() {
            return Ok(seen);
        }
        let shown: Vec<_> = seen.violations.iter().take(10).map(String::as_str).collect();
        bail!("the bounds were left {} times in {} looks:\n{}", seen.violations.len(), seen.looks, shown.join("\n"))
    }
}

impl Seen {
    fn look(&mut self, tasks: &[&Value], bounds: Bounds, lower: Lower, now: Timestamp) {
        let existing: Vec<_> = tasks.iter().filter(|task| exists(task)).collect();
        let is_healthy = |task: &&&&Value| is_healthy(task, bounds.min_ready_seconds, now);
        let uid = |task: &&&Value| text(task, "/metadata/uid").to_owned();
        let healthy: BTreeSet<String> = existing.iter().filter(is_healthy).map(uid).collect();
        self.looks += 1;
        self.most_existing = self.most_existing.max(existing.len());
        self.fewest_existing = Some(self.fewest_existing.map_or(existing.len(), |fewest| fewest.min(existing.len())));
        self.fewest_healthy = Some(self.fewest_healthy.map_or(healthy.len(), |fewest| fewest.min(healthy.len())));
        // A task that is not there any more and was healthy until then was stopped; one that failed is still there.
        let stopped =
            self.healthy.iter().filter(|uid| !existing.iter().any(|task| text(task, "/metadata/uid") == *uid));
        if healthy.len() < bounds.at_least && (lower == Lower::Always || stopped.count() > 0) {
            self.violations.push(format!("{now}: {} healthy, at least {} are needed", healthy.len(), bounds.at_least));
        }
        if existing.len() > bounds.at_most {
            self.violations.push(format!("{now}: {} exist, at most {} may", existing.len(), bounds.at_most));
        }
        self.healthy = healthy;
    }
}

/// The value of the label [`SERVICE`] of a service: its name, or what the selector in its status says.
#[must_use]
pub fn label<'a>(objects: &'a Objects, service: &'a str) -> &'a str {
    let selector = find(objects, "ECSService", service).map(|service| text(service, "/status/selector"));
    selector.and_then(|selector| selector.split_once('=')).map_or(service, |(_, label)| label)
}

/// The pods of a service. A name that no label may have is told by the selector in the service's status.
#[must_use]
pub fn tasks<'a>(objects: &'a Objects, service: &str) -> Vec<&'a Value> {
    let label = label(objects, service);
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
        seen.look(&pods.iter().collect::<Vec<_>>(), bounds, Lower::Always, "2026-01-01T10:00:05Z".parse().unwrap());
        assert_eq!((seen.fewest_healthy, seen.most_existing), (Some(1), 2));
        assert_eq!(seen.violations, ["2026-01-01T10:00:05Z: 1 healthy, at least 2 are needed"]);
    }

    #[test]
    fn when_there_are_too_many_tasks_for_one_look_then_the_bound_is_left() {
        let pods = [pod("Running", "True", false), pod("Pending", "False", false)];
        let bounds = Bounds { at_least: 0, at_most: 1, min_ready_seconds: 0 };
        let mut seen = Seen::default();
        let (one, two): (Vec<_>, Vec<_>) = (pods.iter().take(1).collect(), pods.iter().collect());
        let now = "2026-01-01T10:00:01Z".parse().unwrap();
        seen.look(&one, bounds, Lower::Always, now);
        assert!(seen.violations.is_empty(), "{:?}", seen.violations);
        seen.look(&two, bounds, Lower::Always, now);
        assert_eq!(seen.violations, ["2026-01-01T10:00:01Z: 2 exist, at most 1 may"]);
    }

    #[test]
    fn when_tasks_may_fail_then_only_a_stop_of_a_healthy_one_leaves_the_lower_bound() {
        let named = |ready: &str, uid: &str| {
            let mut pod = pod("Running", ready, false);
            pod["metadata"]["uid"] = uid.into();
            pod
        };
        let bounds = Bounds { at_least: 2, at_most: 2, min_ready_seconds: 0 };
        let now = "2026-01-01T10:00:01Z".parse().unwrap();
        let (a, b) = (named("True", "a"), named("True", "b"));
        let mut seen = Seen::default();
        seen.look(&[&a, &b], bounds, Lower::WhenStopped, now);
        let failed = named("False", "b");
        seen.look(&[&a, &failed], bounds, Lower::WhenStopped, now);
        seen.look(&[&a], bounds, Lower::WhenStopped, now);
        assert!(seen.violations.is_empty(), "{:?}", seen.violations);
        seen.look(&[], bounds, Lower::WhenStopped, now);
        assert_eq!(seen.violations.len(), 1, "{:?}", seen.violations);
    }

    #[test]
    fn when_bounds_are_computed_then_the_lower_is_rounded_up_and_the_upper_down() {
        let bounds = |at_least, at_most| Bounds { at_least, at_most, min_ready_seconds: 0 };
        assert_eq!(Bounds::of(5, (50, 125)), bounds(3, 6));
        assert_eq!(Bounds::of(3, (67, 150)), bounds(3, 4));
        assert_eq!(bounds(3, 6).or(bounds(1, 9)), bounds(1, 9));
        assert_eq!(bounds(3, 6).or(bounds(5, 4)), bounds(3, 6));
    }

    #[test]
    fn when_a_task_is_ready_for_less_than_its_forty_seconds_then_it_is_not_healthy() {
        let pod = pod("Running", "True", false);
        assert!(!is_healthy(&pod, 40, "2026-01-01T10:00:39Z".parse().unwrap()));
        assert!(is_healthy(&pod, 40, "2026-01-01T10:00:40Z".parse().unwrap()));
    }
}
