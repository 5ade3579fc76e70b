//! Volumes of a task.

use std::collections::BTreeMap;

use api::service::ServiceVolumeConfiguration;
use api::task_definition::Volume;
use ecs::name::{child_name, dns_label};
use serde_json::{Map, Value, json};

use super::json::Members;
use super::notes::Notes;
use super::volume_source::{LONGEST_NAME, Source};
use super::{TaskInput, ebs, efs, fsx, host_volume};
use crate::core::quantity::mebibytes;

/// A volume of the task definition as mounts name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The name in the Pod.
    pub(super) name: String,
    /// Directory of the volume that is shown.
    pub(super) sub_path: Option<String>,
}

/// The volumes of a Pod as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    list: Vec<Value>,
    /// By ECS name.
    named: BTreeMap<String, Named>,
    shared: Vec<Value>,
    cluster_scoped: Vec<Value>,
}

/// Everything that volumes bring to a task.
pub(super) struct Finished {
    /// `volumes` of the Pod.
    pub(super) list: Vec<Value>,
    /// Objects of the namespace.
    pub(super) shared: Vec<Value>,
    /// Objects outside of namespaces.
    pub(super) cluster_scoped: Vec<Value>,
}

impl Volumes {
    /// The volumes of the task definition.
    pub(super) fn of(input: &TaskInput<'_>, notes: &mut Notes) -> Self {
        let mut volumes = Self::default();
        for (index, volume) in input.task_definition.volumes.iter().flatten().enumerate() {
            let path = format!("volumes[{index}]");
            let name = dns_label(&volume.name, LONGEST_NAME);
            if volumes.named.values().any(|taken| taken.name == name) {
                notes.refuse(format!("{path}.name"), "volume names must be unique");
                continue;
            }
            let source = source(volume, &path, input, notes);
            let sub_path = source.as_ref().and_then(|source| source.sub_path.clone());
            volumes.named.insert(volume.name.clone(), Named { name: name.clone(), sub_path });
            if let Some(source) = source {
                volumes.push(&name, source);
            }
        }
        host_volume::report_content(input.task_definition, notes);
        volumes
    }

    /// A volume of the task definition.
    pub(super) fn named(&self, ecs_name: &str) -> Option<&Named> {
        self.named.get(ecs_name)
    }

    /// Adds a memory-backed directory under a name that no volume of the task definition has. `size` is in MiB.
    pub(super) fn add_memory(&mut self, purpose: &str, container: &str, size: i32) -> String {
        let mut content = Map::new();
        content.put("medium", "Memory");
        content.put_some("sizeLimit", (size > 0).then(|| mebibytes(i64::from(size))));
        self.add(&format!("{purpose}-{container}"), "memory", Source::of("emptyDir", content.into()))
    }

    /// Adds a volume under a name that no volume of the task definition has.
    pub(super) fn add(&mut self, root: &str, suffix: &str, source: Source) -> String {
        let is_taken = |name: &String| self.list.iter().any(|volume| volume.get("name") == Some(&json!(name)));
        // Of one name more than there are volumes at least one is free.
        let candidates = (0..=self.list.len()).map(|n| child_name(root, &format!("{suffix}{n}"), LONGEST_NAME));
        let name = candidates.into_iter().find(|name| !is_taken(name)).unwrap_or_else(|| root.to_owned());
        self.push(&name, source);
        name
    }

    /// Everything that was gathered, each object once.
    pub(super) fn finish(self) -> Finished {
        Finished { list: self.list, shared: self.shared, cluster_scoped: self.cluster_scoped }
    }

    fn push(&mut self, name: &str, source: Source) {
        let mut volume = Map::new();
        volume.put("name", name);
        volume.put(source.kind, source.content);
        self.list.push(volume.into());
        add_new(&mut self.shared, source.shared);
        add_new(&mut self.cluster_scoped, source.cluster_scoped);
    }
}

fn add_new(list: &mut Vec<Value>, more: Vec<Value>) {
    for object in more {
        if !list.contains(&object) {
            list.push(object);
        }
    }
}

fn source(volume: &Volume, path: &str, input: &TaskInput<'_>, notes: &mut Notes) -> Option<Source> {
    if let Some(configuration) = &volume.efs_volume_configuration {
        return efs::source(configuration, &format!("{path}.efsVolumeConfiguration"), input, notes);
    }
    if let Some(configuration) = &volume.fsx_windows_file_server_volume_configuration {
        return fsx::windows(configuration, &format!("{path}.fsxWindowsFileServerVolumeConfiguration"), input, notes);
    }
    if let Some(configuration) = &volume.s3files_volume_configuration {
        return fsx::s3_files(configuration, &format!("{path}.s3filesVolumeConfiguration"), input, notes);
    }
    if volume.configured_at_launch == Some(true) {
        let configurations: &[ServiceVolumeConfiguration] = input.volume_configurations;
        return ebs::source(&volume.name, configurations, input, notes);
    }
    if let Some(docker) = &volume.docker_volume_configuration {
        let path = format!("{path}.dockerVolumeConfiguration");
        return host_volume::docker(docker, &volume.name, &path, input, notes);
    }
    let source_path = volume.host.as_ref().and_then(|host| host.source_path.as_deref());
    match source_path.filter(|path| !path.is_empty()) {
        None => Some(Source::of("emptyDir", json!({}))),
        Some(source) => host_volume::host(source, &format!("{path}.host.sourcePath"), input, notes),
    }
}
