//! Answers what plans ask of the outside: registries, an Alertmanager.
//!
//! ```text
//! plan.questions ──> each Answerer: takes its kind of question ──> asks ──> answers in the store ──> root again
//! ```
//!
//! Nothing here decides: a question comes from a plan, and what follows from an answer is decided by the next plan.
//!
//! A new kind of question touches four files: `plan/src/core/question.rs` (query and answer), the step of a plan that asks,
//! a module here that implements [`Answerer`], and this file, which lists it in [`Sources`]. If an administrator sets
//! where to ask, the flag for that is in `bin/src/options.rs`.

pub mod alarms;
pub mod images;

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use kube::Client;
use plan::{ObjectKey, Question};
use tokio_util::sync::CancellationToken;

use crate::intake::Intake;
use crate::leadership::Leadership;
use crate::metrics::Metrics;

/// Answers one kind of question.
pub trait Answerer: fmt::Debug + Send + Sync {
    /// Name for the log, should it end by itself.
    fn name(&self) -> &'static str;

    /// Takes in all questions of the last plan of `root`; those of other kinds are ignored. A question that was asked
    /// before and is missing now is dropped. Returns at once.
    fn want(&self, root: &ObjectKey, questions: &[Question]);

    /// Answers until `end`. Each answer goes to the store of the intake, and its root to the queue.
    fn run(self: Arc<Self>, end: CancellationToken) -> BoxFuture<'static, ()>;
}

/// What there is to ask.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Knows which digests image tags name; without it the settings must leave image resolution off.
    pub lookup: Option<Arc<dyn images::Lookup>>,
    /// Whether the Secrets that pods pull images with are read, for which the operator needs the right to.
    pub reads_pull_secrets: bool,
    /// Knows the states of alarms; without it the settings must not name a source of alarms.
    pub alarms: Option<Arc<dyn alarms::Source>>,
}

impl Sources {
    /// One answerer for each source. None of them asks before it runs.
    #[must_use]
    pub fn answerers(
        &self,
        client: &Client,
        intake: &Arc<Intake>,
        leadership: &Leadership,
        metrics: &Arc<Metrics>,
    ) -> Vec<Arc<dyn Answerer>> {
        let mut answerers: Vec<Arc<dyn Answerer>> = Vec::new();
        if let Some(lookup) = self.lookup.clone() {
            let secrets = self.reads_pull_secrets.then(|| client.clone());
            let (intake, metrics) = (Arc::clone(intake), Arc::clone(metrics));
            answerers.push(Arc::new(images::Resolver::new(lookup, secrets, intake, leadership.clone(), metrics)));
        }
        if let Some(source) = self.alarms.clone() {
            answerers.push(Arc::new(alarms::Watcher::new(source, Arc::clone(intake), Arc::clone(metrics))));
        }
        answerers
    }
}
