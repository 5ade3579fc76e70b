//! The binary: arguments, streams and exit codes.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-ecs"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails early does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

const FINE: &str = r#"{"family": "a", "containerDefinitions": [{"name": "a", "image": "a", "memory": 8}]}"#;
const REFUSED: &str = r#"{"family": "a", "containerDefinitions": [{"name": "a", "image": "a"}]}"#;
const NOT_APPLIED: &str =
    r#"{"family": "a", "executionRoleArn": "r", "containerDefinitions": [{"name": "a", "image": "a", "memory": 8}]}"#;
const UNKNOWN: &str =
    r#"{"family": "a", "containerDefinitions": [{"name": "a", "image": "a", "memory": 8, "colour": 1}]}"#;

#[test]
fn when_a_document_is_given_then_the_exit_code_says_what_became_of_it() {
    let cases: [(&[&str], &str, i32, &str); 12] = [
        (&["render", "-f", "-"], FINE, 0, ""),
        (&["render", "-f", "-", "--strict"], FINE, 0, ""),
        (&["render", "-f", "-"], NOT_APPLIED, 0, ""),
        (
            &["render", "-f", "-", "--strict"],
            NOT_APPLIED,
            3,
            "-#1 ECSTaskDefinition/a: not applied: executionRoleArn (no effect: ",
        ),
        (
            &["render", "-f", "-"],
            UNKNOWN,
            0,
            "-#1 ECSTaskDefinition/a: spec.containerDefinitions[0].colour: is not a field",
        ),
        (&["render", "-f", "-", "--strict"], UNKNOWN, 3, "spec.containerDefinitions[0].colour: is not a field"),
        (
            &["render", "-f", "-"],
            REFUSED,
            1,
            "-#1 ECSTaskDefinition/a: spec.containerDefinitions[0].memory: ClientException: ",
        ),
        (
            &["import", "-f", "-"],
            REFUSED,
            1,
            "-#1 ECSTaskDefinition/a: spec.containerDefinitions[0].memory: ClientException: ",
        ),
        (&["render", "-f", "-"], "{\"a\": ", 2, "-: "),
        (&["render", "-f", "-"], "{\"a\": 1}", 2, "-#1: neither a manifest nor an ECS document"),
        (&["render", "-f", "-"], "", 2, "-: no document in it"),
        (&["render", "-f", "no/such/file.json"], "", 2, "no/such/file.json: "),
    ];
    for (arguments, input, code, message) in cases {
        let output = run(arguments, input);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {input}: {errors}");
        assert!(errors.contains(message), "{arguments:?} {input}: {errors}");
        assert_eq!(errors.is_empty(), message.is_empty(), "{errors}");
    }
}

#[test]
fn when_the_command_line_is_wrong_then_the_exit_code_is_2() {
    for arguments in
        [&[][..], &["render"], &["render", "-f", "-", "-o", "xml"], &["paint"], &["render", "-f", "-", "--now", "x"]]
    {
        assert_eq!(run(arguments, "").status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn when_help_or_version_is_asked_for_then_it_is_printed() {
    for arguments in [&["--help"][..], &["render", "--help"], &["import", "--help"]] {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("Examples:") && text(&output.stdout).contains("Exit codes:"));
    }
    assert_eq!(text(&run(&["version"], "").stdout), format!("kubectl-ecs {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn when_a_folder_is_given_then_its_files_are_read_and_with_r_those_below() {
    let folder = scratch("folder");
    fs::create_dir(folder.join("inner")).unwrap();
    fs::write(folder.join("b.json"), FINE).unwrap();
    fs::write(folder.join("README.md"), "# no document").unwrap();
    fs::write(folder.join("inner/a.yaml"), "clusterName: shop\n").unwrap();
    let path = folder.display().to_string();
    let kinds = |arguments: &[&str]| {
        let printed = text(&run(arguments, "").stdout);
        printed.lines().filter(|line| line.starts_with("kind: ")).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&["import", "-f", &path]), ["kind: ECSTaskDefinition"]);
    assert_eq!(kinds(&["import", "-R", "-f", &path]), ["kind: ECSTaskDefinition", "kind: ECSCluster"]);
    let empty = scratch("empty").display().to_string();
    assert_eq!(run(&["import", "-f", &empty], "").status.code(), Some(2));
}

#[test]
fn when_a_namespace_is_given_then_objects_without_one_get_it() {
    let manifest =
        "apiVersion: ecs-operator.dev/v1alpha1\nkind: ECSCluster\nmetadata: {name: a, namespace: own}\nspec: {}\n";
    let input = format!("{manifest}---\nclusterName: b\n");
    let printed = text(&run(&["render", "-n", "team", "-o", "json", "-f", "-"], &input).stdout);
    let list: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let namespaces: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["namespace"]).collect();
    assert_eq!(namespaces, ["own", "team"]);
    assert!(text(&run(&["import", "-n", "team", "-f", "-"], "clusterName: b\n").stdout).contains("namespace: team"));
    assert!(!text(&run(&["import", "-f", "-"], "clusterName: b\n").stdout).contains("namespace:"));
}

#[test]
fn when_a_time_is_given_then_the_output_has_times() {
    let printed = text(&run(&["render", "--now", "2026-01-31T12:00:00Z", "-f", "-"], FINE).stdout);
    assert!(printed.contains("lastTransitionTime: ") && printed.contains("2026-01-31T12:00:00Z"), "{printed}");
    assert!(!text(&run(&["render", "-f", "-"], FINE).stdout).contains("lastTransitionTime"));
}

#[test]
fn when_a_reference_is_not_among_the_inputs_then_it_is_a_condition_and_no_failure() {
    let service =
        r#"{"serviceName": "web", "cluster": "c", "taskDefinition": "web", "desiredCount": 1, "launchType": "EC2"}"#;
    let output = run(&["render", "-f", "-"], service);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(text(&output.stdout).contains("reason: ClusterNotFoundException"), "{}", text(&output.stdout));
}

#[test]
fn when_two_documents_claim_one_name_then_both_places_are_named() {
    let output = run(&["render", "-f", "-"], &format!("{FINE}\n{FINE}"));
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "-#2: ECSTaskDefinition/a is in -#1 too\n");
}

#[test]
fn when_other_kinds_are_among_the_inputs_then_they_are_passed_over_with_a_note() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\n";
    let output = run(&["render", "-f", "-"], &format!("{secret}{FINE}\n"));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "-#1: Secret/s is not one of ecs-operator.dev: passed over\n");
    let unknown = "apiVersion: ecs-operator.dev/v1alpha1\nkind: ECSThing\nmetadata: {name: s}\n";
    assert_eq!(run(&["render", "-f", "-"], unknown).status.code(), Some(2));
}

