//! Asks registries, patiently; [`super::line`] says what is next. Answers go to the store and are forgotten when nobody asks
//! any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ecs::image::ImageReference;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::Client;
use plan::{Ask as _, ImageAnswer, ImageQuery, ObjectKey, Question};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::line::{Id, Job, Line, Next};
use super::{Credential, DockerConfig, Lookup, LookupError};
use crate::answer::answerer::Answerer;
use crate::api_server::request;
use crate::backoff::Backoff;
use crate::lead::leadership::Leadership;
use crate::serve::metrics::Metrics;
use crate::watch::intake::Intake;

/// One question, with everything it takes to authenticate.
const DEADLINE: Duration = Duration::from_secs(10);
/// Questions before an image counts as unresolved: with [`PAUSE`] at most 10 + 1 + 10 + 2 + 10 seconds.
const TRIES: u32 = 3;
const PAUSE: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(4) };
/// How often answers that nobody needs are looked for.
const SWEEP: Duration = Duration::from_mins(1);
/// The answer to a question that never had its turn.
const NO_TURN: &str = "it had no turn within 60 seconds: too many images are asked for in this namespace";

/// What is asked and what was answered.
#[derive(Debug)]
pub struct Resolver {
    lookup: Arc<dyn Lookup>,
    /// Reads pull Secrets; `None` when the operator may not.
    secrets: Option<Secrets>,
    intake: Arc<Intake>,
    leadership: Leadership,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    line: Line,
    /// Ends what is under way.
    running: BTreeMap<Id, AbortHandle>,
}

/// Reads Secrets one by one, by name.
#[derive(Clone)]
struct Secrets(Client);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secrets")
    }
}

