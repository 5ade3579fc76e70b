//! `cargo xtask image`: a runnable image of the operator as an OCI archive, without a container engine.
//!
//! The archive is an OCI image layout in a tar file, with the `manifest.json` that `docker load` wants beside it. The same
//! binary gives the same bytes: every time is zero and every owner is root.

use std::fs::{self, File};
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::progress;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name and tag of the image; the chart's default if not given.
    #[arg(long)]
    name: Option<String>,
    /// The archive; `target/ecs-operator-VERSION-ARCH.tar` if not given.
    #[arg(long)]
    output: Option<PathBuf>,
    /// A static Linux binary to pack instead of building one.
    #[arg(long)]
    binary: Option<PathBuf>,
}

const PACKAGE: &str = "ecs-operator";
/// The user of distroless images; the chart runs the pod as this user.
const USER: u32 = 65532;

/// Runs the subcommand.
///
/// # Errors
/// When the binary cannot be built or is not a static Linux binary.
pub async fn run(args: Args) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let architecture = architecture()?;
    // Kubernetes reads `ecs-operator:0.1.0` as docker.io/library/ecs-operator:0.1.0; containerd stores the long form.
    let name = args.name.unwrap_or_else(|| format!("docker.io/library/{PACKAGE}:{version}"));
    let output = match args.output {
        Some(output) => output,
        None => super::target_folder().join(format!("{PACKAGE}-{version}-{architecture}.tar")),
    };
    let binary = match args.binary {
        Some(binary) => binary,
        None => build_static().await?,
    };
    let step = progress::step(format!("packing {}", output.display()));
    let program = fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;
    if is_dynamic(&program) {
        bail!("{} is not static: the image holds nothing but this file", binary.display());
    }
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::create(&output).with_context(|| format!("cannot write {}", output.display()))?;
    let digest = write_archive(file, &program, &name, architecture)?;
    step.done_with(format!("{} MB, {digest}", fs::metadata(&output)?.len() / 1_000_000));
    let shown = output.display();
    println!(
        "{shown}\n\nTake it with one of:\n  kind load image-archive {shown}\n  ctr -n k8s.io images import {shown}\n  docker load -i {shown}"
    );
    Ok(())
}

/// The architecture in the spelling of OCI.
fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no image for {other}: only x86_64 and aarch64 are known"),
    }
}

/// Builds the binary without dynamic libraries: musl where its target and C compiler are installed, else static glibc.
async fn build_static() -> Result<PathBuf> {
    if std::env::consts::OS != "linux" {
        bail!("a Linux binary can only be built on Linux: use the Dockerfile, or give one with --binary");
    }
    let musl = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let target = if installed(&musl).await && runs("musl-gcc").await {
        musl
    } else {
        format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
    };
    let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_"));
    let mut step = progress::step(format!("building {PACKAGE} for {target}, static, release"));
    let mut child = Command::new(super::cargo())
        .args(["build", "--release", "--quiet", "--package", PACKAGE, "--target", &target])
        .current_dir(super::root())
        .env(flags, "-C target-feature=+crt-static")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run cargo")?;
    let status = loop {
        match tokio::time::timeout(Duration::from_secs(1), child.wait()).await {
            Ok(status) => break status?,
            Err(_) => step.tick(Duration::from_secs(30), "a release build takes minutes"),
        }
    };
    if !status.success() {
        bail!(
            "cargo build failed: see above; a C compiler and static C library (on Debian: gcc, libc6-dev) are needed"
        );
    }
    step.done();
    Ok(super::target_folder().join(target).join("release").join(PACKAGE))
}

async fn installed(target: &str) -> bool {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output().await;
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

async fn runs(program: &str) -> bool {
    let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    status.is_ok_and(|status| status.success())
}

/// Whether an ELF file names a loader: program header type 3.
///
/// In a 64-bit little-endian file the table's offset is at byte 32, the size and number of its entries at 54 and 56.
fn is_dynamic(elf: &[u8]) -> bool {
    let number = |at: usize, length: usize| -> Option<usize> {
        let bytes = elf.get(at..at.checked_add(length)?)?;
        Some(bytes.iter().rev().fold(0, |value, &byte| (value << 8) | usize::from(byte)))
    };
    let (Some(table), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2)) else {
        return false;
    };
    (0..count).any(|index| number(table.saturating_add(index.saturating_mul(size)), 4) == Some(3))
}

