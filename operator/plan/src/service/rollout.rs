//! Which deployment is the newest, and how many tasks of which deployment each workload should run.
//!
//! One Deployment per capacity provider; ECS's bounds hold over all of them together. Bounds are integers and follow the
//! desired count at every reconcile, so that an autoscaler never leaves stale ones behind.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::schema::MicroTime;
use api::service_deployment::{ServiceDeploymentSpec, ServiceDeploymentStatus};
use ecs::capacity::{StrategyItem, split, split_with_floor};
use ecs::rolling::{Bounds, Budget, RolloutPart, Slot, bounds, rollout_slots};
use jiff::{SignedDuration, Timestamp};

use super::daemon::{self, Daemon};
use super::record::Record;
use super::revision::{self, CapacityPart, Placement};
use super::snapshot::ServiceSnapshot;
use super::wanted::Wanted;
use super::workload::Workload;
use crate::container_instance::instances;
use crate::kind::{Kind, ObjectKey};
use crate::world::World;

/// What should be running.
#[derive(Default)]
pub(super) struct Rollout {
    /// The deployment new tasks belong to; `None` while there has never been one.
    pub(super) primary: Option<Record>,
    /// Records that are no longer needed, oldest first.
    pub(super) obsolete: Vec<Record>,
    /// Records that Deployments or tasks were made from, besides the PRIMARY one.
    pub(super) in_use: Vec<Record>,
    pub(super) desired: i64,
    pub(super) bounds: Option<Bounds>,
    /// Deployments as they should be; those not listed are left alone.
    pub(super) workloads: Vec<WantedWorkload>,
    /// Deployments of providers that are no longer used and have no tasks left.
    pub(super) finished: Vec<ObjectKey>,
    /// Neither a start nor a stop is possible within the bounds.
    pub(super) is_stuck: bool,
    /// Every task is of the PRIMARY deployment and healthy, and there are as many as desired.
    pub(super) is_complete: bool,
    /// The DaemonSet of a DAEMON service, which has no Deployments.
    pub(super) daemon: Option<Daemon>,
}

/// One Deployment as it should be.
pub(super) struct WantedWorkload {
    pub(super) key: ObjectKey,
    pub(super) part: CapacityPart,
    /// The deployment whose template it runs.
    pub(super) record: Record,
    pub(super) replicas: i64,
    pub(super) budget: Budget,
    pub(super) is_paused: bool,
}

/// How many deployments are remembered unless the service says otherwise.
const DEFAULT_HISTORY: usize = 10;

pub(super) fn decide(snapshot: &ServiceSnapshot, wanted: &Wanted, now: Timestamp) -> Rollout {
    let desired = snapshot.desired_count();
    if !wanted.refusals.is_empty() {
        // A refused spec touches nothing that runs.
        return Rollout { primary: snapshot.primary().cloned(), desired, ..Rollout::default() };
    }
    let Some(primary) = primary(snapshot, wanted, now) else { return Rollout { desired, ..Rollout::default() } };
    let bounds = bounds(desired, wanted.percentages.unwrap_or_default());
    let mut rollout = Rollout { desired, bounds: Some(bounds), ..Rollout::default() };
    place(snapshot, wanted, &primary, bounds, &mut rollout);
    rollout.is_complete = is_complete(snapshot, &primary, &rollout);
    let (in_use, past): (Vec<&Record>, Vec<&Record>) =
        snapshot.records.iter().partition(|record| is_used(snapshot, &primary, record));
    rollout.obsolete = obsolete(snapshot, &past);
    rollout.in_use = in_use.into_iter().filter(|record| record.id() != primary.id()).cloned().collect();
    rollout.primary = Some(primary);
    rollout
}

