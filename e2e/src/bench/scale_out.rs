//! How fast one service grows to many tasks, beside a plain Deployment that is scaled with the same pods.
//!
//! On one fresh cluster with one operator, in turns: a service at 0 tasks is scaled as `kubectl scale` does it, and so are two
//! Deployments with the pod template that the operator made for the service. One has nothing else. The other has what the
//! service has: a Service and a `PodDisruptionBudget` in front of the same pods, which Kubernetes' own controllers keep up
//! with, whoever made them. The operator runs in all turns; the Deployments have none of its labels, so it looks on and does
//! nothing. The clock stops when a watch has seen every pod ready.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service, ServiceSpec};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::audit::{self, Mark};
use super::load;
use super::processor::{Processes, Spent, between};
use super::report::{decimal, median, tenths};
use crate::cluster::nodes::{NodeTemplate, ZONES};
use crate::cluster::{ClientLimits, Cluster, Nodes, Options, until};
use crate::operator::{self, Launch, USER};
use crate::progress;
use crate::scenario::kinds::Known;
use crate::scenario::manifest;
use crate::scenario::sampler::SERVICE;

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's binary.
    pub program: PathBuf,
    /// Tasks to which the service grows.
    pub tasks: usize,
    /// Turns of operator and Deployment.
    pub rounds: usize,
    /// How fast Kubernetes' own controllers may be.
    pub limits: ClientLimits,
    /// Leave the cluster's folder.
    pub keep: bool,
}

/// Nothing takes this long unless something is wrong.
const LIMIT: Duration = Duration::from_mins(20);

/// More writes of the operator than this are too many.
const MOST_WRITES: usize = 60;

/// Longer than this, in hundredths of the Deployment's time, is too long.
const MOST_RATIO: u128 = 105;

/// Label and name of the Deployment that has nothing else.
const BARE: &str = "bare";
/// Label and name of the one with a Service and a `PodDisruptionBudget`.
const SERVED: &str = "served";

/// One turn of each.
struct Round {
    operator: Turn,
    bare: Turn,
    served: Turn,
    /// Until the service's status says that all tasks run.
    told: Duration,
    writes: BTreeMap<String, usize>,
}

/// One scale-out.
struct Turn {
    /// Until all pods were ready.
    time: Duration,
    /// Who used the processors meanwhile.
    spent: Spent,
}

/// Measures and prints.
///
/// # Errors
/// When a cluster cannot be started or something never gets ready. A missed goal is no error.
pub async fn run(settings: Settings) -> Result<()> {
    let templates = ZONES.iter().chain(&ZONES).enumerate();
    let pods = u32::try_from(settings.tasks / 3 + 50)?;
    let nodes = templates
        .map(|(index, zone)| NodeTemplate::new(&format!("node-{}", index + 1), zone).size("1000", "1Ti", pods));
    let nodes = Nodes::Kwok(nodes.collect());
    let (limits, keep_folder) = (settings.limits, settings.keep);
    let options = Options { nodes, metrics: false, limits, keep_folder, ..Options::default() };
    let cluster = Cluster::start(options).await?;
    operator::install_charts(&cluster).await?;
    let launch = Launch { program: settings.program.clone(), ..Launch::installed(&cluster, "bench").await? };
    let mut operator = launch.spawn()?;
    operator.leads().await?;
    let processes = Processes::of(&cluster, &operator)?;
    let bench = Bench { client: cluster.client()?, log: cluster.audit_log()?, tasks: settings.tasks, processes };

    let mut rounds = Vec::new();
    for number in 1..=settings.rounds {
        let namespace = format!("scale-out-{number}");
        bench.prepare(&namespace).await?;
        // Who comes first changes, so that whatever grows during the run favours nobody.
        let (operator, bare, served);
        if number % 2 == 1 {
            operator = bench.operator(&namespace, number).await?;
            served = bench.deployment(&namespace, number, SERVED).await?;
            bare = bench.deployment(&namespace, number, BARE).await?;
        } else {
            bare = bench.deployment(&namespace, number, BARE).await?;
            served = bench.deployment(&namespace, number, SERVED).await?;
            operator = bench.operator(&namespace, number).await?;
        }
        let (operator, told, writes) = operator;
        rounds.push(Round { operator, bare, served, told, writes });
        load::remove(&bench.client, &namespace).await?;
    }
    ensure!(operator.terminate().await?.success(), "the operator did not end well");
    println!("\n{}", Report { tasks: settings.tasks, rounds });
    Ok(())
}

struct Bench {
    /// Rights of an administrator: the users.
    client: Client,
    log: PathBuf,
    tasks: usize,
    processes: Processes,
}

