//! The life of a task: from what is seen of its Pod to the status, stop code and reason that ECS would show.

use crate::event;

/// `lastStatus` of a task, in order of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LastStatus {
    /// Waits for capacity or for volumes to be made.
    Provisioning,
    /// Waits for a place.
    Pending,
    /// Has a place; images, dependencies and targets are on the way.
    Activating,
    /// Every container has started.
    Running,
    /// Leaves its targets.
    Deactivating,
    /// Got the stop signal.
    Stopping,
    /// Containers ended, volumes and the like remain.
    Deprovisioning,
    /// Over.
    Stopped,
}

impl LastStatus {
    /// The spelling of ECS.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }

    /// Counts into `pendingCount`: everything before RUNNING.
    pub fn is_pending(self) -> bool {
        self < Self::Running
    }

    /// Counts into `runningCount`, ready or not.
    pub fn is_running(self) -> bool {
        self == Self::Running
    }
}

/// `desiredStatus` of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DesiredStatus {
    /// To run.
    Running,
    /// To end. ECS sets this as soon as something decides that the task is over, also while it still runs.
    Stopped,
}

impl DesiredStatus {
    /// The spelling of ECS.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// `stopCode` of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopCode {
    /// It never came to RUNNING.
    TaskFailedToStart,
    /// An essential container exited, with whatever code.
    EssentialContainerExited,
    /// Somebody stopped it.
    UserInitiated,
    /// A rollout, a scale-in or a failed health check.
    ServiceSchedulerInitiated,
    /// Spot capacity was taken back.
    SpotInterruption,
    /// The instance announced its end.
    TerminationNotice,
    /// The node was lost or evicted the task.
    InfrastructureHealth,
}

impl StopCode {
    /// The spelling of ECS.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
            Self::SpotInterruption => "SpotInterruption",
            Self::TerminationNotice => "TerminationNotice",
            Self::InfrastructureHealth => "InfrastructureHealth",
        }
    }
}

/// What a container does, as its Pod reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Not started, with the reason of the kubelet: `ContainerCreating`, `ImagePullBackOff`, `CrashLoopBackOff` …
    Waiting {
        /// The reason.
        reason: String,
        /// Details, empty when there are none.
        message: String,
    },
    /// Running.
    Running,
    /// Ended.
    Terminated {
        /// Exit code of the process.
        exit_code: i64,
        /// `Completed`, `Error`, `OOMKilled` …
        reason: String,
    },
}

/// A container of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerObservation {
    /// Name in ECS spelling.
    pub name: String,
    /// Whether the task ends with it.
    pub essential: bool,
    /// The present state.
    pub state: ContainerState,
    /// It has run before or runs now. A container in `CrashLoopBackOff` has.
    pub started_once: bool,
    /// How it ended before its present state: the exit that a restart in place followed.
    pub last_exit: Option<Exit>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit code of the process.
    pub exit_code: i64,
    /// `Completed`, `Error`, `OOMKilled` …
    pub reason: String,
}

/// `status.phase` of a Pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Not all containers have started.
    #[default]
    Pending,
    /// On its node.
    Running,
    /// All containers exited with 0.
    Succeeded,
    /// All containers exited, one of them otherwise.
    Failed,
    /// The node does not answer.
    Unknown,
    /// The Pod no longer exists.
    Gone,
}

/// Who or what ends a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// A rollout or scale-in of this deployment.
    Deployment {
        /// `ecs-svc/…`
        id: String,
    },
    /// The operator replaces an unhealthy task.
    HealthChecks,
    /// A user, with the reason given, if any.
    User {
        /// The reason, empty when none was given.
        reason: String,
    },
    /// Spot capacity was taken back.
    Spot,
    /// The instance announced its end.
    TerminationNotice,
    /// Eviction, preemption or a lost node, with what Kubernetes says about it.
    Infrastructure {
        /// Text from the Pod.
        reason: String,
    },
}

/// Why the scheduler of a service stops a task that does not pass its checks.
pub const UNHEALTHY: &str = "Task failed container health checks";

