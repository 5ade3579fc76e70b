//! Removes old revisions that nothing uses. ECS keeps each for ever; an API server should not have to.

use std::collections::BTreeSet;
use std::sync::Arc;

use ecs::arn::task_definition_reference;
use serde_json::Value;

use super::Revision;
use crate::core::history;
use crate::core::kind::Kind;
use crate::core::op::Op;
use crate::core::world::{Term, World};

/// Revisions kept besides those in use, where the family does not say: as many as its status lists.
const DEFAULT_HISTORY: usize = 100;

/// Deletes of the oldest revisions beyond `kubernetes.revisionHistory` or [`history::MOST_BYTES`]. The latest one stays, and so does the latest
/// ACTIVE one, which a bare family means, and every one that a service, one of its deployments (what runs, and what may be
/// gone back to) or its spec names.
///
/// With a history of 2 and revisions 1 to 6, of which a service runs 2: 2, 5 and 6 stay, 1, 3 and 4 go.
pub(super) fn collect(world: &dyn World, namespace: &str, document: &Value, known: &[Arc<Revision>]) -> Vec<Op> {
    let history = document.pointer("/kubernetes/revisionHistory").and_then(Value::as_u64);
    let most = history.map_or(DEFAULT_HISTORY, |history| usize::try_from(history).unwrap_or(usize::MAX));
    let history = history::kept(most, known.iter().rev().map(|revision| revision.size)).max(1);
    if known.len() <= history {
        return Vec::new();
    }
    let Some(family) = known.first().map(|revision| revision.family.as_str()) else { return Vec::new() };
    let mut kept = used(world, namespace, family);
    kept.extend(known.iter().rev().find(|revision| revision.is_active).map(|revision| revision.number));
    let oldest_kept = known.len() - history;
    let surplus = known.iter().take(oldest_kept).filter(|revision| !kept.contains(&revision.number));
    surplus
        .map(|revision| Op::Delete {
            key: revision.key.clone(),
            uid: revision.metadata.uid.clone(),
            resource_version: revision.metadata.resource_version.clone(),
            only_if_absent: Vec::new(),
        })
        .collect()
}

/// Numbers of the revisions of a family that something names.
fn used(world: &dyn World, namespace: &str, family: &str) -> BTreeSet<i64> {
    const USERS: [(Kind, &str); 3] = [
        (Kind::Service, "/spec/taskDefinition"),
        (Kind::Service, "/status/taskDefinition"),
        (Kind::ServiceDeployment, "/spec/taskDefinition"),
    ];
    let term = Term::Family(family.to_owned());
    let named = USERS.into_iter().flat_map(|(kind, pointer)| {
        world.find(kind, Some(namespace), &term).into_iter().filter_map(move |stored| {
            let reference = task_definition_reference(stored.value().pointer(pointer)?.as_str()?).ok()?;
            Some((reference.family, reference.revision?))
        })
    });
    named.filter(|(name, _)| name == family).map(|(_, number)| number).collect()
}
