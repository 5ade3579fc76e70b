//! The conditions of a service.
//!
//! `Ready`, `Reconciling` and `Stalled` follow from the first of [`CHECKS`] that finds something: their order is how pressing
//! the reasons are.

use api::conditions::{Condition, ConditionStatus, ConditionType, Reason};
use ecs::deployment::Stage;
use ecs::deployment::end::{Cause, Rollback};
use ecs::event;

use super::outcome::{Outcome, Summary};
use super::secrets;
use crate::core::report::Conditions;
use crate::service::record::{Record, end_of};
use crate::service::resolve::{Resolution, ResolvedService};

/// What is said of the tasks that an accepted input asks for.
const OF_WHAT_RUNS: [ConditionType; 4] = [
    ConditionType::SteadyState,
    ConditionType::DeploymentStuck,
    ConditionType::DeploymentBlocked,
    ConditionType::SecretsResolved,
];

pub(super) fn conditions(outcome: &Outcome<'_>, summary: &Summary) -> Vec<Condition> {
    let snapshot = outcome.context.snapshot;
    let previous = &snapshot.status.conditions;
    let mut conditions = Conditions::new(previous, snapshot.metadata.generation, outcome.context.now);
    let service = match outcome.resolution {
        Resolution::Refused(refusals) => {
            conditions.accept(refusals);
            conditions.unjudged(&OF_WHAT_RUNS);
            return conditions.finish();
        }
        Resolution::Resolved(service) => service,
    };
    conditions.accept(&[]);
    conditions.fields(&service.findings);
    steady(outcome, summary, &mut conditions);
    stuck(outcome, &mut conditions);
    blocked(outcome, &mut conditions);
    secrets::report(snapshot, outcome.deployments.primary.as_ref(), &mut conditions);
    images(outcome, &mut conditions);
    placement(outcome, service, &mut conditions);
    if let Err(missing) = &service.next {
        conditions.set(ConditionType::Accepted, false, missing.reason, &missing.message);
    }
    let subject = Subject { outcome, summary, service };
    let said = CHECKS.iter().find_map(|check| check(&subject)).unwrap_or_else(|| tasks_are_on_their_way(outcome));
    match said.state {
        State::Ready => conditions.ready(said.reason, &said.message),
        State::Progressing => conditions.progressing(said.reason, &said.message),
        State::Stalled => conditions.stalled(said.reason, &said.message),
    }
    conditions.finish()
}

/// `SteadyState`
fn steady(outcome: &Outcome<'_>, summary: &Summary, conditions: &mut Conditions) {
    let desired = outcome.counts.desired;
    if summary.is_steady {
        let message = event::steady_state(&outcome.context.snapshot.ecs_name);
        conditions.set(ConditionType::SteadyState, true, Reason::SteadyState, message);
    } else {
        let message = format!("running tasks differ from the {desired} desired ones");
        conditions.set(ConditionType::SteadyState, false, Reason::NotSteady, message);
    }
}

/// Whether the tasks of the PRIMARY deployment run one image each. It says nothing of deployments that pin none.
fn images(outcome: &Outcome<'_>, conditions: &mut Conditions) {
    let primary = outcome.deployments.primary.as_ref();
    if let Some(message) = resolving(outcome) {
        return conditions.set(
            ConditionType::ImagesResolved,
            ConditionStatus::Unknown,
            Reason::ResolvingImages,
            message,
        );
    }
    let images = primary.map(|record| record.revision.container_images.as_slice()).unwrap_or_default();
    if images.is_empty() {
        return conditions.remove(ConditionType::ImagesResolved);
    }
    let unresolved: Vec<String> = images
        .iter()
        .filter_map(|image| {
            let reason = image.unresolved.as_ref()?;
            Some(format!("container {}: tasks pull {} by its tag: {reason}", image.container_name, image.image))
        })
        .collect();
    if unresolved.is_empty() {
        let message = "all tasks of the deployment run the same digests";
        return conditions.set(ConditionType::ImagesResolved, true, Reason::ImagesResolved, message);
    }
    conditions.set(ConditionType::ImagesResolved, false, Reason::ImageDigestUnresolved, unresolved.join("; "));
}

