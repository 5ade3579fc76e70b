//! What there is at each moment of a tape: the service as it was last written, its tasks, its deployments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::recorder::Event;
use super::rules::{Breaker, Percentages, ThresholdType};
use crate::scenario::json::text;

/// How long what somebody does may take until everybody has heard of it: the operator, the controllers of Kubernetes, the
/// watches of a machine that is busy.
pub const LAG: Duration = Duration::from_secs(6);

/// Why a task failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A container of it cannot be started.
    CannotStart,
    /// It ended before it was ever healthy.
    EndedEarly,
    /// It ended after it was healthy: whether that counts is a matter of how long it was.
    EndedLater,
    /// It is not healthy any more, or not yet.
    Unhealthy,
}

/// One task.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a task")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Of its pod.
    pub uid: String,
    /// Of its pod.
    pub name: String,
    /// 19 digits.
    pub deployment: String,
    /// `family:N`
    pub revision: String,
    /// Label of its capacity provider.
    pub provider: String,
    /// PENDING or RUNNING, and not asked to stop.
    pub exists: bool,
    /// It was asked to stop.
    pub is_stopping: bool,
    /// All its containers run or ran.
    pub has_started: bool,
    /// It exists and passes its checks.
    pub is_healthy: bool,
    /// It was healthy once.
    pub was_healthy: bool,
    /// How often a container of it ended.
    pub ends: i64,
    /// It ran and was not healthy at some time.
    pub was_unhealthy: bool,
    /// Whether each of these ends counts as a failed task.
    pub is_in_place: bool,
    /// How it failed, and when that was seen first.
    pub failed: Option<(Failure, Duration)>,
    /// When it was made.
    pub made: Duration,
    /// Its node.
    pub node: String,
}

/// What the service asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Desired count; 0 once the service is deleted.
    pub desired: i64,
    /// Bounds.
    pub percentages: Percentages,
    /// The circuit breaker if it is on.
    pub breaker: Option<Breaker>,
}

/// A configuration that the operator may still act by.
#[derive(Clone, Debug)]
struct Written {
    uid: String,
    generation: i64,
    config: Config,
    /// Since when the operator is known to act by a newer one.
    replaced: Option<Duration>,
}

/// One service deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deployment {
    /// Object name.
    pub name: String,
    /// 19 digits.
    pub digits: String,
    /// `createdAt`
    pub created_at: String,
    /// `family:N`
    pub revision: String,
    /// `status`
    pub status: String,
    /// `rolloutState`
    pub rollout: String,
    /// `failedTasks`
    pub failed_tasks: i64,
    /// `failureCount` of the breaker.
    pub failures: i64,
    /// Threshold of the breaker.
    pub threshold: i64,
    /// Status of the breaker.
    pub breaker: String,
    /// Deployment that it undoes.
    pub rollback_of: String,
    /// The frozen inputs.
    pub service_revision: Value,
    /// Since when it is known.
    pub made: Duration,
    /// When it came to its end, as a place in the sequence of events.
    pub over_at: Option<(u64, Duration)>,
    /// Whether the object is gone.
    pub is_gone: bool,
    /// Uid of the service.
    pub owner: String,
}

/// What an event changed.
#[derive(Clone, Debug)]
pub enum Change {
    /// A task; `None` when it is gone, or was not there before.
    Task(Option<Task>, Option<Task>),
    /// The service.
    Service,
    /// A service deployment as it was; as it is, it is in the world.
    Deployment(Option<Deployment>, String),
    /// Something else.
    Other,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The moment.
    pub now: Duration,
    /// Its place in the sequence of events.
    pub version: u64,
    /// The service, unless there is none.
    pub service: Option<Value>,
    /// Tasks by uid; those that are gone too.
    pub tasks: BTreeMap<String, Task>,
    /// Uids of those that are there.
    pub present: BTreeSet<String>,
    /// Service deployments by name; those that are gone too.
    pub deployments: BTreeMap<String, Deployment>,
    /// Replicas of Kubernetes Deployments.
    pub workloads: BTreeMap<String, i64>,
    written: Vec<Written>,
}

