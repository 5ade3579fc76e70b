//! Linux-specific settings of a container.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Linux-specific settings of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinuxParameters {
    /// Kernel capabilities to add and to drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<KernelCapabilities>,
    /// Devices of the node to expose to the container; not on Fargate. Requires a device plugin: see
    /// `kubernetes.deviceResources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub devices: Option<Vec<Device>>,
    /// Whether to run an init process that forwards signals and reaps zombies. Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_process_enabled: Option<bool>,
    /// Size of `/dev/shm` in MiB; not on Fargate. Becomes a memory-backed `emptyDir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub shared_memory_size: Option<i32>,
    /// Memory-backed file systems. They count against the memory limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub tmpfs: Option<Vec<Tmpfs>>,
    /// Swap in MiB that the container may use, 0 for none; not on Fargate. No effect: swap is a setting of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_swap: Option<i32>,
    /// Swappiness, 0 to 100; requires `maxSwap`; not on Fargate. Defaults to 60. No effect: swap is a setting of the
    /// node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub swappiness: Option<i32>,
}

/// Kernel capabilities: `drop` is applied first, then `add`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KernelCapabilities {
    /// Capabilities to add, or `ALL`; Fargate allows SYS_PTRACE only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 64)))]
    pub add: Option<Vec<String>>,
    /// Capabilities to drop, or `ALL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 64)))]
    pub drop: Option<Vec<String>>,
}

/// Permission on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceCgroupPermission {
    /// Read.
    Read,
    /// Write.
    Write,
    /// Create device nodes.
    Mknod,
}

/// A device of the node to expose to a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Path on the node.
    #[schemars(length(min = 1, max = 4096))]
    pub host_path: String,
    /// Path in the container. Defaults to the path on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub container_path: Option<String>,
    /// Permissions of the container on the device. Defaults to all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 3))]
    pub permissions: Option<Vec<DeviceCgroupPermission>>,
}

/// A memory-backed file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tmpfs {
    /// Path in the container.
    #[schemars(length(min = 1, max = 4096))]
    pub container_path: String,
    /// Maximum size in MiB.
    #[schemars(range(min = 0))]
    pub size: i32,
    /// Mount options such as `noexec`. No effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 255)))]
    pub mount_options: Option<Vec<String>>,
}
