//! `cargo xtask test`: everything that has to hold, from formatting to scenarios on a real Kubernetes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;
use tokio::process::Command;

use super::suite::{self, Count, Outcome, Show};
use super::{NodeKind, cargo, deny, image, root};
use crate::cluster::{Cluster, Nodes, Options, RealNodes, real, until};
use crate::integrations;
use crate::operator::{self, Launch, NAMESPACE, Operator, RELEASE};
use crate::progress;
use crate::scenario::{Environment, NAMESPACE_LABEL};

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

/// Scenarios mostly wait; more of them at once than cores costs nothing but memory.
const PARALLEL_SCENARIOS: usize = 12;

/// Tests that run one after the other, on a cluster of their own.
const FAULTS: &str = "faults";
/// Scenarios, side by side on one cluster.
const SCENARIOS: &str = "scenarios";
/// Scenarios whose tasks are processes, side by side on one real node.
const REAL_NODE: &str = "real_node";

/// Those that do not run one after the other on the scenarios' cluster.
const APART: [&str; 3] = [SCENARIOS, FAULTS, REAL_NODE];

/// Runs the subcommand.
///
/// # Errors
/// When something does not hold; says what and what to do.
pub async fn run(args: Args) -> Result<()> {
    let mut tests = Tests { count: Count::default(), failures: Vec::new(), summary: Vec::new() };
    if args.only.is_none() && args.nodes != Some(NodeKind::Real) {
        tests.static_checks().await?;
    }
    // One build for all that follows, so that no scenario waits for the compiler.
    let advice = "correct the error above";
    check("building the operator", &["build", "--quiet", "--package", "ecs-operator"], advice).await?;
    let binaries = build_tests(if args.nodes == Some(NodeKind::Real) { REAL_NODE } else { "*" }).await?;
    let mut is_wanted = false;
    for name in binaries.keys().filter(|name| *name != REAL_NODE) {
        is_wanted = is_wanted || has_any(binary(&binaries, name)?, args.only.as_deref()).await?;
    }
    if args.nodes != Some(NodeKind::Real) && is_wanted {
        tests.on_a_cluster(&args, &binaries).await?;
    }
    if args.nodes != Some(NodeKind::Kwok) {
        tests.on_a_real_node(&args, &binaries).await?;
    }
    for line in &tests.summary {
        println!("{line}");
    }
    let Count { passed, failed } = tests.count;
    if !tests.failures.is_empty() {
        for failure in &tests.failures {
            eprintln!("failed: {failure}");
        }
        println!("{passed} passed, {failed} failed");
        bail!(
            "tests failed: run `cargo xtask test --only NAME` for one scenario, with `--keep` to look at it afterwards"
        );
    }
    if let (Some(only), Count { passed: 0, failed: 0 }) = (&args.only, tests.count) {
        bail!("no scenario has `{only}` in its name: `cargo test -p e2e --test {SCENARIOS} -- --list` shows them all");
    }
    println!("{passed} passed, {failed} failed");
    Ok(())
}

struct Tests {
    count: Count,
    failures: Vec<String>,
    /// A line for each part, with its time.
    summary: Vec<String>,
}

impl Tests {
    async fn static_checks(&mut self) -> Result<()> {
        let advice = "run `cargo fmt` and commit what it changes";
        check("formatting", &["fmt", "--all", "--check"], advice).await?;
        let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
        deny::run().await?;
        check("lints", &clippy, "correct what clippy says; an exception needs a reason as a comment").await?;
        let pure = ["test", "--quiet", "--workspace", "--exclude", "e2e", "--no-fail-fast"];
        self.cargo_test("tests without a cluster", &pure).await?;
        let own = ["test", "--quiet", "--package", "e2e", "--lib", "--bins", "--no-fail-fast"];
        self.cargo_test("tests of the harness", &own).await
    }

