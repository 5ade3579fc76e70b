//! The status of a service, computed from what was observed.

use api::capacity_provider::CapacityProviderStrategyItem;
use api::conditions::{ConditionType, Reason};
use api::schema::MicroTime;
use api::service::{
    Deployment, DeploymentRolloutState, DeploymentStatus, LaunchType, MAX_DEPLOYMENTS, ServiceState, ServiceStatus,
};
use api::service_deployment::{
    ServiceDeploymentRollbackMonitorsStatus, ServiceDeploymentState, ServiceDeploymentStatus,
};
use ecs::event;
use jiff::Timestamp;

use super::children::Conflict;
use super::record::Record;
use super::rollout::Rollout;
use super::secrets;
use super::service_events::{Facts, Told, tell};
use super::snapshot::ServiceSnapshot;
use super::stopping::{Impaired, Stopping};
use super::verdict::{Verdict, narrow, tasks_of};
use super::wanted::Wanted;
use crate::core::labels;
use crate::core::op::Plan;
use crate::core::report::Conditions;
use crate::core::settings::Settings;
use crate::pod::observe::{Task, Trouble};

/// Tasks by `lastStatus`. A task that was asked to stop is in neither count, as on ECS.
#[derive(Clone, Copy, Default)]
struct Counts {
    running: i64,
    pending: i64,
}

impl Counts {
    fn of<'a>(tasks: impl Iterator<Item = &'a Task>) -> Self {
        tasks.filter(|task| !task.is_stopping).fold(Self::default(), |counts, task| Self {
            running: counts.running + i64::from(task.last_status.is_running()),
            pending: counts.pending + i64::from(task.last_status.is_pending()),
        })
    }
}

/// A task that waits for a node has not failed: ECS does not count it against the deployment.
fn is_failure(trouble: &Trouble) -> bool {
    trouble.reason != Reason::TaskPlacementFailure
}

#[allow(clippy::too_many_arguments)] // every argument is the outcome of one step
pub(super) fn report(
    snapshot: &ServiceSnapshot,
    wanted: &Wanted,
    rollout: &Rollout,
    verdict: &Verdict,
    stopping: &Stopping,
    conflicts: &[Conflict],
    settings: &Settings,
    now: Timestamp,
    plan: &mut Plan,
) {
    let all = Counts::of(snapshot.tasks.iter());
    let primary = rollout.primary.as_ref();
    let is_complete = match rollout.bounds {
        Some(_) => rollout.is_complete && verdict.is_completed(),
        None => primary.is_some_and(Record::is_successful),
    };
    let is_steady = is_complete && all.running == rollout.desired && all.pending == 0;
    let impaired = stopping.impaired(&snapshot.status.stopped_tasks, now).filter(|_| !is_steady);
    if let Some(impaired) = &impaired {
        plan.wake_at(impaired.until);
    }
    if let Some(at) = snapshot.tasks.iter().filter_map(|task| task.changes_at).min() {
        plan.wake_at(at);
    }
    let facts = Facts {
        is_steady,
        is_impaired: impaired.is_some() || (verdict.is_throttled && !is_steady),
        outcome: verdict.outcome.as_ref(),
        began: primary.filter(|record| !record.exists),
    };
    let told = tell(snapshot, rollout, &facts, stopping, now, plan);
    let conditions =
        conditions(snapshot, wanted, rollout, verdict, stopping, impaired.as_ref(), conflicts, is_steady, now);
    let status = whole(snapshot, wanted, rollout, verdict, stopping, all, told, conditions, settings, now);
    plan.status = Some(serde_json::to_value(status).unwrap_or_default());
}

#[allow(clippy::too_many_arguments)] // every argument is one finished part of what is said
fn conditions(
    snapshot: &ServiceSnapshot,
    wanted: &Wanted,
    rollout: &Rollout,
    verdict: &Verdict,
    stopping: &Stopping,
    impaired: Option<&Impaired>,
    conflicts: &[Conflict],
    is_steady: bool,
    now: Timestamp,
) -> Vec<api::conditions::Condition> {
    let mut conditions = Conditions::new(&snapshot.status.conditions, snapshot.metadata.generation, now);
    conditions.accept(&wanted.refusals);
    if !wanted.refusals.is_empty() {
        return conditions.finish();
    }
    conditions.fields(&wanted.findings);
    let desired = rollout.desired;
    if is_steady {
        let message = event::steady_state(&snapshot.ecs_name);
        conditions.set(ConditionType::SteadyState, true, Reason::SteadyState, message);
    } else {
        let message = format!("the service runs fewer or other tasks than the {desired} desired");
        conditions.set(ConditionType::SteadyState, false, Reason::NotSteady, message);
    }
    stuck(snapshot, rollout, &mut conditions);
    blocked(snapshot, rollout, &mut conditions);
    secrets::report(snapshot, rollout.primary.as_ref(), &mut conditions);
    images(rollout, &mut conditions);
    super::placement_pending::report(snapshot, rollout, &mut conditions);
    if let Some(missing) = &wanted.missing {
        conditions.set(ConditionType::Accepted, false, missing.reason, &missing.message);
        conditions.progressing(missing.reason, &missing.message);
        return conditions.finish();
    }
    if !wanted.resolving.is_empty() {
        let message = format!("the next deployment starts when the digest of {} is known", wanted.resolving.join(", "));
        conditions.set(ConditionType::ImagesResolved, false, Reason::ResolvingImages, &message);
        conditions.progressing(Reason::ResolvingImages, &message);
        return conditions.finish();
    }
    summary(snapshot, rollout, verdict, stopping, impaired, conflicts, is_steady, &mut conditions);
    conditions.finish()
}

