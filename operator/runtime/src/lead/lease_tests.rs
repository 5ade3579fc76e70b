use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response, StatusCode};
use kube::client::Body;

use super::*;

fn record(holder: &str) -> Record {
    Record {
        holder: holder.to_owned(),
        lease: Duration::from_secs(15),
        resource_version: "1".to_owned(),
        ..Record::default()
    }
}

#[tokio::test(start_paused = true)]
async fn when_a_record_is_seen_then_the_decision_is() {
    let now = Instant::now() + Duration::from_secs(100);
    let ago = |seconds: u64| now - Duration::from_secs(seconds);
    let ahead = |seconds: u64| Some(now + Duration::from_secs(seconds));
    // (record, until when we hold it, seconds since it was first seen like that, decision)
    let table = [
        (None, None, 0, Decision::Acquire),
        (Some(record("")), None, 0, Decision::Acquire),
        (Some(record("other")), None, 0, Decision::Wait(now + Duration::from_secs(15))),
        (Some(record("other")), None, 14, Decision::Wait(now + Duration::from_secs(1))),
        (Some(record("other")), None, 15, Decision::Acquire),
        (Some(record("me")), None, 0, Decision::Acquire),
        (Some(record("me")), ahead(5), 2, Decision::Renew),
        (Some(record("me")), Some(now), 2, Decision::Lost),
        (Some(record("other")), ahead(5), 2, Decision::Lost),
        (Some(record("")), ahead(5), 2, Decision::Lost),
        (None, ahead(5), 2, Decision::Lost),
    ];
    for (number, (record, held_until, seconds, decision)) in table.into_iter().enumerate() {
        assert_eq!(decide(record.as_ref(), "me", held_until, ago(seconds), now), decision, "row {number}");
    }
}

/// A server with one Lease, compare-and-swap, and switches for faults.
#[derive(Default)]
struct Server {
    lease: Mutex<Option<(u64, Value)>>,
    is_down: AtomicBool,
    writes: AtomicU32,
}

impl Server {
    fn client(self: &Arc<Self>) -> Client {
        let server = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                Ok::<_, std::convert::Infallible>(server.answer(&parts.method, &body))
            }
        });
        Client::new(service, "default")
    }

    fn answer(&self, method: &Method, body: &[u8]) -> Response<Body> {
        let reply = |code: StatusCode, body: &Value| {
            Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap()
        };
        let status = |code: u16, reason: &str| {
            let body =
                json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason});
            reply(StatusCode::from_u16(code).unwrap(), &body)
        };
        if self.is_down.load(Ordering::SeqCst) {
            return status(503, "ServiceUnavailable");
        }
        let mut lease = self.lease.lock().unwrap();
        if *method == Method::GET {
            return lease.as_ref().map_or_else(|| status(404, "NotFound"), |(_, value)| reply(StatusCode::OK, value));
        }
        let mut new: Value = serde_json::from_slice(body).unwrap();
        let version = match &*lease {
            Some(_) if *method == Method::POST => return status(409, "AlreadyExists"),
            Some((version, _)) if new["metadata"]["resourceVersion"] != json!(version.to_string()) => {
                return status(409, "Conflict");
            }
            None if *method == Method::PUT => return status(404, "NotFound"),
            stored => stored.as_ref().map_or(1, |(version, _)| version + 1),
        };
        new["metadata"]["resourceVersion"] = json!(version.to_string());
        self.writes.fetch_add(1, Ordering::SeqCst);
        *lease = Some((version, new.clone()));
        reply(StatusCode::OK, &new)
    }

    fn holder(&self) -> String {
        let lease = self.lease.lock().unwrap();
        lease
            .as_ref()
            .map(|(_, value)| value["spec"]["holderIdentity"].as_str().unwrap().to_owned())
            .unwrap_or_default()
    }
}

struct Candidate {
    leadership: Leadership,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), Lost>>,
}

/// A candidate whose wall clock is wrong by the given number of hours.
fn candidate(server: &Arc<Server>, name: &str, wrong_by_hours: i64) -> Candidate {
    let election = Election {
        namespace: "n".to_owned(),
        name: "l".to_owned(),
        identity: name.to_owned(),
        lease: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry: Duration::from_secs(2),
    };
    let start: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let clock = Clock::simulated(start + jiff::SignedDuration::from_hours(wrong_by_hours));
    let leadership = Leadership::none();
    let stop = CancellationToken::new();
    let elector = Elector::new(server.client(), election, leadership.clone(), clock);
    let task = tokio::spawn(elector.run(stop.clone()));
    Candidate { leadership, stop, task }
}

