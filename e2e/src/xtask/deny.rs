//! Runs cargo-deny over the dependencies: licenses, banned crates, registries and, if the advisory database is reachable
//! or already on this machine, known vulnerabilities. The rules are in `deny.toml`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::{cargo, root};
use crate::cluster::{paths, tail};
use crate::progress;

/// Version to install if no cargo-deny is on `PATH`.
const VERSION: &str = "0.20.2";

/// A clone of the advisory database takes seconds; a firewall that drops packages must not hold the tests up.
const FETCH_LIMIT: Duration = Duration::from_mins(1);

/// Checks the dependencies.
///
/// # Errors
/// When a rule is broken, or when cargo-deny is missing and cannot be installed.
pub(super) async fn run() -> Result<()> {
    let program = match on_path() {
        Some(program) => program,
        None => install().await?,
    };
    check(&program, &["check", "bans", "licenses", "sources"], "dependencies").await?;
    if fetch_advisories(&program).await || has_advisories() {
        // The check before has downloaded every crate, so cargo needs no network for this one.
        check(&program, &["--offline", "check", "advisories"], "advisories").await
    } else {
        progress::note("advisories: not checked, the database of RustSec is not reachable");
        Ok(())
    }
}

async fn check(program: &Path, arguments: &[&str], what: &str) -> Result<()> {
    let step = progress::step(what);
    let status = command(program, arguments).status().await.context("cannot run cargo-deny")?;
    if !status.success() {
        bail!("{what} break a rule of deny.toml: replace the crate, or add an exception with its reason to that file");
    }
    step.done();
    Ok(())
}

/// Updates the advisory database. Returns whether that worked.
async fn fetch_advisories(program: &Path) -> bool {
    let mut fetch = command(program, &["fetch", "db"]);
    fetch.stdout(Stdio::null()).stderr(Stdio::null());
    matches!(tokio::time::timeout(FETCH_LIMIT, fetch.status()).await, Ok(Ok(status)) if status.success())
}

fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Whether an earlier run, or somebody by hand, has fetched the advisory database.
fn has_advisories() -> bool {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let databases = home.and_then(|home| fs::read_dir(home.join("advisory-dbs")).ok());
    databases.into_iter().flatten().flatten().any(|database| database.path().join("crates").is_dir())
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("cargo-deny")).find(|candidate| candidate.is_file())
}

/// Installs cargo-deny into the cache, unless an earlier run did. cargo puts the program in place when the build is
/// complete, and waits for another run that installs into the same folder.
async fn install() -> Result<PathBuf> {
    let folder = paths::binaries()?.join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(program);
    }
    progress::note(format!("building cargo-deny {VERSION}: the first time takes 4 minutes on two cores"));
    let mut step = progress::step("building cargo-deny");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let log = folder.join("build.log");
    let output = File::create(&log)?;
    let build = folder.join("build");
    let mut child = cargo()
        .args(["install", "cargo-deny", "--locked", "--version", VERSION, "--root"])
        .arg(&folder)
        .arg("--target-dir")
        .arg(&build)
        // Not from here: the settings of this workspace are not for other people's programs.
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true)
        .spawn()
        .context("cannot run cargo")?;
    let status = loop {
        match tokio::time::timeout(Duration::from_secs(1), child.wait()).await {
            Ok(status) => break status?,
            Err(_) => step.tick(Duration::from_secs(30), &tail(&log, 1)),
        }
    };
    if !status.success() {
        bail!(
            "building cargo-deny failed:\n{}\nCheck that crates.io is reachable, or install cargo-deny yourself so that \
             it is on PATH.",
            tail(&log, 20)
        );
    }
    // What is left of the build is of no use to anybody.
    let _ = fs::remove_dir_all(&build);
    step.done();
    Ok(program)
}
