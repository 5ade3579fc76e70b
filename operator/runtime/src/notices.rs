//! Tells people: notices become Kubernetes Events, off the path of a reconcile.
//!
//! The channel is bounded, the same notice again within ten minutes only raises a count, an object has an allowance, and
//! failures are counted and otherwise ignored: losing an Event must never hold up or fail a reconcile.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use kube::Client;
use plan::{Notice, NoticeKind, ObjectKey};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::metrics::Metrics;
use crate::request::{self, RequestError};

/// Waiting notices beyond this are dropped.
const CHANNEL: usize = 1024;
/// The same notice within this time is a repetition.
const SERIES: Duration = Duration::from_mins(10);
/// New Events per object within [`SERIES`]: as many as ECS keeps in `events`, twice.
const ALLOWANCE: usize = 50;
/// Series that are remembered at most.
const REMEMBERED: usize = 4096;
const DEADLINE: Duration = Duration::from_secs(10);
/// The server refuses longer notes: 1 KiB.
const LONGEST_NOTE: usize = 1024;
/// The server refuses longer reasons and actions.
const LONGEST_REASON: usize = 128;
/// Who says it.
const CONTROLLER: &str = "ecs-operator.dev/ecs-operator";

/// The object that a notice is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Regarding {
    /// Which object.
    pub key: ObjectKey,
    /// Which incarnation.
    pub uid: String,
}

#[derive(Debug)]
struct Message {
    regarding: Regarding,
    notice: Notice,
    time: Timestamp,
}

/// Where reconciles leave their notices.
#[derive(Clone, Debug)]
pub struct Notices {
    sender: mpsc::Sender<Message>,
    metrics: Arc<Metrics>,
}

impl Notices {
    /// Leaves a notice; never waits.
    pub fn publish(&self, regarding: Regarding, notice: Notice, time: Timestamp) {
        if self.sender.try_send(Message { regarding, notice, time }).is_err() {
            self.metrics.notice("dropped");
        }
    }
}

/// What is to be written about a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Write {
    /// A new Event of this name.
    New(String),
    /// The Event of this name happened so many times.
    Repeat(String, u32),
    /// Nothing: the object's allowance is used up.
    Nothing,
}

#[derive(Debug)]
struct Series {
    event: String,
    count: u32,
    last: Instant,
}

type SeriesKey = (Regarding, NoticeKind, String, String);

/// Which notices were published lately. Pure apart from the time it is given.
#[derive(Debug, Default)]
struct Memory {
    series: BTreeMap<SeriesKey, Series>,
    recent: BTreeMap<Regarding, VecDeque<Instant>>,
    made: u64,
}

impl Memory {
    fn decide(&mut self, regarding: &Regarding, notice: &Notice, time: Timestamp, now: Instant) -> Write {
        self.forget(now);
        let key = (regarding.clone(), notice.kind, notice.reason.clone(), notice.message.clone());
        if let Some(series) = self.series.get_mut(&key) {
            series.count += 1;
            series.last = now;
            return Write::Repeat(series.event.clone(), series.count);
        }
        let recent = self.recent.entry(regarding.clone()).or_default();
        if recent.len() >= ALLOWANCE {
            return Write::Nothing;
        }
        recent.push_back(now);
        self.made += 1;
        let event = event_name(&regarding.key.name, time, self.made);
        self.series.insert(key, Series { event: event.clone(), count: 1, last: now });
        Write::New(event)
    }

    fn forget(&mut self, now: Instant) {
        if self.series.len() >= REMEMBERED {
            self.series.clear();
        }
        self.series.retain(|_, series| now.saturating_duration_since(series.last) < SERIES);
        self.recent.retain(|_, times| {
            while times.front().is_some_and(|time| now.saturating_duration_since(*time) >= SERIES) {
                times.pop_front();
            }
            !times.is_empty()
        });
    }
}

/// `name.hex`, cut to a valid object name. Time and counter make it unique in this process; two processes that lead one
/// after the other differ in time.
fn event_name(object: &str, time: Timestamp, number: u64) -> String {
    let short: String = object.chars().take(200).collect();
    let nanoseconds = u64::try_from(time.as_nanosecond()).unwrap_or_default();
    format!("{}.{:x}", short.trim_end_matches(['.', '-']), nanoseconds.wrapping_add(number))
}

/// Makes the channel and the task behind it. `instance` is this process's name, shown as the reporting instance.
pub fn channel(
    client: Client,
    instance: String,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> (Notices, impl Future<Output = ()>) {
    let (sender, mut receiver) = mpsc::channel::<Message>(CHANNEL);
    let notices = Notices { sender, metrics: Arc::clone(&metrics) };
    let task = async move {
        let mut memory = Memory::default();
        loop {
            let message = tokio::select! {
                message = receiver.recv() => message,
                () = stop.cancelled() => receiver.try_recv().ok(),
            };
            let Some(message) = message else { return };
            let Message { regarding, notice, time } = message;
            let result = match memory.decide(&regarding, &notice, time, Instant::now()) {
                Write::Nothing => "suppressed",
                Write::New(name) => send(&client, create(&regarding, &notice, time, &name, &instance)).await,
                Write::Repeat(name, count) => send(&client, repeat(&regarding, &name, count, time)).await,
            };
            metrics.notice(result);
        }
    };
    (notices, task)
}

async fn send(client: &Client, request: Result<http::Request<Vec<u8>>, RequestError>) -> &'static str {
    let Ok(request) = request else { return "unsafe" };
    match timeout(DEADLINE, client.request::<Value>(request)).await {
        Ok(Ok(_)) => "published",
        Ok(Err(error)) => {
            debug!(step = "publish", error = error.to_string(), "event not written");
            "failed"
        }
        Err(_) => "failed",
    }
}

