//! Clusters: counters over what runs in them, the state of their capacity providers, and the guard on deletion.

use std::sync::Arc;

use api::cluster::{ClusterCapacityProvider, ClusterCapacityProviderState, ClusterSpec, ClusterState, ClusterStatus};
use api::conditions::{ConditionType, Reason};
use api::service::{ServiceSpec, ServiceStatus};
use ecs::arn::last_segment;
use jiff::Timestamp;
use serde::Deserialize;

use crate::capacity_provider::{add_finalizer, cluster_terms, matching_nodes, remove_finalizer};
use crate::kind::{Kind, ObjectKey};
use crate::op::Plan;
use crate::report::{Conditions, Refusal};
use crate::root::{Root, holder};
use crate::settings::Settings;
use crate::store::Stored;
use crate::support::{self, Document};
use crate::validate;
use crate::world::{Term, World};

#[derive(Deserialize)]
struct ServiceView {
    spec: ServiceSpec,
    #[serde(default)]
    status: Option<ServiceStatus>,
}

/// What to do about one cluster now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, settings: &Settings, now: Timestamp) -> Plan {
    let Some(root) = Root::open(world, root) else { return Plan::default() };
    let Root { key, metadata, document, .. } = &root;
    let namespace = key.namespace.as_deref();
    let mut plan = root.plan();
    let previous: ClusterStatus = root.previous_status();
    let name = root.ecs_name("clusterName").to_owned();
    let services = world.find(Kind::Service, namespace, &Term::Cluster(name.clone()));
    let mut conditions = Conditions::new(&previous.conditions, metadata.generation, now);
    if metadata.is_deleting() {
        if services.is_empty() {
            plan.ops.extend(remove_finalizer(key, metadata));
            return plan;
        }
        let message = in_use(&services);
        conditions.set(ConditionType::DeletionBlocked, true, Reason::InUse, &message);
        conditions.stalled(Reason::Deleting, &message);
    } else {
        plan.ops.extend(add_finalizer(key, metadata));
    }
    let views: Vec<(Arc<Stored>, ServiceView)> = services
        .into_iter()
        .filter_map(|service| service.decode::<ServiceView>().ok().map(|view| (service, view)))
        .collect();
    let sum = |count: fn(&ServiceStatus) -> Option<i32>| -> i32 {
        views.iter().filter_map(|(_, view)| view.status.as_ref().and_then(count)).fold(0, i32::saturating_add)
    };
    let mut status = ClusterStatus {
        observed_generation: Some(metadata.generation),
        cluster_arn: Some(settings.identity.cluster_arn(&name)),
        cluster_name: Some(name.clone()),
        status: Some(if metadata.is_deleting() { ClusterState::Deprovisioning } else { ClusterState::Active }),
        running_tasks_count: Some(sum(|status| status.running_count)),
        pending_tasks_count: Some(sum(|status| status.pending_count)),
        active_services_count: i32::try_from(views.len()).ok(),
        ..previous
    };
    let mut refusals = validate::object(Kind::Cluster, &root.object);
    // Cluster names are unique in a namespace, which stands for an account and region.
    if let Some(other) = root.older_namesake(world, &[Term::EcsName(name.clone())]) {
        let message = format!("cluster {name} is ECSCluster {other} already");
        refusals.push(Refusal { path: "spec.clusterName".to_owned(), exception: Reason::NameTaken, message });
    }
    let spec = serde_json::from_value::<ClusterSpec>(document.clone());
    if !metadata.is_deleting() {
        conditions.accept(&refusals);
    }
    if let (Ok(spec), true) = (spec, refusals.is_empty()) {
        let nodes = matching_nodes(world, &cluster_terms(&spec));
        status.registered_container_instances_count = i32::try_from(nodes).ok();
        status.capacity_providers = providers(world, &spec, namespace.unwrap_or_default(), &views);
        if !metadata.is_deleting() {
            conditions.fields(&support::findings(Document::Cluster, document));
            judge(&status.capacity_providers, &mut conditions);
        }
    }
    status.conditions = conditions.finish();
    plan.status = Some(serde_json::to_value(status).unwrap_or_default());
    plan
}

fn in_use(services: &[Arc<Stored>]) -> String {
    let names: Vec<&str> = services.iter().take(10).map(|service| service.key.name.as_str()).collect();
    let more = services.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("The Cluster cannot be deleted while Services are active: {}{more}", names.join(", "))
}

/// Every provider the cluster names, and every one it does not name any more although a service uses it.
fn providers(
    world: &dyn World,
    spec: &ClusterSpec,
    namespace: &str,
    services: &[(Arc<Stored>, ServiceView)],
) -> Vec<ClusterCapacityProvider> {
    let listed = spec.capacity_providers.as_deref().unwrap_or_default();
    let mut providers: Vec<ClusterCapacityProvider> = listed
        .iter()
        .map(|provider| {
            let name = last_segment(provider);
            ClusterCapacityProvider { name: name.to_owned(), state: provider_state(world, name, namespace) }
        })
        .collect();
    for (_, view) in services {
        for item in view.spec.capacity_provider_strategy.as_deref().unwrap_or_default() {
            let name = last_segment(&item.capacity_provider);
            if !providers.iter().any(|provider| provider.name == name) {
                let state = ClusterCapacityProviderState::InUse;
                providers.push(ClusterCapacityProvider { name: name.to_owned(), state });
            }
        }
    }
    providers.sort_by(|one, other| one.name.cmp(&other.name));
    providers
}

fn provider_state(world: &dyn World, name: &str, namespace: &str) -> ClusterCapacityProviderState {
    #[derive(Deserialize)]
    struct View {
        spec: api::capacity_provider::CapacityProviderSpec,
    }
    let found = holder(world, Kind::CapacityProvider, None, &[Term::EcsName(name.to_owned())]);
    match found.and_then(|stored| stored.decode::<View>().ok()) {
        None => ClusterCapacityProviderState::NotFound,
        Some(view) if crate::capacity_provider::allows(&view.spec, namespace) => {
            ClusterCapacityProviderState::Associated
        }
        Some(_) => ClusterCapacityProviderState::NotAllowed,
    }
}

fn judge(providers: &[ClusterCapacityProvider], conditions: &mut Conditions) {
    let named = |state: ClusterCapacityProviderState| {
        let names: Vec<&str> = providers
            .iter()
            .filter(|provider| provider.state == state)
            .map(|provider| provider.name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    if let Some(names) = named(ClusterCapacityProviderState::NotFound) {
        let message = format!("spec.capacityProviders: no ECSCapacityProvider is named {names}");
        return conditions.progressing(Reason::CapacityProviderNotFound, &message);
    }
    if let Some(names) = named(ClusterCapacityProviderState::NotAllowed) {
        let message = format!("spec.capacityProviders: this namespace may not use {names}");
        return conditions.stalled(Reason::CapacityProviderNotAllowed, &message);
    }
    if let Some(names) = named(ClusterCapacityProviderState::InUse) {
        let message = format!("spec.capacityProviders: services still use {names}, which the cluster does not list");
        return conditions.stalled(Reason::CapacityProviderInUse, &message);
    }
    conditions.ready(Reason::ReconcileCompleted, "services may use this cluster");
}
