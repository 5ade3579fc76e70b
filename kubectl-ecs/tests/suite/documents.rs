//! Documents of many shapes: what becomes of each, in short. `INSTA_UPDATE=always cargo test -p kubectl-ecs` takes over
//! what is now printed.

use std::fmt::Write;
use std::path::PathBuf;

use kubectl_ecs::import;
use kubectl_ecs::report::Exit;
use serde_json::Value;

use crate::common::{files, folder, inputs, rendered};

/// What is printed, without the bodies, which are the planner's and pinned there: objects in their order, conditions of
/// each input, what is said, and the exit code.
fn digest(paths: &[PathBuf]) -> String {
    let (report, items) = rendered(&inputs(paths));
    let mut text = String::new();
    for item in &items {
        let name = item["metadata"]["name"].as_str().unwrap();
        writeln!(text, "{} {name}", item["kind"].as_str().unwrap()).unwrap();
        for condition in item["status"]["conditions"].as_array().into_iter().flatten() {
            let part = |member: &str| condition[member].as_str().unwrap();
            writeln!(text, "  {}={} {}", part("type"), part("status"), part("reason")).unwrap();
            match (part("type"), part("status")) {
                ("Accepted", "False") => writeln!(text, "    {}", part("message")).unwrap(),
                ("FieldsNotApplied", "True") => fields(part("message"), &mut text),
                _ => {}
            }
        }
    }
    for line in &report.lines {
        writeln!(text, "stderr: {line}").unwrap();
    }
    writeln!(text, "exit {}", report.exit.code()).unwrap();
    // A plan that never settles would write for ever in a cluster.
    assert!(!text.contains("still changes"), "{text}");
    without_ids(&text)
}

/// The paths of `path (no effect: why); path (approximated: why)`.
fn fields(message: &str, text: &mut String) {
    for part in message.split("); ") {
        let (path, rest) = part.split_once(" (").unwrap();
        writeln!(text, "    {}: {path}", rest.split(':').next().unwrap()).unwrap();
    }
}

/// The 19 digits of a deployment follow from everything the deployment is made of.
fn without_ids(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut masked = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_digit) {
        let (before, number) = rest.split_at(start);
        let (number, after) = number.split_at(number.find(|c| !is_digit(c)).unwrap_or(number.len()));
        masked.push_str(before);
        masked.push_str(if number.len() == 19 { "<id>" } else { number });
        rest = after;
    }
    masked + rest
}

#[test]
fn when_documents_of_the_aws_cli_are_rendered_then_each_is_taken_or_refused_with_its_reasons() {
    let files = files("tests/documents");
    assert!(files.len() >= 20);
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        insta::with_settings!({ snapshot_path => "snapshots/documents", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, digest(std::slice::from_ref(&file)));
        });
    }
}

#[test]
fn when_the_examples_are_rendered_then_nothing_is_refused_and_everything_appears() {
    for (name, path) in [
        ("examples", "../examples"),
        ("examples-aws", "../examples/aws"),
        ("examples-ecs-json", "../examples/ecs-json"),
    ] {
        let digest = digest(&files(path));
        assert!(digest.ends_with("exit 0\n"), "{digest}");
        insta::assert_snapshot!(name, digest);
    }
}

#[test]
fn when_documents_are_imported_then_each_is_a_manifest_with_comments_on_what_is_lost() {
    let mut paths = vec![folder("../examples/ecs-json/described-services.json")];
    paths.push(folder("../examples/ecs-json/described-task-definition.json"));
    paths.push(folder("tests/documents/scaling.json"));
    let report = import::import(&inputs(&paths), None);
    assert_eq!((report.exit, report.lines), (Exit::Fine, Vec::new()));
    insta::assert_snapshot!("imported", report.output);
}

#[test]
fn when_a_task_definition_is_alone_then_the_pod_of_its_task_is_rendered() {
    let (_, items) = rendered(&inputs(&[folder("tests/documents/depends-on.json")]));
    let pod = items.iter().find(|item| item["kind"] == "Pod").unwrap();
    assert_eq!(pod["metadata"]["name"], "migrate-then-serve-task");
    assert_eq!(pod["metadata"]["labels"]["ecs-operator.dev/family"], "migrate-then-serve");
    let names = |list: &str| -> Vec<&str> {
        pod["spec"][list].as_array().into_iter().flatten().filter_map(|container| container["name"].as_str()).collect()
    };
    assert_eq!((names("initContainers").len(), names("containers")), (3, vec!["app"]));
}

#[test]
fn when_the_same_inputs_are_rendered_twice_then_the_output_is_the_same_and_free_of_identities() {
    let paths = files("../examples");
    let (one, items) = rendered(&inputs(&paths));
    let (other, _) = rendered(&inputs(&paths));
    assert_eq!(one.output, other.output);
    for item in &items {
        let metadata = &item["metadata"];
        assert_eq!((&metadata["uid"], &metadata["resourceVersion"]), (&Value::Null, &Value::Null));
        for owner in metadata["ownerReferences"].as_array().into_iter().flatten() {
            assert!(owner.get("name").is_some() && owner.get("uid").is_none(), "{owner}");
        }
    }
    assert!(!one.output.contains("1970-"), "times without --now");
}
