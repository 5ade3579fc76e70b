//! How a service replaces its tasks: rolling bounds, circuit breaker, alarms, blue/green, linear and canary.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{Rule, validations};

/// Rules that one [`DeploymentConfiguration`] must meet by itself. Those that need the scheduling strategy are among
/// [`super::rules::SERVICE_RULES`].
pub const DEPLOYMENT_CONFIGURATION_RULES: &[Rule] = &[
    Rule {
        path: ".maximumPercent",
        message: "InvalidParameterException: maximumPercent must not be less than minimumHealthyPercent",
        cel: "!has(self.maximumPercent) || !has(self.minimumHealthyPercent) || self.maximumPercent >= \
              self.minimumHealthyPercent",
    },
    Rule {
        path: ".deploymentCircuitBreaker",
        message: "InvalidParameterException: the deployment circuit breaker can be enabled for strategy ROLLING only",
        cel: "!has(self.strategy) || self.strategy == 'ROLLING' || !has(self.deploymentCircuitBreaker) || \
              !self.deploymentCircuitBreaker.enable",
    },
    Rule {
        path: ".earlySuccessCriteria",
        message: "InvalidParameterException: earlySuccessCriteria can be enabled for strategy ROLLING only",
        cel: "!has(self.strategy) || self.strategy == 'ROLLING' || !has(self.earlySuccessCriteria) || \
              !self.earlySuccessCriteria.enable",
    },
    Rule {
        path: ".earlySuccessCriteria",
        message: "InvalidParameterException: healthyPercent must not be less than minimumHealthyPercent (100 when \
                  absent)",
        cel: "!has(self.earlySuccessCriteria) || !self.earlySuccessCriteria.enable || \
              !has(self.earlySuccessCriteria.healthyPercent) || self.earlySuccessCriteria.healthyPercent >= \
              (has(self.minimumHealthyPercent) ? self.minimumHealthyPercent : 100)",
    },
    Rule {
        path: ".bakeTimeInMinutes",
        message: "InvalidParameterException: bakeTimeInMinutes is required for strategy BLUE_GREEN",
        cel: "!has(self.strategy) || self.strategy != 'BLUE_GREEN' || has(self.bakeTimeInMinutes)",
    },
    Rule {
        path: ".linearConfiguration",
        message: "InvalidParameterException: linearConfiguration is valid for strategy LINEAR only",
        cel: "!has(self.linearConfiguration) || (has(self.strategy) && self.strategy == 'LINEAR')",
    },
    Rule {
        path: ".canaryConfiguration",
        message: "InvalidParameterException: canaryConfiguration is valid for strategy CANARY only",
        cel: "!has(self.canaryConfiguration) || (has(self.strategy) && self.strategy == 'CANARY')",
    },
];

/// How a service replaces its tasks. Changing it does not start a deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_CONFIGURATION_RULES)))]
pub struct DeploymentConfiguration {
    /// Circuit breaker: fails a deployment whose tasks do not start or do not stay healthy; `ROLLING` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_circuit_breaker: Option<DeploymentCircuitBreaker>,
    /// Upper bound on RUNNING and PENDING tasks during a deployment, as a percentage of the desired count, rounded
    /// down: 150 with 3 desired tasks allows 4. Defaults to 200 for REPLICA and 100 for DAEMON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub maximum_percent: Option<i32>,
    /// Lower bound on healthy tasks during a deployment, as a percentage of the desired count, rounded up: 50 with 3
    /// desired tasks requires 2. Defaults to 100 for REPLICA and 0 for DAEMON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub minimum_healthy_percent: Option<i32>,
    /// Alarms that fail a deployment: alerts of the Alertmanager that the operator is configured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<DeploymentAlarms>,
    /// Deployment strategy. Defaults to `ROLLING`; all others are refused in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<DeploymentStrategy>,
    /// Minutes between the moment all new tasks are healthy (and production traffic has shifted) and the completion of
    /// the deployment, 0 to 1440. Alarms are monitored until then. Defaults to 3 if there are alarms, else to 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1440))]
    pub bake_time_in_minutes: Option<i32>,
    /// Hooks and pauses at lifecycle stages of the deployment. Refused in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub lifecycle_hooks: Option<Vec<DeploymentLifecycleHook>>,
    /// Steps of strategy `LINEAR`, which this version refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_configuration: Option<LinearConfiguration>,
    /// Steps of strategy `CANARY`, which this version refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_configuration: Option<CanaryConfiguration>,
    /// When a rolling deployment counts as completed before all tasks are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_success_criteria: Option<DeploymentEarlySuccessCriteria>,
}

/// Kind of deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentStrategy {
    /// Replaces tasks step by step within the bounds.
    Rolling,
    /// Starts a complete second revision, then shifts all traffic at once.
    BlueGreen,
    /// Starts a complete second revision, then shifts traffic in equal steps.
    Linear,
    /// Starts a complete second revision, then shifts a small share of the traffic, then the rest.
    Canary,
}

