//! What import writes is what render reads.

use std::path::PathBuf;

use documents::{Inputs, parse};
use kubectl_ecs::import;

use crate::common::{files, inputs, rendered};

/// The manifests of an import, without comments on what is gone now.
fn reread(text: &str) -> Inputs {
    documents::inputs(parse::documents("imported.yaml", text.as_bytes()).unwrap(), "default").unwrap()
}

fn all() -> Vec<Vec<PathBuf>> {
    let mut all: Vec<Vec<PathBuf>> = files("tests/documents").into_iter().map(|file| vec![file]).collect();
    all.push(files("../examples/ecs-json"));
    all.push(files("../examples"));
    all
}

#[test]
fn when_what_was_imported_is_imported_again_then_nothing_changes() {
    for paths in all() {
        let first = import::import(&inputs(&paths), None).output;
        let second = import::import(&reread(&first), None).output;
        let manifests = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
        };
        // A manifest has a namespace once it was read as one; the first import of an ECS document names none.
        let without = |text: &str| -> Vec<String> {
            manifests(text).into_iter().filter(|line| line != "  namespace: default\n").collect()
        };
        assert_eq!(without(&first), without(&second), "{paths:?}");
        let third = import::import(&reread(&second), None).output;
        assert_eq!(second, third, "{paths:?}");
    }
}

#[test]
fn when_what_was_imported_is_rendered_then_it_is_what_the_documents_render_to() {
    for paths in all() {
        let direct = inputs(&paths);
        let (report, items) = rendered(&direct);
        // What an administrator allows is no part of an import.
        let imported = reread(&import::import(&direct, None).output);
        let imported = Inputs { namespaces: direct.namespaces.clone(), ..imported };
        let (imported_report, imported_items) = rendered(&imported);
        assert_eq!(report.exit, imported_report.exit, "{paths:?}");
        let is_manifest = direct.objects.iter().any(|input| !input.is_raw);
        if is_manifest {
            // A manifest's read-only members are part of the revision as it was applied; import leaves them out.
            assert_eq!(items.len(), imported_items.len(), "{paths:?}");
        } else {
            assert_eq!(items, imported_items, "{paths:?}");
        }
    }
}