/// Whether the tasks of the PRIMARY deployment run one image each. It says nothing of deployments that pin none.
fn images(rollout: &Rollout, conditions: &mut Conditions) {
    let images = rollout.primary.as_ref().map(|record| record.revision.container_images.as_slice()).unwrap_or_default();
    if images.is_empty() {
        return conditions.remove(ConditionType::ImagesResolved);
    }
    let unresolved: Vec<String> = images
        .iter()
        .filter_map(|image| {
            let reason = image.unresolved.as_ref()?;
            Some(format!("container {}: {} is pulled by its tag: {reason}", image.container_name, image.image))
        })
        .collect();
    if unresolved.is_empty() {
        let message = "every task of the deployment runs the same digests";
        return conditions.set(ConditionType::ImagesResolved, true, Reason::ImagesResolved, message);
    }
    conditions.set(ConditionType::ImagesResolved, false, Reason::ImageDigestUnresolved, unresolved.join("; "));
}

fn stuck(snapshot: &ServiceSnapshot, rollout: &Rollout, conditions: &mut Conditions) {
    if rollout.is_stuck {
        let message = event::stuck_deployment(&snapshot.ecs_name);
        conditions.set(ConditionType::DeploymentStuck, true, Reason::BoundsLeaveNoRoom, message);
    } else {
        let message = "minimumHealthyPercent and maximumPercent leave room to start or stop a task";
        conditions.set(ConditionType::DeploymentStuck, false, Reason::NotStuck, message);
    }
}

fn blocked(snapshot: &ServiceSnapshot, rollout: &Rollout, conditions: &mut Conditions) {
    if rollout.is_blocked {
        let protected =
            snapshot.tasks.iter().filter(|task| !task.is_stopping && task.protected_until.is_some()).count();
        let deployment = rollout.primary.as_ref().map(Record::id).unwrap_or_default();
        let message = event::unable_to_scale_in(&snapshot.ecs_name, deployment, protected);
        conditions.set(ConditionType::DeploymentBlocked, true, Reason::TasksProtected, message);
    } else {
        let message = "no protected task keeps the service from becoming smaller";
        conditions.set(ConditionType::DeploymentBlocked, false, Reason::NotBlocked, message);
    }
}

