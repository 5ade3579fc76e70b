//! The whole runtime and the real planner against an API server in memory that fails in every way a seed can choose:
//! refused and lost writes, a process killed right after a write, broken, late and frozen watches.
//!
//! What must hold: the cluster ends up as it does when nothing fails; the number of writes is bounded; and a settled
//! system writes and reads nothing.

// Tests report by panicking; helpers of an integration test are not recognised as part of one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod images;
mod machinery;
mod random;
mod server;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use plan::Settings;
use plan::sandbox::merge;
use runtime::answer::Sources;
use runtime::clock::Clock;
use runtime::run::work;
use runtime::serve::metrics::Metrics;
use runtime::{Election, Options, RunError};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::{Faults, Server, Write};
use crate::state::Id;

const GROUP: &str = "ecs-operator.dev/v1alpha1";

/// How a simulation ended.
struct Outcome {
    /// Every object, without what differs between any two runs.
    objects: BTreeMap<Id, Value>,
    writes: usize,
    /// How often each object was made by the operator.
    made: BTreeMap<String, u32>,
    /// What the operator deleted, other than pods, whose names are chance.
    deleted: BTreeSet<String>,
    restarts: usize,
    /// Lines of writes after everything had settled.
    late_writes: Vec<String>,
    late_reads: u64,
}

/// Plays the story with these faults.
fn simulate(seed: u64, faults: Faults) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap());
        let server = Server::new(seed, faults, clock.clone());
        let cluster = tokio::spawn(machinery::run(Arc::clone(&server)));
        let user = tokio::spawn(story(Arc::clone(&server)));
        let mut operator = start(&server, &clock);
        let mut restarts = 0;
        let end = tokio::time::sleep(Duration::from_mins(12));
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = server.crash.notified() => {
                    operator.abort();
                    let _ = (&mut operator).await;
                    restarts += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    operator = start(&server, &clock);
                }
                ended = &mut operator => panic!("the operator ended by itself: {ended:?}"),
                () = &mut end => break,
            }
        }
        user.await.unwrap();
        // Nothing fails any more: what is left to do is done, and then nothing happens.
        server.calm();
        tokio::time::sleep(Duration::from_mins(15)).await;
        let (writes, reads) = (server.writes(), server.reads());
        tokio::time::sleep(Duration::from_mins(2)).await;
        let late_writes = server.writes()[writes.len()..].iter().map(|write| write.line.clone()).collect();
        let late_reads = server.reads() - reads;
        cluster.abort();
        operator.abort();
        let state = server.state.lock().unwrap();
        let objects = state.objects.iter().filter(|(id, _)| id.plural != "pods");
        let objects = objects.map(|(id, object)| (id.clone(), without_chance(&without_counts(id, object)))).collect();
        let made = made(&writes);
        let deleted = writes.iter().map(|write| write.line.clone());
        let deleted = deleted.filter(|line| line.starts_with("DELETE ") && !line.contains("/pods/")).collect();
        Outcome { objects, writes: writes.len(), made, deleted, restarts, late_writes, late_reads }
    })
}

/// How often each object was made.
fn made(writes: &[Write]) -> BTreeMap<String, u32> {
    let mut made = BTreeMap::new();
    for object in writes.iter().filter_map(|write| write.made.clone()) {
        *made.entry(object).or_default() += 1;
    }
    made
}

fn start(server: &Arc<Server>, clock: &Clock) -> JoinHandle<Result<(), RunError>> {
    launch(server, clock, None, CancellationToken::new())
}

/// Starts an operator; one with a name takes part in an election.
fn launch(
    server: &Arc<Server>,
    clock: &Clock,
    name: Option<&str>,
    stop: CancellationToken,
) -> JoinHandle<Result<(), RunError>> {
    let election = name.map(|name| Election {
        namespace: "o".to_owned(),
        name: "l".to_owned(),
        identity: name.to_owned(),
        lease: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry: Duration::from_secs(2),
    });
    let options = options(election);
    tokio::spawn(work(server.client(), options, Arc::new(Metrics::default()), None, clock.clone(), stop))
}

fn options(election: Option<Election>) -> Options {
    Options {
        namespaces: Vec::new(),
        address: "127.0.0.1:0".parse().unwrap(),
        workers: 4,
        election,
        drain: Duration::from_secs(20),
        instance: "simulation".to_owned(),
        ignored_groups: Vec::new(),
        settings: Settings::default(),
        sources: Sources::default(),
    }
}

