//! What plans depend on besides the objects of the cluster.

use ecs::arn::Identity;

use crate::core::alarm::AlarmSource;
use crate::core::facts::Facts;
use crate::core::image::ImageResolution;

/// What an administrator set for the whole operator, and what the cluster offers. Fixed while the operator reconciles:
/// when the cluster begins to serve something else, it starts again with that.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Partition, region and account that ARNs in status are built from.
    pub identity: Identity,
    /// What the API server is and serves.
    pub facts: Facts,
    /// Whether image tags are resolved to digests when a deployment starts.
    pub images: ImageResolution,
    /// Who knows the states of the alarms that deployments watch.
    pub alarms: AlarmSource,
    /// Whether the cluster has the scheduler profiles `ecs-binpack-cpu`, `ecs-binpack-memory`, `ecs-spread-binpack-cpu` and
    /// `ecs-spread-binpack-memory`. A pod that names a scheduler that nobody runs would wait forever.
    pub has_binpack_profiles: bool,
}
