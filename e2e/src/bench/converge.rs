//! How fast many new services get their children and their status, and what it costs.
//!
//! On one fresh cluster: one operator process for memory, writes and rest; then, in turns, the operator and a raw client
//! that writes the same objects and statuses. The raw client has the operator's rights, HTTP settings and concurrency, and
//! no operator runs meanwhile. Both sides are done when a watch shows every service COMPLETED and Ready.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::mpsc;

use super::audit::{self, Mark};
use super::load::{self, CONCURRENCY};
use super::progress::{Progress, Times};
use super::recipe::{Recipe, Witness};
use super::report::{Memory, Report, Rest, Round};
use crate::cluster::{Cluster, Options};
use crate::operator::{self, Launch, Operator, USER};
use crate::progress;

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's binary.
    pub program: PathBuf,
    /// Services per round.
    pub services: usize,
    /// Turns of operator and raw client.
    pub rounds: usize,
    /// How long the operator is watched at rest.
    pub rest: Duration,
    /// Leave the cluster's folder.
    pub keep: bool,
}

/// Nothing takes this long unless something is wrong.
const LIMIT: Duration = Duration::from_mins(20);

/// Measures and prints.
///
/// # Errors
/// When a cluster cannot be started or something never gets ready. A missed goal is no error.
pub async fn run(settings: Settings) -> Result<()> {
    let binary =
        fs::metadata(&settings.program).with_context(|| format!("cannot read {}", settings.program.display()))?.len();
    let cluster = Cluster::start(Options { metrics: false, keep_folder: settings.keep, ..Options::default() }).await?;
    operator::install_charts(&cluster).await?;
    let bench = Bench::new(&cluster, &settings).await?;

    let recipe = bench.sample().await?;
    let (memory, rest, writes) = bench.memory().await?;
    let mut rounds = Vec::new();
    for number in 1..=settings.rounds {
        // Who comes first changes, so that whatever grows during the run favours neither.
        let round = if number % 2 == 1 {
            let operator = bench.operator(number).await?;
            Round { operator, raw: bench.raw(number, &recipe).await? }
        } else {
            let raw = bench.raw(number, &recipe).await?;
            Round { operator: bench.operator(number).await?, raw }
        };
        rounds.push(round);
    }
    let starts = bench.starts()?;
    let report =
        Report { services: settings.services, recipe: recipe.size(), memory, rest, writes, rounds, starts, binary };
    println!("\n{report}");
    Ok(())
}

struct Bench<'a> {
    cluster: &'a Cluster,
    settings: &'a Settings,
    /// Rights of an administrator: the users.
    user: Client,
    /// The operator's rights: the raw client.
    raw: Client,
    launch: Launch,
    log: PathBuf,
    /// Of every operator process: when it was started, and the end of the audit log then.
    started: std::sync::Mutex<Vec<(Timestamp, Mark)>>,
}

impl<'a> Bench<'a> {
    async fn new(cluster: &'a Cluster, settings: &'a Settings) -> Result<Self> {
        let launch = Launch { program: settings.program.clone(), ..Launch::installed(cluster, "bench").await? };
        let kubeconfig = Kubeconfig::read_from(&launch.kubeconfig)?;
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        Ok(Self {
            cluster,
            settings,
            user: cluster.client()?,
            raw: Client::try_from(config)?,
            launch,
            log: cluster.audit_log()?,
            started: std::sync::Mutex::default(),
        })
    }

    async fn start(&self) -> Result<Operator> {
        let mark = Mark::now(&self.log)?;
        let now = Timestamp::now();
        let mut operator = self.launch.spawn()?;
        if let Ok(mut started) = self.started.lock() {
            started.push((now, mark));
        }
        operator.leads().await?;
        Ok(operator)
    }

    /// Creates the namespace with what services refer to, and waits until the operator has dealt with that.
    async fn prepare(&self, namespace: &str) -> Result<()> {
        load::prepare(&self.user, namespace).await?;
        self.quiet().await
    }

