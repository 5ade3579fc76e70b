//! An API server in memory, as the service under the real client, with faults that a seed decides.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use runtime::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use crate::random::Random;
use crate::state::{Change, Id, Refusal, State};

/// How often something goes wrong, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A request is refused with 409 (writes), 429 or 500 and does nothing.
    pub(crate) refusal: u64,
    /// A write happens and its answer is lost: an error, or silence.
    pub(crate) lost_answer: u64,
    /// A write happens and the operator is killed before it sees the answer.
    pub(crate) crash: u64,
    /// A watch says nothing for one to five minutes, at an event: longer than anything else of the operator waits.
    pub(crate) frozen_watch: u64,
    /// A watch ends, or is too old to go on, at an event.
    pub(crate) broken_watch: u64,
    /// Watch events come up to this much later.
    pub(crate) delay: Duration,
}

/// One write of the operator that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) line: String,
    /// The object, if this write made it.
    pub(crate) made: Option<String>,
}

pub(crate) struct Server {
    pub(crate) state: Mutex<State>,
    pub(crate) clock: Clock,
    /// Told when the operator is to be killed.
    pub(crate) crash: Notify,
    changed: watch::Sender<u64>,
    faults: Mutex<Faults>,
    random: Mutex<Random>,
    writes: Mutex<Vec<Write>>,
    reads: Mutex<u64>,
}

type Answer = Response<axum::body::Body>;

