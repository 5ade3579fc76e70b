//! CPU, memory and storage: what a task reserves, as a whole and per container.

use api::schema::StringOrInteger;
use api::task_definition::TaskDefinitionSpec;
use ecs::size::{
    ContainerResources, ContainerSize, TaskSize, container_resources, cpu_units, memory_mib, millicores,
    raised_memory_limit, shared_resources,
};
use serde_json::{Map, Value};

use super::json::Members;
use super::layout::{Container, Place};
use super::notes::Notes;
use super::{TaskInput, devices};
use crate::core::quantity::{cpu, gibibytes, mebibytes};

/// GiB that a task has on Fargate when its definition states no storage.
const FARGATE_STORAGE_GIB: i32 = 20;

/// The resources of a task.
pub(super) struct Resources {
    /// `spec.resources` of the Pod; empty where the containers carry everything.
    pub(super) pod: Map<String, Value>,
    /// `resources` of each container, in the order of the Pod.
    pub(super) containers: Vec<Map<String, Value>>,
}

/// What the task reserves, and where it is written.
///
/// | cluster | the task's own size | each container |
/// |---|---|---|
/// | 1.34 and later | `resources` of the Pod, request and limit | what it states ([`shared_resources`]) |
/// | earlier, and Windows | divided among the containers ([`container_resources`]), which is reported | its share of it |
///
/// Either way the Pod reserves the size of the task where it is stated, and the autoscaler's percentages count from it. A
/// container that ends before others start has its own request, lowered where it would raise the Pod above that sum: in a
/// task of 1024 units with a sidecar of 768, such a container of 512 requests 250m.
pub(super) fn resources(
    input: &TaskInput<'_>,
    containers: &[Container<'_>],
    windows: bool,
    notes: &mut Notes,
) -> Resources {
    let definition = input.task_definition;
    let task = TaskSize {
        cpu: read(definition.cpu.as_ref(), cpu_units, "cpu", notes),
        memory: read(definition.memory.as_ref(), memory_mib, "memory", notes),
    };
    let is_sized = task.cpu.is_some() || task.memory.is_some();
    let is_on_pod = is_sized && !windows && input.facts.has_pod_level_resources();
    // ECS knows the order of the definition only: what is left of the task goes to its first essential container.
    let mut positions: Vec<usize> = (0..containers.len()).collect();
    positions.sort_by_key(|&position| containers.get(position).map(|container| container.index));
    let first = positions.iter().copied().find(|&at| containers.get(at).is_some_and(Container::is_essential));
    positions.retain(|&position| containers.get(position).is_some_and(Container::is_long_running));
    let sizes: Vec<ContainerSize> = positions.iter().filter_map(|&at| containers.get(at)).map(size).collect();
    let divided = if is_on_pod { shared_resources(&task, &sizes) } else { container_resources(&task, &sizes, windows) };
    if windows {
        report_windows(input, &task, containers, notes);
    } else if !is_on_pod {
        report(&task, containers, &positions, &sizes, notes);
    }
    let mut before = Reserved::default();
    let resources = containers.iter().enumerate().map(|(position, container)| {
        let divided = positions.iter().position(|&long| long == position).and_then(|at| divided.get(at));
        let own = match divided {
            Some(own) => {
                if matches!(container.place, Place::Sidecar { .. }) {
                    before.add(own);
                }
                *own
            }
            None if is_on_pod => before.fit_into_pod(&task, &size(container)),
            None => before.fit(&task, &size(container), windows),
        };
        let mut requests = Map::new();
        let mut limits = Map::new();
        requests.put("cpu", cpu(own.cpu_request_milli));
        requests.put_some("memory", own.memory_request_mib.map(mebibytes));
        limits.put_some("cpu", own.cpu_limit_milli.map(cpu));
        limits.put_some("memory", own.memory_limit_mib.map(mebibytes));
        if first == Some(position) {
            storage(definition, input.is_fargate, &mut requests, &mut limits);
        }
        devices::put(&mut limits, container, definition, notes);
        both(requests, limits)
    });
    let containers = resources.collect();
    let mut total = Map::new();
    if is_on_pod {
        total.put_some("cpu", task.cpu.map(|units| cpu(millicores(units))));
        total.put_some("memory", task.memory.map(mebibytes));
    }
    Resources { pod: both(total.clone(), total), containers }
}

fn both(requests: Map<String, Value>, limits: Map<String, Value>) -> Map<String, Value> {
    let mut resources = Map::new();
    resources.put_map("requests", requests);
    resources.put_map("limits", limits);
    resources
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

    /// The container beside the sidecars that run already, in a Pod whose containers carry the size of the task.
    fn fit(&self, task: &TaskSize, container: &ContainerSize, windows: bool) -> ContainerResources {
        let alone = TaskSize::default();
        let own = container_resources(&alone, std::slice::from_ref(container), windows);
        let own = self.lowered(own.first(), task);
        ContainerResources {
            cpu_limit_milli: own.cpu_limit_milli.or(task.cpu.filter(|_| !windows).map(millicores)),
            // With a limit alone, Kubernetes would take it as the request.
            memory_request_mib: own.memory_request_mib.or(task.memory.map(|_| 0)),
            memory_limit_mib: own.memory_limit_mib.or(task.memory),
            ..own
        }
    }

    /// The same in a Pod that carries it itself.
    fn fit_into_pod(&self, task: &TaskSize, container: &ContainerSize) -> ContainerResources {
        let own = shared_resources(task, std::slice::from_ref(container));
        self.lowered(own.first(), task)
    }

    /// What is left of the task at the most.
    fn lowered(&self, own: Option<&ContainerResources>, task: &TaskSize) -> ContainerResources {
        let own = own.copied().unwrap_or_default();
        let cpu_left = task.cpu.map_or(i64::MAX, |cpu| (millicores(cpu) - self.cpu_milli).max(0));
        let memory_left = task.memory.map_or(i64::MAX, |memory| (memory - self.memory_mib).max(0));
        ContainerResources {
            cpu_request_milli: own.cpu_request_milli.min(cpu_left),
            memory_request_mib: own.memory_request_mib.map(|request| request.min(memory_left)),
            ..own
        }
    }
}

fn read<E: std::error::Error>(
    stated: Option<&StringOrInteger>,
    parse: impl Fn(&str) -> Result<i64, E>,
    field: &str,
    notes: &mut Notes,
) -> Option<i64> {
    // Empty means absent, as for every string of the ECS API.
    let text = stated?.to_string();
    if text.is_empty() {
        return None;
    }
    match parse(&text) {
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

/// What differs where the containers carry the size of the task.
fn report(
    task: &TaskSize,
    containers: &[Container<'_>],
    positions: &[usize],
    sizes: &[ContainerSize],
    notes: &mut Notes,
) {
    if sizes.len() > 1 {
        for (stated, field) in [(task.cpu, "cpu"), (task.memory, "memory")] {
            if stated.is_some() {
                let why = "each container is limited to the size of the task, but not all of them together; from \
                    Kubernetes 1.34 on, the limit applies to the pod as a whole";
                notes.approximated(field, why);
            }
        }
    }
    let raised = raised_memory_limit(task, sizes, false).and_then(|at| positions.get(at));
    if let Some(container) = raised.and_then(|&position| containers.get(position)) {
        let why = "less than the task reserves; up to Kubernetes 1.33, the container may also use the memory of the \
            task that no other container reserves";
        notes.approximated(container.path("memory"), why);
    }
}

/// Windows ignores the size of a task for what containers state themselves, on ECS too. Only Fargate has it count there.
fn report_windows(input: &TaskInput<'_>, task: &TaskSize, containers: &[Container<'_>], notes: &mut Notes) {
    let states = |field: fn(&ContainerSize) -> bool| containers.iter().map(size).any(|size| field(&size));
    let has_cpu = states(|size| size.cpu.unwrap_or(0) > 0);
    let has_memory = states(|size| size.memory.or(size.memory_reservation).is_some());
    for (stated, is_ignored, field) in [(task.cpu, has_cpu, "cpu"), (task.memory, has_memory, "memory")] {
        if stated.is_some() && is_ignored {
            let why = "Windows containers are limited to their own sizes only";
            if input.is_fargate {
                notes.approximated(field, why);
            } else {
                notes.no_effect(field, why);
            }
        }
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
