//! The own-write gate: no plan is made on a view of the world that is older than our own last write.
//!
//! A create that the cache does not show yet would be decided again; a status that the cache does not show yet would be
//! counted from again. So each write leaves an expectation, and the root that wrote waits until the watch caught up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plan::{Kind, ObjectKey, Stored, World};
use tokio::time::Instant;
use tracing::warn;

/// After this time the server is asked whether there is anything to wait for: the object may have lost the label that our
/// watch selects by, or may have come and gone between two lists. And each time again, as long as there is.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// For this long it is remembered that an object went away. Longer than two watches are ever apart: one that says nothing
/// is started again after three minutes, and lists what it missed within half a minute of an answer.
const REMOVAL_MEMORY: Duration = Duration::from_mins(5);

/// What the cache has to show before the writer may plan again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// The object at this version or a later one.
    Version { uid: String, version: u64 },
    /// Not this incarnation any more.
    Gone { uid: String },
}

#[derive(Debug)]
struct Expectation {
    expected: Expected,
    until: Instant,
}

#[derive(Debug, Default)]
struct Expectations {
    objects: BTreeMap<ObjectKey, Expectation>,
    written_by: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    removed: BTreeMap<ObjectKey, Instant>,
    removals: VecDeque<(Instant, ObjectKey)>,
}

/// Whether a root may be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateState {
    /// The cache shows everything this root wrote.
    Open,
    /// The cache does not show this object's last write yet.
    Waiting(ObjectKey),
    /// It has not for so long that the server must be asked; [`Gate::was_asked`] takes the answer.
    Late(ObjectKey),
}

/// What a watch of the object's kind would show now, as the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// No object of that name: it is gone, or the watch does not select it.
    Nothing,
    /// This incarnation at this version.
    Object {
        /// `metadata.uid`
        uid: String,
        /// `metadata.resourceVersion`
        version: String,
    },
}

/// Expectations of all roots.
#[derive(Debug, Default)]
pub struct Gate {
    expectations: Mutex<Expectations>,
}

impl Gate {
    /// Remembers that `root` wrote `key` and that the server answered with this version. A version that is not a
    /// decimal number cannot be compared and is not waited for.
    pub fn wrote(&self, root: &ObjectKey, key: &ObjectKey, uid: &str, resource_version: &str) {
        if let Ok(version) = resource_version.parse() {
            self.expect(root, key, Expected::Version { uid: uid.to_owned(), version });
        }
    }

    /// Remembers that `root` deleted this incarnation of `key`.
    pub fn deleted(&self, root: &ObjectKey, key: &ObjectKey, uid: &str) {
        self.expect(root, key, Expected::Gone { uid: uid.to_owned() });
    }

    /// A watch or a list said that this copy is gone: nothing newer of this incarnation will ever be seen.
    pub fn saw_removal(&self, removed: &Stored) {
        let mut expectations = self.lock();
        expectations.remember_removal(&removed.key);
        let is_over = expectations.objects.get(&removed.key).is_some_and(|expectation| match &expectation.expected {
            Expected::Version { uid, .. } | Expected::Gone { uid } => *uid == removed.uid || uid.is_empty(),
        });
        if is_over {
            expectations.objects.remove(&removed.key);
        }
    }

    /// Whether the object went away lately. Perhaps its owner was deleted, which the watch of another kind has yet to
    /// say: before it is made again, the server must be asked for the owner.
    pub fn was_removed(&self, key: &ObjectKey) -> bool {
        let expectations = self.lock();
        expectations.removed.get(key).is_some_and(|time| time.elapsed() < REMOVAL_MEMORY)
    }

    /// Whether the cache shows everything `root` wrote. Expectations that are met are dropped.
    pub fn check(&self, root: &ObjectKey, world: &dyn World) -> GateState {
        let mut guard = self.lock();
        let Expectations { objects, written_by, .. } = &mut *guard;
        let Some(keys) = written_by.get_mut(root) else { return GateState::Open };
        keys.retain(|key| {
            let Some(expectation) = objects.get(key) else { return false };
            let known = world.get(key);
            // Pods are never made by us: one that is not there was seen to go, perhaps before the server's answer to
            // the request that deleted it.
            let is_gone = key.kind == Kind::Pod && known.is_none();
            let is_seen = is_gone || expectation.expected.is_met(known);
            if is_seen {
                objects.remove(key);
            }
            !is_seen
        });
        let Some(waiting) = keys.first().cloned() else {
            written_by.remove(root);
            return GateState::Open;
        };
        let now = Instant::now();
        let is_late = |key: &&ObjectKey| objects.get(*key).is_some_and(|expectation| now >= expectation.until);
        keys.iter().find(is_late).cloned().map_or(GateState::Waiting(waiting), GateState::Late)
    }

