//! What every step of a service's plan may look at.

use jiff::Timestamp;

use super::snapshot::ServiceSnapshot;
use crate::core::settings::Settings;
use crate::core::world::World;

/// The service as it was gathered, and what surrounds it.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) world: &'a dyn World,
    pub(super) snapshot: &'a ServiceSnapshot,
    pub(super) settings: &'a Settings,
    pub(super) now: Timestamp,
}
