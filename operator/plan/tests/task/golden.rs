//! Each `*.yaml` beside this file is a task definition; its snapshot is everything that follows from it.

use std::fs;
use std::path::Path;

use api::service::ServiceVolumeConfiguration;
use api::task_definition::TaskDefinitionSpec;
use plan::task::{TaskInput, TaskPod, pod};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    #[serde(default)]
    is_fargate: bool,
    #[serde(default)]
    volume_configurations: Vec<ServiceVolumeConfiguration>,
    task_definition: TaskDefinitionSpec,
}

const NAMESPACE: &str = "shop";

fn render(case: &Case) -> Value {
    let input = TaskInput {
        task_definition: &case.task_definition,
        volume_configurations: &case.volume_configurations,
        is_fargate: case.is_fargate,
        namespace: NAMESPACE,
    };
    match pod(&input) {
        Ok(pod) => describe(&pod),
        Err(refusals) => json!({
            "refused": refusals
                .iter()
                .map(|refusal| format!("{}: {}: {}", refusal.path, refusal.exception, refusal.message))
                .collect::<Vec<_>>(),
        }),
    }
}

fn describe(pod: &TaskPod) -> Value {
    let claims = pod
        .claims
        .iter()
        .flat_map(|claim| [claim.persistent_volume(NAMESPACE), claim.persistent_volume_claim(NAMESPACE)]);
    let findings = pod.findings.iter().map(|finding| {
        let how = if finding.is_approximated { "approximated" } else { "no effect" };
        format!("{}: {how}: {}", finding.path, finding.why)
    });
    let ports = pod.ports.iter().map(|port| {
        let protocol = port.app_protocol.as_deref().unwrap_or("-");
        format!("{} {} {} {protocol}", port.name, port.container_port, port.protocol)
    });
    json!({
        "spec": pod.spec,
        "labels": pod.labels,
        "annotations": pod.annotations,
        "serviceAccount": pod.service_account.as_ref().map(|role| role.service_account(NAMESPACE)),
        "claims": claims.collect::<Vec<_>>(),
        "ports": ports.collect::<Vec<_>>(),
        "minReadySeconds": pod.min_ready_seconds,
        "findings": findings.collect::<Vec<_>>(),
    })
}

#[test]
fn every_task_definition_becomes_the_pod_that_was_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/task");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    cases.sort();
    assert!(cases.len() >= 25);
    for path in cases {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let case: Case = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let rendered = render(&case);
        assert_eq!(
            rendered.get("refused").is_some(),
            name.starts_with("refused") || name == "ebs-not-configured",
            "{name}: {rendered:#}"
        );
        insta::assert_yaml_snapshot!(name, rendered);
    }
}
