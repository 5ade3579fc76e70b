//! What a cluster cannot know by itself, and what nobody has named for it.

use api::task_definition::{IsolationMode, ResourceType, TaskDefinitionSpec};

/// Paths below `spec`, each with what to do about it. Both validation and the planner refuse them: a container without the
/// accelerators it needs, or without the protection it asks for, must not run.
pub(crate) fn no_counterpart(definition: &TaskDefinitionSpec) -> Vec<(String, String)> {
    let kubernetes = definition.kubernetes.as_ref();
    let mut found = Vec::new();
    if kubernetes.is_none_or(|kubernetes| kubernetes.runtime_class_name.is_none()) {
        found.extend(sandbox(definition));
    }
    if kubernetes.is_none_or(|kubernetes| kubernetes.accelerators_per_node.is_none()) {
        found.extend(uncounted(definition));
    }
    found
}

fn sandbox(definition: &TaskDefinitionSpec) -> Option<(String, String)> {
    let mode = match definition.trusted_execution_configuration.as_ref()?.isolation_mode {
        IsolationMode::Shared => return None,
        IsolationMode::IsolatedSandbox => "ISOLATED_SANDBOX",
        IsolationMode::ConfidentialSandbox => "CONFIDENTIAL_SANDBOX",
    };
    let message = format!("{mode} requires a RuntimeClass: set kubernetes.runtimeClassName");
    Some(("trustedExecutionConfiguration.isolationMode".to_owned(), message))
}

/// `ALL` is what the instance has, which is known once a task is placed; Kubernetes wants a number before that.
fn uncounted(definition: &TaskDefinitionSpec) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (number, container) in definition.container_definitions.iter().enumerate() {
        for (index, requirement) in container.resource_requirements.iter().flatten().enumerate() {
            let what = match requirement.type_ {
                ResourceType::Gpu => "GPUs",
                ResourceType::NeuronDevice => "Neuron devices",
                ResourceType::InferenceAccelerator => continue,
            };
            if requirement.value.as_deref() == Some("ALL") {
                let path = format!("containerDefinitions[{number}].resourceRequirements[{index}].value");
                let message = format!(
                    "the number of {what} that ALL means is unknown before a task is placed: set \
                        kubernetes.acceleratorsPerNode to the number per node"
                );
                found.push((path, message));
            }
        }
    }
    found
}
