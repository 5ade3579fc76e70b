//! Tags of tasks: those that the service propagates, and those that ECS manages.

use std::collections::BTreeMap;

use api::service::{PropagateTags, ServiceSpec};
use api::tags::Tag;
use api::task_definition::TaskDefinitionSpec;

use crate::core::labels;

/// The annotation with a task's tags as JSON, if it has any. On ECS a task has the tags from its start to its end; here
/// all tasks of a deployment have those from when it began, so that no change of a tag replaces a task.
pub(super) fn annotation(
    spec: &ServiceSpec,
    task_definition: &TaskDefinitionSpec,
    cluster: &str,
    service: &str,
) -> Option<(String, String)> {
    let propagated = match spec.propagate_tags {
        Some(PropagateTags::Service) => spec.tags.as_deref(),
        Some(PropagateTags::TaskDefinition) => task_definition.tags.as_deref(),
        _ => None,
    };
    let mut tags: BTreeMap<&str, &str> = propagated.unwrap_or_default().iter().map(pair).collect();
    if spec.enable_ecs_managed_tags == Some(true) {
        tags.extend([("aws:ecs:clusterName", cluster), ("aws:ecs:serviceName", service)]);
    }
    let text = serde_json::to_string(&tags).ok().filter(|_| !tags.is_empty())?;
    Some((labels::TAGS.to_owned(), text))
}

fn pair(tag: &Tag) -> (&str, &str) {
    (tag.key.as_str(), tag.value.as_deref().unwrap_or_default())
}
