//! How far a task is kept apart from others on its node.

use api::task_definition::{IsolationMode, TaskDefinitionSpec};
use serde_json::{Map, Value};

use super::json::Members;
use super::notes::Notes;

/// Puts `runtimeClassName`.
///
/// Which sandbox a cluster has, and under what name, its administrator knows. Running unprotected what asked for
/// protection is not an approximation, so without a name the definition is refused ([`super::no_counterpart`]).
///
/// | isolationMode | `kubernetes.runtimeClassName` | |
/// |---|---|---|
/// | absent, SHARED | absent | the node's ordinary runtime |
/// | any | `kata` | RuntimeClass `kata` |
/// | ISOLATED_SANDBOX, CONFIDENTIAL_SANDBOX | absent | refused |
pub(super) fn put(pod: &mut Map<String, Value>, definition: &TaskDefinitionSpec, notes: &mut Notes) {
    let class = definition.kubernetes.as_ref().and_then(|kubernetes| kubernetes.runtime_class_name.as_deref());
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
