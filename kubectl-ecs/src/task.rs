//! The Pod that a task of a task definition would be, when no service among the inputs runs one.

use std::collections::BTreeMap;

use api::task_definition::{Compatibility, TaskDefinitionSpec};
use documents::Input;
use documents::input::LONGEST_NAME;
use plan::core::facts::ClusterFeatures;
use plan::core::policy::NamespacePolicy;
use plan::core::{labels, object};
use plan::pod::{self, TaskInput};
use plan::{Kind, ObjectKey};
use serde_json::{Value, json};

/// The Pod and what it needs: volumes and their claims, the ServiceAccount of the task role.
///
/// # Errors
/// Why there is no Pod, one line each: only a service or RunTask says it, such as the configuration of a volume.
pub fn pod(input: &Input, namespaces: &[Value], facts: &ClusterFeatures) -> Result<Vec<Value>, Vec<String>> {
    let document = input.object.get("spec").cloned().unwrap_or_default();
    let Ok(spec) = serde_json::from_value::<TaskDefinitionSpec>(document) else { return Ok(Vec::new()) };
    let compatibilities = spec.requires_compatibilities.as_deref().unwrap_or_default();
    let namespace = input.namespace();
    let name_of = |known: &&Value| known.pointer("/metadata/name").and_then(Value::as_str) == Some(namespace);
    let known = namespaces.iter().find(name_of);
    let pod = pod::pod(&TaskInput {
        task_definition: &spec,
        volume_configurations: &[],
        is_fargate: compatibilities.contains(&Compatibility::Fargate),
        deployment: "",
        namespace,
        facts,
        policy: &known.map(NamespacePolicy::from_namespace).unwrap_or_default(),
    })
    .map_err(|refusals| {
        refusals.iter().map(|refusal| format!("spec.{}: {}", refusal.path, refusal.message)).collect::<Vec<_>>()
    })?;
    let family = spec.family.as_deref().filter(|family| !family.is_empty()).unwrap_or(input.name());
    let name = ecs::name::child_name(&ecs::name::dns_label(family, LONGEST_NAME), "task", LONGEST_NAME);
    let mut own_labels: BTreeMap<String, String> = pod.labels;
    own_labels.insert(labels::FAMILY.to_owned(), ecs::name::label_value(family));
    own_labels.insert(labels::REVISION.to_owned(), "1".to_owned());
    let mut body = object::child(&ObjectKey::namespaced(Kind::Pod, namespace, name), &[], own_labels);
    if let Some(members) = body.as_object_mut() {
        if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut)
            && !pod.annotations.is_empty()
        {
            metadata.insert("annotations".to_owned(), json!(pod.annotations));
        }
        members.insert("spec".to_owned(), pod.spec);
    }
    Ok(pod.cluster_scoped.into_iter().chain(pod.shared).chain([body]).collect())
}