impl World {
    /// One event later.
    pub fn take(&mut self, event: &Event) -> Change {
        self.now = self.now.max(event.at);
        self.version = event.version;
        match event.kind {
            "Pod" => self.take_pod(event),
            "ECSService" => self.take_service(event),
            "ECSServiceDeployment" => self.take_deployment(event),
            "Deployment" => {
                if event.is_deleted {
                    self.workloads.remove(&event.name);
                } else {
                    let replicas = number(&event.object, "/spec/replicas");
                    self.workloads.insert(event.name.clone(), replicas);
                }
                Change::Other
            }
            _ => Change::Other,
        }
    }

    /// Tasks that are there, stopping or not.
    pub fn present(&self) -> impl Iterator<Item = &Task> {
        self.present.iter().filter_map(|uid| self.tasks.get(uid))
    }

    /// Whether a task is one of the service that there is, and not of one of the same name that was deleted.
    #[must_use]
    pub fn is_current(&self, task: &Task) -> bool {
        let uid = self.service.as_ref().map(|service| text(service, "/metadata/uid"));
        self.deployment(&task.deployment).is_some_and(|deployment| Some(deployment.owner.as_str()) == uid)
    }

    /// RUNNING and PENDING tasks of the service.
    pub fn running_or_pending(&self) -> impl Iterator<Item = &Task> {
        self.present().filter(|task| task.exists && self.is_current(task))
    }

    /// How many there are.
    #[must_use]
    pub fn existing(&self) -> i64 {
        count(self.running_or_pending())
    }

    /// How many of them are healthy.
    #[must_use]
    pub fn healthy(&self) -> i64 {
        count(self.running_or_pending().filter(|task| task.is_healthy))
    }

    /// What the operator may act by: the configuration as it is, and those that it may not know to be replaced.
    pub fn configs(&self) -> impl Iterator<Item = Config> {
        let (now, is_gone) = (self.now, self.service.is_none());
        let last = self.written.len();
        self.written
            .iter()
            .enumerate()
            .filter(move |(index, written)| {
                (index + 1 == last && !is_gone) || written.replaced.is_none_or(|since| since + LAG > now)
            })
            .map(|(_, written)| written.config)
    }

    /// The most tasks there may be.
    #[must_use]
    pub fn at_most(&self) -> i64 {
        self.configs().map(|config| config.percentages.at_most(config.desired)).max().unwrap_or_default()
    }

    /// The fewest healthy tasks there may be.
    #[must_use]
    pub fn at_least(&self) -> i64 {
        self.configs().map(|config| config.percentages.at_least(config.desired)).min().unwrap_or_default()
    }

