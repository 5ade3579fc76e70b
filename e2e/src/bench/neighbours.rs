//! How fast the operator reacts to one tenant while another keeps it as busy as it can.
//!
//! A user changes the count of a service, and the clock runs until a watch sees the count in its Deployment. This is done many
//! times in quiet, and as often while another namespace changes services without a pause, each of which has as many regular
//! expressions as a service may have. Beside each change stands an echo: a ConfigMap that is changed and seen, which the
//! operator has no part in. What the echo loses is lost to the server and the machine.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::load::{self, CONCURRENCY, service_name};
use super::report::decimal;
use crate::cluster::{Cluster, Options};
use crate::operator::{self, Launch};
use crate::progress;
use crate::scenario::kinds::Known;
use crate::scenario::manifest;

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's binary.
    pub program: PathBuf,
    /// Services of the tenant that attacks.
    pub services: usize,
    /// Changes that are timed in each turn.
    pub changes: usize,
    /// Turns in quiet and under attack.
    pub rounds: usize,
    /// Leave the cluster's folder.
    pub keep: bool,
}

/// Times under attack beside those in quiet, in hundredths.
const MOST_RATIO: u128 = 150;
/// Nothing takes this long unless something is wrong.
const LIMIT: Duration = Duration::from_mins(2);
/// Between two changes, so that one is over before the next.
const PAUSE: Duration = Duration::from_millis(400);
/// How long an attack lasts before anything is timed, and how long it is over.
const SETTLES: Duration = Duration::from_secs(5);
const VICTIM: &str = "victim";
const ATTACKER: &str = "attacker";
const NAME: &str = "web";

/// Measures and prints.
///
/// # Errors
/// When a cluster cannot be started or a change is never seen. A missed goal is no error.
pub async fn run(settings: Settings) -> Result<()> {
    let cluster = Cluster::start(Options { metrics: false, keep_folder: settings.keep, ..Options::default() }).await?;
    operator::install_charts(&cluster).await?;
    let launch = Launch { program: settings.program.clone(), ..Launch::installed(&cluster, "bench").await? };
    let mut operator = launch.spawn()?;
    operator.leads().await?;
    let client = cluster.client()?;
    let mut victim = Victim::new(&client).await?;
    let step = progress::step("creating the services of the tenant that attacks");
    load::prepare(&client, ATTACKER).await?;
    for index in 0..settings.services {
        load::create(&client, ATTACKER, dear(&service_name(index))).await?;
    }
    tokio::time::sleep(SETTLES).await;
    step.done();
    let mut rounds = Vec::new();
    for number in 1..=settings.rounds {
        // Who comes first changes, so that whatever grows during the run favours neither.
        let is_quiet_first = number % 2 == 1;
        let first = victim.turn(&settings, is_quiet_first).await?;
        let second = victim.turn(&settings, !is_quiet_first).await?;
        let (quiet, attacked) = if is_quiet_first { (first, second) } else { (second, first) };
        progress::note(format!("round {number}: {} changes by the other tenant", attacked.attacks));
        rounds.push(Round { quiet, attacked });
    }
    operator.terminate().await?;
    println!("\n{}", Report { rounds });
    Ok(())
}

/// A service with as many regular expressions as it may have, and no task.
fn dear(name: &str) -> Value {
    let expression = |number: usize| json!({ "type": "memberOf", "expression": format!(r"attribute:a{number} =~ [\w.-]{{{number},90}}x+") });
    let constraints: Vec<Value> = (1..=8).map(expression).collect();
    manifest::with(manifest::service(name, 0), json!({ "taskDefinition": NAME, "placementConstraints": constraints }))
}

/// One tenant, who changes one service.
struct Victim {
    client: Client,
    service: Api<DynamicObject>,
    echo: Api<DynamicObject>,
    replicas: Seen,
    echoed: Seen,
    count: i64,
}

impl Victim {
    async fn new(client: &Client) -> Result<Self> {
        load::prepare(client, VICTIM).await?;
        load::create(client, VICTIM, manifest::service(NAME, 1)).await?;
        let echo = Known::find("ConfigMap")?.api(client, VICTIM);
        let object =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": NAME }, "data": { "count": "1" } });
        echo.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        let number = |object: &DynamicObject, pointer: &str| {
            let value = object.data.pointer(pointer)?;
            value.as_i64().or_else(|| value.as_str()?.parse().ok())
        };
        let deployments = Known::find("Deployment")?.api(client, VICTIM);
        let mut replicas = Seen::watch(deployments, move |object| number(object, "/spec/replicas"));
        let mut echoed = Seen::watch(echo.clone(), move |object| number(object, "/data/count"));
        replicas.wait(1).await.context("the service has no Deployment")?;
        echoed.wait(1).await?;
        let service = Known::find("ECSService")?.api(client, VICTIM);
        Ok(Self { client: client.clone(), service, echo, replicas, echoed, count: 1 })
    }

    /// Some changes, in quiet or under attack.
    async fn turn(&mut self, settings: &Settings, is_quiet: bool) -> Result<Turn> {
        let what = if is_quiet { "timing changes in quiet" } else { "timing changes under attack" };
        let step = progress::step(what);
        let attack = (!is_quiet).then(|| Attack::begin(&self.client, settings.services));
        tokio::time::sleep(SETTLES).await;
        let mut turn = Turn::default();
        for _ in 0..settings.changes {
            self.count = if self.count == 1 { 2 } else { 1 };
            let echo = json!({ "data": { "count": self.count.to_string() } });
            turn.echoes.push(timed(&self.echo, &echo, &mut self.echoed, self.count).await?);
            let change = json!({ "spec": { "desiredCount": self.count } });
            turn.reactions.push(timed(&self.service, &change, &mut self.replicas, self.count).await?);
            tokio::time::sleep(PAUSE).await;
        }
        turn.attacks = attack.map_or(0, |attack| attack.made.load(Ordering::Relaxed));
        tokio::time::sleep(SETTLES).await;
        step.done();
        Ok(turn)
    }
}

