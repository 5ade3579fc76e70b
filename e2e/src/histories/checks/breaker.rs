//! Failed tasks, counted once more by the uids of their pods, and the circuit breaker.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::recorder::Tape;
use super::super::rules::Breaker;
use super::super::world::{Change, Deployment, Failure, LAG, World};
use super::{Check, Complaints};
use crate::scenario::json::text;

/// Within which time the breaker fires.
const PATIENCE: Duration = Duration::from_secs(15);

/// What happened to the tasks of one deployment.
#[derive(Default)]
struct Count {
    /// Tasks that failed beyond doubt, by uid, with the time.
    certain: BTreeMap<String, Duration>,
    /// Tasks that the operator may have counted as failed, those above too, and each end of containers that are started
    /// again in place.
    possible: BTreeMap<String, Duration>,
    /// When tasks became healthy.
    healthy: Vec<Duration>,
    /// The breaker as it was at first; `None` when it was off.
    breaker: Option<Breaker>,
    is_known: bool,
    /// Whether it was so all the time.
    is_steady: bool,
    has_told: bool,
}

pub(super) struct BreakerCheck {
    hurt: BTreeSet<String>,
    counts: BTreeMap<String, Count>,
}

impl BreakerCheck {
    pub(super) fn new(tape: &Tape) -> Self {
        Self { hurt: tape.hurt.clone(), counts: BTreeMap::new() }
    }

    fn count(&mut self, world: &World, change: &Change) {
        let Change::Task(before, Some(after)) = change else { return };
        let count = self.counts.entry(after.deployment.clone()).or_default();
        if after.is_healthy && !before.as_ref().is_some_and(|before| before.is_healthy) {
            count.healthy.push(world.now);
        }
        let Some((failure, _)) = after.failed else { return };
        let most = if after.is_in_place { after.ends + i64::from(after.was_unhealthy) } else { 1 };
        for index in 0..most.max(1) {
            count.possible.entry(format!("{}/{index}", after.uid)).or_insert(world.now);
        }
        let is_in_progress = world.primary().is_some_and(|primary| {
            primary.digits == after.deployment && matches!(primary.status.as_str(), "" | "PENDING" | "IN_PROGRESS")
        });
        let is_certain = matches!(failure, Failure::CannotStart | Failure::EndedEarly);
        if is_certain && is_in_progress && !after.is_stopping && !self.hurt.contains(&after.uid) {
            count.certain.entry(after.uid.clone()).or_insert(world.now);
        }
        if before.as_ref().is_some_and(|before| before.failed.is_none() && before.is_stopping) {
            count.certain.remove(&after.uid);
        }
    }

    /// A task that was asked to stop soon after it failed, or whose deployment ended then, may never have been seen.
    fn forget_unseen(&mut self, world: &World, change: &Change) {
        let Change::Task(Some(before), after) = change else { return };
        let is_stopped = after.as_ref().is_none_or(|after| after.is_stopping) && !before.is_stopping;
        let Some(count) = self.counts.get_mut(&before.deployment).filter(|_| is_stopped) else { return };
        if count.certain.get(&before.uid).is_some_and(|at| *at + Duration::from_secs(2) > world.now) {
            let is_told = world
                .service
                .as_ref()
                .and_then(|service| service.pointer("/status/stoppedTasks")?.as_array())
                .is_some_and(|list| list.iter().any(|one| text(one, "/uid") == before.uid));
            if !is_told {
                count.certain.remove(&before.uid);
            }
        }
    }

    fn fires_not_before(
        &self,
        world: &World,
        before: Option<&Deployment>,
        after: &Deployment,
        complaints: &mut Complaints,
    ) {
        let is_fired = |one: &Deployment| one.breaker == "TRIGGERED";
        if !is_fired(after) || before.is_some_and(is_fired) {
            return;
        }
        let count = self.counts.get(&after.digits);
        let threshold =
            world.configs().filter_map(|config| config.breaker.map(|breaker| breaker.failures(config.desired))).min();
        let Some(threshold) = threshold else {
            complaints.add(world, "a breaker that is off does not fire", after.revision.clone());
            return;
        };
        let resets = world.configs().all(|config| config.breaker.is_none_or(|breaker| breaker.resets));
        let since = count.filter(|_| resets).and_then(|count| {
            count.healthy.iter().filter(|at| **at + LAG < world.now).max().map(|at| at.saturating_sub(LAG))
        });
        let failures = count.map_or(0, |count| {
            super::super::world::count(count.possible.values().filter(|at| since.is_none_or(|since| **at >= since)))
        });
        if failures < threshold {
            complaints.add(
                world,
                "the breaker does not fire before the threshold",
                format!("{failures} tasks of {} failed, the threshold is {threshold}", after.revision),
            );
        }
        if after.failures < after.threshold {
            complaints.add(
                world,
                "the breaker does not fire before its own threshold",
                format!("{} of {}", after.failures, after.threshold),
            );
        }
    }

    fn fires(&mut self, world: &World, complaints: &mut Complaints) {
        let Some(primary) = world.primary().filter(|primary| primary.status == "IN_PROGRESS") else { return };
        let now = world.now;
        let count = self.counts.entry(primary.digits.clone()).or_default();
        let breakers: Vec<_> = world.configs().map(|config| config.breaker).collect();
        if !count.is_known {
            count.breaker = breakers.first().copied().flatten();
            (count.is_known, count.is_steady) = (true, true);
        }
        count.is_steady &= breakers.iter().all(|one| *one == count.breaker);
        let Some(breaker) = count.breaker.filter(|_| count.is_steady && !count.has_told) else { return };
        let threshold = world.configs().map(|config| breaker.failures(config.desired)).max().unwrap_or(i64::MAX);
        let last_healthy = count.healthy.iter().max().filter(|_| breaker.resets).map(|at| *at + LAG);
        let failures = count
            .certain
            .values()
            .filter(|at| **at + PATIENCE < now && last_healthy.is_none_or(|healthy| **at > healthy));
        let failures = super::super::world::count(failures);
        if failures >= threshold {
            count.has_told = true;
            complaints.add(
                world,
                "the breaker fires at its threshold",
                format!("{failures} tasks of {} failed, the threshold is {threshold}", primary.revision),
            );
        }
    }
}

impl Check for BreakerCheck {
    fn look(&mut self, world: &World, change: &Change, complaints: &mut Complaints) {
        self.count(world, change);
        self.forget_unseen(world, change);
        if let Change::Deployment(before, name) = change
            && let Some(after) = world.deployments.get(name)
        {
            self.fires_not_before(world, before.as_ref(), after, complaints);
        }
        self.fires(world, complaints);
    }

    fn end(&mut self, world: &World, complaints: &mut Complaints) {
        for deployment in world.deployments.values() {
            let Some(count) = self.counts.get(&deployment.digits) else {
                if deployment.failed_tasks > 0 {
                    complaints.add(world, "failedTasks is the number of failed tasks", "there was no task".to_owned());
                }
                continue;
            };
            let over = deployment.over_at.map(|(_, at)| at);
            let known = |at: &&Duration| over.is_none_or(|over| **at + LAG < over);
            let certain = super::super::world::count(count.certain.values().filter(known));
            let possible = super::super::world::count(count.possible.keys());
            let told = deployment.failed_tasks;
            if told < certain || told > possible {
                complaints.add(
                    world,
                    "failedTasks is the number of failed tasks",
                    format!(
                        "{} of {} tells {told}; {certain} failed for sure, {possible} possibly",
                        deployment.name, deployment.revision
                    ),
                );
            }
        }
    }
}
