//! GPUs, Neuron devices and devices of the host: extended resources of device plugins.

use api::task_definition::{NvidiaMpsAllocation, ResourceType, TaskDefinitionSpec};
use serde_json::{Map, Value, json};

use super::json::Members;
use super::layout::Container;
use super::metadata::is_qualified_part;
use super::network::is_dns_name;
use super::notes::Notes;

/// What NVIDIA's device plugin calls a GPU.
const GPU: &str = "nvidia.com/gpu";
/// What the Neuron device plugin calls a device.
const NEURON: &str = "aws.amazon.com/neurondevice";

/// Puts the limits of extended resources; requests follow from them.
///
/// | of ECS | limit |
/// |---|---|
/// | GPU `2` | `nvidia.com/gpu: 2` |
/// | GPU `ALL` | `nvidia.com/gpu`, as many as `kubernetes.acceleratorsPerNode` says |
/// | GPU with `nvidiaMps` | `nvidia.com/gpu: 1`, one share of a device plugin that shares by MPS |
/// | NeuronDevice `ALL` | `aws.amazon.com/neurondevice`, as many as `kubernetes.acceleratorsPerNode` says |
/// | `linuxParameters.devices` | `1` of the resource that `kubernetes.deviceResources` has for the path |
pub(super) fn put(
    limits: &mut Map<String, Value>,
    container: &Container<'_>,
    definition: &TaskDefinitionSpec,
    notes: &mut Notes,
) {
    let mut gpus: i64 = 0;
    for (index, requirement) in container.definition.resource_requirements.iter().flatten().enumerate() {
        let path = container.path(&format!("resourceRequirements[{index}]"));
        match (requirement.type_, requirement.value.as_deref()) {
            (ResourceType::InferenceAccelerator, _) => {
                notes.unsupported(path, "Elastic Inference is discontinued");
            }
            (ResourceType::Gpu, None) => gpus = gpus.saturating_add(1),
            (ResourceType::Gpu, Some("ALL")) => {
                gpus = gpus.saturating_add(all(definition));
            }
            (ResourceType::Gpu, Some(value)) => match value.trim().parse::<i32>() {
                Ok(number) if number > 0 => gpus = gpus.saturating_add(i64::from(number)),
                _ => notes.refuse(format!("{path}.value"), "the value of a GPU is a number from 1, or ALL"),
            },
            (ResourceType::NeuronDevice, None | Some("ALL")) => {
                let count = all(definition);
                limits.put_some(NEURON, (count > 0).then(|| count.to_string()));
            }
            (ResourceType::NeuronDevice, Some(_)) => {
                notes.refuse(format!("{path}.value"), "the value of a NeuronDevice is ALL");
            }
        }
    }
    if gpus > 0 {
        limits.put(GPU, gpus.to_string());
    }
    host_devices(limits, container, definition, notes);
}

/// How many there are of what is wanted whole; without a number the definition is refused ([`super::no_counterpart`]).
fn all(definition: &TaskDefinitionSpec) -> i64 {
    let stated = definition.kubernetes.as_ref().and_then(|kubernetes| kubernetes.accelerators_per_node);
    stated.map_or(0, i64::from)
}

/// Variables by which a process holds itself to its share of a GPU: `{memory: 4096, maxComputePercent: 50}` gives
/// `CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=4096M` and `CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=50`. What the container sets itself
/// stays.
pub(super) fn put_sharing(spec: &mut Map<String, Value>, container: &Container<'_>) {
    let mut requirements = container.definition.resource_requirements.iter().flatten();
    let Some(share) = requirements.find_map(|one| one.sharing_strategy.as_ref()?.nvidia_mps.as_ref()) else { return };
    let NvidiaMpsAllocation { memory, max_compute_percent } = share;
    let mut wanted = vec![("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", format!("0={memory}M"))];
    wanted.extend(max_compute_percent.map(|percent| ("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", percent.to_string())));
    let mut variables = spec.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
    for (name, value) in wanted {
        if !variables.iter().any(|variable| variable.get("name").and_then(Value::as_str) == Some(name)) {
            variables.push(json!({"name": name, "value": value}));
        }
    }
    spec.put_list("env", variables);
}

/// Devices of a node are given to Pods by device plugins only, under names of their own.
fn host_devices(
    limits: &mut Map<String, Value>,
    container: &Container<'_>,
    definition: &TaskDefinitionSpec,
    notes: &mut Notes,
) {
    let Some(linux) = &container.definition.linux_parameters else { return };
    let resources = definition.kubernetes.as_ref().and_then(|kubernetes| kubernetes.device_resources.as_ref());
    for (index, device) in linux.devices.iter().flatten().enumerate() {
        let path = container.path(&format!("linuxParameters.devices[{index}]"));
        let Some(resource) = resources.and_then(|resources| resources.get(&device.host_path)) else {
            let why = "only a device plugin can provide a device of the node: name its resource in \
                kubernetes.deviceResources";
            notes.no_effect(path, why);
            continue;
        };
        if !is_extended_resource(resource) {
            let message =
                format!("{resource:?} is not the resource of a device plugin, which has the form DOMAIN/NAME");
            notes.refuse(format!("kubernetes.deviceResources[{}]", device.host_path), message);
            continue;
        }
        limits.put(resource, "1");
        let moves =
            device.container_path.as_deref().is_some_and(|inside| !inside.is_empty() && inside != device.host_path);
        if moves {
            notes.no_effect(
                format!("{path}.containerPath"),
                "the device plugin decides the path of the device in the container",
            );
        }
        if device.permissions.as_ref().is_some_and(|permissions| !permissions.is_empty()) {
            notes
                .no_effect(format!("{path}.permissions"), "the device plugin decides the permissions of the container");
        }
    }
}

/// A name that cannot be CPU, memory, storage, or anything else that Kubernetes itself gives out.
fn is_extended_resource(name: &str) -> bool {
    let Some((domain, rest)) = name.split_once('/') else { return false };
    let is_ours_to_give = !domain.ends_with("kubernetes.io") && !domain.starts_with("requests.");
    is_ours_to_give && is_dns_name(domain) && is_qualified_part(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_resource_is_not_one_of_a_device_plugin_then_it_is_not_taken_for_one() {
        for (name, is_one) in [
            ("smarter-devices/fuse", true),
            ("amd.com/gpu", true),
            ("memory", false),
            ("cpu", false),
            ("kubernetes.io/batch", false),
            ("example.kubernetes.io/x", false),
            ("requests.example.com/x", false),
            ("/x", false),
            ("a/b/c", false),
            ("a b/c", false),
        ] {
            assert_eq!(is_extended_resource(name), is_one, "{name}");
        }
    }
}
