//! Where containers see volumes: mount points, mounts of other containers, and memory-backed directories.

use api::task_definition::ContainerDefinition;
use serde_json::{Map, Value};

use super::json::Members;
use super::layout::Container;
use super::notes::Notes;
use super::volumes::Volumes;

/// One directory in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    directory: String,
    volume: String,
    sub_path: Option<String>,
    is_read_only: bool,
    /// The field that asks for it.
    path: String,
}

/// `volumeMounts` of the container: its own mount points first, then those of `volumesFrom`, then `/dev/shm` and tmpfs.
pub(super) fn mounts(
    container: &Container<'_>,
    definitions: &[ContainerDefinition],
    volumes: &mut Volumes,
    windows: bool,
    notes: &mut Notes,
) -> Vec<Value> {
    let mut wanted = Vec::new();
    gather(container.index, definitions, volumes, &mut Vec::new(), false, &mut wanted, notes);
    if let Some(linux) = container.definition.linux_parameters.as_ref().filter(|_| !windows) {
        // Docker has a size of its own for 0.
        if let Some(size) = linux.shared_memory_size.filter(|size| *size > 0) {
            wanted.push(Mount {
                directory: "/dev/shm".to_owned(),
                volume: volumes.add_memory("shm", &container.name, size),
                sub_path: None,
                is_read_only: false,
                path: container.path("linuxParameters.sharedMemorySize"),
            });
        }
        for (index, tmpfs) in linux.tmpfs.iter().flatten().enumerate() {
            if tmpfs.container_path.is_empty() {
                let path = container.path(&format!("linuxParameters.tmpfs[{index}].containerPath"));
                notes.refuse(path, "a tmpfs must have a containerPath");
                continue;
            }
            wanted.push(Mount {
                directory: tmpfs.container_path.clone(),
                volume: volumes.add_memory("tmpfs", &container.name, tmpfs.size),
                sub_path: None,
                is_read_only: false,
                path: container.path(&format!("linuxParameters.tmpfs[{index}].containerPath")),
            });
        }
    }
    let mut mounts: Vec<Mount> = Vec::new();
    for mount in wanted {
        match mounts.iter().find(|other| place(&other.directory) == place(&mount.directory)) {
            Some(other) if other.volume == mount.volume => {}
            Some(other) => {
                let message = format!("{:?} is already a mount of {}", mount.directory, other.path);
                notes.refuse(&mount.path, message);
            }
            None => mounts.push(mount),
        }
    }
    mounts.into_iter().map(Mount::value).collect()
}

impl Mount {
    fn value(self) -> Value {
        let mut mount = Map::new();
        mount.put("name", self.volume);
        mount.put("mountPath", self.directory);
        mount.put_some("subPath", self.sub_path);
        mount.put_true("readOnly", self.is_read_only);
        mount.into()
    }
}

/// `/data/` and `/data` are the same place.
fn place(directory: &str) -> &str {
    let trimmed = directory.trim_end_matches('/');
    if trimmed.is_empty() { directory } else { trimmed }
}

/// The mount points of a container and of every container whose mounts it takes over, also by way of others; read-only
/// if the container or anything on the way says so. Each container is read once, so that circles and repetitions end.
fn gather(
    index: usize,
    definitions: &[ContainerDefinition],
    volumes: &Volumes,
    seen: &mut Vec<usize>,
    is_read_only: bool,
    mounts: &mut Vec<Mount>,
    notes: &mut Notes,
) {
    let Some(definition) = definitions.get(index).filter(|_| !seen.contains(&index)) else { return };
    let is_own = seen.is_empty();
    seen.push(index);
    for (position, point) in definition.mount_points.iter().flatten().enumerate() {
        let path = format!("containerDefinitions[{index}].mountPoints[{position}]");
        let name = point.source_volume.as_deref().unwrap_or_default();
        let directory = point.container_path.clone();
        // What is wrong with another container's mount points is said where that container is read.
        match volumes.named(name) {
            None if is_own => notes.refuse(format!("{path}.sourceVolume"), format!("there is no volume {name:?}")),
            Some(_) if directory.is_empty() && is_own => {
                notes.refuse(format!("{path}.containerPath"), "a mount point must have a containerPath");
            }
            Some(volume) if !directory.is_empty() => mounts.push(Mount {
                directory,
                volume: volume.name.clone(),
                sub_path: volume.sub_path.clone(),
                is_read_only: is_read_only || point.read_only == Some(true),
                path,
            }),
            _ => {}
        }
    }
    for (position, from) in definition.volumes_from.iter().flatten().enumerate() {
        let source = from.source_container.as_deref().unwrap_or_default();
        match definitions.iter().position(|other| other.name == source) {
            Some(other) => {
                let is_read_only = is_read_only || from.read_only == Some(true);
                gather(other, definitions, volumes, seen, is_read_only, mounts, notes);
            }
            None if is_own => {
                let path = format!("containerDefinitions[{index}].volumesFrom[{position}].sourceContainer");
                notes.refuse(path, format!("there is no container {source:?}"));
            }
            None => {}
        }
    }
}
