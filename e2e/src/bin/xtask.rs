//! `cargo xtask`: everything that is done in this repository besides `cargo build`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use e2e::xtask;

/// Tasks of the ecs-operator repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure the operator beside a raw client.
    Bench(xtask::bench::Args),
    /// A local Kubernetes without a container engine.
    Cluster(xtask::cluster::Args),
    /// Write the CustomResourceDefinitions from the types.
    Crds(xtask::crds::Args),
    /// Make a runnable image of the operator without a container engine.
    Image(xtask::image::Args),
    /// Show the operator at work on a local Kubernetes that stays up.
    Demo(xtask::demo::Args),
    /// Random histories of services, checked against the rules of ECS; see e2e/README.md.
    Histories(xtask::histories::Args),
    /// Check everything: format, lints, tests, and scenarios on a real Kubernetes.
    Test(xtask::test::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Bench(args) => xtask::bench::run(args).await,
        Task::Cluster(args) => xtask::cluster::run(args).await,
        Task::Crds(args) => xtask::crds::run(args),
        Task::Image(args) => xtask::image::run(args).await,
        Task::Demo(args) => xtask::demo::run(args).await,
        Task::Histories(args) => xtask::histories::run(args).await,
        Task::Test(args) => xtask::test::run(args).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
