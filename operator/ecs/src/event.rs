//! The texts and names of ECS: service events, rollout state reasons, event names on the bus.

use std::fmt::Write as _;

/// The same message is not repeated within this time: six hours.
pub const REPEAT_AFTER_SECONDS: i64 = 6 * 60 * 60;

/// `(service web) has started 2 tasks: (task a) (task b).` ECS writes the plural for one task as well.
pub fn started_tasks(service: &str, ids: &[String]) -> String {
    about(service, &format!("has started {} tasks: {}.", ids.len(), tasks(ids)))
}

/// `(service web) has started 1 tasks: (task a). Amazon ECS replaced 1 tasks due to an unhealthy status.`
pub fn started_replacements(service: &str, ids: &[String], replaced: usize) -> String {
    format!("{} Amazon ECS replaced {replaced} tasks due to an unhealthy status.", started_tasks(service, ids))
}

/// `(service web) has started 1 tasks in us-east-1a to AZ Rebalance: (task a).`
pub fn started_for_balance(service: &str, zone: &str, ids: &[String]) -> String {
    about(service, &format!("has started {} tasks in {} to AZ Rebalance: {}.", ids.len(), one_line(zone), tasks(ids)))
}

/// `(service web) has stopped 1 running tasks in us-east-1b due to AZ rebalancing: (task a).`
pub fn stopped_for_balance(service: &str, zone: &str, ids: &[String]) -> String {
    let zone = one_line(zone);
    about(service, &format!("has stopped {} running tasks in {zone} due to AZ rebalancing: {}.", ids.len(), tasks(ids)))
}

/// `(service web) has stopped 1 running tasks: (task a).`
pub fn stopped_tasks(service: &str, ids: &[String]) -> String {
    about(service, &format!("has stopped {} running tasks: {}.", ids.len(), tasks(ids)))
}

/// `(service web) stopped 2 pending tasks.` ECS names no tasks that never ran.
pub fn stopped_pending_tasks(service: &str, count: usize) -> String {
    about(service, &format!("stopped {count} pending tasks."))
}

/// `(service web) registered 1 targets in (target-group x)`
pub fn registered_targets(service: &str, count: usize, target_group: &str) -> String {
    about(service, &format!("registered {count} targets in (target-group {})", one_line(target_group)))
}

/// `(service web) has begun draining connections on 1 tasks.`
pub fn draining_connections(service: &str, count: usize) -> String {
    about(service, &format!("has begun draining connections on {count} tasks."))
}

/// `(service web) deregistered 1 targets in (target-group x)`
pub fn deregistered_targets(service: &str, count: usize, target_group: &str) -> String {
    about(service, &format!("deregistered {count} targets in (target-group {})", one_line(target_group)))
}

/// `(service agent) has 1 tasks that no longer meet its placement constraints: (task a).` ECS only puts an event on the bus for
/// it, which has a name and no text; this one is in the form of the others.
pub fn placement_constraint_violated(service: &str, ids: &[String]) -> String {
    let text = format!("has {} tasks that no longer meet its placement constraints: {}.", ids.len(), tasks(ids));
    about(service, &text)
}

/// `(service web) has reached a steady state.`
pub fn steady_state(service: &str) -> String {
    about(service, "has reached a steady state.")
}

/// `(service web) (deployment ecs-svc/1) deployment completed.`
pub fn deployment_completed(service: &str, deployment: &str) -> String {
    about(service, &format!("(deployment {deployment}) deployment completed."))
}

/// `(service web) (deployment ecs-svc/1) deployment failed: tasks failed to start.`
pub fn deployment_failed(service: &str, deployment: &str) -> String {
    about(service, &format!("(deployment {deployment}) deployment failed: tasks failed to start."))
}

/// `(service web) (deployment ecs-svc/1) deployment failed: alarm detected.`
pub fn deployment_failed_by_alarm(service: &str, deployment: &str) -> String {
    about(service, &format!("(deployment {deployment}) deployment failed: alarm detected."))
}

/// `(service web) rolling back to deployment ecs-svc/1.`
pub fn rolling_back(service: &str, deployment: &str) -> String {
    about(service, &format!("rolling back to deployment {deployment}."))
}

/// `(service web) was unable to place a task because no container instance met all of its requirements.`, followed by
/// what the scheduler said, if anything.
pub fn unable_to_place(service: &str, reason: &str) -> String {
    let text = "was unable to place a task because no container instance met all of its requirements.";
    match one_line(reason).trim().trim_end_matches('.') {
        "" => about(service, text),
        reason => about(service, &format!("{text} Reason: {reason}.")),
    }
}

