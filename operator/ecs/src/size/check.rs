//! The rules of ECS about sizes that do not depend on where the task runs, and the table of Fargate.

use super::{ContainerSize, SizeError, TaskSize};
use crate::violation::Violation;

/// Least memory of a container in MiB.
const LEAST_MEMORY: i64 = 6;
/// CPU units a task may have: 0.125 to 192 vCPU.
const TASK_CPU: std::ops::RangeInclusive<i64> = 128..=196_608;

/// One row of Fargate's table: with `cpu` units, memory from `least` to `most` MiB in steps of `step`.
struct FargateRow {
    cpu: i64,
    least: i64,
    most: i64,
    step: i64,
    windows: bool,
}

const FARGATE: [FargateRow; 7] = [
    // 512, 1024 and 2048: the one row whose step is not constant.
    FargateRow { cpu: 256, least: 512, most: 2048, step: 512, windows: false },
    FargateRow { cpu: 512, least: 1024, most: 4096, step: 1024, windows: false },
    FargateRow { cpu: 1024, least: 2048, most: 8192, step: 1024, windows: true },
    FargateRow { cpu: 2048, least: 4096, most: 16_384, step: 1024, windows: true },
    FargateRow { cpu: 4096, least: 8192, most: 30_720, step: 1024, windows: true },
    FargateRow { cpu: 8192, least: 16_384, most: 61_440, step: 4096, windows: false },
    FargateRow { cpu: 16_384, least: 32_768, most: 122_880, step: 8192, windows: false },
];

/// Checks that Fargate offers `memory` MiB with `cpu` units: 256 goes with 512, 1024 or 2048; 1024 with 2048 to 8192
/// in steps of 1024; and so on.
pub fn fargate_pair(cpu: i64, memory: i64, windows: bool) -> Result<(), SizeError> {
    let Some(row) = FARGATE.iter().find(|row| row.cpu == cpu && (row.windows || !windows)) else {
        let allowed = if windows { "1024, 2048 or 4096" } else { "256, 512, 1024, 2048, 4096, 8192 or 16384" };
        return Err(SizeError::FargateCpu { cpu, allowed });
    };
    let in_step = (row.least..=row.most).contains(&memory) && (memory - row.least) % row.step == 0;
    let hole = cpu == 256 && memory == 1536;
    if in_step && !hole {
        return Ok(());
    }
    let allowed = if cpu == 256 {
        "512, 1024 or 2048".to_owned()
    } else {
        format!("{} to {} in steps of {}", row.least, row.most, row.step)
    };
    Err(SizeError::FargateMemory { cpu, memory, allowed })
}

/// Every rule about sizes that a task definition breaks.
///
/// `fargate` says that `requiresCompatibilities` lists FARGATE; without it no pair of the table applies.
pub fn check_sizes(task: &TaskSize, containers: &[ContainerSize], fargate: bool, windows: bool) -> Vec<Violation> {
    let mut violations = Vec::new();
    check_task(task, fargate, windows, &mut violations);
    for (index, container) in containers.iter().enumerate() {
        check_container(index, container, task, fargate, &mut violations);
    }
    if let Some(limit) = task.cpu {
        let parts = containers.iter().map(|container| ("cpu", container.cpu.unwrap_or(0)));
        check_sum(parts, limit, "CPU units", &mut violations);
    }
    if let Some(limit) = task.memory {
        let parts = containers.iter().map(|container| {
            let field = if container.memory_reservation.is_some() { "memoryReservation" } else { "memory" };
            (field, container.reserved_memory().unwrap_or(0))
        });
        check_sum(parts, limit, "MiB of memory", &mut violations);
    }
    violations
}

fn check_task(task: &TaskSize, fargate: bool, windows: bool, violations: &mut Vec<Violation>) {
    if let Some(cpu) = task.cpu.filter(|cpu| !TASK_CPU.contains(cpu)) {
        let (least, most) = TASK_CPU.into_inner();
        violations.push(Violation::new("cpu", format!("a task has {least} to {most} CPU units, not {cpu}")));
    }
    if let Some(memory) = task.memory.filter(|&memory| memory < LEAST_MEMORY) {
        violations.push(Violation::new("memory", format!("a task has at least {LEAST_MEMORY} MiB, not {memory}")));
    }
    if !fargate {
        return;
    }
    match (task.cpu, task.memory) {
        (Some(cpu), Some(memory)) => match fargate_pair(cpu, memory, windows) {
            Err(error @ SizeError::FargateCpu { .. }) if TASK_CPU.contains(&cpu) => {
                violations.push(Violation::new("cpu", error.to_string()));
            }
            Err(error @ SizeError::FargateMemory { .. }) => {
                violations.push(Violation::new("memory", error.to_string()));
            }
            _ => {}
        },
        (cpu, memory) => {
            if cpu.is_none() {
                violations.push(Violation::new("cpu", "a task that requires FARGATE states its CPU units"));
            }
            if memory.is_none() {
                violations.push(Violation::new("memory", "a task that requires FARGATE states its memory"));
            }
        }
    }
}

fn check_container(
    index: usize,
    container: &ContainerSize,
    task: &TaskSize,
    fargate: bool,
    violations: &mut Vec<Violation>,
) {
    let mut refuse = |field: &str, message: String| violations.push(Violation::new(path(index, field), message));
    if let Some(cpu) = container.cpu.filter(|&cpu| cpu < 0) {
        refuse("cpu", format!("CPU units are 0 or more, not {cpu}"));
    }
    for (field, value) in [("memory", container.memory), ("memoryReservation", container.memory_reservation)] {
        if let Some(memory) = value.filter(|&memory| memory < LEAST_MEMORY) {
            refuse(field, format!("a container has at least {LEAST_MEMORY} MiB, not {memory}"));
        }
    }
    if let (Some(memory), Some(reservation)) = (container.memory, container.memory_reservation)
        && memory < reservation
    {
        refuse("memory", format!("memory ({memory}) must not be less than memoryReservation ({reservation})"));
    }
    match (task.memory, container.memory) {
        (Some(task_memory), Some(memory)) if memory > task_memory => {
            refuse("memory", format!("{memory} MiB exceed the {task_memory} MiB of the task"));
        }
        (None, None) if container.memory_reservation.is_none() && !fargate => {
            let name = &container.name;
            refuse(
                "memory",
                format!(
                    "invalid setting for container '{name}': at least one of memory or memoryReservation must be specified, since the task has no memory of its own"
                ),
            );
        }
        _ => {}
    }
}

/// Reports the container with which the sum first exceeds the size of the task.
fn check_sum<'a>(parts: impl Iterator<Item = (&'a str, i64)>, limit: i64, unit: &str, violations: &mut Vec<Violation>) {
    let mut sum: i64 = 0;
    for (index, (field, part)) in parts.enumerate() {
        let before = sum;
        sum = sum.saturating_add(part.max(0));
        // A single container above the limit is reported by its own rule, or here when it is the first.
        if before <= limit && sum > limit {
            let message = format!("containers reserve {sum} {unit} up to here, more than the {limit} of the task");
            violations.push(Violation::new(path(index, field), message));
        }
    }
}

fn path(index: usize, field: &str) -> String {
    format!("containerDefinitions[{index}].{field}")
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
