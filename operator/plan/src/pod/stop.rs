//! How long a Pod may take to stop.

use ecs::dependency::{DEFAULT_STOP_TIMEOUT_SECONDS, grace_period_seconds};

use super::layout::{Container, Place, dependent};
use super::notes::Notes;

/// `terminationGracePeriodSeconds`. ECS counts `stopTimeout` per container, a Pod counts once for all of them, so that
/// it must cover their sum along every way the stop can take:
///
/// - the longest chain of dependencies, in which each container is signalled after those that depend on it stopped;
/// - in the Pod, all main containers at once and then each sidecar after the other.
///
/// With `app` (30 s) on `proxy` (20 s) that is 50 both ways. With `app` (30 s) on two independent sidecars of 20 s the
/// chain is 50 but the Pod needs 70, or the last sidecar would be killed early.
pub(super) fn grace_period(containers: &[Container<'_>], notes: &mut Notes) -> i64 {
    let timeout = |container: &Container<'_>| {
        container.definition.stop_timeout.map_or(DEFAULT_STOP_TIMEOUT_SECONDS, i64::from).max(0)
    };
    let dependents: Vec<_> = containers.iter().map(|container| dependent(container.definition)).collect();
    let chain = grace_period_seconds(&dependents, 0, DEFAULT_STOP_TIMEOUT_SECONDS);
    let main = containers.iter().filter(|container| container.place == Place::Main).map(timeout).max().unwrap_or(0);
    let is_sidecar = |container: &&Container<'_>| matches!(container.place, Place::Sidecar { .. });
    let sidecars: i64 = containers.iter().filter(is_sidecar).map(timeout).sum();
    let whole = chain.max(main.saturating_add(sidecars));
    for container in containers {
        if let Some(own) = container.definition.stop_timeout.map(i64::from).filter(|own| *own < whole) {
            let why = format!(
                "a pod has one grace period for all containers: this one may take up to {whole} seconds instead of \
                    {own}"
            );
            notes.approximated(container.path("stopTimeout"), why);
        }
    }
    whole
}
