//! Bringing real nodes up: first the network that everything else is in, later the nodes.

use std::fs;

use anyhow::Result;

use super::{cgroups, network, node};
use crate::cluster::local::Local;
use crate::cluster::plan::{Process, RealNodes};

/// Makes the network in which everything else is started, and the way into it.
///
/// # Errors
/// When a namespace or link cannot be made.
pub(in crate::cluster) async fn network(local: &Local, nodes: &RealNodes) -> Result<()> {
    local.start(Process::Network)?;
    network::make(local.id(Process::Network)?.pid, nodes.count).await?;
    local.start(Process::Forward)
}

/// Starts every node. It becomes ready as soon as it finds the API server.
///
/// # Errors
/// When a cgroup, namespace or link cannot be made.
pub(in crate::cluster) async fn nodes(local: &Local, nodes: &RealNodes) -> Result<()> {
    let network = local.id(Process::Network)?.pid;
    for index in 1..=nodes.count {
        cgroups::create(&cgroups::name(&local.plan().folder), &node::name(index))?;
        local.start(Process::Node(index))?;
        network::join(network, local.id(Process::Node(index))?.pid, index).await?;
        fs::write(node::folder(local.plan(), index).join("network"), "")?;
    }
    Ok(())
}
