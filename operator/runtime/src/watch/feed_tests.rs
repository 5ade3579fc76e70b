use http::{Request, Response, StatusCode};
use kube::client::Body;
use plan::World;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tower_test::mock::{Handle, pair};

use super::*;
use crate::act::queue::{Queue, Timing, Unobserved};
use crate::serve::health::Health;
use crate::serve::metrics::watch_restarts;

type Server = Handle<Request<Body>, Response<Body>>;

struct Fixture {
    server: Server,
    intake: Arc<Intake>,
    health: Health,
    metrics: Arc<Metrics>,
    task: JoinHandle<()>,
}

/// A feed of one kind against a server that the test plays.
fn feed(kind: Kind, namespaces: &[&str]) -> Fixture {
    let (service, server) = pair::<Request<Body>, Response<Body>>();
    let metrics = Arc::new(Metrics::default());
    let intake = Arc::new(Intake::new(Queue::new(Timing::default(), Unobserved), Arc::clone(&metrics)));
    let namespaces: Vec<String> = namespaces.iter().map(|name| (*name).to_owned()).collect();
    let health = Health::new(&namespaces, &plan::ClusterFeatures::default());
    let own = health.feeds().iter().find(|feed| feed.kind() == kind).unwrap();
    let feed =
        Feed::new(kube::Client::new(service, "x").into(), Arc::clone(&intake), Arc::clone(&metrics), Arc::clone(own));
    let task = tokio::spawn(feed.run(CancellationToken::new()));
    Fixture { server, intake, health, metrics, task }
}

impl Fixture {
    /// The next request's path and query, answered with these lines or this object.
    async fn answer(&mut self, code: u16, body: String) -> String {
        let (request, reply) = self.server.next_request().await.expect("the feed goes on asking");
        let body = Body::from(body.into_bytes());
        reply.send_response(Response::builder().status(StatusCode::from_u16(code).unwrap()).body(body).unwrap());
        request.uri().to_string()
    }

    fn names(&self, kind: Kind) -> Vec<String> {
        self.intake.store.snapshot().list(kind, None).iter().map(|stored| stored.key.name.clone()).collect()
    }

    fn is_ready(&self, kind: Kind) -> bool {
        self.health.missing().iter().all(|missing| missing.kind != kind.kind())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lines(events: &[Value]) -> String {
    events.iter().flat_map(|event| [event.to_string(), "\n".to_owned()]).collect()
}

fn event(what: &str, name: &str, version: u64) -> Value {
    json!({"type": what, "object": object(name, version)})
}

fn object(name: &str, version: u64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
           "metadata": {"name": name, "namespace": "a", "uid": name, "resourceVersion": version.to_string()}})
}

fn bookmark(version: u64, ends_list: bool) -> Value {
    let annotations = if ends_list { json!({LIST_END: "true"}) } else { json!({}) };
    let metadata = json!({"resourceVersion": version.to_string(), "annotations": annotations});
    json!({"type": "BOOKMARK", "object": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}})
}

fn status(code: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": "", "message": "x"})
}

#[tokio::test(start_paused = true)]
async fn when_lists_can_be_streamed_then_one_request_lists_and_watches_and_the_next_goes_on() {
    let mut fixture = feed(Kind::Deployment, &[]);
    let body = lines(&[
        event("ADDED", "one", 5),
        event("ADDED", "two", 7),
        bookmark(9, true),
        event("MODIFIED", "two", 10),
        event("DELETED", "one", 11),
        event("ADDED", "three", 12),
        bookmark(20, false),
    ]);
    let first = fixture.answer(200, body).await;
    assert!(
        first.starts_with("/apis/apps/v1/deployments?watch=true&allowWatchBookmarks=true&timeoutSeconds="),
        "{first}"
    );
    assert!(first.contains("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"), "{first}");
    assert!(first.ends_with("&labelSelector=app.kubernetes.io/managed-by%3Decs-operator"), "{first}");
    assert!(!first.contains("resourceVersion="), "consistent with now: {first}");

    let second = fixture.answer(200, String::new()).await;
    assert!(second.contains("&resourceVersion=20"), "{second}");
    assert_eq!(fixture.names(Kind::Deployment), ["three", "two"]);
    assert!(fixture.is_ready(Kind::Deployment));
    assert_eq!(watch_restarts(&fixture.metrics, Kind::Deployment), 0);
}

