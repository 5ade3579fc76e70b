//! Each `*.yaml` beside this file is a task definition; its snapshot is everything that follows from it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use api::service::ServiceVolumeConfiguration;
use api::task_definition::TaskDefinitionSpec;
use plan::core::facts::{ClusterFeatures, KubernetesVersion};
use plan::core::policy::NamespacePolicy;
use plan::pod::{TaskInput, TaskPod, pod};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    #[serde(default)]
    is_fargate: bool,
    #[serde(default)]
    volume_configurations: Vec<ServiceVolumeConfiguration>,
    /// `1.33`; the newest when not given.
    #[serde(default)]
    kubernetes: Option<String>,
    /// Groups and versions that the cluster serves besides its own.
    #[serde(default)]
    served: BTreeSet<String>,
    /// Annotations of the namespace: what its administrator allows.
    #[serde(default)]
    namespace_annotations: Value,
    /// Whether the namespace enforces the Pod Security level `restricted`.
    #[serde(default)]
    is_restricted: bool,
    task_definition: TaskDefinitionSpec,
}

const NAMESPACE: &str = "shop";

fn render(case: &Case) -> Value {
    let kubernetes = case.kubernetes.as_ref().map_or(KubernetesVersion::NEWEST, |text| text.parse().unwrap());
    let facts = ClusterFeatures { kubernetes, served: case.served.clone() };
    let policy = NamespacePolicy::from_annotations(Some(&case.namespace_annotations));
    let policy = if case.is_restricted { policy.restricted() } else { policy };
    let input = TaskInput {
        task_definition: &case.task_definition,
        volume_configurations: &case.volume_configurations,
        is_fargate: case.is_fargate,
        deployment: "1234567890123456789",
        namespace: NAMESPACE,
        facts: &facts,
        policy: &policy,
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
        "shared": pod.shared,
        "clusterScoped": pod.cluster_scoped,
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
