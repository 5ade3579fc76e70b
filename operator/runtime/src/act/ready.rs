//! Which of the keys that are due runs next: namespaces take turns, so that one with thousands of changing objects holds up
//! no other, and none may run everything there is room for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use plan::ObjectKey;
use tokio::time::Instant;

/// Objects of no namespace share one.
type Namespace = Option<String>;

/// Keys that are due, by namespace.
#[derive(Debug)]
pub(super) struct Ready {
    waiting: BTreeMap<Namespace, BTreeSet<(Instant, ObjectKey)>>,
    /// Namespaces with keys that wait, each once; the next one first.
    turns: VecDeque<Namespace>,
    running: BTreeMap<Namespace, usize>,
    /// Keys of one namespace that may run at a time.
    share: usize,
}

impl Default for Ready {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), turns: VecDeque::new(), running: BTreeMap::new(), share: usize::MAX }
    }
}

impl Ready {
    /// With so many keys of one namespace that may run at a time.
    pub(super) fn with_share(share: usize) -> Self {
        Self { share, ..Self::default() }
    }

    /// A key is due since then.
    pub(super) fn add(&mut self, due: Instant, key: ObjectKey) {
        let namespace = key.namespace.clone();
        let keys = self.waiting.entry(namespace.clone()).or_default();
        if keys.is_empty() {
            self.turns.push_back(namespace);
        }
        keys.insert((due, key));
    }

    /// A key is not due any more. Returns whether it was.
    pub(super) fn remove(&mut self, due: Instant, key: &ObjectKey) -> bool {
        let Some(keys) = self.waiting.get_mut(&key.namespace) else { return false };
        let was_there = keys.remove(&(due, key.clone()));
        if keys.is_empty() {
            self.waiting.remove(&key.namespace);
            self.turns.retain(|namespace| *namespace != key.namespace);
        }
        was_there
    }

    /// The next key, which then runs: of the namespace whose turn it is, the one that is due for the longest time.
    pub(super) fn start(&mut self) -> Option<ObjectKey> {
        for _ in 0..self.turns.len() {
            let namespace = self.turns.pop_front()?;
            let running = self.running.get(&namespace).copied().unwrap_or_default();
            if running >= self.share {
                self.turns.push_back(namespace);
                continue;
            }
            let Some(keys) = self.waiting.get_mut(&namespace) else { continue };
            let first = keys.pop_first();
            if keys.is_empty() {
                self.waiting.remove(&namespace);
            } else {
                self.turns.push_back(namespace.clone());
            }
            let Some((_, key)) = first else { continue };
            self.running.insert(namespace, running + 1);
            return Some(key);
        }
        None
    }

    /// A key that ran has finished.
    pub(super) fn finish(&mut self, key: &ObjectKey) {
        if let Some(running) = self.running.get_mut(&key.namespace) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(&key.namespace);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.turns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use plan::Kind;

    use super::*;

    fn key(namespace: &str, name: usize) -> ObjectKey {
        ObjectKey::namespaced(Kind::Service, namespace, name.to_string())
    }

    fn started(ready: &mut Ready, count: usize) -> Vec<String> {
        (0..count).filter_map(|_| ready.start()).map(|key| format!("{}{}", key.namespace.unwrap(), key.name)).collect()
    }

    #[test]
    fn when_one_namespace_has_thousands_of_keys_then_the_others_have_their_turns() {
        let mut ready = Ready::default();
        let now = Instant::now();
        (0..5_000).for_each(|name| ready.add(now, key("many", name)));
        (0..3).for_each(|name| ready.add(now, key("a", name)));
        ready.add(now, key("b", 0));
        assert_eq!(started(&mut ready, 8), ["many0", "a0", "b0", "many1", "a1", "many10", "a2", "many100"]);
    }

    #[test]
    fn when_a_namespace_runs_its_share_then_only_others_start_until_one_of_its_own_finished() {
        let mut ready = Ready::with_share(2);
        let now = Instant::now();
        (0..5).for_each(|name| ready.add(now, key("many", name)));
        assert_eq!(started(&mut ready, 5), ["many0", "many1"]);
        ready.add(now, key("a", 0));
        assert_eq!(started(&mut ready, 5), ["a0"]);
        ready.finish(&key("many", 0));
        assert_eq!(started(&mut ready, 5), ["many2"]);
    }

    #[test]
    fn when_a_key_is_not_due_any_more_then_nothing_is_left_of_it() {
        let mut ready = Ready::default();
        let now = Instant::now();
        ready.add(now, key("a", 0));
        assert!(ready.remove(now, &key("a", 0)) && !ready.remove(now, &key("a", 0)));
        assert!(ready.is_empty() && ready.start().is_none());
    }
}
