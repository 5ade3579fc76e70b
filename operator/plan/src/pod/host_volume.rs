//! Volumes on the node: directories of the host, and docker volumes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::task_definition::{DockerVolumeConfiguration, Scope, TaskDefinitionSpec, Volume};
use ecs::name::dns_label;
use serde_json::{Map, json};

use super::json::Members;
use super::network::{is_dns_label, is_dns_name};
use super::notes::Notes;
use super::volume_source::{LONGEST_NAME, Source};
use super::{TaskInput, permission, restricted};
use crate::core::right::{Right, SHARED_VOLUMES};

/// Files that are often mounted from the host. The kubelet refuses a file where it is told to expect a directory.
const WELL_KNOWN_FILES: [&str; 7] =
    ["/etc/group", "/etc/hostname", "/etc/hosts", "/etc/localtime", "/etc/machine-id", "/etc/passwd", "/etc/timezone"];

/// A directory of the host, made if missing. A path that may be a file or a socket (`/var/run/docker.sock`) has no
/// type: the kubelet then takes what is there, and the runtime makes a directory if there is nothing, as docker does.
pub(super) fn host(source: &str, path: &str, input: &TaskInput<'_>, notes: &mut Notes) -> Option<Source> {
    if has_parent(source) {
        notes.refuse(path, "the path of a host volume cannot contain ..");
        return None;
    }
    if !permission::has(input, &Right::of_host_path(source), path, notes) {
        return None;
    }
    let last = source.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    let content = if last.contains('.') || WELL_KNOWN_FILES.contains(&source) {
        json!({"path": source})
    } else {
        json!({"path": source, "type": "DirectoryOrCreate"})
    };
    Some(Source::of("hostPath", content))
}

/// Whether this is the name of a directory that is made for a shared volume.
pub(crate) fn is_name(name: &str) -> bool {
    is_dns_label(name)
}

fn has_parent(path: &str) -> bool {
    path.split(['/', '\\']).any(|segment| segment == "..")
}

