//! Environment variables and the secrets behind them.

use api::task_definition::ContainerDefinition;
use ecs::process::escape_expansion;
use ecs::secret::secret_reference;
use serde_json::{Map, Value, json};

use super::json::Members;
use super::layout::Container;
use super::notes::Notes;

/// Puts `env`: values as written, and secrets by reference to the Secret that [`secret_reference`] names. A secret that
/// is missing keeps the container from starting, as on ECS, so a reference is never optional.
///
/// Of equal names the last one counts, and a secret goes before a value: server-side apply takes each name once.
pub(super) fn put(spec: &mut Map<String, Value>, container: &Container<'_>, notes: &mut Notes) {
    let definition = container.definition;
    let mut variables: Vec<(String, Value)> = Vec::new();
    for (index, pair) in definition.environment.iter().flatten().enumerate() {
        let name = pair.name.as_deref().unwrap_or_default();
        if check_name(name, &container.path(&format!("environment[{index}].name")), notes) {
            let value = escape_expansion(pair.value.as_deref().unwrap_or_default());
            set(&mut variables, name, json!({"name": name, "value": value}));
        }
    }
    for (index, secret) in definition.secrets.iter().flatten().enumerate() {
        if !check_name(&secret.name, &container.path(&format!("secrets[{index}].name")), notes) {
            continue;
        }
        match secret_reference(&secret.value_from) {
            Ok(reference) => {
                let (object, key) = reference.kubernetes_secret();
                let value = json!({"secretKeyRef": {"name": object, "key": key}});
                set(&mut variables, &secret.name, json!({"name": secret.name, "valueFrom": value}));
            }
            Err(error) => notes.refuse(container.path(&format!("secrets[{index}].valueFrom")), error.to_string()),
        }
    }
    spec.put_list("env", variables.into_iter().map(|(_, value)| value).collect());
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

/// `imagePullSecrets`: one per secret that `repositoryCredentials` name, each once.
pub(super) fn pull_secrets(definitions: &[ContainerDefinition], notes: &mut Notes) -> Vec<Value> {
    let mut names: Vec<String> = Vec::new();
    for (index, definition) in definitions.iter().enumerate() {
        let Some(credentials) = &definition.repository_credentials else { continue };
        match secret_reference(&credentials.credentials_parameter) {
            Ok(reference) => {
                let (name, _) = reference.kubernetes_secret();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Err(error) => notes.refuse(
                format!("containerDefinitions[{index}].repositoryCredentials.credentialsParameter"),
                error.to_string(),
            ),
        }
    }
    names.into_iter().map(|name| json!({"name": name})).collect()
}