/// The same for a DAEMON service: one task on each eligible instance.
pub(super) fn decide_daemon(world: &dyn World, snapshot: &ServiceSnapshot, wanted: &Wanted, now: Timestamp) -> Rollout {
    let desired = snapshot.status.desired_count.map_or(0, i64::from);
    if !wanted.refusals.is_empty() {
        return Rollout { primary: snapshot.primary().cloned(), desired, ..Rollout::default() };
    }
    let Some(primary) = primary(snapshot, wanted, now) else { return Rollout::default() };
    let percentages = wanted.percentages.unwrap_or_default();
    let live = daemon::Live::of(world, snapshot);
    let instances = instances(world);
    let daemon = daemon::decide(snapshot, &instances, live.as_ref(), &primary, percentages.minimum_healthy, false);
    let desired = i64::try_from(daemon.eligible.len()).unwrap_or(i64::MAX);
    let is_kept = |record: &&Record| {
        is_used(snapshot, &primary, record) || live.as_ref().is_some_and(|live| live.deployment == record.digits())
    };
    let (in_use, past): (Vec<&Record>, Vec<&Record>) = snapshot.records.iter().partition(is_kept);
    Rollout {
        obsolete: obsolete(snapshot, &past),
        in_use: in_use.into_iter().filter(|record| record.id() != primary.id()).cloned().collect(),
        desired,
        bounds: Some(bounds(desired, percentages)),
        is_stuck: daemon.is_stuck,
        is_complete: daemon.is_complete,
        daemon: Some(daemon),
        primary: Some(primary),
        ..Rollout::default()
    }
}

/// A deployment that does not exist yet and would be started now.
pub(super) struct Starting {
    /// `ecs-svc/<19 digits>`
    pub(super) id: String,
    /// Why, for people.
    trigger: &'static str,
    /// [`revision::request_hash`] of the spec.
    request: String,
}

/// Whether what is asked for is a new deployment. The id follows from what is asked for and from the deployment before, so
/// it is the same until that deployment exists.
pub(super) fn starting(snapshot: &ServiceSnapshot, wanted: &Wanted) -> Option<Starting> {
    let revision = wanted.revision.as_ref()?;
    let current = snapshot.primary();
    let request = revision::request_hash(&snapshot.document);
    let is_forced = snapshot.spec.as_ref().is_ok_and(|spec| spec.force_new_deployment == Some(true));
    let trigger = match current {
        None => "the service was created",
        Some(record) if record.spec.task_definition != revision.task_definition => "taskDefinition changed",
        Some(record) if record.spec.trigger_hash != wanted.trigger => "a field that starts a deployment changed",
        Some(record) if is_forced && record.spec.force_hash.as_ref() != Some(&request) => "forceNewDeployment",
        Some(_) => return None,
    };
    Some(Starting { id: next_deployment(snapshot, &wanted.trigger), trigger, request })
}

/// The newest record, or a new one when a field that starts a deployment changed.
fn primary(snapshot: &ServiceSnapshot, wanted: &Wanted, now: Timestamp) -> Option<Record> {
    let current = snapshot.primary();
    let (Some(Starting { id, trigger, request }), Some(revision)) = (starting(snapshot, wanted), &wanted.revision)
    else {
        return current.cloned();
    };
    // Times order the records; a clock that went backwards must not reorder them.
    let created_at = current
        .map_or(now, |record| now.max(record.created_at.checked_add(SignedDuration::from_micros(1)).unwrap_or(now)));
    let previous = current.map(|record| record.key.name.clone());
    let name = ecs::name::child_name(&snapshot.key.name, ecs::arn::last_segment(&id), 253);
    Some(Record {
        key: ObjectKey::namespaced(Kind::ServiceDeployment, &snapshot.namespace, name),
        spec: ServiceDeploymentSpec {
            service: snapshot.key.name.clone(),
            service_name: snapshot.ecs_name.clone(),
            cluster: snapshot.cluster.clone(),
            deployment_id: id,
            created_at: MicroTime(created_at),
            trigger: trigger.to_owned(),
            task_definition: revision.task_definition.clone(),
            trigger_hash: wanted.trigger.clone(),
            force_hash: Some(request),
            previous_deployment: previous,
            rollback_of: None,
            service_revision: serde_json::to_value(revision).unwrap_or_default(),
        },
        status: ServiceDeploymentStatus::default(),
        revision: Arc::new(revision.clone()),
        created_at,
        exists: false,
    })
}

