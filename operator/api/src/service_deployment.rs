//! ECSServiceDeployment: one rollout of a service, with the inputs it was created from. Written by the operator only.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conditions::Condition;
use crate::schema::{MicroTime, Rule, any_object, validations};
use crate::service::DeploymentRolloutState;

/// Rules that the spec of one service deployment must meet by itself.
pub const SERVICE_DEPLOYMENT_RULES: &[Rule] = &[Rule {
    path: "",
    message: "InvalidParameterException: a service deployment is a record and cannot be changed",
    cel: "self == oldSelf",
}];

/// One rollout of a service: what started it and the inputs it was created from. Created by the operator and immutable.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ecs-operator.dev",
    version = "v1alpha1",
    kind = "ECSServiceDeployment",
    plural = "ecsservicedeployments",
    shortname = "ecsdep",
    selectable = ".spec.service",
    selectable = ".spec.taskDefinition",
    selectable = ".status.status",
    category = "ecs",
    namespaced,
    status = "ServiceDeploymentStatus",
    derive = "PartialEq",
    doc = "One rollout of an ECSService, with the inputs it was created from, like the service deployments and service \
           revisions of Amazon ECS. Written by the operator only.",
    printcolumn(
        name = "Service",
        type_ = "string",
        json_path = ".spec.service",
        description = "ECSService of the rollout."
    ),
    printcolumn(
        name = "Task definition",
        type_ = "string",
        json_path = ".spec.taskDefinition",
        description = "Revision to roll out."
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.status",
        description = "State of the rollout."
    ),
    printcolumn(
        name = "Running",
        type_ = "integer",
        json_path = ".status.runningCount",
        description = "Tasks in RUNNING."
    ),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.failedTasks", description = "Failed tasks."),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the rollout started."
    ),
    printcolumn(
        name = "Deployment",
        type_ = "string",
        json_path = ".spec.deploymentId",
        description = "ECS id of the deployment.",
        priority = 1
    ),
    printcolumn(
        name = "Trigger",
        type_ = "string",
        json_path = ".spec.trigger",
        description = "What started the rollout.",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.statusReason",
        description = "Reason for the current status, in ECS's words.",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SERVICE_DEPLOYMENT_RULES)))]
pub struct ServiceDeploymentSpec {
    /// Name of the ECSService object.
    #[schemars(length(min = 1, max = 253))]
    pub service: String,
    /// ECS name of the service.
    #[schemars(length(min = 1, max = 255))]
    pub service_name: String,
    /// ECS name of the cluster.
    #[schemars(length(min = 1, max = 255))]
    pub cluster: String,
    /// ECS id of the deployment: `ecs-svc/` and 19 digits.
    #[schemars(length(min = 1, max = 64))]
    pub deployment_id: String,
    /// Time when the deployment was created.
    pub created_at: MicroTime,
    /// What started the deployment, as text for people, such as `taskDefinition changed`.
    #[schemars(length(max = 4096))]
    pub trigger: String,
    /// Revision to roll out, `family:N`.
    #[schemars(length(min = 1, max = 300))]
    pub task_definition: String,
    /// Hash of the fields of the service whose change starts a deployment.
    #[schemars(length(max = 255))]
    pub trigger_hash: String,
    /// Hash of the fields of the service that force a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub force_hash: Option<String>,
    /// ECSServiceDeployment that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub previous_deployment: Option<String>,
    /// Failed or stopped ECSServiceDeployment that this one rolls back; absent for all other deployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub rollback_of: Option<String>,
    /// Service revision: the frozen inputs that new tasks of this deployment are created from.
    #[schemars(schema_with = "any_object")]
    pub service_revision: Value,
}

/// State of a service deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceDeploymentState {
    /// Not started.
    Pending,
    /// Completed.
    Successful,
    /// Stopped by a user, by a newer deployment, or by a failure without rollback.
    Stopped,
    /// Stop requested.
    StopRequested,
    /// Tasks are being replaced.
    InProgress,
    /// Rollback requested.
    RollbackRequested,
    /// Rolling back to the last completed deployment.
    RollbackInProgress,
    /// Rolled back to the last completed deployment.
    RollbackSuccessful,
    /// The rollback failed.
    RollbackFailed,
}

/// State of the circuit breaker or of the alarms of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceDeploymentRollbackMonitorsStatus {
    /// Failed the deployment.
    Triggered,
    /// Monitoring the deployment.
    Monitoring,
    /// Monitored the deployment until it completed.
    MonitoringComplete,
    /// Switched off.
    Disabled,
}

