//! Puts everything together, and ends it in order.
//!
//! Feeds, endpoints and the election start at once. When every kind was listed and this process leads, reconciling
//! starts. On a signal: no new reconciles, those under way may finish, the lease is given back, and the process ends
//! well. Anything that ends by itself ends the process badly, so that it is started again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::{Client, Config};
use plan::Settings;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::answer::Sources;
use crate::clock::Clock;
use crate::discover;
use crate::execute::{Deadlines, Executor};
use crate::feed::Feed;
use crate::health::Health;
use crate::http::{self, Endpoints};
use crate::intake::Intake;
use crate::leadership::Leadership;
use crate::lease::{Election, Elector, Lost};
use crate::metrics::{Metrics, QueueMetrics};
use crate::notices;
use crate::queue::{Queue, Timing};
use crate::reconcile::Reconciler;
use crate::{client, shutdown};

/// What can be set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Namespaces to work in; empty means all.
    pub namespaces: Vec<String>,
    /// Where health and metrics are served.
    pub address: SocketAddr,
    /// Reconciles at a time.
    pub workers: usize,
    /// The election to take part in, or `None` for a process that is known to be the only one.
    pub election: Option<Election>,
    /// How long reconciles that are under way may take to finish once the process is asked to stop.
    pub drain: Duration,
    /// Name of this process in Events.
    pub instance: String,
    /// API groups that count as not served, because an administrator gave no rights to them.
    pub ignored_groups: Vec<String>,
    /// What plans depend on.
    pub settings: Settings,
    /// What plans may ask of the outside.
    pub sources: Sources,
}

