//! What an administrator set for the whole operator, as far as plans depend on it.

use ecs::arn::Identity;

/// Installation-wide settings. Fixed for the life of the process.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Partition, region and account that ARNs in status are built from.
    pub identity: Identity,
}
