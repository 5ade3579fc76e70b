//! `cargo xtask bench`: what the operator costs, beside a raw client or a plain Deployment in the same run.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use tokio::process::Command;

use super::{cargo, root, target_folder};
use crate::bench::{converge, neighbours, scale_out};
use crate::cluster::ClientLimits;
use crate::progress;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Many new services: time, writes, memory, rest; see docs/benchmarks.md.
    Converge(Converge),
    /// One service from no task to many, beside a plain Deployment; see docs/benchmarks.md.
    ScaleOut(ScaleOut),
    /// Reaction to one tenant while another keeps the operator busy; see docs/benchmarks.md.
    Neighbours(Neighbours),
}

#[derive(Clone, Debug, clap::Args)]
struct Neighbours {
    /// Services of the tenant that attacks.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(16..=20_000))]
    services: u32,
    /// Changes that are timed in each turn.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    changes: u32,
    /// Turns in quiet and under attack.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Measure this operator instead of a release build.
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Leave the cluster's folder, with all logs.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct Converge {
    /// Services per round.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(4..=20_000))]
    services: u32,
    /// Turns of operator and raw client.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Seconds for which the operator is watched at rest.
    #[arg(long, default_value_t = 120)]
    rest: u64,
    /// Measure this operator instead of a release build.
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Leave the cluster's folder, with all logs and the operator's metrics.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct ScaleOut {
    /// Tasks to which the service grows.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    tasks: u32,
    /// Turns of service and Deployment.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// How fast Kubernetes' own controllers may be.
    #[arg(long, value_enum, default_value_t = ClientLimits::Kubernetes)]
    limits: ClientLimits,
    /// Measure this operator instead of a release build.
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Leave the cluster's folder, with all logs.
    #[arg(long)]
    keep: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// When something cannot be built or started. A missed goal is no error.
pub async fn run(args: Args) -> Result<()> {
    match args.bench {
        Bench::Converge(args) => converge(args).await,
        Bench::ScaleOut(args) => scale_out(args).await,
        Bench::Neighbours(args) => neighbours(args).await,
    }
}

/// The operator to be measured: the one that was named, or a release build.
async fn program(named: Option<&PathBuf>) -> Result<PathBuf> {
    if let Some(program) = named {
        return Ok(program.clone());
    }
    build("building the operator, release", &["--package", "ecs-operator"]).await?;
    Ok(target_folder().join("release").join("ecs-operator"))
}

async fn converge(args: Converge) -> Result<()> {
    let program = program(args.operator.as_ref()).await?;
    if cfg!(debug_assertions) && args.operator.is_none() {
        // A raw client without optimisation would flatter the operator.
        build("building the raw client, release", &["--package", "e2e", "--bin", "xtask"]).await?;
        return again(&target_folder().join("release").join("xtask"), &program, &args).await;
    }
    converge::run(converge::Settings {
        program,
        services: usize::try_from(args.services)?,
        rounds: usize::try_from(args.rounds)?,
        rest: Duration::from_secs(args.rest),
        keep: args.keep,
    })
    .await
}

async fn scale_out(args: ScaleOut) -> Result<()> {
    // This program only scales and watches, so how it was built does not matter.
    scale_out::run(scale_out::Settings {
        program: program(args.operator.as_ref()).await?,
        tasks: usize::try_from(args.tasks)?,
        rounds: usize::try_from(args.rounds)?,
        limits: args.limits,
        keep: args.keep,
    })
    .await
}

async fn neighbours(args: Neighbours) -> Result<()> {
    neighbours::run(neighbours::Settings {
        program: program(args.operator.as_ref()).await?,
        services: usize::try_from(args.services)?,
        changes: usize::try_from(args.changes)?,
        rounds: usize::try_from(args.rounds)?,
        keep: args.keep,
    })
    .await
}

async fn build(what: &str, arguments: &[&str]) -> Result<()> {
    let step = progress::step(what);
    let mut command = cargo();
    command.args(["build", "--release", "--quiet"]).args(arguments).current_dir(root()).stdin(Stdio::null());
    let status = command.kill_on_drop(true).status().await.context("cannot run cargo")?;
    if !status.success() {
        bail!("cargo build failed: correct the error above");
    }
    step.done();
    Ok(())
}

/// Runs the same in the optimised build of this program.
async fn again(xtask: &PathBuf, operator: &PathBuf, args: &Converge) -> Result<()> {
    let mut command = Command::new(xtask);
    command.args(["bench", "converge", "--operator"]).arg(operator);
    command.args(["--services", &args.services.to_string()]);
    command.args(["--rounds", &args.rounds.to_string()]);
    command.args(["--rest", &args.rest.to_string()]);
    if args.keep {
        command.arg("--keep");
    }
    let status = command.stdin(Stdio::null()).kill_on_drop(true).status().await.context("cannot run the raw client")?;
    if !status.success() {
        bail!("the benchmark failed: see above");
    }
    Ok(())
}
