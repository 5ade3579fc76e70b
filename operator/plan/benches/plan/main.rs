//! What a plan costs in worlds of growing size: `cargo bench -p plan`. `docs/benchmarks.md` has results.
//!
//! Each namespace has one cluster with a hundred services of ten tasks each; there is one node for twenty tasks. A plan
//! that does not depend on the size of the world takes as long in the largest world as in the smallest.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a benchmark reports by panicking

#[path = "../../tests/common/mod.rs"]
mod common;
mod world;

use divan::{AllocProfiler, Bencher, black_box};
use plan::{Kind, ObjectKey, Stored, World, plan, routes};
use serde_json::json;
use world::{DRAINED, Generated, NODE};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Services in the world; tasks are ten times as many, nodes half as many.
const SERVICES: [usize; 3] = [100, 1_000, 10_000];
/// Revisions of the family that the service runs.
const REVISIONS: [usize; 3] = [1, 100, 1_000];

fn main() {
    divan::main();
}

fn plan_of(bencher: Bencher, generated: &Generated, root: &ObjectKey) {
    let settled = plan(&generated.world, root, &generated.settings, generated.now);
    assert!(settled.ops.is_empty(), "{root} is not settled: {:#?}", settled.ops);
    bencher.bench(|| plan(&generated.world, black_box(root), &generated.settings, generated.now));
}

/// A service on the instances of its cluster, with ten tasks and nothing to do.
#[divan::bench(args = SERVICES)]
fn settled_service(bencher: Bencher, services: usize) {
    let generated = Generated::of(services);
    plan_of(bencher, generated, &generated.service("instances"));
}

/// The same on the provider FARGATE, which asks what labels nodes have.
#[divan::bench(args = SERVICES)]
fn settled_service_on_fargate(bencher: Bencher, services: usize) {
    let generated = Generated::of(services);
    plan_of(bencher, generated, &generated.service("fargate"));
}

/// A service whose family has many revisions, all ACTIVE.
#[divan::bench(args = REVISIONS)]
fn settled_service_of_a_long_family(bencher: Bencher, revisions: usize) {
    let generated = Generated::with_revisions(revisions);
    plan_of(bencher, generated, &generated.service("instances"));
}

/// A cluster of a hundred services, without a node selector: all nodes are its container instances.
#[divan::bench(args = SERVICES)]
fn cluster(bencher: Bencher, services: usize) {
    let generated = Generated::of(services);
    plan_of(bencher, generated, &generated.cluster());
}

/// A cluster whose node selector selects ten nodes.
#[divan::bench(args = SERVICES)]
fn cluster_with_selector(bencher: Bencher, services: usize) {
    let generated = Generated::of(services);
    plan_of(bencher, generated, &Generated::selecting_cluster());
}

/// A capacity provider whose node selector selects ten nodes.
#[divan::bench(args = SERVICES)]
fn capacity_provider(bencher: Bencher, services: usize) {
    let generated = Generated::of(services);
    plan_of(bencher, generated, &ObjectKey::cluster_scoped(Kind::CapacityProvider, "pool"));
}

/// The plan of a node that is ACTIVE.
#[divan::bench(args = SERVICES)]
fn active_node(bencher: Bencher, services: usize) {
    plan_of(bencher, Generated::of(services), &ObjectKey::cluster_scoped(Kind::Node, NODE));
}

/// The plan of a node that is DRAINING and has tasks.
#[divan::bench(args = SERVICES)]
fn draining_node(bencher: Bencher, services: usize) {
    plan_of(bencher, Generated::of(services), &ObjectKey::cluster_scoped(Kind::Node, DRAINED));
}

/// Who is affected by the change of a node that is ACTIVE.
#[divan::bench(args = SERVICES)]
fn affected_by_an_active_node(bencher: Bencher, services: usize) {
    affected_by(bencher, Generated::of(services), &ObjectKey::cluster_scoped(Kind::Node, NODE));
}

/// Who is affected by the change of a node that is DRAINING.
#[divan::bench(args = SERVICES)]
fn affected_by_a_draining_node(bencher: Bencher, services: usize) {
    affected_by(bencher, Generated::of(services), &ObjectKey::cluster_scoped(Kind::Node, DRAINED));
}

/// Who is affected by the change of a task.
#[divan::bench(args = SERVICES)]
fn affected_by_a_task(bencher: Bencher, services: usize) {
    let generated = Generated::of(services);
    let namespace = generated.cluster().namespace;
    let tasks = generated.world.list(Kind::Pod, namespace.as_deref());
    affected_by(bencher, generated, &tasks[0].key);
}

fn affected_by(bencher: Bencher, generated: &Generated, key: &ObjectKey) {
    let changed = generated.world.get(key).unwrap();
    bencher.bench(|| routes::affected(&generated.world, black_box(&changed)));
}

/// What taking in an event about a task costs, which is paid once and not in every plan.
#[divan::bench]
fn accept_a_task(bencher: Bencher) {
    let generated = Generated::of(SERVICES[0]);
    let task = generated.world.list(Kind::Pod, None)[0].value();
    assert_eq!(task["kind"], json!("Pod"));
    bencher.with_inputs(|| task.clone()).bench_values(|task| Stored::accept(Kind::Pod, task).unwrap());
}

/// What the first event costs that is taken in while a plan reads a copy of the world.
#[divan::bench(args = SERVICES)]
fn take_in_a_task_beside_a_plan(bencher: Bencher, services: usize) {
    let generated = Generated::of(services);
    let task = generated.world.list(Kind::Pod, None)[0].as_ref().clone();
    let inputs = || (generated.world.clone(), task.clone());
    bencher.with_inputs(inputs).bench_values(|(mut world, task)| (world.insert(task), world));
}
