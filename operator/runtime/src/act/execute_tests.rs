use http::{Response, StatusCode};
use kube::client::Body;
use plan::Kind;
use tower_test::mock::{Handle, pair};

use super::*;
use crate::api_server::execute_error::Recovery;

type Server = Handle<Request<Body>, Response<Body>>;

fn root() -> ObjectKey {
    ObjectKey::namespaced(Kind::Service, "a", "web")
}

fn child() -> ObjectKey {
    ObjectKey::namespaced(Kind::Deployment, "a", "web-1")
}

fn apply() -> Op {
    Op::Apply {
        key: child(),
        body: json!({"metadata": {"name": "web-1"}}),
        manager: "ecs-operator".to_owned(),
        because: "spec.replicas".to_owned(),
    }
}

fn delete(only_if_absent: Vec<ObjectKey>) -> Op {
    Op::Delete { key: child(), uid: "u".to_owned(), resource_version: "7".to_owned(), only_if_absent }
}

struct Asked {
    line: String,
    content_type: String,
    body: Value,
}

async fn see(server: &mut Server, code: u16, answer: Value) -> Asked {
    let (request, reply) = server.next_request().await.expect("a request");
    let (parts, body) = request.into_parts();
    let bytes = body.collect_bytes().await.unwrap();
    reply.send_response(
        Response::builder()
            .status(StatusCode::from_u16(code).unwrap())
            .body(Body::from(answer.to_string().into_bytes()))
            .unwrap(),
    );
    Asked {
        line: format!("{} {}", parts.method, parts.uri),
        content_type: parts
            .headers
            .get("content-type")
            .map(|text| text.to_str().unwrap().to_owned())
            .unwrap_or_default(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    }
}

fn seen(uid: &str, version: &str) -> Seen {
    Seen { uid: Some(uid.to_owned()), version: Some(version.to_owned()) }
}

fn object(version: &str) -> Value {
    json!({"kind": "Deployment", "metadata": {"uid": "u", "resourceVersion": version}})
}

fn failure(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "the server's words"})
}

struct Fixture {
    executor: Executor,
    gate: Gate,
    leadership: Leadership,
}

fn fixture() -> (Fixture, Server) {
    let (service, server) = pair::<Request<Body>, Response<Body>>();
    let leadership = Leadership::always();
    let client = Client::new(service, "x");
    let executor = Executor::new(client, leadership.clone(), Deadlines::default(), Arc::new(Metrics::default()));
    (Fixture { executor, gate: Gate::default(), leadership }, server)
}

impl Fixture {
    async fn run(&self, ops: &[Op]) -> Result<(), Failed> {
        let root = root();
        self.executor.session(&root, seen("root", "3"), &self.gate).run(ops, |_| seen("u", "7")).await
    }

    fn waits_for(&self) -> Option<ObjectKey> {
        match self.gate.check(&root(), &plan::core::world::MemoryWorld::default()) {
            crate::act::gate::GateState::Open => None,
            crate::act::gate::GateState::Waiting(key) | crate::act::gate::GateState::Late(key) => Some(key),
        }
    }
}

#[tokio::test]
async fn when_a_child_is_applied_then_the_request_forces_strictly_and_its_version_is_remembered() {
    let (fixture, mut server) = fixture();
    let ops = [apply()];
    let (result, seen) = tokio::join!(fixture.run(&ops), see(&mut server, 200, object("8")));
    result.unwrap();
    assert_eq!(
        seen.line,
        "PATCH /apis/apps/v1/namespaces/a/deployments/web-1?fieldManager=ecs-operator&force=true&fieldValidation=Strict"
    );
    assert_eq!(seen.content_type, "application/apply-patch+yaml");
    // Only the child that the plan saw: one that is gone is not made again.
    assert_eq!(seen.body, json!({"metadata": {"name": "web-1", "uid": "u"}}));
    assert_eq!(fixture.waits_for(), Some(child()));
}

