//! A Pod as an ECS task: its status, health and troubles, in ECS's words.

use api::conditions::Reason;
use ecs::hash::hex;
use ecs::health::{HealthStatus, task_health};
use ecs::lifecycle::{
    ContainerObservation, ContainerState, Deletion, Exit, LastStatus, Phase, StopCause, StopCode, TaskObservation,
    classify,
};
use ecs::rolling::HEALTHY_AFTER_RUNNING_SECONDS;
use jiff::Timestamp;

use super::ending::{ContainerEnd, Ending, Outlook, container_end, first_start, is_failed_start, outlook};
use super::metadata::ContainerNote;
use super::view::{ContainerStatusView, PodStatusView, SchedulingGate, StateView, TerminatedView};
use crate::core::labels;
use crate::core::moment::after;

pub use super::view::PodView;

/// Prefix of a deployment id; labels hold the digits behind it.
const DEPLOYMENT_PREFIX: &str = "ecs-svc/";

/// A task.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a Pod")]
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// 32 hex digits, from the uid of the Pod.
    pub id: String,
    /// Name of the Pod.
    pub pod_name: String,
    /// Uid of the Pod.
    pub uid: String,
    /// Version of the Pod.
    pub resource_version: String,
    /// Where it is in its life.
    pub last_status: LastStatus,
    /// Whether it is being deleted or is over.
    pub is_stopping: bool,
    /// Whether the kubelet refused the Pod for what its template says, so that it refuses the next one too.
    pub is_refused_by_node: bool,
    /// Health by the checks of its essential containers.
    pub health: HealthStatus,
    /// The essential container that makes it UNHEALTHY.
    pub unhealthy_container: Option<String>,
    /// Digits of the deployment that started it.
    pub deployment_id: Option<String>,
    /// The capacity provider it runs on, as the label has it.
    pub capacity_provider: Option<String>,
    /// Number of the task definition revision.
    pub revision: Option<i64>,
    /// When the Pod was made.
    pub created_at: Timestamp,
    /// Since when all essential containers run; absent unless the task is RUNNING.
    pub running_since: Option<Timestamp>,
    /// When all essential containers had started for the first time; absent if one never has.
    pub started_at: Option<Timestamp>,
    /// When it was asked to stop.
    pub stopping_since: Option<Timestamp>,
    /// Whether it counts as healthy in a deployment: its essential containers are ready and, if none of them has a
    /// health check, have run for [`HEALTHY_AFTER_RUNNING_SECONDS`].
    pub is_healthy_for_deployment: bool,
    /// Whether Kubernetes takes the Pod for Ready. It does not after a container that is not essential has ended.
    pub is_pod_ready: bool,
    /// Until when it is protected from scale-in and deployments ([`labels::PROTECTED_UNTIL`]); absent when it is not, or not
    /// any more.
    pub protected_until: Option<Timestamp>,
    /// The next time at which `ending`, `health`, `is_healthy_for_deployment` or `protected_until` changes although the Pod
    /// does not.
    pub changes_at: Option<Timestamp>,
    /// What keeps it from running, if anything does.
    pub trouble: Option<Trouble>,
    /// Numbers of the ends of containers for each of which ECS would have had a task that failed, as far as they are still told:
    /// a container that others wait for failed, or an essential one that is restarted in place exited too soon to count as
    /// healthy. Those of the n-th container begin with n times [`ENDS_OF_ONE`].
    pub failed_attempts: Vec<i64>,
    /// Why it ends or ended. Set early where ECS would stop the task and the kubelet goes on trying.
    pub stop_code: Option<StopCode>,
    /// The text to the code.
    pub stopped_reason: Option<String>,
    /// Why it is over for ECS although nobody has stopped it yet.
    pub ending: Option<Ending>,
    /// Its containers, in the order of the task definition.
    pub containers: Vec<ContainerEnd>,
    /// Whether it is marked as one that a scale-in takes, see [`labels::POD_DELETION_COST`].
    pub is_marked: bool,
    /// Name of a Secret that does not exist, or lacks the key, and that a container waits for.
    pub missing_secret: Option<String>,
    /// Node it runs on.
    pub node: Option<String>,
    /// Who says which nodes it may be on.
    pub placing: Placing,
}

