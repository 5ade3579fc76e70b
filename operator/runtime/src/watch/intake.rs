//! Where feeds deliver: the store changes, and roots that may decide differently are asked for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use plan::{Kind, ObjectKey, Stored};
use tracing::info;

use crate::act::gate::Gate;
use crate::act::queue::Queue;
use crate::serve::metrics::Metrics;
use crate::watch::store::{Change, Store};

/// Store, queue and gate, joined.
#[derive(Debug)]
pub struct Intake {
    /// Everything known.
    pub store: Store,
    /// What is to be looked at.
    pub queue: Queue,
    /// What was written and is not seen yet.
    pub gate: Gate,
    metrics: Arc<Metrics>,
    is_routing: AtomicBool,
}

impl Intake {
    /// With an empty store. Nothing is asked for until [`Self::start`].
    #[must_use]
    pub fn new(queue: Queue, metrics: Arc<Metrics>) -> Self {
        Self { store: Store::default(), queue, gate: Gate::default(), metrics, is_routing: AtomicBool::new(false) }
    }

    /// From now on changes ask for reconciles, and all roots are asked for once. Called when this process leads and all
    /// kinds are known: before that a plan would take what was not listed yet for absent.
    pub fn start(&self) {
        // In this order a change that comes in between is asked for twice rather than never.
        self.is_routing.store(true, Ordering::SeqCst);
        let roots = self.store.roots();
        info!(step = "start", roots = roots.len(), "reconciling");
        for root in roots {
            self.queue.request(&root);
        }
    }

    /// A watch or list delivered an object.
    pub fn put(&self, stored: Stored) {
        let kind = stored.key.kind;
        let change = self.store.put(stored);
        self.route(kind, change);
    }

    /// A watch said that an object is gone. `last` is the copy the event carries.
    pub fn remove(&self, last: &Stored) {
        let change = self.store.remove(&last.key);
        self.gate.saw_removal(last);
        self.route(last.key.kind, change);
    }

    /// A copy that cannot be read took the place of the one that is known.
    pub fn forget(&self, key: &ObjectKey) {
        let change = self.store.remove(key);
        self.route(key.kind, change);
    }

    /// A list is complete.
    pub fn sweep(&self, kind: Kind, namespace: Option<&str>, seen: &BTreeSet<ObjectKey>) {
        let change = self.store.sweep(kind, namespace, seen);
        self.route(kind, change);
    }

    fn route(&self, kind: Kind, change: Change) {
        for removed in &change.removed {
            self.gate.saw_removal(removed);
        }
        self.metrics.objects(kind, self.store.count(kind));
        if self.is_routing.load(Ordering::SeqCst) {
            for root in change.affected {
                self.queue.request(&root);
            }
        }
    }
}