/// The id of the deployment that comes after the newest one if `trigger`, or the wish to force one, starts it.
pub(super) fn next_deployment(snapshot: &ServiceSnapshot, trigger: &str) -> String {
    let before = snapshot.primary().map(Record::id).unwrap_or_default();
    let request = revision::request_hash(&snapshot.document);
    ecs::arn::deployment_id(&format!("{}/{before}/{trigger}/{request}", snapshot.metadata.uid))
}

/// Decides counts and templates of all workloads.
fn place(snapshot: &ServiceSnapshot, wanted: &Wanted, primary: &Record, bounds: Bounds, rollout: &mut Rollout) {
    let desired = rollout.desired;
    let parts = parts(snapshot, wanted, primary);
    let labels: BTreeSet<String> = parts.iter().map(CapacityPart::label).collect();
    let leftover: Vec<&Workload> =
        snapshot.workloads.values().filter(|workload| !labels.contains(&workload.provider)).collect();
    let leaving: i64 = leftover.iter().map(|workload| workload.existing.max(workload.replicas)).sum();
    // Tasks on providers that are leaving count against the maximum until they are gone.
    let room = if leaving > 0 { desired.min((bounds.maximum - leaving).max(0)) } else { desired };
    let live: Vec<Option<&Workload>> = parts.iter().map(|part| snapshot.workloads.get(&part.label())).collect();
    let counts = counts(room, &parts, &live, wanted, primary);
    let budget = bounds.budget(desired);
    let slots = slots(&parts, &live, &counts, primary, budget);
    let mut held = false;
    for (((part, live), count), slot) in parts.iter().zip(&live).zip(&counts).zip(slots) {
        let idle = idle_budget(*count, wanted);
        let Some(workload) = workload(snapshot, primary, part, *live, *count, slot, idle) else { continue };
        held |= workload.record.id() != primary.id() || workload.is_paused;
        rollout.workloads.push(workload);
    }
    let healthy: i64 = live.iter().flatten().map(|workload| workload.available).sum();
    let mut keep = (bounds.minimum_healthy - healthy).max(0);
    let mut stays = 0;
    for workload in leftover {
        let replicas = keep.min(workload.replicas);
        keep -= replicas;
        stays += replicas;
        if replicas == 0 && workload.existing == 0 && workload.replicas == 0 {
            rollout.finished.push(workload.stored.key.clone());
        } else if let Some(wanted) = leaving_workload(snapshot, workload, replicas) {
            rollout.workloads.push(wanted);
        }
    }
    let nothing_moves = leaving > 0 && stays == leaving && room == 0;
    rollout.is_stuck = desired > 0 && ((held && budget.is_zero()) || nothing_moves);
}

/// Strategy items new tasks go to. Items that a changed strategy dropped stay with weight 0, since ECS moves nothing that
/// runs until the next deployment.
fn parts(snapshot: &ServiceSnapshot, wanted: &Wanted, primary: &Record) -> Vec<CapacityPart> {
    let mut parts =
        if wanted.capacity.is_empty() { primary.revision.capacity.clone() } else { wanted.capacity.clone() };
    for part in &mut parts {
        let label = part.label();
        let frozen = primary.revision.capacity.iter().find(|frozen| frozen.label() == label);
        let live = snapshot.workloads.get(&label).filter(|workload| workload.deployment == primary.digits());
        match (frozen, live) {
            (Some(frozen), _) => part.placement = frozen.placement.clone(),
            (None, Some(live)) => part.placement = placement_of(live),
            (None, None) => {}
        }
    }
    if is_new(primary) {
        return parts;
    }
    for frozen in &primary.revision.capacity {
        if !parts.iter().any(|part| part.provider == frozen.provider)
            && snapshot.workloads.contains_key(&frozen.label())
        {
            parts.push(CapacityPart { base: 0, weight: 0, ..frozen.clone() });
        }
    }
    parts
}

