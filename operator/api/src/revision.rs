//! `ECSTaskDefinitionRevision`: the immutable `family:N`, written by the operator only.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    conditions::{self, Condition},
    schema::{Rule, Time, any_object, validations},
    task_definition::{Compatibility, RevisionStatus, TaskDefinitionSpec},
};

/// Rules of a revision.
pub const REVISION_RULES: &[Rule] = &[Rule {
    path: "",
    message: "ClientException: A task definition revision is immutable; change the task definition to register a new one.",
    cel: "self == oldSelf",
}];

/// One registered revision of a task definition family.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ecs-operator.dev",
    version = "v1alpha1",
    kind = "ECSTaskDefinitionRevision",
    plural = "ecstaskdefinitionrevisions",
    singular = "ecstaskdefinitionrevision",
    shortname = "ecstdr",
    selectable = ".spec.family",
    selectable = ".status.status",
    category = "ecs",
    namespaced,
    status = "RevisionState",
    derive = "PartialEq",
    doc = "The immutable revision `family:N` of a task definition. Written by the operator; delete one to deregister and \
           forget it once nothing uses it.",
    printcolumn(json_path = ".spec.family", name = "Family", type_ = "string"),
    printcolumn(json_path = ".spec.revision", name = "Revision", type_ = "integer"),
    printcolumn(json_path = ".status.status", name = "Status", type_ = "string"),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date"),
    printcolumn(json_path = ".status.compatibilities", name = "Compatibilities", type_ = "string", priority = 1),
    printcolumn(
        json_path = ".spec.taskDefinition.containerDefinitions[*].image",
        name = "Images",
        type_ = "string",
        priority = 1
    ),
    printcolumn(json_path = ".status.taskDefinitionArn", name = "ARN", type_ = "string", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(REVISION_RULES)))]
pub struct TaskDefinitionRevisionSpec {
    /// Family of the revision.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub family: String,
    /// Number of the revision in the family, starting at 1.
    #[schemars(range(min = 1))]
    pub revision: i64,
    /// The task definition exactly as it was applied.
    pub task_definition: StoredTaskDefinition,
    /// SHA-256 of what the revision means for tasks, in hexadecimal; a change that leaves the hash equal registers
    /// nothing.
    #[schemars(length(min = 1, max = 128))]
    pub content_hash: String,
    /// `metadata.generation` of the ECSTaskDefinition that this revision was registered from; an older copy of it
    /// registers nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub family_generation: Option<i64>,
}

/// A task definition exactly as it was applied, including fields that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredTaskDefinition(pub Value);

impl StoredTaskDefinition {
    /// The task definition as types.
    ///
    /// # Errors
    /// When the document is not a task definition, for example because it was stored by another version.
    pub fn decode(&self) -> Result<TaskDefinitionSpec, serde_json::Error> {
        TaskDefinitionSpec::deserialize(&self.0)
    }
}

impl From<Value> for StoredTaskDefinition {
    fn from(document: Value) -> Self {
        Self(document)
    }
}

impl JsonSchema for StoredTaskDefinition {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StoredTaskDefinition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        any_object(generator)
    }
}

/// Observed state of a revision, in the spelling of DescribeTaskDefinition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionState {
    /// `metadata.generation` of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// ACTIVE, or INACTIVE once deregistered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RevisionStatus>,
    /// ARN of the revision, in the long format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub task_definition_arn: Option<String>,
    /// Time when the revision was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Time>,
    /// Time when the revision was deregistered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistered_at: Option<Time>,
    /// Launch types whose rules the revision meets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub compatibilities: Vec<Compatibility>,
    /// Current conditions of the revision.
    #[serde(default, deserialize_with = "conditions::known", skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stored_document_keeps_members_that_no_type_knows_and_decodes() {
        let document = json!({ "containerDefinitions": [{ "name": "a", "image": "b", "tomorrow": 1 }], "cpu": 256 });
        let stored: StoredTaskDefinition = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(serde_json::to_value(&stored).unwrap(), document);
        assert_eq!(stored.decode().unwrap().container_definitions[0].name, "a");
    }

    #[test]
    fn a_stored_document_that_is_no_task_definition_does_not_decode() {
        assert!(StoredTaskDefinition(json!({ "containerDefinitions": 3 })).decode().is_err());
    }
}
