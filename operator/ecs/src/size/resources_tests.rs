use proptest::prelude::*;

use super::*;

fn container(cpu: Option<i64>, memory: Option<i64>, memory_reservation: Option<i64>, essential: bool) -> ContainerSize {
    ContainerSize { name: "c".to_owned(), cpu, memory, memory_reservation, essential }
}

fn resources(cpu: i64, cpu_limit: Option<i64>, memory: Option<i64>, memory_limit: Option<i64>) -> ContainerResources {
    ContainerResources {
        cpu_request_milli: cpu,
        cpu_limit_milli: cpu_limit,
        memory_request_mib: memory,
        memory_limit_mib: memory_limit,
    }
}

const NO_SIZE: TaskSize = TaskSize { cpu: None, memory: None };
const ONE_CPU: TaskSize = TaskSize { cpu: Some(1024), memory: Some(2048) };

#[test]
fn when_one_container_states_nothing_then_it_gets_the_whole_task() {
    assert_eq!(
        container_resources(&ONE_CPU, &[container(None, None, None, true)], false),
        [resources(1000, Some(1000), Some(2048), Some(2048))]
    );
}

#[test]
fn when_containers_leave_a_remainder_then_the_first_essential_one_gets_it() {
    let containers = [container(Some(256), None, None, false), container(Some(512), None, Some(512), true)];
    assert_eq!(
        container_resources(&ONE_CPU, &containers, false),
        [resources(250, Some(1000), Some(0), Some(2048)), resources(750, Some(1000), Some(2048), Some(2048))]
    );
}

#[test]
fn when_the_first_essential_container_has_a_hard_limit_then_memory_goes_to_one_without() {
    let containers = [container(Some(512), Some(512), None, true), container(Some(256), None, None, false)];
    assert_eq!(
        container_resources(&ONE_CPU, &containers, false),
        [resources(750, Some(1000), Some(512), Some(512)), resources(250, Some(1000), Some(1536), Some(2048))]
    );
    assert_eq!(raised_memory_limit(&ONE_CPU, &containers, false), None);
}

#[test]
fn when_all_have_hard_limits_then_requests_rise_to_the_limits_before_a_limit_rises() {
    let fits = [container(None, Some(1536), Some(512), true), container(None, Some(1024), Some(256), false)];
    let result = container_resources(&ONE_CPU, &fits, false);
    assert_eq!(result[0].memory_request_mib.zip(result[0].memory_limit_mib), Some((1536, 1536)));
    assert_eq!(result[1].memory_request_mib.zip(result[1].memory_limit_mib), Some((512, 1024)));
    assert_eq!(raised_memory_limit(&ONE_CPU, &fits, false), None);

    let too_small = [container(None, Some(256), None, false), container(None, Some(1024), None, true)];
    let result = container_resources(&ONE_CPU, &too_small, false);
    assert_eq!(result[0].memory_request_mib.zip(result[0].memory_limit_mib), Some((256, 256)));
    assert_eq!(result[1].memory_request_mib.zip(result[1].memory_limit_mib), Some((1792, 1792)));
    assert_eq!(raised_memory_limit(&ONE_CPU, &too_small, false), Some(1));
}

#[test]
fn when_the_task_has_no_size_then_each_container_has_its_own_and_cpu_is_not_limited() {
    let containers = [
        container(Some(256), Some(512), Some(300), true),
        container(None, Some(128), None, false),
        container(Some(1), None, Some(64), false),
    ];
    assert_eq!(
        container_resources(&NO_SIZE, &containers, false),
        [
            resources(250, None, Some(300), Some(512)),
            resources(2, None, Some(128), Some(128)),
            resources(2, None, Some(64), None)
        ]
    );
}

#[test]
fn when_parts_do_not_divide_evenly_then_rounding_does_not_add_up() {
    let task = TaskSize { cpu: Some(256), memory: None };
    let part = |cpu| container(Some(cpu), Some(64), None, true);
    let requests: Vec<i64> = container_resources(&task, &[part(85), part(85), part(86)], false)
        .into_iter()
        .map(|resources| resources.cpu_request_milli)
        .collect();
    assert_eq!(requests, [84, 83, 83]);
}

#[test]
fn when_the_task_is_windows_then_container_cpu_is_the_cap_and_task_sizes_give_way() {
    let containers = [container(Some(512), Some(1024), None, true), container(None, Some(256), None, false)];
    assert_eq!(
        container_resources(&ONE_CPU, &containers, true),
        [resources(500, Some(500), Some(1024), Some(1024)), resources(2, None, Some(256), Some(256))]
    );
    assert_eq!(
        container_resources(&ONE_CPU, &[container(None, None, None, true)], true),
        [resources(1000, None, Some(2048), Some(2048))]
    );
}

