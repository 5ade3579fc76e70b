//! Which roots have to be looked at again when an object changes: the table of [`crate::core::relation`], with the world's
//! index behind it.

use std::collections::BTreeSet;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::relation::{Step, Way, relations};
use crate::core::store::Stored;
use crate::core::term::Term;
use crate::core::world::World;

/// The roots that may decide differently because `changed` appeared, changed or went away. Call it with the old and with
/// the new copy of an object: a service that moves to another cluster concerns both.
#[must_use]
pub fn affected(world: &dyn World, changed: &Stored) -> BTreeSet<ObjectKey> {
    follow(world, changed, |_| true)
}

/// The same where old and new copy differ in nothing but their status.
#[must_use]
pub fn affected_by_status(world: &dyn World, changed: &Stored) -> BTreeSet<ObjectKey> {
    follow(world, changed, |way| way.reads_status)
}

fn follow(world: &dyn World, changed: &Stored, counts: fn(&Way) -> bool) -> BTreeSet<ObjectKey> {
    let mut roots = BTreeSet::new();
    if changed.key.kind.is_root() {
        roots.insert(changed.key.clone());
    }
    for row in relations(changed.key.kind) {
        for way in row.concerns.iter().filter(|way| counts(way)) {
            for term in changed.terms.iter().filter(|term| term.is(row.term)) {
                take(world, changed, term.name(), &way.step, &mut roots);
            }
        }
    }
    roots
}

fn take(world: &dyn World, changed: &Stored, name: &str, step: &Step, roots: &mut BTreeSet<ObjectKey>) {
    let found = |from: &Stored, kind: Kind, term: &Term| {
        let namespace = from.key.namespace.as_deref().filter(|_| kind.is_namespaced());
        world.find(kind, namespace, term)
    };
    let keys = match step {
        Step::To(kind, named) => found(changed, *kind, &named(name.to_owned())),
        Step::Each(kind) => world.list(*kind, None),
        Step::In(kind) => world.list(*kind, Some(name)),
        Step::Through { via: (via, by), carries, to: (kind, named) } => {
            let via = found(changed, *via, &by(name.to_owned()));
            // Many tasks of one service lead to it.
            let places: BTreeSet<(Option<&str>, &str)> = via
                .iter()
                .flat_map(|object| object.terms.iter().map(|term| (object.key.namespace.as_deref(), term)))
                .filter(|(_, term)| term.is(*carries))
                .map(|(namespace, term)| (namespace, term.name()))
                .collect();
            let roots = places.into_iter().map(|(namespace, name)| (namespace, named(name.to_owned())));
            roots.flat_map(|(namespace, term)| world.find(*kind, namespace, &term)).collect()
        }
    };
    roots.extend(keys.into_iter().map(|stored| stored.key.clone()));
}
