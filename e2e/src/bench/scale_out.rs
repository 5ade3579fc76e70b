//! How fast one service grows to many tasks, beside a plain Deployment that is scaled with the same pods.
//!
//! On one fresh cluster with one operator, in turns: a service at 0 tasks is scaled as `kubectl scale` does it, and so is a
//! Deployment with the pod template that the operator made for the service. The operator runs in both turns; the Deployment
//! has none of its labels, so it looks on and does nothing. The clock stops when a watch has seen every pod ready.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::audit::{self, Mark};
use super::load;
use super::report::{decimal, median, tenths};
use crate::cluster::nodes::{NodeTemplate, ZONES};
use crate::cluster::{Cluster, Nodes, Options, until};
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
    /// Leave the cluster's folder.
    pub keep: bool,
}

/// Nothing takes this long unless something is wrong.
const LIMIT: Duration = Duration::from_mins(20);

/// More writes of the operator than this are too many.
const MOST_WRITES: usize = 60;

/// Longer than this, in hundredths of the Deployment's time, is too long.
const MOST_RATIO: u128 = 105;

/// The label by which the pods of the plain Deployment are found.
const PLAIN: &str = "plain";

/// One turn of each.
struct Round {
    operator: Duration,
    plain: Duration,
    /// Until the service's status says that all tasks run.
    told: Duration,
    writes: BTreeMap<String, usize>,
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
    let cluster =
        Cluster::start(Options { nodes, metrics: false, keep_folder: settings.keep, ..Options::default() }).await?;
    operator::install_charts(&cluster).await?;
    let launch = Launch { program: settings.program.clone(), ..Launch::installed(&cluster, "bench").await? };
    let mut operator = launch.spawn()?;
    operator.leads().await?;
    let bench = Bench { client: cluster.client()?, log: cluster.audit_log()?, tasks: settings.tasks };

    let mut rounds = Vec::new();
    for number in 1..=settings.rounds {
        let namespace = format!("scale-out-{number}");
        bench.prepare(&namespace).await?;
        // Who comes first changes, so that whatever grows during the run favours neither.
        let round = if number % 2 == 1 {
            let (operator, told, writes) = bench.operator(&namespace, number).await?;
            Round { operator, told, writes, plain: bench.plain(&namespace, number).await? }
        } else {
            let plain = bench.plain(&namespace, number).await?;
            let (operator, told, writes) = bench.operator(&namespace, number).await?;
            Round { operator, plain, told, writes }
        };
        rounds.push(round);
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
}

impl Bench {
    /// A steady service with 0 tasks, and a plain Deployment with 0 pods of the same kind.
    async fn prepare(&self, namespace: &str) -> Result<()> {
        let step = progress::step("preparing a service and a Deployment at 0");
        load::prepare(&self.client, namespace).await?;
        let services = Known::find("ECSService")?.api(&self.client, namespace);
        services.create(&PostParams::default(), &serde_json::from_value(manifest::service("web", 0))?).await?;
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let ours = ListParams::default().labels(&format!("{SERVICE}=web"));
        let made = until("the service has its Deployment", LIMIT, async || {
            Ok(deployments.list(&ours).await?.items.into_iter().next())
        });
        let plain = plain(&serde_json::to_value(made.await?)?)?;
        deployments.create(&PostParams::default(), &serde_json::from_value(plain)?).await?;
        self.quiet().await?;
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

    async fn operator(&self, namespace: &str, round: usize) -> Result<(Duration, Duration, BTreeMap<String, usize>)> {
        let step = progress::step(format!("round {round}: service"));
        let services = Known::find("ECSService")?.api(&self.client, namespace);
        let ready = Ready::watch(&self.client, namespace, &format!("{SERVICE}=web"));
        let mark = Mark::now(&self.log)?;
        let begun = Instant::now();
        services.patch_scale("web", &PatchParams::default(), &scale(self.tasks)).await?;
        let all = ready.wait(self.tasks, begun).await?;
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
        Ok((all, told, writes))
    }

    async fn plain(&self, namespace: &str, round: usize) -> Result<Duration> {
        let step = progress::step(format!("round {round}: Deployment"));
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let ready = Ready::watch(&self.client, namespace, &format!("app={PLAIN}"));
        let begun = Instant::now();
        deployments.patch_scale(PLAIN, &PatchParams::default(), &scale(self.tasks)).await?;
        let all = ready.wait(self.tasks, begun).await?;
        deployments.patch_scale(PLAIN, &PatchParams::default(), &scale(0)).await?;
        self.empty(namespace).await?;
        step.done_with(format!("{:.2} s", all.as_secs_f64()));
        Ok(all)
    }

    /// Until no pod is left and the operator is quiet.
    async fn empty(&self, namespace: &str) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
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
fn plain(made: &Value) -> Result<Value> {
    let mut spec = made.pointer("/spec").cloned().context("a Deployment without spec")?;
    let labels = json!({ "app": PLAIN });
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
    Ok(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": PLAIN }, "spec": spec }))
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

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = |round: &Round| round.operator.as_millis() * 100 / round.plain.as_millis().max(1);
        let ratios: Vec<_> = self.rounds.iter().map(ratio).collect();
        let all = ratios.iter().map(|ratio| decimal(*ratio)).collect::<Vec<_>>().join(", ");
        let middle = median(ratios).map_or_else(String::new, decimal);
        let counts = self.rounds.iter().map(|round| round.writes.values().sum::<usize>());
        let most = counts.max().unwrap_or_default();
        writeln!(formatter, "| Measure | Goal | Result |\n|---|---|---|")?;
        let (tasks, goal) = (self.tasks, decimal(MOST_RATIO));
        writeln!(formatter, "| Service / Deployment, 0 to {tasks} ready, median | ≤ {goal} | {middle} ({all}) |")?;
        writeln!(formatter, "| Writes of the operator meanwhile, most of a round | ≤ {MOST_WRITES} | {most} |")?;
        writeln!(formatter, "\n| Round | Service | Deployment | Status tells all |\n|---|---|---|---|")?;
        for (index, round) in self.rounds.iter().enumerate() {
            let cells = [round.operator, round.plain, round.told]
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
        let copy = plain(&made).unwrap();
        assert_eq!(copy["spec"]["replicas"], 0);
        assert_eq!(copy["spec"]["selector"], json!({ "matchLabels": { "app": "plain" } }));
        assert_eq!(copy["spec"]["template"]["metadata"]["labels"], json!({ "app": "plain" }));
        assert_eq!(copy["spec"]["template"]["metadata"]["annotations"], json!({ "a": "b" }));
        let spread = &copy["spec"]["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"];
        assert_eq!(*spread, json!({ "matchLabels": { "app": "plain" } }));
    }

    #[test]
    fn when_the_service_takes_longer_then_the_ratio_is_above_one() {
        let round = Round {
            operator: Duration::from_millis(10_400),
            plain: Duration::from_secs(10),
            told: Duration::from_secs(11),
            writes: BTreeMap::from([("patch deployments".to_owned(), 3)]),
        };
        let text = Report { tasks: 1000, rounds: vec![round] }.to_string();
        assert!(text.contains("| ≤ 1.05 | 1.04 (1.04) |"), "{text}");
        assert!(text.contains("| patch deployments | 3 |"), "{text}");
    }
}