/// Who says which nodes a task may be on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placing {
    /// The template.
    Template,
    /// The operator, which has not said it yet: the Pod has [`labels::PLACEMENT_GATE`]. With what else keeps it from being
    /// scheduled.
    Gated(Vec<SchedulingGate>),
    /// The operator, and this is the hash of what it said.
    By(String),
}

/// What keeps a task from running.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// ECS's word for it.
    pub reason: Reason,
    /// Details, beginning with that word where ECS's own text does.
    pub message: String,
}

/// Reads a Pod that the operator's template made. Containers are known from its annotation; a Pod without it counts as
/// one whose containers all are essential.
#[must_use]
pub fn observe(pod: &PodView, now: Timestamp) -> Task {
    let notes = container_notes(pod);
    let status = &pod.status;
    let find = |note: &ContainerNote| status.container(&note.container);
    let observation = observation(pod, &notes, now);
    let state = classify(&observation);
    let essential: Vec<(&ContainerNote, Option<&ContainerStatusView>)> =
        notes.iter().filter(|note| note.essential).map(|note| (note, find(note))).collect();
    let health =
        task_health(&essential.iter().map(|(note, status)| health_of(pod, note, *status, now)).collect::<Vec<_>>());
    let running_since = essential
        .iter()
        .map(|(_, status)| status.and_then(started_at))
        .collect::<Option<Vec<_>>>()
        .and_then(|times| times.into_iter().max())
        .filter(|_| state.last_status == LastStatus::Running);
    let is_ready = is_ready(pod, &notes, &essential) && running_since.is_some();
    let has_health_check = essential.iter().any(|(note, _)| note.has_health_check);
    let healthy_from = running_since
        .filter(|_| is_ready)
        .map(|since| if has_health_check { since } else { after(since, HEALTHY_AFTER_RUNNING_SECONDS) });
    let unhealthy_from = essential.iter().filter_map(|(note, status)| unhealthy_from(pod, note, *status));
    let is_stopping = pod.metadata.deletion_timestamp.is_some() || state.last_status >= LastStatus::Deactivating;
    let label = |name: &str| pod.metadata.labels.get(name).cloned();
    let is_over = pod.metadata.deletion_timestamp.is_none() && state.last_status == LastStatus::Stopped;
    let outlook = if is_stopping { Outlook::default() } else { outlook(&notes, status, now) };
    let ending = outlook.ending.or_else(|| {
        let (stop_code, reason) = state.stop_code.zip(state.stopped_reason.clone()).filter(|_| is_over)?;
        Some(Ending { stop_code, reason, container: None })
    });
    let protected_until = protected_until(pod).filter(|until| *until > now);
    Task {
        id: task_id(&pod.metadata.uid),
        pod_name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        resource_version: pod.metadata.resource_version.clone(),
        last_status: state.last_status,
        is_stopping,
        is_refused_by_node: status.phase == "Failed" && REFUSED_BY_NODE.contains(&status.reason.as_str()),
        health,
        unhealthy_container: essential
            .iter()
            .find(|(note, status)| health_of(pod, note, *status, now) == HealthStatus::Unhealthy)
            .map(|(note, _)| note.name.clone()),
        deployment_id: label(labels::DEPLOYMENT),
        capacity_provider: label(labels::CAPACITY_PROVIDER),
        revision: label(labels::REVISION).and_then(|text| text.parse().ok()),
        created_at: pod.metadata.creation_timestamp.unwrap_or(now),
        running_since,
        started_at: essential
            .iter()
            .map(|(_, status)| status.and_then(first_start))
            .collect::<Option<Vec<_>>>()
            .and_then(|times| times.into_iter().max()),
        stopping_since: stopping_since(pod),
        is_healthy_for_deployment: !is_stopping && healthy_from.is_some_and(|from| from <= now),
        is_pod_ready: status.condition("Ready").is_some_and(|ready| ready.status == "True"),
        protected_until,
        changes_at: healthy_from
            .into_iter()
            .chain(unhealthy_from)
            .chain(outlook.ends_at)
            .chain(protected_until)
            .filter(|at| *at > now && !is_stopping)
            .min(),
        trouble: if is_stopping && status.phase != "Failed" { None } else { trouble(pod, &notes, &observation) },
        failed_attempts: failed_attempts(&notes, status),
        stop_code: state.stop_code,
        stopped_reason: state.stopped_reason,
        ending,
        containers: notes
            .iter()
            .zip(&observation.containers)
            .map(|(note, container)| container_end(note, find(note), container.reason()))
            .collect(),
        is_marked: pod.metadata.annotations.get(labels::POD_DELETION_COST).is_some_and(|cost| cost == labels::MARKED),
        missing_secret: notes.iter().find_map(|note| missing_secret(find(note)?)),
        node: pod.spec.node_name.clone(),
        placing: placing(pod),
    }
}