/// A docker volume.
///
/// | scope | autoprovision | driver options | in the Pod |
/// |---|---|---|---|
/// | task | | none | `emptyDir` |
/// | shared | true | none | a directory of the node, made if missing |
/// | shared | false | none | a directory of the node that must be there: a Pod waits until it is |
/// | any | any | `type: nfs`, `device: :/export`, `o: addr=10.0.0.1` | the export, which outlives every task |
/// | task | | `type: tmpfs`, `o: size=64m` | memory |
/// | any | any | `type: none`, `device: /srv`, `o: bind` | the directory of the node |
pub(super) fn docker(
    docker: &DockerVolumeConfiguration,
    name: &str,
    path: &str,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Option<Source> {
    let driver = docker.driver.as_deref().filter(|driver| !driver.is_empty()).unwrap_or("local");
    if driver != "local" {
        notes.no_effect(format!("{path}.driver"), "docker volume drivers do not exist on Kubernetes nodes");
    }
    let options = docker.driver_opts.as_ref().filter(|options| !options.is_empty());
    if let Some(options) = options {
        let path = format!("{path}.driverOpts");
        if driver == "local" {
            return by_options(options, docker.scope == Some(Scope::Shared), &path, input, notes);
        }
        notes.no_effect(path, "docker volume drivers do not exist on Kubernetes nodes");
    }
    if docker.scope != Some(Scope::Shared) {
        return Some(Source::of("emptyDir", json!({})));
    }
    restricted::keeps_from(input, path, notes);
    // One directory per namespace and volume: no namespace can read another one's data by naming a volume alike.
    let directory = format!("{SHARED_VOLUMES}/{}/{}", input.namespace, dns_label(name, LONGEST_NAME));
    let kind = if docker.autoprovision == Some(true) {
        "DirectoryOrCreate"
    } else {
        let message = format!(
            "VolumeNotProvisioned if it is missing: a task starts only on a node with the directory {directory}, which \
                is not created without autoprovision"
        );
        notes.approximated(format!("{path}.autoprovision"), message);
        "Directory"
    };
    Some(Source::of("hostPath", json!({"path": directory, "type": kind})))
}

/// What `docker volume create --driver local --opt …` mounts. Anything else would be an empty directory where data is
/// expected, so it is refused.
fn by_options(
    options: &BTreeMap<String, String>,
    is_shared: bool,
    path: &str,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Option<Source> {
    let option = |name: &str| options.get(name).map_or("", String::as_str);
    let (kind, device) = (option("type"), option("device"));
    let flags: Vec<&str> = option("o").split(',').map(str::trim).filter(|flag| !flag.is_empty()).collect();
    let flag = |name: &str| flags.iter().find_map(|flag| flag.strip_prefix(name)?.strip_prefix('='));
    if let Some(unknown) = options.keys().find(|name| !matches!(name.as_str(), "type" | "device" | "o")) {
        notes.refuse(format!("{path}[{unknown}]"), "the local driver supports the options type, device and o");
        return None;
    }
    let mut unused: Vec<&str> = Vec::new();
    let source = match kind {
        "nfs" | "nfs4" => {
            let (host, export) = device.split_once(':').unwrap_or(("", device));
            let server = flag("addr").unwrap_or(host);
            let is_server = is_dns_name(&server.to_ascii_lowercase()) || server.parse::<IpAddr>().is_ok();
            if !is_server || !export.starts_with('/') || has_parent(export) || export.chars().any(char::is_control) {
                notes.refuse(path, "an NFS volume requires o: addr=SERVER and device: :/EXPORT");
                return None;
            }
            if !permission::has(input, &Right::of_nfs(server, export), path, notes) {
                return None;
            }
            unused.extend(flags.iter().filter(|flag| !flag.starts_with("addr=") && !matches!(**flag, "ro" | "rw")));
            let mut content = Map::new();
            content.put("server", server);
            content.put("path", export);
            content.put_true("readOnly", flags.contains(&"ro"));
            Source::of("nfs", content.into())
        }
        "tmpfs" if !is_shared => {
            let size = flag("size").map(bytes);
            if size == Some(None) {
                notes.refuse(format!("{path}[o]"), "size is a number of bytes, or one with k, m or g");
                return None;
            }
            unused.extend(flags.iter().filter(|flag| !flag.starts_with("size=")));
            let mut content = Map::new();
            content.put("medium", "Memory");
            content.put_some("sizeLimit", size.flatten().map(|bytes| bytes.to_string()));
            Source::of("emptyDir", content.into())
        }
        "none" | "" if flags.contains(&"bind") => {
            let path = format!("{path}[device]");
            if !device.starts_with('/') {
                notes.refuse(path, "a bind mount requires the path of a directory on the node");
                return None;
            }
            let source = host(device, &path, input, notes)?;
            unused.extend(flags.iter().filter(|flag| **flag != "bind"));
            source
        }
        _ => {
            let message = "only nfs, tmpfs with scope task, and bind mounts of the local driver can be mounted, and \
                running without the data would not be safe";
            notes.unsupported(path, message);
            return None;
        }
    };
    if !unused.is_empty() {
        notes.no_effect(format!("{path}[o]"), format!("the node mounts with its own options: {}", unused.join(",")));
    }
    Some(source)
}

/// `64m` is 67108864.
fn bytes(text: &str) -> Option<u64> {
    let (number, factor) = match text.to_ascii_lowercase() {
        text if text.ends_with('k') => (text.trim_end_matches('k').parse::<u64>(), 1 << 10),
        text if text.ends_with('m') => (text.trim_end_matches('m').parse(), 1 << 20),
        text if text.ends_with('g') => (text.trim_end_matches('g').parse(), 1 << 30),
        text => (text.parse(), 1),
    };
    number.ok().and_then(|number| number.checked_mul(factor))
}

/// On ECS an empty volume begins with what the image has at the place, where the image declares it as a volume. A Pod's
/// begins empty. Images are not looked into, so it is said once, for the first volume that more than one container mounts
/// or takes over: a volume that one container alone writes to is scratch space.
pub(super) fn report_content(definition: &TaskDefinitionSpec, notes: &mut Notes) {
    let is_empty_at_start = |volume: &Volume| {
        let has_path =
            volume.host.as_ref().and_then(|host| host.source_path.as_deref()).is_some_and(|path| !path.is_empty());
        let others = [
            has_path,
            volume.efs_volume_configuration.is_some(),
            volume.s3files_volume_configuration.is_some(),
            volume.fsx_windows_file_server_volume_configuration.is_some(),
            volume.configured_at_launch == Some(true),
            volume.docker_volume_configuration.as_ref().is_some_and(|docker| docker.driver_opts.is_some()),
        ];
        !others.contains(&true)
    };
    let volumes = definition.volumes.iter().flatten().enumerate();
    let is_shared = |name: &str| {
        let mut mounts = 0;
        for container in &definition.container_definitions {
            let points = container.mount_points.iter().flatten();
            let own = points.filter(|point| point.source_volume.as_deref() == Some(name)).count();
            let is_source = definition.container_definitions.iter().any(|other| {
                let sources = other.volumes_from.iter().flatten();
                sources.into_iter().any(|from| from.source_container.as_deref() == Some(container.name.as_str()))
            });
            mounts += own.min(1) + usize::from(own > 0 && is_source);
        }
        mounts > 1
    };
    let found = volumes.into_iter().find(|(_, volume)| is_empty_at_start(volume) && is_shared(&volume.name));
    if let Some((index, _)) = found {
        let why = "the volume starts empty: content that an image has at a declared volume path is not copied into it";
        notes.approximated(format!("volumes[{index}]"), why);
    }
}