impl Bench {
    /// A steady service with 0 tasks, and Deployments with 0 pods of the same kind.
    async fn prepare(&self, namespace: &str) -> Result<()> {
        let step = progress::step("preparing a service and two Deployments at 0");
        load::prepare(&self.client, namespace).await?;
        let services = Known::find("ECSService")?.api(&self.client, namespace);
        services.create(&PostParams::default(), &serde_json::from_value(manifest::service("web", 0))?).await?;
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let ours = ListParams::default().labels(&format!("{SERVICE}=web"));
        let made = until("the service has its Deployment", LIMIT, async || {
            Ok(deployments.list(&ours).await?.items.into_iter().next())
        });
        let made = serde_json::to_value(made.await?)?;
        for name in [BARE, SERVED] {
            let deployment = plain(&made, name)?;
            deployments.create(&PostParams::default(), &serde_json::from_value(deployment)?).await?;
        }
        self.quiet().await?;
        let budgets: Api<PodDisruptionBudget> = Api::namespaced(self.client.clone(), namespace);
        let mut budget = PodDisruptionBudget { spec: budgets.get("web").await?.spec, ..PodDisruptionBudget::default() };
        budget.metadata.name = Some(SERVED.to_owned());
        let select = || BTreeMap::from([("app".to_owned(), SERVED.to_owned())]);
        if let Some(spec) = &mut budget.spec {
            spec.selector = Some(LabelSelector { match_labels: Some(select()), ..LabelSelector::default() });
        }
        budgets.create(&PostParams::default(), &budget).await?;
        let services: Api<Service> = Api::namespaced(self.client.clone(), namespace);
        let ports = services.get("web").await?.spec.and_then(|spec| spec.ports);
        let spec = ServiceSpec { ports, selector: Some(select()), ..ServiceSpec::default() };
        let mut service = Service { spec: Some(spec), ..Service::default() };
        service.metadata.name = Some(SERVED.to_owned());
        services.create(&PostParams::default(), &service).await?;
        step.done();
        Ok(())
    }

    /// Until the operator has written nothing for three seconds.
    async fn quiet(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let mark = Mark::now(&self.log)?;
            tokio::time::sleep(Duration::from_secs(3)).await;
            if mark.requests(USER)?.iter().all(|request| !is_counted(request)) {
                return Ok(());
            }
            ensure!(begun.elapsed() < LIMIT, "the operator never stops writing: its log says why");
        }
    }

    async fn operator(&self, namespace: &str, round: usize) -> Result<(Turn, Duration, BTreeMap<String, usize>)> {
        let step = progress::step(format!("round {round}: service"));
        let services = Known::find("ECSService")?.api(&self.client, namespace);
        let ready = Ready::watch(&self.client, namespace, &format!("{SERVICE}=web"));
        let mark = Mark::now(&self.log)?;
        let (before, begun) = (self.processes.spent()?, Instant::now());
        services.patch_scale("web", &PatchParams::default(), &scale(self.tasks)).await?;
        let all = ready.wait(self.tasks, begun).await?;
        let spent = between(&before, &self.processes.spent()?);
        let wanted = i64::try_from(self.tasks)?;
        let told = until("the service says that all tasks run", LIMIT, async || {
            let service = services.get("web").await?;
            let running = service.data.pointer("/status/runningCount").and_then(Value::as_i64);
            Ok((running == Some(wanted)).then(|| begun.elapsed()))
        })
        .await?;
        self.quiet().await?;
        let requests = mark.requests(USER)?;
        let writes = audit::count(requests.iter().filter(|request| is_counted(request)));
        services.patch_scale("web", &PatchParams::default(), &scale(0)).await?;
        self.empty(namespace).await?;
        step.done_with(format!("{:.2} s, {} writes", all.as_secs_f64(), writes.values().sum::<usize>()));
        Ok((Turn { time: all, spent }, told, writes))
    }

    async fn deployment(&self, namespace: &str, round: usize, name: &str) -> Result<Turn> {
        let step = progress::step(format!("round {round}: Deployment, {name}"));
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let ready = Ready::watch(&self.client, namespace, &format!("app={name}"));
        let (before, begun) = (self.processes.spent()?, Instant::now());
        deployments.patch_scale(name, &PatchParams::default(), &scale(self.tasks)).await?;
        let all = ready.wait(self.tasks, begun).await?;
        let spent = between(&before, &self.processes.spent()?);
        deployments.patch_scale(name, &PatchParams::default(), &scale(0)).await?;
        self.empty(namespace).await?;
        step.done_with(format!("{:.2} s", all.as_secs_f64()));
        Ok(Turn { time: all, spent })
    }

    /// Until no pod is left and the operator is quiet. With the limits of Kubernetes its controllers would need another minute
    /// for that, which nobody measures.
    async fn empty(&self, namespace: &str) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let replicas = |set: &ReplicaSet| set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default();
        let sets: Api<ReplicaSet> = Api::namespaced(self.client.clone(), namespace);
        until("nobody wants a pod", LIMIT, async || {
            let sets = sets.list(&ListParams::default()).await?.items;
            ensure!(sets.iter().all(|set| replicas(set) == 0), "a ReplicaSet does");
            Ok(Some(()))
        })
        .await?;
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        pods.delete_collection(&at_once, &ListParams::default()).await?;
        until("no pod is left", LIMIT, async || {
            let left = pods.list_metadata(&ListParams::default().limit(1)).await?.items;
            ensure!(left.is_empty(), "there are some");
            Ok(Some(()))
        })
        .await?;
        self.quiet().await
    }
}

