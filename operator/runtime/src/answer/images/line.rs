//! The questions that wait for registries, and who is next.
//!
//! Namespaces take turns and hold few slots each, so that a thousand questions of one, or registries that never answer it,
//! hold up no other. What one namespace wants to know of one image is asked once, however many of its services ask. A
//! question that no plan asks any more is withdrawn: what waits is bounded by the images of the services there are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ecs::image::ImageReference;
use plan::{ImageQuery, ObjectKey};
use tokio::time::Instant;

/// Questions to registries at a time.
const AT_A_TIME: usize = 8;
/// Of these, of one namespace.
const AT_A_TIME_PER_NAMESPACE: usize = 2;
/// Of these, to one registry.
const AT_A_TIME_PER_REGISTRY: usize = 4;
/// Pause between the beginnings of two questions to one registry: at most 50 a second.
const PACE: Duration = Duration::from_millis(20);
/// A question that is not answered by then, from its turn on or before it, counts as unresolved.
pub(super) const OLDEST: Duration = Duration::from_mins(1);
/// An answer that no plan asked for in this time is forgotten.
const MEMORY: Duration = Duration::from_mins(10);

type Namespace = Option<String>;

/// What is asked: the same image with the same credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    namespace: Namespace,
    image: String,
    pull_secrets: Vec<String>,
}

impl Subject {
    fn of(query: &ImageQuery) -> Self {
        Self {
            namespace: query.root.namespace.clone(),
            image: query.image.clone(),
            pull_secrets: query.pull_secrets.clone(),
        }
    }
}

/// One question to a registry, for all who want to know.
#[derive(Debug)]
struct Asking {
    subject: Subject,
    registry: String,
    wanted_by: BTreeSet<ImageQuery>,
    since: Instant,
    /// Questions that failed so far, and what was said then.
    tries: u32,
    last_error: Option<String>,
    not_before: Instant,
}

/// Number of a question, in the order in which they came.
pub(super) type Id = u64;

/// A question whose turn it is.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Its number.
    pub(super) id: Id,
    /// One of those who want to know; the answer is the same for all.
    pub(super) query: ImageQuery,
    /// Questions that failed so far.
    pub(super) tries: u32,
    /// It counts as unresolved then.
    pub(super) until: Instant,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Next {
    /// Ask this.
    Ask(Job),
    /// Nothing before this time, or news.
    Wait(Instant),
    /// Nothing before news.
    Idle,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: BTreeMap<Id, Asking>,
    numbers: BTreeMap<Subject, Id>,
    by_namespace: BTreeMap<Namespace, BTreeSet<Id>>,
    /// Namespaces with questions that wait, each once; the next one first.
    turns: VecDeque<Namespace>,
    running: BTreeMap<Id, Asking>,
    /// Where each question that is not answered is.
    pending: BTreeMap<ImageQuery, Id>,
    by_root: BTreeMap<ObjectKey, BTreeSet<ImageQuery>>,
    /// When a question that is answered was asked last.
    answered: BTreeMap<ImageQuery, Instant>,
    /// When each registry may be asked again.
    paces: BTreeMap<String, Instant>,
    next_id: Id,
}

impl Line {
    /// Takes in all questions of the last plan of `root`. Returns the numbers of those under way that nobody wants to have
    /// answered any more.
    pub(super) fn want(&mut self, root: &ObjectKey, queries: BTreeSet<ImageQuery>, now: Instant) -> Vec<Id> {
        let before = self.by_root.remove(root).unwrap_or_default();
        let mut abandoned: Vec<Id> = Vec::new();
        for query in before.difference(&queries) {
            abandoned.extend(self.withdraw(query));
        }
        let mut pending = BTreeSet::new();
        for query in queries {
            if let Some(asked) = self.answered.get_mut(&query) {
                *asked = now;
                continue;
            }
            if !self.pending.contains_key(&query) {
                self.add(&query, now);
            }
            pending.insert(query);
        }
        if !pending.is_empty() {
            self.by_root.insert(root.clone(), pending);
        }
        abandoned
    }

