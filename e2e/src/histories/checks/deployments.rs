//! Service deployments: their states, what a failed one may still do, and where a rollback goes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::rules::{is_over, may_follow};
use super::super::world::{Change, Deployment, LAG, Task, World};
use super::{Check, Complaints};

#[derive(Default)]
pub(super) struct Deployments {
    /// Deployments that completed, in that order.
    completed: Vec<Deployment>,
    /// When each was last seen with all tasks healthy and no other task, by its digits.
    whole: BTreeMap<String, Duration>,
    /// When a task of a deployment was last lost otherwise than by a count that was lowered.
    lost: BTreeMap<String, Duration>,
}

impl Deployments {
    /// Only as many healthy tasks of one deployment as are desired.
    fn remember_whole(&mut self, world: &World) {
        let mut existing = world.running_or_pending();
        let desired: Vec<i64> = world.configs().map(|config| config.desired).collect();
        let Some(first) = existing.next() else {
            if desired.contains(&0) {
                for deployment in world.deployments.values() {
                    self.whole.insert(deployment.digits.clone(), world.now);
                }
            }
            return;
        };
        let all: Vec<&Task> = std::iter::once(first).chain(existing).collect();
        let is_one = all.iter().all(|task| task.is_healthy && task.deployment == first.deployment);
        if is_one && desired.contains(&super::super::world::count(all.iter())) {
            self.whole.insert(first.deployment.clone(), world.now);
        }
    }

    fn states(&mut self, world: &World, before: Option<&Deployment>, after: &Deployment, complaints: &mut Complaints) {
        let was = before.map(|before| before.status.as_str()).unwrap_or_default();
        if !may_follow(was, &after.status) {
            complaints.add(world, "a deployment that is over stays so", format!("{was} became {}", after.status));
        }
        if before.is_some_and(|before| before.failed_tasks > after.failed_tasks) {
            complaints.add(world, "failedTasks never falls", after.name.clone());
        }
        if after.status == "SUCCESSFUL" && was != "SUCCESSFUL" {
            let is_whole = self.whole.get(&after.digits).is_some_and(|at| *at + LAG >= world.now);
            if !is_whole {
                complaints.add(
                    world,
                    "a deployment completes when all of its tasks are healthy and no other is left",
                    format!("{} of {} completed", after.name, after.revision),
                );
            }
            self.completed.push(after.clone());
        }
        if after.breaker == "TRIGGERED" && before.is_none_or(|before| before.breaker != "TRIGGERED") {
            self.is_rolled_back(world, after, complaints);
        }
        if before.is_none() && !after.rollback_of.is_empty() {
            let candidates = self.completed.iter().rev();
            let mut candidates = candidates.filter(|one| one.owner == after.owner && one.name != after.rollback_of);
            match candidates.next() {
                None => {
                    complaints.add(world, "without a completed deployment nothing is rolled back", after.name.clone());
                }
                Some(last) if last.service_revision != after.service_revision => complaints.add(
                    world,
                    "a rollback goes to the last deployment that completed",
                    format!("it goes to {}, the last was {} of {}", after.revision, last.name, last.revision),
                ),
                Some(_) => {}
            }
        }
    }

    /// What the breaker says is to become of a deployment that failed.
    fn is_rolled_back(&self, world: &World, failed: &Deployment, complaints: &mut Complaints) {
        let wishes: Vec<bool> =
            world.configs().filter_map(|config| config.breaker.map(|breaker| breaker.rollback)).collect();
        let has_candidate = self.completed.iter().any(|one| one.owner == failed.owner && one.name != failed.name);
        // A rollback that fails is not rolled back itself.
        let may = has_candidate && failed.rollback_of.is_empty();
        let is_wrong = match failed.status.as_str() {
            status if status.starts_with("ROLLBACK") => !may || wishes.iter().all(|wish| !wish),
            "STOPPED" => may && wishes.iter().all(|wish| *wish),
            _ => true,
        };
        if is_wrong {
            complaints.add(
                world,
                "a failed deployment is rolled back if the breaker says so and something completed before",
                format!("{} of {} became {}", failed.name, failed.revision, failed.status),
            );
        }
    }

    /// A deployment that failed or was stopped launches nothing more.
    fn launches(&mut self, world: &World, change: &Change, complaints: &mut Complaints) {
        if let Change::Task(Some(before), after) = change {
            let is_lost = after.as_ref().is_none_or(|after| after.is_stopping || !after.exists);
            if is_lost && before.exists {
                self.lost.insert(before.deployment.clone(), world.now);
            }
        }
        let Change::Task(None, Some(task)) = change else { return };
        let Some(deployment) = world.deployment(&task.deployment) else { return };
        let is_primary = world.primary().is_some_and(|primary| primary.name == deployment.name);
        let Some((_, over)) = deployment.over_at.filter(|_| is_primary && deployment.rollout == "FAILED") else {
            return;
        };
        if over + LAG >= world.now {
            return;
        }
        // A ReplicaSet replaces what it loses before anybody can tell it not to.
        let is_replacement = self.lost.get(&task.deployment).is_some_and(|at| *at + LAG > world.now);
        if !is_replacement {
            complaints.add(
                world,
                "a deployment that failed launches nothing more",
                format!("{} of {}", task.name, deployment.revision),
            );
        }
    }
}

impl Check for Deployments {
    fn look(&mut self, world: &World, change: &Change, complaints: &mut Complaints) {
        self.remember_whole(world);
        if let Change::Deployment(before, name) = change
            && let Some(after) = world.deployments.get(name)
        {
            self.states(world, before.as_ref(), after, complaints);
        }
        self.launches(world, change, complaints);
    }

    fn pause(&mut self, world: &World, until: Duration, _complaints: &mut Complaints) {
        // What was whole before a pause is so until its end.
        if self.whole.values().any(|at| *at == world.now) {
            for at in self.whole.values_mut().filter(|at| **at == world.now) {
                *at = until;
            }
        }
    }

    fn end(&mut self, world: &World, complaints: &mut Complaints) {
        for deployment in world.deployments.values().filter(|deployment| !deployment.is_gone) {
            if !is_over(&deployment.status) {
                complaints.add(
                    world,
                    "at the end every deployment is over",
                    format!("{} of {} is {}", deployment.name, deployment.revision, deployment.status),
                );
            }
        }
    }
}