#[tokio::test]
async fn when_records_are_created_then_the_server_has_the_root_and_they_are_posted_and_never_overwrite() {
    let (fixture, mut server) = fixture();
    let record = |name: &str| {
        let key = ObjectKey::namespaced(Kind::ServiceDeployment, "a", name);
        Op::Create { key, body: json!({"metadata": {"name": name}}) }
    };
    let ops = [record("web-1"), record("web-2")];
    let (result, lines) = tokio::join!(fixture.run(&ops), async {
        let root = json!({"kind": "ECSService", "metadata": {"uid": "root", "resourceVersion": "3"}});
        let asked = see(&mut server, 200, root).await.line;
        let first = see(&mut server, 201, object("8")).await.line;
        let second = see(&mut server, 409, failure(409, "AlreadyExists")).await.line;
        [asked, first, second]
    });
    let posted = "POST /apis/ecs-operator.dev/v1alpha1/namespaces/a/ecsservicedeployments?fieldManager=ecs-operator&\
                  fieldValidation=Strict";
    let asked = "GET /apis/ecs-operator.dev/v1alpha1/namespaces/a/ecsservices/web";
    assert_eq!(lines, [asked, posted, posted], "once for all that begins with them");
    let failed = result.unwrap_err();
    assert_eq!((failed.error.category(), failed.error.recovery()), ("already-exists", Recovery::Soon));
    assert_eq!(failed.op, "create ECSServiceDeployment a/web-2");
}

#[tokio::test]
async fn when_the_root_of_a_record_is_gone_and_no_watch_said_so_then_nothing_begins() {
    let (fixture, mut server) = fixture();
    let key = ObjectKey::namespaced(Kind::ServiceDeployment, "a", "web-1");
    let ops = [Op::Create { key, body: json!({"metadata": {"name": "web-1"}}) }, apply()];
    let (result, _) = tokio::join!(fixture.run(&ops), see(&mut server, 404, failure(404, "NotFound")));
    assert!(matches!(result.unwrap_err().error, ExecuteError::RootGone(_)));
    drop(fixture);
    assert!(server.next_request().await.is_none());
}

#[tokio::test]
async fn when_a_child_is_made_then_it_is_applied_at_a_version_that_no_object_has_and_never_overwrites() {
    let (fixture, mut server) = fixture();
    let ops = [Op::Create { key: child(), body: json!({"metadata": {"name": "web-1"}}) }];
    let (result, seen) = tokio::join!(fixture.run(&ops), see(&mut server, 409, failure(409, "Conflict")));
    assert_eq!(
        seen.line,
        "PATCH /apis/apps/v1/namespaces/a/deployments/web-1?fieldManager=ecs-operator&force=true&fieldValidation=Strict"
    );
    assert_eq!(seen.content_type, "application/apply-patch+yaml");
    assert_eq!(seen.body, json!({"metadata": {"name": "web-1", "resourceVersion": "1"}}));
    let failed = result.unwrap_err();
    assert_eq!((failed.error.category(), failed.error.recovery()), ("already-exists", Recovery::Soon));
    assert_eq!(failed.op, "create Deployment a/web-1");
}

#[tokio::test]
async fn when_a_status_is_written_then_it_names_the_incarnation_it_belongs_to_and_the_version_it_counts_on_from() {
    let (fixture, mut server) = fixture();
    let root = root();
    let session = fixture.executor.session(&root, seen("incarnation", "7"), &fixture.gate);
    let status = json!({"runningCount": 1});
    let (result, seen) = tokio::join!(session.report(&status), see(&mut server, 200, object("8")));
    result.unwrap();
    assert!(seen.line.starts_with(
        "PATCH /apis/ecs-operator.dev/v1alpha1/namespaces/a/ecsservices/web/status?fieldManager=ecs-operator-status&"
    ));
    assert_eq!(
        seen.body,
        json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSService",
               "metadata": {"name": "web", "namespace": "a", "uid": "incarnation", "resourceVersion": "7"}, "status": {"runningCount": 1}})
    );
}

