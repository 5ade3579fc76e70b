//! The cgroup folders of a cluster. They outlive processes, so they are removed when all have ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const ROOT: &str = "/sys/fs/cgroup";

/// The file in a cluster's folder that names its cgroup folder: whoever ends the cluster reads it.
pub(in crate::cluster) const FILE: &str = "cgroup";

/// The group of the node's own programs. In version 2 a group has processes or groups, not both.
const PROGRAMS: &str = "programs";

/// How long the kernel may take to empty the groups of processes that were killed.
const LIMIT: Duration = Duration::from_secs(10);

/// The name of a cluster's cgroup folder.
pub(super) fn name(cluster: &Path) -> String {
    format!("ecs-operator-{}", cluster.file_name().unwrap_or_default().display())
}

/// Makes the folders of a node.
///
/// # Errors
/// When one cannot be made.
pub(super) fn create(cluster: &str, node: &str) -> Result<()> {
    for root in roots()? {
        let mut folder = root;
        for element in [cluster, node, PROGRAMS] {
            let parent = folder.clone();
            folder = folder.join(element);
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            prepare(&parent, &folder)?;
        }
    }
    Ok(())
}

/// Makes a group in each hierarchy and removes it.
///
/// # Errors
/// When that is not allowed.
pub(super) fn probe() -> Result<()> {
    for root in roots()? {
        let folder = root.join(format!("ecs-operator-probe-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::remove_dir(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// Hands down what a new group does not inherit by itself: in version 1 the CPUs and memory nodes, in version 2 the
/// controllers.
fn prepare(parent: &Path, folder: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        // In version 2 an empty file means everything.
        if parent.join("tasks").exists() && folder.join(file).exists() {
            fs::write(folder.join(file), fs::read(parent.join(file))?)?;
        }
    }
    let controllers = folder.join("cgroup.controllers");
    if controllers.exists() && !folder.ends_with(PROGRAMS) {
        let names = fs::read_to_string(&controllers)?;
        let enabled: Vec<_> = names.split_whitespace().map(|name| format!("+{name}")).collect();
        fs::write(folder.join("cgroup.subtree_control"), enabled.join(" "))?;
    }
    Ok(())
}

/// The hierarchies: one folder per controller in version 1, one for all in version 2.
fn roots() -> Result<Vec<PathBuf>> {
    let root = PathBuf::from(ROOT);
    if root.join("cgroup.controllers").exists() {
        return Ok(vec![root]);
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(&root).with_context(|| format!("cannot read {ROOT}"))? {
        let entry = entry?;
        // `cpu` may be a link to `cpu,cpuacct`. Only hierarchies of version 1 have this file.
        if entry.file_type()?.is_dir() && entry.path().join("tasks").exists() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// Removes the folders of the cluster in this folder, if it has any. Its processes must have ended or be about to.
///
/// # Errors
/// When a group is not empty in time: something in it still runs.
pub(in crate::cluster) fn remove(cluster: &Path) -> Result<()> {
    let Ok(name) = fs::read_to_string(cluster.join(FILE)) else { return Ok(()) };
    let name = name.trim();
    // It is about to be part of a path.
    if !name.starts_with("ecs-operator-") || name.contains('/') {
        bail!("`{name}` is no cgroup folder of a test cluster");
    }
    let deadline = Instant::now() + LIMIT;
    // runc also makes groups in a hierarchy of version 2 beside those of version 1.
    let hierarchies = fs::read_dir(ROOT).into_iter().flatten().flatten().map(|entry| entry.path());
    for root in std::iter::once(PathBuf::from(ROOT)).chain(hierarchies) {
        let folder = root.join(name);
        while folder.exists() {
            remove_tree(&folder);
            if folder.exists() && Instant::now() > deadline {
                bail!("{} is not empty: a process of the cluster still runs", folder.display());
            }
            if folder.exists() {
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
    Ok(())
}

/// The innermost first. Files in a cgroup folder are the kernel's and go with it.
fn remove_tree(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|type_| type_.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    // Not yet empty: tried again.
    let _ = fs::remove_dir(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_file_names_another_folder_then_nothing_is_removed() {
        let cluster = std::env::temp_dir().join(format!("ecs-operator-cgroups-{}", std::process::id()));
        fs::create_dir_all(&cluster).unwrap();
        assert!(remove(&cluster).is_ok(), "a cluster without real nodes has none");
        for name in ["system.slice", "ecs-operator-a/../b", ""] {
            fs::write(cluster.join(FILE), name).unwrap();
            assert!(remove(&cluster).is_err(), "{name}");
        }
        fs::remove_dir_all(&cluster).unwrap();
    }
}