/// `Ready`, `Reconciling` and `Stalled`, the most pressing reason first.
#[allow(clippy::too_many_arguments)] // every argument is the outcome of one step
fn summary(
    snapshot: &ServiceSnapshot,
    rollout: &Rollout,
    verdict: &Verdict,
    stopping: &Stopping,
    impaired: Option<&Impaired>,
    conflicts: &[Conflict],
    is_steady: bool,
    conditions: &mut Conditions,
) {
    if let Some(conflict) = conflicts.iter().find(|conflict| !conflict.is_leaving) {
        let message = format!("{} exists and belongs to somebody else", conflict.key);
        return conditions.stalled(Reason::ConflictingObject, &message);
    }
    if let Some(conflict) = conflicts.first() {
        let message = format!("{} of an earlier service is still being deleted", conflict.key);
        return conditions.progressing(Reason::Deleting, &message);
    }
    if rollout.is_stuck {
        return conditions.stalled(Reason::BoundsLeaveNoRoom, &event::stuck_deployment(&snapshot.ecs_name));
    }
    if let Some(message) = snapshot.workloads.values().find_map(|workload| workload.replica_failure.as_deref()) {
        return conditions.stalled(Reason::AdmissionDenied, message);
    }
    let primary = rollout.primary.as_ref();
    if let Some((reason, message)) = given_up(snapshot, rollout, verdict) {
        return conditions.stalled(reason, &message);
    }
    let trouble = primary
        .into_iter()
        .flat_map(|record| tasks_of(snapshot, record))
        .filter(|task| !task.is_stopping || (task.is_refused_by_node && !is_steady))
        .filter(|task| !stopping.is_given_up(snapshot, task))
        .find_map(|task| task.trouble.as_ref());
    match trouble {
        // Nodes may be on their way, or an administrator may add some: nobody has to change the service.
        Some(trouble) if !is_failure(trouble) => {
            return conditions
                .progressing(trouble.reason, &event::unable_to_place(&snapshot.ecs_name, &trouble.message));
        }
        Some(trouble) => return conditions.stalled(trouble.reason, &trouble.message),
        None => {}
    }
    if let Some(impaired) = impaired {
        return conditions.stalled(impaired.reason, &impaired.message);
    }
    if verdict.is_throttled && !is_steady {
        return conditions.progressing(Reason::Throttled, &event::unable_to_start_consistently(&snapshot.ecs_name));
    }
    match primary {
        Some(record) if verdict.is_baking => {
            let message =
                format!("{} It is watched until its bake time is over.", event::rollout_in_progress(record.id()));
            conditions.progressing(Reason::Baking, &message);
        }
        Some(_) if let Some(unknown) = &verdict.unknown_alarms => {
            let message = format!("the deployment is not completed before the state of its alarms is known: {unknown}");
            conditions.progressing(Reason::AlarmsUnknown, &message);
        }
        Some(record) if !verdict.is_over() && record.spec.rollback_of.is_some() => {
            conditions.progressing(Reason::RollingBack, &event::rolling_back(&snapshot.ecs_name, record.id()));
        }
        Some(record) if !verdict.is_over() => {
            conditions.progressing(Reason::DeploymentInProgress, &event::rollout_in_progress(record.id()));
        }
        Some(record) if is_steady => match undone(snapshot, record) {
            Some(message) => conditions.stalled(Reason::DeploymentFailed, &message),
            None => conditions.ready(Reason::SteadyState, &event::rollout_completed(record.id())),
        },
        _ if rollout.is_blocked => conditions.progressing(Reason::TasksProtected, "protected tasks are waited for"),
        _ if !snapshot.draining.is_empty() && snapshot.has_tasks_on_draining_instances() => {
            conditions
                .progressing(Reason::InstancesDraining, "tasks on draining container instances are being replaced");
        }
        _ => conditions.progressing(Reason::NotSteady, &format!("moving to {} tasks", rollout.desired)),
    }
}

/// Whether the circuit breaker or the alarms of a deployment gave it up.
fn is_triggered(monitor: Option<ServiceDeploymentRollbackMonitorsStatus>) -> bool {
    monitor == Some(ServiceDeploymentRollbackMonitorsStatus::Triggered)
}

/// Why nothing more happens with the PRIMARY deployment, if it was given up without a rollback.
fn given_up(snapshot: &ServiceSnapshot, rollout: &Rollout, verdict: &Verdict) -> Option<(Reason, String)> {
    let primary = rollout.primary.as_ref()?;
    if verdict.primary.status != Some(ServiceDeploymentState::Stopped) {
        return None;
    }
    let status = &verdict.primary;
    let said = status.status_reason.clone().unwrap_or_default();
    let (service, id) = (&snapshot.ecs_name, primary.id());
    Some(if said == event::no_rollback_candidate() {
        (Reason::NoRollbackCandidate, event::deployment_failed_without_candidate(service, id))
    } else if is_triggered(status.deployment_circuit_breaker.as_ref().map(|breaker| breaker.status)) {
        (Reason::CircuitBreakerTriggered, event::deployment_failed(service, id))
    } else if is_triggered(status.alarms.as_ref().map(|alarms| alarms.status)) {
        (Reason::AlarmTriggered, event::deployment_failed_by_alarm(service, id))
    } else {
        (Reason::DeploymentStopped, format!("{id}: {said}"))
    })
}

/// What the spec asks for failed, and the service runs something older: it does so well, but nobody should think that the
/// new revision is out.
fn undone(snapshot: &ServiceSnapshot, primary: &Record) -> Option<String> {
    let undone = primary.spec.rollback_of.as_ref()?;
    let undone = snapshot.records.iter().find(|record| record.key.name == *undone);
    let (id, reason) = match undone {
        Some(record) => (record.id().to_owned(), record.status.status_reason.clone().unwrap_or_default()),
        None => (primary.spec.rollback_of.clone().unwrap_or_default(), String::new()),
    };
    Some(format!("the service runs {} again, since {id} failed. {reason}", primary.spec.task_definition))
}

