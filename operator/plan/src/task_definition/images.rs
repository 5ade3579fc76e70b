//! Version consistency: which containers have their image tags resolved to digests, and which ask for it in vain.
//!
//! ECS resolves the tag of each container image to a digest once per deployment, so that all tasks of one deployment
//! run the same image although the tag may move.

use api::task_definition::{ContainerDefinition, TaskDefinitionSpec, VersionConsistency};
use ecs::image::ImageReference;
use serde::{Deserialize, Serialize};

use crate::core::integration::Integration;
use crate::core::report::Finding;
use crate::core::settings::{ImageResolution, Settings};

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
        ImageResolution::Off => Integration::ImageRegistries.row().missing,
        ImageResolution::Registries(_) => {
            "image resolution leaves this registry out: tasks pull the tag at every start instead of one digest per \
                deployment"
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
