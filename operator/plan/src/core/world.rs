//! What is known of the cluster: a read-only view that plans gather their snapshots from.
//!
//! The runtime's stores, the files given to `kubectl ecs render` and the tables of a test all are a [`World`].

use std::cmp::Ordering;
use std::sync::Arc;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::question::Answers;
use crate::core::shared_set::SharedSet;
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
///
/// A copy costs a few pointers and never changes: a plan reads one while the original takes in events.
#[derive(Clone, Debug, Default)]
pub struct MemoryWorld {
    /// Sorted by key.
    objects: SharedSet<Arc<Stored>>,
    /// Sorted by kind, term and key. One flat set: most terms lead to a single object, and a set of its own for each would
    /// cost ten times its content.
    found_by: SharedSet<Indexed>,
    answers: Answers,
}

/// An object under one of its terms.
#[derive(Clone, Debug)]
struct Indexed {
    term: Term,
    stored: Arc<Stored>,
}

impl Indexed {
    fn compare(&self, kind: Kind, term: &Term, key: KeyRef<'_>) -> Ordering {
        let by_term = self.stored.key.kind.cmp(&kind).then_with(|| self.term.cmp(term));
        by_term.then_with(|| compare(&self.stored.key, key))
    }
}

/// Namespace and name of a key of some kind.
type KeyRef<'a> = (Option<&'a str>, &'a str);

fn compare(key: &ObjectKey, other: KeyRef<'_>) -> Ordering {
    (key.namespace.as_deref(), key.name.as_str()).cmp(&other)
}

fn parts(key: &ObjectKey) -> KeyRef<'_> {
    (key.namespace.as_deref(), &key.name)
}

impl MemoryWorld {
    /// Takes an object in; returns the copy it replaces.
    pub fn insert(&mut self, stored: Stored) -> Option<Arc<Stored>> {
        let stored = Arc::new(stored);
        let key = &stored.key;
        let previous = self.objects.insert(Arc::clone(&stored), |other: &Arc<Stored>| other.key.cmp(key));
        if let Some(previous) = &previous {
            for term in previous.terms.iter().filter(|term| !stored.terms.contains(*term)) {
                self.found_by.remove(|other: &Indexed| other.compare(key.kind, term, parts(key)));
            }
        }
        for term in &stored.terms {
            let indexed = Indexed { term: term.clone(), stored: Arc::clone(&stored) };
            self.found_by.insert(indexed, |other: &Indexed| other.compare(key.kind, term, parts(key)));
        }
        previous
    }

    /// Forgets an object.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Stored>> {
        let previous = self.objects.remove(|other: &Arc<Stored>| other.key.cmp(key))?;
        for term in &previous.terms {
            self.found_by.remove(|other: &Indexed| other.compare(key.kind, term, parts(key)));
        }
        Some(previous)
    }

    /// What the outside answered, to take in more of it or to forget some.
    pub const fn answers_mut(&mut self) -> &mut Answers {
        &mut self.answers
    }

    /// Keys of all objects of a kind.
    pub fn keys(&self, kind: Kind) -> impl Iterator<Item = &ObjectKey> {
        self.objects.iter().map(|stored| &stored.key).filter(move |key| key.kind == kind)
    }

    /// How many objects are known.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

impl World for MemoryWorld {
    fn get(&self, key: &ObjectKey) -> Option<Arc<Stored>> {
        self.objects.get(|other: &Arc<Stored>| other.key.cmp(key)).cloned()
    }

    fn find(&self, kind: Kind, namespace: Option<&str>, term: &Term) -> Vec<Arc<Stored>> {
        let is_in = |one: &&Indexed| {
            let key = &one.stored.key;
            key.kind == kind && one.term == *term && (namespace.is_none() || key.namespace.as_deref() == namespace)
        };
        let found = self.found_by.from(|other: &Indexed| other.compare(kind, term, (namespace, "")));
        found.take_while(is_in).map(|one| Arc::clone(&one.stored)).collect()
    }

    fn last(&self, kind: Kind, named: Named, prefix: &str) -> Option<Arc<Stored>> {
        // Greater than every name: none has this character, the greatest there is.
        const AFTER_ALL: &str = "\u{10ffff}";
        let after = named(format!("{prefix}{AFTER_ALL}"));
        let first = named(prefix.to_owned());
        let last =
            self.found_by.last_before(|other: &Indexed| other.compare(kind, &after, (Some(AFTER_ALL), AFTER_ALL)))?;
        let is_in = last.stored.key.kind == kind && last.term >= first;
        is_in.then(|| Arc::clone(&last.stored))
    }

    fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<Arc<Stored>> {
        let first = |other: &Arc<Stored>| other.key.kind.cmp(&kind).then_with(|| compare(&other.key, (namespace, "")));
        let is_in = |stored: &&Arc<Stored>| {
            let key = &stored.key;
            key.kind == kind && (namespace.is_none() || key.namespace.as_deref() == namespace)
        };
        self.objects.from(first).take_while(is_in).cloned().collect()
    }

    fn answers(&self) -> &Answers {
        &self.answers
    }
}