#[tokio::test(start_paused = true)]
async fn when_a_watch_is_too_old_then_it_lists_again_and_what_vanished_meanwhile_is_gone() {
    let mut fixture = feed(Kind::Deployment, &[]);
    let body = lines(&[event("ADDED", "stays", 5), event("ADDED", "vanishes", 6), bookmark(9, true)]);
    fixture.answer(200, body).await;
    fixture.answer(200, lines(&[json!({"type": "ERROR", "object": status(410)})])).await;
    let again =
        fixture.answer(200, lines(&[event("ADDED", "stays", 5), event("ADDED", "new", 30), bookmark(31, true)])).await;
    assert!(again.contains("sendInitialEvents=true"), "{again}");
    fixture.answer(200, String::new()).await;
    assert_eq!(fixture.names(Kind::Deployment), ["new", "stays"]);
    assert_eq!(watch_restarts(&fixture.metrics, Kind::Deployment), 1);
}

#[tokio::test(start_paused = true)]
async fn when_a_list_breaks_off_then_nothing_is_taken_for_gone() {
    let mut fixture = feed(Kind::Deployment, &[]);
    fixture.answer(200, lines(&[event("ADDED", "one", 5), event("ADDED", "two", 6), bookmark(9, true)])).await;
    fixture.answer(200, lines(&[json!({"type": "ERROR", "object": status(410)})])).await;
    fixture.answer(200, lines(&[event("ADDED", "two", 6)])).await;
    let again = fixture.answer(200, lines(&[event("ADDED", "two", 6), bookmark(40, true)])).await;
    assert!(again.contains("sendInitialEvents=true"), "{again}");
    fixture.answer(200, String::new()).await;
    assert_eq!(fixture.names(Kind::Deployment), ["two"]);
}

#[tokio::test(start_paused = true)]
async fn when_lists_cannot_be_streamed_then_pages_are_read_and_all_of_them_count() {
    let mut fixture = feed(Kind::Deployment, &[]);
    fixture.answer(422, status(422).to_string()).await;
    let page = |names: &[&str], next: &str| {
        let items: Vec<Value> = names.iter().map(|name| object(name, 5)).collect();
        json!({"metadata": {"resourceVersion": "50", "continue": next}, "items": items}).to_string()
    };
    let first = fixture.answer(200, page(&["one", "two"], "t=1")).await;
    assert!(first.starts_with("/apis/apps/v1/deployments?limit=500&labelSelector="), "{first}");
    let second = fixture.answer(200, page(&["three"], "")).await;
    assert!(second.contains("&continue=t%3D1"), "{second}");
    let watch = fixture.answer(200, String::new()).await;
    assert!(watch.contains("watch=true") && watch.contains("resourceVersion=50"), "{watch}");
    assert_eq!(fixture.names(Kind::Deployment), ["one", "three", "two"]);
}

