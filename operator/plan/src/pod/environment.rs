//! Environment variables: values, files of them, and the secrets behind them.

use api::task_definition::{EnvironmentFileObject, TaskDefinitionKubernetes};
use ecs::environment_file::{MOST_FILES, object_name};
use serde_json::{Map, Value, json};

use super::expansion::escape_expansion;
use super::json::Members;
use super::layout::Container;
use super::notes::Notes;
use super::secrets::Secrets;
use crate::core::labels;

/// Variables with the names of what a task belongs to, each from a label of its Pod. A label value is the ECS name unless
/// that has more than 63 characters.
const METADATA: [(&str, &str); 4] = [
    ("ECS_CLUSTER", labels::CLUSTER),
    ("ECS_SERVICE", labels::APP_NAME),
    ("ECS_TASK_DEFINITION_FAMILY", labels::FAMILY),
    ("ECS_TASK_DEFINITION_REVISION", labels::REVISION),
];
/// The variable that tells tasks apart: the uid of the Pod, which without its hyphens is the id of the task.
const TASK_UID: &str = "ECS_TASK_UID";

/// Puts `env` and `envFrom`: values as written, and secrets by reference. A secret or file that is missing keeps the
/// container from starting, as on ECS, so a reference is never optional.
///
/// Of equal names the last one counts, and a secret goes before a value: server-side apply takes each name once.
pub(super) fn put(
    spec: &mut Map<String, Value>,
    container: &Container<'_>,
    kubernetes: &TaskDefinitionKubernetes,
    secrets: &Secrets,
    notes: &mut Notes,
) {
    let definition = container.definition;
    let mut variables: Vec<(String, Value)> = Vec::new();
    if kubernetes.metadata_environment == Some(true) {
        put_metadata(&mut variables);
    }
    for (index, pair) in definition.environment.iter().flatten().enumerate() {
        let name = pair.name.as_str();
        if check_name(name, &container.path(&format!("environment[{index}].name")), notes) {
            let value = escape_expansion(pair.value.as_deref().unwrap_or_default());
            set(&mut variables, name, json!({"name": name, "value": value}));
        }
    }
    for (index, secret) in definition.secrets.iter().flatten().enumerate() {
        let is_legal = check_name(&secret.name, &container.path(&format!("secrets[{index}].name")), notes);
        if let Some(place) = secrets.find(container.index, &secret.value_from).filter(|_| is_legal) {
            let value = json!({"secretKeyRef": {"name": place.name, "key": place.key}});
            set(&mut variables, &secret.name, json!({"name": secret.name, "valueFrom": value}));
        }
    }
    spec.put_list("env", variables.into_iter().map(|(_, value)| value).collect());
    spec.put_list("envFrom", files(container, kubernetes, notes));
}

/// What holds a file that ECS would read from S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileObject {
    /// A ConfigMap of this name.
    ConfigMap(String),
    /// A Secret of this name.
    Secret(String),
}

impl FileObject {
    /// The object that `kubernetes.environmentFiles` names for an ARN, or the ConfigMap whose name follows from it. `None`
    /// for what is no ARN of an object in S3.
    pub(super) fn of(kubernetes: Option<&TaskDefinitionKubernetes>, arn: &str) -> Option<Self> {
        let objects = kubernetes.and_then(|kubernetes| kubernetes.environment_files.as_ref());
        match objects.and_then(|objects| objects.get(arn)) {
            Some(EnvironmentFileObject { secret: Some(name), .. }) => Some(Self::Secret(name.clone())),
            Some(EnvironmentFileObject { config_map: Some(name), .. }) => Some(Self::ConfigMap(name.clone())),
            _ => object_name(arn).map(Self::ConfigMap),
        }
    }
}

/// `envFrom`, in reverse: Kubernetes lets the last of equal names win, ECS the first file that has it. Both let
/// `environment` win over all files.
fn files(container: &Container<'_>, kubernetes: &TaskDefinitionKubernetes, notes: &mut Notes) -> Vec<Value> {
    let files = container.definition.environment_files.as_deref().unwrap_or_default();
    if files.len() > MOST_FILES {
        notes.refuse(container.path("environmentFiles"), "a container has at most 10 environment files");
    }
    let mut sources: Vec<Value> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match FileObject::of(Some(kubernetes), &file.value) {
            Some(FileObject::Secret(name)) => sources.push(json!({"secretRef": {"name": name}})),
            Some(FileObject::ConfigMap(name)) => sources.push(json!({"configMapRef": {"name": name}})),
            None => {
                let path = container.path(&format!("environmentFiles[{index}].value"));
                notes.refuse(path, "the value of an environment file must be the ARN of an S3 object");
            }
        }
    }
    sources.reverse();
    sources
}

fn put_metadata(variables: &mut Vec<(String, Value)>) {
    let field = |path: String| json!({"fieldRef": {"apiVersion": "v1", "fieldPath": path}});
    for (name, label) in METADATA {
        let value = field(format!("metadata.labels['{label}']"));
        set(variables, name, json!({"name": name, "valueFrom": value}));
    }
    set(variables, TASK_UID, json!({"name": TASK_UID, "valueFrom": field("metadata.uid".to_owned())}));
}

fn set(variables: &mut Vec<(String, Value)>, name: &str, value: Value) {
    match variables.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => variables.push((name.to_owned(), value)),
    }
}

/// Pods take printable ASCII without `=`; ECS takes more, and a process cannot have `=` in a name anyway.
fn check_name(name: &str, path: &str, notes: &mut Notes) -> bool {
    if name.is_empty() {
        notes.refuse(path, "an environment variable must have a name");
        return false;
    }
    let is_legal = name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=');
    if !is_legal {
        notes.refuse(path, "the name of an environment variable is printable ASCII without =");
    }
    is_legal
}