impl Answerer for Resolver {
    fn name(&self) -> &'static str {
        "the image resolver"
    }

    /// What is new is asked; what is known stays known for ten minutes after the last plan that asked. What is not answered
    /// and not asked any more is withdrawn, also where it is under way.
    fn want(&self, root: &ObjectKey, questions: &[Question]) {
        let queries = questions.iter().filter_map(ImageQuery::of).cloned().collect();
        let mut state = self.state();
        for id in state.line.want(root, queries, Instant::now()) {
            if let Some(running) = state.running.remove(&id) {
                running.abort();
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    fn run(self: Arc<Self>, end: CancellationToken) -> BoxFuture<'static, ()> {
        self.resolve_all(end).boxed()
    }
}

impl Resolver {
    /// With a client for pull Secrets if the operator may read them.
    #[must_use]
    pub fn new(
        lookup: Arc<dyn Lookup>,
        secrets: Option<Client>,
        intake: Arc<Intake>,
        leadership: Leadership,
        metrics: Arc<Metrics>,
    ) -> Self {
        let secrets = secrets.map(Secrets);
        Self { lookup, secrets, intake, leadership, metrics, state: Mutex::default(), changed: Notify::new() }
    }

    /// Asks until `end`. What is under way then is dropped: the next leader asks again.
    async fn resolve_all(self: Arc<Self>, end: CancellationToken) {
        let mut running: JoinSet<()> = JoinSet::new();
        let mut sweep = interval(SWEEP);
        loop {
            let wait = self.start_all(&mut running);
            let turn = async {
                match wait {
                    Some(time) => sleep_until(time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end.cancelled() => return,
                () = self.changed.notified() => {}
                () = turn => {}
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    // A question that panicked would never be answered: the process ends, as with every other part.
                    if ended.is_err_and(|error| error.is_panic()) {
                        return;
                    }
                }
                _ = sweep.tick() => self.forget(Instant::now()),
            }
        }
    }

    /// Gives up what is too old and begins everything that may be asked now. Returns when there is more to do.
    fn start_all(self: &Arc<Self>, running: &mut JoinSet<()>) -> Option<Instant> {
        let now = Instant::now();
        let expired = self.state().line.expired(now);
        for (queries, error) in expired {
            let reason = error.unwrap_or_else(|| NO_TURN.to_owned());
            self.tell(queries, &ImageAnswer::Unresolved(reason), "timed-out");
        }
        loop {
            let mut state = self.state();
            match state.line.next(now) {
                Next::Ask(job) => {
                    let (resolver, id) = (Arc::clone(self), job.id);
                    let handle = running.spawn(async move { resolver.answer(job).await });
                    state.running.insert(id, handle);
                }
                Next::Wait(time) => return Some(time),
                Next::Idle => return None,
            }
        }
    }

    async fn answer(&self, job: Job) {
        let asked = match ImageReference::parse(&job.query.image) {
            _ if !self.leadership.may_write() => return self.leave(job.id).await,
            Ok(reference) => self.ask(&job.query, &reference, job.until).await,
            Err(error) => Err((LookupError::Protocol(error.to_string()), String::new())),
        };
        let now = Instant::now();
        let (answer, result) = match asked {
            Ok(digest) => (ImageAnswer::Digest(digest), "digest"),
            Err((error, _)) if error.is_transient() && job.tries + 1 < TRIES => {
                self.metrics.image_resolved("retried");
                let pause = PAUSE.spread(job.tries + 1, &job.query);
                let mut state = self.state();
                state.running.remove(&job.id);
                state.line.failed(job.id, error.to_string(), now + pause);
                drop(state);
                return self.changed.notify_one();
            }
            Err((error, hint)) => (ImageAnswer::Unresolved(format!("{error}{hint}")), error.category()),
        };
        let queries = {
            let mut state = self.state();
            state.running.remove(&job.id);
            state.line.answered(job.id, now)
        };
        self.tell(queries, &answer, result);
        self.changed.notify_one();
    }

    /// It is not for this process to ask. It is about to end; should it lead again all the same, the roots ask again.
    async fn leave(&self, id: Id) {
        let queries = {
            let mut state = self.state();
            state.running.remove(&id);
            state.line.dropped(id)
        };
        sleep(PAUSE.first).await;
        for query in &queries {
            self.intake.queue.request(&query.root);
        }
    }

    fn tell(&self, queries: BTreeSet<ImageQuery>, answer: &ImageAnswer, result: &'static str) {
        for query in queries {
            self.metrics.image_resolved(result);
            let (ns, name) = (query.root.namespace.as_deref().unwrap_or_default(), query.root.name.as_str());
            match answer {
                ImageAnswer::Digest(digest) => debug!(ns, name, step = "images", image = query.image.as_str(), digest),
                ImageAnswer::Unresolved(reason) => {
                    info!(ns, name, step = "images", image = query.image.as_str(), reason, "unresolved");
                }
            }
            let root = query.root.clone();
            self.intake.store.put_answer(query, answer.clone());
            self.intake.queue.request(&root);
        }
    }

    /// One question. Credentials live no longer than it takes.
    async fn ask(
        &self,
        query: &ImageQuery,
        reference: &ImageReference,
        until: Instant,
    ) -> Result<String, (LookupError, String)> {
        let left = until.saturating_duration_since(Instant::now());
        let answered = timeout(DEADLINE.min(left), async {
            let (mut credentials, hints) = self.pull_credentials(query, reference).await;
            credentials.extend(self.lookup.own_credentials(reference));
            let hint = |error: &LookupError| match error {
                LookupError::Unauthorized { .. } => hints.iter().fold(String::new(), |text, hint| text + "; " + hint),
                _ => String::new(),
            };
            let answered = self.lookup.digest(reference, &credentials).await;
            answered.map_err(|error| {
                let hint = hint(&error);
                (error, hint)
            })
        });
        let late = |_| Err((LookupError::TimedOut(reference.registry.clone()), String::new()));
        answered.await.unwrap_or_else(late)
    }

    /// Credentials from the Secrets that the pods pull with, and what could not be read.
    async fn pull_credentials(&self, query: &ImageQuery, reference: &ImageReference) -> (Vec<Credential>, Vec<String>) {
        let (mut credentials, mut hints) = (Vec::new(), Vec::new());
        let Some(Secrets(client)) = &self.secrets else {
            if !query.pull_secrets.is_empty() {
                hints.push("the operator is not set up to read the pods' pull Secrets".to_owned());
            }
            return (credentials, hints);
        };
        let namespace = query.root.namespace.as_deref().unwrap_or_default();
        for name in &query.pull_secrets {
            match read_secret(client, namespace, name).await {
                Ok(config) => credentials.extend(config.credentials(reference)),
                Err(why) => hints.push(format!("Secret {name} {why}")),
            }
        }
        (credentials, hints)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, now: Instant) {
        let forgotten = self.state().line.forgotten(now);
        self.intake.store.forget_answers(&forgotten.iter().collect::<Vec<_>>());
    }
}

/// The part of a Secret that is read.
#[derive(Deserialize)]
struct PullSecret {
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// Reads one Secret by its name. What comes back says nothing about its content.
async fn read_secret(client: &Client, namespace: &str, name: &str) -> Result<DockerConfig, &'static str> {
    use base64::Engine as _;
    let path = request::secret(namespace, name).map_err(|_| "has no name of a Secret")?;
    let request = request::get(&path).map_err(|_| "has no name of a Secret")?;
    let secret: PullSecret = client.request(request).await.map_err(|error| match error {
        kube::Error::Api(status) if status.code == 404 => "does not exist",
        kube::Error::Api(status) if status.code == 403 => "may not be read by the operator",
        _ => "could not be read",
    })?;
    let text = secret.data.get(".dockerconfigjson").ok_or("is not of type kubernetes.io/dockerconfigjson")?;
    let text = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| "has no docker configuration")?;
    DockerConfig::read(&text).map_err(|_| "has no docker configuration")
}
