//! Requests and limits of the containers of a task whose Pod carries the size of the task itself.
//!
//! The Pod reserves the task's CPU and memory and is held to them, whatever its containers say, exactly as a task is. The
//! containers then only state what they state on ECS: shares of the CPU, a reservation and a hard limit of memory. The API
//! takes such a Pod only if its containers together request no more than the Pod:
//!
//! | task | containers | requests | limits |
//! |---|---|---|---|
//! | 1024 units, 2048 MiB | one, nothing stated | 0 | none |
//! | 1024 units, 2048 MiB | 512 + 256 units, 512 (hard) + nothing | 500m + 250m, 512 + none | none, 512 + none |
//! | 256 units | 85 + 85 + 86 units, 64 (hard) each | 84m + 83m + 83m, 64 each | none, 64 each |

use super::resources::running_millicores;
use super::{ContainerResources, ContainerSize, TaskSize, millicores};

/// Requests and limits for each container, in order.
///
/// - CPU: the container's units, rounded as running totals so that they never add up to more than the task. Without units
///   the request is 0 and not absent: the kubelet would give a container without a request the weight of the whole task,
///   and ECS gives it the least weight there is. There is never a limit: every container may use what the task has.
/// - Memory: the reservation as request, the hard limit as limit, as they are stated.
/// - Where the task states no CPU, the containers' own count, with 2 shares at the least.
#[must_use]
pub fn shared_resources(task: &TaskSize, containers: &[ContainerSize]) -> Vec<ContainerResources> {
    let units = containers.iter().map(|container| container.cpu.unwrap_or(0).max(0));
    let cpu = match task.cpu {
        Some(_) => running_millicores(units),
        None => units.map(millicores).collect(),
    };
    containers
        .iter()
        .zip(cpu)
        .map(|(container, cpu_request_milli)| ContainerResources {
            cpu_request_milli,
            cpu_limit_milli: None,
            memory_request_mib: container.reserved_memory(),
            memory_limit_mib: container.memory,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn container(cpu: Option<i64>, memory: Option<i64>, memory_reservation: Option<i64>) -> ContainerSize {
        ContainerSize { name: "c".to_owned(), cpu, memory, memory_reservation, essential: true }
    }

    fn resources(cpu: i64, memory: Option<i64>, limit: Option<i64>) -> ContainerResources {
        ContainerResources {
            cpu_request_milli: cpu,
            cpu_limit_milli: None,
            memory_request_mib: memory,
            memory_limit_mib: limit,
        }
    }

    #[test]
    fn when_the_task_carries_the_size_then_containers_keep_what_they_state() {
        let task = TaskSize { cpu: Some(1024), memory: Some(2048) };
        assert_eq!(shared_resources(&task, &[container(None, None, None)]), [resources(0, None, None)]);
        assert_eq!(
            shared_resources(&task, &[container(Some(512), Some(512), None), container(Some(256), None, None)]),
            [resources(500, Some(512), Some(512)), resources(250, None, None)]
        );
        assert_eq!(
            shared_resources(&task, &[container(Some(0), Some(512), Some(100)), container(Some(1), None, Some(64))]),
            [resources(0, Some(100), Some(512)), resources(1, Some(64), None)]
        );
    }

    #[test]
    fn when_the_task_states_no_cpu_then_each_container_has_its_own() {
        let task = TaskSize { cpu: None, memory: Some(512) };
        let containers = [container(Some(256), None, None), container(None, None, None)];
        assert_eq!(shared_resources(&task, &containers), [resources(250, None, None), resources(2, None, None)]);
    }

    proptest! {
        #[test]
        fn containers_that_fit_into_the_task_never_request_more_than_it(
            parts in prop::collection::vec(0_i64..5000, 1..10), more in 0_i64..3,
        ) {
            let cpu = parts.iter().sum::<i64>().max(128) + more;
            let containers: Vec<_> = parts.into_iter().map(|units| container(Some(units), None, None)).collect();
            let task = TaskSize { cpu: Some(cpu), memory: None };
            let sum: i64 = shared_resources(&task, &containers).iter().map(|one| one.cpu_request_milli).sum();
            prop_assert!(sum <= millicores(cpu), "{sum}m of {}m", millicores(cpu));
        }
    }
}