fn scale(count: usize) -> Patch<Value> {
    Patch::Merge(json!({ "spec": { "replicas": count } }))
}

/// What counts as a write of the operator: neither leader election nor what was refused.
fn is_counted(request: &audit::Request) -> bool {
    request.is_write() && request.succeeded() && request.resource() != "leases"
}

/// The Deployment with the same pods under labels of its own, so that nobody takes them for tasks.
fn plain(made: &Value, name: &str) -> Result<Value> {
    let mut spec = made.pointer("/spec").cloned().context("a Deployment without spec")?;
    let labels = json!({ "app": name });
    for (pointer, value) in [("/replicas", json!(0)), ("/selector", json!({ "matchLabels": labels }))] {
        spec.as_object_mut().context("no map")?.insert(pointer.trim_start_matches('/').to_owned(), value);
    }
    let own = spec.pointer("/template/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(metadata) = spec.pointer_mut("/template/metadata").and_then(Value::as_object_mut) {
        metadata.insert("labels".to_owned(), labels.clone());
    }
    // Rules about neighbours name their labels; they have to go on to mean the pods of this Deployment.
    let mut text = spec.to_string();
    for (name, value) in own {
        text = text.replace(&json!({ name: value }).to_string(), &labels.to_string());
    }
    let spec: Value = serde_json::from_str(&text)?;
    Ok(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name }, "spec": spec }))
}

/// Counts the ready pods of a selector.
struct Ready(tokio::task::JoinHandle<()>, tokio::sync::watch::Receiver<(usize, Instant)>);

impl Ready {
    fn watch(client: &Client, namespace: &str, selector: &str) -> Self {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let (sender, receiver) = tokio::sync::watch::channel((0, Instant::now()));
        let config = watcher::Config::default().labels(selector);
        let task = tokio::spawn(async move {
            let mut ready = BTreeSet::new();
            let mut objects = watcher(pods, config).default_backoff().applied_objects().boxed();
            while let Some(pod) = objects.next().await {
                // The watcher tries again by itself.
                let Ok(pod) = pod else { continue };
                if is_ready(&pod) && ready.insert(pod.name_any()) {
                    sender.send_replace((ready.len(), Instant::now()));
                }
            }
        });
        Self(task, receiver)
    }

