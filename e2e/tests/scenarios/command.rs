//! kubectl and Helm with everything they say, warnings included.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use e2e::cluster::Cluster;
use e2e::scenario::{Environment, Scenario};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// What a program said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) is_success: bool,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Said {
    /// It succeeded, and the server had no warning.
    pub(crate) fn quietly(self) -> Result<String> {
        ensure!(self.is_success, "{}", self.errors);
        let lower = self.errors.to_lowercase();
        ensure!(!lower.contains("warn") && !lower.contains("deprecat"), "{}", self.errors);
        Ok(self.output)
    }
}

/// The scenarios' cluster, for its kubectl and Helm.
pub(crate) async fn cluster() -> Result<Cluster> {
    Cluster::attach(&Environment::read()?.kubeconfig).await
}

/// Whether the server is Kubernetes 1.`minor` or newer. If not, says what is skipped.
pub(crate) async fn is_from(scenario: &Scenario, minor: u32, what: &str) -> Result<bool> {
    let version = scenario.client().apiserver_version().await?;
    let is: u32 = version.minor.trim_end_matches('+').parse()?;
    if is < minor {
        println!("skipped: {what} from Kubernetes 1.{minor} on");
    }
    Ok(is >= minor)
}

/// Runs kubectl with a text as its input.
pub(crate) async fn kubectl(cluster: &Cluster, arguments: &[&str], input: &str) -> Result<Said> {
    run(cluster, &cluster.tools().kubectl, arguments, input).await
}

/// Runs Helm.
pub(crate) async fn helm(cluster: &Cluster, arguments: &[&str]) -> Result<Said> {
    run(cluster, &cluster.tools().helm, arguments, "").await
}

async fn run(cluster: &Cluster, program: &Path, arguments: &[&str], input: &str) -> Result<Said> {
    let folder = cluster.scratch()?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("KUBECACHEDIR", folder.join("kubectl"))
        .env("HELM_CACHE_HOME", folder.join("helm/cache"))
        .env("HELM_CONFIG_HOME", folder.join("helm/config"))
        .env("HELM_DATA_HOME", folder.join("helm/data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that fails before it has read everything closes the pipe.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { is_success: output.status.success(), output: text(output.stdout), errors: text(output.stderr) })
}
