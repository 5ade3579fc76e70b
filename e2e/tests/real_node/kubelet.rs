//! Kubelets that refuse, restart or fall silent.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::{Cluster, Nodes, Options, RealNodes, until};
use e2e::operator::{self, Launch};
use e2e::scenario::condition::is_false;
use e2e::scenario::json::{condition, text};
use e2e::scenario::manifest::{self, and, real_container, real_task_definition};
use e2e::scenario::sampler::{exists, tasks};
use e2e::scenario::task::statuses;
use e2e::scenario::{Environment, Objects, Scenario};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::given_a_task_with;

#[tokio::test(flavor = "multi_thread")]
async fn when_a_kubelet_refuses_a_task_then_the_next_starts_are_paced_and_no_pods_pile_up() -> Result<()> {
    Scenario::run("refused", async |scenario| {
        let setting = json!({ "systemControls": [{ "namespace": "net.unix.max_dgram_qlen", "value": "20" }] });
        let container = and(real_container("app", "app", &["serve", "8080"]), setting);
        given_a_task_with(scenario, "web", &[container], json!({})).await?;
        let throttled = is_false(ConditionType::Ready, Reason::Throttled);
        scenario.then_within(60).the_service("web").has(throttled).await?;
        let (since, mut made) = (Timestamp::now(), BTreeSet::new());
        // Of each that is refused the ReplicaSet makes the next within milliseconds, until it is asked for none. The next start
        // is after 10 and then 20 seconds, and more.
        scenario
            .then_within(90)
            .until("another start after a pause", |objects| {
                let pods = tasks(objects, "web").into_iter();
                made.extend(pods.map(|pod| text(pod, "/metadata/creationTimestamp").to_owned()));
                let latest = made.last().and_then(|time| time.parse::<Timestamp>().ok());
                let is_later = latest.is_some_and(|time| time.duration_since(since).as_secs() >= 8);
                if is_later { Ok(()) } else { Err(format!("{made:?} {since}")) }
            })
            .await?;
        let service = scenario.object("ECSService", "web").context("no service")?;
        let stopped = service.pointer("/status/stoppedTasks").map(Value::to_string).unwrap_or_default();
        ensure!(stopped.contains("forbidden sysctl"), "{stopped}");
        // Without pauses there were pods of every second. Until the ReplicaSet hears that none is wanted, there are some.
        let first = made.first().and_then(|time| time.parse::<Timestamp>().ok()).context("no pod")?;
        let seconds = usize::try_from(Timestamp::now().duration_since(first).as_secs())?;
        ensure!(made.len() * 2 <= seconds, "pods were made at {made:?} within {seconds} s");
        let left = scenario.view().read(|objects| tasks(objects, "web").len());
        ensure!(left <= 40, "{left} pods lie there");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_program_starts_slowly_within_its_start_period_then_nothing_restarts_it() -> Result<()> {
    Scenario::run("slow", async |scenario| {
        let container = and(
            real_container("app", "shell", &["-c", "sleep 45; touch /tmp/ok; exec taskapp serve 8080"]),
            json!({
                "entryPoint": ["/bin/sh"],
                "healthCheck": {
                    "command": ["CMD-SHELL", "test -e /tmp/ok"],
                    "interval": 5,
                    "timeout": 2,
                    "retries": 2,
                    "startPeriod": 60,
                },
            }),
        );
        given_a_task_with(scenario, "web", &[container], json!({})).await?;
        let first = scenario.then_within(90).a_task_of("web").await?;
        scenario.then_within(120).the_service("web").is_steady().await?;
        let pods = scenario.task_uids("web");
        ensure!(pods == [text(&first, "/metadata/uid")], "another task is there: {pods:?}");
        let is_itself = |pod: &Value| statuses(pod).all(|status| status["restartCount"] == 0);
        scenario.then_within(5).pod("web", "it was not restarted", is_itself).await?;
        Ok(())
    })
    .await
}

/// The process of a node's kubelet.
fn kubelet(folder: &Path, node: &str) -> Result<Pid> {
    let configuration = format!("{node}/kubelet.yaml");
    for entry in fs::read_dir("/proc")?.flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        let mut words = command.split('\0');
        if words.next().is_some_and(|program| program.ends_with("/kubelet"))
            && command.contains(&configuration)
            && command.contains(&*folder.to_string_lossy())
        {
            let pid = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
            return pid.context("no process id");
        }
    }
    anyhow::bail!("no kubelet of {node} runs")
}

/// Waits until a node is ready, or ceases to be.
async fn node_is(cluster: &Cluster, node: &str, ready: bool) -> Result<()> {
    let nodes: Api<Node> = Api::all(cluster.client()?);
    until(&format!("{node} is ready: {ready}"), Duration::from_mins(2), async || {
        let conditions = nodes.get(node).await?.status.and_then(|status| status.conditions).unwrap_or_default();
        let is_ready = conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
        Ok((is_ready == ready).then_some(()))
    })
    .await
}

/// Tasks that are ready for everybody who asks, with their nodes.
fn ready(objects: &Objects) -> BTreeSet<(String, String)> {
    let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
    let ready = pods.filter(|pod| condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True"));
    ready.map(|pod| (text(pod, "/metadata/uid").to_owned(), text(pod, "/spec/nodeName").to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_kubelet_restarts_or_falls_silent_for_a_while_then_its_tasks_stay_and_count_only_while_it_speaks()
-> Result<()> {
    let nodes = RealNodes { count: 2, ..RealNodes::default() };
    let options = Options { nodes: Nodes::Real(nodes), metrics: false, ..Options::default() };
    let cluster = Cluster::start(options).await?;
    operator::install_charts(&cluster).await?;
    let mut running = Launch::installed(&cluster, "kubelet").await?.spawn()?;
    running.leads().await?;
    let environment = Environment {
        kubeconfig: cluster.kubeconfig().to_owned(),
        logs: vec![running.log().to_owned()],
        url: None,
        audit_log: None,
        alertmanager: None,
    };
    let folder = cluster.local()?.plan().folder.clone();
    Scenario::run_in(environment, "kubelet", async |scenario| {
        let check = json!({ "command": ["CMD", "/bin/taskapp", "test", "/bin/taskapp"], "interval": 5, "retries": 2 });
        let container = and(real_container("app", "app", &["serve", "8080"]), json!({ "healthCheck": check }));
        scenario.given([manifest::cluster("main", &[]), real_task_definition("web", &[container])]).await?;
        let spread = json!({ "placementStrategy": [{ "type": "spread", "field": "instanceId" }] });
        scenario.given([manifest::with(manifest::service("web", 4), spread)]).await?;
        scenario.then_within(90).the_service("web").is_steady().await?;
        let before = scenario.view().read(ready);
        ensure!(before.iter().any(|(_, node)| node == "node-1"), "{before:?}");

        // Its successor reports every container as not ready until it has run the check again.
        let first = kubelet(&folder, "node-1")?;
        kill_process(first, Signal::KILL)?;
        until("another kubelet runs", Duration::from_secs(30), async || {
            Ok(kubelet(&folder, "node-1").ok().filter(|pid| *pid != first).map(|_| ()))
        })
        .await?;
        node_is(&cluster, "node-1", true).await?;
        let as_before = |objects: &Objects| {
            let now = ready(objects);
            if now == before { Ok(()) } else { Err(format!("{now:?} instead of {before:?}")) }
        };
        scenario.then_within(60).until("the same tasks are ready", as_before).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        ensure!(scenario.view().read(ready) == before, "tasks were replaced");
        let service = scenario.object("ECSService", "web").context("no service")?;
        ensure!(service.pointer("/status/stoppedTasks").is_none_or(|list| list == &json!([])), "{service:#}");

        // Nobody knows whether its tasks still run: they count for nothing, and stay what they are. Kubernetes evicts them after
        // five minutes.
        let silent = kubelet(&folder, "node-1")?;
        kill_process(silent, Signal::STOP)?;
        node_is(&cluster, "node-1", false).await?;
        let not_steady = is_false(ConditionType::Ready, Reason::NotSteady);
        scenario.then_within(60).the_service("web").has(not_steady).await?;
        let elsewhere = before.iter().filter(|(_, node)| node == "node-2").cloned().collect();
        ensure!(scenario.view().read(ready) == elsewhere, "{:?}", scenario.view().read(ready));
        kill_process(silent, Signal::CONT)?;
        node_is(&cluster, "node-1", true).await?;
        scenario.then_within(60).until("the same tasks are ready again", as_before).await?;
        scenario.then_within(60).the_service("web").is_steady().await
    })
    .await?;
    ensure!(running.terminate().await?.success());
    Ok(())
}