    /// Everything that needs an API server.
    async fn on_a_cluster(&mut self, args: &Args, binaries: &BTreeMap<String, PathBuf>) -> Result<()> {
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
            self.test_binary(&cluster, binary(binaries, SCENARIOS)?, &arguments, &environment).await?;
            let is_local = cluster.local().is_ok();
            // Faults mostly wait too, on a cluster of their own.
            let faults = async {
                if is_local {
                    return Ok(Some(faults(args, binary(binaries, FAULTS)?.1).await?));
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
            self.add(outcome);
        }
        Ok(())
    }

    /// What needs containers, where they can be had. The operator runs in the cluster, as its users run it.
    async fn on_a_real_node(&mut self, args: &Args, binaries: &BTreeMap<String, PathBuf>) -> Result<()> {
        let scenarios = binary(binaries, REAL_NODE)?;
        if !has_any(scenarios, args.only.as_deref()).await? {
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
            progress::note(format!("skipped: {missing}"));
            self.summary.push(format!("real node: skipped, {missing}"));
            return Ok(());
        }
        let archive = super::target_folder().join(format!("ecs-operator-debug-{}.tar", std::process::id()));
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
        let mut command = Command::new(cargo());
        command.args(arguments).current_dir(root());
        self.add(suite::run(what, command, &[], Show::Live).await?);
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
        self.add(suite::run(&name.replace('_', " "), command, environment, Show::Live).await?);
        Ok(())
    }

    fn add(&mut self, outcome: Outcome) {
        let Outcome { what, count, is_success, elapsed } = outcome;
        self.count.passed += count.passed;
        self.count.failed += count.failed;
        self.summary.push(format!("{what}: {count} in {}", progress::seconds(elapsed)));
        if !is_success {
            self.failures.push(format!("{what}, {count}"));
        }
    }
}

/// Chart and operator on a cluster.
pub(super) struct System {
    /// `None` when the operator runs in the cluster itself.
    operator: Option<Operator>,
    kubeconfig: PathBuf,
    audit_log: Option<PathBuf>,
}

impl System {
    /// Installs the charts and waits until an operator leads, in the cluster or beside it.
    pub(super) async fn start(cluster: &Cluster, is_inside: bool) -> Result<Self> {
        // The tests run in another folder.
        let kubeconfig = std::path::absolute(cluster.kubeconfig())?;
        let audit_log = cluster.audit_log().ok();
        if runs_inside(cluster).await? {
            progress::note(format!("using the operator that runs in namespace {NAMESPACE}"));
            return Ok(Self { operator: None, kubeconfig, audit_log });
        }
        let step = progress::step("installing the charts");
        let charts = root().join("charts");
        for chart in ["ecs-operator-crds", "ecs-operator"] {
            let path = charts.join(chart).display().to_string();
            cluster.helm(["lint", "--strict", &path]).await.with_context(|| format!("chart {chart}"))?;
        }
        if is_inside {
            // The chart must do with the strictest rules for pods.
            let labels = serde_json::json!({ "pod-security.kubernetes.io/enforce": "restricted" });
            let metadata = serde_json::json!({ "name": NAMESPACE, "labels": labels });
            let namespace = serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
            cluster.kubectl_with_input(["apply", "-f", "-"], &namespace.to_string()).await?;
        }
        integrations::install(cluster).await?;
        operator::install_with(cluster, if is_inside { 2 } else { 0 }, &integrations::VALUES).await?;
        step.done();
        if is_inside {
            return Ok(Self { operator: None, kubeconfig, audit_log });
        }
        let step = progress::step("starting the operator as its ServiceAccount");
        let mut operator = Launch::installed(cluster, "ecs-operator-0").await?.spawn()?;
        operator.leads().await?;
        step.done();
        Ok(Self { operator: Some(operator), kubeconfig, audit_log })
    }

    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut environment = vec![(Environment::KUBECONFIG, self.kubeconfig.clone().into_os_string())];
        if let Some(operator) = &self.operator {
            environment.push((Environment::LOGS, operator.log().into()));
            environment.push((Environment::URL, operator.url().into()));
        }
        if let Some(log) = &self.audit_log {
            environment.push((Environment::AUDIT_LOG, log.into()));
        }
        environment
    }

