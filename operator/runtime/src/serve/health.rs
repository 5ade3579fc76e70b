//! Whether the process is alive, and whether it is ready, which are two questions.
//!
//! Alive: every feed has moved within its time, or knows when it will try again. An API server that is away does not
//! make the process unhealthy, a feed that hangs does. Ready: every kind was listed once, and no feed failed all the time
//! for minutes. Followers are ready too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plan::core::integration::Integration;
use plan::{ClusterFeatures, Kind};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

/// Longer than the longest silence a feed itself accepts (three minutes), so that the feed acts first.
const LONGEST_STANDSTILL: Duration = Duration::from_mins(5);

/// A feed that only failed for so long shows in readiness: what is decided may rest on an old state. Shorter outages of
/// the API server do not, so that a restart of it makes no replica unready.
const LONGEST_TROUBLE: Duration = Duration::from_mins(5);

/// What a feed is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Phase {
    /// Reading all objects.
    Listing,
    /// Following changes.
    Watching,
    /// The server does not serve the kind: `CustomResourceDefinition` not installed.
    Absent,
    /// The server does not allow it.
    Refused,
    /// The server cannot be reached or fails.
    Unavailable,
}

#[derive(Debug)]
struct FeedState {
    phase: Phase,
    is_synced: bool,
    /// When it began to fail, and how, if nothing was delivered since.
    failing: Option<(Instant, Phase)>,
    /// A feed without progress by then counts as stalled.
    stalled_after: Instant,
}

/// How one feed is.
#[derive(Debug)]
pub struct FeedHealth {
    kind: Kind,
    namespace: Option<String>,
    state: Mutex<FeedState>,
    synced: watch::Sender<usize>,
}

/// One thing that readiness waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The kind that is not listed yet.
    pub kind: &'static str,
    /// The namespace, where only some are watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its plural and group, as `kubectl get crd` shows it.
    pub resource: String,
    /// Why.
    pub reason: Phase,
}

impl FeedHealth {
    /// The kind of the feed.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The namespace of the feed, if it is for one only.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Something came.
    pub fn progressed(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = phase;
        state.stalled_after = Instant::now() + LONGEST_STANDSTILL;
    }

    /// The feed will try again after `delay`.
    pub fn waits(&self, phase: Phase, delay: Duration) {
        let mut state = self.lock();
        state.phase = phase;
        let since = state.failing.map_or_else(Instant::now, |(since, _)| since);
        state.failing = Some((since, phase));
        state.stalled_after = Instant::now() + delay + LONGEST_STANDSTILL;
    }

    /// A list was completed, or a watch brought an event.
    pub fn delivers(&self) {
        self.lock().failing = None;
    }

