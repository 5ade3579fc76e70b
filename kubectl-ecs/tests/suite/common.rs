//! Inputs of the tests, and what is compared of a result.

use std::fs;
use std::path::{Path, PathBuf};

use documents::{Inputs, read};
use kubectl_ecs::print::Format;
use kubectl_ecs::render::{self, Options};
use kubectl_ecs::report::Report;
use serde_json::Value;

/// A folder of the repository.
pub(crate) fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder, sorted.
pub(crate) fn files(path: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(path))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json" || end == "yaml"))
        .collect();
    files.sort();
    files
}

/// Reads files as if they were named from their own folder, so that no result depends on where the repository is.
pub(crate) fn documents(paths: &[PathBuf]) -> Vec<documents::parse::Document> {
    let documents = paths.iter().flat_map(|path| {
        let mut documents = read::documents(&[path.display().to_string()], false).unwrap();
        for document in &mut documents {
            document.origin.file = path.file_name().unwrap().to_string_lossy().into_owned();
        }
        documents
    });
    documents.collect()
}

/// Everything in `paths` as inputs.
pub(crate) fn inputs(paths: &[PathBuf]) -> Inputs {
    documents::inputs(documents(paths), "default").unwrap()
}

/// Rendered as JSON.
pub(crate) fn rendered(inputs: &Inputs) -> (Report, Vec<Value>) {
    let report = render::render(inputs, &Options { format: Format::Json, ..Options::default() });
    let list: Value = serde_json::from_str(&report.output).unwrap();
    let items = list["items"].as_array().cloned().unwrap_or_default();
    (report, items)
}