    /// Waits until the scenarios' namespaces are gone, which needs the operator, and ends it.
    async fn end(self, cluster: &Cluster) -> Result<()> {
        let step = progress::step("removing what the scenarios left");
        let namespaces: Api<Namespace> = Api::all(cluster.client()?);
        let ours = ListParams::default().labels(NAMESPACE_LABEL);
        until("the scenarios' namespaces are gone", Duration::from_secs(90), async || {
            let left = namespaces.list(&ours).await?.items;
            let names: Vec<_> = left.into_iter().filter_map(|namespace| namespace.metadata.name).collect();
            ensure!(names.is_empty(), "there are {}", names.join(", "));
            Ok(Some(()))
        })
        .await?;
        if let Some(operator) = self.operator {
            let status = operator.terminate().await?;
            ensure!(status.success(), "the operator ended with {status} on SIGTERM; it must end well");
        }
        step.done();
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

/// Whether the chart was installed with replicas by somebody else.
async fn runs_inside(cluster: &Cluster) -> Result<bool> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client()?, NAMESPACE);
    let replicas = deployments.get_opt(RELEASE).await?.and_then(|found| found.spec).and_then(|spec| spec.replicas);
    Ok(replicas.is_some_and(|replicas| replicas > 0))
}

/// Builds the integration tests of this package that a pattern names once and tells where each is, so that none of them waits for a compiler
/// while a cluster runs.
async fn build_tests(which: &str) -> Result<BTreeMap<String, PathBuf>> {
    let step = progress::step("building the scenarios");
    let arguments = [
        "test",
        "--quiet",
        "--package",
        "e2e",
        "--test",
        which,
        "--no-run",
        "--message-format=json-render-diagnostics",
    ];
    let mut command = Command::new(cargo());
    command.args(arguments).current_dir(root()).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = command.output().await.context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the scenarios do not build: correct the error above");
    }
    let binaries: BTreeMap<_, _> = String::from_utf8_lossy(&output.stdout).lines().filter_map(executable).collect();
    step.done();
    Ok(binaries)
}

/// One of the test binaries with its name.
fn binary<'a>(binaries: &'a BTreeMap<String, PathBuf>, name: &'a str) -> Result<(&'a str, &'a Path)> {
    let path = binaries.get(name).with_context(|| format!("there is no e2e/tests/{name}"))?;
    Ok((name, path))
}

/// Whether a test binary has a test whose name holds `only`.
async fn has_any((_, program): (&str, &Path), only: Option<&str>) -> Result<bool> {
    let output = Command::new(program).arg("--list").args(only).output().await.context("cannot list the scenarios")?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().any(|line| line.ends_with(": test")))
}

/// Name and path of a test binary, from one line of cargo's messages.
fn executable(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_test = message.pointer("/target/kind/0")? == "test";
    let name = message.pointer("/target/name")?.as_str()?.to_owned();
    let path = message.get("executable")?.as_str()?;
    is_test.then(|| (name, path.into()))
}

/// Runs cargo for its exit code.
async fn check(what: &str, arguments: &[&str], advice: &str) -> Result<()> {
    let step = progress::step(what);
    let status = Command::new(cargo()).args(arguments).current_dir(root()).stdin(Stdio::null()).status().await;
    if !status.context("cannot run cargo")?.success() {
        bail!("{what} failed (`cargo {}`): {advice}", arguments.join(" "));
    }
    step.done();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_cargo_tells_of_a_test_binary_then_its_name_and_path_are_read() {
        let line =
            r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"faults"},"executable":"/t/faults-1"}"#;
        assert_eq!(executable(line), Some(("faults".to_owned(), PathBuf::from("/t/faults-1"))));
        let library = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"e2e"},"executable":null}"#;
        assert_eq!(executable(library), None);
    }
}