/// Lets time pass in small steps; fails when two candidates may write at the same time. Returns who leads at the end.
async fn pass<'a>(candidates: &BTreeMap<&'a str, Candidate>, seconds: u64) -> Option<&'a str> {
    for _ in 0..seconds * 10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let leading: Vec<_> = candidates.iter().filter(|(_, candidate)| candidate.leadership.may_write()).collect();
        assert!(leading.len() <= 1, "two leaders");
    }
    candidates.iter().find(|(_, candidate)| candidate.leadership.may_write()).map(|(name, _)| *name)
}

#[tokio::test(start_paused = true)]
async fn when_two_candidates_have_wrong_clocks_then_one_leads_and_the_other_follows_its_end() {
    let server = Arc::new(Server::default());
    let mut candidates = BTreeMap::from([("a", candidate(&server, "a", -5))]);
    assert_eq!(pass(&candidates, 1).await, Some("a"));
    candidates.insert("b", candidate(&server, "b", 7));
    assert_eq!(pass(&candidates, 120).await, Some("a"), "nobody takes a lease that is renewed");

    // The leader dies without a word.
    candidates["a"].task.abort();
    assert_eq!(pass(&candidates, 8).await, Some("a"), "its time still runs");
    assert_eq!(pass(&candidates, 4).await, None);
    assert_eq!(pass(&candidates, 6).await, Some("b"), "15 s after the last renewal, plus at most one retry");
    assert_eq!(server.holder(), "b");
}

#[tokio::test(start_paused = true)]
async fn when_a_leader_is_asked_to_stop_then_it_gives_the_lease_back_and_another_need_not_wait() {
    let server = Arc::new(Server::default());
    let mut candidates = BTreeMap::from([("a", candidate(&server, "a", 0))]);
    pass(&candidates, 1).await;
    candidates.insert("b", candidate(&server, "b", 0));
    pass(&candidates, 5).await;
    candidates["a"].stop.cancel();
    assert_eq!(pass(&candidates, 3).await, Some("b"));
    assert_eq!(candidates.remove("a").unwrap().task.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn when_the_server_is_away_for_longer_than_the_deadline_then_the_leader_ends_before_anybody_can_take_over() {
    let server = Arc::new(Server::default());
    let mut candidates = BTreeMap::from([("a", candidate(&server, "a", 0)), ("b", candidate(&server, "b", 0))]);
    let first = pass(&candidates, 5).await.unwrap();
    server.is_down.store(true, Ordering::SeqCst);
    assert_eq!(pass(&candidates, 11).await, None);
    assert_eq!(candidates.remove(first).unwrap().task.await.unwrap(), Err(Lost::Expired));
    server.is_down.store(false, Ordering::SeqCst);
    assert!(pass(&candidates, 8).await.is_some_and(|second| second != first));
}

#[tokio::test(start_paused = true)]
async fn when_the_server_is_away_for_a_moment_then_the_leader_stays() {
    let server = Arc::new(Server::default());
    let candidates = BTreeMap::from([("a", candidate(&server, "a", 0)), ("b", candidate(&server, "b", 0))]);
    let first = pass(&candidates, 5).await;
    server.is_down.store(true, Ordering::SeqCst);
    pass(&candidates, 6).await;
    server.is_down.store(false, Ordering::SeqCst);
    assert_eq!(pass(&candidates, 60).await, first);
}

#[tokio::test(start_paused = true)]
async fn when_another_process_overwrote_the_lease_then_the_leader_ends_and_names_it() {
    let server = Arc::new(Server::default());
    let mut candidates = BTreeMap::from([("a", candidate(&server, "a", 0))]);
    pass(&candidates, 5).await;
    if let Some((version, value)) = server.lease.lock().unwrap().as_mut() {
        *version += 1;
        value["metadata"]["resourceVersion"] = json!(version.to_string());
        value["spec"]["holderIdentity"] = json!("intruder");
    }
    assert_eq!(pass(&candidates, 5).await, None);
    assert_eq!(candidates.remove("a").unwrap().task.await.unwrap(), Err(Lost::Taken("intruder".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn when_nothing_happens_then_only_the_leader_writes_and_once_per_retry() {
    let server = Arc::new(Server::default());
    let candidates = BTreeMap::from([("a", candidate(&server, "a", 0)), ("b", candidate(&server, "b", 0))]);
    pass(&candidates, 2).await;
    let before = server.writes.load(Ordering::SeqCst);
    pass(&candidates, 60).await;
    let writes = server.writes.load(Ordering::SeqCst) - before;
    assert!((29..=31).contains(&writes), "{writes}");
}

#[test]
fn when_two_processes_run_on_one_host_then_their_identities_differ() {
    assert_ne!(identity("host"), identity("host"));
}
