//! One request for all alarms that matter, again and again; changes go to the store and to the roots they are about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use plan::{AlarmQuery, AlarmState, Ask as _, ObjectKey, Question};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Alert, Source, SourceError};
use crate::answer::answerer::Answerer;
use crate::serve::metrics::Metrics;
use crate::watch::intake::Intake;

/// A thousand new questions are one request: nobody is asked within this time after an answer.
const PACE: Duration = Duration::from_secs(1);
/// The rest of the 15 seconds from one answer to the next request, which a new question does not wait for.
const REST: Duration = Duration::from_secs(14);
/// One request.
const DEADLINE: Duration = Duration::from_secs(5);
/// Requests before alarms count as unknown: with [`PACE`] at most 5 + 1 + 5 seconds.
const TRIES: u32 = 2;

type Asked = BTreeMap<ObjectKey, Arc<BTreeSet<AlarmQuery>>>;

/// Which alarms matter, and who knows them.
#[derive(Debug)]
pub struct Watcher {
    source: Arc<dyn Source>,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
    /// What the last plan of each root named. Held while the answers of one root are put into the store, so that what is
    /// dropped stays forgotten.
    asked: Mutex<Asked>,
    news: Notify,
}

impl Answerer for Watcher {
    fn name(&self) -> &'static str {
        "the watcher of alarms"
    }

    fn want(&self, root: &ObjectKey, questions: &[Question]) {
        let mut asked = self.asked();
        let wanted: BTreeSet<AlarmQuery> = questions.iter().filter_map(AlarmQuery::of).cloned().collect();
        let known = asked.remove(root).unwrap_or_default();
        let dropped: Vec<&AlarmQuery> = known.difference(&wanted).collect();
        self.intake.store.forget_answers(&dropped);
        if !wanted.is_subset(&known) {
            self.news.notify_one();
        }
        if !wanted.is_empty() {
            asked.insert(root.clone(), Arc::new(wanted));
        }
    }

    fn run(self: Arc<Self>, end: CancellationToken) -> BoxFuture<'static, ()> {
        async move {
            end.run_until_cancelled(self.watch()).await;
        }
        .boxed()
    }
}

impl Watcher {
    /// Asks nobody before it runs.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, intake: Arc<Intake>, metrics: Arc<Metrics>) -> Self {
        Self { source, intake, metrics, asked: Mutex::default(), news: Notify::new() }
    }

    /// Asks for ever.
    async fn watch(&self) {
        loop {
            tokio::select! {
                () = self.news.notified() => {}
                () = sleep(REST), if self.is_needed() => {}
            }
            if self.is_needed() {
                let answer = self.ask().await;
                self.tell(&answer);
            }
            sleep(PACE).await;
        }
    }

    fn is_needed(&self) -> bool {
        !self.asked().is_empty()
    }

    async fn ask(&self) -> Result<Vec<Alert>, SourceError> {
        let mut tries = 1;
        loop {
            let late = |_| {
                let reason = format!("the source of alarms did not answer within {} seconds", DEADLINE.as_secs());
                Err(SourceError { reason, category: "timed-out" })
            };
            match timeout(DEADLINE, self.source.firing()).await.unwrap_or_else(late) {
                Err(_) if tries < TRIES => {
                    self.metrics.alarms_read("retried");
                    tries += 1;
                    sleep(PACE).await;
                }
                answer => {
                    self.metrics.alarms_read(answer.as_ref().map_or_else(|error| error.category, |_| "answered"));
                    return answer;
                }
            }
        }
    }

    /// Takes an answer in for all that is asked now, and asks for the roots it is news to.
    fn tell(&self, answer: &Result<Vec<Alert>, SourceError>) {
        let firing = answer.as_ref().map(|alerts| Firing::of(alerts));
        let roots = self.asked().clone();
        for (root, queries) in roots {
            let mut is_news = false;
            let asked = self.asked();
            // A plan may have named others in the meantime: those are asked for soon.
            if asked.get(&root).is_none_or(|now| !Arc::ptr_eq(now, &queries)) {
                continue;
            }
            for query in queries.iter() {
                let state = match &firing {
                    Ok(firing) => firing.state(query),
                    Err(error) => AlarmState::Unknown(error.reason.clone()),
                };
                if self.intake.store.put_answer(query.clone(), state.clone()) {
                    is_news = true;
                    let (ns, name) = (root.namespace.as_deref().unwrap_or_default(), root.name.as_str());
                    let alarm = query.name.as_str();
                    match state {
                        AlarmState::Ok => info!(ns, name, step = "alarms", alarm, "OK"),
                        AlarmState::Alarm { .. } => info!(ns, name, step = "alarms", alarm, "ALARM"),
                        AlarmState::Unknown(reason) => info!(ns, name, step = "alarms", alarm, reason, "unknown"),
                    }
                }
            }
            drop(asked);
            if is_news {
                self.intake.queue.request(&root);
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Since when alerts fire, by name and namespace.
struct Firing<'a>(BTreeMap<(&'a str, Option<&'a str>), Timestamp>);

impl<'a> Firing<'a> {
    fn of(alerts: &'a [Alert]) -> Self {
        let mut since = BTreeMap::new();
        for alert in alerts {
            let first = since.entry((alert.name.as_str(), alert.namespace.as_deref())).or_insert(alert.since);
            *first = alert.since.min(*first);
        }
        Self(since)
    }

    /// An alert of the alarm's name counts if it is about the namespace, or about none.
    fn state(&self, query: &AlarmQuery) -> AlarmState {
        let since = |namespace| self.0.get(&(query.name.as_str(), namespace)).copied();
        let since = since(None).into_iter().chain(since(query.root.namespace.as_deref())).min();
        since.map_or(AlarmState::Ok, |since| AlarmState::Alarm { since })
    }
}

#[cfg(test)]
#[path = "watcher_tests.rs"]
mod tests;