#[test]
fn when_a_manifest_has_a_word_that_kubectl_reads_as_a_boolean_then_it_is_read_so_and_in_an_ecs_document_not() {
    let container = "containerDefinitions: [{name: a, image: a, memory: 8, environment: [{name: A, value: yes}]}]";
    let manifest = format!(
        "apiVersion: ecs-operator.dev/v1alpha1\nkind: ECSTaskDefinition\nmetadata: {{name: a}}\nspec: {{{container}}}\n"
    );
    let output = run(&["render", "-f", "-"], &manifest);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("spec.containerDefinitions[0].environment[0].value: "),
        "{}",
        text(&output.stderr)
    );
    let output = run(&["import", "-f", "-"], &format!("family: a\n{container}\n"));
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("value: \"yes\""), "{}", text(&output.stdout));
}

#[test]
fn when_the_reader_has_seen_enough_then_the_command_ends_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-ecs"))
        .args(["render", "-R", "-f", "tests/documents/ec2-bridge-links.json", "-f", "../examples"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // More is written than a pipe holds, and nobody reads it.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let errors = text(&output.stderr);
    assert!(!errors.contains("panicked") && !errors.contains("standard output"), "{errors}");
}

#[test]
fn when_a_namespace_is_among_the_inputs_then_what_its_administrator_allows_counts() {
    let role = "arn:aws:iam::123456789012:role/a";
    let task =
        format!("{{family: a, taskRoleArn: '{role}', containerDefinitions: [{{name: a, image: a, memory: 8}}]}}");
    let namespace = |roles: &str| {
        format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: default, annotations: {{ecs-operator.dev/allowed-task-roles: '{roles}'}}}}}}"
        )
    };
    let render = |namespace: &str| {
        let output = run(&["render", "-f", "-"], &format!("{namespace}\n---\n{task}\n"));
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, output, _) = render(&namespace("*"));
    assert_eq!(code, Some(0));
    assert!(
        output.contains(&format!("eks.amazonaws.com/role-arn: {role}"))
            || output.contains(&format!("eks.amazonaws.com/role-arn: \"{role}\"")),
        "{output}"
    );
    let (code, _, errors) = render(&namespace("other"));
    assert_eq!(code, Some(1));
    assert!(errors.contains("spec.taskRoleArn: AccessDeniedException"), "{errors}");
}

#[test]
fn when_an_environment_file_comes_through_a_pipe_then_its_config_map_is_written() {
    let output = run(&["env-file", "arn:aws:s3:::config/prod/web.env", "-", "-n", "shop"], "A=1\n#B=2\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = text(&output.stdout);
    assert!(text.contains("name: env-config-prod-web-env-da2a7002") && text.contains("namespace: shop"), "{text}");
    let output = run(&["env-file", "arn:aws:s3:::config/prod/web.env", "nowhere.env"], "");
    assert_eq!(output.status.code(), Some(2));
}
