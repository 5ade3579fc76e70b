//! Nothing is left of a cluster with real nodes, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::cluster::{paths, until};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

fn xtask(name: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["cluster", "up", "--nodes", "real", "--foreground", "--name", name])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Starts a cluster of its own and waits until it says that it is up.
async fn started(name: &str) -> Result<Child> {
    let mut child = xtask(name, &[]).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let up = async {
        while let Some(line) = lines.next_line().await? {
            if line == "End it:" {
                return Ok(());
            }
        }
        bail!("it ended")
    };
    tokio::time::timeout(Duration::from_mins(2), up).await.context("it did not come up")??;
    Ok(child)
}

/// The cgroup folders of the cluster, its own folder and its processes.
fn left(name: &str) -> Result<Vec<String>> {
    let folder = paths::clusters()?.join(name);
    let cgroup = format!("ecs-operator-{name}");
    let hierarchies = fs::read_dir("/sys/fs/cgroup")?.flatten().map(|entry| entry.path());
    let cgroups = hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]).map(|path| path.join(&cgroup));
    let mut left: Vec<_> = cgroups.chain([folder.clone()]).filter(|path| path.exists()).collect();
    for entry in fs::read_dir("/proc")?.flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mentions = String::from_utf8_lossy(&command).contains(&*folder.to_string_lossy());
        if mentions && Path::new(&entry.path()).join("exe").exists() {
            left.push(entry.path());
        }
    }
    Ok(left.into_iter().map(|path| path.display().to_string()).collect())
}

async fn nothing_is_left(name: &str) -> Result<()> {
    until(&format!("nothing is left of {name}"), Duration::from_secs(40), async || {
        let left = left(name)?;
        ensure!(left.is_empty(), "there are {left:?}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_program_that_runs_real_nodes_is_interrupted_or_killed_then_nothing_is_left() -> Result<()> {
    // Interrupted, it ends the cluster itself; killed, and terminated likewise, its watchdog does.
    let cases = [("interrupted", Signal::INT), ("killed", Signal::KILL)];
    let ended = cases.map(|(name, signal)| async move {
        // A socket below this folder would have a path of more than 107 bytes.
        let name =
            format!("{name}-in-a-folder-whose-path-is-longer-than-the-one-of-a-socket-may-be-{}", std::process::id());
        let mut child = started(&name).await?;
        let before = left(&name)?;
        ensure!(before.len() > 5, "this does not see what runs: {before:?}");
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(pid.context("it has ended")?, signal)?;
        child.wait().await?;
        nothing_is_left(&name).await
    });
    futures::future::try_join_all(ended).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_cannot_start_then_the_reason_is_told_and_nothing_is_left() -> Result<()> {
    let archive = std::env::temp_dir().join(format!("no-archive-{}.tar", std::process::id()));
    for (kind, content, says) in [("missing", None, "cannot copy"), ("broken", Some("no archive"), "node-1 ended")] {
        if let Some(content) = content {
            fs::write(&archive, content)?;
        }
        let name = format!("{kind}-{}", std::process::id());
        let output = xtask(&name, &["--image", &archive.display().to_string()]).output().await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && errors.contains(says), "{kind}: {errors}");
        nothing_is_left(&name).await?;
    }
    fs::remove_file(archive)?;
    Ok(())
}
