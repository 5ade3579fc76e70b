use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Response, StatusCode};
use kube::client::Body;

use super::*;

/// Clusters of two namespaces and a provider, by path; each list shows one object at a time.
#[derive(Default)]
struct Server {
    objects: Mutex<BTreeMap<String, Value>>,
    requests: Mutex<Vec<String>>,
    /// Answers to the next writes, before any is carried out.
    refusals: Mutex<Vec<(u16, &'static str)>>,
    has_definitions: bool,
}

const CLUSTERS: &str = "/apis/ecs-operator.dev/v1alpha1/ecsclusters";
const PROVIDERS: &str = "/apis/ecs-operator.dev/v1alpha1/ecscapacityproviders";

fn in_namespace(namespace: &str) -> String {
    format!("/apis/ecs-operator.dev/v1alpha1/namespaces/{namespace}/ecsclusters")
}

fn server(refusals: &[(u16, &'static str)]) -> Arc<Server> {
    let object = |namespace: Option<&str>, name: &str, finalizers: &[&str]| {
        let version = format!("{name}-1");
        json!({"metadata": {"name": name, "namespace": namespace, "resourceVersion": version, "finalizers": finalizers}})
    };
    let objects = [
        (format!("{}/main", in_namespace("a")), object(Some("a"), "main", &["other.example/x", FINALIZER])),
        (format!("{}/free", in_namespace("a")), object(Some("a"), "free", &["other.example/x"])),
        (format!("{}/main", in_namespace("b")), object(Some("b"), "main", &[FINALIZER])),
        (format!("{PROVIDERS}/fargate"), object(None, "fargate", &[FINALIZER])),
    ];
    Arc::new(Server {
        objects: Mutex::new(objects.into()),
        refusals: Mutex::new(refusals.to_vec()),
        has_definitions: true,
        ..Server::default()
    })
}

impl Server {
    fn client(self: &Arc<Self>) -> Client {
        let server = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                Ok::<_, std::convert::Infallible>(server.answer(&parts, &body))
            }
        });
        Client::new(service, "default")
    }

    fn answer(&self, parts: &http::request::Parts, body: &[u8]) -> Response<Body> {
        let reply = |code: u16, body: &Value| {
            let builder = Response::builder().status(StatusCode::from_u16(code).unwrap());
            builder.body(Body::from(body.to_string().into_bytes())).unwrap()
        };
        let status = |code: u16, reason: &str| {
            let body =
                json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason});
            reply(code, &body)
        };
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        self.requests.lock().unwrap().push(format!("{} {path}", parts.method));
        if !self.has_definitions {
            return status(404, "NotFound");
        }
        let mut objects = self.objects.lock().unwrap();
        if parts.method == Method::GET {
            assert!(parts.headers["accept"].to_str().unwrap().contains("PartialObjectMetadataList"));
            let in_all = |key: &str| path == CLUSTERS && key.contains("/ecsclusters/");
            let is_in = |key: &&String| key.starts_with(&format!("{path}/")) || in_all(key);
            let all: Vec<Value> = objects.keys().filter(is_in).map(|key| objects[key].clone()).collect();
            let at: usize = query.split("continue=").nth(1).map_or(0, |text| text.parse().unwrap());
            let next = if at + 1 < all.len() { (at + 1).to_string() } else { String::new() };
            // As the real server says of an empty list of metadata.
            let items = all.get(at).map_or(Value::Null, |one| json!([one]));
            return reply(200, &json!({"metadata": {"continue": next}, "items": items}));
        }
        if let Some((code, reason)) = self.refusals.lock().unwrap().pop() {
            return status(code, reason);
        }
        let change: Value = serde_json::from_slice(body).unwrap();
        let object = objects.get_mut(path).unwrap();
        assert_eq!(change["metadata"]["resourceVersion"], object["metadata"]["resourceVersion"]);
        object["metadata"]["finalizers"] = change["metadata"]["finalizers"].clone();
        reply(200, object)
    }

    fn finalizers(&self) -> Vec<Value> {
        self.objects.lock().unwrap().values().map(|object| object["metadata"]["finalizers"].clone()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn when_finalizers_are_released_then_ours_are_gone_and_others_stay_whatever_fails_meanwhile() {
    for refusals in [&[][..], &[(409, "Conflict"), (503, "ServiceUnavailable"), (404, "NotFound"), (409, "Conflict")]] {
        let server = server(refusals);
        assert_eq!(release(&server.client(), &[]).await.unwrap(), 3);
        let expected = [json!([]), json!(["other.example/x"]), json!(["other.example/x"]), json!([])];
        assert_eq!(server.finalizers(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_operator_worked_in_some_namespaces_then_only_these_and_providers_are_released() {
    let server = server(&[]);
    assert_eq!(release(&server.client(), &["b".to_owned()]).await.unwrap(), 2);
    assert_eq!(server.finalizers()[2], json!(["other.example/x", FINALIZER]), "{:?}", server.requests);
    let requests = server.requests.lock().unwrap();
    assert!(requests.iter().all(|line| !line.contains("/namespaces/a/") && !line.ends_with(CLUSTERS)), "{requests:?}");
}

#[tokio::test(start_paused = true)]
async fn when_the_definitions_are_gone_then_there_is_nothing_to_release() {
    let server = Arc::new(Server::default());
    assert_eq!(release(&server.client(), &[]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn when_releasing_is_forbidden_then_it_ends_at_once_and_when_nobody_answers_then_after_three_minutes() {
    let start = tokio::time::Instant::now();
    let forbidden = server(&[(403, "Forbidden")]);
    let error = release(&forbidden.client(), &[]).await.unwrap_err();
    assert!(matches!(error, UninstallError::Refused(ExecuteError::Forbidden(_))), "{error}");
    assert!(start.elapsed() < PAUSE);
    let away = server(&vec![(503, "ServiceUnavailable"); 1_000]);
    let error = release(&away.client(), &[]).await.unwrap_err();
    assert!(error.to_string().contains("ServiceUnavailable"), "{error}");
    assert_eq!(start.elapsed().as_secs(), LIMIT.as_secs());
}

/// A server with nothing but a Lease that somebody holds and renews, or has ceased to.
fn leased(renews: bool) -> Client {
    let version = Mutex::new(1);
    let service = tower::service_fn(move |request: Request<Body>| {
        let is_lease = request.uri().path().contains("/leases");
        let mut version = version.lock().unwrap();
        if renews || request.method() == Method::PUT {
            *version += 1;
        }
        let spec = json!({"holderIdentity": if request.method() == Method::PUT { "me" } else { "operator" },
            "leaseDurationSeconds": 15, "renewTime": version.to_string()});
        let lease = json!({"metadata": {"resourceVersion": version.to_string()}, "spec": spec});
        let body = if is_lease { lease } else { json!({"metadata": {}, "items": []}) };
        async move { Ok::<_, std::convert::Infallible>(Response::new(Body::from(body.to_string().into_bytes()))) }
    });
    Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn when_an_operator_still_leads_then_nothing_is_released_and_when_it_has_ended_then_after_its_lease() {
    let election = Election {
        namespace: "n".to_owned(),
        name: "l".to_owned(),
        identity: "me".to_owned(),
        lease: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry: Duration::from_secs(2),
    };
    for (renews, seconds, is_done) in [(true, 34, false), (false, 16, true)] {
        let start = tokio::time::Instant::now();
        let client = leased(renews);
        let done = alone(&client, election.clone(), release(&client, &[])).await;
        assert_eq!((done.is_ok(), start.elapsed().as_secs()), (is_done, seconds), "{done:?}");
    }
}
