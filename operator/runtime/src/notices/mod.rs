//! Tells people: notices become Kubernetes Events, off the path of a reconcile.
//!
//! ```text
//! reconcile ──publish──> backlog ──in turn, four at a time──> memory: new, again or too much ──> API server
//!                           └──────── tried again after a while, for an hour at most ◄──────────────┘
//! ```
//!
//! Publishing never waits and never fails a reconcile. What happens to a service is part of the product, so a notice is
//! lost only when it must be, and each loss is counted in `ecs_operator_notices_total`:
//!
//! - `dropped`: more waited than memory is set aside for, of this object or of all; the oldest goes first. While the
//!   process ends, what could not be written within [`FLUSH`].
//! - `suppressed`: the same reason about the same object more than [`memory::ALLOWANCE`] times in ten minutes.
//! - `failed`: the server refused it (the namespace is gone, no permission), or could not take it for [`LONGEST_WAIT`].
//!
//! A process that is killed loses what it had not written; `status.events[]` of the service has it.

mod backlog;
mod event;
mod memory;
mod waiting;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use kube::Client;
use plan::Notice;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::backlog::{Backlog, Pushed};
use self::memory::Memory;
use self::waiting::{Waiting, Write};
use crate::api_server::execute_error::ExecuteError;
use crate::api_server::request::RequestError;
use crate::backoff::Backoff;
use crate::serve::metrics::Metrics;

pub use self::waiting::Regarding;

/// So many Events are written at a time, of different objects: 1,000 services that start together make 3,000, while
/// their reconciles write sixteen at a time.
const WRITERS: usize = 4;
/// Without an answer for this long a write has failed.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long an object waits after a failure.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
/// A notice that could not be written for this long is given up: the server would not keep its Event longer either.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// When the process ends, this long is left for what waits: less than a pod's grace period leaves after the reconciles.
const FLUSH: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Shared {
    backlog: Mutex<Backlog>,
    news: Notify,
}

impl Shared {
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where reconciles leave their notices.
#[derive(Clone, Debug)]
pub struct Notices {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
}

impl Notices {
    /// Leaves a notice; never waits.
    pub fn publish(&self, regarding: Regarding, notice: Notice, time: Timestamp) {
        match self.shared.backlog().push(regarding, notice, time, Instant::now()) {
            Pushed::Waits => {}
            Pushed::Merged => self.metrics.notice("merged"),
            Pushed::Displaces => self.metrics.notice("dropped"),
        }
        self.shared.news.notify_one();
    }
}

/// Makes the place for notices and the task that writes them. `instance` is this process's name, shown as the reporting
/// instance. After `stop` the task writes what waits, for a few seconds at most, and ends.
pub fn channel(
    client: Client,
    instance: String,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> (Notices, impl Future<Output = ()>) {
    let shared = Arc::new(Shared::default());
    let notices = Notices { shared: Arc::clone(&shared), metrics: Arc::clone(&metrics) };
    let publisher = Publisher { client, instance, metrics, shared, memory: Memory::default() };
    (notices, publisher.run(stop))
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The Event says it.
    Published,
    /// It may succeed later.
    Later,
    /// The Event or its namespace is gone.
    Gone,
    /// It will never succeed.
    Refused,
}

type Written = (Regarding, Waiting, Outcome);

struct Publisher {
    client: Client,
    instance: String,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    memory: Memory,
}

impl Publisher {
    async fn run(mut self, stop: CancellationToken) {
        let shared = Arc::clone(&self.shared);
        let mut writes: FuturesUnordered<BoxFuture<'static, Written>> = FuturesUnordered::new();
        let mut ends: Option<Instant> = None;
        loop {
            while writes.len() < WRITERS {
                let Some((regarding, waiting)) = shared.backlog().take(Instant::now()) else { break };
                writes.extend(self.begin(regarding, waiting));
            }
            let (left, wake) = {
                let backlog = shared.backlog();
                (backlog.len() + writes.len(), backlog.wake())
            };
            self.metrics.notices_waiting(left);
            if ends.is_some() && left == 0 {
                return;
            }
            tokio::select! {
                Some(written) = writes.next() => self.finish(written, ends.is_some()),
                () = shared.news.notified() => {}
                () = at(wake), if writes.len() < WRITERS => {}
                () = stop.cancelled(), if ends.is_none() => {
                    ends = Some(Instant::now() + FLUSH);
                    shared.backlog().hurry();
                }
                () = at(ends) => {
                    (0..left).for_each(|_| self.metrics.notice("dropped"));
                    warn!(step = "publish", dropped = left, "Events were not written in time");
                    return;
                }
            }
        }
    }

    /// The write of a notice, unless there is none to make.
    fn begin(&mut self, regarding: Regarding, mut waiting: Waiting) -> Option<BoxFuture<'static, Written>> {
        let write = match waiting.write.take() {
            Some(write) => Some(write),
            None => self.memory.decide(&regarding, &waiting, Instant::now()),
        };
        let Some(write) = write else {
            self.metrics.notice("suppressed");
            self.shared.backlog().written(regarding);
            return None;
        };
        let request = match &write {
            Write::New(name) => event::create(&regarding, &waiting, name, &self.instance),
            Write::Repeat(name, count) => event::repeat(&regarding, name, *count, waiting.last),
        };
        waiting.write = Some(write);
        let client = self.client.clone();
        Some(async move { (regarding, waiting, send(&client, request).await) }.boxed())
    }

    fn finish(&mut self, (regarding, mut waiting, outcome): Written, is_ending: bool) {
        let now = Instant::now();
        let mut backlog = self.shared.backlog();
        match outcome {
            Outcome::Gone if matches!(waiting.write, Some(Write::Repeat(..))) => {
                // Somebody deleted the Event that was to count: its next time is a first one.
                self.memory.lost(&regarding, &waiting.notice);
                waiting.write = None;
                backlog.failed(regarding, waiting, |_| now);
                self.metrics.notice("retried");
            }
            Outcome::Later if !is_ending && now.saturating_duration_since(waiting.since) < LONGEST_WAIT => {
                let seed = regarding.clone();
                backlog.failed(regarding, waiting, |failures| now + BACKOFF.spread(failures, &seed));
                self.metrics.notice("retried");
            }
            outcome => {
                backlog.written(regarding);
                self.metrics.notice(if outcome == Outcome::Published { "published" } else { "failed" });
            }
        }
    }
}

/// At a time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn send(client: &Client, request: Result<http::Request<Vec<u8>>, RequestError>) -> Outcome {
    let Ok(request) = request else { return Outcome::Refused };
    let error = match timeout(DEADLINE, client.request::<Value>(request)).await {
        Ok(Ok(_)) => return Outcome::Published,
        Ok(Err(error)) => ExecuteError::read(error),
        Err(_) => ExecuteError::Deadline(DEADLINE),
    };
    debug!(step = "publish", error = error.to_string(), "event not written");
    match error {
        // An earlier try was answered too late.
        ExecuteError::AlreadyExists(_) => Outcome::Published,
        ExecuteError::NotFound(_) => Outcome::Gone,
        ExecuteError::Conflict(_)
        | ExecuteError::Deadline(_)
        | ExecuteError::Server { .. }
        | ExecuteError::Transport(_) => Outcome::Later,
        _ => Outcome::Refused,
    }
}

#[cfg(test)]
mod tests;
