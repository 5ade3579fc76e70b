//! What cargo does for the tests: checks, and the test binaries with their names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::progress;
use crate::xtask::{cargo, root};

/// Runs cargo for its exit code.
pub(super) async fn check(what: &str, arguments: &[&str], advice: &str) -> Result<()> {
    let step = progress::step(what);
    let status = cargo().args(arguments).current_dir(root()).stdin(Stdio::null()).status().await;
    if !status.context("cannot run cargo")?.success() {
        bail!("{what} failed (`cargo {}`): {advice}", arguments.join(" "));
    }
    step.done();
    Ok(())
}

/// Builds the integration tests of this package that a pattern names and returns where each is. All are built at once, so
/// that none of them waits for a compiler while a cluster runs.
pub(super) async fn tests(which: &str) -> Result<BTreeMap<String, PathBuf>> {
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
    let mut command = cargo();
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
pub(super) fn binary<'a>(binaries: &'a BTreeMap<String, PathBuf>, name: &'a str) -> Result<(&'a str, &'a Path)> {
    let path = binaries.get(name).with_context(|| format!("there is no e2e/tests/{name}"))?;
    Ok((name, path))
}

/// Whether a test binary has a test whose name holds `only`.
pub(super) async fn has_any((_, program): (&str, &Path), only: Option<&str>) -> Result<bool> {
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
