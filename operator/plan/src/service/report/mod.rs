//! The status of a service, computed from what was observed and decided.

mod conditions;
mod deployments;
mod events;
mod outcome;
mod secrets;

use api::capacity_provider::CapacityProviderStrategyItem;
use api::schema::MicroTime;
use api::service::{ServiceState, ServiceStatus};
use jiff::Timestamp;

pub(super) use outcome::Outcome;
use outcome::Summary;

use crate::core::labels;
use crate::core::moment::earliest;
use crate::core::op::Notice;
use crate::core::status::narrow;

/// What is said of a service.
pub(super) struct Report {
    pub(super) status: ServiceStatus,
    pub(super) notices: Vec<Notice>,
    /// When something else is to be said although nothing changes.
    pub(super) wake: Option<Timestamp>,
}

pub(super) fn report(outcome: &Outcome<'_>) -> Report {
    let summary = outcome.summary();
    let mut told = events::tell(outcome, &summary);
    let notices = std::mem::take(&mut told.notices);
    let impaired_until = summary.impaired.as_ref().map(|impaired| impaired.until);
    let wake = earliest(told.wake, earliest(impaired_until, outcome.changes_at()));
    Report { status: assemble_status(outcome, &summary, told), notices, wake }
}

fn assemble_status(outcome: &Outcome<'_>, summary: &Summary, told: events::Told) -> ServiceStatus {
    let snapshot = outcome.context.snapshot;
    let previous = &snapshot.status;
    let identity = &outcome.context.settings.identity;
    let primary = outcome.deployments.primary.as_ref();
    let launch_type = match outcome.resolution.service() {
        Some(service) => service.launch_type,
        None => previous.launch_type,
    };
    let strategy = strategy(outcome);
    ServiceStatus {
        observed_generation: Some(snapshot.metadata.generation),
        conditions: conditions::conditions(outcome, summary),
        service_arn: Some(identity.service_arn(&snapshot.cluster, &snapshot.ecs_name)),
        service_name: Some(snapshot.ecs_name.clone()),
        cluster_arn: Some(identity.cluster_arn(&snapshot.cluster)),
        status: Some(ServiceState::Active),
        desired_count: Some(narrow(outcome.counts.desired)),
        running_count: Some(narrow(summary.all.running)),
        pending_count: Some(narrow(summary.all.pending)),
        replicas: Some(narrow(summary.all.running + summary.all.pending)),
        selector: Some(format!("{}={}", labels::SERVICE, snapshot.label())),
        task_definition: primary.map(|record| record.spec.task_definition.clone()),
        launch_type,
        deployments: deployments::deployments(outcome, launch_type, strategy.as_ref()),
        capacity_provider_strategy: strategy,
        platform_family: None,
        events: told.events,
        stopped_tasks: outcome.stopping.stopped_tasks(&previous.stopped_tasks),
        created_at: previous.created_at.clone().or(snapshot.metadata.creation_timestamp.map(MicroTime)),
        current_service_deployment: primary.map(|record| record.key.name.clone()),
        task_watermark: Some(told.watermark),
        steady_since: told.steady_since,
        announcements: told.announcements,
        rebalancing: match outcome.counts.bounds {
            Some(_) => outcome.counts.rebalancing.status.clone(),
            None => previous.rebalancing.clone(),
        },
        steady_announced_at: told.steady_announced_at,
    }
}

/// The strategy in effect, in ECS's form; `None` for a launch type without provider.
fn strategy(outcome: &Outcome<'_>) -> Option<Vec<CapacityProviderStrategyItem>> {
    let resolved = outcome.resolution.service().map(|service| service.capacity.as_slice()).unwrap_or_default();
    let frozen = outcome.deployments.primary.as_ref().map(|record| record.revision.capacity.as_slice());
    let parts = if resolved.is_empty() { frozen.unwrap_or_default() } else { resolved };
    let items: Vec<_> = parts
        .iter()
        .filter_map(|part| {
            Some(CapacityProviderStrategyItem {
                capacity_provider: part.provider.clone()?,
                weight: Some(narrow(part.weight)),
                base: Some(narrow(part.base)),
            })
        })
        .collect();
    (!items.is_empty()).then_some(items)
}
