//! `cargo xtask test`: everything that has to hold, from formatting to scenarios on a real Kubernetes.

mod build;
mod parts;
mod report;
mod system;

use anyhow::Result;

use super::NodeKind;
use parts::{Parts, REAL_NODE};
use report::Report;
pub(super) use system::System;

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only scenarios whose name holds this; no other checks.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Who plays the nodes of the local cluster.
    /// Without it, everything runs: scenarios on simulated nodes, then those that need real ones, where these can be had.
    #[arg(long, value_enum)]
    nodes: Option<NodeKind>,
    /// Run the operator in the cluster, from its image, and not as a process here; for clusters with real nodes.
    #[arg(long)]
    inside: bool,
    /// Leave the cluster's folder, with all logs, and the scenarios' namespaces.
    #[arg(long)]
    keep: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// When something does not hold; says what and what to do.
pub async fn run(args: Args) -> Result<()> {
    let mut tests = Parts { report: Report::default() };
    if args.only.is_none() && args.nodes != Some(NodeKind::Real) {
        tests.static_checks().await?;
    }
    // One build for all that follows, so that no scenario waits for the compiler.
    let advice = "correct the error above";
    build::check("building the operator", &["build", "--quiet", "--package", "ecs-operator"], advice).await?;
    let binaries = build::tests(if args.nodes == Some(NodeKind::Real) { REAL_NODE } else { "*" }).await?;
    let mut is_wanted = false;
    for name in binaries.keys().filter(|name| *name != REAL_NODE) {
        is_wanted = is_wanted || build::has_any(build::binary(&binaries, name)?, args.only.as_deref()).await?;
    }
    if args.nodes != Some(NodeKind::Real) && is_wanted {
        tests.on_a_cluster(&args, &binaries).await?;
    }
    if args.nodes != Some(NodeKind::Kwok) {
        tests.on_a_real_node(&args, &binaries).await?;
    }
    tests.report.finish(args.only.as_deref())
}
