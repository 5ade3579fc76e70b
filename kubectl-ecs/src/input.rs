//! Everything that was given, as manifests: read, recognised, converted, merged, named.

use std::collections::{BTreeMap, BTreeSet};

use api::names::GROUP;
use plan::support::{self, Level};
use plan::{Kind, validate};
use serde_json::{Map, Value};

use crate::convert::{self, Converted};
use crate::merge;
use crate::origin::{InputError, Origin, line};
use crate::parse::Document;
use crate::paths;
use crate::shape::{self, Piece};

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
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
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

/// Members of `metadata` that only the server sets: the output of `kubectl get -o yaml` has them.
const SERVER_METADATA: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// Takes in documents; objects without a namespace get `namespace`.
///
/// # Errors
/// Every document that cannot be used.
pub fn inputs(documents: Vec<Document>, namespace: &str) -> Result<Inputs, Vec<InputError>> {
    let mut inputs = Inputs::default();
    let mut errors = Vec::new();
    for document in documents {
        if let Err(error) = accept(document, &mut inputs) {
            errors.push(error);
        }
    }
    merge::clusters(&mut inputs);
    merge::families(&mut inputs);
    errors.extend(merge::scaling(&mut inputs));
    merge::pinned_revisions(&mut inputs);
    merge::names(&mut inputs);
    for input in &mut inputs.objects {
        settle(input, namespace);
    }
    errors.extend(twice(&inputs.objects));
    if errors.is_empty() { Ok(inputs) } else { Err(errors) }
}

fn accept(document: Document, inputs: &mut Inputs) -> Result<(), InputError> {
    let is_manifest = document.value.as_object().is_some_and(shape::is_manifest);
    // A manifest is read as kubectl reads it.
    let value = document.legacy.filter(|_| is_manifest).unwrap_or(document.value);
    for (origin, piece) in shape::pieces(&document.origin, value, &mut inputs.notes)? {
        match piece {
            Piece::Manifest(object) => manifest(origin, object, inputs)?,
            Piece::Ecs(shape, document) => {
                let Converted { kind, object, notes, revision } = convert::manifest(&origin, shape, document)?;
                let input = Input { origin, kind, object, is_raw: true, notes, unknown: Vec::new(), revision };
                if is_predefined(&input) {
                    let name = input.text("/spec/name").unwrap_or_default();
                    inputs.notes.push(format!("{}: {name} comes with the operator's chart", input.origin));
                } else {
                    inputs.objects.push(input);
                }
            }
        }
    }
    Ok(())
}

/// The two providers that every account has. There is nothing in them that somebody could have chosen.
fn is_predefined(input: &Input) -> bool {
    input.kind == Kind::CapacityProvider && matches!(input.text("/spec/name"), Some("FARGATE" | "FARGATE_SPOT"))
}

fn manifest(origin: Origin, mut object: Value, inputs: &mut Inputs) -> Result<(), InputError> {
    let text = |member: &str| object.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind_name) = (text("apiVersion"), text("kind"));
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?").to_owned();
    if Kind::from_type(&api_version, &kind_name) == Some(Kind::Namespace) {
        inputs.namespaces.push(object);
        return Ok(());
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = Kind::from_type(&api_version, &kind_name).filter(|kind| kind.is_ours());
    let Some(kind) = kind else {
        if group == GROUP {
            let message = format!("there is no kind {kind_name} in {api_version}");
            return Err(InputError::unrecognised(&origin, message));
        }
        inputs.notes.push(line(&format!("{origin}: {kind_name}/{name} is not one of {GROUP}: passed over")));
        return Ok(());
    };
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
        if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|name, _| !SERVER_METADATA.contains(&name.as_str()));
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
    }
    let input = Input { origin, kind, object, is_raw: false, notes: Vec::new(), unknown: Vec::new(), revision: None };
    inputs.objects.push(input);
    Ok(())
}

/// Gives the object its namespace and takes away what the API server would not keep.
fn settle(input: &mut Input, namespace: &str) {
    let has_namespace = input.text("/metadata/namespace").is_some();
    if let Some(metadata) = input.object.get_mut("metadata").and_then(Value::as_object_mut)
        && input.kind.is_namespaced()
        && !has_namespace
    {
        metadata.insert("namespace".to_owned(), Value::from(namespace));
    }
    if input.is_raw {
        remove_read_only(input.kind, &mut input.object);
    }
    for path in validate::unknown_fields(input.kind, &input.object) {
        paths::remove(&mut input.object, &path);
        input.unknown.push(path);
    }
}

/// Removes what `describe-…` prints and nobody can set.
pub(crate) fn remove_read_only(kind: Kind, object: &mut Value) {
    let Some(document) = merge::document(kind) else { return };
    let Some(spec) = object.get_mut("spec") else { return };
    for field in support::fields(document).filter(|field| field.level == Level::Ignored) {
        paths::remove_pattern(spec, field.path);
    }
}

/// Objects that claim one name: which of them would win is up to the order of the files.
fn twice(objects: &[Input]) -> Vec<InputError> {
    let mut seen: BTreeMap<(Kind, &str, &str), &Input> = BTreeMap::new();
    let mut errors = Vec::new();
    for input in objects.iter().filter(|input| !input.name().is_empty()) {
        if let Some(first) = seen.insert((input.kind, input.namespace(), input.name()), input) {
            let message = format!("{}/{} is in {} too", input.kind, input.name(), first.origin);
            errors.push(InputError::unrecognised(&input.origin, message));
        }
    }
    errors
}

/// Families that services among the inputs run, by namespace.
pub(crate) fn families_in_use(objects: &[Input]) -> BTreeSet<(String, String)> {
    objects
        .iter()
        .filter(|input| input.kind == Kind::Service)
        .filter_map(|input| {
            let reference = ecs::arn::task_definition_reference(input.text("/spec/taskDefinition")?).ok()?;
            Some((input.namespace().to_owned(), reference.family))
        })
        .collect()
}