/// State of the circuit breaker of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentCircuitBreaker {
    /// State of the circuit breaker.
    pub status: ServiceDeploymentRollbackMonitorsStatus,
    /// Failures counted so far.
    #[schemars(range(min = 0))]
    pub failure_count: i32,
    /// Failures that fail the deployment.
    #[schemars(range(min = 0))]
    pub threshold: i32,
}

/// Tasks of one capacity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityGoal {
    /// The provider, as the label `ecs-operator.dev/capacity-provider` of its tasks has it.
    #[schemars(length(max = 63))]
    pub capacity_provider: String,
    /// Tasks that it is to run.
    #[schemars(range(min = 0))]
    pub desired_count: i32,
}

/// State of the alarms of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentAlarms {
    /// State of the alarms; also `DISABLED` for a deployment that started while one of them was in ALARM.
    pub status: ServiceDeploymentRollbackMonitorsStatus,
    /// Names of the monitored alarms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub alarm_names: Vec<String>,
    /// Names of the alarms that failed the deployment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub triggered_alarm_names: Vec<String>,
}

/// What ended a deployment that did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentEndCause {
    /// The deployment circuit breaker: too many tasks failed.
    CircuitBreaker,
    /// A deployment alarm.
    Alarm,
    /// A user stopped it.
    User,
    /// A newer deployment replaced it.
    Replaced,
}

/// What follows from the end of a deployment that did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentEndRollback {
    /// No rollback was requested: both revisions stay as they are.
    NotRequested,
    /// A rollback was requested, but no earlier deployment completed.
    NoCandidate,
    /// The service rolls back to the last completed deployment.
    Started,
}

/// How a deployment ended that did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentEnd {
    /// Cause of the end.
    pub cause: DeploymentEndCause,
    /// What follows.
    pub rollback: DeploymentEndRollback,
}

/// How a deployment was rolled back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Reason for the rollback.
    #[schemars(length(max = 4096))]
    pub reason: String,
    /// Time when the rollback started.
    pub started_at: MicroTime,
    /// ECSServiceDeployment whose service revision the service rolled back to.
    #[schemars(length(max = 253))]
    pub service_revision: String,
}

/// Observed state of a rollout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentStatus {
    /// `metadata.generation` of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Current conditions of the rollout.
    #[serde(default, deserialize_with = "crate::conditions::known", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// State of the rollout, in the spelling of DescribeServiceDeployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ServiceDeploymentState>,
    /// Reason for the current `rolloutState`, in ECS's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub status_reason: Option<String>,
    /// State of the rollout, in the spelling of DescribeServices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_state: Option<DeploymentRolloutState>,
    /// Time when the operator requested the first task of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// Time when the rollout completed, failed or was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// Time of the last change to this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<MicroTime>,
    /// Tasks that the deployment should run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub desired_count: Option<i32>,
    /// Tasks in RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub running_count: Option<i32>,
    /// Tasks on their way to RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub pending_count: Option<i32>,
    /// Failed tasks of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failed_tasks: Option<i32>,
    /// Time when a task of the deployment was healthy for the first time. From then on `failedTasks` of the service is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_healthy_at: Option<MicroTime>,
    /// Tasks that each capacity provider is to run. A change of the strategy moves none of them; the next tasks go by the new
    /// strategy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 21), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["capacityProvider"]))]
    pub capacity: Vec<CapacityGoal>,
    /// State of the circuit breaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_circuit_breaker: Option<ServiceDeploymentCircuitBreaker>,
    /// State of the alarms; absent when none are configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<ServiceDeploymentAlarms>,
    /// How the deployment ended; absent while it is in progress and after it completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<DeploymentEnd>,
    /// How the deployment was rolled back; absent unless it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// Time when a user, or a failure without rollback, stopped the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<MicroTime>,
    /// Time when enough tasks were healthy and the bake time began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake_started_at: Option<MicroTime>,
    /// Consecutive task starts that failed before RUNNING; the pause before the next start grows with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub start_attempts: Option<i32>,
    /// Time from which the operator may start the next task: the time of the last failure before RUNNING, plus the delay. Absent
    /// if no start failed since a task last reached RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<MicroTime>,
    /// Internal: UIDs of existing pods that count as failed already, so that each failure counts once across restarts
    /// of the operator; at most 5000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5000), inner(length(max = 128)))]
    pub counted_tasks: Vec<String>,
    /// Internal: marks of tasks that were healthy when the first failure of `failureCount` was counted, or later; only
    /// a task that becomes healthy afterwards resets the count. At most 5000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5000))]
    pub healthy_tasks: Vec<i64>,
    /// Internal: failures since a task last became healthy, which the circuit breaker compares with its threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failure_count: Option<i32>,
}

/// Largest number of UIDs in [`ServiceDeploymentStatus::counted_tasks`].
pub const MAX_COUNTED_TASKS: usize = 5000;
