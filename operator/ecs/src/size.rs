//! Sizes of tasks and containers: CPU units and MiB, as ECS reads, checks and reserves them.
//!
//! One vCPU is 1024 CPU units; 1 GB is 1024 MiB.

mod check;
mod parse;
mod resources;
mod shared;

pub use crate::violation::Violation;
pub use check::{check_sizes, fargate_pair};
pub use parse::{cpu_units, memory_mib};
pub use resources::{ContainerResources, container_resources, raised_memory_limit};
pub use shared::shared_resources;

/// The size of a task, where its definition states one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskSize {
    /// CPU units.
    pub cpu: Option<i64>,
    /// MiB.
    pub memory: Option<i64>,
}

/// The size of a container, as its definition states it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSize {
    /// The name, for messages.
    pub name: String,
    /// CPU units: relative shares on Linux, a hard cap on Windows.
    pub cpu: Option<i64>,
    /// The hard limit in MiB.
    pub memory: Option<i64>,
    /// The reserved MiB.
    pub memory_reservation: Option<i64>,
    /// Whether the task ends with this container.
    pub essential: bool,
}

impl ContainerSize {
    /// What the scheduler of ECS subtracts for this container: the reservation, or the hard limit without one.
    fn reserved_memory(&self) -> Option<i64> {
        self.memory_reservation.or(self.memory)
    }
}

/// Why a size is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a number in a form that ECS knows.
    #[error("{text:?} is not a size: write {expected}")]
    Unreadable {
        /// What was written.
        text: String,
        /// The forms that are understood.
        expected: &'static str,
    },
    /// A CPU size for which Fargate has no configuration.
    #[error("no Fargate configuration exists for {cpu} CPU units: use {allowed}")]
    FargateCpu {
        /// CPU units of the task.
        cpu: i64,
        /// The sizes there are.
        allowed: &'static str,
    },
    /// A memory size that Fargate does not offer with this CPU size.
    #[error("no Fargate configuration exists for {cpu} CPU units with {memory} MiB of memory: use {allowed}")]
    FargateMemory {
        /// CPU units of the task.
        cpu: i64,
        /// MiB of the task.
        memory: i64,
        /// The sizes there are for this CPU size.
        allowed: String,
    },
}

/// CPU units as millicores of Kubernetes, rounded up so that a container never gets less than on ECS.
///
/// 256 units are 250m and 10 units are 10m (9.77 rounded up). Linux knows no fewer than 2 shares, so 0 and 1 (and
/// unset) count as 2: 2m. It knows no more than 262144: 256000m.
pub fn millicores(units: i64) -> i64 {
    const LEAST_SHARES: i64 = 2;
    const MOST_SHARES: i64 = 262_144;
    exact_millicores(units.clamp(LEAST_SHARES, MOST_SHARES))
}

/// `ceil(units * 1000 / 1024)` for units from 0.
fn exact_millicores(units: i64) -> i64 {
    units.max(0).saturating_mul(1000).saturating_add(1023) / 1024
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn when_units_become_millicores_then_they_are_rounded_up_between_two_shares_and_the_most() {
        for (units, milli) in [
            (-1, 2),
            (0, 2),
            (1, 2),
            (2, 2),
            (3, 3),
            (10, 10),
            (128, 125),
            (256, 250),
            (1023, 1000),
            (1024, 1000),
            (1025, 1001),
            (4096, 4000),
            (262_144, 256_000),
            (262_145, 256_000),
            (i64::MAX, 256_000),
        ] {
            assert_eq!(millicores(units), milli, "{units} units");
        }
    }

    proptest! {
        #[test]
        fn millicores_are_never_less_than_the_units_and_less_than_one_more(units in 2_i64..=262_144) {
            let milli = millicores(units);
            prop_assert!(milli * 1024 >= units * 1000);
            prop_assert!((milli - 1) * 1024 < units * 1000);
        }
    }
}
