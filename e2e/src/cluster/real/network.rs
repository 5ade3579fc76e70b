//! Addresses and links. Every cluster has network namespaces of its own, so the addresses are the same in all of them.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::tool;
use crate::cluster::plan::MOST_NODES;
use crate::cluster::wait::until;

/// The control plane's address on the bridge; nodes and pods reach the API server here.
pub(in crate::cluster) const CONTROL_PLANE: &str = "10.99.0.1";
/// Addresses of Services.
pub(in crate::cluster) const SERVICES: &str = "10.96.0.0/16";
/// Where cluster DNS would be; none runs.
pub(super) const DNS: &str = "10.96.0.10";
/// Addresses of all pods.
pub(super) const PODS: &str = "10.244.0.0/16";

const BRIDGE: &str = "nodes";
/// The link in the node's namespace.
const LINK: &str = "node0";

/// The address of a node on the bridge: node 1 has 10.99.0.2.
pub(super) fn address(node: u8) -> String {
    format!("10.99.0.{}", u16::from(node) + 1)
}

/// The addresses of a node's pods: node 1 has 10.244.1.0/24.
pub(super) fn pods(node: u8) -> String {
    format!("10.244.{node}.0/24")
}

/// Makes the bridge in the namespace of a process, with the routes to pods and Services: the first node's kube-proxy
/// leads what is sent to a Service to one of its pods.
///
/// # Errors
/// When a link or route cannot be made.
pub(super) async fn make(pid: i32, nodes: u8) -> Result<()> {
    until_apart(pid, None).await?;
    let mut lines = vec![
        "link set lo up".to_owned(),
        format!("link add {BRIDGE} type bridge"),
        format!("addr add {CONTROL_PLANE}/24 dev {BRIDGE}"),
        format!("link set {BRIDGE} up"),
        format!("route add {SERVICES} via {}", address(1)),
    ];
    lines.extend((1..=nodes).map(|node| format!("route add {} via {}", pods(node), address(node))));
    configure(pid, &lines).await
}

/// Joins the namespace of a node's process to the bridge.
///
/// # Errors
/// When a link or route cannot be made.
pub(super) async fn join(network: i32, node_pid: i32, node: u8) -> Result<()> {
    until_apart(node_pid, Some(network)).await?;
    let outer = format!("node-{node}");
    let lines = [
        format!("link add {outer} type veth peer name {LINK} netns {node_pid}"),
        format!("link set {outer} master {BRIDGE} up"),
    ];
    configure(network, &lines).await?;
    let mut lines = vec![
        "link set lo up".to_owned(),
        format!("addr add {}/24 dev {LINK}", address(node)),
        format!("link set {LINK} up"),
        // kube-proxy rewrites such packets before they leave. There is no other way out: no default route.
        format!("route add {SERVICES} via {CONTROL_PLANE}"),
    ];
    let others = (1..=MOST_NODES).filter(|&other| other != node);
    lines.extend(others.map(|other| format!("route add {} via {}", pods(other), address(other))));
    configure(node_pid, &lines).await
}

/// `ip -batch` in the namespace of a process.
async fn configure(pid: i32, lines: &[String]) -> Result<()> {
    let mut child = Command::new(tool("nsenter"))
        .arg(format!("--net=/proc/{pid}/ns/net"))
        .arg("--")
        .arg(tool("ip"))
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run nsenter")?;
    if let Some(mut stdin) = child.stdin.take() {
        // When it has ended already, its own message says why.
        let _ = stdin.write_all((lines.join("\n") + "\n").as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("cannot make the nodes' network: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Waits until a process that was just started is in a network namespace of its own: not this program's, and not another
/// process's.
async fn until_apart(pid: i32, other: Option<i32>) -> Result<()> {
    let namespace = |pid: &str| -> Result<PathBuf> { Ok(fs::read_link(format!("/proc/{pid}/ns/net"))?) };
    let mut known = vec![namespace("self")?];
    if let Some(other) = other {
        known.push(namespace(&other.to_string())?);
    }
    until(&format!("process {pid} has its own network"), Duration::from_secs(5), async || {
        let its = namespace(&pid.to_string())?;
        ensure!(!known.contains(&its), "it has {}", its.display());
        Ok(Some(()))
    })
    .await
}
