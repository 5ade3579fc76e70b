//! Annotations of a task's Pod: its containers in ECS's terms, docker labels, log configuration.

use std::collections::BTreeMap;

use api::task_definition::{ContainerDefinition, EssentialContainerExit, LogConfiguration};
use ecs::dependency::Condition;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::health::{failing_seconds, unhealthy_after_seconds};
use super::layout::{Container, Place, waiting_for};
use super::notes::Notes;
use super::restart::Restarts;
use crate::core::labels;

/// Prefix of the annotations that tell a node's log agent what the task definition wants for a container; behind it
/// stands the container's name in the Pod. The value is JSON: `{"logDriver": …, "options": {…}}`.
pub const LOG_CONFIGURATION: &str = "log-configuration.ecs-operator.dev";

/// One container of a task as [`labels::CONTAINERS`] tells it, so that a Pod can be read without its template.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, written as JSON")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerNote {
    /// The name in the task definition.
    pub(super) name: String,
    /// The name in the Pod.
    pub(super) container: String,
    /// Whether its end is the end of the task.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) essential: bool,
    /// Whether a probe tells its health.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) has_health_check: bool,
    /// Seconds after its start at which it is UNHEALTHY if it was never healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unhealthy_after_seconds: Option<i64>,
    /// Seconds for which a container that was healthy has to fail its checks to be UNHEALTHY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failing_seconds: Option<i64>,
    /// Whether it runs to its end before others start.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) runs_to_completion: bool,
    /// Whether ECS restarts it in place, so that a restart is no failure of the task.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) restarts: bool,
    /// Exit codes after which ECS would not restart it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ignored_exit_codes: Vec<i32>,
    /// Whether the operator replaces the task when it exits and ECS would not restart it in place.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) ends_task: bool,
    /// Whether others start only if it exits with 0.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) must_succeed: bool,
    /// Whether others start only once it is healthy.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) must_be_healthy: bool,
    /// Seconds after its start for which others wait for its end or its health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start_timeout: Option<i64>,
}

impl ContainerNote {
    /// Whether ECS starts the container again after this exit, and the task goes on.
    pub(super) fn is_restarted_by_ecs(&self, exit_code: i64) -> bool {
        self.restarts && !self.ignored_exit_codes.iter().any(|code| i64::from(*code) == exit_code)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

fn note(container: &Container<'_>, definitions: &[ContainerDefinition], restarts: Restarts) -> ContainerNote {
    let runs_to_completion = container.place == Place::Init;
    let seconds = unhealthy_after_seconds(container.definition).filter(|_| !runs_to_completion);
    let waits: Vec<Condition> = waiting_for(&container.definition.name, definitions).collect();
    let must_be_healthy = container.place == Place::Sidecar { is_waited_for: true };
    let policy = container.definition.restart_policy.as_ref().filter(|policy| policy.enabled);
    ContainerNote {
        name: container.definition.name.clone(),
        container: container.name.clone(),
        essential: container.is_essential(),
        has_health_check: seconds.is_some() && container.is_essential(),
        unhealthy_after_seconds: seconds.filter(|_| container.is_essential()),
        failing_seconds: seconds.and(failing_seconds(container.definition)).filter(|_| container.is_essential()),
        runs_to_completion,
        restarts: policy.is_some(),
        ignored_exit_codes: policy.and_then(|policy| policy.ignored_exit_codes.clone()).unwrap_or_default(),
        ends_task: container.is_essential() && restarts.essential_exit == EssentialContainerExit::ReplaceTask,
        must_succeed: waits.contains(&Condition::Success),
        must_be_healthy,
        start_timeout: container
            .definition
            .start_timeout
            .map(i64::from)
            .filter(|_| runs_to_completion || must_be_healthy),
    }
}

/// All annotations that follow from the containers.
pub(super) fn annotations(
    definitions: &[ContainerDefinition],
    containers: &[Container<'_>],
    restarts: Restarts,
    notes: &mut Notes,
) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    let mut containers: Vec<&Container<'_>> = containers.iter().collect();
    containers.sort_by_key(|container| container.index);
    let list: Vec<ContainerNote> = containers.iter().map(|container| note(container, definitions, restarts)).collect();
    annotations.insert(labels::CONTAINERS.to_owned(), json!(list).to_string());
    // Without it kubectl shows the log of the first main container, which may be a helper.
    if let Some(first) = containers.iter().find(|container| container.is_essential()) {
        annotations.insert("kubectl.kubernetes.io/default-container".to_owned(), first.name.clone());
    }
    for container in containers {
        docker_labels(container, &mut annotations, notes);
        if let Some(configuration) = &container.definition.log_configuration {
            let key = format!("{LOG_CONFIGURATION}/{}", container.name);
            annotations.insert(key, log_configuration(configuration));
        }
    }
    annotations
}

/// `<container>.docker/<label>`: containers of a Pod have no labels of their own.
fn docker_labels(container: &Container<'_>, annotations: &mut BTreeMap<String, String>, notes: &mut Notes) {
    for (name, value) in container.definition.docker_labels.iter().flatten() {
        if is_qualified_part(name) {
            annotations.insert(format!("{}.docker/{name}", container.name), value.clone());
        } else {
            let why = "not a valid annotation name: at most 63 letters, digits, dots, hyphens and underscores";
            notes.no_effect(container.path(&format!("dockerLabels[{name}]")), why);
        }
    }
}

/// Whether `name` can stand behind the `/` of an annotation key.
pub(super) fn is_qualified_part(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_outer = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    name.len() <= 63 && name.bytes().all(is_inner) && is_outer(name.bytes().next()) && is_outer(name.bytes().last())
}

/// Driver and options; options whose values are secrets are named without them.
fn log_configuration(configuration: &LogConfiguration) -> String {
    let mut value = json!({"logDriver": configuration.log_driver});
    if let Some(map) = value.as_object_mut() {
        if let Some(options) = configuration.options.as_ref().filter(|options| !options.is_empty()) {
            map.insert("options".to_owned(), json!(options));
        }
        if let Some(secrets) = configuration.secret_options.as_ref().filter(|options| !options.is_empty()) {
            map.insert("secretOptions".to_owned(), json!(secrets));
        }
    }
    value.to_string()
}
