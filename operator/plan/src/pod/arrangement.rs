//! Where each container of a task goes in a Pod, so that what it waits for holds before it starts.
//!
//! A kubelet knows three places: init containers run one after the other, each to its end; native sidecars start at
//! their turn among them and run on; main containers start together after all of those. Whatever another container waits
//! for goes among the init containers: what must end as a plain one, what must run or be healthy as a sidecar. That holds
//! for essential containers too: the Pod stops a sidecar after its dependents, as ECS would. There is always a main
//! container, because dependencies have no circle.

use ecs::dependency::{Condition, DependentContainer, start_order};
use ecs::violation::Violation;

/// The place of a container in a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An init container: it ends with 0 before what is listed behind it starts.
    Init,
    /// A native sidecar, an init container with `restartPolicy: Always`: it starts before what is listed behind it, runs
    /// on beside it, and stops after it.
    Sidecar {
        /// Whether others wait until it is healthy, and not only until it has started.
        is_waited_for: bool,
    },
    /// A main container: nothing waits for it.
    Main,
}

/// One container at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Position in `containerDefinitions`.
    pub(super) index: usize,
    /// Its place.
    pub(super) place: Place,
}

/// Where a Pod does otherwise than ECS, whatever the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deviation {
    /// COMPLETE: after another exit code than 0 the dependency is run again, and the dependent waits, where ECS goes on.
    OnlyAfterSuccess,
    /// HEALTHY of a container that something else waits to end: it is waited for until it ended, not until it is healthy.
    HealthNotLookedAt,
}

/// All containers in the order of the Pod: init containers and sidecars, each behind what it waits for, then the main
/// ones. Containers that do not depend on each other keep the order in which they are listed, so the same task
/// definition always gives the same order.
///
/// # Errors
/// A circle of dependencies.
pub(super) fn arrange(containers: &[DependentContainer]) -> Result<Vec<Placed>, Violation> {
    let order = start_order(containers)?;
    let placed = order.into_iter().filter_map(|index| {
        let container = containers.get(index)?;
        Some(Placed { index, place: place(&container.name, containers) })
    });
    let (main, before): (Vec<Placed>, Vec<Placed>) = placed.partition(|one| one.place == Place::Main);
    Ok(before.into_iter().chain(main).collect())
}

/// How the dependency of some container on `name` is kept otherwise than on ECS, if it is.
pub(super) fn deviation(name: &str, condition: Condition, containers: &[DependentContainer]) -> Option<Deviation> {
    match condition {
        Condition::Complete => Some(Deviation::OnlyAfterSuccess),
        Condition::Healthy if place(name, containers) == Place::Init => Some(Deviation::HealthNotLookedAt),
        _ => None,
    }
}

/// An end that somebody waits for decides over a start that somebody else waits for: the container will end, and to have
/// ended is to have started.
fn place(name: &str, containers: &[DependentContainer]) -> Place {
    let waiting = || containers.iter().flat_map(|other| &other.depends_on).filter(|item| item.container == name);
    if waiting().any(|item| item.condition.needs_exit()) {
        return Place::Init;
    }
    let is_linked = containers.iter().any(|other| other.links.iter().any(|link| link == name));
    let is_waited_for = waiting().any(|item| item.condition == Condition::Healthy);
    if is_waited_for || is_linked || waiting().next().is_some() {
        Place::Sidecar { is_waited_for }
    } else {
        Place::Main
    }
}

#[cfg(test)]
#[path = "arrangement_tests.rs"]
mod tests;
