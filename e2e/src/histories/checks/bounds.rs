//! `minimumHealthyPercent` and `maximumPercent` at every moment.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::super::recorder::Tape;
use super::super::world::{Change, LAG, World};
use super::{Check, Complaints};

/// How long there may be more tasks than the maximum after the maximum fell.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Bounds {
    /// Tasks that the history deleted or made unhealthy.
    hurt: BTreeSet<String>,
    /// When a healthy task was lost otherwise than by the operator.
    losses: VecDeque<Duration>,
    /// How many tasks there were lately.
    lately: VecDeque<(Duration, i64)>,
    /// Since when there are more tasks than the maximum.
    above_since: Option<Duration>,
}

impl Bounds {
    pub(super) fn new(tape: &Tape) -> Self {
        Self { hurt: tape.hurt.clone(), losses: VecDeque::new(), lately: VecDeque::new(), above_since: None }
    }

    fn lower(&mut self, world: &World, change: &Change, complaints: &mut Complaints) {
        let Change::Task(Some(before), after) = change else { return };
        let is_healthy = after.as_ref().is_some_and(|after| after.is_healthy);
        if !before.is_healthy || is_healthy || !world.is_current(before) {
            return;
        }
        let is_stopped = after.as_ref().is_none_or(|after| after.is_stopping);
        if !is_stopped || self.hurt.contains(&before.uid) {
            self.losses.push_back(world.now);
            return;
        }
        self.losses.retain(|at| *at + LAG > world.now);
        let lost = super::super::world::count(self.losses.iter());
        let (healthy, at_least) = (world.healthy(), world.at_least());
        if healthy + lost < at_least {
            complaints.add(
                world,
                "a healthy task is stopped only while more than the minimum are healthy",
                format!(
                    "{} was stopped, {healthy} are healthy, {lost} were just lost, {at_least} are needed",
                    before.name
                ),
            );
        }
    }

    fn upper(&mut self, world: &World, change: &Change, complaints: &mut Complaints) {
        let (existing, at_most) = (world.existing(), world.at_most());
        while self.lately.len() > 1 && self.lately.get(1).is_some_and(|(at, _)| *at + LAG < world.now) {
            self.lately.pop_front();
        }
        let most = self.lately.iter().map(|(_, count)| *count).max().unwrap_or_default();
        if matches!(change, Change::Task(None, Some(_))) && existing > at_most.max(most) {
            complaints.add(
                world,
                "a task is started only while fewer than the maximum exist",
                format!("{existing} exist, {at_most} may"),
            );
        }
        self.lately.push_back((world.now, existing));
        // A deployment that failed or was stopped leaves everything as it is, and so do bounds that leave no room.
        let may_stay = world.primary().is_none_or(|primary| primary.rollout == "FAILED")
            || world.configs().any(|config| config.percentages.is_stuck(config.desired))
            || !world.is_settled();
        if existing <= at_most || may_stay {
            self.above_since = None;
        } else {
            self.above_since.get_or_insert(world.now);
        }
    }
}

impl Check for Bounds {
    fn look(&mut self, world: &World, change: &Change, complaints: &mut Complaints) {
        self.lower(world, change, complaints);
        self.upper(world, change, complaints);
    }

    fn pause(&mut self, world: &World, until: Duration, complaints: &mut Complaints) {
        if self.above_since.is_some_and(|since| since + PATIENCE < until) {
            complaints.add(world, "the service comes back below its maximum", "it has been above for 20 s".to_owned());
            self.above_since = None;
        }
    }
}