fn placing(pod: &PodView) -> Placing {
    let gates = &pod.spec.scheduling_gates;
    let (own, others): (Vec<_>, Vec<_>) = gates.iter().cloned().partition(|gate| gate.name == labels::PLACEMENT_GATE);
    let said = pod.metadata.annotations.get(labels::PLACED_BY);
    match (own.is_empty(), said) {
        (false, _) => Placing::Gated(others),
        (true, Some(hash)) => Placing::By(hash.clone()),
        (true, None) => Placing::Template,
    }
}

/// The 32 hex digits of a uid: `0a1b2c3d-…` without its hyphens.
#[must_use]
pub fn task_id(uid: &str) -> String {
    let digits: String = uid.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
    if digits.len() == 32 {
        return digits;
    }
    hex(uid, 32)
}

/// The time in the annotation. A value that is not RFC 3339 is ignored: the task is not protected.
fn protected_until(pod: &PodView) -> Option<Timestamp> {
    pod.metadata.annotations.get(labels::PROTECTED_UNTIL)?.trim().parse().ok()
}

fn container_notes(pod: &PodView) -> Vec<ContainerNote> {
    let annotation = pod.metadata.annotations.get(labels::CONTAINERS);
    let read = annotation.and_then(|text| serde_json::from_str::<Vec<ContainerNote>>(text).ok());
    read.unwrap_or_else(|| {
        let note = |status: &ContainerStatusView| ContainerNote {
            name: status.name.clone(),
            container: status.name.clone(),
            essential: true,
            ..ContainerNote::default()
        };
        pod.status.container_statuses.iter().map(note).collect()
    })
}

fn observation(pod: &PodView, notes: &[ContainerNote], now: Timestamp) -> TaskObservation {
    let status = &pod.status;
    let scheduling = status.condition("PodScheduled").filter(|condition| condition.status == "False");
    let ready = status.condition("Ready");
    TaskObservation {
        phase: match status.phase.as_str() {
            "Running" => Phase::Running,
            "Succeeded" => Phase::Succeeded,
            "Failed" => Phase::Failed,
            "Unknown" => Phase::Unknown,
            _ => Phase::Pending,
        },
        scheduled: pod.spec.node_name.is_some(),
        waits_for_capacity: scheduling.is_some_and(|condition| condition.message.contains("PersistentVolumeClaim")),
        awaits_traffic: ready.is_some_and(|ready| ready.reason == "ReadinessGatesNotReady"),
        containers: notes.iter().map(|note| container(note, status.container(&note.container))).collect(),
        deletion: pod.metadata.deletion_timestamp.map(|_| deletion(pod, now)),
        cause: cause(pod),
    }
}