fn is_new(record: &Record) -> bool {
    !record.exists
}

fn placement_of(live: &Workload) -> Placement {
    let terms = live.affinity.as_ref().and_then(|affinity| {
        affinity.pointer("/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms")
    });
    let list =
        |value: Option<&serde_json::Value>| value.and_then(|value| value.as_array()).cloned().unwrap_or_default();
    Placement { node_selector_terms: list(terms), tolerations: list(live.tolerations.as_ref()) }
}

/// Tasks per part. With the strategy the deployment was started with, base and weight alone decide. After a change of the
/// strategy what runs stays, and only the difference is placed by the new weights.
fn counts(
    count: i64,
    parts: &[CapacityPart],
    live: &[Option<&Workload>],
    wanted: &Wanted,
    primary: &Record,
) -> Vec<i64> {
    let items: Vec<StrategyItem> = parts.iter().map(CapacityPart::item).collect();
    let strategy = |parts: &[CapacityPart]| -> Vec<_> { parts.iter().map(CapacityPart::item).collect() };
    let is_unchanged = wanted.capacity.is_empty() || strategy(&wanted.capacity) == strategy(&primary.revision.capacity);
    if is_unchanged || is_new(primary) {
        return split(count, &items);
    }
    let running: Vec<i64> = live.iter().map(|workload| workload.map_or(0, |workload| workload.replicas)).collect();
    split_with_floor(count, &items, &running)
}

/// Who may roll now, and with how much of the total budget.
fn slots(
    parts: &[CapacityPart],
    live: &[Option<&Workload>],
    counts: &[i64],
    primary: &Record,
    budget: Budget,
) -> Vec<Slot> {
    let rollout_parts: Vec<RolloutPart> = parts
        .iter()
        .zip(live)
        .zip(counts)
        .map(|((_, live), count)| match live {
            None => RolloutPart { desired: *count, updated: true, in_flight: 0 },
            Some(live) => {
                let is_current = live.deployment == primary.digits();
                let missing = (live.replicas - live.available).max(0);
                let extra = (live.existing - live.replicas).max(0);
                let in_flight = if is_current && !live.is_settled { missing.max(extra).max(1) } else { missing };
                RolloutPart { desired: *count, updated: is_current && live.is_settled, in_flight }
            }
        })
        .collect();
    rollout_slots(&rollout_parts, budget)
}

/// Surge and unavailability of a Deployment that does not roll: what the percentages give for its own count, so that the
/// integers follow the count although nothing acts on them now.
fn idle_budget(count: i64, wanted: &Wanted) -> Budget {
    valid(bounds(count, wanted.percentages.unwrap_or_default()).budget(count))
}

/// The server refuses zero and zero.
fn valid(budget: Budget) -> Budget {
    if budget.is_zero() { Budget { max_surge: 1, max_unavailable: 0 } } else { budget }
}

