//! How far a task is kept apart from others on its node.

use api::task_definition::IsolationMode;
use serde_json::{Map, Value};

use super::json::Members;
use super::notes::Notes;
use super::{TaskInput, permission};
use crate::core::right::Right;

/// Puts `runtimeClassName`.
///
/// Which sandbox a cluster has, and under what name, its administrator knows. Running unprotected what asked for
/// protection is not an approximation, so without a name the definition is refused ([`super::no_counterpart`]).
///
/// | isolationMode | `kubernetes.runtimeClassName` | |
/// |---|---|---|
/// | absent, SHARED | absent | the node's ordinary runtime |
/// | any | `kata` | RuntimeClass `kata`, where the administrator of the namespace allows it |
/// | ISOLATED_SANDBOX, CONFIDENTIAL_SANDBOX | absent | refused |
pub(super) fn put(pod: &mut Map<String, Value>, input: &TaskInput<'_>, notes: &mut Notes) {
    let definition = input.task_definition;
    let class = definition.kubernetes.as_ref().and_then(|kubernetes| kubernetes.runtime_class_name.as_deref());
    if let Some(class) = class {
        permission::has(input, &Right::RuntimeClass(class.to_owned()), "kubernetes.runtimeClassName", notes);
    }
    pod.put_some("runtimeClassName", class);
    let Some(configuration) = &definition.trusted_execution_configuration else { return };
    if let (true, Some(class)) = (configuration.isolation_mode != IsolationMode::Shared, class) {
        let why = format!("tasks run in RuntimeClass {class}, which determines their isolation");
        notes.approximated("trustedExecutionConfiguration.isolationMode", why);
    }
    if configuration.attestation_policy.as_deref().is_some_and(|policy| !policy.is_empty()) {
        let why = "attestation is configured with the RuntimeClass";
        notes.no_effect("trustedExecutionConfiguration.attestationPolicy", why);
    }
}
