//! Containers of a task definition: what the kernel and the hardware give them.

use super::field::{Field, approximated, fine, honoured, never, no_effect, with_note};

const DEVICES: &str = "becomes the device plugin resource that kubernetes.deviceResources names for the path; a device \
    without an entry there is reported and not available in the container";
const SWAP: &str = "swap is a setting of the node";
const ULIMITS: &str = "pods have no ulimits; those of the node's container runtime apply";
const SYSTEM_CONTROLS: &str = "one value for all containers of the task, the last one listed; an unsafe sysctl is \
    reported, because the kubelet rejects such tasks unless it is configured to allow it";
const GPU_SHARING: &str = "one share of a GPU, as the NVIDIA device plugin of the node divides it with MPS; memory and \
    compute limits become CUDA_MPS environment variables";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("containerDefinitions[].linuxParameters"),
    honoured("containerDefinitions[].linuxParameters.capabilities"),
    with_note(
        "containerDefinitions[].linuxParameters.capabilities.add",
        "those beyond the Pod Security level baseline are refused unless an annotation of the Namespace allows them",
    ),
    honoured("containerDefinitions[].linuxParameters.capabilities.drop"),
    with_note("containerDefinitions[].linuxParameters.devices", DEVICES),
    with_note("containerDefinitions[].linuxParameters.devices[].hostPath", DEVICES),
    with_note(
        "containerDefinitions[].linuxParameters.devices[].containerPath",
        "the device plugin decides the path; a path other than that on the node is reported",
    ),
    with_note(
        "containerDefinitions[].linuxParameters.devices[].permissions",
        "the device plugin decides the permissions, which is reported",
    ),
    approximated(
        "containerDefinitions[].linuxParameters.initProcessEnabled",
        "the containers of the task share one process namespace whose first process reaps zombies",
    )
    .cases(&[fine("false")]),
    honoured("containerDefinitions[].linuxParameters.sharedMemorySize"),
    honoured("containerDefinitions[].linuxParameters.tmpfs"),
    honoured("containerDefinitions[].linuxParameters.tmpfs[].containerPath"),
    honoured("containerDefinitions[].linuxParameters.tmpfs[].size"),
    no_effect(
        "containerDefinitions[].linuxParameters.tmpfs[].mountOptions",
        "memory-backed volumes of a pod take no mount options",
    ),
    // Nodes without swap for containers are what Kubernetes sets up by itself.
    no_effect("containerDefinitions[].linuxParameters.maxSwap", SWAP).cases(&[fine("0")]),
    no_effect("containerDefinitions[].linuxParameters.swappiness", SWAP),
    with_note(
        "containerDefinitions[].user",
        "numeric only: names other than root are refused, because only the image \
        knows their number",
    ),
    with_note("containerDefinitions[].privileged", "refused unless an annotation of the Namespace allows it"),
    honoured("containerDefinitions[].readonlyRootFilesystem"),
    with_note(
        "containerDefinitions[].dockerSecurityOptions",
        "apparmor and label options require the profile or policy on the node, unconfined ones an annotation of the \
            Namespace; options without an equivalent in a pod are reported",
    ),
    no_effect("containerDefinitions[].ulimits", ULIMITS),
    no_effect("containerDefinitions[].ulimits[].name", ULIMITS),
    no_effect("containerDefinitions[].ulimits[].softLimit", ULIMITS),
    no_effect("containerDefinitions[].ulimits[].hardLimit", ULIMITS),
    with_note("containerDefinitions[].systemControls", SYSTEM_CONTROLS),
    with_note("containerDefinitions[].systemControls[].namespace", SYSTEM_CONTROLS),
    with_note("containerDefinitions[].systemControls[].value", SYSTEM_CONTROLS),
    honoured("containerDefinitions[].resourceRequirements"),
    with_note(
        "containerDefinitions[].resourceRequirements[].value",
        "ALL means kubernetes.acceleratorsPerNode and is refused without it, because the number on a node is unknown \
            before a task is placed",
    ),
    honoured("containerDefinitions[].resourceRequirements[].type")
        .cases(&[never("InferenceAccelerator", "Elastic Inference has been discontinued")]),
    approximated("containerDefinitions[].resourceRequirements[].sharingStrategy", GPU_SHARING),
    approximated("containerDefinitions[].resourceRequirements[].sharingStrategy.nvidiaMps", GPU_SHARING),
    approximated("containerDefinitions[].resourceRequirements[].sharingStrategy.nvidiaMps.memory", GPU_SHARING),
    approximated(
        "containerDefinitions[].resourceRequirements[].sharingStrategy.nvidiaMps.maxComputePercent",
        GPU_SHARING,
    ),
    approximated(
        "containerDefinitions[].credentialSpecs",
        "names a GMSACredentialSpec if the cluster serves that kind and the container is a Windows container; \
            otherwise the container has no identity in Active Directory",
    ),
];
