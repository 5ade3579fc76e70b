//! Finds or builds the programs: `KUBEBUILDER_ASSETS`, then `PATH`, then the cache, then `go build`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt as _;
use tokio::process::Command;

use super::components::{Binary, Component, Version};
use super::paths;
use crate::progress;

/// Where each program is.
pub type Programs = BTreeMap<Binary, PathBuf>;

/// More builds at once would only make each slower: one Go build uses every core.
const PARALLEL_BUILDS: usize = 2;

/// Finds the programs, building those that are nowhere.
///
/// # Errors
/// When Go is missing or a build fails; the message says what to do.
pub async fn resolve(wanted: &[Binary]) -> Result<Programs> {
    let mut found = Programs::new();
    let mut missing: BTreeMap<Component, Vec<Binary>> = BTreeMap::new();
    for &binary in wanted {
        if let Some(path) = locate(binary).await? {
            found.insert(binary, path);
        } else {
            missing.entry(binary.component()).or_default().push(binary);
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    require_go().await?;
    // The longest build first, so that the short ones fill the second place.
    let mut order: Vec<_> = missing.into_iter().collect();
    order.sort_by_key(|(component, _)| component.folder != "kubernetes");
    let mut builds = futures::stream::iter(order.into_iter().map(|(component, binaries)| build(component, binaries)))
        .buffer_unordered(PARALLEL_BUILDS);
    while let Some(built) = builds.next().await {
        found.extend(built?);
    }
    Ok(found)
}

/// The program if it exists already.
async fn locate(binary: Binary) -> Result<Option<PathBuf>> {
    if let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS") {
        let path = PathBuf::from(assets).join(binary.name());
        if path.is_file() {
            return Ok(Some(path));
        }
    }
    let pinned = binary.component().version()?;
    let pinned = Version::find(&pinned).with_context(|| format!("{pinned} is no version"))?;
    if let Some(path) = on_path(binary.name())
        && let Some(version) = version_of(binary, &path).await
        && binary.accepts(version, pinned)
    {
        return Ok(Some(path));
    }
    let cached = folder(binary.component())?.join(binary.name());
    Ok(cached.is_file().then_some(cached))
}

fn folder(component: Component) -> Result<PathBuf> {
    let name = format!("{}-{}-{}", component.folder, component.version()?, component.fingerprint()?);
    Ok(paths::binaries()?.join(name))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// A program that does not tell its version within five seconds is not used.
async fn version_of(binary: Binary, path: &Path) -> Option<Version> {
    let run = Command::new(path).args(binary.version_arguments()).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(5), run).await.ok()?.ok()?;
    Version::find(&String::from_utf8_lossy(&output.stdout))
}

async fn require_go() -> Result<()> {
    let output = Command::new("go").arg("version").output().await;
    let text = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => bail!(
            "Go is needed to build the local Kubernetes and `go` is not on PATH: install Go 1.26 or later \
             (https://go.dev/dl/), or set KUBEBUILDER_ASSETS to a folder with the programs"
        ),
    };
    // A Go that may fetch a newer toolchain (GOTOOLCHAIN=auto, the default) obeys the module files by itself.
    let minimum = Version { major: 1, minor: 26 };
    let version = text.split("go version go").nth(1).and_then(Version::find);
    let fixed = std::env::var("GOTOOLCHAIN").is_ok_and(|value| value == "local");
    if let Some(version) = version
        && fixed
        && (version.major, version.minor) < (minimum.major, minimum.minor)
    {
        bail!("{} is too old and GOTOOLCHAIN=local forbids a newer one: install Go 1.26 or later", text.trim());
    }
    Ok(())
}

/// Builds into a folder beside the final one and moves each program when it is whole, so that an interrupted build
/// leaves nothing that looks finished.
async fn build(component: Component, binaries: Vec<Binary>) -> Result<Programs> {
    let target = folder(component)?;
    let version = component.version()?;
    fs::create_dir_all(&target).with_context(|| format!("cannot create {}", target.display()))?;
    let names: Vec<_> = binaries.iter().map(|binary| binary.name()).collect();
    let what = format!("building {} {version} ({})", component.folder, names.join(", "));
    progress::note(format!("{what}: the first time takes {}", component.first_build));
    let mut step = progress::step(format!("building {}", component.folder));

    // Another process may be building the same: wait for it, then look again.
    let lock = File::create(target.join(".lock"))?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let wanted: Vec<_> = binaries.iter().filter(|binary| !target.join(binary.name()).is_file()).collect();
    if !wanted.is_empty() {
        // What an interrupted build left is of no use, and nobody else builds here now.
        let partial = target.join(".partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial)?;
        let log = target.join("build.log");
        let output = File::create(&log)?;
        let mut child = Command::new("go")
            .arg("build")
            .args(["-trimpath", "-ldflags", &component.linker_flags()?, "-o"])
            .arg(&partial)
            .args(wanted.iter().map(|binary| binary.package()))
            .current_dir(component.path())
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-mod=readonly -buildvcs=false")
            .env("GOWORK", "off")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .context("cannot run go")?;
        let status = loop {
            match tokio::time::timeout(Duration::from_secs(1), child.wait()).await {
                Ok(status) => break status?,
                Err(_) => step.tick(Duration::from_secs(30), &last_line(&log)),
            }
        };
        if !status.success() {
            let tail = tail(&log, 20);
            let _ = fs::remove_dir_all(&partial);
            bail!(
                "{what} failed:\n{tail}\nCheck that the Go module proxy is reachable (`go env GOPROXY`), that `go \
                 version` is 1.26 or later and that about 7 GB of disk are free, then run the command again: what is \
                 built already is kept."
            );
        }
        for binary in &wanted {
            // Go names the program after the last path element that is no version: etcd's is called `server`.
            let package = binary.package();
            let by_package = package.rsplit('/').find(|part| !is_major_version(part)).unwrap_or(package);
            fs::rename(partial.join(by_package), target.join(binary.name()))
                .with_context(|| format!("go build left no {by_package} in {}", partial.display()))?;
        }
        let _ = fs::remove_dir_all(&partial);
    }
    drop(lock);
    step.done();
    Ok(binaries.into_iter().map(|binary| (binary, target.join(binary.name()))).collect())
}

fn is_major_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn last_line(log: &Path) -> String {
    fs::read_to_string(log).ok().and_then(|text| text.lines().last().map(str::to_owned)).unwrap_or_default()
}

/// The last lines of a log file.
#[must_use]
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_last_path_element_is_a_major_version_then_it_is_recognised() {
        assert!(is_major_version("v3"));
        assert!(!is_major_version("v"));
        assert!(!is_major_version("kube-apiserver"));
    }
}