/// From a change until it is seen.
async fn timed(api: &Api<DynamicObject>, change: &Value, seen: &mut Seen, count: i64) -> Result<Duration> {
    let begun = Instant::now();
    api.patch(NAME, &PatchParams::default(), &Patch::Merge(change)).await?;
    Ok(seen.wait(count).await?.duration_since(begun))
}

/// The last number that a watch has shown, and when.
struct Seen(watch::Receiver<(i64, Instant)>, AbortHandle);

impl Seen {
    fn watch(api: Api<DynamicObject>, number: impl Fn(&DynamicObject) -> Option<i64> + Send + 'static) -> Self {
        let (sender, receiver) = watch::channel((0, Instant::now()));
        let task = tokio::spawn(async move {
            let mut objects = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
            while let Some(object) = objects.next().await {
                // The watcher tries again by itself.
                if let Some(number) = object.ok().as_ref().and_then(&number) {
                    sender.send_replace((number, Instant::now()));
                }
            }
        });
        Self(receiver, task.abort_handle())
    }

    async fn wait(&mut self, wanted: i64) -> Result<Instant> {
        match tokio::time::timeout(LIMIT, self.0.wait_for(|(number, _)| *number == wanted)).await {
            Ok(Ok(seen)) => Ok(seen.1),
            _ => bail!("{wanted} was not seen within {} s", LIMIT.as_secs()),
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.1.abort();
    }
}

/// Another tenant, who changes services without a pause until this is dropped.
struct Attack {
    made: std::sync::Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Attack {
    fn begin(client: &Client, services: usize) -> Self {
        let made = std::sync::Arc::<AtomicUsize>::default();
        let mut tasks = JoinSet::new();
        for worker in 0..CONCURRENCY {
            let (client, made) = (client.clone(), std::sync::Arc::clone(&made));
            tasks.spawn(async move {
                let Ok(kind) = Known::find("ECSService") else { return };
                let api = kind.api(&client, ATTACKER);
                for index in (worker..services).step_by(CONCURRENCY).cycle() {
                    let grace = made.fetch_add(1, Ordering::Relaxed) % 1000;
                    let change = Patch::Merge(json!({ "spec": { "healthCheckGracePeriodSeconds": grace } }));
                    // One that the server is too busy for is made again.
                    let _ = api.patch(&service_name(index), &PatchParams::default(), &change).await;
                }
            });
        }
        Self { made, _tasks: tasks }
    }
}

/// Times of one turn.
#[derive(Default)]
struct Turn {
    reactions: Vec<Duration>,
    echoes: Vec<Duration>,
    /// Changes that the other tenant made meanwhile.
    attacks: usize,
}

struct Round {
    quiet: Turn,
    attacked: Turn,
}

struct Report {
    rounds: Vec<Round>,
}

impl Report {
    /// All times of one sort, in order.
    fn times(&self, of: fn(&Round) -> &Vec<Duration>) -> Vec<u128> {
        let mut all: Vec<u128> = self.rounds.iter().flat_map(of).map(Duration::as_micros).collect();
        all.sort_unstable();
        all
    }

    fn line(
        &self,
        formatter: &mut fmt::Formatter<'_>,
        what: &str,
        quiet: fn(&Round) -> &Vec<Duration>,
        attacked: fn(&Round) -> &Vec<Duration>,
    ) -> fmt::Result {
        for (name, percent) in [("median", 50), ("nine of ten", 90)] {
            let at = |times: &[u128]| times.get(times.len() * percent / 100).copied().unwrap_or_default();
            let (quiet, attacked) = (at(&self.times(quiet)), at(&self.times(attacked)));
            let ratio = decimal(attacked * 100 / quiet.max(1));
            let millis = |micros: u128| format!("{} ms", decimal(micros / 10));
            writeln!(formatter, "| {what}, {name} | {} | {} | {ratio} |", millis(quiet), millis(attacked))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "| Time | Quiet | Under attack | Ratio (goal {}) |", decimal(MOST_RATIO))?;
        writeln!(formatter, "|---|---|---|---|")?;
        self.line(formatter, "Reaction", |round| &round.quiet.reactions, |round| &round.attacked.reactions)?;
        self.line(formatter, "Echo of the server", |round| &round.quiet.echoes, |round| &round.attacked.echoes)?;
        let attacks: usize = self.rounds.iter().map(|round| round.attacked.attacks).sum();
        writeln!(formatter, "\n{attacks} changes by the other tenant.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_change_takes_twice_as_long_under_attack_then_the_ratio_says_so() {
        let turn = |reaction: u64, attacks: usize| Turn {
            reactions: vec![Duration::from_millis(reaction); 10],
            echoes: vec![Duration::from_millis(5); 10],
            attacks,
        };
        let text = Report { rounds: vec![Round { quiet: turn(20, 0), attacked: turn(40, 7) }] }.to_string();
        assert!(text.contains("| Reaction, median | 20.00 ms | 40.00 ms | 2.00 |"), "{text}");
        assert!(text.contains("| Echo of the server, nine of ten | 5.00 ms | 5.00 ms | 1.00 |"), "{text}");
        assert!(text.contains("7 changes by the other tenant"), "{text}");
    }
}
