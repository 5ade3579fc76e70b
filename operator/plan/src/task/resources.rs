//! CPU, memory, storage and devices: what a task reserves, divided among the containers of its Pod.

use api::schema::StringOrInteger;
use api::task_definition::{ResourceType, TaskDefinitionSpec};
use ecs::size::{
    ContainerResources, ContainerSize, TaskSize, container_resources, cpu_units, memory_mib, millicores,
    raised_memory_limit,
};
use serde_json::{Map, Value};

use super::json::Members;
use super::layout::Container;
use super::notes::Notes;
use crate::quantity::{cpu, gibibytes, mebibytes};

/// GiB that a task has on Fargate when its definition states no storage.
const FARGATE_STORAGE_GIB: i32 = 20;

/// `resources` of each container, in the order of `containers`.
///
/// The requests of everything that runs at the same time add up to the size of the task where it is stated. A
/// container that ends before others start has its own request, lowered where it would raise the Pod above that sum:
/// in a task of 1024 units with a sidecar of 768, such a container of 512 requests 250m.
pub(super) fn resources(
    definition: &TaskDefinitionSpec,
    containers: &[Container<'_>],
    is_fargate: bool,
    windows: bool,
    notes: &mut Notes,
) -> Vec<Map<String, Value>> {
    let task = TaskSize {
        cpu: read(definition.cpu.as_ref(), cpu_units, "cpu", notes),
        memory: read(definition.memory.as_ref(), memory_mib, "memory", notes),
    };
    // ECS knows the order of the definition only: what is left of the task goes to its first essential container.
    let mut positions: Vec<usize> = (0..containers.len()).collect();
    positions.sort_by_key(|&position| containers.get(position).map(|container| container.index));
    let first = positions.iter().copied().find(|&at| containers.get(at).is_some_and(Container::is_essential));
    positions.retain(|&position| containers.get(position).is_some_and(Container::is_long_running));
    let sizes: Vec<ContainerSize> = positions.iter().filter_map(|&at| containers.get(at)).map(size).collect();
    let divided = container_resources(&task, &sizes, windows);
    report(&task, containers, &positions, &sizes, windows, notes);
    let mut before = Reserved::default();
    containers
        .iter()
        .enumerate()
        .map(|(position, container)| {
            let divided = positions.iter().position(|&long| long == position).and_then(|at| divided.get(at));
            let own = match divided {
                Some(own) => {
                    before.add(own);
                    *own
                }
                None => before.fit(&task, &size(container), windows),
            };
            let mut requests = Map::new();
            let mut limits = Map::new();
            requests.put("cpu", cpu(own.cpu_request_milli));
            requests.put_some("memory", own.memory_request_mib.map(mebibytes));
            limits.put_some("cpu", own.cpu_limit_milli.map(cpu));
            limits.put_some("memory", own.memory_limit_mib.map(mebibytes));
            if first == Some(position) {
                storage(definition, is_fargate, &mut requests, &mut limits);
            }
            devices(container, &mut limits, notes);
            let mut resources = Map::new();
            resources.put_map("requests", requests);
            resources.put_map("limits", limits);
            resources
        })
        .collect()
}

/// What the sidecars before an init container request.
#[derive(Default)]
struct Reserved {
    cpu_milli: i64,
    memory_mib: i64,
}

impl Reserved {
    fn add(&mut self, container: &ContainerResources) {
        self.cpu_milli = self.cpu_milli.saturating_add(container.cpu_request_milli);
        self.memory_mib = self.memory_mib.saturating_add(container.memory_request_mib.unwrap_or(0));
    }

    fn fit(&self, task: &TaskSize, container: &ContainerSize, windows: bool) -> ContainerResources {
        let alone = TaskSize::default();
        let own = container_resources(&alone, std::slice::from_ref(container), windows);
        let own = own.first().copied().unwrap_or(ContainerResources {
            cpu_request_milli: 0,
            cpu_limit_milli: None,
            memory_request_mib: None,
            memory_limit_mib: None,
        });
        let cpu_left = task.cpu.map_or(i64::MAX, |cpu| (millicores(cpu) - self.cpu_milli).max(0));
        let memory_left = task.memory.map_or(i64::MAX, |memory| (memory - self.memory_mib).max(0));
        ContainerResources {
            cpu_request_milli: own.cpu_request_milli.min(cpu_left),
            cpu_limit_milli: own.cpu_limit_milli.or(task.cpu.filter(|_| !windows).map(millicores)),
            // With a limit alone, Kubernetes would take it as the request.
            memory_request_mib: own.memory_request_mib.or(task.memory.map(|_| 0)).map(|own| own.min(memory_left)),
            memory_limit_mib: own.memory_limit_mib.or(task.memory),
        }
    }
}

fn read<E: std::error::Error>(
    stated: Option<&StringOrInteger>,
    parse: impl Fn(&str) -> Result<i64, E>,
    field: &str,
    notes: &mut Notes,
) -> Option<i64> {
    match parse(&stated?.to_string()) {
        Ok(size) => Some(size),
        Err(error) => {
            notes.refuse(field, error.to_string());
            None
        }
    }
}

fn size(container: &Container<'_>) -> ContainerSize {
    ContainerSize {
        name: container.definition.name.clone(),
        cpu: container.definition.cpu.map(i64::from),
        memory: container.definition.memory.map(i64::from),
        memory_reservation: container.definition.memory_reservation.map(i64::from),
        essential: container.is_essential(),
    }
}

fn report(
    task: &TaskSize,
    containers: &[Container<'_>],
    positions: &[usize],
    sizes: &[ContainerSize],
    windows: bool,
    notes: &mut Notes,
) {
    if windows {
        return;
    }
    if sizes.len() > 1 {
        for (stated, field) in [(task.cpu, "cpu"), (task.memory, "memory")] {
            if stated.is_some() {
                let why = "each container is held to the size of the task, but not all of them together";
                notes.approximated(field, why);
            }
        }
    }
    let raised = raised_memory_limit(task, sizes, windows).and_then(|at| positions.get(at));
    if let Some(container) = raised.and_then(|&position| containers.get(position)) {
        let why = "less than the task reserves; the container may use the memory that the task leaves over";
        notes.approximated(container.path("memory"), why);
    }
}

/// Storage of the task, on its first essential container: the kubelet adds up what the whole Pod uses and compares it
/// with the sum of the limits. A stated size is reserved too. Fargate's 20 GiB are only a limit, because nodes of a
/// small cluster have less to reserve for each task.
fn storage(
    definition: &TaskDefinitionSpec,
    is_fargate: bool,
    requests: &mut Map<String, Value>,
    limits: &mut Map<String, Value>,
) {
    const NAME: &str = "ephemeral-storage";
    let stated = definition.ephemeral_storage.as_ref().map(|storage| storage.size_in_gib);
    if let Some(size) = stated {
        requests.put(NAME, gibibytes(size.into()));
        limits.put(NAME, gibibytes(size.into()));
    } else if is_fargate {
        requests.put(NAME, "0");
        limits.put(NAME, gibibytes(FARGATE_STORAGE_GIB.into()));
    }
}

/// `nvidia.com/gpu` by count. ECS's `ALL` means what the instance has, which a Pod cannot say.
fn devices(container: &Container<'_>, limits: &mut Map<String, Value>, notes: &mut Notes) {
    let mut count: i64 = 0;
    for (index, requirement) in container.definition.resource_requirements.iter().flatten().enumerate() {
        let path = container.path(&format!("resourceRequirements[{index}]"));
        match (requirement.type_, requirement.value.as_deref()) {
            (ResourceType::InferenceAccelerator, _) => {
                notes.unsupported(path, "Elastic Inference is discontinued");
            }
            // How GPUs are shared is up to the device plugin, and how many a node has is not known before it is chosen.
            (_, None | Some("ALL")) => {}
            (ResourceType::NeuronDevice, Some(_)) => notes.refuse(path, "the value of a NeuronDevice is ALL"),
            (ResourceType::Gpu, Some(value)) => match value.trim().parse::<i32>() {
                Ok(number) if number > 0 => count = count.saturating_add(i64::from(number)),
                _ => notes.refuse(format!("{path}.value"), "the value of a GPU is a number from 1, or ALL"),
            },
        }
    }
    if count > 0 {
        limits.put("nvidia.com/gpu", count.to_string());
    }
}