/// Fails a deployment whose tasks repeatedly fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentCircuitBreaker {
    /// Whether the circuit breaker is on.
    pub enable: bool,
    /// Whether to roll a failed deployment back to the last completed deployment.
    pub rollback: bool,
    /// Whether a task that becomes healthy resets the failure count to 0. Defaults to true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_on_healthy_task: Option<bool>,
    /// Number of failures that fail the deployment. Defaults to `BOUNDED_PERCENT` 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_configuration: Option<ThresholdConfiguration>,
}

/// Number of failed tasks that fail a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdConfiguration {
    /// How to interpret `value`.
    #[serde(rename = "type")]
    pub type_: ThresholdType,
    /// Number of tasks for `COUNT`, otherwise a percentage of the latest desired count, rounded up.
    #[schemars(range(min = 1))]
    pub value: i32,
}

/// How to interpret the value of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ThresholdType {
    /// Number of tasks to set.
    Count,
    /// Percentage of the desired count, at least 3 and at most 200 tasks.
    BoundedPercent,
    /// Percentage of the desired count, without bounds.
    UnboundedPercent,
}

/// Rules that one [`DeploymentAlarms`] must meet by itself.
pub const DEPLOYMENT_ALARMS_RULES: &[Rule] = &[Rule {
    path: ".alarmNames",
    message: "InvalidParameterException: alarmNames can not be empty when alarms are enabled",
    cel: "!self.enable || self.alarmNames.size() > 0",
}];

/// Alarms that fail a deployment while it is in progress or baking. If one fires already when the deployment starts,
/// all are ignored for that deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_ALARMS_RULES)))]
pub struct DeploymentAlarms {
    /// Names of the alarms, or ARNs: the label `alertname` of the alerts.
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub alarm_names: Vec<String>,
    /// Whether to roll a failed deployment back to the last completed deployment.
    pub rollback: bool,
    /// Whether the alarms are monitored.
    pub enable: bool,
}

/// Rules that one [`DeploymentLifecycleHook`] must meet by itself.
pub const DEPLOYMENT_LIFECYCLE_HOOK_RULES: &[Rule] = &[
    Rule {
        path: ".hookTargetArn",
        message: "InvalidParameterException: hookTargetArn is required for targetType AWS_LAMBDA",
        cel: "(has(self.targetType) && self.targetType == 'PAUSE') || (has(self.hookTargetArn) && self.hookTargetArn \
              != '')",
    },
    Rule {
        path: ".lifecycleStages",
        message: "InvalidParameterException: a lifecycle hook needs at least one lifecycle stage",
        cel: "has(self.lifecycleStages) && self.lifecycleStages.size() > 0",
    },
    Rule {
        path: ".lifecycleStages",
        message: "InvalidParameterException: targetType PAUSE is not possible at TEST_TRAFFIC_SHIFT and \
                  PRODUCTION_TRAFFIC_SHIFT",
        cel: "!has(self.targetType) || self.targetType != 'PAUSE' || !has(self.lifecycleStages) || \
              !self.lifecycleStages.exists(s, s in ['TEST_TRAFFIC_SHIFT', 'PRODUCTION_TRAFFIC_SHIFT'])",
    },
];

/// A hook or a pause at lifecycle stages of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_LIFECYCLE_HOOK_RULES)))]
pub struct DeploymentLifecycleHook {
    /// What the hook does. Defaults to `AWS_LAMBDA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_type: Option<DeploymentLifecycleHookTargetType>,
    /// Function to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub hook_target_arn: Option<String>,
    /// IAM role that ECS uses to call the function. No effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role_arn: Option<String>,
    /// Stages at which the hook runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub lifecycle_stages: Option<Vec<DeploymentLifecycleHookStage>>,
    /// Any JSON to pass to the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "hook_details")]
    pub hook_details: Option<Value>,
    /// Timeout of the hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_configuration: Option<DeploymentLifecycleHookTimeoutConfiguration>,
}

fn hook_details(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "x-kubernetes-preserve-unknown-fields": true, "nullable": true })
}

/// What a lifecycle hook does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentLifecycleHookTargetType {
    /// Calls a function.
    AwsLambda,
    /// Waits until somebody continues the deployment or rolls it back.
    Pause,
}

/// A stage of a deployment at which a hook can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentLifecycleHookStage {
    /// Before the deployment, if the service runs several revisions.
    ReconcileService,
    /// Before the new revision starts.
    PreScaleUp,
    /// After the new revision is fully scaled up.
    PostScaleUp,
    /// While test traffic shifts.
    TestTrafficShift,
    /// After test traffic has shifted.
    PostTestTrafficShift,
    /// Before production traffic shifts.
    PreProductionTrafficShift,
    /// While production traffic shifts.
    ProductionTrafficShift,
    /// After production traffic has shifted.
    PostProductionTrafficShift,
}

