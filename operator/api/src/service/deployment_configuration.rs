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

/// How a service replaces its tasks. Changing it starts no deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_CONFIGURATION_RULES)))]
pub struct DeploymentConfiguration {
    /// Fails a deployment whose tasks do not start or stay healthy; `ROLLING` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_circuit_breaker: Option<DeploymentCircuitBreaker>,
    /// Most tasks in RUNNING or PENDING during a deployment, in percent of the desired count, rounded down. REPLICA: 200
    /// when absent; DAEMON: 100. Example: 150 of 3 desired tasks are 4 tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub maximum_percent: Option<i32>,
    /// Fewest healthy tasks during a deployment, in percent of the desired count, rounded up. REPLICA: 100 when absent;
    /// DAEMON: 0. Example: 50 of 3 desired tasks are 2 tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub minimum_healthy_percent: Option<i32>,
    /// Alarms that fail a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<DeploymentAlarms>,
    /// Kind of deployment; `ROLLING` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<DeploymentStrategy>,
    /// Minutes for which both revisions run after production traffic has moved; 0 to 1440.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1440))]
    pub bake_time_in_minutes: Option<i32>,
    /// Hooks and pauses at stages of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub lifecycle_hooks: Option<Vec<DeploymentLifecycleHook>>,
    /// Steps of strategy `LINEAR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_configuration: Option<LinearConfiguration>,
    /// Steps of strategy `CANARY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_configuration: Option<CanaryConfiguration>,
    /// When a rolling deployment counts as completed before it is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_success_criteria: Option<DeploymentEarlySuccessCriteria>,
}

/// Kind of deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentStrategy {
    /// Tasks are replaced step by step within the bounds.
    Rolling,
    /// A complete second revision, then all traffic at once.
    BlueGreen,
    /// A complete second revision, then traffic in equal steps.
    Linear,
    /// A complete second revision, then a small share of the traffic, then the rest.
    Canary,
}

/// Fails a deployment whose tasks repeatedly fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentCircuitBreaker {
    /// Whether failures are counted.
    pub enable: bool,
    /// Whether a failed deployment goes back to the last deployment that completed.
    pub rollback: bool,
    /// Whether a task that becomes healthy sets the count of failures to 0; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_on_healthy_task: Option<bool>,
    /// How many failures fail the deployment; `BOUNDED_PERCENT` 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_configuration: Option<ThresholdConfiguration>,
}

/// How many failed tasks fail a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdConfiguration {
    /// How `value` is read.
    #[serde(rename = "type")]
    pub type_: ThresholdType,
    /// A number of tasks for `COUNT`, otherwise percent of the latest desired count, rounded up.
    #[schemars(range(min = 1))]
    pub value: i32,
}

/// How the value of a threshold is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ThresholdType {
    /// The number itself.
    Count,
    /// Percent of the desired count, at least 3 and at most 200 tasks.
    BoundedPercent,
    /// Percent of the desired count.
    UnboundedPercent,
}

/// Rules that one [`DeploymentAlarms`] must meet by itself.
pub const DEPLOYMENT_ALARMS_RULES: &[Rule] = &[Rule {
    path: ".alarmNames",
    message: "InvalidParameterException: alarmNames can not be empty when alarms are enabled",
    cel: "!self.enable || self.alarmNames.size() > 0",
}];

/// Alarms that fail a deployment while it runs or bakes. An alarm that is already firing when the deployment starts is
/// ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_ALARMS_RULES)))]
pub struct DeploymentAlarms {
    /// Names of the alarms.
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub alarm_names: Vec<String>,
    /// Whether a failed deployment goes back to the last deployment that completed.
    pub rollback: bool,
    /// Whether alarms are watched.
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

/// A hook or a pause at stages of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_LIFECYCLE_HOOK_RULES)))]
pub struct DeploymentLifecycleHook {
    /// A call or a pause; `AWS_LAMBDA` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_type: Option<DeploymentLifecycleHookTargetType>,
    /// Function that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub hook_target_arn: Option<String>,
    /// Role with which the function is called; no effect here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role_arn: Option<String>,
    /// Stages at which the hook runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub lifecycle_stages: Option<Vec<DeploymentLifecycleHookStage>>,
    /// Any JSON that is passed to the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "hook_details")]
    pub hook_details: Option<Value>,
    /// How long the hook may take.
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
    /// Waits for somebody to continue or roll back.
    Pause,
}

/// A stage of a deployment at which a hook can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentLifecycleHookStage {
    /// The service is brought to one revision first.
    ReconcileService,
    /// Before the new revision starts.
    PreScaleUp,
    /// After the new revision runs completely.
    PostScaleUp,
    /// While test traffic moves.
    TestTrafficShift,
    /// After test traffic has moved.
    PostTestTrafficShift,
    /// Before production traffic moves.
    PreProductionTrafficShift,
    /// While production traffic moves.
    ProductionTrafficShift,
    /// After production traffic has moved.
    PostProductionTrafficShift,
}

/// How long a lifecycle hook may take and what happens then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentLifecycleHookTimeoutConfiguration {
    /// Minutes, 1 to 20160; 1440 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20160))]
    pub timeout_in_minutes: Option<i32>,
    /// What happens after that time; `ROLLBACK` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<DeploymentLifecycleHookAction>,
}

/// What happens when a lifecycle hook takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeploymentLifecycleHookAction {
    /// The deployment is rolled back.
    Rollback,
    /// The deployment goes on.
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

/// Steps of strategy `LINEAR`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(LINEAR_CONFIGURATION_RULES)))]
pub struct LinearConfiguration {
    /// Percent of the traffic that moves in each step, 3.0 to 100.0 in tenths; 10 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_percent: Option<f64>,
    /// Minutes between two steps, 0 to 1440; 6 when absent.
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

/// Steps of strategy `CANARY`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(CANARY_CONFIGURATION_RULES)))]
pub struct CanaryConfiguration {
    /// Percent of the traffic that moves first, 0.1 to 100.0 in tenths; 5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_percent: Option<f64>,
    /// Minutes before the rest of the traffic moves, 0 to 1440; 10 when absent.
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

/// When a rolling deployment counts as completed before every task is replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_EARLY_SUCCESS_CRITERIA_RULES)))]
pub struct DeploymentEarlySuccessCriteria {
    /// Whether the criteria count.
    pub enable: bool,
    /// Healthy tasks of the new revision in percent of the desired count; not less than `minimumHealthyPercent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub healthy_percent: Option<i32>,
    /// Whether old tasks are removed before or after the deployment counts as completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_service_revision_cleanup: Option<ServiceRevisionCleanup>,
}

/// When old tasks are removed, relative to the completion of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ServiceRevisionCleanup {
    /// Before.
    Blocking,
    /// After.
    Deferred,
}

/// Who runs deployments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(DEPLOYMENT_CONTROLLER_RULES)))]
pub struct DeploymentController {
    /// `ECS`; the others are refused.
    #[serde(rename = "type")]
    pub type_: DeploymentControllerType,
}

/// Rules that one [`DeploymentController`] must meet by itself.
pub const DEPLOYMENT_CONTROLLER_RULES: &[Rule] = &[Rule {
    path: ".type",
    message: "UnsupportedFeatureException: deployment controllers CODE_DEPLOY and EXTERNAL are not supported; use ECS",
    cel: "self.type == 'ECS'",
}];

/// Who runs deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentControllerType {
    /// The service scheduler.
    Ecs,
    /// AWS CodeDeploy: refused.
    CodeDeploy,
    /// Task sets made by somebody else: refused.
    External,
}
