//! One task per watched kind: lists, watches, and starts again when that breaks, with its own backoff, so that one
//! kind in trouble (a definition that is not installed, a permission that is missing) holds up no other.
//!
//! The first list is consistent with the moment of its request: a process that just started must not see less than its
//! predecessor wrote.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plan::{Kind, ObjectKey, Stored, views};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::api_server::client::Connection;
use crate::api_server::request::{self, RequestError};
use crate::backoff::{Backoff, spread};
use crate::error_chain::chain;
use crate::serve::health::{FeedHealth, Phase};
use crate::serve::metrics::Metrics;
use crate::watch::events::{self, Event, EventError, Events};
use crate::watch::intake::Intake;
use crate::watch::read::{self, DEEPEST, Read};

/// Servers send a bookmark about once a minute; a watch that is silent for three is taken for dead.
const LONGEST_SILENCE: Duration = Duration::from_mins(3);
/// Until the server begins to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// The server ends a watch after this and up to as much again, so that not all are started again together.
const WATCH_SECONDS: u64 = 290;
/// A watch that ended sooner is followed by a pause of this length.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);
/// Objects per page of a list, where the server cannot stream.
const PAGE: &str = "500";
/// At most 6 s with its spread, so that everything is known 10 s after an outage of the API server.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(5) };
/// The annotation of the bookmark that ends a streamed list.
const LIST_END: &str = "k8s.io/initial-events-end";

/// Why a list or watch ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The kind is not served: its definition is not installed.
    #[error("the kind is not served: is its CustomResourceDefinition installed?")]
    Absent,
    /// No permission.
    #[error("not allowed: {0}")]
    Refused(String),
    /// The version to go on from is too old: list again.
    #[error("the watch is too old to go on")]
    Expired,
    /// The server cannot stream lists.
    #[error("lists cannot be streamed: {0}")]
    NoStreamedList(String),
    /// Nothing came for too long.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// The server or the network failed.
    #[error("{0}")]
    Server(String),
    /// The watch broke.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The request could not be written.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl FeedError {
    const fn phase(&self) -> Phase {
        match self {
            Self::Absent => Phase::Absent,
            Self::Refused(_) => Phase::Refused,
            Self::Expired | Self::NoStreamedList(_) => Phase::Listing,
            Self::Silent(_) | Self::Server(_) | Self::Event(_) | Self::Request(_) => Phase::Unavailable,
        }
    }

    fn read(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from_code(status.code, &status.message),
            other => Self::Server(chain(other)),
        }
    }

    fn from_code(code: u16, message: &str) -> Self {
        match code {
            404 => Self::Absent,
            401 | 403 => Self::Refused(message.to_owned()),
            410 => Self::Expired,
            _ => Self::Server(format!("{code}: {message}")),
        }
    }
}

/// One page of a list.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    items: Vec<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    next: String,
}

/// What became of the text of an object.
enum Accepted {
    Object(Box<Stored>),
    /// Known by name only; its version.
    Unread(String),
    Nameless,
}

/// Lists and watches one kind, in one namespace or everywhere.
pub struct Feed {
    connection: Connection,
    kind: Kind,
    namespace: Option<String>,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
    health: Arc<FeedHealth>,
    /// Version from which the watch continues; `None` before a list was complete.
    version: Option<String>,
    can_stream: bool,
    passes: u64,
    failures: u32,
    /// What was said last about a broken watch.
    trouble: Option<Phase>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Feed")
            .field("kind", &self.kind)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// A feed that has not started. Its health says which kind and namespace it is for.
    #[must_use]
    pub fn new(connection: Connection, intake: Arc<Intake>, metrics: Arc<Metrics>, health: Arc<FeedHealth>) -> Self {
        Self {
            connection,
            kind: health.kind(),
            namespace: health.namespace().map(ToOwned::to_owned),
            intake,
            metrics,
            health,
            version: None,
            can_stream: true,
            passes: 0,
            failures: 0,
            trouble: None,
        }
    }

