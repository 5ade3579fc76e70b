//! What DescribeClusters counts: container instances, services and tasks.

use std::cmp::Reverse;
use std::sync::Arc;

use api::cluster::{ClusterSpec, ClusterStatistic, ClusterStatus, ContainerInstance, ContainerInstanceStatus};
use api::schema::MicroTime;
use api::service::{LaunchType, ServiceSpec, ServiceStatus};
use serde::Deserialize;

use super::ServiceCounts;
use crate::capacity::cluster_terms;
use crate::core::metadata::Metadata;
use crate::core::store::{DecodeError, Stored, View};
use crate::core::world::World;
use crate::nodes::instance::{Instance, selected};

/// At most this many container instances are listed.
const MOST_INSTANCES: usize = 50;

/// Registered are ACTIVE and DRAINING ones. Nothing here moves with a heartbeat, so that a quiet cluster is not written.
pub(super) fn instances(world: &dyn World, spec: &ClusterSpec, status: &mut ClusterStatus) {
    let mut instances = selected(world, &cluster_terms(spec));
    let draining = instances.iter().filter(|one| one.status() == ContainerInstanceStatus::Draining).count();
    status.registered_container_instances_count = i32::try_from(instances.len()).ok();
    status.draining_container_instances_count = i32::try_from(draining).ok();
    instances.sort_by_key(|one| Reverse(one.status()));
    let more = instances.len().saturating_sub(MOST_INSTANCES);
    status.more_container_instances_count = i32::try_from(more).ok().filter(|more| *more > 0);
    status.container_instances = instances.iter().take(MOST_INSTANCES).map(|instance| entry(instance)).collect();
}

fn entry(instance: &Instance) -> ContainerInstance {
    ContainerInstance {
        name: instance.name.clone(),
        ec2_instance_id: instance.instance_id().map(ToOwned::to_owned),
        status: instance.status(),
        agent_connected: instance.is_ready,
        registered_at: instance.registered_at.map(MicroTime),
    }
}

/// Where a service runs its tasks, as the statistics of ECS tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capacity {
    Ec2,
    Fargate,
    External,
}

impl Capacity {
    const ALL: [(Self, &str); 3] = [(Self::Ec2, "EC2"), (Self::Fargate, "Fargate"), (Self::External, "External")];

    fn of(spec: &ServiceSpec, status: Option<&ServiceStatus>) -> Self {
        let providers = status.and_then(|status| status.capacity_provider_strategy.as_deref()).unwrap_or_default();
        let is_fargate = |name: &str| matches!(name, "FARGATE" | "FARGATE_SPOT");
        match spec.launch_type {
            Some(LaunchType::Fargate) => Self::Fargate,
            Some(LaunchType::External) => Self::External,
            _ if providers.iter().any(|item| is_fargate(&item.capacity_provider)) => Self::Fargate,
            _ => Self::Ec2,
        }
    }
}

#[derive(Deserialize)]
struct Whole {
    metadata: Metadata,
    spec: ServiceSpec,
    #[serde(default)]
    status: Option<ServiceStatus>,
}

impl View for ServiceCounts {
    fn read(stored: &Stored) -> Result<Self, DecodeError> {
        let Whole { metadata, spec, status } = stored.decode()?;
        let count = |count: fn(&ServiceStatus) -> Option<i32>| status.as_ref().and_then(count).unwrap_or_default();
        Ok(Self {
            is_deleting: metadata.is_deleting(),
            capacity: Capacity::of(&spec, status.as_ref()),
            running: count(|status| status.running_count),
            pending: count(|status| status.pending_count),
        })
    }
}

/// Services in ACTIVE, tasks in RUNNING and on their way there, and the same by launch type. A service that is being
/// deleted is DRAINING: it is not among the active ones, its tasks count until they stop.
pub(super) fn services(services: &[Arc<ServiceCounts>], status: &mut ClusterStatus) {
    let sum = |services: &[&ServiceCounts], count: fn(&ServiceCounts) -> i32| -> i32 {
        services.iter().map(|service| count(service)).fold(0, i32::saturating_add)
    };
    let number = |services: &[&ServiceCounts], is_draining: bool| -> i32 {
        let some = services.iter().filter(|service| service.is_deleting == is_draining);
        i32::try_from(some.count()).unwrap_or(i32::MAX)
    };
    let all: Vec<&ServiceCounts> = services.iter().map(Arc::as_ref).collect();
    status.running_tasks_count = Some(sum(&all, |service| service.running));
    status.pending_tasks_count = Some(sum(&all, |service| service.pending));
    status.active_services_count = Some(number(&all, false));
    let parts = Capacity::ALL.map(|(capacity, name)| {
        let some: Vec<&ServiceCounts> = all.iter().filter(|service| service.capacity == capacity).copied().collect();
        let counts = [
            sum(&some, |service| service.running),
            sum(&some, |service| service.pending),
            number(&some, false),
            number(&some, true),
        ];
        (name, counts)
    });
    let kinds = [
        ("running", "TasksCount"),
        ("pending", "TasksCount"),
        ("active", "ServiceCount"),
        ("draining", "ServiceCount"),
    ];
    status.statistics = kinds
        .into_iter()
        .enumerate()
        .flat_map(|(index, (state, what))| {
            parts.iter().map(move |(capacity, counts)| ClusterStatistic {
                name: format!("{state}{capacity}{what}"),
                value: counts.get(index).copied().unwrap_or_default().to_string(),
            })
        })
        .collect();
}
