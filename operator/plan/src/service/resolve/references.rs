//! What a service refers to: its cluster, its capacity providers and its task definition.

use std::sync::Arc;

use api::capacity_provider::CapacityProviderStrategyItem;
use api::cluster::{ClusterCapacityProvider, ClusterSpec};
use api::conditions::Reason;
use api::service::{LaunchType, ServiceSpec};
use ecs::arn::last_segment;
use serde::Deserialize;

use super::Missing;
use crate::capacity::{self, CapacityPart, Placement, is_associated};
use crate::core::kind::Kind;
use crate::core::policy::NamespacePolicy;
use crate::core::root::holder;
use crate::core::world::{Term, World};
use crate::service::identity;
use crate::service::snapshot::ServiceSnapshot;
use crate::task_definition::{Revision, newest_active_revision, revision};

/// What is read of the cluster: its spec, and the providers that its status says are associated.
#[derive(Deserialize)]
struct ClusterView {
    spec: ClusterSpec,
    #[serde(default)]
    status: Option<ClusterStatusView>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClusterStatusView {
    capacity_providers: Vec<ClusterCapacityProvider>,
}

fn cluster(world: &dyn World, snapshot: &ServiceSnapshot) -> Result<ClusterView, Missing> {
    let name = Term::EcsName(snapshot.cluster.clone());
    let found = holder(world, Kind::Cluster, Some(&snapshot.namespace), &[name]);
    let missing = |why: &str| {
        let message =
            format!("Cluster not found: no ECSCluster named {} {why} {}", snapshot.cluster, snapshot.namespace);
        Missing::new(Reason::ClusterNotFoundException, message)
    };
    let stored = found.ok_or_else(|| missing("in namespace"))?;
    stored.decode::<ClusterView>().map_err(|error| missing(&format!("can be read ({error}) in namespace")))
}

/// The strategy that applies: the service's own, the provider behind its launch type, or the cluster's default.
fn strategy(spec: &ServiceSpec, cluster: &ClusterSpec) -> Vec<CapacityProviderStrategyItem> {
    let own = spec.capacity_provider_strategy.as_deref().unwrap_or_default();
    match spec.launch_type {
        _ if !own.is_empty() => own.to_vec(),
        Some(LaunchType::Fargate) => {
            vec![CapacityProviderStrategyItem { capacity_provider: FARGATE.to_owned(), weight: Some(1), base: None }]
        }
        Some(_) => Vec::new(),
        None => cluster.default_capacity_provider_strategy.clone().unwrap_or_default(),
    }
}

const FARGATE: &str = "FARGATE";
const FARGATE_SPOT: &str = "FARGATE_SPOT";

/// Whether tasks of these parts run on Fargate.
pub(super) fn is_fargate(capacity: &[CapacityPart]) -> bool {
    capacity.iter().any(|part| matches!(part.provider.as_deref(), Some(FARGATE | FARGATE_SPOT)))
}

/// The strategy in effect, with the nodes behind each provider.
pub(super) fn capacity(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    spec: &ServiceSpec,
) -> Result<Vec<CapacityPart>, Missing> {
    let cluster = cluster(world, snapshot)?;
    let strategy = strategy(spec, &cluster.spec);
    if strategy.is_empty() {
        let policy = NamespacePolicy::of(world, &snapshot.namespace);
        let refused = capacity::selector_rights(&cluster.spec).find_map(|(key, right)| {
            let message = policy.refusal(&snapshot.namespace, &right)?;
            Some(format!("ECSCluster {}: spec.kubernetes.nodeSelector[{key}]: {message}", snapshot.cluster))
        });
        if let Some(message) = refused {
            return Err(Missing::new(Reason::AccessDeniedException, message));
        }
        let placement = capacity::cluster_placement(&cluster.spec);
        return Ok(vec![CapacityPart { provider: None, base: 0, weight: 1, placement }]);
    }
    let kept = cluster.status.as_ref().map(|status| status.capacity_providers.as_slice()).unwrap_or_default();
    strategy
        .iter()
        .map(|item| {
            let name = last_segment(&item.capacity_provider);
            let by_launch_type = spec.launch_type == Some(LaunchType::Fargate);
            if !by_launch_type && !is_associated(&cluster.spec, kept, name) {
                let message = format!("capacity provider {name} is not associated with cluster {}", snapshot.cluster);
                return Err(Missing::new(Reason::InvalidParameterException, message));
            }
            let placement = provider_placement(world, snapshot, name)?;
            Ok(CapacityPart {
                provider: Some(name.to_owned()),
                base: item.base.map_or(0, i64::from),
                // ECS: a strategy of one item without weight runs everything there.
                weight: item.weight.map_or(i64::from(strategy.len() == 1), i64::from),
                placement,
            })
        })
        .collect()
}

fn provider_placement(world: &dyn World, snapshot: &ServiceSnapshot, name: &str) -> Result<Placement, Missing> {
    let provider =
        capacity::provider(world, name).map_err(|message| Missing::new(Reason::CapacityProviderNotFound, message))?;
    let policy = NamespacePolicy::of(world, &snapshot.namespace);
    if let Some(message) = capacity::refusal(&provider.spec, name, &snapshot.namespace, &policy) {
        return Err(Missing::new(Reason::CapacityProviderNotAllowed, message));
    }
    Ok(capacity::placement(&provider.object_name, &provider.spec).placement)
}

/// The revision that tasks started now would run.
pub(super) fn task_definition(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    spec: &ServiceSpec,
) -> Result<Arc<Revision>, Missing> {
    let text = spec.task_definition.as_str();
    let missing = |message: String| Missing::new(Reason::TaskDefinitionNotFound, message);
    let reference = ecs::arn::task_definition_reference(text)
        .map_err(|error| missing(format!("taskDefinition {text}: {error}")))?;
    let family = &reference.family;
    let running = snapshot.primary().map(|record| record.spec.task_definition.clone());
    if let Some(number) = reference.revision.or_else(|| resolved_earlier(snapshot, spec, family)) {
        let name = format!("{family}:{number}");
        let found = revision(world, &snapshot.namespace, family, number)
            .ok_or_else(|| missing(format!("task definition {name} not found")))?
            .map_err(|error| missing(format!("{name}: {error}")))?;
        // What runs already may go on with an INACTIVE revision; nothing new may start to use it.
        if found.is_active || running.as_deref() == Some(&name) {
            return Ok(found);
        }
        return Err(Missing::new(Reason::TaskDefinitionInactive, format!("TaskDefinition is inactive: {name}")));
    }
    if let Some(newest) = newest_active_revision(world, &snapshot.namespace, family) {
        return newest.map_err(|error| missing(format!("the newest revision of {family}: {error}")));
    }
    let exists =
        !world.find(Kind::TaskDefinition, Some(&snapshot.namespace), &Term::EcsName(family.clone())).is_empty();
    Err(missing(if exists {
        format!("task definition family {family} has no ACTIVE revision; see the conditions of its ECSTaskDefinition")
    } else {
        format!("task definition family {family} not found: no ECSTaskDefinition has this family")
    }))
}

/// With `kubernetes.taskDefinitionResolution: OnServiceUpdate` a bare family is resolved when the service itself is
/// updated, as ECS does, and stays at that revision until the next update.
fn resolved_earlier(snapshot: &ServiceSnapshot, spec: &ServiceSpec, family: &str) -> Option<i64> {
    let resolution = spec.kubernetes.as_ref()?.task_definition_resolution?;
    if resolution != api::service::TaskDefinitionResolution::OnServiceUpdate {
        return None;
    }
    let record = snapshot.primary()?;
    let is_same_request = record.spec.force_hash.as_deref() == Some(&identity::request_hash(&snapshot.document));
    let reference = ecs::arn::task_definition_reference(&record.spec.task_definition).ok()?;
    reference.revision.filter(|_| is_same_request && reference.family == family)
}
