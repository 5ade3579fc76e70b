//! The Pod Security level `restricted`: what a task gives up where its namespace enforces that, and what keeps it from it.
//!
//! Elsewhere a container may become another user and gain privileges, as on ECS, where `sudo` and files with setuid work.

use api::task_definition::NetworkMode;
use serde_json::{Map, Value, json};

use super::TaskInput;
use super::json::Members;
use super::notes::Notes;

/// The one capability that the level lets a container add.
const ALLOWED_CAPABILITY: &str = "NET_BIND_SERVICE";

/// Puts the profile of seccomp that every container has unless it says otherwise: the runtime's own, as docker has on ECS.
pub(super) fn put_profile(context: &mut Map<String, Value>) {
    context.put("seccompProfile", json!({"type": "RuntimeDefault"}));
}

/// Says of a field that it keeps pods from the level that the namespace enforces. It is no refusal: whether the API server
/// exempts them is known to it alone.
pub(super) fn keeps_from(input: &TaskInput<'_>, path: &str, notes: &mut Notes) {
    if input.policy.enforces_restricted() {
        let why = format!(
            "keeps pods from the Pod Security level restricted, which namespace {} enforces: the API server refuses them",
            input.namespace
        );
        notes.approximated(path, why);
    }
}

/// Says what containers give up, and which fields of the whole task keep it from the level.
pub(super) fn report(input: &TaskInput<'_>, mode: NetworkMode, windows: bool, notes: &mut Notes) {
    if !input.policy.enforces_restricted() {
        return;
    }
    let gives_up = if windows { "" } else { "have no capabilities, gain no privileges and " };
    let why = format!(
        "namespace {} enforces the Pod Security level restricted: containers {gives_up}do not run as root",
        input.namespace
    );
    notes.approximated("containerDefinitions", why);
    for (index, definition) in input.task_definition.container_definitions.iter().enumerate() {
        for (position, mapping) in definition.port_mappings.iter().flatten().enumerate() {
            if mode == NetworkMode::Bridge && mapping.host_port.is_some_and(|port| port > 0) {
                keeps_from(input, &format!("containerDefinitions[{index}].portMappings[{position}].hostPort"), notes);
            }
        }
    }
}

/// Puts what the level asks of a container that is not privileged: no capability but those of `add` that it allows, and no
/// way to gain more. Whether it has to run as another user than root is told by `user`, which is 0 for root.
pub(super) fn put(context: &mut Map<String, Value>, add: &[String], user: Option<i64>) {
    context.put("allowPrivilegeEscalation", false);
    context.put_true("runAsNonRoot", user != Some(0));
    let mut capabilities = Map::new();
    capabilities.put_list("add", add.iter().map(|name| Value::from(name.as_str())).collect());
    capabilities.put("drop", json!(["ALL"]));
    context.put_map("capabilities", capabilities);
}

/// Whether the level lets a container add a capability.
pub(super) fn allows_capability(name: &str) -> bool {
    name == ALLOWED_CAPABILITY
}
