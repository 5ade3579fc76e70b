//! ECSServiceDeployment: one rollout of a service, with the inputs it was made of. Written by the operator only.

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

/// One rollout of a service: what started it and the inputs it was made of. Made by the operator and never changed.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ecs-operator.dev",
    version = "v1alpha1",
    kind = "ECSServiceDeployment",
    plural = "ecsservicedeployments",
    shortname = "ecsdep",
    category = "ecs",
    namespaced,
    status = "ServiceDeploymentStatus",
    derive = "PartialEq",
    doc = "One rollout of an ECSService, with the inputs it was made of, as the service deployments and service \
           revisions of Amazon ECS. Written by the operator only.",
    printcolumn(
        name = "Service",
        type_ = "string",
        json_path = ".spec.service",
        description = "ECSService that is rolled out."
    ),
    printcolumn(
        name = "Task definition",
        type_ = "string",
        json_path = ".spec.taskDefinition",
        description = "Revision that is rolled out."
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.status",
        description = "How far the rollout is."
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
        description = "Time since the rollout began."
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
        description = "Why the rollout is there.",
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
    /// `ecs-svc/` and 19 digits.
    #[schemars(length(min = 1, max = 64))]
    pub deployment_id: String,
    /// When the deployment was made.
    pub created_at: MicroTime,
    /// What started the deployment, for people: `taskDefinition changed`.
    #[schemars(length(max = 4096))]
    pub trigger: String,
    /// Revision that is rolled out, `family:N`.
    #[schemars(length(min = 1, max = 300))]
    pub task_definition: String,
    /// Hash of the members of the service that start a deployment.
    #[schemars(length(max = 255))]
    pub trigger_hash: String,
    /// Hash of the forced-deployment members of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub force_hash: Option<String>,
    /// ECSServiceDeployment that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub previous_deployment: Option<String>,
    /// ECSServiceDeployment that was given up or stopped and that this one undoes; absent for any other deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub rollback_of: Option<String>,
    /// The service revision: the frozen inputs that new tasks of this deployment are made of.
    #[schemars(schema_with = "any_object")]
    pub service_revision: Value,
}

/// How far a service deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceDeploymentState {
    /// Not begun.
    Pending,
    /// Completed.
    Successful,
    /// Stopped, by somebody, by a newer deployment or by a failure without rollback.
    Stopped,
    /// Asked to stop.
    StopRequested,
    /// Tasks are being replaced.
    InProgress,
    /// Asked to roll back.
    RollbackRequested,
    /// Going back to the last completed deployment.
    RollbackInProgress,
    /// Went back to the last completed deployment.
    RollbackSuccessful,
    /// Could not go back.
    RollbackFailed,
}

/// What the circuit breaker or the alarms of a deployment do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceDeploymentRollbackMonitorsStatus {
    /// The deployment was failed.
    Triggered,
    /// Watching.
    Monitoring,
    /// Watched until the deployment was completed.
    MonitoringComplete,
    /// Switched off.
    Disabled,
}

/// State of the circuit breaker of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentCircuitBreaker {
    /// What the breaker does.
    pub status: ServiceDeploymentRollbackMonitorsStatus,
    /// Failures counted so far.
    #[schemars(range(min = 0))]
    pub failure_count: i32,
    /// Failures that fail the deployment.
    #[schemars(range(min = 0))]
    pub threshold: i32,
}

/// State of the alarms of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentAlarms {
    /// What the alarms do; `DISABLED` too for a deployment that began while one of them was in ALARM.
    pub status: ServiceDeploymentRollbackMonitorsStatus,
    /// Names of the alarms that are watched.
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
    /// What ended it.
    pub cause: DeploymentEndCause,
    /// What follows.
    pub rollback: DeploymentEndRollback,
}

/// How a deployment was undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Why, in a sentence.
    #[schemars(length(max = 4096))]
    pub reason: String,
    /// When the service began to go back.
    pub started_at: MicroTime,
    /// ECSServiceDeployment whose service revision the service went back to.
    #[schemars(length(max = 253))]
    pub service_revision: String,
}

/// What the operator reports about a rollout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentStatus {
    /// `metadata.generation` of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// What is true of the rollout now.
    #[serde(default, deserialize_with = "crate::conditions::known", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How far the rollout is, as DescribeServiceDeployments says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ServiceDeploymentState>,
    /// Why the rollout is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub status_reason: Option<String>,
    /// How far the rollout is, as DescribeServices says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_state: Option<DeploymentRolloutState>,
    /// When the first task of the deployment was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// When the rollout was completed, failed or replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// When anything here last changed.
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
    /// State of the circuit breaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_circuit_breaker: Option<ServiceDeploymentCircuitBreaker>,
    /// State of the alarms; absent when none are configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<ServiceDeploymentAlarms>,
    /// How the deployment ended; absent while it is in progress and after it completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<DeploymentEnd>,
    /// How the deployment was undone; absent unless it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// When the deployment was stopped by somebody, or by a failure without rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<MicroTime>,
    /// Since when enough tasks have been healthy and alarms have been watched for the bake time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake_started_at: Option<MicroTime>,
    /// Starts that failed before RUNNING since the last one that did not: what the pause before the next one grows with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub start_attempts: Option<i32>,
    /// When the next task may be started; absent while starts are not slowed down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<MicroTime>,
    /// Uids of pods that are counted as failed and still exist. Internal: each failure counts once across restarts of the
    /// operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5000), inner(length(max = 128)))]
    pub counted_tasks: Vec<String>,
    /// Marks of tasks that were healthy when the first failure of `failureCount` was counted, or later. Internal: only a
    /// task that becomes healthy afterwards sets the count to 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5000))]
    pub healthy_tasks: Vec<i64>,
    /// Failures since a task last became healthy: what the circuit breaker compares with its threshold. Internal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failure_count: Option<i32>,
}

/// At most this many uids are kept in [`ServiceDeploymentStatus::counted_tasks`].
pub const MAX_COUNTED_TASKS: usize = 5000;
