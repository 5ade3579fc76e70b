//! The bodies of Kubernetes Events, within the limits of the server.

use http::Method;
use jiff::Timestamp;
use plan::NoticeKind;
use serde_json::{Value, json};

use super::waiting::{Regarding, Waiting};
use crate::api_server::request::{self, RequestError, micro_time};

/// The server refuses longer notes: 1 KiB.
const LONGEST_NOTE: usize = 1024;
/// The server refuses longer reasons and actions.
const LONGEST_REASON: usize = 128;
/// Who says it.
const CONTROLLER: &str = "ecs-operator.dev/ecs-operator";

/// `name.hex`, cut to a valid object name. Time and counter make it unique in this process; two processes that lead one
/// after the other differ in time.
pub(super) fn name(object: &str, time: Timestamp, number: u64) -> String {
    let short: String = object.chars().take(200).collect();
    let nanoseconds = u64::try_from(time.as_nanosecond()).unwrap_or_default();
    format!("{}.{:x}", short.trim_end_matches(['.', '-']), nanoseconds.wrapping_add(number))
}

fn path(regarding: &Regarding) -> String {
    // Events about objects without a namespace live in `default`.
    let namespace = regarding.key.namespace.as_deref().unwrap_or("default");
    format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events")
}

/// A new Event. What was said again before it could be written is in its series from the start.
pub(super) fn create(
    regarding: &Regarding,
    waiting: &Waiting,
    name: &str,
    instance: &str,
) -> Result<http::Request<Vec<u8>>, RequestError> {
    let (key, notice) = (&regarding.key, &waiting.notice);
    let mut object =
        json!({"apiVersion": key.kind.api_version(), "kind": key.kind.kind(), "name": key.name, "uid": regarding.uid});
    if let (Some(map), Some(namespace)) = (object.as_object_mut(), &key.namespace) {
        map.insert("namespace".to_owned(), json!(namespace));
    }
    let mut body = json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": key.namespace.as_deref().unwrap_or("default")},
        "eventTime": micro_time(waiting.first),
        "type": match notice.kind { NoticeKind::Normal => "Normal", NoticeKind::Warning => "Warning" },
        "reason": cut(&notice.reason, LONGEST_REASON),
        "action": "Reconcile",
        "note": cut(&notice.message, LONGEST_NOTE),
        "reportingController": CONTROLLER,
        "reportingInstance": cut(instance, LONGEST_REASON),
        "regarding": object,
    });
    if let Some(map) = body.as_object_mut().filter(|_| waiting.count > 1) {
        map.insert("series".to_owned(), series(waiting.count, waiting.last));
    }
    request::send(Method::POST, &path(regarding), "application/json", &body)
}

/// The Event happened again: so many times so far, last at this time.
pub(super) fn repeat(
    regarding: &Regarding,
    name: &str,
    count: u32,
    last: Timestamp,
) -> Result<http::Request<Vec<u8>>, RequestError> {
    let body = json!({ "series": series(count, last) });
    request::send(Method::PATCH, &format!("{}/{name}", path(regarding)), "application/merge-patch+json", &body)
}

fn series(count: u32, last: Timestamp) -> Value {
    json!({ "count": count, "lastObservedTime": micro_time(last) })
}

fn cut(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{notice, regarding, time};
    use super::*;

    fn waiting(message: &str, count: u32) -> Waiting {
        Waiting { count, ..Waiting::new(notice(message), time(), tokio::time::Instant::now()) }
    }

    #[test]
    fn when_an_event_is_written_then_it_is_within_the_limits_of_the_server() {
        let long = "é".repeat(2000);
        let request = create(&regarding("web"), &waiting(&long, 1), "web.1", &long).unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(body["note"].as_str().map(str::len), Some(1024));
        assert!(body["reportingInstance"].as_str().unwrap().len() <= 128);
        assert_eq!(body["eventTime"], "2026-01-01T10:00:00.000000Z");
        assert_eq!(body["regarding"]["namespace"], "a");
        assert_eq!(body.get("series"), None);
        assert_eq!(request.uri().path(), "/apis/events.k8s.io/v1/namespaces/a/events");
    }

    #[test]
    fn when_a_notice_came_again_before_it_was_written_then_its_event_says_how_often() {
        let request = create(&regarding("web"), &waiting("x", 3), "web.1", "i").unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(body["series"], json!({"count": 3, "lastObservedTime": "2026-01-01T10:00:00.000000Z"}));
    }

    #[test]
    fn when_a_name_is_long_then_the_name_of_its_event_is_still_valid() {
        let name = name(&format!("{}.tail", "a".repeat(252)), time(), 1);
        assert!(name.len() <= 253 && !name.contains(".."), "{name}");
    }
}