    /// The server said what a watch would show of a late object. If the cache does not show that, it is behind, and the root
    /// waits on; otherwise nothing more will come, and there is nothing to wait for.
    pub fn was_asked(&self, key: &ObjectKey, shown: &Shown, world: &dyn World) {
        let is_behind = shown.is_news_to(world.get(key));
        let (kind, ns, name) = (key.kind.kind(), key.namespace.as_deref().unwrap_or_default(), key.name.as_str());
        warn!(kind, ns, name, step = "gate", is_behind, "own write was not seen by the watch");
        let mut expectations = self.lock();
        if is_behind {
            expectations.wait_on(key);
        } else {
            expectations.objects.remove(key);
        }
    }

    /// The server did not say it. A plan could not be carried out now either.
    pub fn was_not_answered(&self, key: &ObjectKey) {
        self.lock().wait_on(key);
    }

    fn expect(&self, root: &ObjectKey, key: &ObjectKey, expected: Expected) {
        let mut expectations = self.lock();
        let until = Instant::now() + LONGEST_WAIT;
        expectations.objects.insert(key.clone(), Expectation { expected, until });
        expectations.written_by.entry(root.clone()).or_default().insert(key.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Expectations> {
        self.expectations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expectations {
    fn wait_on(&mut self, key: &ObjectKey) {
        if let Some(expectation) = self.objects.get_mut(key) {
            expectation.until = Instant::now() + LONGEST_WAIT;
        }
    }

    fn remember_removal(&mut self, key: &ObjectKey) {
        // Pods are never made by us, roots never either.
        if key.kind == Kind::Pod || key.kind.is_root() && key.kind.is_ours() {
            return;
        }
        let now = Instant::now();
        while let Some((time, _)) = self.removals.front()
            && now.saturating_duration_since(*time) >= REMOVAL_MEMORY
        {
            let Some((time, old)) = self.removals.pop_front() else { break };
            if self.removed.get(&old) == Some(&time) {
                self.removed.remove(&old);
            }
        }
        self.removed.insert(key.clone(), now);
        self.removals.push_back((now, key.clone()));
    }
}

impl Shown {
    /// Whether the watch has this still to say to somebody who knows `known`.
    fn is_news_to(&self, known: Option<Arc<Stored>>) -> bool {
        match (self, known) {
            (Self::Nothing, known) => known.is_some(),
            (Self::Object { .. }, None) => true,
            (Self::Object { uid, version }, Some(known)) => {
                let is_later = match (version.parse::<u64>(), known.resource_version.parse::<u64>()) {
                    (Ok(shown), Ok(known)) => shown > known,
                    _ => *version != known.resource_version,
                };
                known.uid != *uid || is_later
            }
        }
    }
}

impl Expected {
    fn is_met(&self, known: Option<Arc<Stored>>) -> bool {
        match (self, known) {
            (Self::Version { .. }, None) => false,
            (Self::Version { version, .. }, Some(known)) => {
                known.resource_version.parse::<u64>().map_or(true, |seen| seen >= *version)
            }
            (Self::Gone { .. }, None) => true,
            (Self::Gone { uid }, Some(known)) => known.uid != *uid,
        }
    }
}

#[cfg(test)]
mod tests {
    use plan::core::world::MemoryWorld;
    use serde_json::json;

    use super::*;

    fn root() -> ObjectKey {
        ObjectKey::namespaced(Kind::Service, "a", "web")
    }

    fn child() -> ObjectKey {
        ObjectKey::namespaced(Kind::Deployment, "a", "web-1")
    }

    fn copy(uid: &str, version: &str) -> Stored {
        let metadata = json!({"name": "web-1", "namespace": "a", "uid": uid, "resourceVersion": version});
        Stored::accept(Kind::Deployment, json!({"metadata": metadata})).unwrap()
    }

    fn world(copies: &[Stored]) -> MemoryWorld {
        let mut world = MemoryWorld::default();
        for copy in copies {
            world.insert(copy.clone());
        }
        world
    }

    #[tokio::test]
    async fn when_the_cache_is_older_than_our_write_then_the_root_waits() {
        // (what the cache shows, whether the gate opens after we wrote version 10 of u)
        let table: [(&[Stored], bool); 6] = [
            (&[], false),
            (&[copy("u", "9")], false),
            (&[copy("u", "10")], true),
            (&[copy("u", "100")], true),
            (&[copy("successor", "11")], true),
            (&[copy("u", "not a number")], true),
        ];
        for (shown, opens) in table {
            let gate = Gate::default();
            gate.wrote(&root(), &child(), "u", "10");
            let expected = if opens { GateState::Open } else { GateState::Waiting(child()) };
            assert_eq!(gate.check(&root(), &world(shown)), expected, "{shown:?}");
        }
    }

    #[tokio::test]
    async fn when_a_pod_is_gone_before_the_answer_to_its_deletion_then_the_root_does_not_wait() {
        let gate = Gate::default();
        let pod = ObjectKey::namespaced(Kind::Pod, "a", "web-1-x");
        gate.wrote(&root(), &pod, "u", "10");
        assert_eq!(gate.check(&root(), &world(&[])), GateState::Open);
    }

    #[tokio::test]
    async fn when_a_version_is_malformed_then_nothing_is_waited_for() {
        let gate = Gate::default();
        gate.wrote(&root(), &child(), "u", "abc");
        assert_eq!(gate.check(&root(), &world(&[])), GateState::Open);
    }

    #[tokio::test]
    async fn when_we_deleted_an_object_then_the_root_waits_until_that_incarnation_is_gone() {
        let gate = Gate::default();
        gate.deleted(&root(), &child(), "u");
        assert_eq!(gate.check(&root(), &world(&[copy("u", "12")])), GateState::Waiting(child()));
        assert_eq!(gate.check(&root(), &world(&[copy("successor", "13")])), GateState::Open);
    }

    #[tokio::test]
    async fn when_the_written_object_is_removed_before_it_was_seen_then_the_root_goes_on() {
        let gate = Gate::default();
        gate.wrote(&root(), &child(), "u", "10");
        gate.saw_removal(&copy("predecessor", "8"));
        assert_eq!(gate.check(&root(), &world(&[])), GateState::Waiting(child()), "another incarnation went");
        gate.saw_removal(&copy("u", "12"));
        assert_eq!(gate.check(&root(), &world(&[])), GateState::Open);
    }

    fn shown(uid: &str, version: &str) -> Shown {
        Shown::Object { uid: uid.to_owned(), version: version.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_write_is_not_seen_for_thirty_seconds_then_the_server_decides_whether_the_root_waits_on() {
        // (what the cache shows, what the server says a watch would show, whether the root goes on)
        let table: [(&[Stored], Shown, bool); 7] = [
            // It lost its label, or came and went.
            (&[], Shown::Nothing, true),
            // The watch is behind: planning now would make it again, or decide from what was before the write.
            (&[], shown("u", "10"), false),
            (&[copy("u", "9")], shown("u", "10"), false),
            (&[copy("u", "9")], shown("u", "12"), false),
            // The deletion is still to be told.
            (&[copy("u", "9")], Shown::Nothing, false),
            (&[copy("u", "9")], shown("successor", "12"), false),
            // A version that was said to be written is not there: a restored backup.
            (&[copy("u", "9")], shown("u", "9"), true),
        ];
        for (known, says, goes_on) in table {
            let gate = Gate::default();
            gate.wrote(&root(), &child(), "u", "10");
            for _ in 0..3 {
                tokio::time::advance(Duration::from_secs(29)).await;
                assert_eq!(gate.check(&root(), &world(known)), GateState::Waiting(child()));
                tokio::time::advance(Duration::from_secs(1)).await;
                assert_eq!(gate.check(&root(), &world(known)), GateState::Late(child()));
                gate.was_asked(&child(), &says, &world(known));
                if goes_on {
                    break;
                }
            }
            let expected = if goes_on { GateState::Open } else { GateState::Waiting(child()) };
            assert_eq!(gate.check(&root(), &world(known)), expected, "{known:?} {says:?}");
            assert_eq!(gate.lock().objects.is_empty() && gate.lock().written_by.is_empty(), goes_on, "what is kept");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_server_cannot_be_asked_then_the_root_waits_until_it_can() {
        let gate = Gate::default();
        gate.wrote(&root(), &child(), "u", "10");
        for _ in 0..3 {
            tokio::time::advance(LONGEST_WAIT).await;
            assert_eq!(gate.check(&root(), &world(&[])), GateState::Late(child()));
            gate.was_not_answered(&child());
            assert_eq!(gate.check(&root(), &world(&[])), GateState::Waiting(child()));
        }
        assert_eq!(gate.check(&root(), &world(&[copy("u", "10")])), GateState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn when_an_object_went_away_then_that_is_remembered_for_five_minutes_and_not_longer() {
        let gate = Gate::default();
        assert!(!gate.was_removed(&child()));
        gate.saw_removal(&copy("u", "12"));
        tokio::time::advance(REMOVAL_MEMORY.saturating_sub(Duration::from_secs(1))).await;
        assert!(gate.was_removed(&child()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!gate.was_removed(&child()));
        let other = json!({"metadata": {"name": "other", "namespace": "a", "uid": "o", "resourceVersion": "1"}});
        gate.saw_removal(&Stored::accept(Kind::Deployment, other).unwrap());
        let expectations = gate.lock();
        assert_eq!((expectations.removed.len(), expectations.removals.len()), (1, 1), "the first is forgotten");
    }

    #[tokio::test]
    async fn when_one_root_waits_then_others_do_not() {
        let gate = Gate::default();
        gate.wrote(&root(), &child(), "u", "10");
        assert_eq!(gate.check(&ObjectKey::namespaced(Kind::Service, "a", "other"), &world(&[])), GateState::Open);
    }
}
