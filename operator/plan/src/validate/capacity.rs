//! Rules of clusters and capacity providers that CEL cannot say.

use api::capacity_provider::{CapacityProviderSpec, CapacityProviderStrategyItem};
use api::cluster::ClusterSpec;
use ecs::Violation;
use ecs::capacity::{StrategyItem, check_strategy};

use super::from_violations;
use crate::core::kind::Kind;
use crate::core::report::Refusal;

/// The default strategy and the tags.
///
/// Paths start with `spec.`; the exception is that of CreateCluster.
#[must_use]
pub fn cluster(spec: &ClusterSpec) -> Vec<Refusal> {
    let mut violations =
        strategy("defaultCapacityProviderStrategy", spec.default_capacity_provider_strategy.as_deref());
    let tags = spec.tags.iter().flatten();
    let pairs = tags.map(|tag| (tag.key.as_str(), tag.value.as_deref().unwrap_or_default()));
    violations.extend(ecs::tags::check_tags("tags", pairs));
    from_violations(Kind::Cluster, violations)
}

/// Tags: the rest of a capacity provider is said by the schema.
///
/// Paths start with `spec.`; the exception is that of CreateCapacityProvider.
#[must_use]
pub fn capacity_provider(spec: &CapacityProviderSpec) -> Vec<Refusal> {
    let tags = spec.tags.iter().flatten();
    let pairs = tags.map(|tag| (tag.key.as_str(), tag.value.as_deref().unwrap_or_default()));
    from_violations(Kind::CapacityProvider, ecs::tags::check_tags("tags", pairs))
}

/// What is wrong with a strategy that stands at `path`.
pub(super) fn strategy(path: &str, items: Option<&[CapacityProviderStrategyItem]>) -> Vec<Violation> {
    let items: Vec<_> = items
        .unwrap_or_default()
        .iter()
        .map(|item| StrategyItem {
            provider: item.capacity_provider.clone(),
            base: item.base.unwrap_or_default().into(),
            weight: item.weight.unwrap_or_default().into(),
        })
        .collect();
    check_strategy(&items)
        .into_iter()
        .map(|violation| {
            let rest = violation.path.strip_prefix("capacityProviderStrategy").unwrap_or_default();
            Violation::new(format!("{path}{rest}"), violation.message)
        })
        .collect()
}