fn workload(
    snapshot: &ServiceSnapshot,
    primary: &Record,
    part: &CapacityPart,
    live: Option<&Workload>,
    replicas: i64,
    slot: Slot,
    idle: Budget,
) -> Option<WantedWorkload> {
    let key = live.map_or_else(|| workload_key(snapshot, part), |live| live.stored.key.clone());
    let wanted = |record: &Record, part: CapacityPart, budget: Budget, is_paused: bool| WantedWorkload {
        key: key.clone(),
        part,
        record: record.clone(),
        replicas,
        budget: valid(budget),
        is_paused,
    };
    let Some(live) = live else { return Some(wanted(primary, part.clone(), idle, false)) };
    if live.deployment == primary.digits() {
        return Some(match slot {
            // Not seen by the Deployment controller yet: whether it rolls is not known.
            _ if !live.is_observed && live.replicas == replicas => wanted(primary, part.clone(), live.budget, false),
            _ if !live.has_old_pods => wanted(primary, part.clone(), idle, false),
            Slot::Roll(budget) => wanted(primary, part.clone(), live.with_excused(budget), false),
            Slot::Hold => wanted(primary, part.clone(), idle, true),
        });
    }
    match slot {
        Slot::Roll(budget) => Some(wanted(primary, part.clone(), budget, false)),
        // It keeps the template it has; only its count follows. Without its record the template cannot be written again
        // and the Deployment is left alone until its turn comes.
        Slot::Hold => snapshot.record(&live.deployment).map(|record| {
            let part = CapacityPart { placement: placement_of(live), ..part.clone() };
            wanted(record, part, idle, false)
        }),
    }
}

fn leaving_workload(snapshot: &ServiceSnapshot, live: &Workload, replicas: i64) -> Option<WantedWorkload> {
    let record = snapshot.record(&live.deployment)?;
    let part = record.revision.capacity.iter().find(|part| part.label() == live.provider)?;
    Some(WantedWorkload {
        key: live.stored.key.clone(),
        part: CapacityPart { placement: placement_of(live), ..part.clone() },
        record: record.clone(),
        replicas,
        budget: valid(live.budget),
        is_paused: false,
    })
}

/// `<service>` without a provider; `<service>-<provider>-<hash>` with one, such as `web-fargate-3f2a91c07b`. The hash is of
/// both names, so that service `a` on provider `b-c` and service `a-b` on provider `c` never meet.
fn workload_key(snapshot: &ServiceSnapshot, part: &CapacityPart) -> ObjectKey {
    let service = &snapshot.key.name;
    let name = match &part.provider {
        None => ecs::name::dns_label(service, LONGEST_NAME),
        Some(provider) => {
            let readable: String =
                provider.chars().filter(char::is_ascii_alphanumeric).take(20).collect::<String>().to_ascii_lowercase();
            let suffix = format!("{readable}-{}", ecs::name::short_hash(&format!("{service}/{provider}")));
            let stem = ecs::name::dns_label(service, LONGEST_NAME - 1 - suffix.len());
            format!("{stem}-{suffix}")
        }
    };
    ObjectKey::namespaced(Kind::Deployment, &snapshot.namespace, name)
}

/// Pods get their Deployment's name and 17 characters more, cut at 63: longer names would hide which is which.
const LONGEST_NAME: usize = 63;

fn is_complete(snapshot: &ServiceSnapshot, primary: &Record, rollout: &Rollout) -> bool {
    primary.exists
        && rollout.finished.is_empty()
        && rollout.workloads.len() == snapshot.workloads.len()
        && rollout.workloads.iter().all(|wanted| {
            wanted.record.id() == primary.id()
                && snapshot.workloads.get(&wanted.part.label()).is_some_and(|live| {
                    live.deployment == primary.digits() && live.is_settled && live.replicas == wanted.replicas
                })
        })
}

fn is_used(snapshot: &ServiceSnapshot, primary: &Record, record: &Record) -> bool {
    record.id() == primary.id()
        || snapshot.workloads.values().any(|workload| workload.deployment == record.digits())
        || snapshot.tasks.iter().any(|task| task.deployment_id.as_deref() == Some(record.digits()))
}

/// Records beyond the history limit that nothing runs from any more.
fn obsolete(snapshot: &ServiceSnapshot, past: &[&Record]) -> Vec<Record> {
    let limit = snapshot
        .spec
        .as_ref()
        .ok()
        .and_then(|spec| spec.kubernetes.as_ref()?.deployment_history_limit)
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(DEFAULT_HISTORY);
    past.iter().take(past.len().saturating_sub(limit)).map(|record| (*record).clone()).collect()
}