/// Writes the archive and returns the manifest's digest.
fn write_archive(output: impl Write, program: &[u8], name: &str, architecture: &str) -> Result<String> {
    let layer = layer(program)?;
    let layer_digest = digest(&layer);
    let config = serde_json::to_vec(&json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Entrypoint": [format!("/{PACKAGE}")],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": PACKAGE,
                "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        },
        // The layer is not compressed, so its content and its blob have the same digest.
        "rootfs": { "type": "layers", "diff_ids": [layer_digest] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask image" }],
    }))?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    }))?;
    let manifest_digest = digest(&manifest);
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    if let Some(entry) = entry.as_object_mut() {
        let tag = name.rsplit(':').next().unwrap_or_default();
        let annotations = json!({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag });
        entry.insert("annotations".to_owned(), annotations);
        entry.insert("platform".to_owned(), json!({ "os": "linux", "architecture": architecture }));
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    });
    let docker = json!([{ "Config": blob(&config), "RepoTags": [name], "Layers": [blob(&layer)] }]);

    let mut archive = tar::Builder::new(output);
    append(&mut archive, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut archive, "index.json", 0o644, &serde_json::to_vec(&index)?)?;
    append(&mut archive, "manifest.json", 0o644, &serde_json::to_vec(&docker)?)?;
    for content in [&config, &manifest, &layer] {
        append(&mut archive, &blob(content), 0o644, content)?;
    }
    archive.into_inner()?.flush()?;
    Ok(manifest_digest)
}

/// The only layer: the program, and the names of its user for tools that look them up.
fn layer(program: &[u8]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, PACKAGE, 0o755, program)?;
    let passwd = format!("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n");
    append(&mut archive, "etc/passwd", 0o644, passwd.as_bytes())?;
    append(&mut archive, "etc/group", 0o644, format!("root:x:0:\nnonroot:x:{USER}:\n").as_bytes())?;
    Ok(archive.into_inner()?)
}

fn append(archive: &mut tar::Builder<impl Write>, path: &str, mode: u32, content: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len().try_into()?);
    archive.append_data(&mut header, path, content.take(u64::MAX)).with_context(|| format!("cannot pack {path}"))
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() })
}

fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn blob(content: &[u8]) -> String {
    format!("blobs/{}", digest(content).replace(':', "/"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn pack() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_archive(&mut bytes, b"program", "docker.io/library/ecs-operator:1", "amd64").unwrap();
        bytes
    }

    fn unpack(bytes: &[u8]) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().into_owned(), content)
        });
        entries.collect()
    }

    #[test]
    fn when_an_archive_is_packed_then_every_reference_in_it_resolves_to_a_blob_of_that_digest() {
        let files = unpack(&pack());
        let open = |descriptor: &Value| {
            let name = descriptor["digest"].as_str().unwrap();
            let content = &files[Path::new(&format!("blobs/{}", name.replace(':', "/")))];
            assert_eq!(digest(content), name);
            assert_eq!(descriptor["size"], content.len());
            content.clone()
        };
        let index: Value = serde_json::from_slice(&files[Path::new("index.json")]).unwrap();
        let entry = &index["manifests"][0];
        assert_eq!(entry["annotations"]["io.containerd.image.name"], "docker.io/library/ecs-operator:1");
        let manifest: Value = serde_json::from_slice(&open(entry)).unwrap();
        let config: Value = serde_json::from_slice(&open(&manifest["config"])).unwrap();
        assert_eq!(config["config"]["User"], "65532:65532");
        let layer = unpack(&open(&manifest["layers"][0]));
        assert_eq!(layer[Path::new("ecs-operator")], b"program");
    }

    #[test]
    fn when_the_same_binary_is_packed_twice_then_the_bytes_are_the_same() {
        assert_eq!(pack(), pack());
    }

    #[test]
    fn when_this_test_program_is_looked_at_then_it_is_found_to_be_dynamic() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(is_dynamic(&own), cfg!(all(target_os = "linux", not(target_feature = "crt-static"))));
        assert!(!is_dynamic(b"\x7fELF"));
    }
}
