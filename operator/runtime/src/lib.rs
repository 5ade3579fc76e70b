//! Everything that touches the network, and decides nothing.
//!
//! ```text
//! API server ──> watch: feeds, one world ──> act: queue ──> gate ──> plan ──> execute ──> status ──> API server
//!                                                │         ▲         │                       │
//!                                                │   own writes      │ questions          notices ──> Events
//!                                                │                   ▼
//!                                                └──── new answer ── answer: registries, Alertmanager (http_client)
//!
//! lead: lease ──> leadership, asked before every write          serve: health and metrics of all of them
//! ```
//!
//! `plan` is the crate of that name, called on the world as it is. [`run`](mod@run) puts the rooms together.

pub mod act;
pub mod answer;
pub mod api_server;
pub mod backoff;
pub mod clock;
mod error_chain;
mod http_client;
pub mod lead;
pub mod notices;
pub mod run;
pub mod serve;
pub mod shutdown;
pub mod uninstall;
pub mod watch;

pub use lead::lease::Election;
pub use run::{Options, RunError, run};

/// The place that ARNs in status claim.
pub use ecs::arn::Identity;

/// Who knows the states of alarms.
pub use plan::AlarmSource;
/// Whose image tags are pinned to digests.
pub use plan::ImageResolution;

/// What plans depend on. What the cluster offers is found out when the process runs.
#[must_use]
pub fn settings(
    identity: Identity,
    images: ImageResolution,
    alarms: AlarmSource,
    has_binpack_profiles: bool,
) -> plan::Settings {
    plan::Settings { identity, images, alarms, has_binpack_profiles, ..plan::Settings::default() }
}