    /// Lists and watches until stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let token = stop.clone();
        tokio::select! {
            () = token.cancelled() => {}
            () = self.run_forever() => {}
        }
    }

    async fn run_forever(&mut self) {
        loop {
            self.passes += 1;
            let (was_listing, started) = (self.version.is_none() && !self.can_stream, Instant::now());
            let Err(error) = self.pass().await else {
                // A server that ends every watch at once must not be asked a thousand times a second.
                if !was_listing && started.elapsed() < SHORTEST_WATCH {
                    tokio::time::sleep(SHORTEST_WATCH).await;
                } else {
                    self.health.delivers();
                }
                continue;
            };
            self.metrics.watch_restarted(self.kind);
            match &error {
                FeedError::Expired => self.version = None,
                FeedError::NoStreamedList(_) => {
                    self.can_stream = false;
                    debug!(kind = self.kind.kind(), step = "feed", "the server does not stream lists, listing pages");
                    continue;
                }
                _ => {}
            }
            self.failures = self.failures.saturating_add(1);
            let delay =
                BACKOFF.spread(self.failures, (self.kind, &self.namespace)).max(self.connection.throttle.left());
            self.say(&error, delay);
            self.health.waits(error.phase(), delay);
            tokio::time::sleep(delay).await;
        }
    }

    /// Goes on from where the last pass ended, until the server ends it or it breaks.
    async fn pass(&mut self) -> Result<(), FeedError> {
        if self.version.is_none() {
            self.health.progressed(Phase::Listing);
        }
        match self.version.clone() {
            None if self.can_stream => {
                let events =
                    self.open(&[("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")]).await;
                let events = events.map_err(|error| match error {
                    // 422 Invalid from servers whose gate is off.
                    FeedError::Server(message) if message.starts_with("422") || message.starts_with("400") => {
                        FeedError::NoStreamedList(message)
                    }
                    other => other,
                })?;
                self.follow(events, Some(BTreeSet::new())).await
            }
            None => self.list().await,
            Some(version) => {
                let events = self.open(&[("resourceVersion", &version)]).await?;
                self.follow(events, None).await
            }
        }
    }

    /// Lists page by page.
    async fn list(&mut self) -> Result<(), FeedError> {
        let mut seen = BTreeSet::new();
        let mut next = String::new();
        loop {
            let mut pairs = vec![("limit", PAGE)];
            if !next.is_empty() {
                pairs.push(("continue", &next));
            }
            let request = request::get(&self.path(&pairs)?)?;
            let page = within(ANSWER_DEADLINE, self.connection.client.request::<Page>(request)).await?;
            for object in page.items {
                self.take(&object, Some(&mut seen));
            }
            self.health.progressed(Phase::Listing);
            if page.metadata.next.is_empty() {
                self.complete(&seen, page.metadata.resource_version);
                return Ok(());
            }
            next = page.metadata.next;
        }
    }

    /// Begins a watch.
    async fn open(&self, pairs: &[(&str, &str)]) -> Result<Events, FeedError> {
        let extra = spread(Duration::from_secs(WATCH_SECONDS), (self.kind, &self.namespace, self.passes)).as_secs();
        let seconds = (WATCH_SECONDS + extra).to_string();
        let mut all = vec![("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", seconds.as_str())];
        all.extend_from_slice(pairs);
        let request = request::get(&self.path(&all)?)?;
        within(ANSWER_DEADLINE, events::open(&self.connection.client, request)).await
    }

    /// Takes in events until the server ends the watch. `listing` collects keys until the bookmark that ends the list.
    async fn follow(&mut self, mut events: Events, mut listing: Option<BTreeSet<ObjectKey>>) -> Result<(), FeedError> {
        self.health.progressed(if listing.is_some() { Phase::Listing } else { Phase::Watching });
        loop {
            let Some(event) =
                timeout(LONGEST_SILENCE, events.next()).await.map_err(|_| FeedError::Silent(LONGEST_SILENCE))??
            else {
                return match listing {
                    Some(_) => Err(FeedError::Server("the list ended early".to_owned())),
                    None => Ok(()),
                };
            };
            match event {
                Event::Changed(object) => {
                    let version = self.take(&object, listing.as_mut());
                    if listing.is_none() {
                        self.version = version.or(self.version.take());
                    }
                }
                Event::Deleted(object) => {
                    let version = match self.accept(&object) {
                        Accepted::Object(last) => {
                            self.intake.remove(&last);
                            Some(last.resource_version)
                        }
                        Accepted::Unread(version) => Some(version),
                        Accepted::Nameless => None,
                    };
                    if listing.is_none() {
                        self.version = version.or(self.version.take());
                    }
                }
                Event::Bookmark(bookmark) => {
                    if let Some(seen) = &listing {
                        if !bookmark.metadata.annotations.contains_key(LIST_END) {
                            continue;
                        }
                        self.complete(seen, bookmark.metadata.resource_version);
                        listing = None;
                    } else {
                        self.version = Some(bookmark.metadata.resource_version);
                    }
                }
                Event::Failed(failure) => return Err(FeedError::from_code(failure.code, &failure.message)),
            }
            if listing.is_none() {
                self.recover();
            }
            self.health.progressed(if listing.is_some() { Phase::Listing } else { Phase::Watching });
        }
    }

    /// A list is complete: what was not in it is gone, and the watch continues from its version.
    fn complete(&mut self, seen: &BTreeSet<ObjectKey>, version: String) {
        self.intake.sweep(self.kind, self.namespace.as_deref(), seen);
        self.version = Some(version);
        self.recover();
        self.health.synced();
        debug!(
            kind = self.kind.kind(),
            ns = self.namespace.as_deref().unwrap_or_default(),
            step = "feed",
            objects = seen.len(),
            "listed"
        );
    }

    /// Takes an object in; returns its version.
    fn take(&self, object: &RawValue, listing: Option<&mut BTreeSet<ObjectKey>>) -> Option<String> {
        match self.accept(object) {
            Accepted::Object(stored) => {
                let version = stored.resource_version.clone();
                if let Some(seen) = listing {
                    seen.insert(stored.key.clone());
                }
                self.intake.put(*stored);
                Some(version)
            }
            Accepted::Unread(version) => Some(version),
            Accepted::Nameless => None,
        }
    }

    /// Whatever is wrong with an object is counted and said with its name, and ends the watch for no other: one that
    /// plans cannot read is taken in, as is one that is nested too deep, without its depths.
    fn accept(&self, object: &RawValue) -> Accepted {
        let (value, is_cut) = match read::object(object) {
            Read::Whole(value) => (value, false),
            Read::Cut(value) => (value, true),
            Read::Identity(identity, error) => {
                let (ns, name) = (identity.namespace.unwrap_or_default(), identity.name);
                self.unread(&error, &ns, &name, "object cannot be read: plans go without it");
                if name.is_empty() {
                    return Accepted::Nameless;
                }
                // As after a list: what cannot be read is not there.
                let namespace = self.kind.is_namespaced().then_some(ns);
                self.intake.forget(&ObjectKey { kind: self.kind, namespace, name });
                return Accepted::Unread(identity.resource_version);
            }
        };
        match Stored::accept_shortened(self.kind, value) {
            Ok(stored) => {
                let (ns, name) = (stored.key.namespace.as_deref().unwrap_or_default(), stored.key.name.as_str());
                if is_cut {
                    let error = format!("nested deeper than {DEEPEST} levels");
                    self.unread(&error, ns, name, "object is taken in without its deepest values");
                }
                if let Err(error) = views::prepare(&stored) {
                    self.unread(&error, ns, name, "object cannot be decoded: plans go without it");
                }
                Accepted::Object(Box::new(stored))
            }
            Err(error) => {
                self.unread(&error, "", "", "object not taken in");
                Accepted::Nameless
            }
        }
    }

    fn unread(&self, error: &impl ToString, ns: &str, name: &str, message: &'static str) {
        self.metrics.unread_object(self.kind);
        warn!(kind = self.kind.kind(), ns, name, step = "feed", error = error.to_string(), "{message}");
    }

    fn path(&self, pairs: &[(&str, &str)]) -> Result<String, RequestError> {
        let selector = request::selector(self.kind);
        let mut all = pairs.to_vec();
        all.extend(selector.iter().map(|selector| ("labelSelector", selector.as_str())));
        Ok(format!("{}?{}", request::collection(self.kind, self.namespace.as_deref())?, request::query(&all)))
    }

    /// One line when a watch breaks, not one per try.
    fn say(&mut self, error: &FeedError, delay: Duration) {
        let is_news = self.trouble.replace(error.phase()) != Some(error.phase());
        let (kind, ns) = (self.kind.kind(), self.namespace.as_deref().unwrap_or_default());
        let retry = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let text = error.to_string();
        match error {
            FeedError::Expired | FeedError::Silent(_) => {
                info!(kind, ns, step = "feed", error = text, retry_ms = retry, "watch starts again");
            }
            _ if is_news => warn!(kind, ns, step = "feed", error = text, retry_ms = retry, "watch broke"),
            _ => debug!(kind, ns, step = "feed", error = text, retry_ms = retry, "watch is still broken"),
        }
    }

    /// … and one when it works again.
    fn recover(&mut self) {
        self.failures = 0;
        self.health.delivers();
        if self.trouble.take().is_some() {
            let (kind, ns) = (self.kind.kind(), self.namespace.as_deref().unwrap_or_default());
            info!(kind, ns, step = "feed", "watch works again");
        }
    }
}

/// Awaits an answer, but not for ever.
async fn within<T>(limit: Duration, answer: impl Future<Output = kube::Result<T>>) -> Result<T, FeedError> {
    match timeout(limit, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(FeedError::read(&error)),
        Err(_) => Err(FeedError::Silent(limit)),
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