    /// Whether nothing was changed lately.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.configs().count() == 1
    }

    /// The newest deployment of the service that there is.
    #[must_use]
    pub fn primary(&self) -> Option<&Deployment> {
        let uid = text(self.service.as_ref()?, "/metadata/uid");
        let its = self.deployments.values().filter(|deployment| !deployment.is_gone && deployment.owner == uid);
        its.max_by(|one, other| (&one.created_at, &one.digits).cmp(&(&other.created_at, &other.digits)))
    }

    /// A deployment by its digits.
    #[must_use]
    pub fn deployment(&self, digits: &str) -> Option<&Deployment> {
        self.deployments.values().find(|deployment| deployment.digits == digits)
    }

    /// For the report.
    #[must_use]
    pub fn line(&self) -> String {
        let mut groups: BTreeMap<(&str, &str), [usize; 3]> = BTreeMap::new();
        for task in self.present() {
            let group = groups.entry((&task.revision, task.deployment.get(..4).unwrap_or_default())).or_default();
            let [healthy, other, stopping] = group;
            let counted = match task {
                _ if task.is_stopping => stopping,
                _ if task.is_healthy => healthy,
                _ => other,
            };
            *counted += 1;
        }
        let groups: Vec<_> = groups
            .iter()
            .map(|((revision, digits), [healthy, other, stopping])| {
                format!("{revision}/{digits} {healthy} healthy {other} not {stopping} stopping")
            })
            .collect();
        let configs: Vec<_> = self
            .configs()
            .map(|config| format!("{}@{}/{}", config.desired, config.percentages.minimum, config.percentages.maximum))
            .collect();
        format!("[{}] {}", configs.join(" or "), groups.join(", "))
    }

    fn take_pod(&mut self, event: &Event) -> Change {
        let uid = text(&event.object, "/metadata/uid").to_owned();
        let before = self.tasks.get(&uid).cloned();
        if label(&event.object, plan::core::labels::SERVICE).is_empty() {
            return Change::Other;
        }
        let mut task = task(&event.object, self.now);
        if let Some(before) = &before {
            task.made = before.made;
            task.was_healthy |= before.was_healthy;
            task.was_unhealthy |= before.was_unhealthy;
            task.failed = worse(before.failed, task.failed);
        }
        if event.is_deleted {
            (task.exists, task.is_healthy, task.is_stopping) = (false, false, true);
            self.present.remove(&uid);
            self.tasks.insert(uid, task);
            return Change::Task(before, None);
        }
        if let Some((failure, _)) = &mut task.failed
            && *failure == Failure::EndedEarly
            && task.was_healthy
        {
            *failure = Failure::EndedLater;
        }
        self.present.insert(uid.clone());
        self.tasks.insert(uid, task.clone());
        Change::Task(before, Some(task))
    }

    fn take_service(&mut self, event: &Event) -> Change {
        let object = &event.object;
        let (uid, generation) = (text(object, "/metadata/uid").to_owned(), number(object, "/metadata/generation"));
        let is_new = !self.written.iter().any(|written| written.uid == uid && written.generation == generation);
        if is_new && !event.is_deleted {
            self.written.push(Written { uid: uid.clone(), generation, config: config(object), replaced: None });
        }
        let (now, observed) = (self.now, number(object, "/status/observedGeneration"));
        if let Some(acted_by) = self.written.iter().rposition(|one| one.uid == uid && one.generation <= observed) {
            for older in self.written.iter_mut().take(acted_by) {
                older.replaced.get_or_insert(now);
            }
        }
        if event.is_deleted {
            for written in self.written.iter_mut().filter(|written| written.uid == uid) {
                written.replaced.get_or_insert(now);
            }
        }
        self.service = (!event.is_deleted).then(|| object.clone());
        Change::Service
    }

    fn take_deployment(&mut self, event: &Event) -> Change {
        let before = self.deployments.get(&event.name).cloned();
        let mut after = deployment(&event.object);
        after.made = before.as_ref().map_or(self.now, |before| before.made);
        after.over_at = before.as_ref().and_then(|before| before.over_at);
        after.is_gone = event.is_deleted;
        let is_ended = super::rules::is_over(&after.status) || after.status.starts_with("ROLLBACK");
        if (is_ended || after.is_gone) && after.over_at.is_none() {
            after.over_at = Some((self.version, self.now));
        }
        self.deployments.insert(event.name.clone(), after);
        Change::Deployment(before, event.name.clone())
    }
}

/// How many there are.
pub fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

/// A number in an object; 0 when there is none.
#[must_use]
pub fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

fn label<'o>(object: &'o Value, name: &str) -> &'o str {
    let labels = object.pointer("/metadata/labels");
    labels.and_then(|labels| labels.get(name)?.as_str()).unwrap_or_default()
}

/// That a task is unhealthy says less than how it ended; otherwise the first thing that was seen counts.
fn worse(before: Option<(Failure, Duration)>, after: Option<(Failure, Duration)>) -> Option<(Failure, Duration)> {
    match (before, after) {
        (Some((Failure::Unhealthy, _)), Some((failure, at))) if failure != Failure::Unhealthy => Some((failure, at)),
        (Some(before), _) => Some(before),
        (None, after) => after,
    }
}

/// Reasons of a container that cannot be started.
const CANNOT_START: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
];