/// `DeploymentStuck`
fn stuck(outcome: &Outcome<'_>, conditions: &mut Conditions) {
    if outcome.counts.is_stuck {
        let message = event::stuck_deployment(&outcome.context.snapshot.ecs_name);
        conditions.set(ConditionType::DeploymentStuck, true, Reason::BoundsLeaveNoRoom, message);
    } else {
        let message = "minimumHealthyPercent and maximumPercent allow a start or a stop";
        conditions.set(ConditionType::DeploymentStuck, false, Reason::NotStuck, message);
    }
}

/// `DeploymentBlocked`
fn blocked(outcome: &Outcome<'_>, conditions: &mut Conditions) {
    if outcome.counts.is_blocked {
        let service = &outcome.context.snapshot.ecs_name;
        let message = event::unable_to_scale_in(service, outcome.primary_id(), outcome.protected());
        conditions.set(ConditionType::DeploymentBlocked, true, Reason::TasksProtected, message);
    } else {
        let message = "no protected task blocks a deployment or a scale-in";
        conditions.set(ConditionType::DeploymentBlocked, false, Reason::NotBlocked, message);
    }
}

/// `PlacementPending`: placement settings that changed after the deployment started. ECS starts no deployment for them.
fn placement(outcome: &Outcome<'_>, service: &ResolvedService, conditions: &mut Conditions) {
    let Some(primary) = &outcome.deployments.primary else {
        return conditions.remove(ConditionType::PlacementPending);
    };
    if primary.revision.placement_hash.as_ref().is_some_and(|frozen| *frozen != service.placement_hash) {
        let message = "placementConstraints or placementStrategy changed after the deployment started: running tasks stay \
                       where they are, and tasks that replace them or are added are placed as before until the next \
                       deployment";
        conditions.set(ConditionType::PlacementPending, true, Reason::PlacementPendingNextDeployment, message);
    } else {
        let message = "running tasks are placed by the current constraints and strategy";
        conditions.set(ConditionType::PlacementPending, false, Reason::PlacementApplied, message);
    }
}

/// What a check looks at.
struct Subject<'a> {
    outcome: &'a Outcome<'a>,
    summary: &'a Summary,
    service: &'a ResolvedService,
}

/// What `Ready`, `Reconciling` and `Stalled` say together.
enum State {
    /// All is as asked for.
    Ready,
    /// Work is under way.
    Progressing,
    /// Nothing changes until somebody acts.
    Stalled,
}

/// What a check found.
struct Said {
    state: State,
    reason: Reason,
    message: String,
}

fn ready(reason: Reason, message: impl Into<String>) -> Said {
    Said { state: State::Ready, reason, message: message.into() }
}

fn progressing(reason: Reason, message: impl Into<String>) -> Said {
    Said { state: State::Progressing, reason, message: message.into() }
}

fn stalled(reason: Reason, message: impl Into<String>) -> Said {
    Said { state: State::Stalled, reason, message: message.into() }
}