#[allow(clippy::too_many_arguments)] // every argument is one finished part of the status
fn whole(
    snapshot: &ServiceSnapshot,
    wanted: &Wanted,
    rollout: &Rollout,
    verdict: &Verdict,
    stopping: &Stopping,
    all: Counts,
    told: Told,
    conditions: Vec<api::conditions::Condition>,
    settings: &Settings,
    now: Timestamp,
) -> ServiceStatus {
    let previous = &snapshot.status;
    let identity = &settings.identity;
    let launch_type = snapshot.spec.as_ref().ok().and_then(|spec| spec.launch_type);
    let strategy = strategy(wanted, rollout);
    ServiceStatus {
        observed_generation: Some(snapshot.metadata.generation),
        conditions,
        service_arn: Some(identity.service_arn(&snapshot.cluster, &snapshot.ecs_name)),
        service_name: Some(snapshot.ecs_name.clone()),
        cluster_arn: Some(identity.cluster_arn(&snapshot.cluster)),
        status: Some(ServiceState::Active),
        desired_count: Some(narrow(rollout.desired)),
        running_count: Some(narrow(all.running)),
        pending_count: Some(narrow(all.pending)),
        replicas: Some(narrow(all.running + all.pending)),
        selector: Some(format!("{}={}", labels::SERVICE, snapshot.label())),
        task_definition: rollout.primary.as_ref().map(|record| record.spec.task_definition.clone()),
        launch_type,
        capacity_provider_strategy: strategy.clone(),
        platform_family: None,
        deployments: deployments(snapshot, rollout, verdict, launch_type, strategy.as_ref(), now),
        events: told.events,
        stopped_tasks: stopping.stopped_tasks(&previous.stopped_tasks),
        created_at: previous.created_at.clone().or(snapshot.metadata.creation_timestamp.map(MicroTime)),
        current_service_deployment: rollout.primary.as_ref().map(|record| record.key.name.clone()),
        task_watermark: Some(told.watermark),
        steady_since: told.steady_since,
        steady_announced_at: told.steady_announced_at,
    }
}

/// The strategy in effect, in ECS's form; `None` for a launch type without provider.
fn strategy(wanted: &Wanted, rollout: &Rollout) -> Option<Vec<CapacityProviderStrategyItem>> {
    let parts = if wanted.capacity.is_empty() {
        rollout.primary.as_ref().map(|record| record.revision.capacity.clone()).unwrap_or_default()
    } else {
        wanted.capacity.clone()
    };
    let items: Vec<_> = parts
        .into_iter()
        .filter_map(|part| {
            Some(CapacityProviderStrategyItem {
                capacity_provider: part.provider?,
                weight: Some(narrow(part.weight)),
                base: Some(narrow(part.base)),
            })
        })
        .collect();
    (!items.is_empty()).then_some(items)
}

/// PRIMARY first, then every older deployment that still has tasks, newest first.
fn deployments(
    snapshot: &ServiceSnapshot,
    rollout: &Rollout,
    verdict: &Verdict,
    launch_type: Option<LaunchType>,
    strategy: Option<&Vec<CapacityProviderStrategyItem>>,
    now: Timestamp,
) -> Vec<Deployment> {
    let Some(primary) = &rollout.primary else { return Vec::new() };
    let older = snapshot
        .records
        .iter()
        .rev()
        .filter(|record| record.id() != primary.id() && tasks_of(snapshot, record).any(|task| !task.is_stopping));
    let mut deployments: Vec<Deployment> = std::iter::once(primary)
        .chain(older)
        .take(MAX_DEPLOYMENTS)
        .map(|record| {
            let counts = Counts::of(tasks_of(snapshot, record));
            let is_primary = record.id() == primary.id();
            let (state, reason) =
                rollout_state(snapshot, record, if is_primary { &verdict.primary } else { &record.status });
            Deployment {
                id: record.id().to_owned(),
                status: if is_primary { DeploymentStatus::Primary } else { DeploymentStatus::Active },
                task_definition: record.spec.task_definition.clone(),
                desired_count: narrow(if is_primary { rollout.desired } else { counts.running + counts.pending }),
                pending_count: narrow(counts.pending),
                running_count: narrow(counts.running),
                failed_tasks: narrow(verdict.failed_tasks(record)),
                created_at: MicroTime(record.created_at),
                updated_at: None,
                launch_type,
                capacity_provider_strategy: strategy.cloned(),
                rollout_state: Some(state),
                rollout_state_reason: Some(reason),
            }
        })
        .collect();
    for deployment in &mut deployments {
        deployment.updated_at = Some(updated_at(&snapshot.status, deployment, now));
    }
    deployments
}

/// `rolloutState` and its reason as DescribeServices has them.
fn rollout_state(
    snapshot: &ServiceSnapshot,
    record: &Record,
    status: &ServiceDeploymentStatus,
) -> (DeploymentRolloutState, String) {
    let id = record.id();
    let breaker = is_triggered(status.deployment_circuit_breaker.as_ref().map(|breaker| breaker.status));
    let alarms = is_triggered(status.alarms.as_ref().map(|alarms| alarms.status));
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
