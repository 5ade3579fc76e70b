//! A service: what it runs, how many, where.

use super::field::{Field, approximated, fine, honoured, ignored, no_effect, refused, roughly, with_note};
use super::{kubernetes, service_connect, service_deployment, service_traffic, service_volume};

const MEMBER_OF: &str = "becomes required node affinity; the operator resolves =~ and ec2InstanceId for each task, for \
    DAEMON services when a deployment starts; agentVersion, registeredAt and runningTasksCount are refused";
const DAEMON: &str = "DAEMON becomes a DaemonSet: one task on each eligible ACTIVE instance; daemon tasks start first \
    if you set kubernetes.priorityClassName, and leave a draining node after all other tasks";
const BINPACK: &str = "the scheduler profiles of the Helm chart (scheduler.enabled) pack nodes, and it is honoured; \
    without them, tasks only prefer nodes with tasks of the same service";
const REBALANCING: &str = "moves one task at a time while the service is steady; the scheduler places the new task and \
    prefers the emptiest zone; absent means DISABLED";
const TAGS: &str = "tasks carry them in an annotation of the pod if propagateTags is SERVICE";
const EXECUTE_COMMAND: &str = "RBAC on pods/exec decides who can run commands in tasks; with admission.executeCommand \
    of the Helm chart, only in tasks of a deployment that started while this was true";
const MONITORING: &str = "metrics have the resolution of the cluster's own metrics pipeline";

/// Every field of a service.
pub(super) const PARTS: &[&[Field]] = &[
    FIELDS,
    service_deployment::FIELDS,
    service_traffic::FIELDS,
    service_connect::FIELDS,
    service_volume::FIELDS,
    kubernetes::SERVICE,
];

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("cluster"),
    honoured("serviceName"),
    honoured("taskDefinition"),
    approximated("availabilityZoneRebalancing", REBALANCING).cases(&[fine("DISABLED")]),
    with_note("desiredCount", "optional, also for REPLICA: absent means unchanged, and 1 for a new service"),
    no_effect("clientToken", "applying an object again is idempotent by its name"),
    honoured("launchType").cases(&[roughly("EXTERNAL", "runs on any node of the cluster")]),
    honoured("capacityProviderStrategy"),
    honoured("capacityProviderStrategy[].capacityProvider"),
    honoured("capacityProviderStrategy[].weight"),
    honoured("capacityProviderStrategy[].base"),
    no_effect("platformVersion", "the nodes of the cluster are the platform").cases(&[fine("LATEST")]),
    no_effect("role", "nothing here calls a load balancer with this role"),
    honoured("placementConstraints"),
    honoured("placementConstraints[].type"),
    with_note("placementConstraints[].expression", MEMBER_OF),
    honoured("placementStrategy"),
    honoured("placementStrategy[].type").cases(&[roughly("binpack", BINPACK)]),
    with_note(
        "placementStrategy[].field",
        "custom attributes are node labels with the prefix attributes.ecs-operator.dev/; several fields all apply at \
            once",
    ),
    honoured("healthCheckGracePeriodSeconds"),
    with_note("schedulingStrategy", DAEMON),
    honoured("deploymentController"),
    refused("deploymentController.type", "only the ECS deployment controller exists here").cases(&[fine("ECS")]),
    with_note("tags", TAGS),
    with_note("tags[].key", TAGS),
    with_note("tags[].value", TAGS),
    with_note(
        "enableECSManagedTags",
        "adds aws:ecs:clusterName and aws:ecs:serviceName to the annotation; a change applies from the next deployment \
            on",
    ),
    with_note("propagateTags", "copied to an annotation of the pods when a deployment starts"),
    approximated("enableExecuteCommand", EXECUTE_COMMAND).cases(&[fine("false")]),
    no_effect("monitoring", MONITORING),
    no_effect("monitoring.metricConfigurations", MONITORING),
    no_effect("monitoring.metricConfigurations[].metricNames", MONITORING),
    no_effect("monitoring.metricConfigurations[].resolutionSeconds", MONITORING),
    honoured("service"),
    honoured("forceNewDeployment"),
    ignored("serviceArn"),
    ignored("clusterArn"),
    ignored("status"),
    ignored("runningCount"),
    ignored("pendingCount"),
    ignored("platformFamily"),
    ignored("taskSets"),
    ignored("deployments"),
    ignored("roleArn"),
    ignored("events"),
    ignored("createdAt"),
    ignored("createdBy"),
    ignored("currentServiceDeployment"),
    ignored("currentServiceRevisions"),
    ignored("resourceManagementType"),
];