fn task(pod: &Value, now: Duration) -> Task {
    let containers = || pod.pointer("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten();
    let has = |container: &Value, pointer: &str| container.pointer(pointer).is_some();
    let has_run = |container: &Value| {
        has(container, "/state/running")
            || has(container, "/state/terminated")
            || has(container, "/lastState/terminated")
    };
    let has_started = containers().count() > 0 && containers().all(has_run);
    let cannot_start = containers()
        .any(|container| !has_run(container) && CANNOT_START.contains(&text(container, "/state/waiting/reason")));
    let has_ended =
        containers().any(|container| has(container, "/state/terminated") || has(container, "/lastState/terminated"));
    let phase = pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or("Pending");
    let is_stopping = pod.pointer("/metadata/deletionTimestamp").is_some();
    let ends_of =
        |container: &Value| number(container, "/restartCount") + i64::from(has(container, "/state/terminated"));
    let ends = containers().map(ends_of).max().unwrap_or_default();
    let annotations = pod.pointer("/metadata/annotations");
    let in_place = annotations.and_then(|annotations| annotations.get(super::action::IN_PLACE)?.as_str());
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let is_ready = conditions
        .into_iter()
        .flatten()
        .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True");
    let exists = !is_stopping && matches!(phase, "Pending" | "Running");
    // What becomes of a task that was asked to stop says nothing of it.
    let failure = match () {
        () if is_stopping => None,
        () if cannot_start => Some(Failure::CannotStart),
        () if has_ended || phase == "Failed" || phase == "Succeeded" => Some(Failure::EndedEarly),
        () if has_started && !is_ready => Some(Failure::Unhealthy),
        () => None,
    };
    Task {
        uid: text(pod, "/metadata/uid").to_owned(),
        name: text(pod, "/metadata/name").to_owned(),
        deployment: label(pod, plan::core::labels::DEPLOYMENT).to_owned(),
        revision: crate::scenario::revision(pod),
        provider: label(pod, plan::core::labels::CAPACITY_PROVIDER).to_owned(),
        exists,
        is_stopping,
        has_started,
        is_healthy: exists && is_ready,
        was_healthy: is_ready,
        was_unhealthy: !is_stopping && !is_ready && containers().any(|container| has(container, "/state/running")),
        ends,
        is_in_place: in_place == Some("true"),
        failed: failure.map(|failure| (failure, now)),
        made: now,
        node: text(pod, "/spec/nodeName").to_owned(),
    }
}

fn config(service: &Value) -> Config {
    let percent = |name: &str, otherwise: i64| {
        service.pointer(&format!("/spec/deploymentConfiguration/{name}")).and_then(Value::as_i64).unwrap_or(otherwise)
    };
    let is_deleting = service.pointer("/metadata/deletionTimestamp").is_some();
    Config {
        desired: if is_deleting { 0 } else { number(service, "/spec/desiredCount") },
        percentages: Percentages {
            minimum: percent("minimumHealthyPercent", 100),
            maximum: percent("maximumPercent", 200),
        },
        breaker: breaker(service),
    }
}

fn breaker(service: &Value) -> Option<Breaker> {
    let breaker = service.pointer("/spec/deploymentConfiguration/deploymentCircuitBreaker")?;
    let is = |name: &str| breaker.get(name).and_then(Value::as_bool);
    let type_ = match text(breaker, "/thresholdConfiguration/type") {
        "COUNT" => ThresholdType::Count,
        "UNBOUNDED_PERCENT" => ThresholdType::UnboundedPercent,
        _ => ThresholdType::BoundedPercent,
    };
    let value = breaker.pointer("/thresholdConfiguration/value").and_then(Value::as_i64).unwrap_or(50);
    is("enable").filter(|enabled| *enabled)?;
    Some(Breaker {
        rollback: is("rollback").unwrap_or_default(),
        type_,
        value,
        resets: is("resetOnHealthyTask").unwrap_or(true),
    })
}

fn deployment(object: &Value) -> Deployment {
    let owned = |pointer: &str| text(object, pointer).to_owned();
    Deployment {
        name: owned("/metadata/name"),
        digits: text(object, "/spec/deploymentId").rsplit('/').next().unwrap_or_default().to_owned(),
        created_at: owned("/spec/createdAt"),
        revision: owned("/spec/taskDefinition"),
        status: owned("/status/status"),
        rollout: owned("/status/rolloutState"),
        failed_tasks: number(object, "/status/failedTasks"),
        failures: number(object, "/status/deploymentCircuitBreaker/failureCount"),
        threshold: number(object, "/status/deploymentCircuitBreaker/threshold"),
        breaker: owned("/status/deploymentCircuitBreaker/status"),
        rollback_of: owned("/spec/rollbackOf"),
        service_revision: object.pointer("/spec/serviceRevision").cloned().unwrap_or_default(),
        made: Duration::ZERO,
        over_at: None,
        is_gone: false,
        owner: owned("/metadata/ownerReferences/0/uid"),
    }
}
