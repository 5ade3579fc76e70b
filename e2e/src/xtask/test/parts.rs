//! The parts of the tests in the order in which they run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tokio::process::Command;

use super::Args;
use super::build;
use super::report::Report;
use super::system::System;
use crate::cluster::{Cluster, Nodes, Options, RealNodes, real};
use crate::progress;
use crate::scenario::Environment;
use crate::xtask::suite::{self, Outcome, Show};
use crate::xtask::{cargo, deny, image, root, target_folder};

/// Scenarios mostly wait; more of them at once than cores costs nothing but memory.
const PARALLEL_SCENARIOS: usize = 12;

/// Tests that run one after the other, on a cluster of their own.
const FAULTS: &str = "faults";
/// Scenarios, side by side on one cluster.
const SCENARIOS: &str = "scenarios";
/// Scenarios whose tasks are processes, side by side on one real node.
pub(super) const REAL_NODE: &str = "real_node";

/// Those that do not run one after the other on the scenarios' cluster.
const APART: [&str; 3] = [SCENARIOS, FAULTS, REAL_NODE];

/// The parts, with what those that ran came to.
pub(super) struct Parts {
    pub(super) report: Report,
}

impl Parts {
    /// What needs no cluster.
    pub(super) async fn static_checks(&mut self) -> Result<()> {
        let advice = "run `cargo fmt` and commit what it changes";
        build::check("formatting", &["fmt", "--all", "--check"], advice).await?;
        deny::run().await?;
        let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
        build::check("lints", &clippy, "correct what clippy says; an exception needs a reason as a comment").await?;
        let pure = ["test", "--quiet", "--workspace", "--exclude", "e2e", "--no-fail-fast"];
        self.cargo_test("tests without a cluster", &pure).await?;
        let own = ["test", "--quiet", "--package", "e2e", "--lib", "--bins", "--no-fail-fast"];
        self.cargo_test("tests of the harness", &own).await
    }

    /// Everything that needs an API server.
    pub(super) async fn on_a_cluster(&mut self, args: &Args, binaries: &BTreeMap<String, PathBuf>) -> Result<()> {
        let faults = {
            let options = Options { keep_folder: args.keep, alertmanager: true, ..Options::default() };
            let cluster = Cluster::from_env_or_start(options).await?;
            let system = System::start(&cluster, args.inside).await?;
            let mut environment = system.environment();
            environment.extend(cluster.alertmanager().map(|url| (Environment::ALERTMANAGER, url.into())));
            if args.keep {
                environment.push(("E2E_KEEP", "1".into()));
            }
            let threads = format!("--test-threads={PARALLEL_SCENARIOS}");
            let arguments: Vec<_> = std::iter::once(threads.as_str()).chain(args.only.as_deref()).collect();
            self.test_binary(&cluster, build::binary(binaries, SCENARIOS)?, &arguments, &environment).await?;
            let is_local = cluster.local().is_ok();
            // Faults mostly wait too, on a cluster of their own.
            let faults = async {
                if is_local {
                    return Ok(Some(faults(args, build::binary(binaries, FAULTS)?.1).await?));
                }
                progress::note(
                    "skipped: faults need the local control plane, and E2E_KUBECONFIG names another cluster",
                );
                anyhow::Ok(None)
            };
            let only: Vec<_> = args.only.as_deref().into_iter().collect();
            let others = async {
                for (name, path) in binaries.iter().filter(|(name, _)| !APART.contains(&name.as_str())) {
                    self.test_binary(&cluster, (name, path), &only, &environment).await?;
                }
                if !args.keep {
                    system.end(&cluster).await?;
                }
                anyhow::Ok(())
            };
            let (others, faults) = tokio::join!(others, faults);
            others?;
            faults?
        };
        if let Some(outcome) = faults {
            self.report.add(outcome);
        }
        Ok(())
    }

    /// What needs containers, where they can be had. The operator runs in the cluster, as its users run it.
    pub(super) async fn on_a_real_node(&mut self, args: &Args, binaries: &BTreeMap<String, PathBuf>) -> Result<()> {
        let scenarios = build::binary(binaries, REAL_NODE)?;
        if !build::has_any(scenarios, args.only.as_deref()).await? {
            return Ok(());
        }
        if std::env::var_os(Environment::KUBECONFIG).is_some_and(|path| !path.is_empty()) {
            progress::note(
                "skipped: scenarios on a real node bring their own, and E2E_KUBECONFIG names another cluster",
            );
            return Ok(());
        }
        if let Err(missing) = real::require().await {
            ensure!(args.nodes.is_none(), missing);
            self.report.skip("real node", missing);
            return Ok(());
        }
        let archive = target_folder().join(format!("ecs-operator-debug-{}.tar", std::process::id()));
        let step = progress::step("packing the operator's image");
        image::pack_debug_build(&archive).await?;
        step.done();
        let nodes = RealNodes { images: vec![archive.clone()], ..RealNodes::default() };
        let options = Options { nodes: Nodes::Real(nodes), keep_folder: args.keep, ..Options::default() };
        let cluster = Cluster::start(options).await;
        let _ = fs::remove_file(&archive);
        let cluster = cluster?;
        let system = System::start(&cluster, true).await?;
        let mut environment = system.environment();
        if args.keep {
            environment.push(("E2E_KEEP", "1".into()));
        }
        let threads = format!("--test-threads={PARALLEL_SCENARIOS}");
        let arguments: Vec<_> = std::iter::once(threads.as_str()).chain(args.only.as_deref()).collect();
        // What is left goes with the cluster: nobody waits until stubborn containers are killed.
        self.test_binary(&cluster, scenarios, &arguments, &environment).await
    }

    /// Runs `cargo test`.
    async fn cargo_test(&mut self, what: &str, arguments: &[&str]) -> Result<()> {
        let mut command = cargo();
        command.args(arguments).current_dir(root());
        self.report.add(suite::run(what, command, &[], Show::Live).await?);
        Ok(())
    }

    /// Runs a test binary of this package as `cargo test --test NAME` would.
    async fn test_binary(
        &mut self,
        cluster: &Cluster,
        (name, program): (&str, &Path),
        arguments: &[&str],
        environment: &[(&str, OsString)],
    ) -> Result<()> {
        let mut command = cluster.command(program)?;
        command.args(arguments).current_dir(root().join("e2e"));
        self.report.add(suite::run(&name.replace('_', " "), command, environment, Show::Live).await?);
        Ok(())
    }
}

/// Runs the faults, one after the other.
async fn faults(args: &Args, program: &Path) -> Result<Outcome> {
    let arguments: Vec<_> = std::iter::once("--test-threads=1").chain(args.only.as_deref()).collect();
    let keep: Vec<_> = args.keep.then(|| ("E2E_KEEP", OsString::from("1"))).into_iter().collect();
    let mut command = Command::new(program);
    command.args(&arguments).current_dir(root().join("e2e"));
    suite::run(FAULTS, command, &keep, Show::Afterwards).await
}
