//! A task definition as a whole.

use super::field::{Field, fine, honoured, ignored, no_effect, refused, roughly, with_note};
use super::{container_definition, container_linux, kubernetes, volume};

const BRIDGE: &str =
    "containers of a task share one network namespace, and a hostPort of 0 reserves no port of the node";
const NO_NETWORK: &str = "a pod always has an IP address; a NetworkPolicy denies all traffic to and from it, if the \
    network plugin of the cluster enforces NetworkPolicies";
const MEMBER_OF: &str = "becomes required node affinity; the operator resolves =~ and ec2InstanceId for each task, for \
    DAEMON services when a deployment starts; agentVersion, registeredAt and runningTasksCount are refused";
const TAGS: &str =
    "tasks carry them in an annotation of the pod if the service propagates the tags of its task definition";
const PROXY: &str = "App Mesh is discontinued; a service mesh injects its proxy through labels or annotations, which \
    you set with kubernetes.podLabels and kubernetes.podAnnotations";
const INFERENCE: &str = "Elastic Inference has been discontinued";
const TRUSTED: &str = "ISOLATED_SANDBOX and CONFIDENTIAL_SANDBOX run in the RuntimeClass of \
    kubernetes.runtimeClassName and are refused without one";

/// Every field of a task definition.
pub(super) const PARTS: &[&[Field]] =
    &[FIELDS, container_definition::FIELDS, container_linux::FIELDS, volume::FIELDS, kubernetes::TASK_DEFINITION];

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("family"),
    with_note(
        "taskRoleArn",
        "becomes a ServiceAccount, with the IRSA annotation eks.amazonaws.com/role-arn if the namespace's \
            administrator allows the role",
    ),
    no_effect(
        "executionRoleArn",
        "the credentials of the cluster pull images and read secrets; nothing here assumes this role",
    ),
    with_note("networkMode", "host is refused unless an annotation of the Namespace allows it")
        .cases(&[roughly("bridge", BRIDGE), roughly("none", NO_NETWORK)]),
    honoured("placementConstraints"),
    honoured("placementConstraints[].type"),
    with_note("placementConstraints[].expression", MEMBER_OF),
    honoured("requiresCompatibilities"),
    honoured("cpu"),
    honoured("memory"),
    with_note("tags", TAGS),
    with_note("tags[].key", TAGS),
    with_note("tags[].value", TAGS),
    with_note("pidMode", "host is refused unless an annotation of the Namespace allows it"),
    with_note("ipcMode", "host is refused unless an annotation of the Namespace allows it")
        .cases(&[roughly("none", "the containers of a pod always share one IPC namespace")]),
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
    no_effect("enableFaultInjection", "tasks have no fault injection endpoint").cases(&[fine("false")]),
    with_note("trustedExecutionConfiguration", TRUSTED),
    with_note("trustedExecutionConfiguration.isolationMode", TRUSTED),
    no_effect("trustedExecutionConfiguration.attestationPolicy", "attestation is configured with the RuntimeClass"),
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
