//! `cargo xtask image`: a runnable image of the operator as an OCI archive, without a container engine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::process::Command;

use crate::oci::{self, Image, LayerBuilder};
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
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The user of distroless images; the chart runs the pod as this user.
const USER: u32 = 65532;

/// Runs the subcommand.
///
/// # Errors
/// When the binary cannot be built or is not a static Linux binary.
pub async fn run(args: Args) -> Result<()> {
    let architecture = oci::architecture()?;
    let name = args.name.unwrap_or_else(default_name);
    let output = match args.output {
        Some(output) => output,
        None => super::target_folder().join(format!("{PACKAGE}-{VERSION}-{architecture}.tar")),
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
    let digest = oci::write_archive(file, &[image(name, &program, &[])?], architecture)?.join(", ");
    step.done_with(format!("{} MB, {digest}", fs::metadata(&output)?.len() / 1_000_000));
    let shown = output.display();
    println!(
        "{shown}\n\nTake it with one of:\n  kind load image-archive {shown}\n  ctr -n k8s.io images import {shown}\n  docker load -i {shown}"
    );
    Ok(())
}

/// Kubernetes reads `ecs-operator:0.1.0` as docker.io/library/ecs-operator:0.1.0; containerd stores the long form.
fn default_name() -> String {
    format!("docker.io/library/{PACKAGE}:{VERSION}")
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
    let mut child = super::cargo()
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

/// The image: the program, and the names of its user for tools that look them up.
fn image(name: String, program: &[u8], libraries: &[(String, Vec<u8>)]) -> Result<Image> {
    let passwd = format!("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n");
    let mut layer = LayerBuilder::new()
        .file(PACKAGE, 0o755, program)?
        .file("etc/passwd", 0o644, passwd.as_bytes())?
        .file("etc/group", 0o644, format!("root:x:0:\nnonroot:x:{USER}:\n").as_bytes())?;
    for (path, content) in libraries {
        layer = layer.file(path.trim_start_matches('/'), 0o755, content)?;
    }
    let config = json!({
        "User": format!("{USER}:{USER}"),
        "Entrypoint": [format!("/{PACKAGE}")],
        "WorkingDir": "/",
        "Labels": {
            "org.opencontainers.image.title": PACKAGE,
            "org.opencontainers.image.version": VERSION,
            "org.opencontainers.image.licenses": "Apache-2.0",
        },
    });
    Ok(Image { name, layer: layer.build()?, config })
}

/// The image for tests: the debug build, with the dynamic libraries of this machine that it needs. It is built already, so
/// that a suite does not wait minutes for a release build.
///
/// # Errors
/// When there is no such build, or its libraries cannot be told.
pub async fn pack_debug_build(output: &Path) -> Result<()> {
    let binary = crate::operator::program();
    let program = fs::read(&binary)
        .with_context(|| format!("cannot read {}: build it with `cargo build -p {PACKAGE}`", binary.display()))?;
    let libraries = if is_dynamic(&program) { libraries(&binary).await? } else { Vec::new() };
    let file = File::create(output).with_context(|| format!("cannot write {}", output.display()))?;
    let image = image(default_name(), &program, &libraries)?;
    oci::write_archive(file, &[image], oci::architecture()?)?;
    Ok(())
}

/// The loader and the libraries that a program is linked to, by the paths at which it looks for them.
async fn libraries(binary: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let output = Command::new("ldd").arg(binary).output().await.context("cannot run ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let paths = library_paths(&text);
    if paths.is_empty() {
        bail!("ldd tells no library of {}", binary.display());
    }
    let read = |path: &str| fs::read(path).with_context(|| format!("cannot read {path}"));
    paths.into_iter().map(|path| Ok((path.to_owned(), read(path)?))).collect()
}

/// The paths in lines such as `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x0000)` and
/// `/lib64/ld-linux-x86-64.so.2 (0x0000)`; the kernel's own object has none.
fn library_paths(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_libraries_are_told_then_their_paths_are_read() {
        let text = "\tlinux-vdso.so.1 (0x0001)\n\tlibc.so.6 => /lib/libc.so.6 (0x0002)\n\t/lib64/ld.so.2 (0x0003)\n";
        assert_eq!(library_paths(text), ["/lib/libc.so.6", "/lib64/ld.so.2"]);
    }

    #[test]
    fn when_this_test_program_is_looked_at_then_it_is_found_to_be_dynamic() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(is_dynamic(&own), cfg!(all(target_os = "linux", not(target_feature = "crt-static"))));
        assert!(!is_dynamic(b"\x7fELF"));
    }
}
