//! Health checks as probes.

use api::task_definition::{ContainerDefinition, HealthCheck};
use serde_json::{Map, Value, json};

use super::json::Members;
use super::layout::{Container, Place};
use super::notes::Notes;
use super::probes::{Probe, Probes, probes};

/// Puts `readinessProbe` and `startupProbe`; there is never a liveness probe, because ECS replaces an unhealthy task and
/// does not restart a container in place. A startup probe is one until it succeeds: it would end a container that needs longer
/// than its start period, although `healthCheckGracePeriodSeconds` of the service says to leave it alone. So only containers
/// have one whose health others wait for; the start period of all others is part of [`unhealthy_after_seconds`].
///
/// | container | readiness | startup |
/// |---|---|---|
/// | essential | yes: decides the health of the task | no |
/// | not essential | no: it would make the whole Pod unready | no |
/// | others wait for its health | as above | always: it is what they wait for |
/// | runs to its end before others | no | no: a Pod cannot probe it |
pub(super) fn put(spec: &mut Map<String, Value>, container: &Container<'_>, windows: bool, notes: &mut Notes) {
    let Some(check) = &container.definition.health_check else { return };
    let probes = match probes(&plain(check), windows) {
        Ok(probes) => probes,
        Err(error) => {
            notes.refuse(container.path(&format!("healthCheck.{}", error.field())), error.to_string());
            return;
        }
    };
    let is_readiness = container.is_essential() && container.place != Place::Init;
    if (container.place == Place::Sidecar { is_waited_for: true }) {
        put_probe(spec, "startupProbe", &awaited(container, &probes));
    }
    if is_readiness {
        put_probe(spec, "readinessProbe", &probes.readiness);
    } else if matches!(container.place, Place::Main | Place::Sidecar { is_waited_for: false }) {
        let why = "the container is not essential, so its health has no consequence";
        notes.no_effect(container.path("healthCheck"), why);
    }
}

/// The probe that dependents wait for. The operator ends the task when `startTimeout` is over; should it not be there, the
/// kubelet starts the container again at the next check: with an interval of 10 s and a limit of 35 s after 4 failures
/// (40 s), or sooner if the check allows less.
fn awaited(container: &Container<'_>, probes: &Probes) -> Probe {
    let mut probe = probes.startup.clone().unwrap_or_else(|| probes.readiness.clone());
    if let Some(limit) = container.definition.start_timeout {
        let allowed = (i64::from(limit) + probe.period_seconds - 1) / probe.period_seconds.max(1);
        probe.failure_threshold = probe.failure_threshold.min(allowed.max(1));
    }
    probe
}

fn put_probe(spec: &mut Map<String, Value>, name: &str, probe: &Probe) {
    spec.put(
        name,
        json!({
            "exec": {"command": probe.command},
            "initialDelaySeconds": probe.initial_delay_seconds,
            "periodSeconds": probe.period_seconds,
            "timeoutSeconds": probe.timeout_seconds,
            "failureThreshold": probe.failure_threshold,
        }),
    );
}

fn plain(check: &HealthCheck) -> ecs::health::HealthCheck {
    ecs::health::HealthCheck {
        command: check.command.clone(),
        interval: check.interval.map(i64::from),
        timeout: check.timeout.map(i64::from),
        retries: check.retries.map(i64::from),
        start_period: check.start_period.map(i64::from),
    }
}

/// Seconds after its start at which a container that was never healthy counts as UNHEALTHY: the start period and then
/// `retries` checks in a row. 60 s start period, interval 30 s, 3 retries: 150.
pub(super) fn unhealthy_after_seconds(definition: &ContainerDefinition) -> Option<i64> {
    let check = definition.health_check.as_ref()?;
    Some(i64::from(check.start_period.unwrap_or(0)) + failing_seconds(definition)?)
}

/// Seconds that `retries` checks in a row take: with an interval of 30 s and 3 retries 90.
pub(super) fn failing_seconds(definition: &ContainerDefinition) -> Option<i64> {
    let check = definition.health_check.as_ref()?;
    Some(i64::from(check.interval.unwrap_or(30)) * i64::from(check.retries.unwrap_or(3)))
}