/// Why the process ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Neither a kubeconfig nor the files that a pod gets.
    #[error("no cluster is configured: {0}")]
    Config(#[source] Box<kube::config::InferConfigError>),
    /// The configuration of the client cannot be used.
    #[error("the Kubernetes client cannot be made: {0}")]
    Client(#[source] Box<kube::Error>),
    /// No signal handlers.
    #[error("signals cannot be received: {0}")]
    Signals(#[source] std::io::Error),
    /// The port is not free.
    #[error("{0} cannot be listened on: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// Another process leads now, or nobody could tell.
    #[error(transparent)]
    Lease(#[from] Lost),
    /// A part ended that must not.
    #[error("{0} ended")]
    Ended(&'static str),
    /// A part panicked.
    #[error("{0} panicked: {1}")]
    Panicked(&'static str, String),
}

/// Works until a signal, in the cluster of the kubeconfig (`KUBECONFIG`) or in the one this process runs in.
///
/// # Errors
/// Every reason to end other than a signal.
pub async fn run(options: Options) -> Result<(), RunError> {
    let config = Config::infer().await.map_err(|error| RunError::Config(Box::new(error)))?;
    let metrics = Arc::new(Metrics::default());
    let client = client::connect(config, Arc::clone(&metrics)).map_err(|error| RunError::Client(Box::new(error)))?;
    let stop = shutdown::on_signal().map_err(RunError::Signals)?;
    // What the cluster serves decides what is watched and planned: when that changes, everything starts again with it.
    while let Some(facts) = discover::first(&client, &options.ignored_groups, &stop).await {
        let listener = http::listen(options.address).await.map_err(|error| RunError::Listen(options.address, error))?;
        let settings = Settings { facts, ..options.settings.clone() };
        let round = stop.child_token();
        let known = settings.facts.clone();
        let round_options = Options { settings, ..options.clone() };
        let working =
            work(client.clone(), round_options, Arc::clone(&metrics), Some(listener), Clock::system(), round.clone());
        tokio::pin!(working);
        tokio::select! {
            ended = &mut working => return ended,
            () = discover::news(&client, &options.ignored_groups, &known) => round.cancel(),
        }
        working.await?;
    }
    Ok(())
}

/// A part that ended, with its name.
type Part = (&'static str, Result<(), RunError>);

/// The same with everything that belongs to a machine replaced, for simulations.
///
/// # Errors
/// Every reason to end other than `stop`.
pub async fn work(
    client: Client,
    options: Options,
    metrics: Arc<Metrics>,
    listener: Option<tokio::net::TcpListener>,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let health = Arc::new(Health::new(&options.namespaces, &options.settings.facts));
    let queue = Queue::new(Timing::default(), QueueMetrics(Arc::clone(&metrics)));
    let intake = Arc::new(Intake::new(queue, Arc::clone(&metrics)));
    let leadership = if options.election.is_some() { Leadership::none() } else { Leadership::always() };

    // Parts that serve until the very end, and the election, which ends after the last write.
    let (end, release) = (CancellationToken::new(), CancellationToken::new());
    let mut parts: JoinSet<Part> = JoinSet::new();
    for feed in health.feeds() {
        let feed = Feed::new(client.clone(), Arc::clone(&intake), Arc::clone(&metrics), Arc::clone(feed));
        let end = end.clone();
        parts.spawn(async move {
            feed.run(end).await;
            ("a feed", Ok(()))
        });
    }
    let (notices, publisher) =
        notices::channel(client.clone(), options.instance.clone(), Arc::clone(&metrics), end.clone());
    parts.spawn(async move {
        publisher.await;
        ("the publisher of events", Ok(()))
    });
    if let Some(listener) = listener {
        let endpoints =
            Endpoints { health: Arc::clone(&health), metrics: Arc::clone(&metrics), leadership: leadership.clone() };
        let end = end.clone();
        parts.spawn(async move {
            let result = http::run(listener, endpoints, end).await;
            ("the HTTP endpoint", result.map_err(|_| RunError::Ended("the HTTP endpoint")))
        });
    }
    if let Some(election) = options.election.clone() {
        let elector = Elector::new(client.clone(), election, leadership.clone(), clock.clone());
        let release = release.clone();
        parts.spawn(async move { ("the election", elector.run(release).await.map_err(RunError::from)) });
    } else {
        metrics.leads(true);
    }
    let answerers = options.sources.answerers(&client, &intake, &leadership, &metrics);
    for answerer in &answerers {
        let (name, answering) = (answerer.name(), Arc::clone(answerer).run(end.clone()));
        parts.spawn(async move {
            answering.await;
            (name, Ok(()))
        });
    }
    let reconciler = Reconciler {
        intake: Arc::clone(&intake),
        executor: Executor::new(client, leadership.clone(), Deadlines::default(), Arc::clone(&metrics)),
        notices,
        settings: Arc::new(options.settings.clone()),
        clock,
        metrics: Arc::clone(&metrics),
        answerers,
    };
    let beginning = begin(Arc::clone(&health), leadership, Arc::clone(&intake), Arc::clone(&metrics));
    let workers = options.workers.max(1);
    metrics.workers(workers);
    let mut pool = JoinSet::new();
    pool.spawn(async move {
        beginning.await;
        reconcile_all(reconciler, workers).await
    });

    // Until a signal, nothing may end.
    let ended = tokio::select! {
        () = stop.cancelled() => None,
        Some(part) = parts.join_next() => Some(name_end(part)),
        Some(part) = pool.join_next() => Some(name_end(part.map(|result| ("the reconciler", result)))),
    };
    if let Some(reason) = ended {
        error!(step = "run", error = reason.to_string(), "ending");
        return Err(reason);
    }
    intake.queue.close();
    let drained = tokio::time::timeout(options.drain, pool.join_next()).await;
    match drained {
        Ok(Some(Err(panic))) => return Err(name_end(Err(panic))),
        Ok(_) => info!(step = "shutdown", "reconciles finished"),
        Err(_) => warn!(step = "shutdown", "reconciles did not finish in time"),
    }
    pool.abort_all();
    // Only now may another process write.
    release.cancel();
    end.cancel();
    let finish = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(options.drain, finish).await.is_err() {
        warn!(step = "shutdown", "parts did not finish in time");
    }
    info!(step = "shutdown", "stopped");
    Ok(())
}

/// Returns when there is everything to reconcile with.
async fn begin(health: Arc<Health>, leadership: Leadership, intake: Arc<Intake>, metrics: Arc<Metrics>) {
    tokio::join!(health.all_synced(), async {
        leadership.acquired().await;
        metrics.leads(true);
    });
    intake.start();
}

/// Takes from the queue until it is closed; returns when the last reconcile ended, or at the first that panicked.
async fn reconcile_all(reconciler: Reconciler, workers: usize) -> Result<(), RunError> {
    let slots = Arc::new(Semaphore::new(workers));
    let intake = Arc::clone(&reconciler.intake);
    let reconciler = Arc::new(reconciler);
    let mut running: JoinSet<()> = JoinSet::new();
    loop {
        let job = tokio::select! {
            biased;
            Some(ended) = running.join_next() => {
                ended.map_err(|error| name_end(Err(error)))?;
                continue;
            }
            job = take(&intake, &slots) => job,
        };
        let Some((job, slot)) = job else { break };
        let reconciler = Arc::clone(&reconciler);
        running.spawn(async move {
            let finish = reconciler.reconcile(&job).await;
            reconciler.intake.queue.finish(&job, finish);
            drop(slot);
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(|error| name_end(Err(error)))?;
    }
    Ok(())
}

/// A slot first, then a job: a job that is taken runs at once.
async fn take(
    intake: &Intake,
    slots: &Arc<Semaphore>,
) -> Option<(crate::queue::Job, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    intake.queue.next().await.map(|job| (job, slot))
}

fn name_end(ended: Result<Part, JoinError>) -> RunError {
    match ended {
        Ok((_, Err(error))) => error,
        Ok((name, Ok(()))) => RunError::Ended(name),
        Err(error) => match error.try_into_panic() {
            Ok(payload) => {
                let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
                RunError::Panicked("a task", text.unwrap_or_default())
            }
            Err(_) => RunError::Ended("a task"),
        },
    }
}
