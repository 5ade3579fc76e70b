//! The one copy of everything the feeds have seen.
//!
//! All kinds live in one [`MemoryWorld`]. Who reads takes a copy of it, which is one consistent state of what is known and
//! costs a few pointers; the lock is held for that, or for one insert, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use plan::core::world::MemoryWorld;
use plan::{Ask, Kind, ObjectKey, Stored, World, routes};

/// What a change to the store means for others.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Roots that may decide differently now.
    pub affected: BTreeSet<ObjectKey>,
    /// Copies that are gone.
    pub removed: Vec<Arc<Stored>>,
}

/// Everything that is known of the cluster.
#[derive(Debug, Default)]
pub struct Store {
    world: RwLock<Counted>,
}

/// The world and how many objects of each kind are in it, which the world alone could only say by walking over all.
#[derive(Debug, Default)]
struct Counted {
    world: MemoryWorld,
    counts: BTreeMap<Kind, usize>,
}

impl Store {
    /// Everything known now. What is taken in later does not change it.
    #[must_use]
    pub fn snapshot(&self) -> MemoryWorld {
        self.read().world.clone()
    }

    /// Takes in a copy from a watch. The same copy again, and a copy that says nothing new, affect nobody.
    pub fn put(&self, stored: Stored) -> Change {
        let key = stored.key.clone();
        let previous = self.read().world.get(&key);
        if let Some(previous) = &previous
            && previous.uid == stored.uid
            && previous.resource_version == stored.resource_version
        {
            return Change::default();
        }
        let is_news = previous.as_ref().is_none_or(|previous| !previous.same_content(&stored));
        let is_status_alone = previous.as_ref().is_some_and(|previous| previous.same_except_status(&stored));
        {
            let mut counted = self.write();
            if counted.world.insert(stored).is_none() {
                *counted.counts.entry(key.kind).or_default() += 1;
            }
        }
        let mut change = Change::default();
        if is_news {
            let affected = if is_status_alone { routes::affected_by_status } else { routes::affected };
            let world = self.snapshot();
            for copy in previous.iter().chain(world.get(&key).iter()) {
                change.affected.extend(affected(&world, copy));
            }
        }
        // A name that now belongs to another object: the old one is gone although no watch event said so.
        change.removed.extend(previous.filter(|previous| is_replaced(&self.read().world, previous)));
        change
    }

    /// Forgets an object that a watch reported as deleted.
    pub fn remove(&self, key: &ObjectKey) -> Change {
        self.remove_all(std::iter::once(key))
    }

    /// Ends a list: objects of the kind (in the namespace, if one is given) that were not in it are gone.
    pub fn sweep(&self, kind: Kind, namespace: Option<&str>, seen: &BTreeSet<ObjectKey>) -> Change {
        let known = self.snapshot().list(kind, namespace);
        let vanished: Vec<&ObjectKey> =
            known.iter().map(|stored| &stored.key).filter(|key| !seen.contains(*key)).collect();
        self.remove_all(vanished.into_iter())
    }

    /// Takes in an answer to a question of a plan. Returns whether it differs from the last one.
    pub fn put_answer<Q: Ask>(&self, query: Q, answer: Q::Answer) -> bool {
        self.write().world.answers_mut().put(query, answer)
    }

    /// Forgets the answers to these questions.
    pub fn forget_answers<Q: Ask>(&self, queries: &[&Q]) {
        if !queries.is_empty() {
            let mut counted = self.write();
            for query in queries {
                counted.world.answers_mut().forget(*query);
            }
        }
    }

