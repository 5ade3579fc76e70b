//! What is known of the cluster: a read-only view that plans gather their snapshots from.
//!
//! The runtime's stores, the files given to `kubectl ecs render` and the tables of a test all are a [`World`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::question::Answers;
use crate::core::store::Stored;

use crate::core::term::Named;
pub use crate::core::term::{DEFAULT_CLUSTER, Term};

/// Read access to everything known. Answers are ordered by namespace and name, so that plans are deterministic.
pub trait World {
    /// One object.
    fn get(&self, key: &ObjectKey) -> Option<Arc<Stored>>;
    /// Objects of a kind that carry a term; `namespace: None` looks everywhere.
    fn find(&self, kind: Kind, namespace: Option<&str>, term: &Term) -> Vec<Arc<Stored>>;
    /// Of the objects of a kind that carry a term whose name begins so, the one whose name in it is the last.
    fn last(&self, kind: Kind, named: Named, prefix: &str) -> Option<Arc<Stored>>;
    /// All objects of a kind; `namespace: None` looks everywhere.
    fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<Arc<Stored>>;
    /// What the outside last answered to the questions of plans.
    fn answers(&self) -> &Answers;
}

/// A world in memory: the index behind the runtime's stores, `render` and tests alike.
#[derive(Debug, Default)]
pub struct MemoryWorld {
    objects: BTreeMap<ObjectKey, Arc<Stored>>,
    /// One flat set: most terms lead to a single object, and a set of its own for each would cost ten times its content.
    found_by: BTreeSet<(Kind, Term, ObjectKey)>,
    answers: Answers,
}

impl MemoryWorld {
    /// Takes an object in; returns the copy it replaces.
    pub fn insert(&mut self, stored: Stored) -> Option<Arc<Stored>> {
        let previous = self.remove(&stored.key);
        for term in &stored.terms {
            self.found_by.insert((stored.key.kind, term.clone(), stored.key.clone()));
        }
        self.objects.insert(stored.key.clone(), Arc::new(stored));
        previous
    }

    /// Forgets an object.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Stored>> {
        let previous = self.objects.remove(key)?;
        for term in &previous.terms {
            self.found_by.remove(&(key.kind, term.clone(), key.clone()));
        }
        Some(previous)
    }

    /// What the outside answered, to take in more of it or to forget some.
    pub fn answers_mut(&mut self) -> &mut Answers {
        &mut self.answers
    }

    /// Keys of all objects of a kind.
    pub fn keys(&self, kind: Kind) -> impl Iterator<Item = &ObjectKey> {
        self.objects.keys().filter(move |key| key.kind == kind)
    }

    /// How many objects are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

impl World for MemoryWorld {
    fn get(&self, key: &ObjectKey) -> Option<Arc<Stored>> {
        self.objects.get(key).cloned()
    }

    fn find(&self, kind: Kind, namespace: Option<&str>, term: &Term) -> Vec<Arc<Stored>> {
        let first = ObjectKey { kind, namespace: namespace.map(ToOwned::to_owned), name: String::new() };
        self.found_by
            .range((kind, term.clone(), first)..)
            .take_while(|(found, by, key)| {
                *found == kind && by == term && (namespace.is_none() || key.namespace.as_deref() == namespace)
            })
            .filter_map(|(_, _, key)| self.objects.get(key).cloned())
            .collect()
    }

    fn last(&self, kind: Kind, named: Named, prefix: &str) -> Option<Arc<Stored>> {
        // Greater than every name: none has this character, the greatest there is.
        const AFTER_ALL: &str = "\u{10ffff}";
        let first = (kind, named(prefix.to_owned()), ObjectKey { kind, namespace: None, name: String::new() });
        let last = (kind, named(format!("{prefix}{AFTER_ALL}")), ObjectKey::namespaced(kind, AFTER_ALL, AFTER_ALL));
        self.found_by.range(first..last).next_back().and_then(|(_, _, key)| self.get(key))
    }

    fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<Arc<Stored>> {
        let from = ObjectKey { kind, namespace: namespace.map(ToOwned::to_owned), name: String::new() };
        self.objects
            .range(from..)
            .take_while(|(key, _)| key.kind == kind && (namespace.is_none() || key.namespace.as_deref() == namespace))
            .map(|(_, stored)| stored.clone())
            .collect()
    }

    fn answers(&self) -> &Answers {
        &self.answers
    }
}