/// `(service web) was unable to place a task. Reason: CannotPullContainerError: not found.` ECS says so of a task that stopped
/// before it ran.
pub fn unable_to_start(service: &str, reason: &str) -> String {
    let reason = one_line(reason);
    about(service, &format!("was unable to place a task. Reason: {}.", reason.trim().trim_end_matches('.')))
}

/// `(service web) is not AZ balanced with 3 tasks in us-east-1a, 1 tasks in us-east-1b. AZ Rebalancing in progress.`
pub fn not_balanced(service: &str, zones: &[(&str, i64)]) -> String {
    about(service, &format!("is not AZ balanced with {}. AZ Rebalancing in progress.", tasks_in_zones(zones)))
}

/// `(service web) is AZ balanced with 2 tasks in us-east-1a, 2 tasks in us-east-1b.`
pub fn balanced(service: &str, zones: &[(&str, i64)]) -> String {
    about(service, &format!("is AZ balanced with {}.", tasks_in_zones(zones)))
}

fn tasks_in_zones(zones: &[(&str, i64)]) -> String {
    let all: Vec<String> = zones.iter().map(|(zone, tasks)| format!("{tasks} tasks in {}", one_line(zone))).collect();
    all.join(", ")
}

/// `(service web) is unable to consistently start tasks successfully.`
pub fn unable_to_start_consistently(service: &str) -> String {
    about(service, "is unable to consistently start tasks successfully.")
}

/// The text for bounds that allow neither a start nor a stop, see [`crate::rolling::Bounds::is_stuck`].
pub fn stuck_deployment(service: &str) -> String {
    about(
        service,
        "was unable to stop or start tasks during a deployment because of the service deployment configuration. \
         Update the minimumHealthyPercent or maximumPercent value and try again.",
    )
}

/// `(service web, taskSet ecs-svc/1) was unable to scale in due to (reason 2 tasks under protection)`
pub fn unable_to_scale_in(service: &str, deployment: &str, protected: usize) -> String {
    format!(
        "(service {service}, taskSet {deployment}) was unable to scale in due to (reason {protected} tasks under \
         protection)"
    )
}

/// What becomes of a deployment that fails when it is the first, or none before it completed: ECS says the same of the
/// deployment and in the event.
pub fn no_rollback_candidate() -> String {
    "No rollback candidate was found to run the rollback.".to_owned()
}

/// `statusReason` of a deployment that is undone because of its failed tasks.
pub fn rolled_back_by_circuit_breaker() -> String {
    "Service deployment rolled back because the circuit breaker threshold was exceeded.".to_owned()
}

/// `statusReason` of a deployment that is undone because of alarms.
pub fn rolled_back_by_alarms() -> String {
    "Service deployment rolled back because of one or more active alarms.".to_owned()
}

/// `statusReason` of a deployment that is undone because somebody stopped it.
pub fn rolled_back_by_request() -> String {
    "Service deployment rolled back because it was stopped by a user.".to_owned()
}

/// `statusReason` and `rolloutStateReason` of a deployment that somebody stopped where it was.
pub fn stopped_by_request() -> String {
    "Service deployment stopped by a user.".to_owned()
}

/// `(service web) (deployment ecs-svc/1) deployment failed: No rollback candidate was found to run the rollback.`
pub fn deployment_failed_without_candidate(service: &str, deployment: &str) -> String {
    about(service, &format!("(deployment {deployment}) deployment failed: {}", no_rollback_candidate()))
}

/// `(service web) (deployment ecs-svc/1) deployment stopped by a user.` ECS tells nothing when a rolling deployment is
/// stopped; the text is in its form.
pub fn deployment_stopped(service: &str, deployment: &str) -> String {
    about(service, &format!("(deployment {deployment}) deployment stopped by a user."))
}

/// `(service web) (task a) failed container health checks.`
pub fn failed_health_checks(service: &str, task: &str) -> String {
    about(service, &format!("(task {task}) failed container health checks."))
}

/// Why tasks of a service were stopped by its scheduler: `Scaling activity initiated by (deployment ecs-svc/1)`.
pub fn scaling_activity(deployment: &str) -> String {
    format!("Scaling activity initiated by (deployment {deployment})")
}

/// `rolloutStateReason` of a deployment that goes on.
pub fn rollout_in_progress(deployment: &str) -> String {
    format!("ECS deployment {deployment} in progress.")
}

/// `rolloutStateReason` of a deployment that is done.
pub fn rollout_completed(deployment: &str) -> String {
    format!("ECS deployment {deployment} completed.")
}

/// `rolloutStateReason` of a deployment that the circuit breaker ended.
pub fn rollout_failed() -> String {
    "ECS deployment circuit breaker: tasks failed to start.".to_owned()
}

