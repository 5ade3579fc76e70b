use super::*;

fn container(cpu: Option<i64>, memory: Option<i64>, memory_reservation: Option<i64>) -> ContainerSize {
    ContainerSize { name: "app".to_owned(), cpu, memory, memory_reservation, essential: true }
}

fn paths(task: TaskSize, containers: &[ContainerSize], fargate: bool) -> Vec<String> {
    check_sizes(&task, containers, fargate, false).into_iter().map(|violation| violation.path).collect()
}

fn sized(cpu: i64, memory: i64) -> TaskSize {
    TaskSize { cpu: Some(cpu), memory: Some(memory) }
}

#[test]
fn when_fargate_offers_a_pair_then_it_is_accepted() {
    for (cpu, memories) in [
        (256, &[512, 1024, 2048][..]),
        (512, &[1024, 2048, 3072, 4096]),
        (1024, &[2048, 3072, 4096, 5120, 6144, 7168, 8192]),
        (2048, &[4096, 5120, 16_384]),
        (4096, &[8192, 9216, 30_720]),
        (8192, &[16_384, 20_480, 61_440]),
        (16_384, &[32_768, 40_960, 122_880]),
    ] {
        for &memory in memories {
            assert_eq!(fargate_pair(cpu, memory, false), Ok(()), "{cpu} {memory}");
        }
    }
}

#[test]
fn when_fargate_does_not_offer_a_pair_then_the_values_that_exist_are_named() {
    for (cpu, memory) in [
        (256, 256),
        (256, 1536),
        (256, 4096),
        (512, 512),
        (512, 1536),
        (512, 5120),
        (1024, 1024),
        (1024, 2560),
        (2048, 17_408),
        (4096, 31_744),
        (8192, 17_408),
        (16_384, 36_864),
        (16_384, 131_072),
    ] {
        assert!(matches!(fargate_pair(cpu, memory, false), Err(SizeError::FargateMemory { .. })), "{cpu} {memory}");
    }
    for cpu in [0, 128, 300, 1023, 32_768] {
        assert!(matches!(fargate_pair(cpu, 2048, false), Err(SizeError::FargateCpu { .. })), "{cpu}");
    }
    assert_eq!(
        fargate_pair(1024, 1024, false).unwrap_err().to_string(),
        "no Fargate configuration exists for 1024 CPU units with 1024 MiB of memory: use 2048 to 8192 in steps of 1024"
    );
}

#[test]
fn when_the_task_is_windows_then_fargate_has_only_the_middle_of_the_table() {
    for (cpu, memory, offered) in
        [(256, 512, false), (512, 1024, false), (1024, 2048, true), (4096, 8192, true), (8192, 16_384, false)]
    {
        assert_eq!(fargate_pair(cpu, memory, true).is_ok(), offered, "{cpu}");
    }
}

#[test]
fn when_a_task_does_not_require_fargate_then_no_pair_applies() {
    assert_eq!(paths(sized(300, 700), &[container(None, None, None)], false), [""; 0]);
    assert_eq!(paths(sized(300, 700), &[container(None, None, None)], true), ["cpu"]);
    assert_eq!(paths(sized(256, 700), &[container(None, None, None)], true), ["memory"]);
}

#[test]
fn when_fargate_is_required_then_the_task_states_both_sizes() {
    assert_eq!(paths(TaskSize::default(), &[container(None, Some(128), None)], true), ["cpu", "memory"]);
    assert_eq!(paths(TaskSize { cpu: Some(256), memory: None }, &[container(None, Some(128), None)], true), ["memory"]);
}

#[test]
fn when_task_cpu_leaves_the_range_of_ecs_then_it_is_refused() {
    for (cpu, refused) in [(127, true), (128, false), (196_608, false), (196_609, true), (0, true)] {
        let found = paths(TaskSize { cpu: Some(cpu), memory: Some(512) }, &[], false);
        assert_eq!(found, if refused { vec!["cpu"] } else { vec![] }, "{cpu}");
    }
}

#[test]
fn when_a_container_breaks_a_rule_of_its_own_then_its_field_is_named() {
    let unsized_task = TaskSize::default();
    for (size, path) in [
        (container(Some(-1), Some(128), None), "containerDefinitions[0].cpu"),
        (container(None, Some(5), None), "containerDefinitions[0].memory"),
        (container(None, None, Some(5)), "containerDefinitions[0].memoryReservation"),
        (container(None, Some(127), Some(128)), "containerDefinitions[0].memory"),
        (container(None, Some(128), Some(256)), "containerDefinitions[0].memory"),
        (container(None, None, None), "containerDefinitions[0].memory"),
    ] {
        assert_eq!(paths(unsized_task, std::slice::from_ref(&size), false), [path], "{size:?}");
    }
    for size in [
        container(None, Some(6), None),
        container(None, None, Some(6)),
        container(None, Some(128), Some(128)),
        container(None, Some(129), Some(128)),
    ] {
        assert_eq!(paths(unsized_task, std::slice::from_ref(&size), false), [""; 0], "{size:?}");
    }
}

#[test]
fn when_containers_fill_the_task_exactly_then_nothing_is_refused() {
    let containers = [container(Some(512), Some(700), Some(600)), container(Some(512), Some(424), None)];
    assert_eq!(paths(sized(1024, 1024), &containers, false), [""; 0]);
}

#[test]
fn when_containers_exceed_the_task_then_the_one_that_goes_over_is_named_once() {
    let containers = [
        container(Some(512), Some(512), None),
        container(Some(513), Some(1024), Some(513)),
        container(Some(1), None, Some(6)),
    ];
    assert_eq!(
        paths(sized(1024, 1024), &containers, false),
        ["containerDefinitions[1].cpu", "containerDefinitions[1].memoryReservation"]
    );
}

#[test]
fn when_a_hard_limit_exceeds_the_task_then_it_is_refused_although_the_reservation_fits() {
    assert_eq!(
        paths(sized(1024, 1024), &[container(None, Some(2048), Some(512))], false),
        ["containerDefinitions[0].memory"]
    );
}

#[test]
fn when_sizes_are_absurd_then_sums_do_not_overflow() {
    let containers = [container(Some(i64::MAX), None, Some(i64::MAX)), container(Some(i64::MAX), None, Some(i64::MAX))];
    assert_eq!(
        paths(sized(1024, 1024), &containers, false),
        ["containerDefinitions[0].cpu", "containerDefinitions[0].memoryReservation"]
    );
}