    /// Until the operator has written nothing for three seconds.
    async fn quiet(&self) -> Result<()> {
        let is_write = |request: &audit::Request| request.is_write() && request.resource() != "leases";
        let mut mark = Mark::now(&self.log)?;
        let begun = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let next = Mark::now(&self.log)?;
            if !mark.requests(USER)?.iter().any(is_write) {
                return Ok(());
            }
            anyhow::ensure!(begun.elapsed() < LIMIT, "the operator never stops writing: its log says why");
            mark = next;
        }
    }

    /// What the operator writes for one service.
    async fn sample(&self) -> Result<Recipe> {
        let namespace = "converge-sample";
        let step = progress::step("taking down what the operator writes for one service");
        let operator = self.start().await?;
        self.prepare(namespace).await?;
        let witness = Witness::watch(&self.user, namespace)?;
        let mut progress = Progress::watch(&self.user, namespace)?;
        let mark = Mark::now(&self.log)?;
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let begun = Instant::now();
        load::create_services(&self.user, namespace, 0..1, |created| {
            let _ = sender.send(created);
        })
        .await?;
        progress.wait(1, begun, LIMIT).await?;
        self.quiet().await?;
        let sample = receiver.recv().await.context("no sample")?;
        let recipe = Recipe::take(&self.user, namespace, sample, &witness, &mark.requests(USER)?).await?;
        load::remove(&self.user, namespace).await?;
        operator.terminate().await?;
        let (creates, statuses) = recipe.size();
        step.done_with(format!("{creates} creates, {statuses} status writes"));
        Ok(recipe)
    }

    /// Memory at several numbers of services, writes on the way there, and what happens at rest.
    async fn memory(&self) -> Result<(Memory, Rest, Vec<(String, usize)>)> {
        let namespace = "converge-memory";
        let step = progress::step("measuring memory");
        let operator = self.start().await?;
        let pid = operator.pid().context("the operator has ended")?;
        self.prepare(namespace).await?;
        let mut progress = Progress::watch(&self.user, namespace)?;
        let mark = Mark::now(&self.log)?;
        let mut memory = vec![(0, resident(pid)?)];
        let total = self.settings.services;
        let mut done = 0;
        for count in [total / 4, total / 2, total] {
            let begun = Instant::now();
            load::create_services(&self.user, namespace, done..count, |_| ()).await?;
            progress.wait(count, begun, LIMIT).await?;
            self.quiet().await?;
            let bytes = resident(pid)?;
            progress::note(format!("{count} services: {} KiB", bytes / 1024));
            memory.push((count, bytes));
            done = count;
        }
        step.done();
        let requests = mark.requests(USER)?;
        let writes = requests.iter().filter(|request| request.is_write() && request.resource() != "leases");
        let writes = audit::count(writes).into_iter().collect();
        drop(progress);

        let step = progress::step("watching the operator at rest");
        let mark = Mark::now(&self.log)?;
        tokio::time::sleep(self.settings.rest).await;
        let requests = mark.requests(USER)?;
        let (leases, others): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.resource() == "leases");
        let rest = Rest { seconds: self.settings.rest.as_secs(), leases: leases.len(), others: audit::count(others) };
        step.done();
        self.end(namespace, operator).await?;
        Ok((memory, rest, writes))
    }

    /// One turn of the operator.
    async fn operator(&self, round: usize) -> Result<Times> {
        let namespace = format!("converge-operator-{round}");
        let step = progress::step(format!("round {round}: operator"));
        let operator = self.start().await?;
        self.prepare(&namespace).await?;
        let mut progress = Progress::watch(&self.user, &namespace)?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let begun = Instant::now();
        load::create_services(&self.user, &namespace, 0..self.settings.services, |_| ()).await?;
        let created = begun.elapsed();
        let times = progress.wait(self.settings.services, begun, LIMIT).await?;
        let created = created.as_secs_f64();
        step.done_with(format!("{:.2} s, roots created after {created:.2} s", times.all.as_secs_f64()));
        if self.settings.keep {
            let text = operator::metrics(&operator.url()).await?;
            fs::write(self.cluster.scratch()?.join(format!("metrics-{round}.txt")), text)?;
        }
        self.quiet().await?;
        self.end(&namespace, operator).await?;
        Ok(times)
    }

    /// One turn of the raw client.
    async fn raw(&self, round: usize, recipe: &Recipe) -> Result<Times> {
        let namespace = format!("converge-raw-{round}");
        let namespace = namespace.as_str();
        let step = progress::step(format!("round {round}: raw client"));
        load::prepare(&self.user, namespace).await?;
        let mut progress = Progress::watch(&self.user, namespace)?;
        // As long as the operator's turn waits for quiet, and then for its watches.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let begun = Instant::now();
        let (sender, receiver) = mpsc::unbounded_channel();
        let users = async {
            // The channel ends with the last service.
            let sender = sender;
            load::create_services(&self.user, namespace, 0..self.settings.services, |created| {
                let _ = sender.send(created);
            })
            .await
        };
        let services = futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        let writers = services
            .map(async |created| recipe.repeat(&self.raw, namespace, &created).await)
            .buffer_unordered(CONCURRENCY)
            .try_collect::<()>();
        tokio::try_join!(users, writers)?;
        let times = progress.wait(self.settings.services, begun, LIMIT).await?;
        step.done_with(format!("{:.2} s", times.all.as_secs_f64()));
        load::remove(&self.user, namespace).await?;
        Ok(times)
    }

    async fn end(&self, namespace: &str, operator: Operator) -> Result<()> {
        let step = progress::step("emptying the cluster");
        load::remove(&self.user, namespace).await?;
        operator.terminate().await?;
        step.done();
        Ok(())
    }

    /// Per process, the time from its start to its first watch at the server.
    fn starts(&self) -> Result<Vec<Duration>> {
        let started = self.started.lock().map(|started| started.clone()).unwrap_or_default();
        let first = |(at, mark): &(Timestamp, Mark)| -> Result<Duration> {
            let requests = mark.requests(USER)?;
            let watches = requests.iter().filter(|request| request.verb == "watch");
            let first = watches.map(|request| request.request_received_timestamp).find(|time| time >= at);
            let first = first.context("the operator opened no watch")?;
            Ok(Duration::try_from(first.duration_since(*at))?)
        };
        started.iter().map(first).collect()
    }
}

/// Resident memory of a process in bytes, as Linux reports it.
fn resident(pid: u32) -> Result<u64> {
    let path = Path::new("/proc").join(pid.to_string()).join("status");
    let text = fs::read_to_string(&path).context("resident memory can only be read on Linux")?;
    let kibibytes =
        text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kibibytes.context("no VmRSS")?.saturating_mul(1024))
}
