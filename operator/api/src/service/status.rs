//! Observed state of a service: the members of DescribeServices, plus conditions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LaunchType;
use crate::capacity_provider::CapacityProviderStrategyItem;
use crate::conditions::Condition;
use crate::schema::MicroTime;

/// Largest number of deployments in the status.
pub const MAX_DEPLOYMENTS: usize = 10;
/// Largest number of events in the status, newest first.
pub const MAX_EVENTS: usize = 100;
/// Largest number of stopped tasks in the status, newest first.
pub const MAX_STOPPED_TASKS: usize = 10;

/// State of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ServiceState {
    /// The service runs, or would run, tasks.
    Active,
    /// The service is being deleted and still has tasks.
    Draining,
    /// The service is deleted.
    Inactive,
}

/// Observed state of a service, in the spelling of DescribeServices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// `metadata.generation` of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Current conditions of the service.
    #[serde(default, deserialize_with = "crate::conditions::known", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// ARN of the service, in the long format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub service_arn: Option<String>,
    /// ECS name of the service: `spec.serviceName`, or `metadata.name` when that is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub service_name: Option<String>,
    /// ARN of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub cluster_arn: Option<String>,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ServiceState>,
    /// Number of tasks that should run: `spec.desiredCount`, or the number of eligible nodes of a daemon service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub desired_count: Option<i32>,
    /// Tasks whose lastStatus is RUNNING, whether healthy or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub running_count: Option<i32>,
    /// Tasks on their way to RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub pending_count: Option<i32>,
    /// Tasks of all deployments of the service that are RUNNING or on their way there: the count of the scale
    /// subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// Label selector of the pods of those tasks, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub selector: Option<String>,
    /// Revision of the PRIMARY deployment, `family:N`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub task_definition: Option<String>,
    /// Launch type in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<LaunchType>,
    /// Capacity provider strategy in effect: the service's own or the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub capacity_provider_strategy: Option<Vec<CapacityProviderStrategyItem>>,
    /// Operating system family of Fargate tasks, such as `Linux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub platform_family: Option<String>,
    /// Deployments, PRIMARY first; at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub deployments: Vec<Deployment>,
    /// Events in ECS's words, newest first; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub events: Vec<ServiceEvent>,
    /// Tasks that ended, or that the operator stopped, because they failed, newest first; at most 10. Excludes tasks
    /// that a rollout or a scale-in stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub stopped_tasks: Vec<StoppedTask>,
    /// Time when the operator first saw the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<MicroTime>,
    /// ECSServiceDeployment of the rollout in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub current_service_deployment: Option<String>,
    /// Internal: which started and stopped tasks `events` covers already, so that each event appears once across
    /// restarts of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_watermark: Option<TaskWatermark>,
    /// Time since which the service has been in a steady state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady_since: Option<MicroTime>,
    /// Internal: events about lasting conditions, which are repeated after six hours at the earliest; at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub announcements: Vec<Announcement>,
    /// Internal: what Availability Zone rebalancing remembers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalancing: Option<RebalancingStatus>,
    /// Time of the last steady state event; ECS repeats it about every 6 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady_announced_at: Option<MicroTime>,
}

/// The subject of an event that is repeated while a condition lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AnnouncementTopic {
    /// The deployment configuration allows no task to start or stop.
    DeploymentStuck,
    /// Tasks repeatedly fail to start.
    TaskStartImpaired,
    /// No container instance has room for a task.
    TaskPlacementFailure,
    /// Protected tasks keep the service from scaling in.
    ScaleInBlocked,
    /// A task stopped before it ran.
    TaskFailedToStart,
}

/// An event about a lasting condition, and when it was last written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Announcement {
    /// Subject of the event.
    pub topic: AnnouncementTopic,
    /// Deployment that the event names, `ecs-svc/` and 19 digits; for `SCALE_IN_BLOCKED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub deployment: Option<String>,
    /// Number of tasks that the event names; for `SCALE_IN_BLOCKED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub tasks: Option<i32>,
    /// Time when the event was last written.
    pub announced_at: MicroTime,
}

/// What Availability Zone rebalancing remembers between reconciles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RebalancingStatus {
    /// Whether the zones were last reported as not balanced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbalanced: bool,
    /// Moves tried in the last 30 minutes, newest first: the same distribution is not tried again within that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub tries: Vec<RebalancingTry>,
    /// Task that makes way for the one that was started in another zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<LeavingTask>,
}

/// A task that makes way for one in another zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeavingTask {
    /// Id of the task.
    #[schemars(length(max = 64))]
    pub id: String,
    /// Name of its zone.
    #[schemars(length(max = 63))]
    pub zone: String,
}