/// Timeout of a lifecycle hook and what happens after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentLifecycleHookTimeoutConfiguration {
    /// Timeout in minutes, 1 to 20160. Defaults to 1440.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20160))]
    pub timeout_in_minutes: Option<i32>,
    /// What happens after the timeout. Defaults to `ROLLBACK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<DeploymentLifecycleHookAction>,
}

/// What happens when a lifecycle hook times out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeploymentLifecycleHookAction {
    /// Rolls the deployment back.
    Rollback,
    /// Continues the deployment.
    Continue,
}

/// Rules that one [`LinearConfiguration`] must meet by itself.
pub const LINEAR_CONFIGURATION_RULES: &[Rule] = &[Rule {
    path: ".stepPercent",
    message: "InvalidParameterException: stepPercent must be between 3.0 and 100.0 in steps of 0.1",
    cel: "!has(self.stepPercent) || (self.stepPercent >= 3.0 && self.stepPercent <= 100.0 && self.stepPercent * 10.0 - \
          double(int(self.stepPercent * 10.0 + 0.5)) < 0.000001 && self.stepPercent * 10.0 - \
          double(int(self.stepPercent * 10.0 + 0.5)) > -0.000001)",
}];

/// Steps of strategy `LINEAR`, which this version refuses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(LINEAR_CONFIGURATION_RULES)))]
pub struct LinearConfiguration {
    /// Percentage of the traffic to shift in each step, 3.0 to 100.0 in steps of 0.1. Defaults to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_percent: Option<f64>,
    /// Minutes between two steps, 0 to 1440. Defaults to 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1440))]
    pub step_bake_time_in_minutes: Option<i32>,
}

/// Rules that one [`CanaryConfiguration`] must meet by itself.
pub const CANARY_CONFIGURATION_RULES: &[Rule] = &[Rule {
    path: ".canaryPercent",
    message: "InvalidParameterException: canaryPercent must be between 0.1 and 100.0 in steps of 0.1",
    cel: "!has(self.canaryPercent) || (self.canaryPercent >= 0.1 && self.canaryPercent <= 100.0 && self.canaryPercent \
          * 10.0 - double(int(self.canaryPercent * 10.0 + 0.5)) < 0.000001 && self.canaryPercent * 10.0 - \
          double(int(self.canaryPercent * 10.0 + 0.5)) > -0.000001)",
}];

/// Steps of strategy `CANARY`, which this version refuses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(CANARY_CONFIGURATION_RULES)))]
pub struct CanaryConfiguration {
    /// Percentage of the traffic to shift first, 0.1 to 100.0 in steps of 0.1. Defaults to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_percent: Option<f64>,
    /// Minutes before the rest of the traffic shifts, 0 to 1440. Defaults to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1440))]
    pub canary_bake_time_in_minutes: Option<i32>,
}

/// Rules that one [`DeploymentEarlySuccessCriteria`] must meet by itself.
pub const DEPLOYMENT_EARLY_SUCCESS_CRITERIA_RULES: &[Rule] = &[Rule {
    path: ".enable",
    message: "InvalidParameterException: earlySuccessCriteria needs healthyPercent and sourceServiceRevisionCleanup",
    cel: "!self.enable || (has(self.healthyPercent) && has(self.sourceServiceRevisionCleanup))",
}];

/// When a rolling deployment counts as completed before all tasks are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_EARLY_SUCCESS_CRITERIA_RULES)))]
pub struct DeploymentEarlySuccessCriteria {
    /// Whether the criteria are on.
    pub enable: bool,
    /// Healthy tasks of the new revision that complete the deployment, as a percentage of the desired count; not less
    /// than `minimumHealthyPercent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub healthy_percent: Option<i32>,
    /// Whether old tasks are stopped before or after the deployment counts as completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_service_revision_cleanup: Option<ServiceRevisionCleanup>,
}

/// When old tasks are stopped, relative to the completion of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ServiceRevisionCleanup {
    /// Before completion.
    Blocking,
    /// After completion.
    Deferred,
}

/// Deployment controller of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_CONTROLLER_RULES)))]
pub struct DeploymentController {
    /// Type of the controller: `ECS`; all others are refused.
    #[serde(rename = "type")]
    pub type_: DeploymentControllerType,
}

/// Rules that one [`DeploymentController`] must meet by itself.
pub const DEPLOYMENT_CONTROLLER_RULES: &[Rule] = &[Rule {
    path: ".type",
    message: "UnsupportedFeatureException: deployment controllers CODE_DEPLOY and EXTERNAL are not supported; use ECS",
    cel: "self.type == 'ECS'",
}];

/// Deployment controller of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentControllerType {
    /// The service scheduler of ECS.
    Ecs,
    /// AWS CodeDeploy: refused.
    CodeDeploy,
    /// Task sets created by a third party: refused.
    External,
}
