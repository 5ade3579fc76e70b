//! An environment file of S3 as the ConfigMap (or Secret) that containers take its variables from.

use ecs::environment_file::{is_object_key, object_name, parse};
use serde_json::{Map, Value, json};

use crate::error::InputError;

/// What the object of an environment file is to be.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Name of the object, in place of the one that follows from the ARN.
    pub name: Option<String>,
    /// Its namespace; without one, `kubectl apply -n` decides.
    pub namespace: Option<String>,
    /// A Secret in place of a ConfigMap.
    pub is_secret: bool,
}

/// An environment file as an object.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvironmentFile {
    /// The ConfigMap or Secret.
    pub object: Value,
    /// Kind of the object.
    pub kind: &'static str,
    /// What has to be written in the task definition, when the object is not the one that follows from the ARN.
    pub reference: Option<String>,
    /// Variables that cannot be keys of the object and are left out.
    pub left_out: Vec<String>,
}

/// The object with the variables of `text`, which is the file that `arn` names.
///
/// # Errors
/// When `arn` names no environment file.
pub fn read(arn: &str, text: &str, target: &Target) -> Result<EnvironmentFile, InputError> {
    let Some(own_name) = object_name(arn).filter(|_| arn.strip_suffix(".env").is_some()) else {
        return Err(InputError::not_an_environment_file(arn));
    };
    let (kept, left_out): (Vec<_>, Vec<_>) = parse(text).into_iter().partition(|(variable, _)| is_object_key(variable));
    let (kind, member, field) =
        if target.is_secret { ("Secret", "stringData", "secret") } else { ("ConfigMap", "data", "configMap") };
    let name = target.name.as_deref().unwrap_or(&own_name);
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), Value::from(name));
    if let Some(namespace) = &target.namespace {
        metadata.insert("namespace".to_owned(), Value::from(namespace.as_str()));
    }
    let data: Map<String, Value> = kept.into_iter().map(|(variable, value)| (variable, Value::from(value))).collect();
    let needs_reference = target.is_secret || target.name.is_some();
    Ok(EnvironmentFile {
        object: json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, member: data}),
        kind,
        reference: needs_reference.then(|| format!("kubernetes.environmentFiles[{arn}]: {{{field}: {name}}}")),
        left_out: left_out.into_iter().map(|(variable, _)| variable).collect(),
    })
}