    /// All objects were listed.
    pub fn synced(&self) {
        let mut state = self.lock();
        state.phase = Phase::Watching;
        state.stalled_after = Instant::now() + LONGEST_STANDSTILL;
        if !std::mem::replace(&mut state.is_synced, true) {
            self.synced.send_modify(|count| *count += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How all feeds are.
#[derive(Debug)]
pub struct Health {
    feeds: Vec<Arc<FeedHealth>>,
    synced: watch::Receiver<usize>,
}

impl Health {
    /// One feed per kind that is served, and per namespace for kinds that live in one, unless `namespaces` is empty.
    #[must_use]
    pub fn new(namespaces: &[String], facts: &ClusterFeatures) -> Self {
        let (sender, synced) = watch::channel(0);
        let mut feeds = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| Integration::serves(facts, *kind)) {
            let places: Vec<Option<String>> = if kind.is_namespaced() && !namespaces.is_empty() {
                namespaces.iter().cloned().map(Some).collect()
            } else {
                vec![None]
            };
            for namespace in places {
                let state = FeedState {
                    phase: Phase::Listing,
                    is_synced: false,
                    failing: None,
                    stalled_after: Instant::now() + LONGEST_STANDSTILL,
                };
                feeds.push(Arc::new(FeedHealth { kind, namespace, state: Mutex::new(state), synced: sender.clone() }));
            }
        }
        Self { feeds, synced }
    }

    /// The health of each feed.
    #[must_use]
    pub fn feeds(&self) -> &[Arc<FeedHealth>] {
        &self.feeds
    }

    /// Returns once every feed has listed its kind.
    pub async fn all_synced(&self) {
        let mut synced = self.synced.clone();
        // The senders live in `self`, so this only ends when it is true.
        let _ = synced.wait_for(|count| *count >= self.feeds.len()).await;
    }

    /// What readiness waits for; empty when ready.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        let now = Instant::now();
        let missing = |feed: &Arc<FeedHealth>| {
            let state = feed.lock();
            let trouble = state.failing.filter(|(since, _)| now.duration_since(*since) > LONGEST_TROUBLE);
            let is_missing = !state.is_synced || state.phase == Phase::Absent || trouble.is_some();
            is_missing.then(|| Missing {
                kind: feed.kind.kind(),
                namespace: feed.namespace.clone(),
                resource: match feed.kind.group() {
                    "" => feed.kind.plural().to_owned(),
                    group => format!("{}.{group}", feed.kind.plural()),
                },
                reason: trouble.map_or(state.phase, |(_, phase)| phase),
            })
        };
        self.feeds.iter().filter_map(missing).collect()
    }

    /// Feeds that stand still although they should move; empty when alive.
    #[must_use]
    pub fn standing_still(&self) -> Vec<String> {
        let now = Instant::now();
        let stands = self.feeds.iter().filter(|feed| feed.lock().stalled_after < now);
        stands
            .map(|feed| match &feed.namespace {
                Some(namespace) => format!("{} in {namespace}", feed.kind),
                None => feed.kind.to_string(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn when_a_feed_stands_still_then_only_it_is_named_and_waiting_is_not_standing_still() {
        let health = Health::new(&[], &ClusterFeatures::default());
        tokio::time::advance(Duration::from_secs(200)).await;
        for feed in health.feeds() {
            if feed.kind() == Kind::Node {
                feed.waits(Phase::Unavailable, Duration::from_mins(2));
            } else if feed.kind() != Kind::Pod {
                feed.progressed(Phase::Watching);
            }
        }
        tokio::time::advance(Duration::from_secs(101)).await;
        assert_eq!(health.standing_still(), ["Pod"]);
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_feed_fails_for_minutes_then_readiness_names_it_until_it_delivers() {
        let health = Health::new(&[], &ClusterFeatures::default());
        health.feeds().iter().for_each(|feed| feed.synced());
        let pods = health.feeds().iter().find(|feed| feed.kind() == Kind::Pod).unwrap();
        for _ in 0..61 {
            assert!(health.missing().is_empty());
            pods.waits(Phase::Unavailable, Duration::from_secs(5));
            // It opens a watch each time, which is no success yet.
            pods.progressed(Phase::Watching);
            tokio::time::advance(Duration::from_secs(5)).await;
        }
        let missing = health.missing();
        assert_eq!(missing.iter().map(|one| (one.kind, one.reason)).collect::<Vec<_>>(), [("Pod", Phase::Unavailable)]);
        pods.delivers();
        assert!(health.missing().is_empty());
    }

    #[tokio::test]
    async fn when_a_definition_is_not_installed_then_readiness_names_it() {
        let health = Health::new(&[], &ClusterFeatures::default());
        for feed in health.feeds() {
            if feed.kind() == Kind::Cluster {
                feed.waits(Phase::Absent, Duration::from_secs(1));
            } else {
                feed.synced();
            }
        }
        let missing = health.missing();
        assert_eq!(missing.len(), 1);
        assert_eq!(
            serde_json::to_value(&missing[0]).unwrap(),
            serde_json::json!({"kind": "ECSCluster", "resource": "ecsclusters.ecs-operator.dev", "reason": "Absent"})
        );
        assert!(tokio::time::timeout(Duration::from_millis(1), health.all_synced()).await.is_err());
        health.feeds().iter().find(|feed| feed.kind() == Kind::Cluster).unwrap().synced();
        health.all_synced().await;
        assert!(health.missing().is_empty());
    }

    #[tokio::test]
    async fn when_two_namespaces_are_watched_then_there_are_two_feeds_per_namespaced_kind() {
        let health = Health::new(&["a".to_owned(), "b".to_owned()], &ClusterFeatures::default());
        let always = || Kind::ALL.into_iter().filter(|kind| !kind.is_optional());
        let namespaced = always().filter(|kind| kind.is_namespaced()).count();
        assert_eq!(health.feeds().len(), 2 * namespaced + (always().count() - namespaced));
    }
}
