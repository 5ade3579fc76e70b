//! Which root is looked at next, and when.
//!
//! Each key is in the queue at most once and runs at most once at a time. A request that arrives while its key runs is
//! remembered. Three things delay a run: a short trailing debounce (a rollout touches many children at once), a spacing
//! between two runs of one key that grows under churn (a thousand pods that start within a minute cost a few dozen
//! runs, not a thousand), and a backoff after failures, which real news may overtake but cannot inflate. Of the keys that
//! are due, namespaces take turns ([`super::ready`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plan::{Kind, ObjectKey};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::ready::Ready;
use crate::backoff::Backoff;

/// Delays of a queue.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A request is acted on after this much silence.
    pub debounce: Duration,
    /// … but not later than this after the first of a series of requests.
    pub longest_debounce: Duration,
    /// Least time between the end of one run and the start of the next.
    pub spacing: Duration,
    /// What the spacing grows to while runs follow each other closely. A service of a thousand tasks takes 50 s to
    /// start at Kubernetes' own pace of 20 requests a second: 34 runs.
    pub longest_spacing: Duration,
    /// … and for a cluster, whose status only counts what its services and nodes do: 13 runs in these 50 s.
    pub longest_cluster_spacing: Duration,
    /// After this much rest a key is as good as new.
    pub rest: Duration,
    /// A key whose own writes are not visible yet is tried again after this.
    pub gate: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            debounce: Duration::from_millis(50),
            longest_debounce: Duration::from_millis(200),
            spacing: Duration::from_millis(200),
            longest_spacing: Duration::from_millis(1_500),
            longest_cluster_spacing: Duration::from_secs(4),
            rest: Duration::from_secs(5),
            gate: Duration::from_millis(75),
        }
    }
}

/// One run that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What to look at.
    pub key: ObjectKey,
    /// How many runs of this key failed in a row so far.
    pub failures: u32,
    /// How long it was waited for since it was due.
    pub waited: Duration,
    started: Instant,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// All is well; look again at this time, if any.
    Done {
        /// When something changes by itself.
        wake: Option<Instant>,
    },
    /// Nothing was looked at: the cache is older than our own last write.
    Gated,
    /// Try again, with this backoff.
    Failed {
        /// Delay after the first failure and longest delay.
        backoff: Backoff,
    },
}

/// What a queue tells about itself as it goes.
pub trait Observer: Send + Sync {
    /// A key was added.
    fn added(&self, _kind: Kind) {}
    /// A run starts.
    fn started(&self, _kind: Kind, _waited: Duration) {}
    /// A run failed and will be tried again.
    fn retried(&self, _kind: Kind) {}
    /// How many keys of the kind wait for a run that is asked for.
    fn depth(&self, _kind: Kind, _depth: usize) {}
}

/// An observer that does not look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

#[derive(Debug, Default)]
struct Entry {
    /// First request of the series and when its debounce ends.
    requested: Option<(Instant, Instant)>,
    wake: Option<Instant>,
    is_running: bool,
    failures: u32,
    /// A failure before this time is not counted: only news brought the run forward.
    retry_at: Option<Instant>,
    ended: Option<Instant>,
    /// How often the spacing was doubled.
    churn: u32,
    /// Its place in [`State::later`] or [`State::ready`].
    due: Option<Instant>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<ObjectKey, Entry>,
    later: BTreeSet<(Instant, ObjectKey)>,
    ready: Ready,
    resting: VecDeque<(Instant, ObjectKey)>,
    requested: BTreeMap<Kind, usize>,
    is_closed: bool,
}

