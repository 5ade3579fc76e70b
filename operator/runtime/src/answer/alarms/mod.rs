//! Asks an Alertmanager which alarms are in ALARM.
//!
//! ```text
//! AlarmQuery ──> watcher: one request every 15 seconds while any plan asks for one ──> store ──> roots it is news to
//!                     │
//!                     └── Alertmanager: GET of the alerts that fire and are neither silenced nor inhibited
//! ```
//!
//! Which alarms matter comes from plans. `docs/reference/alarms.md` is for people.

mod alertmanager;
mod watcher;

use std::fmt;

use futures::future::BoxFuture;
use jiff::Timestamp;

pub use alertmanager::{Alertmanager, AlertmanagerError};
pub use watcher::Watcher;

/// One alert that fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Label `alertname`.
    pub name: String,
    /// Label `namespace`, if it has one.
    pub namespace: Option<String>,
    /// When it began.
    pub since: Timestamp,
}

/// Something that knows which alerts fire: an Alertmanager, or a table in a simulation.
pub trait Source: fmt::Debug + Send + Sync {
    /// Asks once for all of them.
    fn firing(&self) -> BoxFuture<'_, Result<Vec<Alert>, SourceError>>;
}

/// Why the source did not say. The text goes into conditions that users read: it holds no answer of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SourceError {
    /// Why.
    pub reason: String,
    /// One word for metrics.
    pub category: &'static str,
}
