//! How a service deploys.

use super::field::{Field, fine, honoured, no_effect, refused, with_note};

const ALARMS: &str = "an alarm is an alert in the Alertmanager that the operator is configured with; without an \
    Alertmanager this is reported on the service";
const BAKE_TIME: &str = "a deployment is complete when its tasks have been healthy for this long";
const HOOKS: &str = "this version does not call lifecycle hooks, and a hook may have to stop a deployment";
const LINEAR: &str = "used with strategy LINEAR only";
const CANARY: &str = "used with strategy CANARY only";
pub(super) const FIELDS: &[Field] = &[
    honoured("deploymentConfiguration"),
    honoured("deploymentConfiguration.deploymentCircuitBreaker"),
    honoured("deploymentConfiguration.deploymentCircuitBreaker.enable"),
    honoured("deploymentConfiguration.deploymentCircuitBreaker.rollback"),
    honoured("deploymentConfiguration.deploymentCircuitBreaker.resetOnHealthyTask"),
    honoured("deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration"),
    honoured("deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.type"),
    honoured("deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.value"),
    honoured("deploymentConfiguration.maximumPercent"),
    honoured("deploymentConfiguration.minimumHealthyPercent"),
    with_note("deploymentConfiguration.alarms", ALARMS),
    with_note("deploymentConfiguration.alarms.alarmNames", ALARMS),
    with_note("deploymentConfiguration.alarms.rollback", ALARMS),
    with_note("deploymentConfiguration.alarms.enable", ALARMS),
    refused("deploymentConfiguration.strategy", "this version supports ROLLING deployments only")
        .cases(&[fine("ROLLING")]),
    with_note("deploymentConfiguration.bakeTimeInMinutes", BAKE_TIME),
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
    honoured("deploymentConfiguration.earlySuccessCriteria"),
    honoured("deploymentConfiguration.earlySuccessCriteria.enable"),
    honoured("deploymentConfiguration.earlySuccessCriteria.healthyPercent"),
    honoured("deploymentConfiguration.earlySuccessCriteria.sourceServiceRevisionCleanup"),
];
