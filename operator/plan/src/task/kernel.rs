//! Kernel settings of the whole Pod: process and IPC namespaces, sysctls, isolation.

use std::collections::BTreeMap;

use api::task_definition::{ContainerDefinition, IpcMode, IsolationMode, NetworkMode, PidMode, TaskDefinitionSpec};
use serde_json::{Map, Value, json};

use super::json::Members;
use super::notes::Notes;

/// Puts `hostPID`, `hostIPC`, `shareProcessNamespace` and `securityContext.sysctls`.
pub(super) fn put(
    pod: &mut Map<String, Value>,
    definition: &TaskDefinitionSpec,
    mode: NetworkMode,
    windows: bool,
    notes: &mut Notes,
) {
    isolation(definition, notes);
    if windows {
        for (is_set, field) in [(definition.pid_mode.is_some(), "pidMode"), (definition.ipc_mode.is_some(), "ipcMode")]
        {
            if is_set {
                notes.no_effect(field, "Windows containers do not have it");
            }
        }
        for (index, container) in definition.container_definitions.iter().enumerate() {
            if container.system_controls.as_ref().is_some_and(|controls| !controls.is_empty()) {
                let path = format!("containerDefinitions[{index}].systemControls");
                notes.no_effect(path, "Windows containers do not have it");
            }
        }
        return;
    }
    processes(pod, definition);
    match definition.ipc_mode {
        Some(IpcMode::Host) => pod.put("hostIPC", true),
        // The containers of a Pod always share IPC with each other and with no other Pod.
        Some(IpcMode::Task | IpcMode::None) | None => {}
    }
    let sysctls = sysctls(&definition.container_definitions, mode, definition.ipc_mode, notes);
    if !sysctls.is_empty() {
        pod.put("securityContext", json!({"sysctls": sysctls}));
    }
}

/// An init process is what the Pod's own becomes for all containers when they share a process namespace.
fn processes(pod: &mut Map<String, Value>, definition: &TaskDefinitionSpec) {
    let wants_init = |container: &ContainerDefinition| {
        container.linux_parameters.as_ref().is_some_and(|linux| linux.init_process_enabled == Some(true))
    };
    match definition.pid_mode {
        // A Pod cannot have both; on the host its init process reaps.
        Some(PidMode::Host) => pod.put("hostPID", true),
        Some(PidMode::Task) => pod.put("shareProcessNamespace", true),
        None => pod.put_true("shareProcessNamespace", definition.container_definitions.iter().any(wants_init)),
    }
}

/// Kernel parameters by name; where containers disagree the last one listed wins, as on ECS.
fn sysctls(
    definitions: &[ContainerDefinition],
    mode: NetworkMode,
    ipc: Option<IpcMode>,
    notes: &mut Notes,
) -> Vec<Value> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for (index, definition) in definitions.iter().enumerate() {
        for (position, control) in definition.system_controls.iter().flatten().enumerate() {
            let path = format!("containerDefinitions[{index}].systemControls[{position}]");
            // `net/ipv4/tcp_syncookies` is another spelling of the same name.
            let name = control.namespace.as_deref().unwrap_or_default().trim().replace('/', ".");
            if !is_sysctl(&name) {
                notes.refuse(format!("{path}.namespace"), "not the name of a kernel parameter");
                continue;
            }
            if name.starts_with("net.") && mode == NetworkMode::Host {
                notes.refuse(path, "net parameters are not possible with network mode host");
                continue;
            }
            if !name.starts_with("net.") && ipc == Some(IpcMode::Host) {
                notes.refuse(path, "IPC parameters are not possible with ipcMode host");
                continue;
            }
            values.insert(name, control.value.clone().unwrap_or_default());
        }
    }
    values.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
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

/// Running unprotected what asked for protection is not an approximation.
fn isolation(definition: &TaskDefinitionSpec, notes: &mut Notes) {
    let Some(configuration) = &definition.trusted_execution_configuration else { return };
    if configuration.isolation_mode != IsolationMode::Shared {
        let message = "no sandbox is set up for this isolation mode";
        notes.unsupported("trustedExecutionConfiguration.isolationMode", message);
    }
}