/// The queue. One task takes from it, any number put in.
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
    timing: Timing,
    observer: Box<dyn Observer>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Queue").field("keys", &self.lock().entries.len()).finish_non_exhaustive()
    }
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(timing: Timing, observer: impl Observer + 'static) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), timing, observer: Box::new(observer) }
    }

    /// The same with so many runs of one namespace at a time.
    #[must_use]
    pub fn with_share(self, share: usize) -> Self {
        self.lock().ready = Ready::with_share(share);
        self
    }

    /// Asks for a run of `key`.
    pub fn request(&self, key: &ObjectKey) {
        let now = Instant::now();
        let timing = self.timing;
        let mut state = self.lock();
        let kind = key.kind;
        let entry = state.entries.entry(key.clone()).or_default();
        let is_new = entry.requested.is_none();
        let first = entry.requested.map_or(now, |(first, _)| first);
        entry.requested = Some((first, (now + timing.debounce).min(first + timing.longest_debounce)));
        state.place(key, &timing);
        if is_new {
            let depth = state.requested.entry(kind).or_default();
            *depth += 1;
            self.observer.added(kind);
            self.observer.depth(kind, *depth);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The next run, as soon as it is due; `None` once the queue is closed.
    pub async fn next(&self) -> Option<Job> {
        loop {
            let wait = {
                let mut state = self.lock();
                if state.is_closed {
                    return None;
                }
                let now = Instant::now();
                state.forget_rested(now, &self.timing);
                state.make_ready(now);
                if let Some(job) = self.start(&mut state, now) {
                    return Some(job);
                }
                state.later.first().map(|(due, _)| *due)
            };
            match wait {
                Some(due) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(due) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// Says how a run ended.
    pub fn finish(&self, job: &Job, finish: Finish) {
        let now = Instant::now();
        let timing = self.timing;
        let mut state = self.lock();
        let State { entries, ready, .. } = &mut *state;
        let Some(entry) = entries.get_mut(&job.key) else { return };
        entry.is_running = false;
        ready.finish(&job.key);
        match finish {
            // Nothing ran: neither the spacing nor the count of failures moves.
            Finish::Gated => {
                entry.wake = Some(entry.wake.map_or(now + timing.gate, |wake| wake.min(now + timing.gate)));
            }
            Finish::Done { wake } => {
                entry.ended = Some(now);
                entry.failures = 0;
                entry.retry_at = None;
                entry.wake = wake;
            }
            Finish::Failed { backoff } => {
                entry.ended = Some(now);
                if entry.retry_at.is_none_or(|at| job.started >= at) {
                    entry.failures = entry.failures.saturating_add(1);
                    entry.retry_at = Some(now + backoff.spread(entry.failures, &job.key));
                }
                entry.wake = entry.retry_at;
                self.observer.retried(job.key.kind);
            }
        }
        state.resting.push_back((now, job.key.clone()));
        state.place(&job.key, &timing);
        drop(state);
        self.changed.notify_one();
    }

    /// Ends [`Self::next`]; runs that are under way may still finish.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    fn start(&self, state: &mut State, now: Instant) -> Option<Job> {
        let key = state.ready.start()?;
        let entry = state.entries.get_mut(&key)?;
        entry.due = None;
        entry.is_running = true;
        let timing = &self.timing;
        if let Some(ended) = entry.ended {
            let rested = now.saturating_duration_since(ended);
            if rested >= timing.rest {
                entry.churn = 0;
            } else if rested < 2 * entry.spacing(key.kind, timing) {
                // 200 ms, 400 ms, 800 ms and so on, up to the longest.
                entry.churn = (entry.churn + 1).min(16);
            }
        }
        let asked = entry.requested.take().map(|(first, _)| first);
        let due = asked.or(entry.wake.take()).unwrap_or(now);
        entry.wake = None;
        let job = Job { key, failures: entry.failures, waited: now.saturating_duration_since(due), started: now };
        if asked.is_some() {
            let depth = state.requested.entry(job.key.kind).or_default();
            *depth = depth.saturating_sub(1);
            self.observer.depth(job.key.kind, *depth);
        }
        self.observer.started(job.key.kind, job.waited);
        Some(job)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn spacing(&self, kind: Kind, timing: &Timing) -> Duration {
        let longest = if kind == Kind::Cluster { timing.longest_cluster_spacing } else { timing.longest_spacing };
        timing.spacing.saturating_mul(1 << self.churn.min(16)).min(longest)
    }

    fn due(&self, kind: Kind, timing: &Timing) -> Option<Instant> {
        if self.is_running {
            return None;
        }
        let asked = self.requested.map(|(_, due)| due);
        let due = match (asked, self.wake) {
            (Some(asked), Some(wake)) => asked.min(wake),
            (one, other) => one.or(other)?,
        };
        Some(self.ended.map_or(due, |ended| due.max(ended + self.spacing(kind, timing))))
    }
}

impl State {
    /// Puts a key where its entry says it belongs.
    fn place(&mut self, key: &ObjectKey, timing: &Timing) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let due = entry.due(key.kind, timing);
        if entry.due == due {
            return;
        }
        if let Some(old) = entry.due
            && !self.ready.remove(old, key)
        {
            self.later.remove(&(old, key.clone()));
        }
        entry.due = due;
        if let Some(new) = due {
            self.later.insert((new, key.clone()));
        }
    }

    /// What is due by now waits for its turn.
    fn make_ready(&mut self, now: Instant) {
        while let Some((due, _)) = self.later.first()
            && *due <= now
        {
            let Some((due, key)) = self.later.pop_first() else { return };
            self.ready.add(due, key);
        }
    }

    /// Entries that wait for nothing only keep the spacing alive; after a rest they are dropped.
    fn forget_rested(&mut self, now: Instant, timing: &Timing) {
        while let Some((ended, _)) = self.resting.front()
            && now.saturating_duration_since(*ended) >= timing.rest
        {
            let Some((ended, key)) = self.resting.pop_front() else { return };
            let is_idle = self.entries.get(&key).is_some_and(|entry| {
                !entry.is_running && entry.due.is_none() && entry.ended.is_none_or(|last| last <= ended)
            });
            if is_idle {
                self.entries.remove(&key);
            }
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
