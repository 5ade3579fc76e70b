//! Which image a deployment pins: the question a plan asks, and the answer somebody else gets from a registry.
//!
//! ECS resolves the tag of each container image to a digest once per deployment, so that all tasks of one deployment run
//! the same image although the tag may move. A plan cannot ask a registry. It says what it wants to know in
//! [`crate::Plan::images`], starts nothing new until [`crate::World::image`] answers, and freezes the answer in the service
//! revision.

use api::task_definition::{ContainerDefinition, TaskDefinitionSpec, VersionConsistency};
use ecs::image::ImageReference;
use serde::{Deserialize, Serialize};

use crate::core::kind::ObjectKey;
use crate::core::report::Finding;
use crate::core::settings::Settings;

/// A question to a registry: what is the digest of this image now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageQuery {
    /// The service that is about to start a deployment.
    pub root: ObjectKey,
    /// Id of the deployment that would be started. Another deployment, a forced one too, is another question.
    pub deployment: String,
    /// The image as the container definition writes it.
    pub image: String,
    /// Names of the Secrets in the service's namespace that the pods pull with.
    pub pull_secrets: Vec<String>,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageAnswer {
    /// The digest of what the tag names: of the index where there is one, so that nodes of every platform find theirs.
    Digest(String),
    /// The registry could not be asked, or did not answer, for this reason.
    Unresolved(String),
}

/// Whether tags are resolved to digests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ImageResolution {
    /// No registry is asked; tags are pulled at every start.
    #[default]
    Off,
    /// Tags stay as they are written and nothing is said of it, because the operator that gets the same objects pins them:
    /// what is rendered has no registry to ask.
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

/// One container of a service revision whose tag was to be resolved, as DescribeServiceRevisions lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerImage {
    /// Name of the container in the task definition.
    pub container_name: String,
    /// The image as the task definition writes it.
    pub image: String,
    /// The digest that all tasks of the deployment run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// Why there is none: the tasks pull the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unresolved: Option<String>,
}

/// Whether a container wants its tag resolved. ECS's default is `enabled`.
pub(crate) fn is_consistent(container: &ContainerDefinition) -> bool {
    container.version_consistency != Some(VersionConsistency::Disabled) && !container.image.contains('@')
}

/// Containers that ask for version consistency in so many words and do not get it, because their registry is not asked.
pub(crate) fn findings(task_definition: &TaskDefinitionSpec, settings: &Settings) -> Vec<Finding> {
    let why = match settings.images {
        ImageResolution::LeftToOperator => return Vec::new(),
        ImageResolution::Off => {
            "image resolution is off: the tag is pulled at every start instead of being pinned to one digest per deployment"
        }
        ImageResolution::Registries(_) => {
            "image resolution leaves this registry out: the tag is pulled at every start instead of being pinned to one \
             digest per deployment"
        }
    };
    let asks = |container: &ContainerDefinition| {
        container.version_consistency == Some(VersionConsistency::Enabled) && is_consistent(container)
    };
    let is_asked = |container: &ContainerDefinition| {
        ImageReference::parse(&container.image).is_ok_and(|reference| settings.images.covers(&reference))
    };
    let containers = task_definition.container_definitions.iter().enumerate();
    containers
        .filter(|(_, container)| asks(container) && !is_asked(container))
        .map(|(index, _)| Finding {
            path: format!("containerDefinitions[{index}].versionConsistency"),
            is_approximated: true,
            why: why.to_owned(),
        })
        .collect()
}