    async fn wait(mut self, count: usize, begun: Instant) -> Result<Duration> {
        let waited = tokio::time::timeout(LIMIT, self.1.wait_for(|(ready, _)| *ready >= count)).await;
        let at = waited.ok().and_then(|seen| seen.ok().map(|seen| seen.1));
        let Some(at) = at else {
            bail!("only {} of {count} pods were ready after {} s", self.1.borrow().0, LIMIT.as_secs());
        };
        self.0.abort();
        Ok(at.duration_since(begun))
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

struct Report {
    tasks: usize,
    rounds: Vec<Round>,
}

impl Report {
    fn ratio(&self, other: fn(&Round) -> &Turn) -> String {
        ratios(&self.rounds, |round| &round.operator, other)
    }
}

/// The median of the rounds, then all of them: `1.04 (1.06, 1.04, 1.02)`.
fn ratios(rounds: &[Round], one: fn(&Round) -> &Turn, other: fn(&Round) -> &Turn) -> String {
    let ratio = |round: &Round| one(round).time.as_millis() * 100 / other(round).time.as_millis().max(1);
    let all: Vec<_> = rounds.iter().map(ratio).collect();
    let listed = all.iter().map(|ratio| decimal(*ratio)).collect::<Vec<_>>().join(", ");
    format!("{} ({listed})", median(all).map_or_else(String::new, decimal))
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.rounds.iter().map(|round| round.writes.values().sum::<usize>());
        let most = counts.max().unwrap_or_default();
        writeln!(formatter, "| Measure | Goal | Result |\n|---|---|---|")?;
        let (tasks, goal) = (self.tasks, decimal(MOST_RATIO));
        let (bare, served) = (self.ratio(|round| &round.bare), self.ratio(|round| &round.served));
        writeln!(
            formatter,
            "| Service / Deployment with Service and budget, 0 to {tasks} ready | ≤ {goal} | {served} |"
        )?;
        writeln!(formatter, "| Service / Deployment alone | | {bare} |")?;
        let dressed = ratios(&self.rounds, |round| &round.served, |round| &round.bare);
        writeln!(formatter, "| Deployment with Service and budget / Deployment alone | | {dressed} |")?;
        writeln!(formatter, "| Writes of the operator meanwhile, most of a round | ≤ {MOST_WRITES} | {most} |")?;
        writeln!(formatter, "\n| Round | Service | Deployment with both | Deployment alone | Status tells all |")?;
        writeln!(formatter, "|---|---|---|---|---|")?;
        for (index, round) in self.rounds.iter().enumerate() {
            let cells = [round.operator.time, round.served.time, round.bare.time, round.told]
                .map(|time| format!("{} s", tenths(u64::try_from(time.as_millis()).unwrap_or_default(), 1000)));
            writeln!(formatter, "| {} | {} |", index + 1, cells.join(" | "))?;
        }
        let lines: BTreeSet<&String> = self.rounds.iter().flat_map(|round| round.writes.keys()).collect();
        writeln!(formatter, "\n| Write of the operator | Count per round |\n|---|---|")?;
        for line in lines {
            let counts =
                self.rounds.iter().map(|round| round.writes.get(line).copied().unwrap_or_default().to_string());
            writeln!(formatter, "| {line} | {} |", counts.collect::<Vec<_>>().join(", "))?;
        }
        writeln!(formatter, "\n| Processor time, in the order above | Per round |\n|---|---|")?;
        let names: BTreeSet<&String> = self.rounds.iter().flat_map(|round| round.operator.spent.keys()).collect();
        for name in names {
            let seconds = |turn: &Turn| tenths(turn.spent.get(name).copied().unwrap_or_default(), 1000);
            let cells = self.rounds.iter().map(|round| {
                let [operator, served, bare] = [&round.operator, &round.served, &round.bare].map(seconds);
                format!("{operator} / {served} / {bare} s")
            });
            writeln!(formatter, "| {name} | {} |", cells.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_deployment_is_copied_then_its_pods_have_other_labels_and_all_else_is_the_same() {
        let made = json!({ "spec": {
            "replicas": 7,
            "selector": { "matchLabels": { "ecs-operator.dev/service": "web" } },
            "template": {
                "metadata": { "labels": { "ecs-operator.dev/service": "web", "x": "y" }, "annotations": { "a": "b" } },
                "spec": {
                    "containers": [{ "name": "app" }],
                    "topologySpreadConstraints": [{ "labelSelector": { "matchLabels": { "ecs-operator.dev/service": "web" } } }],
                },
            },
        } });
        let copy = plain(&made, "plain").unwrap();
        assert_eq!(copy["spec"]["replicas"], 0);
        assert_eq!(copy["spec"]["selector"], json!({ "matchLabels": { "app": "plain" } }));
        assert_eq!(copy["spec"]["template"]["metadata"]["labels"], json!({ "app": "plain" }));
        assert_eq!(copy["spec"]["template"]["metadata"]["annotations"], json!({ "a": "b" }));
        let spread = &copy["spec"]["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"];
        assert_eq!(*spread, json!({ "matchLabels": { "app": "plain" } }));
    }

    #[test]
    fn when_the_service_takes_longer_then_the_ratio_is_above_one() {
        let turn = |millis: u64| Turn {
            time: Duration::from_millis(millis),
            spent: Spent::from([("etcd".to_owned(), millis / 4)]),
        };
        let round = Round {
            operator: turn(10_400),
            bare: turn(8_000),
            served: turn(10_000),
            told: Duration::from_secs(11),
            writes: BTreeMap::from([("patch deployments".to_owned(), 3)]),
        };
        let text = Report { tasks: 1000, rounds: vec![round] }.to_string();
        assert!(text.contains("| ≤ 1.05 | 1.04 (1.04) |"), "{text}");
        assert!(text.contains("| patch deployments | 3 |"), "{text}");
        assert!(text.contains("| etcd | 2.6 / 2.5 / 2.0 s |"), "{text}");
    }
}
