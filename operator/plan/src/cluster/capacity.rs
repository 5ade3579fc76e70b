//! Capacity providers of a cluster: the list of PutClusterCapacityProviders, and what leaves it late.

use std::collections::BTreeSet;

use api::cluster::{ClusterCapacityProvider, ClusterCapacityProviderState, ClusterSpec};
use api::conditions::Reason;
use ecs::arn::last_segment;

use super::live_tasks;
use crate::capacity;
use crate::core::labels;
use crate::core::policy::NamespacePolicy;
use crate::core::report::Conditions;
use crate::core::world::World;

/// Every provider the cluster lists, and every one it listed before while tasks run on it: ECS refuses to dissociate that,
/// here it stays until they have stopped. `previous` is what the status said before.
pub(super) fn providers(
    world: &dyn World,
    spec: &ClusterSpec,
    namespace: &str,
    cluster: &str,
    previous: &[ClusterCapacityProvider],
) -> Vec<ClusterCapacityProvider> {
    let listed: BTreeSet<&str> =
        spec.capacity_providers.iter().flatten().map(|provider| last_segment(provider)).collect();
    let mut providers: Vec<ClusterCapacityProvider> = listed
        .iter()
        .map(|name| ClusterCapacityProvider { name: (*name).to_owned(), state: state(world, name, namespace) })
        .collect();
    let dropped: Vec<&str> =
        previous.iter().map(|provider| provider.name.as_str()).filter(|name| !listed.contains(name)).collect();
    if !dropped.is_empty() {
        let used: BTreeSet<String> = live_tasks(world, namespace, cluster)
            .iter()
            .filter_map(|pod| pod.metadata.labels.get(labels::CAPACITY_PROVIDER).cloned())
            .collect();
        let in_use = dropped.into_iter().filter(|name| used.contains(&ecs::name::label_value(name)));
        let state = ClusterCapacityProviderState::InUse;
        providers.extend(in_use.map(|name| ClusterCapacityProvider { name: name.to_owned(), state }));
    }
    providers.sort_by(|one, other| one.name.cmp(&other.name));
    providers
}

fn state(world: &dyn World, name: &str, namespace: &str) -> ClusterCapacityProviderState {
    let policy = NamespacePolicy::of(world, namespace);
    match capacity::provider(world, name) {
        Err(_) => ClusterCapacityProviderState::NotFound,
        Ok(provider) => match capacity::refusal(&provider.spec, name, namespace, &policy) {
            None => ClusterCapacityProviderState::Associated,
            Some(_) => ClusterCapacityProviderState::NotAllowed,
        },
    }
}

/// `Ready`, by the provider that is the most trouble.
pub(super) fn judge(providers: &[ClusterCapacityProvider], conditions: &mut Conditions) {
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
        let message = format!(
            "spec.capacityProviders: ResourceInUseException: The capacity provider is in use by tasks and stays \
             associated until they have stopped: {names}"
        );
        return conditions.stalled(Reason::CapacityProviderInUse, &message);
    }
    conditions.ready(Reason::ReconcileCompleted, "services may use this cluster");
}