#[tokio::test]
async fn when_the_reconcile_itself_wrote_the_root_then_its_status_follows_that_write() {
    let (fixture, mut server) = fixture();
    let root = root();
    let session = fixture.executor.session(&root, seen("root", "3"), &fixture.gate);
    let finalizers = vec!["x".to_owned()];
    let ops = [Op::AddFinalizer { key: root.clone(), resource_version: "3".to_owned(), finalizers }];
    let (result, _) = tokio::join!(session.run(&ops, |_| seen("root", "3")), see(&mut server, 200, object("8")));
    result.unwrap();
    let status = json!({});
    let (result, asked) = tokio::join!(session.report(&status), see(&mut server, 409, failure(409, "Conflict")));
    assert_eq!(asked.body["metadata"]["resourceVersion"], "8");
    assert_eq!(result.unwrap_err().error.recovery(), Recovery::Soon, "another leader wrote: look again");
}

#[tokio::test]
async fn when_a_late_object_is_asked_for_then_as_the_watch_of_its_kind_would_show_it() {
    let (fixture, mut server) = fixture();
    let root = root();
    let session = fixture.executor.session(&root, Seen::default(), &fixture.gate);
    let child = child();
    let item = json!({"metadata": {"name": "web-1", "uid": "u", "resourceVersion": "9"}});
    let (shown, asked) =
        tokio::join!(session.shown(&child), see(&mut server, 200, json!({"metadata": {}, "items": [item]})));
    assert_eq!(shown.unwrap(), Shown::Object { uid: "u".to_owned(), version: "9".to_owned() });
    assert_eq!(
        asked.line,
        "GET /apis/apps/v1/namespaces/a/deployments?fieldSelector=metadata.name%3Dweb-1&\
         labelSelector=app.kubernetes.io/managed-by%3Decs-operator"
    );
    let (shown, _) = tokio::join!(session.shown(&child), see(&mut server, 200, json!({"metadata": {}, "items": null})));
    assert_eq!(shown.unwrap(), Shown::Nothing);
}

#[tokio::test]
async fn when_something_is_deleted_then_uid_and_version_are_preconditions() {
    let (fixture, mut server) = fixture();
    let ops = [delete(Vec::new())];
    let (result, seen) = tokio::join!(fixture.run(&ops), see(&mut server, 200, json!({"kind": "Status"})));
    result.unwrap();
    assert_eq!(seen.line, "DELETE /apis/apps/v1/namespaces/a/deployments/web-1");
    assert_eq!(seen.body["preconditions"], json!({"uid": "u", "resourceVersion": "7"}));
    assert_eq!(fixture.waits_for(), None, "the empty world does not show it any more");
}

