//! `cargo xtask crds`: writes the CustomResourceDefinitions from the types and the registry of fields, to `crds/` and into their chart.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};

use crate::progress;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Folders that hold the same files.
const FOLDERS: [&str; 2] = ["crds", "charts/ecs-operator-crds/files"];

/// Runs the subcommand.
///
/// # Errors
/// When a schema cannot be generated or a file cannot be written.
pub fn run(_: Args) -> Result<()> {
    let definitions = plan::support::definitions()?;
    for folder in FOLDERS {
        let folder = super::root().join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut expected = BTreeSet::new();
        for definition in &definitions {
            let name = api::crds::file_name(definition);
            let path = folder.join(&name);
            let text = api::crds::yaml(definition)?;
            if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
                fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
                progress::note(format!("wrote {}", path.display()));
            }
            expected.insert(name);
        }
        // A kind that is gone must not stay behind.
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().display().to_string();
            if path.extension().is_some_and(|extension| extension == "yaml") && !expected.contains(&name) {
                fs::remove_file(&path)?;
                progress::note(format!("removed {}", path.display()));
            }
        }
    }
    progress::note(format!("{} definitions are up to date", definitions.len()));
    Ok(())
}
