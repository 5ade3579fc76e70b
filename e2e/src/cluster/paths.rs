//! Where things live outside the source tree.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// `${XDG_CACHE_HOME:-$HOME/.cache}/ecs-operator`.
///
/// # Errors
/// When neither variable is set.
pub fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .context("neither HOME nor XDG_CACHE_HOME is set: set one, programs and clusters are kept below it")?;
    Ok(base.join("ecs-operator"))
}

/// Built programs.
///
/// # Errors
/// As [`cache`].
pub fn binaries() -> Result<PathBuf> {
    Ok(cache()?.join("bin"))
}

/// Data folders of clusters, one per name.
///
/// # Errors
/// As [`cache`].
pub fn clusters() -> Result<PathBuf> {
    Ok(cache()?.join("clusters"))
}