    /// Keys of all roots, for the moment in which this process starts to reconcile.
    #[must_use]
    pub fn roots(&self) -> Vec<ObjectKey> {
        let world = self.snapshot();
        let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_root());
        kinds.flat_map(|kind| world.list(kind, None)).map(|stored| stored.key.clone()).collect()
    }

    /// How many objects of a kind are known.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.read().counts.get(&kind).copied().unwrap_or_default()
    }

    fn remove_all<'a>(&self, keys: impl Iterator<Item = &'a ObjectKey>) -> Change {
        let mut removed = Vec::new();
        {
            let mut counted = self.write();
            for key in keys {
                if let Some(stored) = counted.world.remove(key) {
                    if let Some(count) = counted.counts.get_mut(&key.kind) {
                        *count = count.saturating_sub(1);
                    }
                    removed.push(stored);
                }
            }
        }
        let world = self.snapshot();
        let affected = removed.iter().flat_map(|stored| routes::affected(&world, stored)).collect();
        Change { affected, removed }
    }

    // A panic elsewhere ends the process; until then the data is as good as before, since inserts are all or nothing.
    fn read(&self) -> RwLockReadGuard<'_, Counted> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Counted> {
        self.world.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_replaced(world: &MemoryWorld, previous: &Stored) -> bool {
    world.get(&previous.key).is_none_or(|now| now.uid != previous.uid)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, uid: &str, version: &str, phase: &str) -> Stored {
        accept(
            Kind::Pod,
            json!({
                "metadata": {"name": name, "namespace": "a", "uid": uid, "resourceVersion": version,
                             "labels": {"ecs-operator.dev/service": "web"}},
                "status": {"phase": phase},
            }),
        )
    }

    fn accept(kind: Kind, value: Value) -> Stored {
        Stored::accept(kind, value).unwrap()
    }

    fn service() -> ObjectKey {
        ObjectKey::namespaced(Kind::Service, "a", "web")
    }

    fn store_with_service() -> Store {
        let store = Store::default();
        store.put(accept(
            Kind::Service,
            json!({"metadata": {"name": "web", "namespace": "a", "uid": "s", "resourceVersion": "1"}, "spec": {}}),
        ));
        store
    }

    #[test]
    fn when_a_pod_changes_then_its_service_is_affected_once_per_news() {
        let store = store_with_service();
        assert_eq!(store.put(pod("p", "u", "2", "Pending")).affected, BTreeSet::from([service()]));
        assert!(store.put(pod("p", "u", "2", "Pending")).affected.is_empty(), "the same copy again");
        assert!(store.put(pod("p", "u", "3", "Pending")).affected.is_empty(), "only the version moved");
        assert_eq!(store.put(pod("p", "u", "4", "Running")).affected, BTreeSet::from([service()]));
    }

    #[test]
    fn when_a_cluster_counts_then_only_the_cluster_is_affected_and_when_it_is_changed_its_services_too() {
        let store = store_with_service();
        let cluster = |version: &str, provider: &str, count: i64| {
            let metadata = json!({"name": "default", "namespace": "a", "uid": "c", "resourceVersion": version});
            let (spec, status) = (json!({"capacityProviders": [provider]}), json!({"activeServicesCount": count}));
            accept(Kind::Cluster, json!({"metadata": metadata, "spec": spec, "status": status}))
        };
        let key = ObjectKey::namespaced(Kind::Cluster, "a", "default");
        let both = BTreeSet::from([key.clone(), service()]);
        assert_eq!(store.put(cluster("2", "one", 0)).affected, both);
        assert_eq!(store.put(cluster("3", "one", 1)).affected, BTreeSet::from([key]));
        assert_eq!(store.put(cluster("4", "other", 1)).affected, both);
    }

    #[test]
    fn when_a_plan_reads_then_events_are_taken_in_and_what_it_reads_stays_as_it_was() {
        let store = store_with_service();
        store.put(pod("p", "u", "2", "Pending"));
        let world = store.snapshot();
        // Nobody waits for the one who reads.
        store.put(pod("p", "u", "3", "Running"));
        store.put(pod("q", "v", "4", "Pending"));
        store.remove(&service());
        let versions = |world: &MemoryWorld| -> Vec<String> {
            world.list(Kind::Pod, None).iter().map(|pod| pod.resource_version.clone()).collect()
        };
        assert_eq!((versions(&world), world.get(&service()).is_some()), (vec!["2".to_owned()], true));
        let world = store.snapshot();
        assert_eq!((versions(&world), world.get(&service())), (vec!["3".to_owned(), "4".to_owned()], None));
    }

    #[test]
    fn when_a_list_ends_then_objects_that_were_not_in_it_are_gone_and_others_stay() {
        let store = store_with_service();
        store.put(pod("stays", "u1", "2", "Running"));
        store.put(pod("vanishes", "u2", "3", "Running"));
        let seen = BTreeSet::from([ObjectKey::namespaced(Kind::Pod, "a", "stays")]);

        assert_eq!(store.sweep(Kind::Pod, Some("another"), &BTreeSet::new()), Change::default());
        let change = store.sweep(Kind::Pod, None, &seen);

        assert_eq!(change.affected, BTreeSet::from([service()]));
        assert_eq!(change.removed.iter().map(|stored| stored.uid.as_str()).collect::<Vec<_>>(), ["u2"]);
        assert_eq!((store.count(Kind::Pod), store.count(Kind::Service)), (1, 1));
    }

    #[test]
    fn when_a_name_is_taken_by_a_new_object_then_the_old_one_counts_as_removed() {
        let store = store_with_service();
        store.put(pod("p", "old", "2", "Running"));
        let change = store.put(pod("p", "new", "9", "Running"));
        assert_eq!(change.removed.first().map(|stored| stored.uid.as_str()), Some("old"));
        assert_eq!(store.count(Kind::Pod), 1);
    }
}
