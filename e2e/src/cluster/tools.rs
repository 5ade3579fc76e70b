//! kubectl and Helm against one cluster, kept apart from the user's own settings.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::binaries::Programs;
use super::components::Binary;

/// The command lines, and where they keep their caches.
#[derive(Clone, Debug)]
pub struct Tools {
    /// kubectl.
    pub kubectl: PathBuf,
    /// Helm.
    pub helm: PathBuf,
    folder: PathBuf,
}

impl Tools {
    /// Takes them from the resolved programs; caches go below `folder`.
    ///
    /// # Errors
    /// When one was not resolved.
    pub fn new(programs: &Programs, folder: &Path) -> Result<Self> {
        let program = |binary: Binary| programs.get(&binary).cloned().context("program was not resolved");
        Ok(Self { kubectl: program(Binary::Kubectl)?, helm: program(Binary::Helm)?, folder: folder.join("tools") })
    }

    /// Runs a program with this kubeconfig and returns its standard output.
    ///
    /// # Errors
    /// When it fails; the message holds what it wrote to standard error.
    pub async fn run<A: AsRef<OsStr>>(
        &self,
        program: &Path,
        kubeconfig: &Path,
        arguments: impl IntoIterator<Item = A>,
        input: Option<&str>,
    ) -> Result<String> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("KUBECACHEDIR", self.folder.join("kubectl"))
            .env("HELM_CACHE_HOME", self.folder.join("helm/cache"))
            .env("HELM_CONFIG_HOME", self.folder.join("helm/config"))
            .env("HELM_DATA_HOME", self.folder.join("helm/data"))
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let shown = format!("{:?}", command.as_std());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            // A program that fails before it has read everything closes the pipe; its own message says why.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            let name = program.file_name().unwrap_or_default().display();
            bail!("{name}: {}\n(ran {shown})", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
