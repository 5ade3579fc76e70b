//! Processes die and come back. These run one after the other, on a cluster of their own, because they stop what other
//! scenarios need. Run with `cargo xtask test`.

// What is not there fails the test, as it should.
#![allow(clippy::indexing_slicing)]

#[path = "faults/alarms.rs"]
mod alarms;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::cluster::{Cluster, Options, Process, fate, until};
use e2e::operator::{self, Launch, NAMESPACE, Operator, USER};
use e2e::scenario::audit::Mark;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, percents, revised, with, with_container};
use e2e::scenario::records::{Record, breaker};
use e2e::scenario::{Bounds, Environment, HELD, Scenario};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;
use tokio::sync::OnceCell;

/// One cluster for all tests of this binary; its watchdog ends it when the binary ends.
async fn cluster() -> Result<&'static Cluster> {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    let started = CLUSTER.get_or_try_init(async || {
        let cluster = Cluster::start(Options { alertmanager: true, ..Options::default() }).await?;
        operator::install_charts(&cluster).await?;
        anyhow::Ok(cluster)
    });
    started.await
}

/// Each test has operators of its own, under a lease of its own.
async fn launch(cluster: &Cluster, name: &str) -> Result<Launch> {
    let launch = Launch::installed(cluster, &format!("{name}-a")).await?;
    Ok(Launch { lease: name.to_owned(), lease_seconds: 6, ..launch })
}

fn environment(cluster: &Cluster, operators: &[&Operator]) -> Result<Environment> {
    with_logs(cluster, operators.iter().map(|operator| operator.log().to_owned()).collect())
}

fn with_logs(cluster: &Cluster, logs: Vec<PathBuf>) -> Result<Environment> {
    Ok(Environment {
        kubeconfig: cluster.kubeconfig().to_owned(),
        logs,
        url: None,
        audit_log: Some(cluster.audit_log()?),
        alertmanager: cluster.alertmanager(),
    })
}

async fn holder(cluster: &Cluster, lease: &str) -> Result<String> {
    let leases: Api<Lease> = Api::namespaced(cluster.client()?, NAMESPACE);
    let spec = leases.get(lease).await?.spec.context("a lease without spec")?;
    Ok(spec.holder_identity.unwrap_or_default())
}