/// `rolloutStateReason` of a deployment that an alarm ended.
pub fn rollout_failed_by_alarm() -> String {
    "ECS deployment failed: alarm detected.".to_owned()
}

/// `rolloutStateReason` of a deployment, in progress, that undoes one which an alarm ended.
pub fn rollout_rolling_back_by_alarm(deployment: &str) -> String {
    format!("ECS deployment failed: alarm detected, rolling back to deploymentId {deployment}.")
}

/// `rolloutStateReason` of a deployment, in progress, that undoes one which the circuit breaker ended.
pub fn rollout_rolling_back(deployment: &str) -> String {
    format!("ECS deployment circuit breaker: rolling back to deploymentId {deployment}.")
}

/// Names of the events that ECS puts on the bus; the reasons of our Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventName {
    /// Everything runs and is healthy.
    ServiceSteadyState,
    /// Tasks do not start consistently.
    ServiceTaskStartImpaired,
    /// No node has room or fits.
    ServiceTaskPlacementFailure,
    /// A deployment started.
    ServiceDeploymentInProgress,
    /// A deployment completed.
    ServiceDeploymentCompleted,
    /// A deployment failed.
    ServiceDeploymentFailed,
    /// Tasks begin to move between zones.
    ServiceRebalancingStarted,
    /// The zones have as many tasks as each other, or one more.
    ServiceRebalancingCompleted,
    /// An autoscaler or user changed the count.
    ServiceDesiredCountUpdated,
    /// The service cannot make tasks from its settings.
    ServiceTaskConfigurationFailure,
    /// A running task of a DAEMON service is on an instance that no longer meets the placement constraints.
    ServiceDaemonPlacementConstraintViolated,
    /// A provider has what it needs.
    CapacityProviderSteadyState,
}

impl EventName {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::ServiceSteadyState,
        Self::ServiceTaskStartImpaired,
        Self::ServiceTaskPlacementFailure,
        Self::ServiceDeploymentInProgress,
        Self::ServiceDeploymentCompleted,
        Self::ServiceDeploymentFailed,
        Self::ServiceRebalancingStarted,
        Self::ServiceRebalancingCompleted,
        Self::ServiceDesiredCountUpdated,
        Self::ServiceTaskConfigurationFailure,
        Self::ServiceDaemonPlacementConstraintViolated,
        Self::CapacityProviderSteadyState,
    ];

    /// The spelling of ECS.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceSteadyState => "SERVICE_STEADY_STATE",
            Self::ServiceTaskStartImpaired => "SERVICE_TASK_START_IMPAIRED",
            Self::ServiceTaskPlacementFailure => "SERVICE_TASK_PLACEMENT_FAILURE",
            Self::ServiceDeploymentInProgress => "SERVICE_DEPLOYMENT_IN_PROGRESS",
            Self::ServiceDeploymentCompleted => "SERVICE_DEPLOYMENT_COMPLETED",
            Self::ServiceDeploymentFailed => "SERVICE_DEPLOYMENT_FAILED",
            Self::ServiceRebalancingStarted => "SERVICE_REBALANCING_STARTED",
            Self::ServiceRebalancingCompleted => "SERVICE_REBALANCING_COMPLETED",
            Self::ServiceDesiredCountUpdated => "SERVICE_DESIRED_COUNT_UPDATED",
            Self::ServiceTaskConfigurationFailure => "SERVICE_TASK_CONFIGURATION_FAILURE",
            Self::ServiceDaemonPlacementConstraintViolated => "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED",
            Self::CapacityProviderSteadyState => "CAPACITY_PROVIDER_STEADY_STATE",
        }
    }

    /// Whether the event says that something is wrong.
    pub fn is_warning(self) -> bool {
        matches!(
            self,
            Self::ServiceTaskStartImpaired
                | Self::ServiceTaskPlacementFailure
                | Self::ServiceDeploymentFailed
                | Self::ServiceTaskConfigurationFailure
                | Self::ServiceDaemonPlacementConstraintViolated
        )
    }
}

/// Whether a message may be written again at `now`, when it was last written at `last` (both in seconds).
pub fn may_repeat(last: Option<i64>, now: i64) -> bool {
    last.is_none_or(|last| now.saturating_sub(last) >= REPEAT_AFTER_SECONDS)
}

fn about(service: &str, text: &str) -> String {
    format!("(service {service}) {text}")
}

fn tasks(ids: &[String]) -> String {
    let mut text = String::new();
    for (index, id) in ids.iter().enumerate() {
        let blank = if index == 0 { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{blank}(task {id})");
    }
    text
}

/// Text from elsewhere without line feeds and other control characters, so that it cannot forge another event.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