/// What people do within the first minutes.
async fn story(server: Arc<Server>) {
    let put = |plural: &str, kind: &str, name: &str, spec: Value| {
        let namespace = if plural == "ecscapacityproviders" { "" } else { "a" };
        let id = Id::new(plural, namespace, name);
        server.change(|state, now| {
            if state.objects.contains_key(&id) {
                state.edit(&id, |object| merge(&mut object["spec"], &spec)).unwrap();
            } else {
                let body = json!({"apiVersion": GROUP, "kind": kind, "metadata": {"name": name}, "spec": spec});
                state.create(&id, body, now).unwrap();
            }
        });
    };
    let task = |image: &str| {
        json!({"family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512", "containerDefinitions": [
            {"name": "main", "image": image, "essential": true, "portMappings": [{"containerPort": 80}]}]})
    };
    for (name, ecs_name, kind) in [("fargate", "FARGATE", "OnDemand"), ("fargate-spot", "FARGATE_SPOT", "Spot")] {
        let spec = json!({"name": ecs_name, "kubernetes": {"predefined": true, "capacityType": kind}});
        put("ecscapacityproviders", "ECSCapacityProvider", name, spec);
    }
    put(
        "ecsclusters",
        "ECSCluster",
        "demo",
        json!({"clusterName": "demo", "capacityProviders": ["FARGATE", "FARGATE_SPOT"]}),
    );
    // The services come before what they need.
    let service = |name: &str, count: u64| {
        json!({"serviceName": name, "cluster": "demo", "taskDefinition": "web", "desiredCount": count,
               "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
               "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}})
    };
    put("ecsservices", "ECSService", "web", service("web", 3));
    put("ecsservices", "ECSService", "gone", service("gone", 1));
    let mut split = service("split", 4);
    split["capacityProviderStrategy"] = json!([{"capacityProvider": "FARGATE", "base": 1, "weight": 1},
                                               {"capacityProvider": "FARGATE_SPOT", "weight": 2}]);
    put("ecsservices", "ECSService", "split", split);
    tokio::time::sleep(Duration::from_secs(10)).await;
    put("ecstaskdefinitions", "ECSTaskDefinition", "web", task("web:1"));
    tokio::time::sleep(Duration::from_secs(90)).await;
    put("ecstaskdefinitions", "ECSTaskDefinition", "web", task("web:2"));
    tokio::time::sleep(Duration::from_secs(30)).await;
    put("ecsservices", "ECSService", "web", json!({"desiredCount": 5}));
    server.change(|state, now| {
        state.delete(&Id::new("ecsservices", "a", "gone"), &Value::Null, now).unwrap();
    });
    tokio::time::sleep(Duration::from_mins(1)).await;
    put("ecsservices", "ECSService", "split", json!({"desiredCount": 2}));
}

/// The record of a rollout keeps the counts of the moment in which the rollout ended.
fn without_counts(id: &Id, object: &Value) -> Value {
    let mut object = object.clone();
    if id.plural == "ecsservicedeployments"
        && let Some(status) = object["status"].as_object_mut()
    {
        status.retain(|name, _| !name.ends_with("Count"));
    }
    object
}

/// Versions, times and the running log of events depend on when things happened, not on what was decided.
fn without_chance(object: &Value) -> Value {
    const CHANCE: [&str; 17] = [
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "observedGeneration",
        "lastTransitionTime",
        "createdAt",
        "updatedAt",
        "startedAt",
        "finishedAt",
        "firstHealthyAt",
        "events",
        "steadyAnnouncedAt",
        "steadySince",
        "taskWatermark",
        "registeredAt",
        "lastUpdateTime",
        "ecs-operator.dev/applied",
    ];
    match object {
        Value::Object(map) => {
            let kept = map.iter().filter(|(name, _)| !CHANCE.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), without_chance(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_chance).collect()),
        other => other.clone(),
    }
}

const ROUGH: Faults = Faults {
    refusal: 80,
    lost_answer: 40,
    crash: 40,
    frozen_watch: 0,
    broken_watch: 60,
    delay: Duration::from_millis(800),
};

#[test]
fn when_nothing_fails_then_services_become_steady_and_a_settled_system_is_idle() {
    let calm = simulate(1, Faults::default());
    let deployments: Vec<(&str, u64)> = calm
        .objects
        .iter()
        .filter(|(id, _)| id.plural == "deployments")
        .map(|(id, object)| (id.name.split('-').next().unwrap(), object["spec"]["replicas"].as_u64().unwrap()))
        .collect();
    assert_eq!(deployments, [("split", 1), ("split", 1), ("web", 5)]);
    for name in ["web", "split"] {
        let service = &calm.objects[&Id::new("ecsservices", "a", name)];
        let ready = service["status"]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "Ready");
        assert_eq!(ready.unwrap()["status"], "True", "{service:#}");
    }
    assert!(!calm.objects.contains_key(&Id::new("ecsservices", "a", "gone")));
    assert_eq!(calm.late_writes, Vec::<String>::new());
    assert_eq!(calm.late_reads, 0);
    assert!(calm.writes < 150, "{}", calm.writes);
}

#[test]
fn when_everything_fails_now_and_then_then_the_end_is_the_same_with_bounded_writes() {
    let calm = simulate(1, Faults::default());
    let mut restarts = 0;
    for seed in 1..=std::env::var("SIMULATION_SEEDS").map_or(6, |seeds| seeds.parse().unwrap()) {
        let rough = simulate(seed, ROUGH);
        restarts += rough.restarts;
        let (left, right): (Vec<_>, Vec<_>) = (calm.objects.keys().collect(), rough.objects.keys().collect());
        assert_eq!(left, right, "seed {seed}: other objects");
        for (id, object) in &calm.objects {
            let difference = plan::core::diff::first_difference(object, &rough.objects[id]);
            assert_eq!(difference, None, "seed {seed}: {id:?}: {:#}", rough.objects[id]["status"]);
            assert_eq!(*object, rough.objects[id], "seed {seed}: {id:?}");
        }
        assert_eq!(rough.late_writes, Vec::<String>::new(), "seed {seed}");
        assert_eq!(rough.late_reads, 0, "seed {seed}");
        assert!(rough.writes < 3 * calm.writes, "seed {seed}: {} writes, {} without faults", rough.writes, calm.writes);
    }
    assert!(restarts >= 6, "the operator was hardly ever killed: {restarts}");
}

/// What runs at the end: of each Deployment its service, what it asks for, and how many. Names and records say how it came to
/// that, which depends on what was seen when.
fn workloads(outcome: &Outcome) -> Vec<(String, String, u64)> {
    let deployments = outcome.objects.iter().filter(|(id, _)| id.plural == "deployments");
    let mut found: Vec<_> = deployments
        .map(|(id, object)| {
            let template = object["spec"]["template"]["spec"].to_string();
            let service = id.name.split('-').next().unwrap().to_owned();
            (service, template, object["spec"]["replicas"].as_u64().unwrap())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn when_watches_are_frozen_for_minutes_then_nothing_is_made_twice_or_deleted_wrongly_and_the_same_runs() {
    let calm = simulate(1, Faults::default());
    let mut is_otherwise = false;
    for seed in 1..=std::env::var("SIMULATION_SEEDS").map_or(4, |seeds| seeds.parse().unwrap()) {
        // Answers are lost too: what was written and is not shown for minutes is known to nobody.
        let lost_answer = if seed % 2 == 0 { 30 } else { 0 };
        let frozen = simulate(seed, Faults { frozen_watch: 40, lost_answer, ..Faults::default() });
        let twice: Vec<_> = frozen.made.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "seed {seed}: made twice: {twice:?}");
        assert_eq!(workloads(&frozen), workloads(&calm), "seed {seed}");
        for name in ["web", "split"] {
            let service = &frozen.objects[&Id::new("ecsservices", "a", name)];
            let ready = service["status"]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "Ready");
            assert_eq!(ready.unwrap()["status"], "True", "seed {seed}: {service:#}");
        }
        // Whatever was deleted is not made again, so it had to go.
        let living = |line: &str| {
            let is_it = |id: &Id| line.ends_with(&format!("/{}/{}", id.plural, id.name));
            frozen.objects.keys().any(is_it)
        };
        let wrong: Vec<_> = frozen.deleted.iter().filter(|line| living(line)).collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
        assert_eq!(frozen.late_writes, Vec::<String>::new(), "seed {seed}");
        assert!(frozen.writes < 3 * calm.writes, "seed {seed}: {} writes", frozen.writes);
        is_otherwise = is_otherwise || frozen.writes != calm.writes;
    }
    assert!(is_otherwise, "no watch was ever frozen");
}

#[test]
fn when_the_leader_is_killed_then_the_follower_goes_on_within_the_lease_and_nothing_is_made_twice() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap());
        let server = Server::new(1, Faults { delay: Duration::from_millis(300), ..Faults::default() }, clock.clone());
        let cluster = tokio::spawn(machinery::run(Arc::clone(&server)));
        let user = tokio::spawn(story(Arc::clone(&server)));
        let stop = CancellationToken::new();
        let first = launch(&server, &clock, Some("first"), CancellationToken::new());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let second = launch(&server, &clock, Some("second"), stop.clone());
        // In the middle of the first rollout.
        tokio::time::sleep(Duration::from_millis(9_800)).await;
        first.abort();
        let before = server.writes().len();
        assert!(before > 0 && server.holder() == "first");
        tokio::time::sleep(Duration::from_millis(12_500)).await;
        assert_eq!(server.writes().len(), before, "nobody else writes while the lease may still be in use");
        tokio::time::sleep(Duration::from_millis(4_500)).await;
        assert_eq!(server.holder(), "second");
        tokio::time::sleep(Duration::from_mins(5)).await;
        user.await.unwrap();

        let made = made(&server.writes());
        assert!(made.len() > 8, "{made:?}");
        assert!(made.values().all(|times| *times == 1), "{made:?}");
        let service = server.state.lock().unwrap().objects[&Id::new("ecsservices", "a", "web")].clone();
        assert_eq!(service["status"]["runningCount"], 5, "{service:#}");

        // Asked to stop, the second gives the lease back and ends well.
        stop.cancel();
        assert!(second.await.unwrap().is_ok());
        assert_eq!(server.holder(), "");
        cluster.abort();
    });
}
