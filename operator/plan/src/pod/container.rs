//! One container of the Pod, put together from its concepts.

use api::task_definition::{ContainerDefinition, ImagePullPolicy, TaskDefinitionKubernetes};
use serde_json::{Map, Value};

use super::json::Members;
use super::layout::Container;
use super::notes::Notes;
use super::ports::Ports;
use super::restart::Restarts;
use super::secrets::Secrets;
use super::volumes::Volumes;
use super::{TaskInput, devices, environment, health, linux, mounts, process, restart, windows};

/// What all containers of a task are built with.
pub(super) struct Builder<'a> {
    pub(super) definitions: &'a [ContainerDefinition],
    pub(super) input: &'a TaskInput<'a>,
    pub(super) kubernetes: TaskDefinitionKubernetes,
    pub(super) secrets: Secrets,
    pub(super) windows: bool,
    pub(super) ports: Ports,
    pub(super) volumes: Volumes,
    pub(super) restarts: Restarts,
}

impl Builder<'_> {
    /// The container as the Pod spells it.
    pub(super) fn build(
        &mut self,
        container: &Container<'_>,
        resources: Map<String, Value>,
        notes: &mut Notes,
    ) -> Value {
        let mut spec = Map::new();
        spec.put("name", container.name.as_str());
        let pull_policy = self.kubernetes.image_pull_policy.map(|policy| match policy {
            ImagePullPolicy::Always => "Always",
            ImagePullPolicy::IfNotPresent => "IfNotPresent",
            ImagePullPolicy::Never => "Never",
        });
        process::put(&mut spec, container, pull_policy, notes);
        restart::put(&mut spec, container, self.restarts, notes);
        environment::put(&mut spec, container, &self.kubernetes, &self.secrets, notes);
        devices::put_sharing(&mut spec, container);
        spec.put_list("ports", self.ports.by_container.remove(&container.name).unwrap_or_default());
        spec.put_map("resources", resources);
        let mut mounts = mounts::mounts(container, self.definitions, &mut self.volumes, self.windows, notes);
        mounts.extend(self.secrets.mount(container.index));
        spec.put_list("volumeMounts", mounts);
        health::put(&mut spec, container, self.windows, notes);
        let security = if self.windows {
            windows::security_context(container, self.input, notes)
        } else {
            linux::security_context(container, self.input, notes)
        };
        spec.put_map("securityContext", security);
        spec.into()
    }
}
