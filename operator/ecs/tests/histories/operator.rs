//! What the planner does with the state machine, as far as counts go.

use std::collections::BTreeSet;

use ecs::capacity::{StrategyItem, split, split_with_floor};
use ecs::rolling::{Percentages, bounds};
use ecs::rollout::{Launching, Part, Service, Step, Tasks, step};

use crate::Failure;
use crate::cluster::{Cluster, Id, Limits, Mode, Pod, Seen, count};
use crate::random::{self, Random};

#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) desired: i64,
    pub(crate) percentages: Percentages,
    /// Weights of the providers.
    pub(crate) strategy: Vec<i64>,
    is_strategy_changed: bool,
    pub(crate) primary: usize,
    pub(crate) launching: Launching,
    pub(crate) is_early_success: bool,
    pub(crate) is_calm: bool,
    last: Option<Step>,
    /// Number of the newest view.
    seen: u64,
}

impl Operator {
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut operator = Self {
            desired: 1 + random.below_i64(10),
            percentages: random::percentages(random),
            strategy: Vec::new(),
            is_strategy_changed: false,
            primary: 0,
            launching: Launching::Allowed,
            is_early_success: false,
            is_calm: false,
            last: None,
            seen: 0,
        };
        operator.change_strategy(random);
        operator.is_strategy_changed = false;
        operator
    }

    pub(crate) fn change_strategy(&mut self, random: &mut Random) {
        let providers = 1 + random.below(3);
        self.strategy = (0..providers.max(self.strategy.len())).map(|_| random.below_i64(4)).collect();
        self.is_strategy_changed = true;
    }

    pub(crate) fn update(&mut self, mode: Mode, cluster: &mut Cluster) {
        self.primary += 1;
        cluster.add_mode(mode);
        self.launching = Launching::Allowed;
        self.is_early_success = false;
        self.is_strategy_changed = false;
    }

    /// Looks, steps and asks for counts.
    pub(crate) fn reconcile(&mut self, cluster: &mut Cluster, random: &mut Random) -> Result<(), Failure> {
        let seen = self.look(cluster, random);
        self.give_up(cluster, &seen, random);
        let ids = self.ids(cluster);
        let parts = self.parts(cluster, &seen, &ids);
        let step = step(&Service {
            desired: self.desired,
            percentages: self.percentages,
            launching: self.launching,
            is_early_success: self.is_early_success,
            parts: &parts,
        });
        self.check(&parts, &step).map_err(|why| format!("at {} {why}: {parts:?} {step:?} {self:?}", cluster.now))?;
        self.limit(cluster, &seen, &ids, &parts, &step);
        for ((id, part), count) in ids.iter().zip(&parts).zip(&step.counts) {
            self.ask(cluster, &seen, *id, part, *count);
        }
        self.last = Some(step);
        Ok(())
    }

    /// What is there, or what was there up to ten seconds ago, but nothing that is older than what was seen before: a watch
    /// may be late, it does not go back.
    fn look(&mut self, cluster: &Cluster, random: &mut Random) -> Seen {
        let late = if self.is_calm || random.chance(60) { 0 } else { random.below(3) };
        let known = cluster.past.partition_point(|seen| seen.number < self.seen);
        let at = cluster.past.len().saturating_sub(1 + late).max(known);
        let seen = cluster.past[at].clone();
        self.seen = seen.number;
        seen
    }

    /// Sources, oldest first, then the parts of the PRIMARY deployment.
    fn ids(&self, cluster: &Cluster) -> Vec<Id> {
        let mut ids: Vec<Id> = cluster.deployments.keys().copied().filter(|id| id.0 != self.primary).collect();
        ids.extend((0..self.strategy.len()).map(|provider| (self.primary, provider)));
        ids
    }

    fn parts(&self, cluster: &Cluster, seen: &Seen, ids: &[Id]) -> Vec<Part> {
        let live = |id: &Id| cluster.deployments.get(id).cloned().unwrap_or_default();
        let newest: Vec<i64> = ids.iter().filter(|id| id.0 == self.primary).map(|id| live(id).asked).collect();
        let items: Vec<StrategyItem> = self
            .strategy
            .iter()
            .map(|weight| StrategyItem { provider: String::new(), base: 0, weight: *weight })
            .collect();
        let goals = if self.is_strategy_changed {
            split_with_floor(self.desired, &items, &newest)
        } else {
            split(self.desired, &items)
        };
        let part = |id: &Id| {
            let is_primary = id.0 == self.primary;
            let deployment = live(id);
            let pods = || seen.pods.iter().filter(|pod| pod.id == *id);
            let of = |test: fn(&&Pod) -> bool| count(pods().filter(test));
            // Of more tasks than are asked for, the marked ones are about to go, whatever became of them since.
            let is_lowered = count(pods()) > deployment.asked;
            let healthy = |pod: &&Pod| pod.is_healthy && !(is_lowered && pod.is_marked);
            Part {
                is_primary,
                goal: if is_primary { goals[id.1] } else { 0 },
                asked: deployment.asked,
                asked_for: deployment.asked_for,
                tasks: Tasks {
                    existing: count(pods()),
                    healthy: count(pods().filter(healthy)),
                    leaving: of(|pod| pod.is_leaving()),
                    leaving_healthy: count(pods().filter(healthy).filter(|pod| pod.is_leaving())),
                    failing: of(|pod| pod.is_failing),
                    protected: of(|pod| pod.is_protected),
                    protected_healthy: count(pods().filter(healthy).filter(|pod| pod.is_protected)),
                    unplaced: of(|pod| pod.is_unplaced()),
                    refused: 0,
                },
            }
        };
        ids.iter().map(part).collect()
    }

    /// What each step keeps, by what it was told.
    fn check(&self, parts: &[Part], step: &Step) -> Result<(), Failure> {
        let bounds = bounds(self.desired, self.percentages);
        let has_sources = parts.iter().any(|part| !part.is_primary && (part.asked > 0 || part.tasks.existing > 0));
        let maximum = if has_sources { bounds.maximum } else { bounds.maximum.max(self.desired) };
        let all = |count: fn(&Part, i64) -> i64| -> (i64, i64) {
            let before = parts.iter().map(|part| count(part, part.asked)).sum();
            (before, parts.iter().zip(&step.counts).map(|(part, asked)| count(part, *asked)).sum())
        };
        if step.counts.len() != parts.len() || step.counts.iter().any(|count| *count < 0) {
            return Err("the counts are none".to_owned());
        }
        // A part that is lowered has its tasks for a while.
        let before: i64 = parts.iter().map(|part| part.asked.max(part.tasks.existing)).sum();
        let (_, after) = all(|part, asked| asked.max(part.asked).max(part.tasks.existing));
        if after > maximum.max(before) {
            return Err(format!("there may be {after} tasks"));
        }
        let (before, after) = all(healthy_at);
        if after < bounds.minimum_healthy.min(before) {
            return Err(format!("there may be only {after} healthy tasks"));
        }
        let takes_protected = |(part, count): (&Part, &i64)| *count < part.tasks.protected.min(part.asked);
        if parts.iter().zip(&step.counts).any(takes_protected) {
            return Err("a protected task is given up".to_owned());
        }
        // With nothing older there, tasks that worked are replaced.
        let replaced = |part: &Part| if has_sources { 0 } else { part.tasks.leaving };
        let launches = |(part, count): (&Part, &i64)| part.is_primary && *count > part.asked + replaced(part);
        if self.launching == Launching::Frozen && parts.iter().zip(&step.counts).any(launches) {
            return Err("what failed is started".to_owned());
        }
        Ok(())
    }

    /// What may happen from now on: what this step may want, and what earlier ones did want.
    fn limit(&self, cluster: &mut Cluster, seen: &Seen, ids: &[Id], parts: &[Part], step: &Step) {
        let bounds = bounds(self.desired, self.percentages);
        let has_sources = parts.iter().any(|part| !part.is_primary && (part.asked > 0 || part.tasks.existing > 0));
        let maximum = if has_sources { bounds.maximum } else { bounds.maximum.max(self.desired) };
        let there: i64 = ids.iter().zip(parts).map(|(id, part)| part.asked.max(cluster.existing(*id))).sum();
        // Pods that were made after what was seen, and that nobody asks for any more, could not be reckoned with.
        let unseen = |(id, part): (&Id, &Part)| (cluster.existing(*id) - part.asked.max(part.tasks.existing)).max(0);
        let maximum = maximum + ids.iter().zip(parts).map(unseen).sum::<i64>();
        // Below the minimum already, what counted as healthy is kept; a task that came to be healthy since may go.
        let kept = parts.iter().zip(&step.counts).map(|(part, count)| healthy_at(part, *count)).sum();
        cluster.limits =
            Limits { most: maximum.max(there), fewest: bounds.minimum_healthy.min(kept), seen_at: seen.at };
    }

    fn ask(&self, cluster: &mut Cluster, seen: &Seen, id: Id, part: &Part, count: i64) {
        if count < part.tasks.existing.max(part.asked) {
            let limits = cluster.limits;
            let lowered = cluster.lowered.entry(id).or_insert(limits);
            *lowered = Limits {
                fewest: limits.fewest.min(lowered.fewest),
                seen_at: limits.seen_at.min(lowered.seen_at),
                ..limits
            };
            if count < part.asked {
                *lowered = limits;
            }
            mark(cluster, seen, id, usize::try_from(part.tasks.existing - count).unwrap_or_default());
        } else {
            cluster.lowered.remove(&id);
        }
        let is_over = count == 0 && part.asked == 0 && cluster.existing(id) == 0;
        if is_over && !part.is_primary {
            cluster.deployments.remove(&id);
        } else {
            let deployment = cluster.deployments.entry(id).or_default();
            deployment.asked = count;
            deployment.asked_for = Some(self.desired);
        }
    }

    /// Stops tasks that fail, and where there is no room to replace unhealthy ones first, those.
    fn give_up(&self, cluster: &mut Cluster, seen: &Seen, random: &mut Random) {
        let has_room = bounds(self.desired, self.percentages).maximum > self.desired
            && !self.last.as_ref().is_some_and(|step| step.is_full);
        for pod in &seen.pods {
            let is_frozen = self.launching == Launching::Frozen && pod.id.0 == self.primary;
            let asked = cluster.deployments.get(&pod.id).map_or(0, |deployment| deployment.asked);
            let is_lowered = asked < cluster.existing(pod.id);
            let is_over = (pod.is_failing && !is_frozen) || (pod.is_unhealthy && !has_room);
            if is_over && !is_lowered && random.chance(30) {
                cluster.pods.retain(|known| known.number != pod.number);
            }
        }
    }

    /// Whether everything is as it is to be, or nothing can be done and that is said.
    pub(crate) fn is_at_end(&self, cluster: &Cluster) -> bool {
        let Some(step) = &self.last else { return false };
        let is_done = step.is_complete
            && count(cluster.pods.iter()) == self.desired
            && cluster.pods.iter().all(|pod| pod.is_healthy && pod.id.0 == self.primary);
        // While a task is yet to be healthy, or to be stopped since it never will, what is stuck may go on by itself.
        let is_stuck = step.is_stuck
            && bounds(self.desired, self.percentages).is_stuck(self.desired)
            && cluster.pods.iter().all(|pod| pod.is_healthy);
        is_done || is_stuck
    }
}

/// Healthy tasks that are left of those that were seen. Protected ones stay, healthy or not.
fn healthy_at(part: &Part, asked: i64) -> i64 {
    part.tasks.healthy.min((asked.min(part.asked) - (part.tasks.protected - part.tasks.protected_healthy)).max(0))
}

/// Chooses the tasks that go: those that do not count as healthy, then those that are replaced, then any that are not
/// protected.
fn mark(cluster: &mut Cluster, seen: &Seen, id: Id, fewer: usize) {
    let mut pods: Vec<&Pod> = seen.pods.iter().filter(|pod| pod.id == id && !pod.is_protected).collect();
    pods.sort_by_key(|pod| (pod.is_ready, pod.is_healthy, !pod.is_leaving(), pod.number));
    let chosen: BTreeSet<u64> = pods.into_iter().take(fewer).map(|pod| pod.number).collect();
    for pod in cluster.pods.iter_mut().filter(|pod| pod.id == id) {
        pod.is_marked = chosen.contains(&pod.number);
        pod.was_idle = !seen.pods.iter().any(|known| known.number == pod.number && known.is_healthy);
    }
}