/// A move between zones that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RebalancingTry {
    /// Tasks per zone before the move.
    #[schemars(length(max = 64))]
    pub distribution: Vec<ZoneTasks>,
    /// Time when the move started.
    pub tried_at: MicroTime,
}

/// Tasks of the service in one Availability Zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneTasks {
    /// Name of the zone.
    #[schemars(length(max = 63))]
    pub zone: String,
    /// Number of tasks in the zone.
    #[schemars(range(min = 0))]
    pub tasks: i32,
}

/// Role of a deployment in its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeploymentStatus {
    /// The newest deployment.
    Primary,
    /// A deployment that is being replaced and still has tasks.
    Active,
    /// A deployment that is completely replaced.
    Inactive,
}

/// Rollout state of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentRolloutState {
    /// The service reached a steady state with this deployment.
    Completed,
    /// The circuit breaker or an alarm failed the deployment.
    Failed,
    /// Tasks are being replaced.
    InProgress,
}

/// One deployment of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Deployment id: `ecs-svc/` and 19 digits. Tasks carry it as `startedBy`.
    #[schemars(length(max = 64))]
    pub id: String,
    /// `PRIMARY`, `ACTIVE` or `INACTIVE`.
    pub status: DeploymentStatus,
    /// Revision, `family:N`.
    #[schemars(length(max = 2048))]
    pub task_definition: String,
    /// Tasks that this deployment should run.
    #[schemars(range(min = 0))]
    pub desired_count: i32,
    /// Tasks on their way to RUNNING.
    #[schemars(range(min = 0))]
    pub pending_count: i32,
    /// Tasks in RUNNING.
    #[schemars(range(min = 0))]
    pub running_count: i32,
    /// Failed tasks over the lifetime of the deployment: those that could not start, ended too soon, or failed their
    /// health checks.
    #[schemars(range(min = 0))]
    pub failed_tasks: i32,
    /// Time when the deployment was created.
    pub created_at: MicroTime,
    /// Time of the last change to this deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<MicroTime>,
    /// Launch type of its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<LaunchType>,
    /// Capacity provider strategy of its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub capacity_provider_strategy: Option<Vec<CapacityProviderStrategyItem>>,
    /// State of the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_state: Option<DeploymentRolloutState>,
    /// Reason for the current `rolloutState`, in ECS's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub rollout_state_reason: Option<String>,
}

/// One event of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEvent {
    /// Identifier of the event.
    #[schemars(length(max = 64))]
    pub id: String,
    /// Time of the event.
    pub created_at: MicroTime,
    /// Text of the event, in ECS's words.
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// A task that ended, or that the operator stopped, because of a failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoppedTask {
    /// ARN of the task.
    #[schemars(length(max = 2048))]
    pub task_arn: String,
    /// Name of the pod.
    #[schemars(length(max = 253))]
    pub pod: String,
    /// UID of the pod. A pod that still exists although its task is listed here is about to be deleted.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// Stop code, such as `EssentialContainerExited`, `TaskFailedToStart` or `ServiceSchedulerInitiated`.
    #[schemars(length(max = 64))]
    pub stop_code: String,
    /// Reason that the task stopped, in ECS's words.
    #[schemars(length(max = 1024))]
    pub stopped_reason: String,
    /// Time when all essential containers had started; absent if that never happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// Time when the task ended, or when the operator gave it up.
    pub stopped_at: MicroTime,
    /// Revision of the task, `family:N`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub task_definition: Option<String>,
    /// Deployment that started the task, `ecs-svc/` and 19 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub started_by: Option<String>,
    /// Containers of the task, in the order of the task definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub containers: Vec<StoppedContainer>,
}

/// A container of a stopped task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoppedContainer {
    /// Name in the task definition.
    #[schemars(length(max = 255))]
    pub name: String,
    /// Exit code; absent for a container that had not exited by `stoppedAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why the container ended or could not start, if more than the exit code is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
    /// Whether this container ended the task. Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_the_task: Option<bool>,
}

/// Which started and stopped tasks the events of a service cover already.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskWatermark {
    /// Starts up to this time have their event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_through: Option<MicroTime>,
    /// Tasks that started exactly then and have their event; at most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(max = 64)))]
    pub started_ids: Vec<String>,
    /// Stops up to this time have their event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_through: Option<MicroTime>,
    /// Tasks that stopped exactly then and have their event; at most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(max = 64)))]
    pub stopped_ids: Vec<String>,
    /// Existing tasks of a DAEMON service whose violation of its placement constraints has its event; at most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(max = 64)))]
    pub misplaced_ids: Vec<String>,
}
