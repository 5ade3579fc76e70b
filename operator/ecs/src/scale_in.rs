//! Which tasks of a service go when there are too many.
//!
//! ECS stops first what does not run anyway, then tasks on draining instances, and then follows the placement strategy.
//! A ReplicaSet also deletes Pods without a node, Pods that do not run and Pods that are not ready before all others, so
//! the order here can be told to it by deletion cost. What it cannot be told is to keep a protected task: a protected Pod
//! that is not ready goes before every ready one, whatever it costs. Whoever deletes must therefore not ask for more
//! victims than [`victims`] names.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A task that could be stopped.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a task")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Unique among the candidates.
    pub id: &'a str,
    /// Availability Zone of its instance; empty while it has none, or on an instance that is in no zone.
    pub zone: &'a str,
    /// Its container instance; empty while it has none.
    pub instance: &'a str,
    /// Whether it has an instance.
    pub is_placed: bool,
    /// Whether it is RUNNING.
    pub is_running: bool,
    /// Whether it is ready for work.
    pub is_ready: bool,
    /// Whether it counts as healthy in a deployment, which a ready task without health check does after 40 seconds.
    pub is_healthy: bool,
    /// Whether its instance is DRAINING.
    pub is_draining: bool,
    /// Whether its health checks fail.
    pub is_unhealthy: bool,
    /// Whether it is protected from scale-in now.
    pub is_protected: bool,
    /// When it was made, in seconds since 1970.
    pub created_at: i64,
    /// With [`Strategy::Binpack`]: how much of the field is free on its instance, in units of CPU or MiB.
    pub remaining: Option<i64>,
}

/// What decides between tasks that are equally useful.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// `spread`: the zones stay balanced. ECS chooses at random inside a zone, which leaves the choice free here: it is the
    /// one of [`Strategy::Default`].
    Spread,
    /// `binpack`: the task whose instance is left with the most of the resource, so that instances become empty.
    Binpack,
    /// No strategy, or `random`: from the zone, then from the instance with the most tasks of the service.
    #[default]
    Default,
}

/// What goes before anything else, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// It has no instance.
    Unplaced,
    /// It does not run.
    NotRunning,
    /// It runs and does no work.
    NotReady,
    /// It is ready and too young to count. It goes before a healthy task on a draining instance, since healthy tasks are what
    /// a deployment keeps.
    NotHealthy,
    /// It works on an instance that is to become empty.
    Draining,
    /// It works.
    Working,
}

fn use_of(candidate: &Candidate<'_>) -> Use {
    match candidate {
        Candidate { is_placed: false, .. } => Use::Unplaced,
        Candidate { is_running: false, .. } => Use::NotRunning,
        Candidate { is_ready: false, .. } | Candidate { is_unhealthy: true, .. } => Use::NotReady,
        Candidate { is_healthy: false, .. } => Use::NotHealthy,
        Candidate { is_draining: true, .. } => Use::Draining,
        _ => Use::Working,
    }
}

/// Zone and instance of a task.
type Place<'a> = (&'a str, &'a str);

/// How many tasks of the service each zone and instance has; tasks without instance are in none.
#[derive(Default)]
struct Counts<'a> {
    zones: BTreeMap<&'a str, i64>,
    places: BTreeMap<Place<'a>, i64>,
    taken: BTreeMap<Place<'a>, i64>,
}

impl<'a> Counts<'a> {
    fn of(candidates: &[Candidate<'a>]) -> Self {
        let mut counts = Self::default();
        for candidate in candidates.iter().filter(|candidate| candidate.is_placed) {
            *counts.zones.entry(candidate.zone).or_default() += 1;
            *counts.places.entry((candidate.zone, candidate.instance)).or_default() += 1;
        }
        counts
    }

    fn take(&mut self, candidate: &Candidate<'a>) {
        if candidate.is_placed {
            let place = (candidate.zone, candidate.instance);
            *self.zones.entry(candidate.zone).or_default() -= 1;
            *self.places.entry(place).or_default() -= 1;
            *self.taken.entry(place).or_default() += 1;
        }
    }

    fn zone(&self, candidate: &Candidate<'a>) -> i64 {
        self.zones.get(candidate.zone).copied().unwrap_or_default()
    }

    fn place(&self, candidate: &Candidate<'a>) -> i64 {
        self.places.get(&(candidate.zone, candidate.instance)).copied().unwrap_or_default()
    }

    fn taken(&self, candidate: &Candidate<'a>) -> i64 {
        self.taken.get(&(candidate.zone, candidate.instance)).copied().unwrap_or_default()
    }
}

/// How much a strategy wants a task to go; the greatest goes. The names at the end only make the order complete.
type Weight<'a> = (i64, i64, i64, Reverse<&'a str>);

fn weight<'a>(candidate: &Candidate<'a>, counts: &Counts<'a>, strategy: Strategy) -> Weight<'a> {
    let (first, second) = match strategy {
        Strategy::Default | Strategy::Spread => (counts.zone(candidate), counts.place(candidate)),
        // What was taken from an instance before adds to what is free there: of two instances with the same remainder the
        // one that is already being emptied goes on.
        Strategy::Binpack => (candidate.remaining.unwrap_or(i64::MIN), counts.taken(candidate)),
    };
    (first, second, candidate.created_at, Reverse(candidate.id))
}

/// The ids of the `count` tasks that go, in that order; fewer when the others are protected.
///
/// With 3 tasks in zone `a` and 2 in zone `b`, all working, the first is the newest one in `a`. The next is the newest on
/// the fullest instance of either zone, as both have 2. The result depends on nothing but the candidates: their order
/// plays no part.
#[must_use]
pub fn victims<'a>(candidates: &[Candidate<'a>], count: usize, strategy: Strategy) -> Vec<&'a str> {
    let mut counts = Counts::of(candidates);
    // The candidates of one place differ in age only, so that just the newest of each has to be compared.
    let mut groups: BTreeMap<Use, BTreeMap<Place<'a>, Vec<Candidate<'a>>>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| !candidate.is_protected) {
        let places = groups.entry(use_of(candidate)).or_default();
        places.entry((candidate.zone, candidate.instance)).or_default().push(*candidate);
    }
    for places in groups.values_mut() {
        for group in places.values_mut() {
            group.sort_by_key(|candidate| (candidate.created_at, Reverse(candidate.id)));
        }
    }
    let mut chosen = Vec::new();
    for places in groups.values_mut() {
        while chosen.len() < count {
            let tops = places.iter().filter_map(|(place, group)| Some((*place, group.last()?)));
            let next = tops.max_by_key(|(_, candidate)| weight(candidate, &counts, strategy)).map(|(place, _)| place);
            let Some(candidate) = next.and_then(|place| places.get_mut(&place)?.pop()) else { break };
            counts.take(&candidate);
            chosen.push(candidate.id);
        }
    }
    chosen
}

#[cfg(test)]
#[path = "scale_in_tests.rs"]
mod tests;
