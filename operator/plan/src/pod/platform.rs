//! Processor and operating system of the node.

use api::task_definition::{Compatibility, CpuArchitecture, OsFamily, TaskDefinitionSpec};
use serde_json::{Map, Value, json};

use super::json::Members;

/// Whether the containers are Windows containers.
pub(super) fn is_windows(definition: &TaskDefinitionSpec) -> bool {
    let family = definition.runtime_platform.as_ref().and_then(|platform| platform.operating_system_family);
    family.is_some_and(|family| family != OsFamily::Linux)
}

/// Puts `nodeSelector` and `os`, where the definition states a platform or Fargate's default counts: LINUX on X86_64.
pub(super) fn put(pod: &mut Map<String, Value>, definition: &TaskDefinitionSpec, is_fargate: bool) {
    let platform = definition.runtime_platform.clone().unwrap_or_default();
    let is_fargate =
        is_fargate || definition.requires_compatibilities.iter().flatten().any(|c| *c == Compatibility::Fargate);
    let family = platform.operating_system_family.or(is_fargate.then_some(OsFamily::Linux));
    let architecture = platform.cpu_architecture.or(is_fargate.then_some(CpuArchitecture::X86_64));
    let mut selector = Map::new();
    if let Some(architecture) = architecture {
        let value = match architecture {
            CpuArchitecture::X86_64 => "amd64",
            CpuArchitecture::Arm64 => "arm64",
        };
        selector.put("kubernetes.io/arch", value);
    }
    if let Some(family) = family {
        let build = windows_build(family);
        let name = if build.is_some() { "windows" } else { "linux" };
        selector.put("kubernetes.io/os", name);
        selector.put_some("node.kubernetes.io/windows-build", build);
        pod.put("os", json!({"name": name}));
    }
    pod.put_map("nodeSelector", selector);
}

/// The build that containers of a Windows release need on the host; none for Linux.
pub(crate) fn windows_build(family: OsFamily) -> Option<&'static str> {
    match family {
        OsFamily::Linux => None,
        OsFamily::WindowsServer2016Full => Some("10.0.14393"),
        OsFamily::WindowsServer2019Full | OsFamily::WindowsServer2019Core => Some("10.0.17763"),
        OsFamily::WindowsServer2004Core => Some("10.0.19041"),
        OsFamily::WindowsServer20H2Core => Some("10.0.19042"),
        OsFamily::WindowsServer2022Full | OsFamily::WindowsServer2022Core => Some("10.0.20348"),
        OsFamily::WindowsServer2025Full | OsFamily::WindowsServer2025Core => Some("10.0.26100"),
    }
}