/// Without a hook the stop signal is sent as soon as the Pod is marked.
fn deletion(pod: &PodView, now: Timestamp) -> Deletion {
    match stopping_since(pod) {
        Some(since) if since > now => Deletion::BeforeSignal,
        _ => Deletion::AfterSignal,
    }
}

/// The server sets the time at which the Pod must be gone: the request lies the grace period before it.
fn stopping_since(pod: &PodView) -> Option<Timestamp> {
    let until = pod.metadata.deletion_timestamp?;
    Some(after(until, -pod.metadata.deletion_grace_period_seconds.unwrap_or(0)))
}

fn container(note: &ContainerNote, status: Option<&ContainerStatusView>) -> ContainerObservation {
    let Some(status) = status else {
        return ContainerObservation {
            name: note.name.clone(),
            essential: note.essential,
            state: ContainerState::Waiting { reason: String::new(), message: String::new() },
            started_once: false,
            last_exit: None,
        };
    };
    let state = &status.state;
    let last_exit =
        status.last_state.terminated.as_ref().map(|end| Exit { exit_code: end.exit_code, reason: end.reason.clone() });
    let (observed, started_once) = if state.running.is_some() {
        (ContainerState::Running, true)
    } else if let Some(end) = &state.terminated {
        // An exit that ECS restarts in place is none for the task.
        let observed = if note.is_restarted_by_ecs(end.exit_code) {
            ContainerState::Running
        } else {
            ContainerState::Terminated { exit_code: end.exit_code, reason: end.reason.clone() }
        };
        (observed, true)
    } else {
        let waiting = state.waiting.clone().unwrap_or_default();
        // While an essential container waits to be started again, ECS would have a new task that has not started.
        let is_new_attempt = note.essential && !note.restarts;
        let started_once = !is_new_attempt && (last_exit.is_some() || status.restart_count > 0);
        (ContainerState::Waiting { reason: waiting.reason, message: waiting.message }, started_once)
    };
    ContainerObservation {
        name: note.name.clone(),
        essential: note.essential,
        state: observed,
        started_once,
        last_exit,
    }
}

/// Reasons with which a kubelet refuses a Pod for its kernel parameters or its AppArmor profile.
const REFUSED_BY_NODE: [&str; 2] = ["SysctlForbidden", "AppArmor"];

/// What ends the Pod from outside. A Pod of a deployment that is deleted and not disrupted is taken by a rollout or a
/// scale-in: the ReplicaSet does it, and nothing on the Pod tells it from a person's delete.
fn cause(pod: &PodView) -> Option<StopCause> {
    let status = &pod.status;
    if let Some(disruption) = status.condition("DisruptionTarget").filter(|condition| condition.status == "True") {
        let reason = if disruption.message.is_empty() { &disruption.reason } else { &disruption.message };
        return Some(StopCause::Infrastructure { reason: reason.clone() });
    }
    if status.phase == "Failed" && matches!(status.reason.as_str(), "Terminated" | "NodeShutdown" | "Shutdown") {
        return Some(StopCause::TerminationNotice);
    }
    if status.phase == "Failed" && !status.reason.is_empty() {
        let reason = if status.message.is_empty() { &status.reason } else { &status.message };
        return Some(StopCause::Infrastructure { reason: reason.clone() });
    }
    let deployment = pod.metadata.labels.get(labels::DEPLOYMENT).filter(|_| pod.metadata.deletion_timestamp.is_some());
    deployment.map(|id| StopCause::Deployment { id: format!("{DEPLOYMENT_PREFIX}{id}") })
}

fn started_at(status: &ContainerStatusView) -> Option<Timestamp> {
    status.state.running.as_ref()?.started_at
}

