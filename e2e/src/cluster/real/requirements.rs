//! What real nodes need of the machine: Linux, root, and some Debian packages, which are installed when they are missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Result;
use tokio::process::Command;

use super::cgroups;
use crate::cluster::paths;
use crate::progress;

/// Why there can be no real nodes here, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl std::fmt::Display for Missing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "real nodes are not to be had: {}", self.0)
    }
}

impl std::error::Error for Missing {}

/// Program and the Debian package that has it.
const PROGRAMS: [(&str, &str); 11] = [
    ("containerd", "containerd"),
    ("containerd-shim-runc-v2", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("busybox", "busybox-static"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
];

/// Where network plugins may be.
const PLUGIN_FOLDERS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];
const PLUGINS: [&str; 5] = ["bridge", "host-local", "loopback", "portmap", "static"];

/// Administrators' programs, which are not on everybody's `PATH`.
const MORE_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Finds out whether real nodes can run here, and installs what is missing when that is possible.
///
/// # Errors
/// [`Missing`] when they cannot.
pub async fn require() -> Result<(), Missing> {
    if std::env::consts::OS != "linux" {
        return Err(Missing(format!("they need Linux, and this is {}", std::env::consts::OS)));
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Missing("they need root, for namespaces and cgroups".to_owned()));
    }
    let clusters = paths::clusters().map_err(|error| Missing(format!("{error:#}")))?;
    if let Some(hidden) = ["/var", "/run"].into_iter().find(|hidden| clusters.starts_with(hidden)) {
        let text = format!(
            "{} lies below {hidden}, which every node has of its own: set XDG_CACHE_HOME to a folder elsewhere",
            clusters.display()
        );
        return Err(Missing(text));
    }
    if !Path::new("/sys/fs/cgroup/cgroup.controllers").exists() && !Path::new("/sys/fs/cgroup/memory").exists() {
        return Err(Missing("no cgroups are mounted at /sys/fs/cgroup".to_owned()));
    }
    let packages = missing();
    if !packages.is_empty() {
        install(&packages).await?;
        let packages = missing();
        if !packages.is_empty() {
            return Err(Missing(format!("there is no {}", packages.join(", "))));
        }
    }
    let folder = clusters.join(format!("probe-{}", std::process::id()));
    let allowed = probe(&folder).await;
    let _ = fs::remove_dir_all(&folder);
    allowed
}

/// What a node does first, in namespaces that end with it: root of a container may not be allowed to.
const PROBE: &str = r#"
    set -e
    mount -t tmpfs tmpfs /run
    mount -t overlay overlay -o "lowerdir=/var,upperdir=$1/upper,workdir=$1/work" /var
    mount -o remount,bind,ro /
    ip link add nodes type bridge
    ip link add outer type veth peer name inner
    iptables -t nat -S >/dev/null
"#;

/// Tries it.
async fn probe(folder: &Path) -> Result<(), Missing> {
    cgroups::probe().map_err(|error| Missing(format!("cgroups cannot be made: {error:#}")))?;
    let made = ["upper", "work"].into_iter().try_for_each(|part| fs::create_dir_all(folder.join(part)));
    made.map_err(|error| Missing(format!("{} cannot be made: {error}", folder.display())))?;
    let more: Vec<_> = MORE_FOLDERS.iter().map(PathBuf::from).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::env::split_paths(&path).chain(more)).unwrap_or(path);
    let output = Command::new(program("unshare").unwrap_or_default())
        .args(["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["--", "/bin/sh", "-c", PROBE, "probe"])
        .arg(folder)
        .env("PATH", path)
        .stdin(Stdio::null())
        .output();
    match output.await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
            Err(Missing(format!("the system does not allow what a node does: {errors}")))
        }
        Err(error) => Err(Missing(format!("unshare cannot be run: {error}"))),
    }
}

/// The packages whose programs are not there.
fn missing() -> Vec<&'static str> {
    let programs = PROGRAMS.iter().filter(|(name, _)| program(name).is_none()).map(|(_, package)| *package);
    let plugins = plugins().is_none().then_some("containernetworking-plugins");
    let mut packages: Vec<_> = programs.chain(plugins).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

async fn install(packages: &[&str]) -> Result<(), Missing> {
    let list = packages.join(" ");
    let Some(installer) = program("apt-get") else {
        return Err(Missing(format!("install {list} (no apt-get here to do it)")));
    };
    let step = progress::step(format!("apt-get install {list}"));
    for arguments in [vec!["update"], [vec!["install", "--yes", "--no-install-recommends"], packages.to_vec()].concat()]
    {
        let run = Command::new(&installer)
            .args(["-qq", "-o", "DPkg::Lock::Timeout=120"])
            .args(&arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            // Services of the packages are not started: they would be outside of the run.
            .env("RUNLEVEL", "1")
            .stdin(Stdio::null())
            .output();
        let failed = match run.await {
            Ok(output) if output.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        // An index that cannot be renewed may still have what is needed.
        if arguments.contains(&"install") {
            let reason = failed.lines().last().unwrap_or_default();
            return Err(Missing(format!("apt-get install {list} failed: {reason}")));
        }
    }
    step.done();
    Ok(())
}

/// The folder with the network plugins.
pub(super) fn plugins() -> Option<PathBuf> {
    let has_all = |folder: &&&str| PLUGINS.iter().all(|plugin| Path::new(folder).join(plugin).is_file());
    PLUGIN_FOLDERS.iter().find(has_all).map(PathBuf::from)
}

/// Where a program is.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(MORE_FOLDERS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_program_is_not_there_then_its_package_is_named_once() {
        let packages = missing();
        for (name, package) in PROGRAMS {
            assert!(program(name).is_some() || packages.contains(&package), "{name}");
        }
        assert!(packages.windows(2).all(|pair| pair[0] < pair[1]), "{packages:?}");
    }
}
