//! Real nodes: kubelet, kube-proxy, containerd and runc, so that tasks are processes.
//!
//! Everything is in namespaces of the run. One network namespace holds a bridge and the control plane; a process in it
//! keeps it. Each node has its own network, mount and process namespace, joined to the bridge. What is outside sees one
//! port on loopback that leads to the API server. With the processes the kernel takes the namespaces, links and mounts
//! away; only the cgroup folders have to be removed.

pub(super) mod cgroups;
mod images;
pub(super) mod network;
mod node;
mod requirements;
pub(super) mod start;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

pub use requirements::{Missing, require};

use super::binaries::tail;
use super::components::Binary;
use super::pki::Pki;
use super::plan::{MOST_NODES, Plan, Process, RealNodes};
use super::process::Launch;
use requirements::program;

/// Writes what the nodes read: certificates, configurations and image archives.
///
/// # Errors
/// When something cannot be written.
pub(super) fn write_files(plan: &Plan, nodes: &RealNodes, pki: &Pki) -> Result<()> {
    ensure!((1..=MOST_NODES).contains(&nodes.count), "there can be 1 to {MOST_NODES} real nodes, not {}", nodes.count);
    let folder = plan.folder.join("images");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let app = plan.programs.get(&Binary::TaskApp).context("program was not resolved")?;
    images::write(&folder.join("test.tar"), app, program("busybox").as_deref())?;
    for (index, archive) in nodes.images.iter().enumerate() {
        let copy = folder.join(format!("given-{index}.tar"));
        fs::copy(archive, &copy).with_context(|| format!("cannot copy {}", archive.display()))?;
    }
    node::write_proxy_kubeconfig(plan, pki)?;
    for index in 1..=nodes.count {
        node::write_files(plan, index, pki)?;
    }
    fs::write(plan.folder.join(cgroups::FILE), cgroups::name(&plan.folder))?;
    Ok(())
}

/// What the programs of each node said last, for nodes that do not become ready.
pub(super) fn said(plan: &Plan, nodes: &RealNodes) -> String {
    let mut text = String::new();
    for index in 1..=nodes.count {
        for program in ["containerd", "kubelet"] {
            let log = node::folder(plan, index).join(format!("log/{program}.log"));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{} of {} said last:\n{}", program, node::name(index), tail(&log, 5));
        }
    }
    text
}

/// How the processes are started that only a cluster with real nodes has.
///
/// # Errors
/// When a program was not resolved.
pub(super) fn launch(plan: &Plan, process: Process) -> Result<Option<Launch>> {
    let app = || plan.programs.get(&Binary::TaskApp).context("program was not resolved");
    let folder = plan.folder.display().to_string();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let (program, arguments, listen) = match process {
        Process::Network => {
            let app = app()?.display().to_string();
            (tool("unshare"), words(&["--net", "--", &app, "pause", &folder]), None)
        }
        Process::Forward => {
            let address = format!("127.0.0.1:{}", plan.ports.api);
            (app()?.clone(), words(&["forward", &address, &folder]), Some(plan.ports.api))
        }
        Process::Node(index) => (tool("unshare"), node::arguments(plan, index)?, None),
        _ => return Ok(None),
    };
    Ok(Some(Launch { name: process.name(), program, arguments, log: plan.log(process), listen }))
}

/// The program in the network namespace that a process is in. Replaces itself by the program: the id stays.
pub(super) fn inside(launch: Launch, pid: i32) -> Launch {
    let own = [format!("--net=/proc/{pid}/ns/net"), "--".to_owned(), launch.program.display().to_string()];
    Launch { program: tool("nsenter"), arguments: own.into_iter().chain(launch.arguments).collect(), ..launch }
}

/// Where a program is, or its name: then starting it says that it is missing.
pub(super) fn tool(name: &str) -> PathBuf {
    program(name).unwrap_or_else(|| Path::new(name).to_owned())
}