/// Whether every essential container is ready, and so is the Pod.
///
/// Kubernetes takes the Pod's own condition away when its node is lost, when a readiness gate closes, and when a container that
/// somebody injected is not ready. It does so too when a container that is not essential has ended, which is nothing to ECS.
fn is_ready(
    pod: &PodView,
    notes: &[ContainerNote],
    essential: &[(&ContainerNote, Option<&ContainerStatusView>)],
) -> bool {
    let ready = pod.status.condition("Ready");
    let gates_closed = ready.is_some_and(|ready| ready.reason == "ReadinessGatesNotReady");
    let is_pod_ready = ready.is_none_or(|ready| ready.status == "True") || is_unready_for_nothing(pod, notes);
    !essential.is_empty()
        && !gates_closed
        && is_pod_ready
        && essential.iter().all(|(_, status)| status.is_some_and(|status| status.ready))
}

/// Whether containers of the task that are not essential, and only those, keep the Pod from being Ready.
fn is_unready_for_nothing(pod: &PodView, notes: &[ContainerNote]) -> bool {
    let status = &pod.status;
    // Init containers that have ended are none of them.
    let sidecars = status.init_container_statuses.iter().filter(|status| status.state.running.is_some());
    let mut unready = status.container_statuses.iter().chain(sidecars).filter(|status| !status.ready).peekable();
    let is_nothing = |name: &str| notes.iter().any(|note| note.container == name && !note.essential);
    unready.peek().is_some() && unready.all(|status| is_nothing(&status.name))
}

fn health_of(
    pod: &PodView,
    note: &ContainerNote,
    status: Option<&ContainerStatusView>,
    now: Timestamp,
) -> HealthStatus {
    let Some(status) = status.filter(|status| note.has_health_check && status.state.running.is_some()) else {
        return HealthStatus::Unknown;
    };
    if status.ready {
        HealthStatus::Healthy
    } else if unhealthy_from(pod, note, Some(status)).is_some_and(|at| at <= now) {
        HealthStatus::Unhealthy
    } else {
        HealthStatus::Unknown
    }
}

/// When a container that is not ready counts as UNHEALTHY: never before its start period and `retries` checks are over, nor
/// before it was unready for `retries` checks. A kubelet that starts again takes every probed container for unready until the
/// next check, and ECS asks for `retries` failures in a row.
fn unhealthy_from(pod: &PodView, note: &ContainerNote, status: Option<&ContainerStatusView>) -> Option<Timestamp> {
    let status = status.filter(|status| !status.ready)?;
    let first = after(started_at(status)?, note.unhealthy_after_seconds?);
    let unready = pod.status.condition("Ready").filter(|ready| ready.status != "True");
    let failing = unready.and_then(|ready| Some(after(ready.last_transition_time?, note.failing_seconds?)));
    Some(failing.map_or(first, |failing| failing.max(first)))
}

/// Ends of one container that are told apart from those of the next.
const ENDS_OF_ONE: i64 = 1_000_000;

fn failed_attempts(notes: &[ContainerNote], status: &PodStatusView) -> Vec<i64> {
    let ends = |note: &ContainerNote| status.container(&note.container).map(|status| failed_ends(note, status));
    let numbered = notes.iter().zip(0_i64..).filter_map(|(note, container)| Some((ends(note)?, container)));
    numbered.flat_map(|(ends, container)| ends.into_iter().map(move |end| container * ENDS_OF_ONE + end)).collect()
}

/// Which ends of a container count, from 0.
///
/// The number of restarts grows with the next start only: a container that ended the second time has 1 restart, and 2 ends,
/// also while the kubelet waits and tells the end as the state before. How long it ran is known of the last two ends.
fn failed_ends(note: &ContainerNote, status: &ContainerStatusView) -> Vec<i64> {
    let is_waiting = status.state.terminated.is_none() && status.state.running.is_none();
    let (now, before) = if is_waiting { (&status.last_state, None) } else { (&status.state, Some(&status.last_state)) };
    let now = now.terminated.as_ref().filter(|end| !is_failed_start(end));
    let before = before.and_then(|before| before.terminated.as_ref());
    if note.runs_to_completion {
        // Each end before the last one was a failure, or there would have been no other.
        let last = now.filter(|end| end.exit_code != 0).map(|_| status.restart_count);
        return (0..status.restart_count).chain(last).collect();
    }
    if !note.essential {
        return Vec::new();
    }
    let is_failure = |end: &&TerminatedView| !note.is_restarted_by_ecs(end.exit_code) && !has_worked(end);
    let last = now.filter(is_failure).map(|_| status.restart_count);
    let earlier = before.filter(is_failure).map(|_| status.restart_count - 1);
    earlier.into_iter().chain(last).filter(|end| *end >= 0).collect()
}