fn path(regarding: &Regarding) -> String {
    // Events about objects without a namespace live in `default`.
    let namespace = regarding.key.namespace.as_deref().unwrap_or("default");
    format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events")
}

fn create(
    regarding: &Regarding,
    notice: &Notice,
    time: Timestamp,
    name: &str,
    instance: &str,
) -> Result<http::Request<Vec<u8>>, RequestError> {
    let key = &regarding.key;
    let mut object =
        json!({"apiVersion": key.kind.api_version(), "kind": key.kind.kind(), "name": key.name, "uid": regarding.uid});
    if let (Some(map), Some(namespace)) = (object.as_object_mut(), &key.namespace) {
        map.insert("namespace".to_owned(), json!(namespace));
    }
    let body = json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": key.namespace.as_deref().unwrap_or("default")},
        "eventTime": micro_time(time),
        "type": match notice.kind { NoticeKind::Normal => "Normal", NoticeKind::Warning => "Warning" },
        "reason": cut(&notice.reason, LONGEST_REASON),
        "action": "Reconcile",
        "note": cut(&notice.message, LONGEST_NOTE),
        "reportingController": CONTROLLER,
        "reportingInstance": cut(instance, LONGEST_REASON),
        "regarding": object,
    });
    request::send(Method::POST, &path(regarding), "application/json", &body)
}

fn repeat(
    regarding: &Regarding,
    name: &str,
    count: u32,
    time: Timestamp,
) -> Result<http::Request<Vec<u8>>, RequestError> {
    let body = json!({"series": {"count": count, "lastObservedTime": micro_time(time)}});
    request::send(Method::PATCH, &format!("{}/{name}", path(regarding)), "application/merge-patch+json", &body)
}

/// Kubernetes writes these times with six digits.
pub(crate) fn micro_time(time: Timestamp) -> String {
    format!("{time:.6}")
}

fn cut(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use plan::Kind;

    use super::*;

    fn regarding(name: &str) -> Regarding {
        Regarding { key: ObjectKey::namespaced(Kind::Service, "a", name), uid: "u".to_owned() }
    }

    fn notice(message: &str) -> Notice {
        Notice { kind: NoticeKind::Normal, reason: "SteadyState".to_owned(), message: message.to_owned() }
    }

    fn time() -> Timestamp {
        "2026-01-01T10:00:00Z".parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_notice_is_repeated_then_one_event_counts_and_after_ten_minutes_it_is_new() {
        let mut memory = Memory::default();
        let Write::New(first) = memory.decide(&regarding("web"), &notice("x"), time(), Instant::now()) else {
            panic!("the first is new")
        };
        assert_eq!(
            memory.decide(&regarding("web"), &notice("x"), time(), Instant::now()),
            Write::Repeat(first.clone(), 2)
        );
        assert!(matches!(memory.decide(&regarding("web"), &notice("y"), time(), Instant::now()), Write::New(_)));
        tokio::time::advance(Duration::from_mins(10)).await;
        let again = memory.decide(&regarding("web"), &notice("x"), time(), Instant::now());
        assert!(matches!(&again, Write::New(name) if *name != first), "{again:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn when_every_notice_is_different_then_an_object_runs_out_of_allowance_and_others_do_not() {
        let mut memory = Memory::default();
        let mut written = 0;
        for number in 0..1000 {
            let write = memory.decide(&regarding("web"), &notice(&number.to_string()), time(), Instant::now());
            written += u32::from(write != Write::Nothing);
        }
        assert_eq!(written, 50);
        assert!(matches!(memory.decide(&regarding("other"), &notice("x"), time(), Instant::now()), Write::New(_)));
        tokio::time::advance(Duration::from_mins(10)).await;
        assert!(matches!(memory.decide(&regarding("web"), &notice("z"), time(), Instant::now()), Write::New(_)));
    }

    #[test]
    fn when_an_event_is_written_then_it_is_within_the_limits_of_the_server() {
        let long = "é".repeat(2000);
        let request = create(&regarding("web"), &notice(&long), time(), "web.1", &long).unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(body["note"].as_str().map(str::len), Some(1024));
        assert!(body["reportingInstance"].as_str().unwrap().len() <= 128);
        assert_eq!(body["eventTime"], "2026-01-01T10:00:00.000000Z");
        assert_eq!(body["regarding"]["namespace"], "a");
        assert_eq!(request.uri().path(), "/apis/events.k8s.io/v1/namespaces/a/events");
    }

    #[test]
    fn when_a_name_is_long_then_the_name_of_its_event_is_still_valid() {
        let name = event_name(&format!("{}.tail", "a".repeat(252)), time(), 1);
        assert!(name.len() <= 253 && !name.contains(".."), "{name}");
    }
}
