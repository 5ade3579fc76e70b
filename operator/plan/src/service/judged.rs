//! Facts about the tasks of a service, each judged once: later steps only read them.

use std::collections::BTreeSet;

use api::conditions::Reason;
use ecs::health::HealthStatus;
use ecs::lifecycle::StopCode;
use jiff::Timestamp;

use super::context::Context;
use crate::core::moment::after;
use crate::pod::ending::Ending;
use crate::pod::observe::Task;

/// A task with what is to be said of it now.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a task")]
pub(super) struct Judged<'a> {
    pub(super) task: &'a Task,
    /// Until when `healthCheckGracePeriodSeconds` protects it.
    pub(super) grace_ends: Option<Timestamp>,
    /// It fails its health checks and is not within its grace period.
    pub(super) is_unhealthy: bool,
    /// The scheduler of the service replaces it: it is unhealthy, or its instance is draining.
    pub(super) is_to_be_replaced: bool,
    /// Scale-in and deployments leave it alone. Nothing protects a task that fails its health checks.
    pub(super) is_protected: bool,
    /// It cannot start or has ended, so that nothing healthy comes of it.
    pub(super) is_failing: bool,
    /// No instance has a place for it.
    pub(super) has_no_place: bool,
    /// It counts against its deployment (ECS: deployment circuit breaker): it could not be launched, it stopped before RUNNING
    /// or before it could count as healthy, or it failed its health checks.
    pub(super) has_failed: bool,
    /// It was given up in an earlier reconcile: its end is decided, whatever becomes of it until its pod is deleted.
    pub(super) is_recorded: bool,
}

impl Judged<'_> {
    /// Digits of the deployment that started it.
    pub(super) fn deployment(&self) -> &str {
        self.task.deployment_id.as_deref().unwrap_or_default()
    }

    /// The capacity provider label.
    pub(super) fn provider(&self) -> &str {
        self.task.capacity_provider.as_deref().unwrap_or_default()
    }

    /// Whether it belongs to the Deployment of a service deployment on a provider.
    pub(super) fn is_of(&self, deployment: &str, provider: &str) -> bool {
        self.deployment() == deployment && self.provider() == provider
    }

    /// The end that it comes to on ECS when a container of it cannot be started. The kubelet would try for ever.
    pub(super) fn failed_start(&self) -> Option<Ending> {
        failed_start(self.task)
    }
}

/// Judges every task of the service, oldest first.
pub(super) fn judge(context: Context<'_>) -> Vec<Judged<'_>> {
    let Context { snapshot, now, .. } = context;
    let spec = snapshot.spec.as_ref().ok();
    let grace_seconds = spec.map(|spec| spec.health_check_grace_period_seconds.map_or(0, i64::from));
    let recorded: BTreeSet<&str> = snapshot.status.stopped_tasks.iter().map(|record| record.uid.as_str()).collect();
    let judge = |task| {
        let grace_ends = grace_seconds.map(|grace| grace_ends(task, grace));
        let is_unhealthy = task.health == HealthStatus::Unhealthy && grace_ends.is_none_or(|until| until <= now);
        let is_on_draining = task.node.as_ref().is_some_and(|node| snapshot.draining.contains(node));
        Judged {
            task,
            grace_ends,
            is_unhealthy,
            // On a draining instance a protected task stays until its time is over: replaced, it would only be one too many.
            is_to_be_replaced: !task.is_stopping
                && task.ending.is_none()
                && (is_unhealthy || (is_on_draining && task.protected_until.is_none())),
            is_protected: task.protected_until.is_some() && !is_unhealthy,
            is_failing: task.ending.is_some() || task.trouble.as_ref().is_some_and(|why| !is_placement(why.reason)),
            has_no_place: task.trouble.as_ref().is_some_and(|why| is_placement(why.reason)),
            has_failed: has_failed(task, is_unhealthy, now),
            is_recorded: recorded.contains(task.uid.as_str()),
        }
    };
    snapshot.tasks.iter().map(judge).collect()
}

fn grace_ends(task: &Task, grace_seconds: i64) -> Timestamp {
    after(task.started_at.unwrap_or(task.created_at), grace_seconds)
}

/// A task that waits for a node has not failed: ECS does not count it against the deployment.
fn is_placement(reason: Reason) -> bool {
    reason == Reason::TaskPlacementFailure
}

fn has_failed(task: &Task, is_unhealthy: bool, now: Timestamp) -> bool {
    if task.stopping_since.is_some() {
        return false;
    }
    match &task.ending {
        Some(ending) => is_failure(task, ending, now),
        None => is_unhealthy || failed_start(task).is_some(),
    }
}

fn failed_start(task: &Task) -> Option<Ending> {
    const CAUSES: [Reason; 4] = [
        Reason::CannotPullContainerError,
        Reason::CannotCreateContainerError,
        Reason::CannotStartContainerError,
        Reason::ResourceInitializationError,
    ];
    let trouble = task.trouble.as_ref().filter(|trouble| CAUSES.contains(&trouble.reason))?;
    let container = task.containers.iter().find(|container| container.reason.is_some());
    Some(Ending {
        stop_code: StopCode::TaskFailedToStart,
        reason: trouble.message.clone(),
        container: container.map(|container| container.name.clone()),
    })
}

/// A task that ended sooner after its start never counted as healthy where nothing but time tells.
const FAILED_EARLY_SECONDS: i64 = ecs::rolling::HEALTHY_AFTER_RUNNING_SECONDS;

/// Which ends count against the deployment: that of a task that never ran, or did not stay long enough to count as healthy.
/// That of one that ran and then ended does not.
fn is_failure(task: &Task, ending: &Ending, now: Timestamp) -> bool {
    let stayed = task.started_at.is_some_and(|at| now >= after(at, FAILED_EARLY_SECONDS));
    match ending.stop_code {
        StopCode::EssentialContainerExited => !stayed,
        StopCode::InfrastructureHealth => task.started_at.is_none(),
        StopCode::TaskFailedToStart => true,
        StopCode::ServiceSchedulerInitiated
        | StopCode::UserInitiated
        | StopCode::SpotInterruption
        | StopCode::TerminationNotice => false,
    }
}