/// Whether the container ran so long that a task counts as healthy where nothing but time tells.
fn has_worked(end: &TerminatedView) -> bool {
    let until = end.started_at.map(|started| after(started, HEALTHY_AFTER_RUNNING_SECONDS));
    until.zip(end.finished_at).is_some_and(|(until, finished)| finished >= until)
}

fn trouble(pod: &PodView, notes: &[ContainerNote], observation: &TaskObservation) -> Option<Trouble> {
    let status = &pod.status;
    // What waits, or waited until a moment ago, for the operator has not been looked at by the scheduler.
    let waits_for_us = pod.spec.scheduling_gates.iter().all(|gate| gate.name == labels::PLACEMENT_GATE);
    let unscheduled = status
        .condition("PodScheduled")
        .filter(|condition| condition.status == "False" && !(condition.reason == "SchedulingGated" && waits_for_us));
    if let Some(condition) = unscheduled.filter(|_| pod.spec.node_name.is_none()) {
        return Some(Trouble { reason: Reason::TaskPlacementFailure, message: condition.message.clone() });
    }
    for container in &observation.containers {
        let reason = container.reason().and_then(|text| Some((start_trouble(&text)?, text)));
        if let Some((reason, text)) = reason.filter(|_| matches!(container.state, ContainerState::Waiting { .. })) {
            return Some(Trouble { reason, message: format!("{text} (container {})", container.name) });
        }
    }
    for (note, container) in notes.iter().zip(&observation.containers) {
        let is_down = !matches!(container.state, ContainerState::Running);
        let exit = container.exit().filter(|exit| is_down && (note.essential || exit.exit_code != 0));
        let Some(exit) = exit.filter(|_| note.essential || note.runs_to_completion) else { continue };
        let memory = container.reason().map(|text| format!(": {text}")).unwrap_or_default();
        let message = format!("container {} exited with code {}{memory}", container.name, exit.exit_code);
        let (reason, text) = if note.essential {
            (Reason::EssentialContainerExited, "Essential container in task exited")
        } else {
            (Reason::TaskFailedToStart, "A container that others wait for failed")
        };
        return Some(Trouble { reason, message: format!("{text}: {message}") });
    }
    (status.phase == "Failed").then(|| Trouble {
        reason: Reason::TaskFailedToStart,
        message: [status.reason.as_str(), status.message.as_str()]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(": "),
    })
}

/// The word of ECS that a container's reason begins with.
fn start_trouble(text: &str) -> Option<Reason> {
    [
        Reason::CannotPullContainerError,
        Reason::CannotCreateContainerError,
        Reason::CannotStartContainerError,
        Reason::ResourceInitializationError,
    ]
    .into_iter()
    .find(|reason| text.starts_with(reason.as_str()))
}

/// The kubelet says `secret "db" not found` or `couldn't find key password in Secret prod/db`.
fn missing_secret(status: &ContainerStatusView) -> Option<String> {
    let StateView { waiting: Some(waiting), .. } = &status.state else { return None };
    if waiting.reason != "CreateContainerConfigError" {
        return None;
    }
    if let Some((_, rest)) = waiting.message.split_once("secret \"") {
        return rest.split('"').next().map(ToOwned::to_owned);
    }
    let (_, rest) = waiting.message.split_once(" in Secret ")?;
    let reference = rest.split_whitespace().next()?;
    reference.rsplit('/').next().map(ToOwned::to_owned)
}
