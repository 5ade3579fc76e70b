//! Nodes that go, and enough of them for hundreds of tasks. These run one after the other, on a cluster of their own: a node
//! that is cordoned concerns every task in it. Run with `cargo xtask test`.

// What is not there fails the test, as it should.
#![allow(clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::nodes::{self, NodeTemplate, ZONES};
use e2e::cluster::{Cluster, Nodes, Options, fate};
use e2e::operator::{self, Launch};
use e2e::scenario::condition::is_false;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, percents, revised, with, with_container};
use e2e::scenario::records::{Record, breaker, cumulative};
use e2e::scenario::sampler::{exists, is_healthy, tasks};
use e2e::scenario::{Bounds, Environment, HELD, Objects, Scenario};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

/// One cluster for all tests of this binary; its watchdog ends it when the binary ends.
async fn cluster() -> Result<&'static Cluster> {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    let started = CLUSTER.get_or_try_init(async || {
        let templates = ZONES.iter().chain(&ZONES).enumerate();
        let templates = templates
            .map(|(index, zone)| NodeTemplate::new(&format!("node-{}", index + 1), zone).size("32", "128Gi", 250));
        let nodes = Nodes::Kwok(templates.collect());
        let cluster = Cluster::start(Options { nodes, metrics: false, ..Options::default() }).await?;
        operator::install_charts(&cluster).await?;
        anyhow::Ok(cluster)
    });
    started.await
}

/// Runs a scenario when no other one of this binary runs, with an operator of its own.
async fn run(name: &str, story: impl AsyncFnOnce(&Cluster, &Scenario) -> Result<()>) -> Result<()> {
    static TURN: Mutex<()> = Mutex::const_new(());

    let _turn = TURN.lock().await;
    let cluster = cluster().await?;
    let launch = Launch { lease: name.to_owned(), ..Launch::installed(cluster, name).await? };
    let mut operator = launch.spawn()?;
    operator.leads().await?;
    let environment = Environment {
        kubeconfig: cluster.kubeconfig().to_owned(),
        logs: vec![operator.log().to_owned()],
        url: Some(operator.url()),
        audit_log: Some(cluster.audit_log()?),
        alertmanager: None,
    };
    Scenario::run_in(environment, name, async |scenario| story(cluster, scenario).await).await?;
    ensure!(operator.terminate().await?.success());
    Ok(())
}

/// How many tasks are on each node.
fn on_nodes(objects: &Objects) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for pod in tasks(objects, "web").into_iter().filter(|pod| exists(pod)) {
        *counts.entry(text(pod, "/spec/nodeName").to_owned()).or_insert(0) += 1;
    }
    counts
}

/// The node with the most tasks.
fn busiest(scenario: &Scenario) -> Result<String> {
    let counts = scenario.view().read(on_nodes);
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(name, _)| name).context("there are no tasks")
}

/// Expects that no task is on a node.
async fn is_left(scenario: &Scenario, node: &str) -> Result<()> {
    let then = scenario.then_within(60);
    then.until(&format!("no task is on {node}"), |objects| {
        let counts = on_nodes(objects);
        if counts.contains_key(node) { Err(format!("tasks are on {counts:?}")) } else { Ok(()) }
    })
    .await
}

