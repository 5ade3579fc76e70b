//! What the operator writes holds no value that somebody may have meant to be secret.

use std::collections::BTreeSet;

use api::task_definition::TaskDefinitionSpec;
use plan::Stored;
use plan::core::facts::ClusterFeatures;
use plan::core::kind::Kind;
use plan::core::policy::NamespacePolicy;
use plan::pod::observe::observe;
use plan::pod::{TaskInput, pod};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Begins every value that a container gets; nothing else has it.
const VALUE: &str = "Wert-";

fn parameter() -> impl Strategy<Value = String> {
    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret";
    prop_oneof![
        "[a-z]{1,8}".prop_map(|name| format!("/prod/{name}")),
        "[a-z]{1,8}".prop_map(|name| format!("{SECRET}:{name}-AbCdEf")),
        ("[a-z]{1,4}", "[a-z. *]{1,4}").prop_map(|(name, key)| format!("{SECRET}:{name}-AbCdEf:{key}::")),
        ("[a-z]{1,4}", "[a-z]{1,4}").prop_map(|(name, id)| format!("{SECRET}:{name}-AbCdEf:::{id}")),
        // Refused, with a reason.
        "[a-z]{1,4}".prop_map(|name| format!("{SECRET}:{name}-AbCdEf:key")),
    ]
}

prop_compose! {
    /// Two containers whose variables, commands and arguments hold values, some of them in forms that are refused.
    fn definition()(
        references in prop::collection::vec((parameter(), parameter()), 1..4), name in "[A-Z]{1,4}|=|",
        image in prop_oneof![6 => Just("registry.example.com/app:1".to_owned()), 1 => Just("a b".to_owned())],
        user in prop_oneof![6 => Just("0".to_owned()), 1 => Just("nginx".to_owned())], files in 0..12_usize,
    ) -> Value {
        let container = |which: usize| {
            let secrets: Vec<Value> = references
                .iter()
                .enumerate()
                .map(|(index, pair)| json!({"name": format!("S{index}"), "valueFrom": if which == 0 { &pair.0 } else { &pair.1 }}))
                .collect();
            let files: Vec<Value> =
                (0..files).map(|index| json!({"type": "s3", "value": format!("arn:aws:s3:::b/{index}.env")})).collect();
            json!({
                "name": format!("c{which}"), "image": image, "memory": 64, "user": user, "secrets": secrets,
                "environmentFiles": files,
                "environment": [{"name": name, "value": format!("{VALUE}environment")}],
                "command": [format!("--token={VALUE}command")],
                "entryPoint": ["sh", format!("{VALUE}entry")],
                "repositoryCredentials": {"credentialsParameter": "registry"},
            })
        };
        json!({"containerDefinitions": [container(0), container(1)]})
    }
}

fn policy(rung: u8) -> (ClusterFeatures, NamespacePolicy) {
    let (served, annotations) = match rung {
        0 => (
            "external-secrets.io/v1",
            json!({"ecs-operator.dev/secret-store": "SecretStore/aws",
            "ecs-operator.dev/parameter-store": "SecretStore/aws", "ecs-operator.dev/allowed-secrets": "*"}),
        ),
        1 => (
            "secrets-store.csi.x-k8s.io/v1",
            json!({"ecs-operator.dev/secrets-store-csi": "aws",
            "ecs-operator.dev/allowed-secrets": "*"}),
        ),
        2 => ("external-secrets.io/v1", json!({"ecs-operator.dev/secret-store": "SecretStore/aws"})),
        3 => ("external-secrets.io/v1", json!({"ecs-operator.dev/allowed-secrets": "/prod/a*"})),
        _ => ("apps/v1", json!({})),
    };
    let facts = ClusterFeatures { served: BTreeSet::from([served.to_owned()]), ..ClusterFeatures::default() };
    (facts, NamespacePolicy::from_annotations(Some(&annotations)))
}

/// Takes out of a PodSpec what the process gets; it is the only place for it.
fn without_process(mut spec: Value) -> Value {
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let members = container.as_object_mut().unwrap();
            members.remove("command");
            members.remove("args");
            for variable in members.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
                variable.as_object_mut().unwrap().remove("value");
            }
        }
    }
    spec
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn values_are_where_the_process_gets_them_and_nowhere_else(definition in definition(), rung in 0..5_u8) {
        let spec: TaskDefinitionSpec = serde_json::from_value(definition.clone()).unwrap();
        let (facts, policy) = policy(rung);
        let input = TaskInput {
            task_definition: &spec, volume_configurations: &[], is_fargate: false, deployment: "1", namespace: "shop",
            facts: &facts, policy: &policy,
        };
        match pod(&input) {
            Err(refusals) => prop_assert!(!format!("{refusals:?}").contains(VALUE), "{:?}", refusals),
            Ok(pod) => {
                prop_assert!(pod.spec.to_string().contains(VALUE), "the test would not notice anything");
                prop_assert!(!without_process(pod.spec.clone()).to_string().contains(VALUE));
                let rest = json!([pod.labels, pod.annotations, pod.shared, pod.cluster_scoped]).to_string();
                prop_assert!(!rest.contains(VALUE), "{rest}");
                prop_assert!(!format!("{:?}", pod.findings).contains(VALUE), "{:?}", pod.findings);
                check_references(&pod.spec)?;
                check_observed(&pod.spec, &pod.annotations)?;
            }
        }
    }
}

/// A secret is a name and a key, and is never optional.
fn check_references(spec: &Value) -> Result<(), TestCaseError> {
    for container in spec["containers"].as_array().unwrap() {
        for variable in container["env"].as_array().unwrap() {
            if let Some(from) = variable.get("valueFrom") {
                let reference = from["secretKeyRef"].as_object().unwrap();
                let members: Vec<&str> = reference.keys().map(String::as_str).collect();
                prop_assert_eq!(members, ["key", "name"]);
                prop_assert!(variable.get("value").is_none());
            }
        }
    }
    Ok(())
}

/// A task that waits for its Secret is described without any value, also when the whole PodSpec is on the Pod.
fn check_observed(spec: &Value, annotations: &std::collections::BTreeMap<String, String>) -> Result<(), TestCaseError> {
    let waiting =
        json!({"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"registry\" not found"}});
    let statuses: Vec<Value> = spec["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|container| json!({"name": container["name"], "ready": false, "restartCount": 0, "state": waiting}))
        .collect();
    let pod = json!({
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "0a1b2c3d-0000-4000-8000-00000000abcd", "annotations": annotations},
        "spec": spec, "status": {"phase": "Pending", "containerStatuses": statuses},
    });
    let stored = Stored::accept(Kind::Pod, pod).unwrap();
    prop_assert!(!stored.value().to_string().contains(VALUE), "the operator keeps values");
    let task = observe(&stored.decode().unwrap(), "2026-03-01T10:00:00Z".parse().unwrap());
    prop_assert_eq!(task.missing_secret.as_deref(), Some("registry"));
    prop_assert!(!format!("{task:?}").contains(VALUE), "{:?}", task);
    Ok(())
}