impl StopCause {
    fn code(&self) -> StopCode {
        match self {
            Self::Deployment { .. } | Self::HealthChecks => StopCode::ServiceSchedulerInitiated,
            Self::User { .. } => StopCode::UserInitiated,
            Self::Spot => StopCode::SpotInterruption,
            Self::TerminationNotice => StopCode::TerminationNotice,
            Self::Infrastructure { .. } => StopCode::InfrastructureHealth,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Deployment { id } => event::scaling_activity(id),
            Self::HealthChecks => UNHEALTHY.to_owned(),
            Self::User { reason } => or_else(reason, "Task stopped by user"),
            Self::Spot => "Your Spot Task was interrupted.".to_owned(),
            Self::TerminationNotice => "The instance of the task is about to be terminated.".to_owned(),
            Self::Infrastructure { reason } => or_else(reason, "The node of the task is not available."),
        }
    }
}

/// A Pod that is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// preStop hooks run, the stop signal is still to come.
    BeforeSignal,
    /// The stop signal was sent.
    AfterSignal,
}

/// What is seen of a task. The default is a Pod that was just made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskObservation {
    /// Phase of the Pod.
    pub phase: Phase,
    /// It has a node.
    pub scheduled: bool,
    /// Without a node: its provider has managed scaling, or a volume claim of it is not bound.
    pub waits_for_capacity: bool,
    /// It runs, and what sends it traffic has not taken it in yet.
    pub awaits_traffic: bool,
    /// The containers of the task definition, in any order.
    pub containers: Vec<ContainerObservation>,
    /// The Pod is being deleted.
    pub deletion: Option<Deletion>,
    /// What ended the task, as far as it is known.
    pub cause: Option<StopCause>,
}

/// A task in the words of ECS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskState {
    /// Where the task is.
    pub last_status: LastStatus,
    /// Where it should be.
    pub desired_status: DesiredStatus,
    /// Why it ends or ended. Present before STOPPED where ECS would stop the task and the kubelet goes on trying: an
    /// image that cannot be pulled, an essential container that exited.
    pub stop_code: Option<StopCode>,
    /// The text to the code.
    pub stopped_reason: Option<String>,
}

/// The state of a task. A cause outside of the task goes before what the containers show, since stopping a task makes
/// its containers exit.
pub fn classify(task: &TaskObservation) -> TaskState {
    let last_status = last_status(task);
    let stop = task
        .cause
        .as_ref()
        .map(|cause| (cause.code(), cause.reason()))
        .or_else(|| failed_start(task))
        .or_else(|| essential_exit(task))
        .or_else(|| unexplained_end(task));
    let ends = stop.is_some() || task.deletion.is_some() || last_status >= LastStatus::Deactivating;
    let (stop_code, stopped_reason) = stop.unzip();
    TaskState {
        last_status,
        desired_status: if ends { DesiredStatus::Stopped } else { DesiredStatus::Running },
        stop_code,
        stopped_reason,
    }
}

fn last_status(task: &TaskObservation) -> LastStatus {
    let all_ended = !task.containers.is_empty() && task.containers.iter().all(ContainerObservation::has_ended);
    match task.deletion {
        _ if task.phase == Phase::Gone => return LastStatus::Stopped,
        Some(_) if all_ended || matches!(task.phase, Phase::Succeeded | Phase::Failed) => {
            return LastStatus::Deprovisioning;
        }
        // A Pod without a node has nothing to drain or to signal.
        Some(_) if !task.scheduled => return LastStatus::Deprovisioning,
        Some(Deletion::BeforeSignal) => return LastStatus::Deactivating,
        Some(Deletion::AfterSignal) => return LastStatus::Stopping,
        None => {}
    }
    match task.phase {
        Phase::Succeeded | Phase::Failed | Phase::Gone => LastStatus::Stopped,
        _ if !task.scheduled && task.waits_for_capacity => LastStatus::Provisioning,
        _ if !task.scheduled => LastStatus::Pending,
        _ if task.all_started() && !task.awaits_traffic => LastStatus::Running,
        _ => LastStatus::Activating,
    }
}