    /// The next question, which then runs.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let mut earliest = None;
        if self.running.len() < AT_A_TIME {
            for _ in 0..self.turns.len() {
                let Some(namespace) = self.turns.pop_front() else { break };
                let startable = self.startable(&namespace, now);
                self.turns.push_back(namespace);
                match startable {
                    Next::Wait(time) => earliest = Some(earliest.map_or(time, |other: Instant| other.min(time))),
                    Next::Ask(job) => return Next::Ask(self.start(job, now)),
                    Next::Idle => {}
                }
            }
        }
        // Numbers grow with time.
        let oldest = self.waiting.values().next().map(|asking| asking.since + OLDEST);
        match earliest.into_iter().chain(oldest).min() {
            Some(time) => Next::Wait(time),
            None => Next::Idle,
        }
    }

    /// The first question of a namespace that may be asked now, or when there will be one.
    fn startable(&self, namespace: &Namespace, now: Instant) -> Next {
        let running = |matches: &dyn Fn(&Asking) -> bool| self.running.values().filter(|one| matches(one)).count();
        if running(&|one| one.subject.namespace == *namespace) >= AT_A_TIME_PER_NAMESPACE {
            return Next::Idle;
        }
        let mut earliest: Option<Instant> = None;
        let ids = self.by_namespace.get(namespace).into_iter().flatten();
        for (id, asking) in ids.filter_map(|id| Some((*id, self.waiting.get(id)?))) {
            if running(&|one| one.registry == asking.registry) >= AT_A_TIME_PER_REGISTRY {
                continue;
            }
            let pace = self.paces.get(&asking.registry).copied().unwrap_or(now);
            let time = asking.not_before.max(pace);
            if time <= now
                && let Some(query) = asking.wanted_by.first().cloned()
            {
                return Next::Ask(Job { id, query, tries: asking.tries, until: asking.since + OLDEST });
            }
            earliest = Some(earliest.map_or(time, |other| other.min(time)));
        }
        earliest.map_or(Next::Idle, Next::Wait)
    }

    fn start(&mut self, job: Job, now: Instant) -> Job {
        if let Some(asking) = self.take(job.id) {
            self.paces.insert(asking.registry.clone(), now + PACE);
            self.running.insert(job.id, asking);
        }
        job
    }

    /// A question failed and waits for another turn.
    pub(super) fn failed(&mut self, id: Id, error: String, not_before: Instant) {
        let Some(mut asking) = self.running.remove(&id) else { return };
        asking.tries += 1;
        asking.last_error = Some(error);
        asking.not_before = not_before;
        // Others may have come to ask the same in the meantime.
        if let Some(other) = self.numbers.get(&asking.subject).copied().and_then(|id| self.waiting.get_mut(&id)) {
            for query in &asking.wanted_by {
                if let Some(place) = self.pending.get_mut(query) {
                    *place = self.numbers.get(&asking.subject).copied().unwrap_or(id);
                }
            }
            other.wanted_by.append(&mut asking.wanted_by);
            return;
        }
        self.put(id, asking);
    }

    /// A question is answered, for these.
    pub(super) fn answered(&mut self, id: Id, now: Instant) -> BTreeSet<ImageQuery> {
        let wanted_by = self.running.remove(&id).map(|asking| asking.wanted_by).unwrap_or_default();
        self.settle(&wanted_by, Some(now));
        wanted_by
    }

    /// A question is not for this process to ask: these may ask again.
    pub(super) fn dropped(&mut self, id: Id) -> BTreeSet<ImageQuery> {
        let wanted_by = self.running.remove(&id).map(|asking| asking.wanted_by).unwrap_or_default();
        self.settle(&wanted_by, None);
        wanted_by
    }

    /// Questions that waited too long, each with what was said last.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<(BTreeSet<ImageQuery>, Option<String>)> {
        let old = self.waiting.iter().take_while(|(_, asking)| asking.since + OLDEST <= now).map(|(id, _)| *id);
        let old: Vec<Id> = old.collect();
        let mut expired = Vec::new();
        for asking in old.into_iter().filter_map(|id| self.take(id)).collect::<Vec<_>>() {
            self.settle(&asking.wanted_by, Some(now));
            expired.push((asking.wanted_by, asking.last_error));
        }
        expired
    }

    /// Questions whose answers no plan asks for any more.
    pub(super) fn forgotten(&mut self, now: Instant) -> Vec<ImageQuery> {
        let mut forgotten = Vec::new();
        self.answered.retain(|query, asked| {
            let is_kept = now.duration_since(*asked) < MEMORY;
            if !is_kept {
                forgotten.push(query.clone());
            }
            is_kept
        });
        self.paces.retain(|_, time| *time > now);
        forgotten
    }

    fn add(&mut self, query: &ImageQuery, now: Instant) {
        let subject = Subject::of(query);
        // One that is under way was asked before this one was wanted, and may be told what is not true any more.
        if let Some(id) = self.numbers.get(&subject).copied()
            && let Some(asking) = self.waiting.get_mut(&id)
        {
            asking.wanted_by.insert(query.clone());
            self.pending.insert(query.clone(), id);
            return;
        }
        let registry = ImageReference::parse(&query.image).map(|reference| reference.registry).unwrap_or_default();
        let id = self.next_id;
        self.next_id += 1;
        self.pending.insert(query.clone(), id);
        let wanted_by = BTreeSet::from([query.clone()]);
        self.put(id, Asking { subject, registry, wanted_by, since: now, tries: 0, last_error: None, not_before: now });
    }

    fn put(&mut self, id: Id, asking: Asking) {
        let namespace = asking.subject.namespace.clone();
        let ids = self.by_namespace.entry(namespace.clone()).or_default();
        if ids.is_empty() {
            self.turns.push_back(namespace);
        }
        ids.insert(id);
        self.numbers.insert(asking.subject.clone(), id);
        self.waiting.insert(id, asking);
    }

    fn take(&mut self, id: Id) -> Option<Asking> {
        let asking = self.waiting.remove(&id)?;
        self.numbers.remove(&asking.subject);
        let namespace = &asking.subject.namespace;
        if let Some(ids) = self.by_namespace.get_mut(namespace) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_namespace.remove(namespace);
                self.turns.retain(|other| other != namespace);
            }
        }
        Some(asking)
    }

    /// Nobody wants to know any more. Returns the number of the question if it is under way and nobody else does.
    fn withdraw(&mut self, query: &ImageQuery) -> Option<Id> {
        let id = self.pending.remove(query)?;
        if let Some(asking) = self.waiting.get_mut(&id) {
            asking.wanted_by.remove(query);
            if asking.wanted_by.is_empty() {
                self.take(id);
            }
            return None;
        }
        let asking = self.running.get_mut(&id)?;
        asking.wanted_by.remove(query);
        if asking.wanted_by.is_empty() {
            self.running.remove(&id);
            return Some(id);
        }
        None
    }

    fn settle(&mut self, queries: &BTreeSet<ImageQuery>, answered: Option<Instant>) {
        for query in queries {
            self.pending.remove(query);
            if let Some(own) = self.by_root.get_mut(&query.root) {
                own.remove(query);
                if own.is_empty() {
                    self.by_root.remove(&query.root);
                }
            }
            if let Some(now) = answered {
                self.answered.insert(query.clone(), now);
            }
        }
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
