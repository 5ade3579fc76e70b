//! How a service deploys.

use super::field::{Field, fine, honoured, no_effect, refused};

const CIRCUIT_BREAKER: &str =
    "not applied by this version: a deployment whose tasks fail is neither ended nor rolled back";
const ALARMS: &str = "not applied by this version: no alarm is watched during a deployment";
const HOOKS: &str = "lifecycle hooks are not called by this version, and a hook may have to stop a deployment";
const LINEAR: &str = "used with strategy LINEAR only";
const CANARY: &str = "used with strategy CANARY only";
const EARLY_SUCCESS: &str = "not applied by this version: a deployment is complete when every desired task is healthy";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("deploymentConfiguration"),
    no_effect("deploymentConfiguration.deploymentCircuitBreaker", CIRCUIT_BREAKER),
    no_effect("deploymentConfiguration.deploymentCircuitBreaker.enable", CIRCUIT_BREAKER),
    no_effect("deploymentConfiguration.deploymentCircuitBreaker.rollback", CIRCUIT_BREAKER),
    no_effect("deploymentConfiguration.deploymentCircuitBreaker.resetOnHealthyTask", CIRCUIT_BREAKER),
    no_effect("deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration", CIRCUIT_BREAKER),
    no_effect("deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.type", CIRCUIT_BREAKER),
    no_effect("deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.value", CIRCUIT_BREAKER),
    honoured("deploymentConfiguration.maximumPercent"),
    honoured("deploymentConfiguration.minimumHealthyPercent"),
    no_effect("deploymentConfiguration.alarms", ALARMS),
    no_effect("deploymentConfiguration.alarms.alarmNames", ALARMS),
    no_effect("deploymentConfiguration.alarms.rollback", ALARMS),
    no_effect("deploymentConfiguration.alarms.enable", ALARMS),
    refused("deploymentConfiguration.strategy", "only ROLLING deployments are done by this version")
        .cases(&[fine("ROLLING")]),
    no_effect(
        "deploymentConfiguration.bakeTimeInMinutes",
        "not applied by this version: a rolling deployment is complete as soon as its tasks are healthy",
    )
    .cases(&[fine("0")]),
    refused("deploymentConfiguration.lifecycleHooks", HOOKS),
    refused("deploymentConfiguration.lifecycleHooks[].targetType", HOOKS),
    refused("deploymentConfiguration.lifecycleHooks[].hookTargetArn", HOOKS),
    refused("deploymentConfiguration.lifecycleHooks[].roleArn", HOOKS),
    refused("deploymentConfiguration.lifecycleHooks[].lifecycleStages", HOOKS),
    refused("deploymentConfiguration.lifecycleHooks[].hookDetails", HOOKS),
    refused("deploymentConfiguration.lifecycleHooks[].timeoutConfiguration", HOOKS),
    refused("deploymentConfiguration.lifecycleHooks[].timeoutConfiguration.timeoutInMinutes", HOOKS),
    refused("deploymentConfiguration.lifecycleHooks[].timeoutConfiguration.action", HOOKS),
    no_effect("deploymentConfiguration.linearConfiguration", LINEAR),
    no_effect("deploymentConfiguration.linearConfiguration.stepPercent", LINEAR),
    no_effect("deploymentConfiguration.linearConfiguration.stepBakeTimeInMinutes", LINEAR),
    no_effect("deploymentConfiguration.canaryConfiguration", CANARY),
    no_effect("deploymentConfiguration.canaryConfiguration.canaryPercent", CANARY),
    no_effect("deploymentConfiguration.canaryConfiguration.canaryBakeTimeInMinutes", CANARY),
    no_effect("deploymentConfiguration.earlySuccessCriteria", EARLY_SUCCESS),
    no_effect("deploymentConfiguration.earlySuccessCriteria.enable", EARLY_SUCCESS),
    no_effect("deploymentConfiguration.earlySuccessCriteria.healthyPercent", EARLY_SUCCESS),
    no_effect("deploymentConfiguration.earlySuccessCriteria.sourceServiceRevisionCleanup", EARLY_SUCCESS),
];
