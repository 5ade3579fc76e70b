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
                failed_tasks: consecutively_failed(outcome.stages.status(record)),
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

/// `failedTasks` as DescribeServices has it: failures in a row since the deployment began. Once a task of it is healthy the number
/// is 0 and is not counted any more; the record has all failures.
fn consecutively_failed(status: &ServiceDeploymentStatus) -> i32 {
    if status.first_healthy_at.is_some() { 0 } else { status.failed_tasks.unwrap_or_default() }
}

fn tasks_of<'a>(snapshot: &'a ServiceSnapshot, record: &'a Record) -> impl Iterator<Item = &'a Task> {
    snapshot.tasks.iter().filter(|task| task.deployment_id.as_deref() == Some(record.digits()))
}

/// `rolloutState` and its reason as DescribeServices has them. A deployment that failed says why; one that undoes it, while it
/// is in progress, that it does, with its own id.
fn rollout_state(
    snapshot: &ServiceSnapshot,
    record: &Record,
    status: &ServiceDeploymentStatus,
) -> (DeploymentRolloutState, String) {
    let id = record.id();
    let cause = |status: &ServiceDeploymentStatus| end_of(status).map(|end| end.cause);
    let undone = || snapshot.records.iter().find(|other| record.spec.rollback_of.as_ref() == Some(&other.key.name));
    match (status.rollout_state, cause(status)) {
        (Some(DeploymentRolloutState::Completed), _) => {
            (DeploymentRolloutState::Completed, event::rollout_completed(id))
        }
        (Some(DeploymentRolloutState::Failed), Some(Cause::CircuitBreaker)) => {
            (DeploymentRolloutState::Failed, event::rollout_failed())
        }
        (Some(DeploymentRolloutState::Failed), Some(Cause::Alarms)) => {
            (DeploymentRolloutState::Failed, event::rollout_failed_by_alarm())
        }
        (Some(DeploymentRolloutState::Failed), _) => {
            (DeploymentRolloutState::Failed, status.status_reason.clone().unwrap_or_default())
        }
        (Some(DeploymentRolloutState::InProgress) | None, _) => {
            let reason = match undone().and_then(|undone| cause(&undone.status)) {
                Some(Cause::CircuitBreaker) => event::rollout_rolling_back(id),
                Some(Cause::Alarms) => event::rollout_rolling_back_by_alarm(id),
                Some(Cause::Request | Cause::Replaced) | None => event::rollout_in_progress(id),
            };
            (DeploymentRolloutState::InProgress, reason)
        }
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