impl TaskObservation {
    fn all_started(&self) -> bool {
        !self.containers.is_empty() && self.containers.iter().all(|container| container.started_once)
    }
}

impl ContainerObservation {
    fn has_ended(&self) -> bool {
        matches!(self.state, ContainerState::Terminated { .. })
    }

    /// The exit that ECS knows of: the present one, or the one before a restart in place.
    pub fn exit(&self) -> Option<Exit> {
        match &self.state {
            ContainerState::Terminated { exit_code, reason } => {
                Some(Exit { exit_code: *exit_code, reason: reason.clone() })
            }
            _ => self.last_exit.clone(),
        }
    }

    /// `reason` of the container in ECS: why it could not start, or that it ran out of memory.
    pub fn reason(&self) -> Option<String> {
        if let ContainerState::Waiting { reason, message } = &self.state
            && let Some(error) = start_error(reason)
        {
            return Some(with_message(error, message, reason));
        }
        let out_of_memory = self.exit().is_some_and(|exit| exit.reason == "OOMKilled");
        out_of_memory.then(|| "OutOfMemoryError: Container killed due to memory usage".to_owned())
    }
}

/// The error of ECS for a reason with which the kubelet keeps a container waiting.
fn start_error(waiting: &str) -> Option<&'static str> {
    match waiting {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable"
        | "ImageInspectError"
        | "SignatureValidationFailed" => Some("CannotPullContainerError"),
        // A Secret or ConfigMap that is not there.
        "CreateContainerConfigError" => Some("ResourceInitializationError"),
        "CreateContainerError" | "PreCreateHookError" => Some("CannotCreateContainerError"),
        "RunContainerError" | "PreStartHookError" | "PostStartHookError" | "StartError" => {
            Some("CannotStartContainerError")
        }
        _ => None,
    }
}

/// A container that cannot start although the task never ran: ECS gives up on the task.
fn failed_start(task: &TaskObservation) -> Option<(StopCode, String)> {
    task.containers.iter().find_map(|container| match &container.state {
        ContainerState::Waiting { reason, message } if !container.started_once => {
            start_error(reason).map(|error| (StopCode::TaskFailedToStart, with_message(error, message, reason)))
        }
        ContainerState::Terminated { reason, .. }
            if container.last_exit.is_none() && matches!(reason.as_str(), "StartError" | "ContainerCannotRun") =>
        {
            Some((StopCode::TaskFailedToStart, with_message("CannotStartContainerError", "", reason)))
        }
        _ => None,
    })
}

/// An essential container that is not running any more, whatever its exit code.
fn essential_exit(task: &TaskObservation) -> Option<(StopCode, String)> {
    let exited = task.containers.iter().any(|container| container.essential && container.has_ended());
    // Where all containers ended with 0 an essential one did, even if it is not listed any more.
    (exited || task.phase == Phase::Succeeded)
        .then(|| (StopCode::EssentialContainerExited, "Essential container in task exited".to_owned()))
}

/// A Pod that is over or being deleted, and nothing says why: the node took it away, or a person did.
fn unexplained_end(task: &TaskObservation) -> Option<(StopCode, String)> {
    if task.phase == Phase::Failed {
        let cause = StopCause::Infrastructure { reason: String::new() };
        return Some((cause.code(), cause.reason()));
    }
    let ended_from_outside = task.deletion.is_some() || task.phase == Phase::Gone;
    ended_from_outside.then(|| {
        let cause = StopCause::User { reason: String::new() };
        (cause.code(), cause.reason())
    })
}

fn with_message(error: &str, message: &str, reason: &str) -> String {
    format!("{error}: {}", or_else(message, reason))
}

/// `text` on one line, or `otherwise` when it is blank.
fn or_else(text: &str, otherwise: &str) -> String {
    let text = event::one_line(text);
    if text.trim().is_empty() { otherwise.to_owned() } else { text.trim().to_owned() }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