impl Server {
    pub(crate) fn new(seed: u64, faults: Faults, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            clock,
            crash: Notify::new(),
            changed: watch::Sender::new(0),
            faults: Mutex::new(faults),
            random: Mutex::new(Random::new(seed)),
            writes: Mutex::default(),
            reads: Mutex::default(),
        })
    }

    pub(crate) fn client(self: &Arc<Self>) -> Client {
        let server = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm(&self) {
        *self.faults.lock().unwrap() = Faults::default();
    }

    /// Writes of the operator so far, Events and Leases aside.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.writes.lock().unwrap().clone()
    }

    /// Who holds the Lease.
    pub(crate) fn holder(&self) -> String {
        let state = self.state.lock().unwrap();
        let lease = state.objects.iter().find(|(id, _)| id.plural == "leases");
        lease.and_then(|(_, lease)| lease["spec"]["holderIdentity"].as_str().map(ToOwned::to_owned)).unwrap_or_default()
    }

    /// GETs and LISTs of the operator so far.
    pub(crate) fn reads(&self) -> u64 {
        *self.reads.lock().unwrap()
    }

    /// Changes the state as somebody other than the operator.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        let result = change(&mut state, self.clock.now());
        self.changed.send_replace(state.version());
        result
    }

    fn happens(&self, choose: impl Fn(&Faults) -> u64) -> bool {
        let permille = choose(&self.faults.lock().unwrap());
        self.random.lock().unwrap().happens(permille)
    }

    fn up_to(&self, longest: Duration) -> Duration {
        self.random.lock().unwrap().up_to(longest)
    }

    async fn answer(self: &Arc<Self>, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let body: Value = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
        let query: BTreeMap<String, String> = parts.uri.query().map(read_query).unwrap_or_default();
        let path = Path::read(parts.uri.path());
        tokio::time::sleep(self.up_to(Duration::from_millis(20))).await;
        if path.plural == "events" {
            return reply(201, &json!({"kind": "Event", "metadata": {}}));
        }
        if query.contains_key("watch") {
            return self.watch(path, &query);
        }
        if self.happens(|faults| faults.refusal) {
            let is_write = parts.method != Method::GET;
            let (code, reason) = [(500, "InternalError"), (429, "TooManyRequests"), (409, "Conflict")]
                [usize::try_from(self.random.lock().unwrap().number_below(if is_write { 3 } else { 2 })).unwrap()];
            return refuse(Refusal(code, reason));
        }
        if parts.method == Method::GET {
            *self.reads.lock().unwrap() += 1;
            let state = self.state.lock().unwrap();
            if let Some(name) = query.get("fieldSelector").and_then(|by| by.strip_prefix("metadata.name%3D")) {
                let id = Id { name: name.to_owned(), ..path.id() };
                let selects = query.contains_key("labelSelector");
                let found = state.objects.get(&id).filter(|object| !selects || is_ours(object));
                return reply(200, &json!({"metadata": {}, "items": found.map(|object| json!([object]))}));
            }
            return state
                .objects
                .get(&path.id())
                .map_or_else(|| refuse(Refusal(404, "NotFound")), |object| reply(200, object));
        }
        let before = self.state.lock().unwrap().version();
        let result = self.change(|state, now| write(state, &parts.method, &path, &query, body, now));
        let Ok(answer) = result else { return result.map_or_else(refuse, |object| reply(200, &object)) };
        if path.plural != "leases" && self.state.lock().unwrap().version() != before {
            let line = format!("{} {}", parts.method, parts.uri.path());
            let is_new = self.state.lock().unwrap().history.last().is_some_and(|change| change.what == "ADDED");
            let made = is_new.then(|| {
                let text = |name: &str| answer[name].as_str().or(answer["metadata"][name].as_str()).unwrap_or_default();
                format!("{} {}/{}", text("kind"), text("namespace"), text("name"))
            });
            self.writes.lock().unwrap().push(Write { line, made });
        }
        if self.happens(|faults| faults.crash) {
            self.crash.notify_one();
            std::future::pending::<()>().await;
        }
        if self.happens(|faults| faults.lost_answer) {
            if self.happens(|_| 500) {
                return refuse(Refusal(500, "InternalError"));
            }
            std::future::pending::<()>().await;
        }
        reply(200, &answer)
    }

    /// Answers a watch, with or without the list before it.
    fn watch(self: &Arc<Self>, path: Path, query: &BTreeMap<String, String>) -> Answer {
        let selects = query.contains_key("labelSelector");
        let state = self.state.lock().unwrap();
        let mut lines = Vec::new();
        let from = if query.contains_key("sendInitialEvents") {
            let version = state.version();
            let shown = state.objects.iter().filter(|(id, object)| path.covers(id) && (!selects || is_ours(object)));
            lines.extend(shown.map(|(_, object)| event("ADDED", object)));
            let annotations = json!({"k8s.io/initial-events-end": "true"});
            let metadata = json!({"resourceVersion": version.to_string(), "annotations": annotations});
            lines.push(event("BOOKMARK", &json!({"apiVersion": "v1", "kind": "X", "metadata": metadata})));
            version
        } else {
            query["resourceVersion"].parse().unwrap()
        };
        drop(state);
        let server = Arc::clone(self);
        let changed = self.changed.subscribe();
        let stream = futures::stream::unfold(
            (lines.into_iter(), from, changed, false),
            move |(mut first, from, mut changed, is_over)| {
                let (server, path) = (Arc::clone(&server), path.clone());
                async move {
                    if is_over {
                        return None;
                    }
                    if let Some(line) = first.next() {
                        return Some((Ok::<_, Infallible>(line), (first, from, changed, false)));
                    }
                    loop {
                        let next = server.after(from, &path, selects);
                        let Some(next) = next else {
                            changed.changed().await.ok()?;
                            continue;
                        };
                        if server.happens(|faults| faults.frozen_watch) {
                            let more = server.up_to(Duration::from_mins(4));
                            tokio::time::sleep(Duration::from_mins(1) + more).await;
                        }
                        let delay = server.faults.lock().unwrap().delay;
                        tokio::time::sleep(server.up_to(delay)).await;
                        if server.happens(|faults| faults.broken_watch) {
                            if server.happens(|_| 500) {
                                return None;
                            }
                            let status =
                                json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
                            return Some((Ok(event("ERROR", &status)), (first, from, changed, true)));
                        }
                        let what = match (
                            next.what,
                            selects && !is_ours(&next.object),
                            next.before.as_ref().is_some_and(is_ours),
                        ) {
                            ("MODIFIED", true, true) => "DELETED",
                            (what, _, _) => what,
                        };
                        return Some((Ok(event(what, &next.object)), (first, next.version, changed, false)));
                    }
                }
            },
        );
        Response::new(axum::body::Body::from_stream(stream))
    }

    /// The next change after a version that a watch of `path` is told.
    fn after(&self, version: u64, path: &Path, selects: bool) -> Option<Change> {
        let state = self.state.lock().unwrap();
        let from = state.history.partition_point(|change| change.version <= version);
        let concerns = |change: &&Change| {
            path.covers(&change.id)
                && (!selects || is_ours(&change.object) || change.before.as_ref().is_some_and(is_ours))
        };
        state.history[from..].iter().find(concerns).cloned()
    }
}

