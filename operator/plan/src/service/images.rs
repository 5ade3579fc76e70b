//! Tags become digests when a deployment starts.
//!
//! Only a deployment that is about to start asks: whatever runs has its images frozen in its record, so scaling and
//! replacing go on while a registry is slow, gone or says something else by now.

use api::task_definition::TaskDefinitionSpec;
use ecs::image::ImageReference;
use ecs::name::dns_label;
use serde_json::{Map, Value};

use super::primary;
use super::snapshot::ServiceSnapshot;
use super::wanted::Wanted;
use crate::core::question::{ImageAnswer, ImageQuery, Question};
use crate::core::settings::Settings;
use crate::core::world::World;
use crate::task_definition::images::{ContainerImage, is_consistent};

/// Longest name of a container in a Pod.
const LONGEST_NAME: usize = 63;

/// The images of a service as asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct WantedImages {
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

impl WantedImages {
    /// Takes them from a task definition and the Pod it becomes.
    pub(super) fn of(task_definition: &TaskDefinitionSpec, pod_spec: &Map<String, Value>) -> Self {
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

/// Pins the images of a deployment that is about to start. While an answer is missing there is no revision to start: what
/// runs goes on, and `wanted.resolving` says what is waited for. Returns what registries are asked.
pub(super) fn pin(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    settings: &Settings,
    wanted: &mut Wanted,
) -> Vec<Question> {
    let mut questions = Vec::new();
    let Some(deployment) = primary::starting(snapshot, wanted) else { return questions };
    let Some(revision) = &mut wanted.revision else { return questions };
    let images = &wanted.images;
    for container in &images.containers {
        let answer = match ImageReference::parse(&container.image) {
            Err(error) => ImageAnswer::Unresolved(error.to_string()),
            Ok(reference) if settings.images.covers(&reference) => {
                let query = ImageQuery {
                    root: snapshot.key.clone(),
                    deployment: deployment.id.clone(),
                    image: container.image.clone(),
                    pull_secrets: images.pull_secrets.clone(),
                };
                let answer = world.answers().get(&query).cloned();
                // Also those that are answered: they must not be forgotten before all are.
                questions.push(Question::Image(query));
                let Some(answer) = answer else {
                    wanted.resolving.push(container.image.clone());
                    continue;
                };
                if let ImageAnswer::Digest(digest) = &answer {
                    let policy = (!images.has_pull_policy).then_some("IfNotPresent");
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
    if !wanted.resolving.is_empty() {
        wanted.resolving.sort();
        wanted.resolving.dedup();
        wanted.revision = None;
    }
    questions
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
