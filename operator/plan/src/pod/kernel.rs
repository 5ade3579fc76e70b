//! Kernel settings of the whole Pod: process and IPC namespaces, sysctls.

use std::collections::BTreeMap;

use api::task_definition::{ContainerDefinition, IpcMode, NetworkMode, PidMode};
use serde_json::{Map, Value, json};

use super::json::Members;
use super::notes::Notes;
use super::{TaskInput, permission, restricted};
use crate::core::right::Right;

/// Puts `hostPID`, `hostIPC`, `shareProcessNamespace` and `securityContext.sysctls`.
pub(super) fn put(
    pod: &mut Map<String, Value>,
    input: &TaskInput<'_>,
    mode: NetworkMode,
    windows: bool,
    notes: &mut Notes,
) {
    let definition = input.task_definition;
    if windows {
        for (is_set, field) in [(definition.pid_mode.is_some(), "pidMode"), (definition.ipc_mode.is_some(), "ipcMode")]
        {
            if is_set {
                notes.no_effect(field, "Windows containers do not support this");
            }
        }
        for (index, container) in definition.container_definitions.iter().enumerate() {
            if container.system_controls.as_ref().is_some_and(|controls| !controls.is_empty()) {
                let path = format!("containerDefinitions[{index}].systemControls");
                notes.no_effect(path, "Windows containers do not support this");
            }
        }
        return;
    }
    processes(pod, input, notes);
    match definition.ipc_mode {
        Some(IpcMode::Host) => {
            permission::has(input, &Right::HostIpc, "ipcMode", notes);
            pod.put("hostIPC", true);
        }
        // The containers of a Pod always share IPC with each other and with no other Pod.
        Some(IpcMode::Task | IpcMode::None) | None => {}
    }
    let sysctls = sysctls(input, mode, notes);
    if !sysctls.is_empty() {
        pod.put("securityContext", json!({"sysctls": sysctls}));
    }
}

/// An init process is what the Pod's own becomes for all containers when they share a process namespace.
fn processes(pod: &mut Map<String, Value>, input: &TaskInput<'_>, notes: &mut Notes) {
    let definition = input.task_definition;
    let wants_init = |container: &ContainerDefinition| {
        container.linux_parameters.as_ref().is_some_and(|linux| linux.init_process_enabled == Some(true))
    };
    match definition.pid_mode {
        // A Pod cannot have both; on the host its init process reaps.
        Some(PidMode::Host) => {
            permission::has(input, &Right::HostPid, "pidMode", notes);
            pod.put("hostPID", true);
        }
        Some(PidMode::Task) => pod.put("shareProcessNamespace", true),
        None => pod.put_true("shareProcessNamespace", definition.container_definitions.iter().any(wants_init)),
    }
}

/// Kernel parameters by name; where containers disagree the last one listed wins, as on ECS.
fn sysctls(input: &TaskInput<'_>, mode: NetworkMode, notes: &mut Notes) -> Vec<Value> {
    let definitions = &input.task_definition.container_definitions;
    let ipc = input.task_definition.ipc_mode;
    let mut values: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (index, definition) in definitions.iter().enumerate() {
        for (position, control) in definition.system_controls.iter().flatten().enumerate() {
            let path = format!("containerDefinitions[{index}].systemControls[{position}]");
            // `net/ipv4/tcp_syncookies` is another spelling of the same name.
            let name = control.namespace.trim().replace('/', ".");
            if !is_sysctl(&name) {
                notes.refuse(format!("{path}.namespace"), "not the name of a kernel parameter");
                continue;
            }
            if name.starts_with("net.") && mode == NetworkMode::Host {
                notes.refuse(path, "net parameters are not supported with network mode host");
                continue;
            }
            if is_of_ipc(&name) && ipc == Some(IpcMode::Host) {
                notes.refuse(path, "IPC parameters are not supported with ipcMode host");
                continue;
            }
            if !SAFE_SYSCTLS.contains(&name.as_str()) {
                let why = "an unsafe sysctl: the kubelet rejects the task (SysctlForbidden) unless the node allows the \
                    parameter";
                notes.approximated(&path, why);
                restricted::keeps_from(input, &path, notes);
            }
            let value = control.value.clone().unwrap_or_default();
            if let Some((earlier, earlier_path)) = values.get(&name)
                && *earlier != value
            {
                notes.no_effect(earlier_path, format!("a Pod has one value of {name}, and {path} comes later"));
            }
            values.insert(name, (value, path));
        }
    }
    // With bridge each container has a network of its own on ECS.
    if mode == NetworkMode::Bridge && definitions.len() > 1 {
        for (name, (_, path)) in &values {
            if SAFE_SYSCTLS.contains(&name.as_str()) {
                notes.approximated(path, "applies to all containers of the task");
            }
        }
    }
    values.into_iter().map(|(name, (value, _))| json!({"name": name, "value": value})).collect()
}

/// Parameters that every kubelet lets a Pod set, since Kubernetes 1.32 at the latest. They act on the Pod alone.
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// Parameters of the IPC namespace: `kernel.msg*`, `kernel.sem`, `kernel.shm*`, `fs.mqueue.*`.
fn is_of_ipc(name: &str) -> bool {
    name == "kernel.sem" || ["kernel.msg", "kernel.shm", "fs.mqueue."].iter().any(|prefix| name.starts_with(prefix))
}

/// The form that the API takes: lower case segments joined by dots, at most 253 characters.
fn is_sysctl(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_segment = |segment: &str| {
        segment.bytes().all(is_inner)
            && !segment.is_empty()
            && !segment.starts_with(['-', '_'])
            && !segment.ends_with(['-', '_'])
    };
    name.len() <= 253 && name.split('.').all(is_segment)
}
