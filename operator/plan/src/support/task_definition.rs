//! A task definition as a whole.

use super::field::{Field, fine, honoured, ignored, no_effect, nothing, refused, roughly, with_note};
use super::{container_definition, container_linux, kubernetes, volume};

const BRIDGE: &str =
    "containers of a task share one network namespace, and a hostPort of 0 reserves no port of the node";
const MEMBER_OF: &str = "becomes a required node affinity; =~ and ec2InstanceId are compared with the nodes there are when a deployment starts, and agentVersion, registeredAt and runningTasksCount are refused";
const TAGS: &str =
    "tasks carry them, as an annotation of the pod, when a service propagates the tags of its task definition";
const PROXY: &str = "App Mesh has ended; a mesh of the cluster is set up by its own annotations";
const INFERENCE: &str = "Elastic Inference has been discontinued";
const TRUSTED: &str = "no sandbox of this kind is set up, and running without it would not be safe";

/// Every field of a task definition.
pub(super) const PARTS: &[&[Field]] =
    &[FIELDS, container_definition::FIELDS, container_linux::FIELDS, volume::FIELDS, kubernetes::TASK_DEFINITION];

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("family"),
    with_note(
        "taskRoleArn",
        "becomes a ServiceAccount, with the role in the annotation that the EKS identity webhook reads if the namespace's administrator allows it",
    ),
    no_effect(
        "executionRoleArn",
        "images are pulled and secrets are read with the credentials of the cluster; nothing here assumes this role",
    ),
    honoured("networkMode").cases(&[
        roughly("bridge", BRIDGE),
        nothing("none", "a pod always has a network; a NetworkPolicy that denies all traffic has to be added by hand"),
    ]),
    honoured("placementConstraints"),
    honoured("placementConstraints[].type"),
    with_note("placementConstraints[].expression", MEMBER_OF),
    honoured("requiresCompatibilities"),
    honoured("cpu"),
    honoured("memory"),
    with_note("tags", TAGS),
    with_note("tags[].key", TAGS),
    with_note("tags[].value", TAGS),
    honoured("pidMode"),
    honoured("ipcMode").cases(&[roughly("none", "the containers of a pod always share one IPC namespace")]),
    no_effect("proxyConfiguration", PROXY),
    no_effect("proxyConfiguration.type", PROXY),
    no_effect("proxyConfiguration.containerName", PROXY),
    no_effect("proxyConfiguration.properties", PROXY),
    no_effect("proxyConfiguration.properties[].name", PROXY),
    no_effect("proxyConfiguration.properties[].value", PROXY),
    refused("inferenceAccelerators", INFERENCE),
    refused("inferenceAccelerators[].deviceName", INFERENCE),
    refused("inferenceAccelerators[].deviceType", INFERENCE),
    honoured("ephemeralStorage"),
    honoured("ephemeralStorage.sizeInGiB"),
    honoured("runtimePlatform"),
    honoured("runtimePlatform.cpuArchitecture"),
    honoured("runtimePlatform.operatingSystemFamily"),
    no_effect("enableFaultInjection", "there is no fault injection endpoint in a task").cases(&[fine("false")]),
    refused("trustedExecutionConfiguration", TRUSTED),
    refused("trustedExecutionConfiguration.isolationMode", TRUSTED).cases(&[fine("SHARED")]),
    refused("trustedExecutionConfiguration.attestationPolicy", TRUSTED),
    ignored("taskDefinitionArn"),
    ignored("revision"),
    ignored("status"),
    ignored("requiresAttributes"),
    ignored("compatibilities"),
    ignored("registeredAt"),
    ignored("deregisteredAt"),
    ignored("deleteRequestedAt"),
    ignored("registeredBy"),
];
