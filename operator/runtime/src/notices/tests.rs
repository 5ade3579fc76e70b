use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use plan::{Kind, NoticeKind, ObjectKey};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;

pub(super) fn regarding(name: &str) -> Regarding {
    Regarding { key: ObjectKey::namespaced(Kind::Service, "a", name), uid: "u".to_owned() }
}

pub(super) fn notice(message: &str) -> Notice {
    Notice { kind: NoticeKind::Normal, reason: "SERVICE_STEADY_STATE".to_owned(), message: message.to_owned() }
}

pub(super) fn time() -> Timestamp {
    "2026-01-01T10:00:00Z".parse().unwrap()
}

/// A server that keeps Events, and fails or delays answers on request.
#[derive(Default)]
struct Server {
    state: Mutex<State>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Name of the Event, then object, note and count.
    events: BTreeMap<String, (String, String, u64)>,
    /// Objects and notes in the order in which they were written first.
    order: Vec<(String, String)>,
    requests: usize,
    /// Each request is worked on for this long.
    latency: Duration,
    /// The answer to every request instead of doing it.
    fails_with: Option<u16>,
    /// The work is done, and the answer comes after this long.
    answers_late: Option<Duration>,
}

impl Server {
    fn client(self: &Arc<Self>) -> Client {
        let server = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move {
                let under_way = server.under_way.fetch_add(1, Ordering::SeqCst) + 1;
                server.most_under_way.fetch_max(under_way, Ordering::SeqCst);
                let latency = server.state().latency;
                sleep(latency).await;
                let (parts, body) = request.into_parts();
                let body: Value = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap();
                let code = server.answer(&parts.method, parts.uri.path(), &body);
                let late = server.state().answers_late;
                sleep(late.unwrap_or_default()).await;
                server.under_way.fetch_sub(1, Ordering::SeqCst);
                let reason = if code == 409 { "AlreadyExists" } else { "Other" };
                let status = json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason});
                let body = if code < 400 { json!({}) } else { status };
                let response = Response::builder().status(StatusCode::from_u16(code).unwrap());
                Ok::<_, Infallible>(response.body(Body::from(body.to_string().into_bytes())).unwrap())
            }
        });
        Client::new(service, "default")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn answer(&self, method: &Method, path: &str, body: &Value) -> u16 {
        let mut state = self.state();
        state.requests += 1;
        if let Some(code) = state.fails_with {
            return code;
        }
        if *method == Method::POST {
            let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
            let said = (text("/regarding/name"), text("/note"));
            let count = body.pointer("/series/count").and_then(Value::as_u64).unwrap_or(1);
            if state.events.contains_key(&text("/metadata/name")) {
                return 409;
            }
            state.order.push(said.clone());
            state.events.insert(text("/metadata/name"), (said.0, said.1, count));
            return 201;
        }
        let name = path.rsplit('/').next().unwrap();
        match state.events.get_mut(name) {
            Some((_, _, count)) => {
                *count = body.pointer("/series/count").and_then(Value::as_u64).unwrap();
                200
            }
            None => 404,
        }
    }
}

struct Fixture {
    server: Arc<Server>,
    notices: Notices,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn fixture() -> Fixture {
    let (server, metrics, stop) = (Arc::new(Server::default()), Arc::new(Metrics::default()), CancellationToken::new());
    let (notices, task) = channel(server.client(), "us".to_owned(), Arc::clone(&metrics), stop.clone());
    Fixture { server, notices, metrics, stop, task: tokio::spawn(task) }
}

impl Fixture {
    fn publish(&self, object: &str, message: &str) {
        self.notices.publish(regarding(object), notice(message), time());
    }