/// The most pressing first.
const CHECKS: [fn(&Subject<'_>) -> Option<Said>; 16] = [
    reference_is_missing,
    what_ran_is_not_allowed_any_more,
    images_are_resolved,
    name_is_taken,
    bounds_leave_no_room,
    pods_are_refused,
    deployment_was_given_up,
    a_task_is_in_trouble,
    tasks_keep_failing,
    starts_are_slowed_down,
    deployment_bakes,
    alarms_are_unknown,
    deployment_is_in_progress,
    service_is_steady,
    protected_tasks_stay,
    instances_drain,
];

fn reference_is_missing(subject: &Subject<'_>) -> Option<Said> {
    let missing = subject.service.next.as_ref().err()?;
    Some(progressing(missing.reason, &missing.message))
}

/// What a deployment was started with was taken back, and there is something of it to make.
fn what_ran_is_not_allowed_any_more(subject: &Subject<'_>) -> Option<Said> {
    let Outcome { deployments, not_permitted, .. } = subject.outcome;
    let (refusals, what) = if deployments.not_permitted.is_empty() {
        (*not_permitted, "the deployment is not continued")
    } else {
        (deployments.not_permitted.as_slice(), "the service is not rolled back")
    };
    let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    (!reasons.is_empty()).then(|| stalled(Reason::AccessDeniedException, format!("{what}: {}", reasons.join("; "))))
}

fn images_are_resolved(subject: &Subject<'_>) -> Option<Said> {
    Some(progressing(Reason::ResolvingImages, resolving(subject.outcome)?))
}

fn resolving(outcome: &Outcome<'_>) -> Option<String> {
    let images = &outcome.deployments.resolving;
    let message = || format!("the next deployment waits for the digest of {}", images.join(", "));
    (!images.is_empty()).then(message)
}

fn name_is_taken(subject: &Subject<'_>) -> Option<Said> {
    let conflicts = subject.outcome.conflicts;
    if let Some(conflict) = conflicts.iter().find(|conflict| !conflict.is_leaving) {
        let message = format!("{} exists and has another owner", conflict.key);
        return Some(stalled(Reason::ConflictingObject, message));
    }
    let conflict = conflicts.first()?;
    Some(progressing(Reason::Deleting, format!("{} of an earlier service is still being deleted", conflict.key)))
}

fn bounds_leave_no_room(subject: &Subject<'_>) -> Option<Said> {
    let Subject { outcome, .. } = subject;
    let message = || event::stuck_deployment(&outcome.context.snapshot.ecs_name);
    outcome.counts.is_stuck.then(message).map(|message| stalled(Reason::BoundsLeaveNoRoom, message))
}

fn pods_are_refused(subject: &Subject<'_>) -> Option<Said> {
    let mut workloads = subject.outcome.context.snapshot.workloads.values();
    let message = workloads.find_map(|workload| workload.replica_failure.as_deref())?;
    Some(stalled(Reason::AdmissionDenied, message))
}

/// Nothing more happens with a PRIMARY deployment that was given up without a rollback.
fn deployment_was_given_up(subject: &Subject<'_>) -> Option<Said> {
    let Outcome { context, stages, deployments, .. } = subject.outcome;
    let id = deployments.primary.as_ref()?.id();
    if stages.primary_stage() != Stage::Stopped {
        return None;
    }
    let service = &context.snapshot.ecs_name;
    match end_of(&stages.primary).map(|end| (end.rollback, end.cause)) {
        Some((Rollback::NoCandidate, _)) => {
            Some(stalled(Reason::NoRollbackCandidate, event::deployment_failed_without_candidate(service, id)))
        }
        Some((_, Cause::CircuitBreaker)) => {
            Some(stalled(Reason::CircuitBreakerTriggered, event::deployment_failed(service, id)))
        }
        Some((_, Cause::Alarms)) => {
            Some(stalled(Reason::AlarmTriggered, event::deployment_failed_by_alarm(service, id)))
        }
        Some((_, Cause::Request | Cause::Replaced)) | None => {
            let reason = stages.primary.status_reason.as_deref().unwrap_or_default();
            Some(stalled(Reason::DeploymentStopped, format!("{id}: {reason}")))
        }
    }
}

fn a_task_is_in_trouble(subject: &Subject<'_>) -> Option<Said> {
    let Subject { outcome, summary, .. } = subject;
    let primary = outcome.deployments.primary.as_ref()?;
    let trouble = outcome
        .tasks
        .iter()
        .filter(|judged| judged.deployment() == primary.digits())
        .filter(|judged| !judged.task.is_stopping || (judged.task.is_refused_by_node && !summary.is_steady))
        .filter(|judged| !outcome.stopping.is_given_up(judged))
        .find_map(|judged| Some((judged, judged.task.trouble.as_ref()?)));
    match trouble? {
        // Nodes may be on their way, or an administrator may add some: nobody has to change the service.
        (judged, trouble) if judged.has_no_place => {
            let message = event::unable_to_place(&outcome.context.snapshot.ecs_name, &trouble.message);
            Some(progressing(trouble.reason, message))
        }
        (_, trouble) => Some(stalled(trouble.reason, &trouble.message)),
    }
}

fn tasks_keep_failing(subject: &Subject<'_>) -> Option<Said> {
    let impaired = subject.summary.impaired.as_ref()?;
    Some(stalled(impaired.reason, &impaired.message))
}

fn starts_are_slowed_down(subject: &Subject<'_>) -> Option<Said> {
    let Subject { outcome, summary, .. } = subject;
    let message = || event::unable_to_start_consistently(&outcome.context.snapshot.ecs_name);
    let is_slow = outcome.stages.is_throttled && !summary.is_steady;
    is_slow.then(message).map(|message| progressing(Reason::Throttled, message))
}

fn deployment_bakes(subject: &Subject<'_>) -> Option<Said> {
    let Outcome { stages, deployments, .. } = subject.outcome;
    let record = deployments.primary.as_ref().filter(|_| stages.is_baking)?;
    let message = format!("{} It completes after its bake time.", event::rollout_in_progress(record.id()));
    Some(progressing(Reason::Baking, message))
}

fn alarms_are_unknown(subject: &Subject<'_>) -> Option<Said> {
    let unknown = subject.outcome.stages.unknown_alarms.as_ref()?;
    let message = format!("the deployment cannot complete until the state of its alarms is known: {unknown}");
    Some(progressing(Reason::AlarmsUnknown, message))
}

fn deployment_is_in_progress(subject: &Subject<'_>) -> Option<Said> {
    let Outcome { context, stages, deployments, .. } = subject.outcome;
    let record = deployments.primary.as_ref().filter(|_| !stages.primary_stage().is_over())?;
    if record.spec.rollback_of.is_some() {
        return Some(progressing(Reason::RollingBack, event::rolling_back(&context.snapshot.ecs_name, record.id())));
    }
    Some(progressing(Reason::DeploymentInProgress, event::rollout_in_progress(record.id())))
}

fn service_is_steady(subject: &Subject<'_>) -> Option<Said> {
    let Subject { outcome, summary, .. } = subject;
    let record = outcome.deployments.primary.as_ref().filter(|_| summary.is_steady)?;
    match rollback_message(outcome, record) {
        Some(message) => Some(stalled(Reason::DeploymentFailed, message)),
        None => Some(ready(Reason::SteadyState, event::rollout_completed(record.id()))),
    }
}

fn protected_tasks_stay(subject: &Subject<'_>) -> Option<Said> {
    let is_blocked = subject.outcome.counts.is_blocked;
    is_blocked
        .then_some("waiting for tasks that are protected from scale-in")
        .map(|text| progressing(Reason::TasksProtected, text))
}

fn instances_drain(subject: &Subject<'_>) -> Option<Said> {
    let is_draining = subject.outcome.context.snapshot.has_tasks_on_draining_instances();
    let message = "replacing tasks on draining container instances";
    is_draining.then_some(message).map(|message| progressing(Reason::InstancesDraining, message))
}

/// What is said where no check finds anything.
fn tasks_are_on_their_way(outcome: &Outcome<'_>) -> Said {
    progressing(Reason::NotSteady, format!("scaling to {} tasks", outcome.counts.desired))
}

/// What the spec asks for failed, and the service runs something older: it does so well, but nobody should think that the
/// new revision is out.
fn rollback_message(outcome: &Outcome<'_>, primary: &Record) -> Option<String> {
    let undone = primary.spec.rollback_of.as_ref()?;
    let undone = outcome.context.snapshot.records.iter().find(|record| record.key.name == *undone);
    let (id, reason) = match undone {
        Some(record) => (record.id().to_owned(), record.status.status_reason.clone().unwrap_or_default()),
        None => (primary.spec.rollback_of.clone().unwrap_or_default(), String::new()),
    };
    Some(format!("{id} failed and the service runs {} again. {reason}", primary.spec.task_definition))
}