/// `how often`, for each child that was created.
fn creations(writes: BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    writes.into_iter().filter(|(line, _)| line.starts_with("create ") && !line.contains("events")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_killed_then_the_follower_continues_within_the_lease_time_and_makes_nothing_twice()
-> Result<()> {
    let cluster = cluster().await?;
    let launch = launch(cluster, "killed").await?;
    let mut leader = launch.spawn()?;
    leader.leads().await?;
    let mut follower = launch.named("killed-b").spawn()?;
    follower.ready().await?;
    ensure!(!follower.is_leading().await?, "two operators lead");
    let mark = Mark::now(&cluster.audit_log()?)?;
    Scenario::run_in(environment(cluster, &[&leader, &follower])?, "killed", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([with(manifest::service("web", 6), percents(50, 150))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample("web", Bounds { at_least: 3, at_most: 9, min_ready_seconds: 0 });

        // In the middle of a rollout.
        let changed = with_container(manifest::task_definition("web"), json!({ "image": "example.com/web:2" }));
        scenario.when_applied([changed]).await?;
        scenario
            .then_within(30)
            .until("a task of the new revision is there", |objects| {
                let mut pods = e2e::scenario::sampler::tasks(objects, "web").into_iter();
                let is_new = |pod: &serde_json::Value| text(pod, "/spec/containers/0/image") == "example.com/web:2";
                pods.find(|pod| is_new(pod)).map(|_| ()).ok_or_else(|| "there is none".to_owned())
            })
            .await?;
        leader.kill().await?;
        let killed = Instant::now();
        scenario.when_applied([manifest::task_definition("late"), manifest::service("late", 1)]).await?;

        follower.leads().await?;
        // The lease, and two looks of the follower.
        let limit = Duration::from_secs(u64::from(launch.lease_seconds) + 4);
        ensure!(killed.elapsed() <= limit, "the follower took over after {:?}", killed.elapsed());
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        scenario.then_within(60).the_service("late").is_steady().await?;
        sampler.verdict()?;
        let made = creations(mark.writes(USER, Some(scenario.namespace()))?);
        let twice: Vec<_> = made.iter().filter(|(_, count)| **count > 1).collect();
        ensure!(twice.is_empty(), "made twice: {twice:?}");
        let records = scenario.objects("ECSServiceDeployment").len();
        ensure!(records == 3, "web was deployed twice and late once, but there are {records} records");
        Ok(())
    })
    .await?;
    ensure!(follower.terminate().await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_freezes_for_longer_than_its_lease_then_it_ends_on_waking_and_the_follower_has_taken_over()
-> Result<()> {
    let cluster = cluster().await?;
    let launch = launch(cluster, "frozen").await?;
    let mut leader = launch.spawn()?;
    leader.leads().await?;
    let mut follower = launch.named("frozen-b").spawn()?;
    follower.ready().await?;
    Scenario::run_in(environment(cluster, &[&leader, &follower])?, "frozen", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 2)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        leader.freeze()?;
        scenario.when_scaled("web", 4).await?;
        follower.leads().await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        leader.thaw()?;
        let status = tokio::time::timeout(Duration::from_secs(10), leader.wait()).await;
        let status = status.context("it woke up without its lease and still runs")??;
        ensure!(!status.success(), "it lost the lease and said that all is well");
        ensure!(follower.is_leading().await?, "the follower does not lead any more");
        ensure!(follower.terminate().await?.success());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_sigterm_comes_then_work_is_finished_the_lease_is_released_and_the_exit_code_is_zero() -> Result<()> {
    let cluster = cluster().await?;
    let launch = launch(cluster, "terminated").await?;
    let mut leader = launch.spawn()?;
    leader.leads().await?;
    Scenario::run_in(environment(cluster, &[&leader])?, "terminated", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        let services = (0..20)
            .map(|index| with(manifest::service(&format!("web-{index}"), 1), json!({ "taskDefinition": "web" })));
        scenario.when_applied(services.collect::<Vec<_>>()).await?;
        // While it has plenty to do.
        let status = leader.terminate().await?;
        ensure!(status.success(), "it ended with {status}");
        let holder = holder(cluster, "terminated").await?;
        ensure!(holder.is_empty(), "the lease is still held by {holder}");

        let begun = Instant::now();
        let mut next = launch.named("terminated-b").spawn()?;
        next.leads().await?;
        let waited = begun.elapsed();
        ensure!(
            waited < Duration::from_secs(u64::from(launch.lease_seconds)),
            "the next waited {waited:?} for the lease"
        );
        for index in 0..20 {
            scenario.then_within(60).the_service(&format!("web-{index}")).is_steady().await?;
        }
        ensure!(next.terminate().await?.success());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_operator_is_restarted_with_two_hundred_services_then_it_writes_nothing() -> Result<()> {
    const SERVICES: usize = 200;
    let cluster = cluster().await?;
    let launch = launch(cluster, "restarted").await?;
    let mut first = launch.spawn()?;
    first.leads().await?;
    Scenario::run_in(environment(cluster, &[&first])?, "restarted", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        let services = (0..SERVICES).map(|index| {
            // Every fourth has a task; the machine that runs this may be small.
            let desired = i64::from(index % 4 == 0);
            with(manifest::service(&format!("web-{index}"), desired), json!({ "taskDefinition": "web" }))
        });
        let applied = services.map(|service| scenario.when_applied([service]));
        futures::stream::iter(applied).buffer_unordered(16).try_collect::<()>().await?;
        for index in 0..SERVICES {
            scenario.then_within(120).the_service(&format!("web-{index}")).is_steady().await?;
        }
        // The last to be written: the cluster's counters.
        let then = scenario.then_within(30);
        then.object("ECSCluster", "main", "counts every service and task", |cluster| {
            let count = |name: &str| cluster["status"][name].as_u64();
            (count("activeServicesCount"), count("runningTasksCount")) == (Some(200), Some(50))
        })
        .await?;
        // Counts follow at intervals of seconds while anything moves, nodes too: none may be left to write.
        let counted = || scenario.view().read(|objects| objects.get(&("ECSCluster", "main".to_owned())).cloned());
        let mut is_at_rest = false;
        for _ in 0..10 {
            let before = counted();
            scenario.view().stays("the cluster is counted", Duration::from_secs(6), |_| Ok(())).await?;
            is_at_rest = counted() == before;
            if is_at_rest {
                break;
            }
        }
        ensure!(is_at_rest, "the cluster is counted again and again");
        ensure!(first.terminate().await?.success());

        let mark = Mark::now(&cluster.audit_log()?)?;
        let mut second = launch.named("restarted-b").spawn()?;
        second.leads().await?;
        let url = second.url();
        let seen = until("every service was reconciled", Duration::from_mins(1), async || {
            let reconciles = operator::metric(&url, "controller_runtime_reconcile_total").await?;
            let waiting = operator::metric(&url, "workqueue_depth").await?;
            ensure!(reconciles >= 200.0 && waiting < 1.0, "{reconciles} reconciles, {waiting} waiting");
            Ok(Some(reconciles))
        });
        seen.await?;
        scenario.view().stays("nothing changes", Duration::from_secs(5), |_| Ok(())).await?;
        let writes = mark.writes(USER, None)?;
        ensure!(writes.is_empty(), "it wrote {writes:?}");
        ensure!(second.terminate().await?.success());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_api_server_is_away_for_half_a_minute_and_etcd_restarts_then_the_operator_recovers() -> Result<()> {
    let cluster = cluster().await?;
    let launch = launch(cluster, "outage").await?;
    let mut operator = launch.spawn()?;
    operator.leads().await?;
    Scenario::run_in(environment(cluster, &[&operator])?, "outage", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 4)]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let mut before = scenario.task_uids("web");
        before.sort();

        cluster.stop(Process::ApiServer).await?;
        tokio::time::sleep(Duration::from_secs(30)).await;
        cluster.restart(Process::Etcd).await.context("etcd did not come back")?;
        cluster.resume(Process::ApiServer).await?;
        // Who cannot renew the lease ends, so that nobody writes next to the next leader; a kubelet starts it again.
        let mut operator = match operator.ended()? {
            Some(status) => {
                ensure!(!status.success(), "it lost the lease and said that all is well");
                launch.named("outage-b").spawn()?
            }
            None => operator,
        };
        operator.leads().await?;

        scenario.when_applied([manifest::task_definition("late"), manifest::service("late", 1)]).await?;
        scenario.then_within(90).the_service("late").is_steady().await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let mut after = scenario.task_uids("web");
        after.sort();
        ensure!(before == after, "the outage replaced tasks: {before:?} became {after:?}");
        ensure!(operator.terminate().await?.success());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_operator_starts_while_the_api_server_is_away_then_it_is_alive_and_works_soon_after_it_is_back()
-> Result<()> {
    let cluster = cluster().await?;
    let launch = launch(cluster, "away").await?;
    Scenario::run_in(with_logs(cluster, vec![launch.log()])?, "away", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 1)]).await?;
        cluster.stop(Process::ApiServer).await?;
        let mut operator = launch.spawn()?;
        let alive = format!("{}/livez", operator.url());
        until("the operator is alive", Duration::from_secs(5), async || {
            Ok((e2e::http::get(&alive).await?.0 == 200).then_some(()))
        })
        .await?;
        tokio::time::sleep(Duration::from_secs(15)).await;
        ensure!(e2e::http::get(&alive).await?.0 == 200 && operator.ended()?.is_none(), "it is not alive any more");
        cluster.resume(Process::ApiServer).await?;
        let back = Instant::now();
        operator.leads().await?;
        ensure!(back.elapsed() <= Duration::from_secs(10), "it leads {:?} after the outage", back.elapsed());
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        ensure!(operator.terminate().await?.success());
        Ok(())
    })
    .await
}

/// Revision, status, rollout state, failed tasks, state of the breaker, failures and threshold of a deployment.
type Outcome = (String, String, String, i64, String, i64, i64);

/// What is left of a failed rollout: all that does not depend on its time.
fn outcome(records: &[Record]) -> Vec<Outcome> {
    let each = records.iter().cloned();
    each.map(|one| {
        let Record { task_definition, status, rollout_state, failed_tasks, breaker, failures, threshold, .. } = one;
        (task_definition, status, rollout_state, failed_tasks, breaker, failures, threshold)
    })
    .collect()
}

/// The operator of a rollout under way: killed and started again where the story says so.
struct Mortal {
    launch: Launch,
    operator: Option<Operator>,
    /// Whether it is killed at all.
    can_die: bool,
    kills: usize,
}

impl Mortal {
    async fn dies(&mut self) -> Result<()> {
        if let Some(operator) = self.operator.take_if(|_| self.can_die) {
            operator.kill().await?;
            self.kills += 1;
            // The same name holds the same lease: there is nothing to wait for.
            let mut next = self.launch.spawn()?;
            next.leads().await?;
            self.operator = Some(next);
        }
        Ok(())
    }
}

/// A rollout whose tasks fail one after the other until the circuit breaker takes it back. With `is_killed` the operator is
/// killed at ten moments of it: after the record was made; for each of four failures, before it sees it and as soon as it
/// has counted it; and when the way back has begun. Answers with the records.
async fn failing_rollout(cluster: &Cluster, name: &str, is_killed: bool) -> Result<Vec<Outcome>> {
    const FAILURES: i64 = 4;
    let launch = launch(cluster, name).await?;
    let mut left = Vec::new();
    Scenario::run_in(with_logs(cluster, vec![launch.log()])?, name, async |scenario| {
        // Another rollout has an operator of its own at the same time.
        let launch = launch.clone().only(name, &[scenario.namespace()]);
        let mut operator = launch.spawn()?;
        operator.leads().await?;
        let mut mortal = Mortal { launch, operator: Some(operator), can_die: is_killed, kills: 0 };
        let service = with(manifest::service("web", 2), breaker(true, ("COUNT", FAILURES)));
        let web = || manifest::task_definition("web");
        scenario.given([manifest::cluster("main", &[]), web(), with(service, percents(100, 200))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample("web", Bounds::of(2, (100, 200)));

        scenario.when_applied([with(revised(web(), "2"), manifest::fate(fate::START_DELAY, HELD))]).await?;
        let then = scenario.then_within(60);
        let of = |count: usize| move |records: &[Record]| (records.len() == count).then_some(());
        then.the_service("web").has_records("there are two deployments", of(2)).await?;
        mortal.dies().await?;
        for count in 1..=FAILURES {
            then.next_task("web", "web:2", Some((fate::START_ERROR, "no such file"))).await?;
            mortal.dies().await?;
            let counts = |records: &[Record]| records.get(1).filter(|second| second.failures == count).map(|_| ());
            then.the_service("web").has_records(&format!("counts {count}"), counts).await?;
            mortal.dies().await?;
        }
        then.the_service("web").has_records("there are three deployments", of(3)).await?;
        mortal.dies().await?;
        then.the_service("web").has_deployment("web:2", "ROLLBACK_SUCCESSFUL").await?;
        then.the_service("web").is_back_on("web:1").await?;
        sampler.verdict()?;
        left = outcome(&scenario.records("web"));
        ensure!(mortal.kills == if is_killed { 10 } else { 0 }, "it was killed {} times", mortal.kills);
        if let Some(operator) = mortal.operator {
            ensure!(operator.terminate().await?.success());
        }
        Ok(())
    })
    .await?;
    Ok(left)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_operator_is_killed_at_ten_moments_of_a_failing_rollout_then_its_records_are_those_of_a_quiet_one()
-> Result<()> {
    let cluster = cluster().await?;
    let (quiet, killed) =
        tokio::try_join!(failing_rollout(cluster, "quiet", false), failing_rollout(cluster, "ten-times", true))?;
    ensure!(quiet.len() == 3, "{quiet:?}");
    ensure!(killed == quiet, "with kills {killed:?}\nwithout   {quiet:?}");
    Ok(())
}
