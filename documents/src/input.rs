//! What was given, as objects of ours.

use std::collections::BTreeSet;

use plan::Kind;
use plan::support::{self, Document, Level};
use serde_json::{Map, Value};

use crate::origin::{Origin, line};
use crate::paths;

/// Object names are at most this long, so that each also is a label value.
pub const LONGEST_NAME: usize = 63;

/// One object of ours that was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Where it was given. Of merged documents, the first.
    pub origin: Origin,
    /// Which kind it is.
    pub kind: Kind,
    /// The manifest, with a namespace where the kind has one, without what the server sets and without `unknown`.
    pub object: Value,
    /// Whether it was an ECS document.
    pub is_raw: bool,
    /// What was written differently from the ECS document, one line each.
    pub notes: Vec<String>,
    /// Paths of members that the API does not have; the API server drops them.
    pub unknown: Vec<String>,
    /// The revision a described task definition has on ECS.
    pub(crate) revision: Option<i64>,
}

impl Input {
    /// `metadata.name`
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// `metadata.namespace`; empty for cluster-scoped kinds.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace").unwrap_or_default()
    }

    /// The text at a JSON pointer, unless it is empty.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn spec_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.object.get_mut("spec").and_then(Value::as_object_mut)
    }

    /// `web.yaml#2 ECSService/web`
    #[must_use]
    pub fn label(&self) -> String {
        line(&format!("{} {}/{}", self.origin, self.kind, self.name()))
    }
}

/// What was given, and what a person should hear about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// Objects of ours, in the order in which they were given.
    pub objects: Vec<Input>,
    /// Namespaces, whose annotations say what administrators allow.
    pub namespaces: Vec<Value>,
    /// Documents that were passed over, one line each.
    pub notes: Vec<String>,
}

/// Removes what `describe-…` prints and nobody can set.
pub fn remove_read_only(kind: Kind, object: &mut Value) {
    let Some(document) = Document::of(kind) else { return };
    let Some(spec) = object.get_mut("spec") else { return };
    let is_described = spec.get("runningCount").is_some();
    let is_daemon = spec.get("schedulingStrategy").and_then(Value::as_str) == Some("DAEMON");
    if let Some(spec) = spec.as_object_mut().filter(|_| kind == Kind::Service && is_described && is_daemon) {
        // `describe-services` tells the number of instances, which `create-service` does not take.
        spec.remove("desiredCount");
    }
    for field in support::fields(document).filter(|field| field.level == Level::Ignored) {
        paths::remove_pattern(spec, field.path);
    }
}

/// Families that services among the inputs run, by namespace.
#[must_use]
pub fn families_in_use(objects: &[Input]) -> BTreeSet<(String, String)> {
    objects
        .iter()
        .filter(|input| input.kind == Kind::Service)
        .filter_map(|input| {
            let reference = ecs::arn::task_definition_reference(input.text("/spec/taskDefinition")?).ok()?;
            Some((input.namespace().to_owned(), reference.family))
        })
        .collect()
}
