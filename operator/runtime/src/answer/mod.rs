//! Answers what plans ask of the outside: registries, an Alertmanager.
//!
//! ```text
//! plan.questions ──> each Answerer: takes its kind of question ──> asks ──> answers in the store ──> root again
//! ```
//!
//! Nothing here decides: a question comes from a plan, and what follows from an answer is decided by the next plan.
//!
//! A new kind of question touches four files: `plan/src/core/question.rs` (query and answer), the step of a plan that
//! asks, a module here that implements [`Answerer`], and this file, which lists it in [`Sources`]. If an administrator
//! sets where to ask, the flag for that is in `bin/src/options.rs`.

pub mod alarms;
mod answerer;
pub mod images;

use std::sync::Arc;

use kube::Client;

use crate::lead::leadership::Leadership;
use crate::serve::metrics::Metrics;
use crate::watch::intake::Intake;

pub use answerer::Answerer;

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