#[tokio::test]
async fn when_a_delete_leaves_the_object_for_a_while_then_its_new_version_is_waited_for() {
    let (fixture, mut server) = fixture();
    let left = json!({"kind": "Deployment", "metadata":
        {"uid": "u", "resourceVersion": "9", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
    let ops = [delete(Vec::new())];
    let (result, _) = tokio::join!(fixture.run(&ops), see(&mut server, 200, left));
    result.unwrap();
    assert_eq!(fixture.waits_for(), Some(child()));
}

#[tokio::test]
async fn when_the_reason_of_a_delete_is_an_absence_then_the_server_is_asked_first() {
    let other = ObjectKey::namespaced(Kind::Service, "a", "other");
    // The other object exists: no delete.
    let (first, mut server) = fixture();
    let ops = [delete(vec![other.clone()])];
    let (result, seen) = tokio::join!(first.run(&ops), see(&mut server, 200, object("1")));
    assert_eq!(seen.line, "GET /apis/ecs-operator.dev/v1alpha1/namespaces/a/ecsservices/other");
    assert!(matches!(result.unwrap_err().error, ExecuteError::StillThere(key) if key == other));

    // It does not: delete.
    let (second, mut server) = fixture();
    let (result, lines) = tokio::join!(second.run(&ops), async {
        let get = see(&mut server, 404, failure(404, "NotFound")).await;
        let delete = see(&mut server, 200, json!({"kind": "Status"})).await;
        [get.line, delete.line]
    });
    result.unwrap();
    assert!(lines[0].starts_with("GET ") && lines[1].starts_with("DELETE "), "{lines:?}");
}

#[tokio::test]
async fn when_something_is_gone_already_then_deleting_it_and_its_finalizer_is_done() {
    let finalizer =
        Op::RemoveFinalizer { key: root(), resource_version: "7".to_owned(), finalizers: vec!["b".to_owned()] };
    for op in [delete(Vec::new()), finalizer] {
        let (fixture, mut server) = fixture();
        let ops = [op];
        let (result, _) = tokio::join!(fixture.run(&ops), see(&mut server, 404, failure(404, "NotFound")));
        result.unwrap();
    }
}

#[tokio::test]
async fn when_a_finalizer_is_added_then_the_version_is_a_precondition() {
    let (fixture, mut server) = fixture();
    let ops = [Op::AddFinalizer { key: root(), resource_version: "7".to_owned(), finalizers: vec!["b".to_owned()] }];
    let (result, seen) = tokio::join!(fixture.run(&ops), see(&mut server, 200, object("8")));
    result.unwrap();
    assert_eq!(seen.content_type, "application/merge-patch+json");
    assert_eq!(seen.body, json!({"metadata": {"resourceVersion": "7", "finalizers": ["b"]}}));
}

#[tokio::test]
async fn when_one_write_fails_then_those_after_it_do_not_happen() {
    let (fixture, mut server) = fixture();
    let ops = [apply(), apply()];
    let (result, _) = tokio::join!(fixture.run(&ops), see(&mut server, 500, failure(500, "InternalError")));
    let failed = result.unwrap_err();
    assert_eq!(failed.to_string(), "apply Deployment a/web-1 for spec.replicas: 500: the server's words");
    assert!(failed.error.recovery() == Recovery::Later && !failed.is_rest_done);
    drop(fixture);
    assert!(server.next_request().await.is_none());
}

#[tokio::test]
async fn when_a_child_is_refused_then_the_others_are_written_and_the_first_refusal_is_told() {
    let (fixture, mut server) = fixture();
    let ops = [apply(), delete(Vec::new()), apply()];
    let (result, lines) = tokio::join!(fixture.run(&ops), async {
        let first = see(&mut server, 403, failure(403, "Forbidden")).await;
        let second = see(&mut server, 200, json!({"kind": "Status"})).await;
        let third = see(&mut server, 422, failure(422, "Invalid")).await;
        [first.line, second.line, third.line]
    });
    assert!(lines[1].starts_with("DELETE ") && lines[2].starts_with("PATCH "), "{lines:?}");
    let failed = result.unwrap_err();
    assert!(failed.is_rest_done && matches!(failed.error, ExecuteError::Forbidden(_)), "{failed}");
}

#[tokio::test]
async fn when_somebody_else_has_the_name_of_a_child_then_the_others_are_written() {
    let (fixture, mut server) = fixture();
    let key = ObjectKey::namespaced(Kind::KubernetesService, "a", "web");
    let body = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "a"}});
    let ops = [Op::Create { key, body }, delete(Vec::new())];
    let (result, lines) = tokio::join!(fixture.run(&ops), async {
        let first = see(&mut server, 409, failure(409, "Conflict")).await;
        let second = see(&mut server, 200, json!({"kind": "Status"})).await;
        [first.line, second.line]
    });
    assert!(lines[1].starts_with("DELETE "), "{lines:?}");
    let failed = result.unwrap_err();
    assert!(failed.is_rest_done && failed.error.is_name_taken(), "{failed}");
}

#[tokio::test]
async fn when_what_others_follow_from_is_refused_then_nothing_follows() {
    let (fixture, mut server) = fixture();
    let record = ObjectKey::namespaced(Kind::ServiceDeployment, "a", "web-1");
    let ops = [Op::ApplyStatus { key: record, status: json!({}) }, delete(Vec::new())];
    let (result, _) = tokio::join!(fixture.run(&ops), see(&mut server, 403, failure(403, "Forbidden")));
    assert!(!result.unwrap_err().is_rest_done);
    drop(fixture);
    assert!(server.next_request().await.is_none());
}

