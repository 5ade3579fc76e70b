//! Every question once, few at a time, patiently; answers go to the store and are forgotten when nobody asks any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ecs::image::ImageReference;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::Client;
use plan::{Ask as _, ImageAnswer, ImageQuery, ObjectKey, Question};
use serde::Deserialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as Turn, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{Credential, DockerConfig, Lookup, LookupError};
use crate::answer::answerer::Answerer;
use crate::api_server::request;
use crate::backoff::Backoff;
use crate::lead::leadership::Leadership;
use crate::serve::metrics::Metrics;
use crate::watch::intake::Intake;

/// Questions to registries at a time.
const AT_A_TIME: usize = 8;
/// Of these, to one registry.
const AT_A_TIME_PER_REGISTRY: usize = 4;
/// Pause between the beginnings of two questions to one registry: at most 50 a second.
const PACE: Duration = Duration::from_millis(20);
/// One question, with everything it takes to authenticate.
const DEADLINE: Duration = Duration::from_secs(10);
/// Questions before an image counts as unresolved: with [`PAUSE`] at most 10 + 1 + 10 + 2 + 10 seconds.
const TRIES: u32 = 3;
const PAUSE: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(4) };
/// An answer that no plan asked for in this time is forgotten.
const MEMORY: Duration = Duration::from_mins(10);
/// How often that is looked at.
const SWEEP: Duration = Duration::from_mins(1);

/// What is asked and what was answered.
#[derive(Debug)]
pub struct Resolver {
    lookup: Arc<dyn Lookup>,
    /// Reads pull Secrets; `None` when the operator may not.
    secrets: Option<Secrets>,
    intake: Arc<Intake>,
    leadership: Leadership,
    metrics: Arc<Metrics>,
    asked: Mutex<BTreeMap<ImageQuery, Asked>>,
    sender: UnboundedSender<ImageQuery>,
    /// Where new questions come out, for the one who runs this.
    receiver: Turn<UnboundedReceiver<ImageQuery>>,
    slots: Semaphore,
    registries: Mutex<BTreeMap<String, Arc<Lane>>>,
}

#[derive(Debug)]
struct Asked {
    last_asked: Instant,
    is_answered: bool,
}

/// One registry's share.
#[derive(Debug)]
struct Lane {
    slots: Semaphore,
    next: Turn<Instant>,
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

    /// What is new is asked; what is known stays known. A question is dropped [`MEMORY`] after the last plan
    /// that asked it.
    fn want(&self, _: &ObjectKey, questions: &[Question]) {
        let now = Instant::now();
        let mut asked = self.asked();
        for query in questions.iter().filter_map(ImageQuery::of) {
            if let Some(question) = asked.get_mut(query) {
                question.last_asked = now;
                continue;
            }
            asked.insert(query.clone(), Asked { last_asked: now, is_answered: false });
            // Nobody listens only when the process is about to end.
            let _ = self.sender.send(query.clone());
        }
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
        let (sender, receiver) = unbounded_channel();
        Self {
            lookup,
            secrets: secrets.map(Secrets),
            intake,
            leadership,
            metrics,
            asked: Mutex::default(),
            sender,
            receiver: Turn::new(receiver),
            slots: Semaphore::new(AT_A_TIME),
            registries: Mutex::default(),
        }
    }

    /// Asks until `end`. What is under way then is dropped: the next leader asks again.
    async fn resolve_all(self: Arc<Self>, end: CancellationToken) {
        let mut received = self.receiver.lock().await;
        let mut running: JoinSet<()> = JoinSet::new();
        let mut sweep = interval(SWEEP);
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                Some(query) = received.recv() => {
                    let resolver = Arc::clone(&self);
                    running.spawn(async move { resolver.answer(query).await });
                }
                // A question that panicked would never be answered: the process ends, as with every other part.
                Some(ended) = running.join_next(), if !running.is_empty() => if ended.is_err() { return },
                _ = sweep.tick() => self.forget(Instant::now()),
            }
        }
    }

    async fn answer(&self, query: ImageQuery) {
        let Some((answer, result)) = self.resolve(&query).await else {
            // Not for this process to ask. It is about to end; should it lead again all the same, the root asks again.
            self.asked().remove(&query);
            sleep(PAUSE.first).await;
            return self.intake.queue.request(&query.root);
        };
        self.metrics.image_resolved(result);
        let (ns, name) = (query.root.namespace.as_deref().unwrap_or_default(), query.root.name.as_str());
        match &answer {
            ImageAnswer::Digest(digest) => debug!(ns, name, step = "images", image = query.image.as_str(), digest),
            ImageAnswer::Unresolved(reason) => {
                info!(ns, name, step = "images", image = query.image.as_str(), reason, "unresolved");
            }
        }
        self.intake.store.put_answer(query.clone(), answer);
        if let Some(question) = self.asked().get_mut(&query) {
            question.is_answered = true;
        }
        self.intake.queue.request(&query.root);
    }

    /// The answer with one word for metrics; `None` when this process must not ask.
    async fn resolve(&self, query: &ImageQuery) -> Option<(ImageAnswer, &'static str)> {
        let reference = match ImageReference::parse(&query.image) {
            Ok(reference) => reference,
            Err(error) => return Some((ImageAnswer::Unresolved(error.to_string()), "protocol")),
        };
        let lane = self.lane(&reference.registry);
        let mut tries = 1;
        loop {
            let asked = {
                let _share = lane.slots.acquire().await.ok()?;
                lane.take_turn().await;
                let _slot = self.slots.acquire().await.ok()?;
                if !self.leadership.may_write() {
                    return None;
                }
                self.ask(query, &reference).await
            };
            match asked {
                Ok(digest) => return Some((ImageAnswer::Digest(digest), "digest")),
                Err((error, _)) if error.is_transient() && tries < TRIES => {
                    self.metrics.image_resolved("retried");
                    sleep(PAUSE.spread(tries, query)).await;
                    tries += 1;
                }
                Err((error, hint)) => {
                    return Some((ImageAnswer::Unresolved(format!("{error}{hint}")), error.category()));
                }
            }
        }
    }

    /// One question. Credentials live no longer than it takes.
    async fn ask(&self, query: &ImageQuery, reference: &ImageReference) -> Result<String, (LookupError, String)> {
        let answered = timeout(DEADLINE, async {
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

    fn lane(&self, registry: &str) -> Arc<Lane> {
        let mut lanes = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = || Lane { slots: Semaphore::new(AT_A_TIME_PER_REGISTRY), next: Turn::new(Instant::now()) };
        Arc::clone(lanes.entry(registry.to_owned()).or_insert_with(|| Arc::new(lane())))
    }

    fn asked(&self) -> MutexGuard<'_, BTreeMap<ImageQuery, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, now: Instant) {
        let mut forgotten = Vec::new();
        self.asked().retain(|query, question| {
            let is_kept = !question.is_answered || now.duration_since(question.last_asked) < MEMORY;
            if !is_kept {
                forgotten.push(query.clone());
            }
            is_kept
        });
        self.intake.store.forget_answers(&forgotten.iter().collect::<Vec<_>>());
        let mut lanes = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
    }
}

impl Lane {
    /// Waits for this registry's next free instant and takes it.
    async fn take_turn(&self) {
        let mut next = self.next.lock().await;
        sleep_until(*next).await;
        *next = Instant::now() + PACE;
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
