//! Linux kernel settings of a container.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Linux kernel settings of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinuxParameters {
    /// Kernel capabilities to give and to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<KernelCapabilities>,
    /// Host devices that the container sees; not on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub devices: Option<Vec<Device>>,
    /// Runs an init process that forwards signals and reaps children; false when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_process_enabled: Option<bool>,
    /// Size of `/dev/shm` in MiB; not on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub shared_memory_size: Option<i32>,
    /// Memory-backed file systems; they count against the memory limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub tmpfs: Option<Vec<Tmpfs>>,
    /// Swap in MiB that the container may use, 0 for none; not on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_swap: Option<i32>,
    /// How eagerly the kernel swaps: 0 to 100, 60 when absent; needs `maxSwap`; not on Fargate.
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

/// What a container may do with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceCgroupPermission {
    /// Read.
    Read,
    /// Write.
    Write,
    /// Make device nodes.
    Mknod,
}

/// A host device that a container sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Path on the host.
    #[schemars(length(min = 1, max = 4096))]
    pub host_path: String,
    /// Path in the container; that of the host when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub container_path: Option<String>,
    /// What the container may do with it; everything when absent.
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
    /// Largest size in MiB.
    #[schemars(range(min = 0))]
    pub size: i32,
    /// Mount options such as `noexec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(max = 255)))]
    pub mount_options: Option<Vec<String>>,
}
