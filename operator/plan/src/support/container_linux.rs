//! Containers of a task definition: what the kernel and the hardware give them.

use super::field::{Field, approximated, fine, honoured, never, no_effect, nothing, with_note};

const DEVICES: &str = "devices of a node are given to pods by device plugins only";
const SWAP: &str = "swap is a setting of the node";
const ULIMITS: &str = "a pod has no such limits; those of the container runtime of the node hold";
const SYSTEM_CONTROLS: &str = "holds for every container of the task; the kubelet refuses what it does not count as safe unless it is told to allow it";
const GPU_SHARING: &str = "sharing of accelerators is set up in the device plugin of the node";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("containerDefinitions[].linuxParameters"),
    honoured("containerDefinitions[].linuxParameters.capabilities"),
    honoured("containerDefinitions[].linuxParameters.capabilities.add"),
    honoured("containerDefinitions[].linuxParameters.capabilities.drop"),
    no_effect("containerDefinitions[].linuxParameters.devices", DEVICES),
    no_effect("containerDefinitions[].linuxParameters.devices[].hostPath", DEVICES),
    no_effect("containerDefinitions[].linuxParameters.devices[].containerPath", DEVICES),
    no_effect("containerDefinitions[].linuxParameters.devices[].permissions", DEVICES),
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
    no_effect("containerDefinitions[].linuxParameters.maxSwap", SWAP),
    no_effect("containerDefinitions[].linuxParameters.swappiness", SWAP),
    with_note("containerDefinitions[].user", "numbers only: a name is refused because only the image knows its number"),
    honoured("containerDefinitions[].privileged"),
    honoured("containerDefinitions[].readonlyRootFilesystem"),
    approximated(
        "containerDefinitions[].dockerSecurityOptions",
        "apparmor and label options need the profile or policy on the node; others than these have no counterpart",
    )
    .cases(&[fine("no-new-privileges")]),
    no_effect("containerDefinitions[].ulimits", ULIMITS),
    no_effect("containerDefinitions[].ulimits[].name", ULIMITS),
    no_effect("containerDefinitions[].ulimits[].softLimit", ULIMITS),
    no_effect("containerDefinitions[].ulimits[].hardLimit", ULIMITS),
    approximated("containerDefinitions[].systemControls", SYSTEM_CONTROLS),
    approximated("containerDefinitions[].systemControls[].namespace", SYSTEM_CONTROLS),
    approximated("containerDefinitions[].systemControls[].value", SYSTEM_CONTROLS),
    honoured("containerDefinitions[].resourceRequirements"),
    honoured("containerDefinitions[].resourceRequirements[].value")
        .cases(&[nothing("ALL", "the number of accelerators of a node is not known before a task is placed")]),
    honoured("containerDefinitions[].resourceRequirements[].type")
        .cases(&[never("InferenceAccelerator", "Elastic Inference has been discontinued")]),
    no_effect("containerDefinitions[].resourceRequirements[].sharingStrategy", GPU_SHARING),
    no_effect("containerDefinitions[].resourceRequirements[].sharingStrategy.nvidiaMps", GPU_SHARING),
    no_effect("containerDefinitions[].resourceRequirements[].sharingStrategy.nvidiaMps.memory", GPU_SHARING),
    no_effect("containerDefinitions[].resourceRequirements[].sharingStrategy.nvidiaMps.maxComputePercent", GPU_SHARING),
    approximated(
        "containerDefinitions[].credentialSpecs",
        "Windows containers only; needs a GMSACredentialSpec of the same name and its admission webhook",
    ),
];
