//! What a task definition means for tasks, as a hash.

use serde_json::Value;

use crate::core::diff;
use crate::core::object::without_nothing;

/// Members that ECS only ever writes: they say nothing about the tasks.
const READ_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
];

/// Lists whose order means nothing in a task definition.
const UNORDERED: [&str; 9] = [
    "environment",
    "secrets",
    "ulimits",
    "systemControls",
    "extraHosts",
    "volumes",
    "requiresCompatibilities",
    "tags",
    "add",
];

/// Hash of what the document means for tasks: without what ECS only writes, without tags (on ECS they belong to the
/// resource and starting to use other tags starts no deployment), and without the order of unordered lists.
pub(super) fn content_hash(document: &Value) -> String {
    let mut content = without_nothing(document);
    if let Some(map) = content.as_object_mut() {
        for name in READ_ONLY.iter().chain(&["tags"]) {
            map.remove(*name);
        }
    }
    // How many revisions are kept is about the family, not about its tasks.
    if let Some(kubernetes) = content.get_mut("kubernetes").and_then(Value::as_object_mut) {
        kubernetes.remove("revisionHistory");
    }
    let mut content = without_nothing(&content);
    sort_unordered(&mut content);
    diff::hash(&content)
}

fn sort_unordered(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                sort_unordered(value);
                if let Some(items) = value.as_array_mut().filter(|_| UNORDERED.contains(&name.as_str())) {
                    items.sort_by_key(ToString::to_string);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(sort_unordered),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_only_order_tags_or_read_only_members_differ_then_the_content_is_the_same() {
        let one = json!({
            "family": "web", "tags": [{"key": "a", "value": "1"}], "revision": 7, "status": "ACTIVE",
            "containerDefinitions": [{"name": "web", "image": "nginx", "links": [],
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}],
        });
        let other = json!({
            "family": "web",
            "containerDefinitions": [{"image": "nginx", "name": "web",
                "environment": [{"value": "2", "name": "B"}, {"name": "A", "value": "1"}], "cpu": null}],
        });
        assert_eq!(content_hash(&one), content_hash(&other));
    }

    #[test]
    fn when_the_order_of_arguments_differs_then_the_content_differs() {
        let with = |command: Value| json!({"containerDefinitions": [{"name": "a", "command": command}]});
        assert_ne!(content_hash(&with(json!(["a", "b"]))), content_hash(&with(json!(["b", "a"]))));
    }
}
