//! What the capacity providers of a revision need.

use serde_json::Value;

use super::{Asked, Found, list, text};
use crate::capacity::{self, CapacityPart};
use crate::core::policy::NamespacePolicy;
use crate::core::right::Right;
use crate::core::world::World;

/// What the parts of a strategy need in `namespace`. A provider's nodes are its administrator's choice, as they were when
/// the revision was frozen; who may use it and what its tasks tolerate is asked again.
pub(super) fn of(world: &dyn World, namespace: &str, policy: &NamespacePolicy, parts: &[CapacityPart]) -> Vec<Found> {
    let mut found = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let path = |member: &str| format!("capacity[{index}].{member}");
        let Some(name) = &part.provider else {
            let labels = part.placement.node_selector_terms.iter().flat_map(of_term);
            found.extend(labels.map(|right| (path("placement"), Asked::Right(right))));
            found.extend(tolerations(&part.placement.tolerations, &[]).map(|asked| (path("placement"), asked)));
            continue;
        };
        // One that is gone gives nothing; its nodes are those that everybody has.
        let Ok(provider) = capacity::provider(world, name) else {
            found.extend(tolerations(&part.placement.tolerations, &[]).map(|asked| (path("placement"), asked)));
            continue;
        };
        if let Some(message) = capacity::refusal(&provider.spec, name, namespace, policy) {
            found.push((path("provider"), Asked::Refused(message)));
        }
        let allowed = capacity::tolerations(&provider.spec);
        found.extend(tolerations(&part.placement.tolerations, &allowed).map(|asked| (path("placement"), asked)));
    }
    found
}

/// The labels that a term of a cluster's node selector asks for.
fn of_term(term: &Value) -> Vec<Right> {
    let of_expression = |expression: &Value| {
        let key = text(expression, "/key").to_owned();
        let values = list(expression, "/values").iter().filter_map(Value::as_str);
        let labels = values.map(|value| Right::NodeLabel { key: key.clone(), value: value.to_owned() });
        labels.collect::<Vec<_>>()
    };
    list(term, "/matchExpressions").iter().flat_map(of_expression).collect()
}

fn tolerations<'a>(frozen: &'a [Value], allowed: &'a [Value]) -> impl Iterator<Item = Asked> + 'a {
    let taken_back = frozen.iter().filter(|toleration| !allowed.contains(toleration));
    taken_back.map(|toleration| Asked::Refused(format!("no capacity provider gives the toleration {toleration}")))
}
