//! What is said about the secrets of a service. They are never read: what is missing is learnt from pods that wait for it,
//! and which keys should be there from the template they were made from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use api::conditions::{ConditionType, Reason};
use serde_json::Value;

use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::report::Conditions;
use crate::service::record::Record;
use crate::service::snapshot::ServiceSnapshot;

/// The condition `SecretsResolved`.
pub(super) fn report(snapshot: &ServiceSnapshot, primary: Option<&Record>, conditions: &mut Conditions) {
    let mut waiting = snapshot.tasks.iter().filter(|task| !task.is_stopping);
    let missing = waiting.find_map(|task| Some((task, task.missing_secret.as_deref()?)));
    if let Some((task, name)) = missing {
        let record = task.deployment_id.as_deref().and_then(|digits| snapshot.record(digits)).or(primary);
        let message = describe(snapshot, name, record.map(|record| &record.revision.pod_template));
        return conditions.set(ConditionType::SecretsResolved, false, Reason::SecretNotFound, message);
    }
    let source = primary.and_then(|record| {
        let annotations = record.revision.pod_template.pointer("/metadata/annotations")?;
        annotations.get(labels::SECRET_SOURCE)?.as_str()
    });
    let mut message = "no task waits for a secret".to_owned();
    if let Some(source) = source {
        // Writing to a String cannot fail.
        let _ = write!(message, "; where they come from: {source}");
    }
    conditions.set(ConditionType::SecretsResolved, true, Reason::SecretsResolved, message);
}

/// Which Secret is expected with which keys, and what the one who should fill it says.
fn describe(snapshot: &ServiceSnapshot, name: &str, template: Option<&Value>) -> String {
    let keys = template.map(|template| keys(template, name)).unwrap_or_default();
    let mut message = if keys.is_empty() {
        format!("Secret {name} does not exist or lacks a key that a container references")
    } else {
        let list: Vec<String> =
            keys.into_iter().map(|(key, container)| format!("{key} (container {container})")).collect();
        format!("Secret {name} does not exist, or not with these keys: {}", list.join(", "))
    };
    let fetcher = snapshot
        .fetchers
        .iter()
        .find(|stored| stored.key.kind == Kind::ExternalSecret && stored.key.name == name)
        .map(|stored| stored.value());
    if let Some(fetcher) = fetcher {
        let conditions = fetcher.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
        // What the store said may tell of secrets that are not this namespace's; whoever may read the object finds it there.
        let reason = ready.and_then(|ready| ready.get("reason")).and_then(Value::as_str).filter(|text| is_word(text));
        let _ = match reason {
            Some(reason) => write!(message, "; ExternalSecret {name} is to make it and reports {reason}"),
            None => write!(message, "; ExternalSecret {name} is to make it and has not reported yet"),
        };
    }
    message
}

/// Whether a text is a reason: one word.
fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !text.is_empty()
}

/// Keys of a Secret that containers of the template name, each with the first container that does.
fn keys(template: &Value, name: &str) -> BTreeMap<String, String> {
    let lists = ["/spec/initContainers", "/spec/containers"];
    let containers = lists.into_iter().filter_map(|list| template.pointer(list)?.as_array()).flatten();
    let mut keys = BTreeMap::new();
    for container in containers {
        let variables = container.get("env").and_then(Value::as_array).into_iter().flatten();
        let references = variables.filter_map(|variable| variable.pointer("/valueFrom/secretKeyRef"));
        let text =
            |value: &Value, member: &str| value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        for reference in references.filter(|reference| text(reference, "name") == name) {
            keys.entry(text(reference, "key")).or_insert_with(|| text(container, "name"));
        }
    }
    keys
}