async fn given_web(scenario: &Scenario, desired: i64, (minimum, maximum): (i64, i64)) -> Result<()> {
    let slow = manifest::fate(fate::START_DELAY, "1s");
    let service = with(with(manifest::service("web", desired), percents(minimum, maximum)), slow);
    scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web"), service]).await?;
    scenario.then_within(60).the_service("web").is_steady_on("web:1").await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_is_cordoned_then_its_tasks_start_elsewhere_before_they_are_stopped() -> Result<()> {
    run("cordon", async |cluster, scenario| {
        given_web(scenario, 8, (100, 200)).await?;
        let node = busiest(scenario)?;
        let elsewhere: Vec<String> = scenario.view().read(|objects| {
            let pods = tasks(objects, "web").into_iter().filter(|pod| text(pod, "/spec/nodeName") != node);
            pods.map(|pod| text(pod, "/metadata/uid").to_owned()).collect()
        });
        let sampler = scenario.sample("web", Bounds::of(8, (100, 200)));
        nodes::cordon(&cluster.client()?, &node, true).await?;
        is_left(scenario, &node).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let now = scenario.task_uids("web");
        ensure!(elsewhere.iter().all(|uid| now.contains(uid)), "tasks of other nodes were replaced");
        ensure!(scenario.records("web").len() == 1, "a cordoned node started a deployment");
        nodes::cordon(&cluster.client()?, &node, false).await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_is_cordoned_and_there_is_no_room_above_then_its_tasks_are_stopped_first() -> Result<()> {
    run("cordon-in-place", async |cluster, scenario| {
        given_web(scenario, 8, (75, 100)).await?;
        let node = busiest(scenario)?;
        let sampler = scenario.sample("web", Bounds::of(8, (75, 100)));
        nodes::cordon(&cluster.client()?, &node, true).await?;
        is_left(scenario, &node).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        nodes::cordon(&cluster.client()?, &node, false).await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_is_drained_with_a_minimum_of_all_tasks_then_none_is_missing_and_the_drain_ends() -> Result<()> {
    run("drain", async |cluster, scenario| {
        given_web(scenario, 6, (100, 200)).await?;
        let node = busiest(scenario)?;
        let sampler = scenario.sample("web", Bounds::of(6, (100, 200)));
        cluster.kubectl(["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s"]).await?;
        is_left(scenario, &node).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        nodes::cordon(&cluster.client()?, &node, false).await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_is_cordoned_during_a_rollout_then_both_end_within_the_bounds() -> Result<()> {
    run("cordon-rollout", async |cluster, scenario| {
        given_web(scenario, 6, (67, 150)).await?;
        let node = busiest(scenario)?;
        let sampler = scenario.sample("web", Bounds::of(6, (67, 150)));
        scenario.when_applied([revised(manifest::task_definition("web"), "2")]).await?;
        scenario
            .then_within(30)
            .the_service("web")
            .has(is_false(ConditionType::Ready, Reason::DeploymentInProgress))
            .await?;
        nodes::cordon(&cluster.client()?, &node, true).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:2").await?;
        is_left(scenario, &node).await?;
        nodes::cordon(&cluster.client()?, &node, false).await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_is_gone_with_its_tasks_then_they_are_made_anew_and_no_more() -> Result<()> {
    run("node-gone", async |cluster, scenario| {
        given_web(scenario, 6, (50, 150)).await?;
        let node = busiest(scenario)?;
        let sampler = scenario.sample_with_failures("web", Bounds::of(6, (0, 150)));
        nodes::remove(&cluster.client()?, &node).await?;
        is_left(scenario, &node).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let zone = ZONES.first().copied().unwrap_or_default();
        nodes::add(&cluster.client()?, &[NodeTemplate::new(&node, zone).size("32", "128Gi", 250)]).await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

/// Everything that has failed is counted, and nothing twice.
fn fails(records: &[Record]) -> Option<Record> {
    records.last().filter(|newest| newest.rollout_state == "FAILED").cloned()
}

/// Service, threshold as it is written, and how many failures that is with 401 tasks.
type Threshold = (&'static str, (&'static str, i64), usize);

async fn each_fails_at_its_threshold(run_name: &str, cases: &[Threshold]) -> Result<()> {
    const DESIRED: i64 = 401;
    run(run_name, async |_, scenario| {
        let held = |family: &str| {
            let soon = json!({ "healthCheck": { "retries": 1 } });
            with(with_container(manifest::task_definition(family), soon), manifest::fate(fate::START_DELAY, HELD))
        };
        scenario.given([manifest::cluster("main", &[])]).await?;
        for &(name, written, threshold) in cases {
            let error = (fate::START_ERROR, "no such file");
            // One fewer first.
            let _director = scenario.direct(name, move |task| (task.index + 1 < threshold).then_some(error))?;
            let service = with(with(manifest::service(name, DESIRED), breaker(true, written)), cumulative());
            let sampler = scenario.sample_with_failures(name, Bounds::of(401, (0, 200)));
            scenario.when_applied([held(name), service]).await?;
            let wanted = i64::try_from(threshold)?;
            let counts = |records: &[Record]| records.last().filter(|newest| newest.failures + 1 >= wanted).cloned();
            let then = scenario.then_within(180);
            let newest = then.the_service(name).has_records("one failure is left", counts).await?;
            ensure!((newest.failures, newest.threshold) == (wanted - 1, wanted), "{}", newest.line());
            ensure!(newest.rollout_state == "IN_PROGRESS", "{}", newest.line());
            let healthy = |objects: &Objects| {
                let pods = tasks(objects, name).into_iter().filter(|pod| exists(pod));
                let pod = pods.into_iter().find(|pod| is_healthy(pod, 0, Timestamp::now()));
                pod.map(|pod| text(pod, "/metadata/name").to_owned()).ok_or_else(|| "none is".to_owned())
            };
            // One that runs becomes the last failure: it fails its health checks.
            let pod = then.until("a task is healthy", healthy).await?;
            let unhealthy = json!({ "metadata": { "annotations": { fate::UNREADY: "true" } } });
            scenario.when_patched("Pod", &pod, unhealthy).await?;
            let failed = then.the_service(name).has_records("its deployment fails", fails).await?;
            ensure!((failed.failures, failed.threshold) == (wanted, wanted), "{}", failed.line());
            ensure!(failed.breaker == "TRIGGERED" && failed.failed_tasks == wanted, "{}", failed.line());
            sampler.verdict().context(name)?;
            scenario.when_deleted("ECSService", name).await?;
            let gone = scenario.then_within(90);
            gone.until("its tasks are gone", |objects| {
                let left: Vec<&Value> = tasks(objects, name);
                if left.is_empty() { Ok(()) } else { Err(format!("{} are left", left.len())) }
            })
            .await?;
        }
        scenario.view().stays("nothing follows", Duration::from_secs(1), |_| Ok(())).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_401_tasks_are_desired_then_the_deployment_fails_at_exactly_its_bounded_threshold() -> Result<()> {
    // 50 % of 401 are 200.5 tasks, rounded up 201, and bounded at most 200.
    each_fails_at_its_threshold("bounded-401", &[("bounded", ("BOUNDED_PERCENT", 50), 200)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_401_tasks_are_desired_then_the_deployment_fails_at_exactly_its_other_thresholds() -> Result<()> {
    // 5 % are 20.05 tasks, rounded up 21.
    let cases = [("unbounded", ("UNBOUNDED_PERCENT", 5), 21), ("count", ("COUNT", 7), 7)];
    each_fails_at_its_threshold("thresholds-401", &cases).await
}
