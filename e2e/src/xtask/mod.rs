//! The subcommands of `cargo xtask`: one file each, with its arguments and one `run`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;

pub mod bench;
pub mod cluster;
pub mod crds;
pub mod demo;
mod demo_real;
mod demo_story;
mod deny;
pub mod histories;
pub mod image;
mod suite;
pub mod test;

/// Who plays the nodes of a local cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NodeKind {
    /// Simulated by KWOK: a task does what its annotations say.
    Kwok,
    /// kubelet, containerd and runc: a task is processes. Needs Linux and root.
    Real,
}

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Where cargo puts what it builds.
#[must_use]
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs this, or the one on `PATH`, without what cargo tells the program that it runs of its package: build scripts
/// look at it, and with it half of what was built would be built again, here and by the next cargo without.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let of_package = |name: &OsString| {
        let name = name.to_string_lossy();
        ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
            .iter()
            .any(|of| name.starts_with(of))
    };
    for name in std::env::vars_os().map(|(name, _)| name).filter(of_package) {
        command.env_remove(name);
    }
    command
}
