//! Registries that are slow, fail now and then, and change their minds.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ecs::image::ImageReference;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use plan::ImageResolution;
use plan::sandbox::merge;
use runtime::answer::images::{Credential, Lookup, LookupError};
use runtime::clock::Clock;
use runtime::run::work;
use runtime::serve::metrics::Metrics;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::server::{Faults, Server};
use crate::state::Id;
use crate::{GROUP, machinery, options};

/// A registry that takes three seconds, fails the first two times, and then knows one digest for everything.
#[derive(Debug, Default)]
struct Table {
    digest: Mutex<String>,
    asked: AtomicU32,
    is_gone: Mutex<bool>,
}

impl Lookup for Table {
    fn digest<'a>(&'a self, _: &'a ImageReference, _: &'a [Credential]) -> BoxFuture<'a, Result<String, LookupError>> {
        async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let earlier = self.asked.fetch_add(1, Ordering::SeqCst);
            if *self.is_gone.lock().unwrap() {
                tokio::time::sleep(Duration::from_hours(1)).await;
            }
            if earlier < 2 {
                return Err(LookupError::Unreachable("not now".to_owned()));
            }
            Ok(self.digest.lock().unwrap().clone())
        }
        .boxed()
    }

    fn own_credentials(&self, _: &ImageReference) -> Vec<Credential> {
        Vec::new()
    }
}

fn put(server: &Server, plural: &str, kind: &str, spec: &Value) {
    let id = Id::new(plural, "a", "web");
    server.change(|state, now| {
        if state.objects.contains_key(&id) {
            state.edit(&id, |object| merge(&mut object["spec"], spec)).unwrap();
        } else {
            let body = json!({"apiVersion": GROUP, "kind": kind, "metadata": {"name": "web"}, "spec": spec});
            state.create(&id, body, now).unwrap();
        }
    });
}

fn images(server: &Server) -> BTreeSet<String> {
    let state = server.state.lock().unwrap();
    let deployments = state.objects.iter().filter(|(id, _)| id.plural == "deployments");
    deployments.map(|(_, object)| text(object, "/spec/template/spec/containers/0/image")).collect()
}

fn service(server: &Server) -> Value {
    server.state.lock().unwrap().objects[&Id::new("ecsservices", "a", "web")].clone()
}

fn reason(server: &Server, kind: &str) -> String {
    let service = service(server);
    let conditions = service["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == kind);
    found.map(|condition| text(condition, "/reason")).unwrap_or_default()
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn digest(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

#[test]
fn when_a_registry_fails_and_changes_its_mind_then_each_deployment_runs_what_it_said_when_the_deployment_began() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap());
        let server = Server::new(1, Faults::default(), clock.clone());
        let cluster = tokio::spawn(machinery::run(Arc::clone(&server)));
        let table = Arc::new(Table::default());
        *table.digest.lock().unwrap() = digest("1");
        let mut options = options(None);
        options.sources.lookup = Some(Arc::clone(&table) as Arc<dyn Lookup>);
        options.settings.images = ImageResolution::Registries(vec!["*".to_owned()]);
        let stop = CancellationToken::new();
        let operator =
            tokio::spawn(work(server.client(), options, Arc::new(Metrics::default()), None, clock, stop.clone()));
        let pause = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        put(&server, "ecsclusters", "ECSCluster", &json!({"clusterName": "web"}));
        let containers = json!([{"name": "main", "image": "example.com/web:1", "memory": 64}]);
        put(
            &server,
            "ecstaskdefinitions",
            "ECSTaskDefinition",
            &json!({"family": "web", "containerDefinitions": containers}),
        );
        let spec = json!({"cluster": "web", "taskDefinition": "web", "desiredCount": 2});
        put(&server, "ecsservices", "ECSService", &spec);

        pause(4).await;
        assert_eq!((images(&server).len(), reason(&server, "Ready").as_str()), (0, "ResolvingImages"));
        pause(120).await;
        let one = BTreeSet::from([format!("example.com/web@{}", digest("1"))]);
        assert_eq!(images(&server), one);
        assert_eq!((table.asked.load(Ordering::SeqCst), reason(&server, "Ready").as_str()), (3, "SteadyState"));

        *table.digest.lock().unwrap() = digest("2");
        put(&server, "ecsservices", "ECSService", &json!({"desiredCount": 4}));
        pause(120).await;
        assert_eq!((images(&server), service(&server)["status"]["runningCount"].clone()), (one, json!(4)));

        put(&server, "ecsservices", "ECSService", &json!({"kubernetes": {"forceNewDeployment": "now"}}));
        pause(120).await;
        let two = BTreeSet::from([format!("example.com/web@{}", digest("2"))]);
        assert_eq!((images(&server), table.asked.load(Ordering::SeqCst)), (two.clone(), 4));

        // A registry that never answers holds a deployment up for half a minute, and what runs for no time at all.
        *table.is_gone.lock().unwrap() = true;
        put(&server, "ecsservices", "ECSService", &json!({"kubernetes": {"forceNewDeployment": "again"}}));
        put(&server, "ecsservices", "ECSService", &json!({"desiredCount": 3}));
        pause(20).await;
        assert_eq!((images(&server), reason(&server, "Ready").as_str()), (two, "ResolvingImages"));
        assert_eq!(service(&server)["status"]["runningCount"], 3);
        pause(180).await;
        assert_eq!(images(&server), BTreeSet::from(["example.com/web:1".to_owned()]));
        assert_eq!(reason(&server, "ImagesResolved"), "ImageDigestUnresolved");
        assert_eq!((table.asked.load(Ordering::SeqCst), reason(&server, "Ready").as_str()), (7, "SteadyState"));

        // Answers are forgotten without anybody noticing.
        let (writes, reads) = (server.writes().len(), server.reads());
        pause(1_800).await;
        assert_eq!((server.writes().len(), server.reads()), (writes, reads));
        assert_eq!(table.asked.load(Ordering::SeqCst), 7);
        stop.cancel();
        assert!(operator.await.unwrap().is_ok());
        cluster.abort();
    });
}
