//! A service: what it runs, how many, where.

use super::field::{Field, approximated, fine, honoured, ignored, no_effect, refused, roughly, with_note};
use super::{kubernetes, service_connect, service_deployment, service_traffic, service_volume};

const MEMBER_OF: &str = "becomes a required node affinity; =~ and ec2InstanceId are compared with the nodes there are when a deployment starts, and agentVersion, registeredAt and runningTasksCount are refused";
const DAEMON: &str = "DAEMON is a DaemonSet: one task on each eligible ACTIVE instance; daemons start first with a kubernetes.priorityClassName and leave a draining node after all other tasks";
const BINPACK: &str = "packed by the scheduler profiles of the chart (scheduler.enabled), where this is honoured; without them tasks are only drawn to nodes that have tasks of the service";
const REBALANCING: &str = "acts when the service is steady, one task at a time; which zone the new one goes to is the scheduler's choice, which prefers the emptiest; absent means DISABLED";
const TAGS: &str = "tasks carry them, as an annotation of the pod, when propagateTags is SERVICE";
const EXECUTE_COMMAND: &str = "whoever may create pods/exec can run commands in tasks; with the chart's admission.executeCommand only in tasks of a deployment that began while this was true";
const MONITORING: &str = "metrics are scraped at the resolution of the cluster's own metrics pipeline";

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
    honoured("desiredCount"),
    no_effect("clientToken", "applying an object again is idempotent by its name"),
    honoured("launchType").cases(&[roughly("EXTERNAL", "runs on any node of the cluster")]),
    honoured("capacityProviderStrategy"),
    honoured("capacityProviderStrategy[].capacityProvider"),
    honoured("capacityProviderStrategy[].weight"),
    honoured("capacityProviderStrategy[].base"),
    no_effect("platformVersion", "the platform is the nodes of the cluster").cases(&[fine("LATEST")]),
    no_effect("role", "nothing here calls a load balancer with this role"),
    honoured("placementConstraints"),
    honoured("placementConstraints[].type"),
    with_note("placementConstraints[].expression", MEMBER_OF),
    honoured("placementStrategy"),
    honoured("placementStrategy[].type").cases(&[roughly("binpack", BINPACK)]),
    with_note(
        "placementStrategy[].field",
        "an attribute that ECS does not define is a node label with the prefix attributes.ecs-operator.dev/; of several fields all count at once",
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
        "the annotation has aws:ecs:clusterName and aws:ecs:serviceName too; a change counts from the next deployment on",
    ),
    with_note(
        "propagateTags",
        "copied to the annotation of the pods that a deployment starts, as the tags were when it began",
    ),
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