#[tokio::test]
async fn when_this_process_does_not_lead_then_nothing_is_written() {
    let (fixture, mut server) = fixture();
    fixture.leadership.end();
    let failed = fixture.run(&[apply()]).await.unwrap_err();
    assert!(matches!(failed.error, ExecuteError::NotLeader));
    drop(fixture);
    assert!(server.next_request().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn when_the_server_does_not_answer_then_one_write_takes_ten_seconds_at_most() {
    let (fixture, _server) = fixture();
    let start = Instant::now();
    let failed = fixture.run(&[apply()]).await.unwrap_err();
    assert!(matches!(failed.error, ExecuteError::Deadline(_)));
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn when_every_write_is_slow_then_the_reconcile_ends_after_a_minute() {
    let (fixture, mut server) = fixture();
    let ops: Vec<Op> = (0..20).map(|_| apply()).collect();
    let start = Instant::now();
    let (result, ()) = tokio::join!(fixture.run(&ops), async {
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_secs(9)).await;
            see(&mut server, 200, object("8")).await;
        }
    });
    assert!(matches!(result.unwrap_err().error, ExecuteError::Deadline(_)));
    assert_eq!(start.elapsed(), Duration::from_mins(1));
}

#[tokio::test]
async fn when_a_plan_points_outside_its_namespace_then_nothing_is_sent() {
    let outside = [
        ObjectKey::namespaced(Kind::Deployment, "b", "web-1"),
        ObjectKey::namespaced(Kind::Deployment, "a/../b", "web-1"),
        ObjectKey::namespaced(Kind::Deployment, "a", "../../b/deployments/x"),
        ObjectKey::cluster_scoped(Kind::Deployment, "web-1"),
    ];
    for key in outside {
        let (fixture, mut server) = fixture();
        let op = Op::Apply {
            key: key.clone(),
            body: json!({}),
            manager: "m".to_owned(),
            because: "spec.replicas".to_owned(),
        };
        let failed = fixture.run(&[op]).await.unwrap_err();
        assert!(matches!(failed.error, ExecuteError::Unsafe(_)), "{key}");
        drop(fixture);
        assert!(server.next_request().await.is_none());
    }
}

#[tokio::test]
async fn when_a_child_went_away_lately_then_it_is_made_again_only_if_the_server_has_the_root() {
    let root = |uid: &str, more: Value| {
        let mut metadata = json!({"uid": uid, "resourceVersion": "3"});
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"kind": "ECSService", "metadata": metadata})
    };
    let leaving = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    // (the server's answer about the root, whether the child is made)
    let table = [
        (200, root("root", json!({})), true),
        (200, root("root", leaving), false),
        (200, root("successor", json!({})), false),
        (404, failure(404, "NotFound"), false),
    ];
    for (code, answer, is_made) in table {
        let (fixture, mut server) = fixture();
        let metadata = json!({"name": "web-1", "namespace": "a", "uid": "u", "resourceVersion": "2"});
        let last = plan::Stored::accept(Kind::Deployment, json!({"metadata": metadata})).unwrap();
        fixture.gate.saw_removal(&last);
        let ops = [apply()];
        let (result, ()) = tokio::join!(fixture.run(&ops), async {
            let seen = see(&mut server, code, answer.clone()).await;
            assert_eq!(seen.line, "GET /apis/ecs-operator.dev/v1alpha1/namespaces/a/ecsservices/web");
            if is_made {
                assert!(see(&mut server, 200, object("8")).await.line.starts_with("PATCH "));
            }
        });
        match result {
            Ok(()) => assert!(is_made, "{answer}"),
            Err(failed) => {
                assert!(!is_made && matches!(failed.error, ExecuteError::RootGone(_)), "{answer}: {failed}");
                assert_eq!(failed.error.recovery(), Recovery::Quiet);
            }
        }
    }
}
