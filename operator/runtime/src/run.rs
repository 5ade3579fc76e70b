//! Puts everything together, and ends it in order.
//!
//! The endpoints start first, then, as soon as the API server says what it serves, feeds and the election. When every kind
//! was listed and this process leads, reconciling starts. On a signal: no new reconciles, those under way may finish, the lease is given back, and the process ends
//! well. Anything that ends by itself ends the process badly, so that it is started again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, TryFutureExt as _};
use kube::Config;
use plan::Settings;
use plan::core::integration::Integration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::act::execute::{Deadlines, Executor};
use crate::act::queue::{Job, Queue, Timing};
use crate::act::reconcile::Reconciler;
use crate::answer::{Answerer, Sources};
use crate::api_server::client::{self, Connection};
use crate::api_server::discover;
use crate::api_server::throttle::Throttle;
use crate::clock::Clock;
use crate::lead::leadership::Leadership;
use crate::lead::lease::{Election, Elector, Lost};
use crate::notices::{self, Notices};
use crate::serve::endpoints::{self, Endpoints};
use crate::serve::health::Health;
use crate::serve::metrics::{Metrics, QueueMetrics};
use crate::shutdown;
use crate::watch::feed::Feed;
use crate::watch::intake::Intake;

/// How long the endpoints may go on to answer when everything else has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

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
    let connection =
        client::connect(config, Arc::clone(&metrics)).map_err(|error| RunError::Client(Box::new(error)))?;
    let stop = shutdown::on_signal().map_err(RunError::Signals)?;
    serve(connection, options, metrics, stop).await
}

/// Works until `stop`. The endpoints answer all the time: a process that starts while the API server is away is alive.
async fn serve(
    connection: Connection,
    options: Options,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let listener =
        endpoints::listen(options.address).await.map_err(|error| RunError::Listen(options.address, error))?;
    let endpoints = Endpoints::new(Arc::clone(&metrics));
    let end = CancellationToken::new();
    let mut serving = tokio::spawn(endpoints::run(listener, endpoints.clone(), end.clone()));
    let worked = tokio::select! {
        worked = work_on_what_is_served(connection, options, metrics, endpoints, stop) => worked,
        _ = &mut serving => return Err(RunError::Ended("the HTTP endpoint")),
    };
    end.cancel();
    // Who keeps a connection open does not keep the process.
    let _ = timeout(LAST_ANSWERS, serving).await;
    worked
}

/// What the cluster serves decides what is watched and planned: when that changes, everything starts again with it.
async fn work_on_what_is_served(
    connection: Connection,
    options: Options,
    metrics: Arc<Metrics>,
    endpoints: Endpoints,
    stop: CancellationToken,
) -> Result<(), RunError> {
    while let Some(facts) = discover::first(&connection.client, &options.ignored_groups, &stop).await {
        let settings = Settings { facts, ..options.settings.clone() };
        report_integrations(&settings);
        let round = stop.child_token();
        let known = settings.facts.clone();
        let round_options = Options { settings, ..options.clone() };
        let (metrics, endpoints_of_round) = (Arc::clone(&metrics), Some(endpoints.clone()));
        let working =
            work(connection.clone(), round_options, metrics, endpoints_of_round, Clock::system(), round.clone());
        tokio::pin!(working);
        tokio::select! {
            ended = &mut working => return ended,
            () = discover::news(&connection.client, &options.ignored_groups, &known) => round.cancel(),
        }
        working.await?;
        endpoints.pause();
    }
    Ok(())
}

/// What the operator works with here and what it does without, in one line.
fn report_integrations(settings: &Settings) {
    let (available, missing): (Vec<Integration>, Vec<Integration>) =
        Integration::ALL.into_iter().partition(|integration| integration.is_available(settings));
    let names = |list: &[Integration]| list.iter().map(|one| one.row().name).collect::<Vec<_>>().join(", ");
    info!(step = "discover", available = names(&available), missing = names(&missing), "integrations");
}

