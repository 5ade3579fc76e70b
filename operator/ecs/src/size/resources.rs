//! Requests and limits of the containers of a task where Pods cannot carry resources as a whole.
//!
//! A task reserves its own size; the containers divide it. Without resources on the Pod the containers must carry all
//! of it, because both placement and CPU percentages count the sum of their requests:
//!
//! | task | containers (first one essential) | requests | limits |
//! |---|---|---|---|
//! | 1024 units, 2048 MiB | one, nothing stated | 1000m, 2048 | 1000m, 2048 |
//! | 1024 units, 2048 MiB | 512 + 256 units, 512 (hard) + nothing | 750m + 250m, 512 + 1536 | 1000m each, 512 and 2048 |
//! | none | 256 units, 300 soft 512 hard | 250m, 300 | none, 512 |
//! | none | unset, 128 hard | 2m, 128 | none, 128 |

use super::{ContainerSize, TaskSize, exact_millicores, millicores};

/// The resources of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerResources {
    /// `resources.requests.cpu` in millicores.
    pub cpu_request_milli: i64,
    /// `resources.limits.cpu` in millicores.
    pub cpu_limit_milli: Option<i64>,
    /// `resources.requests.memory` in MiB.
    pub memory_request_mib: Option<i64>,
    /// `resources.limits.memory` in MiB.
    pub memory_limit_mib: Option<i64>,
}

/// Requests and limits for each container, in order.
///
/// - The sum of requests is the size of the task where it is stated (and the containers fit into it), otherwise the
///   sum over the containers. No request is above its limit.
/// - What the containers leave of the task goes to the first essential container: CPU always; memory to it if it has
///   no hard limit, else to the others without one, else up to the hard limits in order. If all hard limits together
///   are smaller than the task, the hard limit of the first essential container rises: see [`raised_memory_limit`].
/// - On Linux each container may use the whole CPU of the task and no more; without a size of the task there is no
///   CPU limit. On Windows the container's own CPU is its limit, and sizes of the task matter only as far as no
///   container states its own.
pub fn container_resources(task: &TaskSize, containers: &[ContainerSize], windows: bool) -> Vec<ContainerResources> {
    let task = effective_task(task, containers, windows);
    let first = main_container(containers);
    let cpu = cpu_requests(task.cpu, containers, first);
    let memory = memory_resources(task.memory, containers, first);
    containers
        .iter()
        .zip(cpu.into_iter().zip(memory))
        .map(|(container, (cpu_request, (memory_request, memory_limit)))| ContainerResources {
            cpu_request_milli: cpu_request,
            cpu_limit_milli: if windows {
                container.cpu.filter(|&cpu| cpu > 0).map(millicores)
            } else {
                task.cpu.map(|cpu| millicores(cpu).max(cpu_request))
            },
            memory_request_mib: memory_request,
            memory_limit_mib: memory_limit,
        })
        .collect()
}

/// The index of the container whose limit [`container_resources`] sets above its own `memory`, so that the containers
/// together reserve what the task states. A task of 2048 MiB with one container of 1024 has it: ECS would stop the
/// container at 1024, here it may use 2048. The caller reports it.
pub fn raised_memory_limit(task: &TaskSize, containers: &[ContainerSize], windows: bool) -> Option<usize> {
    let resources = container_resources(task, containers, windows);
    containers.iter().zip(resources).position(|(container, resources)| {
        container.memory.zip(resources.memory_limit_mib).is_some_and(|(stated, limit)| limit > stated)
    })
}

/// Windows ignores the size of the task for whatever a container states itself.
fn effective_task(task: &TaskSize, containers: &[ContainerSize], windows: bool) -> TaskSize {
    let cpu_stated = containers.iter().any(|container| container.cpu.unwrap_or(0) > 0);
    let memory_stated = containers.iter().any(|container| container.reserved_memory().is_some());
    TaskSize {
        cpu: task.cpu.filter(|_| !(windows && cpu_stated)),
        memory: task.memory.filter(|_| !(windows && memory_stated)),
    }
}

/// The first essential container, or the first one.
fn main_container(containers: &[ContainerSize]) -> usize {
    containers.iter().position(|container| container.essential).unwrap_or(0)
}

/// Millicores per container. With a task size the units are rounded as running totals, so that the parts add up to
/// the rounded whole: 85 + 85 + 86 of 256 units would be 84m three times, 2m more than the 250m of the task; as
/// differences of the totals 84, 167 and 250 they are 84m, 83m and 83m.
fn cpu_requests(task: Option<i64>, containers: &[ContainerSize], first: usize) -> Vec<i64> {
    let Some(task) = task else {
        return containers.iter().map(|container| millicores(container.cpu.unwrap_or(0))).collect();
    };
    let units = |container: &ContainerSize| container.cpu.unwrap_or(0).max(0);
    let stated = containers.iter().map(units).fold(0, i64::saturating_add);
    let remainder = task.saturating_sub(stated).max(0);
    let parts = containers.iter().enumerate().map(|(index, container)| {
        let extra = if index == first { remainder } else { 0 };
        units(container).saturating_add(extra)
    });
    running_millicores(parts)
}

/// Millicores as differences of running totals: the sum of the parts is the rounded sum.
pub(super) fn running_millicores(units: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut total: i64 = 0;
    let mut reached = 0;
    units
        .map(|part| {
            total = total.saturating_add(part);
            let before = reached;
            reached = exact_millicores(total);
            reached - before
        })
        .collect()
}

/// Request and limit in MiB per container.
fn memory_resources(task: Option<i64>, containers: &[ContainerSize], first: usize) -> Vec<(Option<i64>, Option<i64>)> {
    let Some(task) = task else {
        return containers.iter().map(|container| (container.reserved_memory(), container.memory)).collect();
    };
    let mut parts: Vec<(i64, i64)> = containers
        .iter()
        .map(|container| {
            let request = container.reserved_memory().unwrap_or(0).max(0);
            (request, container.memory.unwrap_or(task).max(request))
        })
        .collect();
    let mut remainder = parts.iter().fold(task, |left, (request, _)| left.saturating_sub(*request)).max(0);
    // The first essential container, then the others without a hard limit, then the rest: all within their limits.
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&index| {
        let limited = containers.get(index).is_some_and(|container| container.memory.is_some());
        (limited, index != first, index)
    });
    for index in order {
        if let Some((request, limit)) = parts.get_mut(index) {
            let share = remainder.min(*limit - *request);
            *request += share;
            remainder -= share;
        }
    }
    if let Some((request, limit)) = parts.get_mut(first) {
        *request += remainder;
        *limit = (*limit).max(*request);
    }
    parts.into_iter().map(|(request, limit)| (Some(request), Some(limit))).collect()
}

#[cfg(test)]
#[path = "resources_tests.rs"]
mod tests;