fn write(
    state: &mut State,
    method: &Method,
    path: &Path,
    query: &BTreeMap<String, String>,
    body: Value,
    now: Timestamp,
) -> Result<Value, Refusal> {
    match method.as_str() {
        "POST" => {
            let name = body["metadata"]["name"].as_str().unwrap().to_owned();
            state.create(&Id { name, ..path.id() }, body, now)
        }
        "PATCH" if query.contains_key("force") => {
            let manager = query["fieldManager"].clone();
            state.apply(&path.id(), &manager, body, path.is_status, now)
        }
        "PATCH" => {
            let id = path.id();
            let live = state.objects.get(&id).ok_or(Refusal(404, "NotFound"))?;
            let version = &body["metadata"]["resourceVersion"];
            if version.is_string() && *version != live["metadata"]["resourceVersion"] {
                return Err(Refusal(409, "Conflict"));
            }
            let uid = &body["metadata"]["uid"];
            if uid.is_string() && *uid != live["metadata"]["uid"] {
                return Err(Refusal(409, "Conflict"));
            }
            let (finalizers, annotations) = (body["metadata"]["finalizers"].clone(), &body["metadata"]["annotations"]);
            state.edit(&id, |live| {
                if finalizers.is_array() {
                    live["metadata"]["finalizers"] = finalizers;
                }
                for (name, value) in annotations.as_object().into_iter().flatten() {
                    live["metadata"]["annotations"][name] = value.clone();
                }
            })
        }
        "PUT" => {
            let id = path.id();
            let live = state.objects.get(&id).ok_or(Refusal(404, "NotFound"))?;
            if body["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"] {
                return Err(Refusal(409, "Conflict"));
            }
            state.edit(&id, |live| live["spec"] = body["spec"].clone())
        }
        "DELETE" => {
            let left = state.delete(&path.id(), &body["preconditions"], now)?;
            Ok(left.unwrap_or_else(|| json!({"kind": "Status", "status": "Success"})))
        }
        _ => Err(Refusal(405, "MethodNotAllowed")),
    }
}

/// A path of the API, taken apart.
#[derive(Clone, Debug)]
struct Path {
    namespace: String,
    plural: String,
    name: String,
    is_status: bool,
}

impl Path {
    fn read(path: &str) -> Self {
        let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
        // `api/v1` or `apis/group/version`
        let skipped = if parts.next() == Some("api") { 1 } else { 2 };
        for _ in 0..skipped {
            parts.next();
        }
        let namespace = if parts.peek() == Some(&"namespaces") {
            parts.next();
            parts.next().unwrap_or_default().to_owned()
        } else {
            String::new()
        };
        let plural = parts.next().unwrap_or_default().to_owned();
        let name = parts.next().unwrap_or_default().to_owned();
        Self { namespace, plural, name, is_status: parts.next() == Some("status") }
    }

    fn id(&self) -> Id {
        Id::new(&self.plural, &self.namespace, &self.name)
    }

    fn covers(&self, id: &Id) -> bool {
        id.plural == self.plural && (self.namespace.is_empty() || id.namespace == self.namespace)
    }
}

fn is_ours(object: &Value) -> bool {
    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "ecs-operator"
}

fn read_query(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn event(what: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": what, "object": object}))
}

fn reply(code: u16, body: &Value) -> Answer {
    let builder = Response::builder().status(StatusCode::from_u16(code).unwrap());
    builder.body(axum::body::Body::from(body.to_string())).unwrap()
}

fn refuse(refusal: Refusal) -> Answer {
    let Refusal(code, reason) = refusal;
    let status = json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason});
    reply(code, &status)
}
