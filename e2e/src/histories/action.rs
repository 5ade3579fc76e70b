//! What users, tasks and nodes do in a history, made of a seed: the same seed is the same history.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::random::Random;
use super::rules::{Breaker, Percentages, ThresholdType};
use crate::cluster::fate;

/// What becomes of the tasks of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They run and are healthy.
    Good,
    /// The same after so many seconds.
    Slow(u64),
    /// Their image cannot be pulled.
    PullError,
    /// They end before they were healthy; their containers are started again in place, or they are replaced.
    ExitsAtOnce(AtEnd),
    /// They run and are never healthy.
    Unready,
    /// They are healthy for so many seconds and end then.
    RunsThenExits(u64, AtEnd),
}

/// What comes after the end of the only container of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// Another task, as on ECS.
    Replace,
    /// The container again; each of its ends counts as a failed task.
    Restart,
}

/// Says to the checks that each end of a container in this pod counts.
pub(super) const IN_PLACE: &str = "e2e.local/in-place";

impl Fate {
    /// Annotations that make it so.
    #[must_use]
    pub fn annotations(self) -> Value {
        match self {
            Self::Good => json!({}),
            Self::Slow(seconds) => json!({ fate::START_DELAY: format!("{seconds}s") }),
            Self::PullError => json!({ fate::IMAGE_PULL_ERROR: "manifest unknown" }),
            Self::ExitsAtOnce(at_end) => {
                json!({ fate::UNREADY: "true", fate::EXIT_CODE: "1", IN_PLACE: (at_end == AtEnd::Restart).to_string() })
            }
            Self::Unready => json!({ fate::UNREADY: "true" }),
            Self::RunsThenExits(seconds, at_end) => {
                let in_place = (at_end == AtEnd::Restart).to_string();
                json!({ fate::EXIT_CODE: "1", fate::EXIT_AFTER: format!("{seconds}s"), IN_PLACE: in_place })
            }
        }
    }

    /// Settings of the task definition that make it so.
    #[must_use]
    pub fn settings(self) -> Value {
        let is_in_place = matches!(self, Self::ExitsAtOnce(AtEnd::Restart) | Self::RunsThenExits(_, AtEnd::Restart));
        let exit = if is_in_place { "RestartInPlace" } else { "ReplaceTask" };
        json!({ "kubernetes": { "podAnnotations": self.annotations(), "essentialContainerExit": exit } })
    }
}

/// Which of the two capacity providers new tasks go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All to the first.
    First,
    /// All to the second.
    Second,
    /// Half and half.
    Both,
}

/// How a deployment is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Everything stays as it is.
    Abort,
    /// Back to the last deployment that completed.
    Rollback,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Another revision of the task definition, whose tasks have this fate.
    Update(Fate),
    /// Another desired count, by the scale subresource or by the spec.
    Scale(i64, bool),
    /// Other bounds.
    Percentages(Percentages),
    /// Another capacity provider strategy.
    Strategy(Strategy),
    /// The circuit breaker on, with these settings, or off.
    Breaker(Option<Breaker>),
    /// forceNewDeployment.
    Force,
    /// A task is deleted: the n-th of those that are there.
    Kill(u64),
    /// A task that runs fails its health checks from now on.
    Hurt(u64),
    /// One of the four nodes takes no more tasks; the other one of its provider does.
    Cordon(u64),
    /// All nodes take tasks.
    Uncordon,
    /// The API server refuses new children of the service: a quota.
    Refuse,
    /// It refuses none.
    Allow,
    /// The newest deployment is stopped.
    Stop(Stop),
    /// `kubernetes.serviceRevision` names one of the deployments there were.
    Revision(u64),
    /// It names none.
    ClearRevision,
    /// The service is deleted, and made again once it is gone.
    Recreate,
    /// Nothing happens for a while.
    Rest,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// An action after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Time since the last action.
    pub pause: Duration,
    /// What happens then.
    pub action: Action,
}

/// How a service begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// `desiredCount`
    pub desired: i64,
    /// Bounds.
    pub percentages: Percentages,
    /// Where tasks go.
    pub strategy: Strategy,
    /// The circuit breaker, if it is on.
    pub breaker: Option<Breaker>,
}

/// Everything that happens to one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// What it was made of.
    pub seed: u64,
    /// How it begins.
    pub start: Start,
    /// What happens.
    pub steps: Vec<Step>,
    /// The desired count at the end.
    pub end: i64,
}

