//! Volumes of a task.

use std::collections::BTreeMap;

use api::service::ServiceVolumeConfiguration;
use api::task_definition::{DockerVolumeConfiguration, Scope, Volume};
use ecs::name::{child_name, dns_label};
use serde_json::{Map, Value, json};

use super::efs::{self, EfsClaim};
use super::json::Members;
use super::notes::Notes;
use super::{TaskInput, ebs};
use crate::quantity::mebibytes;

/// Longest name of a volume in a Pod.
const LONGEST_NAME: usize = 63;
/// Where shared docker volumes are on a node: one directory per namespace and volume, so that no namespace can read
/// another one's data by naming a volume alike.
const SHARED: &str = "/var/lib/ecs-operator/volumes";
/// Files that are often mounted from the host. The kubelet refuses a file where it is told to expect a directory.
const WELL_KNOWN_FILES: [&str; 7] =
    ["/etc/group", "/etc/hostname", "/etc/hosts", "/etc/localtime", "/etc/machine-id", "/etc/passwd", "/etc/timezone"];

/// The volumes of a Pod as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    list: Vec<Value>,
    /// ECS name → name in the Pod.
    names: BTreeMap<String, String>,
    claims: Vec<EfsClaim>,
}

impl Volumes {
    /// The volumes of the task definition.
    pub(super) fn of(input: &TaskInput<'_>, notes: &mut Notes) -> Self {
        let mut volumes = Self::default();
        for (index, volume) in input.task_definition.volumes.iter().flatten().enumerate() {
            let path = format!("volumes[{index}]");
            let name = dns_label(&volume.name, LONGEST_NAME);
            if volumes.names.values().any(|taken| *taken == name) {
                notes.refuse(format!("{path}.name"), "volume names must be unique");
                continue;
            }
            volumes.names.insert(volume.name.clone(), name.clone());
            if let Some((kind, source)) = volumes.source(volume, &path, input, notes) {
                volumes.push(&name, kind, source);
            }
        }
        volumes
    }

    /// The name in the Pod of a volume of the task definition.
    pub(super) fn name(&self, ecs_name: &str) -> Option<&str> {
        self.names.get(ecs_name).map(String::as_str)
    }

    /// Adds a memory-backed directory under a name that no volume of the task definition has. `size` is in MiB.
    pub(super) fn add_memory(&mut self, purpose: &str, container: &str, size: i32) -> String {
        let root = format!("{purpose}-{container}");
        let is_taken = |name: &String| self.list.iter().any(|volume| volume.get("name") == Some(&json!(name)));
        // Of one name more than there are volumes at least one is free.
        let candidates = (0..=self.list.len()).map(|n| child_name(&root, &format!("memory{n}"), LONGEST_NAME));
        let name = candidates.into_iter().find(|name| !is_taken(name)).unwrap_or(root);
        let mut source = Map::new();
        source.put("medium", "Memory");
        source.put_some("sizeLimit", (size > 0).then(|| mebibytes(i64::from(size))));
        self.push(&name, "emptyDir", source.into());
        name
    }

    /// `volumes` of the Pod, and the claims they name.
    pub(super) fn finish(self) -> (Vec<Value>, Vec<EfsClaim>) {
        (self.list, self.claims)
    }

    fn push(&mut self, name: &str, kind: &str, source: Value) {
        let mut volume = Map::new();
        volume.put("name", name);
        volume.put(kind, source);
        self.list.push(volume.into());
    }

    /// Member name and content of the volume's source.
    fn source(
        &mut self,
        volume: &Volume,
        path: &str,
        input: &TaskInput<'_>,
        notes: &mut Notes,
    ) -> Option<(&'static str, Value)> {
        if let Some(configuration) = &volume.efs_volume_configuration {
            let path = format!("{path}.efsVolumeConfiguration");
            let claim = efs::claim(configuration, &path, input.namespace, notes)?;
            let source = json!({"claimName": claim.name});
            if !self.claims.contains(&claim) {
                self.claims.push(claim);
            }
            return Some(("persistentVolumeClaim", source));
        }
        let without_driver = [
            (volume.s3files_volume_configuration.is_some(), "s3filesVolumeConfiguration"),
            (volume.fsx_windows_file_server_volume_configuration.is_some(), "fsxWindowsFileServerVolumeConfiguration"),
        ];
        for (is_set, field) in without_driver {
            if is_set {
                notes.unsupported(
                    format!("{path}.{field}"),
                    "the file system cannot be mounted, and its data would be missing",
                );
                return None;
            }
        }
        if volume.configured_at_launch == Some(true) {
            let configurations: &[ServiceVolumeConfiguration] = input.volume_configurations;
            return ebs::ephemeral(&volume.name, configurations, notes).map(|source| ("ephemeral", source));
        }
        if let Some(docker) = &volume.docker_volume_configuration {
            return Some(docker_source(docker, &volume.name, input.namespace));
        }
        let source_path = volume.host.as_ref().and_then(|host| host.source_path.as_deref());
        match source_path.filter(|path| !path.is_empty()) {
            None => Some(("emptyDir", json!({}))),
            Some(source) => {
                host_path(source, &format!("{path}.host.sourcePath"), notes).map(|source| ("hostPath", source))
            }
        }
    }
}

/// A volume of scope `task` goes with the task; one of scope `shared` stays on the node. Without `autoprovision` it must
/// be there already, and a Pod waits until it is.
fn docker_source(docker: &DockerVolumeConfiguration, name: &str, namespace: &str) -> (&'static str, Value) {
    if docker.scope != Some(Scope::Shared) {
        return ("emptyDir", json!({}));
    }
    let kind = if docker.autoprovision == Some(true) { "DirectoryOrCreate" } else { "Directory" };
    let directory = dns_label(name, LONGEST_NAME);
    ("hostPath", json!({"path": format!("{SHARED}/{namespace}/{directory}"), "type": kind}))
}

/// A directory of the host, made if missing. A path that may be a file or a socket (`/var/run/docker.sock`) has no
/// type: the kubelet then takes what is there, and the runtime makes a directory if there is nothing, as docker does.
fn host_path(source: &str, path: &str, notes: &mut Notes) -> Option<Value> {
    if source.split(['/', '\\']).any(|segment| segment == "..") {
        notes.refuse(path, "the path of a host volume cannot contain ..");
        return None;
    }
    let last = source.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    if last.contains('.') || WELL_KNOWN_FILES.contains(&source) {
        return Some(json!({"path": source}));
    }
    Some(json!({"path": source, "type": "DirectoryOrCreate"}))
}