/// The same with everything that belongs to a machine replaced, for simulations.
///
/// # Errors
/// Every reason to end other than `stop`.
pub async fn work(
    connection: impl Into<Connection>,
    options: Options,
    metrics: Arc<Metrics>,
    endpoints: Option<Endpoints>,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let process = Process::new(connection.into(), options, metrics, clock);
    if let Some(endpoints) = endpoints {
        endpoints.begin(Arc::clone(&process.health), process.leadership.clone());
    }
    let mut parts = Parts::default();
    process.start_feeds(&mut parts);
    let notices = process.start_publisher(&mut parts);
    process.start_election(&mut parts);
    let answerers = process.start_answerers(&mut parts);
    let mut pool = process.start_reconciles(notices, answerers);

    // Until a signal, nothing may end.
    let ended = tokio::select! {
        () = stop.cancelled() => None,
        Some(part) = parts.tasks.join_next() => Some(name_end(part)),
        Some(part) = pool.join_next() => Some(name_end(part.map(|result| ("the reconciler", result)))),
    };
    if let Some(reason) = ended {
        error!(step = "run", error = reason.to_string(), "ending");
        return Err(reason);
    }
    process.shut_down(parts, pool).await
}

/// A part that ended, with its name.
type Part = (&'static str, Result<(), RunError>);
/// The task that starts the reconciles, which are tasks of its own.
type Pool = JoinSet<Result<(), RunError>>;

/// Tasks beside the reconciles, each with its name. None of them may end before it is asked to.
#[derive(Debug, Default)]
struct Parts {
    tasks: JoinSet<Part>,
    /// Ends what serves until the very end.
    end: CancellationToken,
    /// Ends the election, after the last write.
    release: CancellationToken,
}

impl Parts {
    fn spawn(&mut self, name: &'static str, part: impl Future<Output = Result<(), RunError>> + Send + 'static) {
        self.tasks.spawn(async move { (name, part.await) });
    }

    /// A part that cannot fail.
    fn serve(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        self.spawn(name, part.map(Ok));
    }
}

/// What the parts of the process share.
struct Process {
    connection: Connection,
    options: Options,
    metrics: Arc<Metrics>,
    clock: Clock,
    health: Arc<Health>,
    intake: Arc<Intake>,
    leadership: Leadership,
}

impl Process {
    fn new(connection: Connection, options: Options, metrics: Arc<Metrics>, clock: Clock) -> Self {
        let health = Arc::new(Health::new(&options.namespaces, &options.settings.facts));
        let queue = Queue::new(Timing::default(), QueueMetrics(Arc::clone(&metrics)));
        let queue = queue.with_share(share(options.workers));
        let intake = Arc::new(Intake::new(queue, Arc::clone(&metrics)));
        let leadership = if options.election.is_some() { Leadership::none() } else { Leadership::always() };
        Self { connection, options, metrics, clock, health, intake, leadership }
    }

    fn start_feeds(&self, parts: &mut Parts) {
        for feed in self.health.feeds() {
            let (intake, metrics) = (Arc::clone(&self.intake), Arc::clone(&self.metrics));
            let feed = Feed::new(self.connection.clone(), intake, metrics, Arc::clone(feed));
            parts.serve("a feed", feed.run(parts.end.clone()));
        }
    }

    fn start_publisher(&self, parts: &mut Parts) -> Notices {
        let (client, metrics) = (self.connection.client.clone(), Arc::clone(&self.metrics));
        let (notices, publisher) = notices::channel(client, self.options.instance.clone(), metrics, parts.end.clone());
        parts.serve("the publisher of events", publisher);
        notices
    }

    fn start_election(&self, parts: &mut Parts) {
        let Some(election) = self.options.election.clone() else { return self.metrics.leads(true) };
        let elector =
            Elector::new(self.connection.client.clone(), election, self.leadership.clone(), self.clock.clone());
        parts.spawn("the election", elector.run(parts.release.clone()).map_err(RunError::from));
    }

    fn start_answerers(&self, parts: &mut Parts) -> Vec<Arc<dyn Answerer>> {
        let sources = &self.options.sources;
        let answerers = sources.answerers(&self.connection.client, &self.intake, &self.leadership, &self.metrics);
        for answerer in &answerers {
            parts.serve(answerer.name(), Arc::clone(answerer).run(parts.end.clone()));
        }
        answerers
    }

    /// Reconciles as soon as every kind was listed and this process leads.
    fn start_reconciles(&self, notices: Notices, answerers: Vec<Arc<dyn Answerer>>) -> Pool {
        let (client, leadership, metrics) =
            (self.connection.client.clone(), self.leadership.clone(), Arc::clone(&self.metrics));
        let reconciler = Reconciler {
            intake: Arc::clone(&self.intake),
            executor: Executor::new(client, leadership, Deadlines::default(), metrics),
            notices,
            settings: Arc::new(self.options.settings.clone()),
            clock: self.clock.clone(),
            metrics: Arc::clone(&self.metrics),
            answerers,
        };
        let (health, leadership) = (Arc::clone(&self.health), self.leadership.clone());
        let beginning = begin(health, leadership, Arc::clone(&self.intake), Arc::clone(&self.metrics));
        let workers = self.options.workers.max(1);
        self.metrics.workers(workers);
        let throttle = Arc::clone(&self.connection.throttle);
        let mut pool = JoinSet::new();
        pool.spawn(async move {
            beginning.await;
            reconcile_all(reconciler, workers, throttle).await
        });
        pool
    }

    /// No new reconciles; those under way may finish; then the lease is given back.
    async fn shut_down(&self, mut parts: Parts, mut pool: Pool) -> Result<(), RunError> {
        let drain = self.options.drain;
        self.intake.queue.close();
        match timeout(drain, pool.join_next()).await {
            Ok(Some(Err(panic))) => return Err(name_end(Err(panic))),
            Ok(_) => info!(step = "shutdown", "reconciles finished"),
            Err(_) => warn!(step = "shutdown", "reconciles did not finish in time"),
        }
        pool.abort_all();
        // Only now may another process write.
        parts.release.cancel();
        parts.end.cancel();
        let finish = async { while parts.tasks.join_next().await.is_some() {} };
        if timeout(drain, finish).await.is_err() {
            warn!(step = "shutdown", "parts did not finish in time");
        }
        info!(step = "shutdown", "stopped");
        Ok(())
    }
}

/// Reconciles of one namespace at a time: three quarters, so that the rest is there for others at once. Of two workers or
/// more, one is always theirs.
fn share(workers: usize) -> usize {
    let others = (workers / 4).max(1);
    workers.saturating_sub(others).max(1)
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
async fn reconcile_all(reconciler: Reconciler, workers: usize, throttle: Arc<Throttle>) -> Result<(), RunError> {
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
            job = take(&intake, &slots, &throttle) => job,
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

/// A slot first, then a job: a job that is taken runs at once. None is taken while the API server wants a pause.
async fn take(intake: &Intake, slots: &Arc<Semaphore>, throttle: &Throttle) -> Option<(Job, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    throttle.is_over().await;
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use http::{Request, Response};
    use kube::client::Body;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn when_there_is_more_than_one_worker_then_no_namespace_has_all_of_them() {
        assert_eq!([0, 1, 2, 3, 4, 8, 16, 256].map(share), [1, 1, 1, 2, 3, 6, 12, 192]);
    }

    /// Status and body of an endpoint.
    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn when_the_api_server_is_away_at_the_start_then_the_process_is_alive_and_lists_soon_after_it_is_back() {
        let is_back = Arc::new(AtomicU32::new(0));
        let (seen, lists) = (Arc::clone(&is_back), Arc::new(AtomicU32::new(0)));
        let listed = Arc::clone(&lists);
        let server = tower::service_fn(move |request: Request<Body>| {
            let (is_back, lists) = (seen.load(Ordering::SeqCst) > 0, Arc::clone(&listed));
            async move {
                let (code, body) = match request.uri().path() {
                    _ if !is_back => (503, ""),
                    "/version" => (
                        200,
                        r#"{"major":"1","minor":"36","gitVersion":"v1.36.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}"#,
                    ),
                    "/apis" => (200, r#"{"kind":"APIGroupList","groups":[]}"#),
                    _ => {
                        lists.fetch_add(1, Ordering::SeqCst);
                        (404, "")
                    }
                };
                let answer = Response::builder().status(code).body(Body::from(body.as_bytes().to_vec()));
                Ok::<_, std::convert::Infallible>(answer.unwrap())
            }
        });
        let address = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let options = Options {
            namespaces: Vec::new(),
            address,
            workers: 1,
            election: None,
            drain: Duration::from_secs(1),
            instance: "x".to_owned(),
            ignored_groups: Vec::new(),
            settings: Settings::default(),
            sources: Sources::default(),
        };
        let stop = CancellationToken::new();
        let connection = kube::Client::new(server, "x").into();
        let serving = tokio::spawn(serve(connection, options, Arc::default(), stop.clone()));
        let pause = || tokio::time::sleep(Duration::from_millis(50));
        while tokio::net::TcpStream::connect(address).await.is_err() {
            pause().await;
        }
        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        let ready = get(address, "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("waitsFor"), "{ready}");

        is_back.store(1, Ordering::SeqCst);
        let begun = async {
            while lists.load(Ordering::SeqCst) == 0 {
                pause().await;
            }
        };
        timeout(Duration::from_secs(10), begun).await.unwrap();
        assert!(get(address, "/readyz").await.contains("ECSService"));
        stop.cancel();
        assert!(serving.await.unwrap().is_ok());
    }
}
