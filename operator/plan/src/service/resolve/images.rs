//! Tags become digests when a deployment starts.
//!
//! Only a deployment that is about to start asks: whatever runs has its images frozen in its record, so scaling and
//! replacing go on while a registry is slow, gone or says something else by now.

use std::collections::BTreeSet;

use api::task_definition::TaskDefinitionSpec;
use ecs::image::ImageReference;
use ecs::name::dns_label;
use serde_json::{Map, Value};

use super::NextRevision;
use crate::core::question::{ImageAnswer, ImageQuery, Question};
use crate::service::context::Context;
use crate::service::revision::ServiceRevision;
use crate::task_definition::images::{ContainerImage, is_consistent};

/// Longest name of a container in a Pod.
const LONGEST_NAME: usize = 63;

/// The images of a revision that may be pinned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Images {
    /// Containers whose tag is to be resolved.
    containers: Vec<Tagged>,
    /// Secrets that the pods pull with.
    pull_secrets: Vec<String>,
    /// Whether the user chose when to pull.
    has_pull_policy: bool,
}

#[derive(Clone, Debug)]
struct Tagged {
    /// Name in the task definition.
    name: String,
    /// Image as written.
    image: String,
}

impl Images {
    /// Takes them from a task definition and the Pod it becomes.
    pub(crate) fn of(task_definition: &TaskDefinitionSpec, pod_spec: &Map<String, Value>) -> Self {
        let secrets = pod_spec.get("imagePullSecrets").and_then(Value::as_array).into_iter().flatten();
        let kubernetes = task_definition.kubernetes.as_ref();
        Self {
            containers: task_definition
                .container_definitions
                .iter()
                .filter(|container| is_consistent(container))
                .map(|container| Tagged { name: container.name.clone(), image: container.image.clone() })
                .collect(),
            pull_secrets: secrets.filter_map(|secret| Some(secret.get("name")?.as_str()?.to_owned())).collect(),
            has_pull_policy: kubernetes.is_some_and(|kubernetes| kubernetes.image_pull_policy.is_some()),
        }
    }
}

/// What pinning the images of a deployment that is about to start comes to.
pub(crate) struct Pinned {
    /// The revision with digests for tags, or the images that are waited for: while an answer is missing there is nothing to
    /// start, and what runs goes on.
    pub(crate) revision: Result<ServiceRevision, Vec<String>>,
    /// What registries are asked. Also what is answered: it must not be forgotten before everything is.
    pub(crate) questions: Vec<Question>,
}

/// Pins the images of a deployment that is about to start.
pub(crate) fn pin(context: Context<'_>, next: &NextRevision, deployment: &str) -> Pinned {
    let (mut revision, mut questions) = (next.revision.clone(), Vec::new());
    let mut resolving = BTreeSet::new();
    for container in &next.images.containers {
        let answer = match ImageReference::parse(&container.image) {
            Err(error) => ImageAnswer::Unresolved(error.to_string()),
            Ok(reference) if context.settings.images.covers(&reference) => {
                let query = ImageQuery {
                    root: context.snapshot.key.clone(),
                    deployment: deployment.to_owned(),
                    image: container.image.clone(),
                    pull_secrets: next.images.pull_secrets.clone(),
                };
                let answer = context.world.answers().get(&query).cloned();
                questions.push(Question::Image(query));
                let Some(answer) = answer else {
                    resolving.insert(container.image.clone());
                    continue;
                };
                if let ImageAnswer::Digest(digest) = &answer {
                    let policy = (!next.images.has_pull_policy).then_some("IfNotPresent");
                    set_image(&mut revision.pod_template, &container.name, &reference.pinned(digest), policy);
                }
                answer
            }
            Ok(_) => continue,
        };
        let (image_digest, unresolved) = match answer {
            ImageAnswer::Digest(digest) => (Some(digest), None),
            ImageAnswer::Unresolved(reason) => (None, Some(reason)),
        };
        revision.container_images.push(ContainerImage {
            container_name: container.name.clone(),
            image: container.image.clone(),
            image_digest,
            unresolved,
        });
    }
    let revision = if resolving.is_empty() { Ok(revision) } else { Err(resolving.into_iter().collect()) };
    Pinned { revision, questions }
}

fn set_image(template: &mut Value, container: &str, image: &str, policy: Option<&str>) {
    let name = dns_label(container, LONGEST_NAME);
    for list in ["/spec/initContainers", "/spec/containers"] {
        let containers = template.pointer_mut(list).and_then(Value::as_array_mut);
        for entry in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            if entry.get("name").and_then(Value::as_str) == Some(name.as_str()) {
                entry.insert("image".to_owned(), Value::from(image));
                if let Some(policy) = policy {
                    entry.insert("imagePullPolicy".to_owned(), Value::from(policy));
                }
            }
        }
    }
}
