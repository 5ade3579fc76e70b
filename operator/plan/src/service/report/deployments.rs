//! `deployments` as DescribeServices lists them.

use api::capacity_provider::CapacityProviderStrategyItem;
use api::schema::MicroTime;
use api::service::{Deployment, DeploymentRolloutState, DeploymentStatus, LaunchType, MAX_DEPLOYMENTS, ServiceStatus};
use api::service_deployment::ServiceDeploymentStatus;
use ecs::deployment::end::Cause;
use ecs::event;
use jiff::Timestamp;

use super::outcome::{Outcome, TaskCounts};
use crate::core::status::narrow;
use crate::pod::observe::Task;
use crate::service::record::{Record, end_of};
use crate::service::snapshot::ServiceSnapshot;

/// PRIMARY first, then every older deployment that still has tasks, newest first.
pub(super) fn deployments(
    outcome: &Outcome<'_>,
    launch_type: Option<LaunchType>,
    strategy: Option<&Vec<CapacityProviderStrategyItem>>,
) -> Vec<Deployment> {
    let Some(primary) = &outcome.deployments.primary else { return Vec::new() };
    let snapshot = outcome.context.snapshot;
    let has_tasks = |record: &Record| tasks_of(snapshot, record).any(|task| !task.is_stopping);
    let older = snapshot.records.iter().rev().filter(|record| record.id() != primary.id() && has_tasks(record));
    std::iter::once(primary)
        .chain(older)
        .take(MAX_DEPLOYMENTS)
        .map(|record| {
            let counts = TaskCounts::of(tasks_of(snapshot, record));
            let is_primary = record.id() == primary.id();
            let status = if is_primary { &outcome.stages.primary } else { &record.status };
            let (state, reason) = rollout_state(snapshot, record, status);
            let desired = if is_primary { outcome.counts.desired } else { counts.running + counts.pending };
            let mut deployment = Deployment {
                id: record.id().to_owned(),
                status: if is_primary { DeploymentStatus::Primary } else { DeploymentStatus::Active },
                task_definition: record.spec.task_definition.clone(),
                desired_count: narrow(desired),
                pending_count: narrow(counts.pending),
                running_count: narrow(counts.running),
                failed_tasks: outcome.stages.status(record).failed_tasks.unwrap_or_default(),
                created_at: MicroTime(record.created_at),
                updated_at: None,
                launch_type,
                capacity_provider_strategy: strategy.cloned(),
                rollout_state: Some(state),
                rollout_state_reason: Some(reason),
            };
            deployment.updated_at = Some(updated_at(&snapshot.status, &deployment, outcome.context.now));
            deployment
        })
        .collect()
}

fn tasks_of<'a>(snapshot: &'a ServiceSnapshot, record: &'a Record) -> impl Iterator<Item = &'a Task> {
    snapshot.tasks.iter().filter(|task| task.deployment_id.as_deref() == Some(record.digits()))
}

/// `rolloutState` and its reason as DescribeServices has them.
fn rollout_state(
    snapshot: &ServiceSnapshot,
    record: &Record,
    status: &ServiceDeploymentStatus,
) -> (DeploymentRolloutState, String) {
    let id = record.id();
    let cause = end_of(status).map(|end| end.cause);
    let breaker = cause == Some(Cause::CircuitBreaker);
    let alarms = cause == Some(Cause::Alarms);
    match status.rollout_state {
        Some(DeploymentRolloutState::Completed) => (DeploymentRolloutState::Completed, event::rollout_completed(id)),
        Some(DeploymentRolloutState::Failed) if breaker || alarms => {
            let undoing =
                snapshot.records.iter().find(|other| other.spec.rollback_of.as_ref() == Some(&record.key.name));
            let target = status.rollback.as_ref().map(|rollback| &rollback.service_revision);
            let target = target.and_then(|name| snapshot.records.iter().find(|other| other.key.name == *name));
            let reason = match undoing.or(target) {
                Some(back_to) if breaker => event::rollout_rolling_back(back_to.id()),
                Some(back_to) => event::rollout_rolling_back_by_alarm(back_to.id()),
                None if breaker => event::rollout_failed(),
                None => event::rollout_failed_by_alarm(),
            };
            (DeploymentRolloutState::Failed, reason)
        }
        Some(DeploymentRolloutState::Failed) => {
            (DeploymentRolloutState::Failed, status.status_reason.clone().unwrap_or_default())
        }
        _ => (DeploymentRolloutState::InProgress, event::rollout_in_progress(id)),
    }
}

/// When anything else in the entry last changed.
fn updated_at(previous: &ServiceStatus, deployment: &Deployment, now: Timestamp) -> MicroTime {
    let before = previous.deployments.iter().find(|before| before.id == deployment.id);
    match before {
        Some(before) if Deployment { updated_at: None, ..before.clone() } == *deployment => {
            before.updated_at.clone().unwrap_or(MicroTime(now))
        }
        _ => MicroTime(now),
    }
}