#[tokio::test(start_paused = true)]
async fn when_a_definition_is_not_installed_then_the_feed_says_so_and_starts_when_it_is() {
    let mut fixture = feed(Kind::Service, &[]);
    for _ in 0..5 {
        let path = fixture.answer(404, "404 page not found\n".to_owned()).await;
        assert!(path.starts_with("/apis/ecs-operator.dev/v1alpha1/ecsservices?"), "{path}");
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    let missing = fixture.health.missing();
    let own = missing.iter().find(|missing| missing.kind == "ECSService").unwrap();
    assert_eq!(own.reason, Phase::Absent);
    fixture.answer(200, lines(&[bookmark(9, true)])).await;
    fixture.answer(200, String::new()).await;
    assert!(fixture.is_ready(Kind::Service));
}

#[tokio::test(start_paused = true)]
async fn when_one_object_cannot_be_read_then_the_others_still_arrive() {
    let mut fixture = feed(Kind::Deployment, &[]);
    let nameless = json!({"type": "ADDED", "object": {"metadata": {"namespace": "a"}}});
    let odd = json!({"type": "ADDED", "object": "a string"});
    fixture.answer(200, lines(&[nameless, odd, event("ADDED", "one", 5), bookmark(9, true)])).await;
    fixture.answer(200, String::new()).await;
    assert_eq!(fixture.names(Kind::Deployment), ["one"]);
}

/// An object of a kind that is nested 200 levels deep, as text: `serde_json` has no value for it.
fn deep(kind: Kind, name: &str, version: u64) -> String {
    let metadata = json!({"name": name, "namespace": "a", "uid": name, "resourceVersion": version.to_string()});
    let (open, close) = ("[".repeat(200), "]".repeat(200));
    format!(
        r#"{{"apiVersion": "{}", "kind": "{}", "metadata": {metadata}, "spec": {{"events": {open}{close}, "status": "A"}}}}"#,
        kind.api_version(),
        kind.kind(),
    )
}

fn deep_event(what: &str, kind: Kind, name: &str, version: u64) -> String {
    format!(r#"{{"type": "{what}", "object": {}}}{}"#, deep(kind, name, version), '\n')
}

#[tokio::test(start_paused = true)]
async fn when_an_object_of_any_of_our_kinds_is_nested_too_deep_then_it_is_counted_and_the_watch_goes_on() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_ours()) {
        let mut fixture = feed(kind, &[]);
        let listed = deep_event("ADDED", kind, "listed", 4) + &lines(&[event("ADDED", "one", 5), bookmark(9, true)]);
        let watched = deep_event("ADDED", kind, "watched", 10)
            + &deep_event("DELETED", kind, "listed", 11)
            + &lines(&[event("ADDED", "two", 12)])
            + &deep_event("MODIFIED", kind, "watched", 13);
        fixture.answer(200, listed + &watched).await;
        let next = fixture.answer(200, String::new()).await;
        assert!(next.contains("&resourceVersion=13"), "{kind}: {next}");
        assert_eq!(fixture.names(kind), ["one", "two", "watched"], "{kind}");
        assert!(fixture.is_ready(kind), "{kind}");
        assert_eq!(watch_restarts(&fixture.metrics, kind), 0, "{kind}");
        let text = fixture.metrics.text();
        let line = text.lines().find(|line| line.contains(r"ecs_operator_unread_objects_total{")).unwrap_or_default();
        assert!(line.contains(kind.kind()) && !line.ends_with(" 0"), "{kind}: {line}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_a_page_has_an_object_that_is_nested_too_deep_then_the_list_is_complete() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_ours()) {
        let mut fixture = feed(kind, &[]);
        fixture.answer(422, status(422).to_string()).await;
        let items = format!("{}, {}", deep(kind, "deep", 5), object("one", 6));
        let page = format!(r#"{{"metadata": {{"resourceVersion": "50"}}, "items": [{items}]}}"#);
        fixture.answer(200, page).await;
        let watch = fixture.answer(200, String::new()).await;
        assert!(watch.contains("resourceVersion=50"), "{kind}: {watch}");
        assert_eq!(fixture.names(kind), ["deep", "one"], "{kind}");
        assert!(fixture.is_ready(kind), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_a_changed_object_cannot_be_read_at_all_then_it_counts_as_gone_and_the_watch_goes_on() {
    let mut fixture = feed(Kind::Deployment, &[]);
    let unread = r#"{"type": "MODIFIED", "object": {"metadata": {"name": "one", "namespace": "a", "uid": "one",
        "resourceVersion": "10"}, "spec": {"replicas": 1e999}}}"#;
    let body = lines(&[event("ADDED", "one", 5), event("ADDED", "two", 6), bookmark(9, true)]);
    fixture.answer(200, body + &unread.replace('\n', "") + "\n").await;
    let next = fixture.answer(200, String::new()).await;
    assert!(next.contains("&resourceVersion=10"), "{next}");
    assert_eq!(fixture.names(Kind::Deployment), ["two"]);
}

#[tokio::test(start_paused = true)]
async fn when_some_namespaces_are_watched_then_a_list_of_one_leaves_the_others_alone() {
    let mut fixture = feed(Kind::Deployment, &["a", "b"]);
    let elsewhere = json!({"metadata": {"name": "x", "namespace": "b", "uid": "x", "resourceVersion": "3"}});
    fixture.intake.put(Stored::accept(Kind::Deployment, elsewhere).unwrap());
    let path = fixture.answer(200, lines(&[event("ADDED", "one", 5), bookmark(9, true)])).await;
    assert!(path.starts_with("/apis/apps/v1/namespaces/a/deployments?"), "{path}");
    fixture.answer(200, String::new()).await;
    assert_eq!(fixture.names(Kind::Deployment), ["one", "x"]);
}

#[tokio::test(start_paused = true)]
async fn when_the_server_is_away_then_the_feed_waits_longer_each_time_but_stays_alive() {
    let mut fixture = feed(Kind::Deployment, &[]);
    let mut last = tokio::time::Instant::now();
    let mut waits = Vec::new();
    for _ in 0..8 {
        fixture.answer(503, status(503).to_string()).await;
        waits.push(last.elapsed());
        last = tokio::time::Instant::now();
    }
    assert!(waits[1] >= Duration::from_millis(500) && waits[1] < Duration::from_secs(1), "{waits:?}");
    assert!(waits[7] >= Duration::from_secs(5) && waits[7] <= Duration::from_secs(6), "{waits:?}");
    assert!(fixture.health.standing_still().is_empty());
}
