//! Tags of tasks: those that are propagated to them, and those that ECS manages.

use std::collections::BTreeMap;

use api::tags::Tag;

use crate::core::labels;

/// The annotation with a task's tags as JSON, if it has any. Managed tags win over propagated ones of the same key. On ECS a
/// task has the tags from its start to its end; here all tasks of a deployment have those from when it began, so that no
/// change of a tag replaces a task.
pub(crate) fn annotation(propagated: &[Tag], managed: &[(&str, &str)]) -> Option<(String, String)> {
    let mut tags: BTreeMap<&str, &str> = propagated.iter().map(pair).collect();
    tags.extend(managed.iter().copied());
    let text = serde_json::to_string(&tags).ok().filter(|_| !tags.is_empty())?;
    Some((labels::TAGS.to_owned(), text))
}

fn pair(tag: &Tag) -> (&str, &str) {
    (tag.key.as_str(), tag.value.as_deref().unwrap_or_default())
}