const COUNTS: [i64; 8] = [0, 1, 2, 3, 3, 4, 5, 7];
const PERCENTAGES: [(i64, i64); 10] =
    [(100, 200), (100, 200), (100, 150), (100, 125), (50, 100), (50, 150), (67, 134), (0, 100), (33, 133), (0, 200)];

impl History {
    /// The history of a seed.
    #[must_use]
    pub fn of(seed: u64, steps: usize) -> Self {
        let mut random = Random::new(seed);
        let start = Start {
            desired: random.pick(&[1, 2, 3, 4, 5], 3),
            percentages: percentages(&mut random),
            strategy: strategy(&mut random),
            breaker: breaker(&mut random),
        };
        let steps = (0..steps).map(|_| Step { pause: pause(&mut random), action: action(&mut random) }).collect();
        Self { seed, start, steps, end: random.pick(&[1, 2, 3, 4, 6], 3) }
    }
}

/// Most actions come in the middle of what the last one began.
fn pause(random: &mut Random) -> Duration {
    Duration::from_millis(match random.below(10) {
        0..4 => random.below(300),
        4..8 => 300 + random.below(2_700),
        _ => 3_000 + random.below(5_000),
    })
}

fn percentages(random: &mut Random) -> Percentages {
    let (minimum, maximum) = random.pick(&PERCENTAGES, (100, 200));
    Percentages { minimum, maximum }
}

fn strategy(random: &mut Random) -> Strategy {
    random.pick(&[Strategy::First, Strategy::Second, Strategy::Both], Strategy::First)
}

fn breaker(random: &mut Random) -> Option<Breaker> {
    if random.chance(30) {
        return None;
    }
    let (type_, value) = random.pick(
        &[
            (ThresholdType::Count, 1),
            (ThresholdType::Count, 2),
            (ThresholdType::Count, 3),
            (ThresholdType::Count, 5),
            (ThresholdType::BoundedPercent, 50),
            (ThresholdType::BoundedPercent, 100),
            (ThresholdType::UnboundedPercent, 50),
        ],
        (ThresholdType::Count, 3),
    );
    Some(Breaker { rollback: random.chance(60), type_, value, resets: random.chance(60) })
}

fn fate(random: &mut Random) -> Fate {
    let at_end = if random.chance(60) { AtEnd::Replace } else { AtEnd::Restart };
    match random.below(12) {
        0..5 => Fate::Good,
        5..7 => Fate::Slow(1 + random.below(3)),
        7 | 8 => Fate::PullError,
        9 => Fate::ExitsAtOnce(at_end),
        10 => Fate::Unready,
        _ => Fate::RunsThenExits(2 + random.below(3), at_end),
    }
}

fn action(random: &mut Random) -> Action {
    match random.below(100) {
        0..26 => Action::Update(fate(random)),
        26..40 => Action::Scale(random.pick(&COUNTS, 3), random.chance(50)),
        40..46 => Action::Percentages(percentages(random)),
        46..52 => Action::Strategy(strategy(random)),
        52..58 => Action::Breaker(breaker(random)),
        58..63 => Action::Force,
        63..71 => Action::Kill(random.below(8)),
        71..76 => Action::Hurt(random.below(8)),
        76..81 => Action::Cordon(random.below(4)),
        81..84 => Action::Uncordon,
        84..89 => Action::Stop(random.pick(&[Stop::Abort, Stop::Rollback], Stop::Rollback)),
        89..92 => Action::Revision(random.below(8)),
        92..94 => Action::ClearRevision,
        94 => Action::Recreate,
        95 | 96 => Action::Refuse,
        97 => Action::Allow,
        _ => Action::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_seed_is_given_again_then_the_history_is_the_same() {
        assert_eq!(History::of(7, 20), History::of(7, 20));
        assert_ne!(History::of(7, 20), History::of(8, 20));
    }

    #[test]
    fn when_many_histories_are_made_then_every_kind_of_action_and_fate_occurs() {
        let steps = (0..50).flat_map(|seed| History::of(seed, 40).steps);
        let said: String = steps.map(|step| step.action.to_string() + "\n").collect();
        for word in [
            "Update(Good)",
            "Slow",
            "PullError",
            "ExitsAtOnce",
            "Unready",
            "RunsThenExits",
            "Scale(0, true)",
            "Percentages",
            "Strategy(Both)",
            "Breaker(None)",
            "Force",
            "Kill",
            "Hurt",
            "Cordon",
            "Uncordon",
            "Abort",
            "Rollback",
            "Revision",
            "ClearRevision",
            "Recreate",
            "Refuse",
            "Allow",
            "Rest",
        ] {
            assert!(said.contains(word), "{word} never occurs");
        }
    }
}