#[test]
fn when_there_is_no_container_then_there_is_nothing_to_size() {
    assert_eq!(container_resources(&ONE_CPU, &[], false), []);
}

/// Containers that fit into a task of `cpu` units and `memory` MiB.
fn fitting(cpu: i64, memory: i64) -> impl Strategy<Value = Vec<ContainerSize>> {
    let part = (0_i64..=cpu, 0_i64..=memory, 0_i64..=memory, 0_u8..6, any::<bool>());
    proptest::collection::vec(part, 1..6).prop_map(move |parts| {
        let (mut cpu_left, mut memory_left) = (cpu, memory);
        parts
            .into_iter()
            .map(|(cpu, reservation, hard, form, essential)| {
                let cpu = cpu.min(cpu_left);
                cpu_left -= cpu;
                let reservation = reservation.min(memory_left);
                let stated = reservation >= 6 && form != 0;
                memory_left -= if stated { reservation } else { 0 };
                let hard = hard.max(reservation);
                let (limit, soft) = match form {
                    _ if !stated => (None, None),
                    1 | 2 => (Some(reservation), None),
                    3 => (None, Some(reservation)),
                    _ => (Some(hard), Some(reservation)),
                };
                container((form != 2).then_some(cpu), limit, soft, essential)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn requests_add_up_to_the_task_and_stay_within_their_limits(
        (task, containers) in (128_i64..=20_000, 64_i64..=60_000).prop_flat_map(|(cpu, memory)| {
            (Just(TaskSize { cpu: Some(cpu), memory: Some(memory) }), fitting(cpu, memory))
        }),
    ) {
        let (cpu, memory) = (millicores(task.cpu.unwrap()), task.memory.unwrap());
        let result = container_resources(&task, &containers, false);
        prop_assert_eq!(result.len(), containers.len());
        prop_assert_eq!(result.iter().map(|part| part.cpu_request_milli).sum::<i64>(), cpu);
        prop_assert_eq!(result.iter().filter_map(|part| part.memory_request_mib).sum::<i64>(), memory);
        for (part, container) in result.iter().zip(&containers) {
            prop_assert!((0..=cpu).contains(&part.cpu_request_milli));
            prop_assert_eq!(part.cpu_limit_milli, Some(cpu));
            let (request, limit) = (part.memory_request_mib.unwrap(), part.memory_limit_mib.unwrap());
            prop_assert!(container.reserved_memory().unwrap_or(0) <= request && request <= limit && limit <= memory);
            prop_assert!(container.memory.is_none_or(|stated| stated <= limit));
        }
        // Rounding takes less than a millicore from any container.
        for (part, container) in result.iter().zip(&containers) {
            prop_assert!((part.cpu_request_milli + 1) * 1024 > container.cpu.unwrap_or(0) * 1000);
        }
    }

    #[test]
    fn a_limit_rises_only_where_all_limits_together_are_below_the_task(containers in fitting(4096, 8192)) {
        let task = TaskSize { cpu: Some(4096), memory: Some(8192) };
        let limits: i64 = containers.iter().map(|container| container.memory.unwrap_or(8192)).sum();
        prop_assert_eq!(raised_memory_limit(&task, &containers, false).is_some(), limits < 8192);
    }

    #[test]
    fn a_task_without_sizes_is_the_sum_of_its_containers(containers in fitting(4096, 8192), windows in any::<bool>()) {
        let result = container_resources(&NO_SIZE, &containers, windows);
        for (part, container) in result.iter().zip(&containers) {
            prop_assert_eq!(part.cpu_request_milli, millicores(container.cpu.unwrap_or(0)));
            prop_assert_eq!(part.memory_request_mib, container.reserved_memory());
            prop_assert_eq!(part.memory_limit_mib, container.memory);
            prop_assert!(windows || part.cpu_limit_milli.is_none());
        }
    }

    #[test]
    fn sizes_that_break_every_rule_still_give_requests_within_limits(
        cpu in any::<Option<i64>>(), memory in any::<Option<i64>>(), parts in proptest::collection::vec(any::<(Option<i64>, Option<i64>, Option<i64>, bool)>(), 0..4), windows in any::<bool>(),
    ) {
        let containers: Vec<ContainerSize> = parts.into_iter().map(|(a, b, c, d)| container(a, b, c, d)).collect();
        let result = container_resources(&TaskSize { cpu, memory }, &containers, windows);
        prop_assert_eq!(result.len(), containers.len());
        for part in result {
            prop_assert!(part.cpu_limit_milli.is_none_or(|limit| part.cpu_request_milli <= limit));
        }
    }
}
