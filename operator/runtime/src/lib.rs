//! Everything that touches the network, and decides nothing.
//!
//! ```text
//! feed (one task per kind) ──> intake: store + routes ──> queue ──> reconcile: gate → plan → execute → report → publish
//!                                                                        plan is the `plan` crate, on the store as it is
//!                                                                        answer: asks registries and an Alertmanager what plans
//!                                                                        want to know
//! lease ──> leadership, asked before every write        http ──> health, metrics
//! ```

pub mod answer;
pub mod backoff;
pub mod client;
pub mod clock;
pub mod discover;
pub mod execute;
pub mod execute_error;
pub mod feed;
pub mod gate;
pub mod health;
pub mod http;
mod http_client;
pub mod intake;
pub mod leadership;
pub mod lease;
pub mod metrics;
pub mod notices;
pub mod queue;
pub mod reconcile;
pub mod request;
pub mod run;
pub mod shutdown;
pub mod store;

pub use lease::Election;
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
