//! How deployments end that do not complete, and what becomes of their rollbacks.

use super::Stage;
use crate::event;

/// Why a deployment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Too many tasks failed.
    CircuitBreaker,
    /// An alarm went off.
    Alarms,
    /// Somebody asked for it.
    Request,
    /// A newer deployment replaced it.
    Replaced,
}

/// What follows for the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rollback {
    /// Everything stays where it is.
    NotWanted,
    /// A rollback was asked for, and no earlier deployment is complete.
    NoCandidate,
    /// The service returns to the last deployment that is complete.
    Started,
}

/// The end of a deployment that did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// Why.
    pub cause: Cause,
    /// What follows.
    pub rollback: Rollback,
}

impl End {
    /// `statusReason` of the service deployment. `newest` is the id of the deployment that replaced it, for
    /// [`Cause::Replaced`].
    pub fn status_reason(self, newest: &str) -> String {
        match (self.rollback, self.cause) {
            (_, Cause::Replaced) => format!("replaced by {newest}"),
            (Rollback::Started, Cause::CircuitBreaker) => event::rolled_back_by_circuit_breaker(),
            (Rollback::Started, Cause::Alarms) => event::rolled_back_by_alarms(),
            (Rollback::Started, Cause::Request) => event::rolled_back_by_request(),
            (Rollback::NoCandidate, _) => event::no_rollback_candidate(),
            (Rollback::NotWanted, Cause::CircuitBreaker) => event::rollout_failed(),
            (Rollback::NotWanted, Cause::Alarms) => event::rollout_failed_by_alarm(),
            (Rollback::NotWanted, Cause::Request) => event::stopped_by_request(),
        }
    }

    /// What the service says in its events.
    pub fn event(self, service: &str, deployment: &str) -> String {
        match (self.rollback, self.cause) {
            (Rollback::NoCandidate, _) => event::deployment_failed_without_candidate(service, deployment),
            (_, Cause::CircuitBreaker) => event::deployment_failed(service, deployment),
            (_, Cause::Alarms) => event::deployment_failed_by_alarm(service, deployment),
            (_, Cause::Request | Cause::Replaced) => event::deployment_stopped(service, deployment),
        }
    }
}

/// The deployment that undoes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undoing {
    /// It does not exist and never will: a user requested something else before it began.
    Never,
    /// It does not exist yet.
    NotYet,
    /// It exists.
    Begun {
        /// How far it is.
        stage: Stage,
        /// Whether it is the newest deployment of the service.
        is_newest: bool,
    },
}

impl Undoing {
    /// What is said of the deployment that is undone; `None` while that is open.
    pub const fn settle(self) -> Option<Stage> {
        match self {
            Self::NotYet | Self::Begun { stage: Stage::Pending | Stage::InProgress, is_newest: true } => None,
            Self::Begun { stage: Stage::Successful, .. } => Some(Stage::RollbackSuccessful),
            Self::Never | Self::Begun { .. } => Some(Stage::RollbackFailed),
        }
    }
}
