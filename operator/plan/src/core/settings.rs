//! What plans depend on besides the objects of the cluster.

use ecs::arn::Identity;
use ecs::image::ImageReference;

use crate::core::facts::ClusterFeatures;

/// What an administrator set for the whole operator, and what the cluster offers. Fixed while the operator reconciles:
/// when the cluster begins to serve something else, it starts again with that.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Partition, region and account that ARNs in status are built from.
    pub identity: Identity,
    /// What the API server is and serves.
    pub facts: ClusterFeatures,
    /// Whether image tags are resolved to digests when a deployment starts.
    pub images: ImageResolution,
    /// Who knows the states of the alarms that deployments watch.
    pub alarms: AlarmSource,
    /// Whether the cluster has the scheduler profiles `ecs-binpack-cpu`, `ecs-binpack-memory`, `ecs-spread-binpack-cpu`
    /// and `ecs-spread-binpack-memory`. A pod that names a scheduler that nobody runs would wait forever.
    pub has_binpack_profiles: bool,
}

/// Whether tags are resolved to digests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ImageResolution {
    /// No registry is asked; tags are pulled at every start.
    #[default]
    Off,
    /// Tags stay as they are written without a finding, because the operator that gets the same objects pins them:
    /// `render` has no registry to ask.
    LeftToOperator,
    /// Images that match one of the patterns are resolved; see [`ImageReference::matches`].
    Registries(Vec<String>),
}

impl ImageResolution {
    /// Whether the digest of this image is asked for.
    pub fn covers(&self, reference: &ImageReference) -> bool {
        match self {
            Self::Off | Self::LeftToOperator => false,
            Self::Registries(patterns) => patterns.iter().any(|pattern| reference.matches(pattern)),
        }
    }
}

/// Who knows the states of alarms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlarmSource {
    /// Nobody: alarms are not applied, and a condition of each service that names some says so.
    #[default]
    None,
    /// The operator that gets the same objects: `render` has no source to ask and reports no finding.
    LeftToOperator,
    /// Something that answers [`crate::core::question::AlarmQuery`].
    Configured,
}