    /// What became of notices, as the metric says it.
    fn counted(&self, result: &str) -> usize {
        let line = format!("ecs_operator_notices_total{{result=\"{result}\"}} ");
        let text = self.metrics.text();
        text.lines().find_map(|text| text.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
    }

    fn waiting(&self) -> usize {
        let text = self.metrics.text();
        text.lines().find_map(|line| line.strip_prefix("ecs_operator_notices_waiting ")).unwrap().parse().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn when_a_thousand_objects_say_three_things_at_once_then_all_are_written_in_order_and_few_at_a_time() {
    let fixture = fixture();
    fixture.server.state().latency = Duration::from_millis(20);
    for message in ["1", "2", "3"] {
        for object in 0..1000 {
            fixture.publish(&format!("web-{object}"), message);
        }
    }
    sleep(Duration::from_mins(1)).await;
    assert_eq!((fixture.counted("published"), fixture.counted("dropped"), fixture.waiting()), (3000, 0, 0));
    assert_eq!(fixture.server.most_under_way.load(Ordering::SeqCst), WRITERS);
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for (object, message) in fixture.server.state().order.iter().cloned() {
        let before = last.insert(object, message.clone());
        assert!(before.unwrap_or_default() < message);
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_server_is_down_for_minutes_then_nothing_is_lost_and_it_is_not_asked_all_the_time() {
    let fixture = fixture();
    fixture.server.state().fails_with = Some(503);
    for object in 0..10 {
        fixture.publish(&format!("web-{object}"), "1");
        fixture.publish(&format!("web-{object}"), "2");
    }
    sleep(Duration::from_mins(10)).await;
    let requests = fixture.server.state().requests;
    // 1 + 2 + 4 + 8 + 16 seconds, then every 30 and up to a fifth more: 5 + 16 to 19 times for each object.
    assert!((10 * 20..=10 * 26).contains(&requests), "{requests}");
    assert_eq!((fixture.waiting(), fixture.counted("retried")), (20, requests));
    fixture.server.state().fails_with = None;
    sleep(Duration::from_mins(1)).await;
    assert_eq!((fixture.counted("published"), fixture.counted("failed"), fixture.waiting()), (20, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn when_the_server_cannot_take_a_notice_for_an_hour_then_it_is_given_up_and_counted() {
    let fixture = fixture();
    fixture.server.state().fails_with = Some(500);
    fixture.publish("web", "x");
    sleep(LONGEST_WAIT + Duration::from_mins(1)).await;
    assert_eq!((fixture.counted("failed"), fixture.waiting()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn when_an_answer_comes_too_late_then_the_event_is_not_written_twice() {
    let fixture = fixture();
    fixture.server.state().answers_late = Some(DEADLINE + Duration::from_secs(1));
    fixture.publish("web", "x");
    sleep(DEADLINE + Duration::from_millis(500)).await;
    fixture.server.state().answers_late = None;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(fixture.server.state().events.len(), 1);
    assert_eq!(fixture.server.state().requests, 2);
    assert_eq!((fixture.counted("published"), fixture.counted("retried"), fixture.counted("failed")), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn when_the_server_refuses_then_the_notice_is_given_up_at_once_and_others_go_on() {
    let fixture = fixture();
    for code in [403, 404, 422] {
        fixture.server.state().fails_with = Some(code);
        fixture.publish("web", &code.to_string());
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!((fixture.counted("failed"), fixture.server.state().requests), (3, 3));
    fixture.server.state().fails_with = None;
    fixture.publish("web", "x");
    sleep(Duration::from_secs(1)).await;
    assert_eq!((fixture.counted("published"), fixture.waiting()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn when_a_notice_repeats_then_its_event_counts_and_one_that_was_deleted_is_written_anew() {
    let fixture = fixture();
    // Twice before there was time to write it, then once more.
    fixture.publish("web", "x");
    fixture.publish("web", "x");
    sleep(Duration::from_secs(1)).await;
    fixture.publish("web", "x");
    sleep(Duration::from_secs(1)).await;
    let events: Vec<_> = fixture.server.state().events.values().cloned().collect();
    assert_eq!(events, [("web".to_owned(), "x".to_owned(), 3)]);
    assert_eq!((fixture.counted("merged"), fixture.counted("published")), (1, 2));
    fixture.server.state().events.clear();
    fixture.publish("web", "x");
    sleep(Duration::from_secs(1)).await;
    let events: Vec<_> = fixture.server.state().events.values().cloned().collect();
    assert_eq!(events, [("web".to_owned(), "x".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn when_one_object_says_more_than_may_wait_then_the_newest_are_written_and_the_loss_is_counted() {
    let fixture = fixture();
    let said = backlog::MOST_OF_AN_OBJECT + 10;
    for number in 0..said {
        fixture.publish("loud", &format!("{number:03}"));
    }
    fixture.publish("quiet", "x");
    sleep(Duration::from_secs(1)).await;
    let state = fixture.server.state();
    assert!(state.order.contains(&("quiet".to_owned(), "x".to_owned())));
    assert_eq!(fixture.counted("dropped"), 10);
    // The rest has the allowance of its reason.
    assert_eq!(fixture.counted("suppressed"), backlog::MOST_OF_AN_OBJECT - memory::ALLOWANCE);
    assert_eq!(state.order[0], ("loud".to_owned(), "010".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn when_the_process_ends_then_what_waits_is_written_first() {
    let fixture = fixture();
    fixture.server.state().latency = Duration::from_millis(50);
    for object in 0..100 {
        fixture.publish(&format!("web-{object}"), "x");
    }
    fixture.stop.cancel();
    let begun = Instant::now();
    let Fixture { task, server, .. } = fixture;
    task.await.unwrap();
    assert_eq!(server.state().events.len(), 100);
    // 25 rounds of four.
    assert_eq!(begun.elapsed(), Duration::from_millis(25 * 50));
}

#[tokio::test(start_paused = true)]
async fn when_the_process_ends_and_the_server_does_not_answer_then_it_ends_all_the_same() {
    let mut fixture = fixture();
    fixture.server.state().latency = Duration::from_hours(1);
    for object in 0..100 {
        fixture.publish(&format!("web-{object}"), "x");
    }
    sleep(Duration::from_secs(1)).await;
    fixture.stop.cancel();
    let begun = Instant::now();
    (&mut fixture.task).await.unwrap();
    assert_eq!((begun.elapsed(), fixture.counted("dropped")), (FLUSH, 100));
}

#[tokio::test(start_paused = true)]
async fn when_the_process_ends_while_objects_wait_after_a_failure_then_each_has_one_more_try() {
    let mut fixture = fixture();
    fixture.server.state().fails_with = Some(503);
    fixture.publish("web", "1");
    fixture.publish("web", "2");
    sleep(Duration::from_mins(2)).await;
    let before = fixture.server.state().requests;
    fixture.stop.cancel();
    (&mut fixture.task).await.unwrap();
    assert_eq!((fixture.server.state().requests, fixture.counted("failed")), (before + 2, 2));
}
