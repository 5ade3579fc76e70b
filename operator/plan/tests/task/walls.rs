//! A namespace is a wall: what is outside of namespaces (volumes, directories of nodes, roles) is kept apart by name.

use api::task_definition::TaskDefinitionSpec;
use plan::core::facts::ClusterFeatures;
use plan::core::policy::NamespacePolicy;
use plan::pod::{TaskInput, TaskPod, pod};
use serde_json::{Value, json};

fn render(namespace: &str, definition: &Value) -> TaskPod {
    let definition: TaskDefinitionSpec = serde_json::from_value(definition.clone()).unwrap();
    pod(&TaskInput {
        task_definition: &definition,
        volume_configurations: &[],
        is_fargate: false,
        deployment: "1234567890123456789",
        namespace,
        facts: &ClusterFeatures::default(),
        policy: &NamespacePolicy::from_annotations(Some(&json!({"ecs-operator.dev/allowed-file-systems": "fs-*"}))),
    })
    .unwrap()
}

fn with_volume(volume: Value) -> Value {
    json!({
        "containerDefinitions": [{"name": "app", "image": "a", "memory": 64,
            "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}],
        "volumes": [volume],
    })
}

#[test]
fn when_two_namespaces_mount_one_efs_file_system_then_each_has_a_volume_bound_to_its_own_claim() {
    let definition = with_volume(json!({"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}));
    let volumes = ["shop", "shop-2"].map(|namespace| {
        let pod = render(namespace, &definition);
        let (volume, claim) = (&pod.cluster_scoped[0], &pod.shared[0]);
        assert_eq!(volume["spec"]["claimRef"]["namespace"], json!(namespace));
        assert_eq!(volume["spec"]["claimRef"]["name"], claim["metadata"]["name"]);
        assert_eq!(claim["spec"]["volumeName"], volume["metadata"]["name"]);
        volume["metadata"]["name"].clone()
    });
    assert_ne!(volumes[0], volumes[1]);
}

#[test]
fn when_efs_options_differ_then_the_claims_differ_and_when_they_mean_the_same_they_are_one() {
    let name = |efs: Value| {
        let definition = with_volume(json!({"name": "data", "efsVolumeConfiguration": efs}));
        render("shop", &definition).shared[0]["metadata"]["name"].clone()
    };
    let plain = name(json!({"fileSystemId": "fs-1"}));
    assert_eq!(plain, name(json!({"fileSystemId": "fs-1", "rootDirectory": "/", "transitEncryption": "DISABLED"})));
    for other in [
        json!({"fileSystemId": "fs-2"}),
        json!({"fileSystemId": "fs-1", "rootDirectory": "/a"}),
        json!({"fileSystemId": "fs-1", "transitEncryption": "ENABLED"}),
        json!({"fileSystemId": "fs-1", "transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}}),
        json!({"fileSystemId": "fs-1", "transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-1"}}),
    ] {
        assert_ne!(plain, name(other));
    }
}

#[test]
fn when_two_namespaces_share_the_name_of_a_docker_volume_then_they_do_not_share_its_directory() {
    let definition =
        with_volume(json!({"name": "data", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true}}));
    let path = |namespace| render(namespace, &definition).spec["volumes"][0]["hostPath"]["path"].clone();
    assert_eq!(path("shop"), json!("/var/lib/ecs-operator/volumes/shop/data"));
    assert_ne!(path("shop"), path("shop-2"));
}

#[test]
fn when_roles_of_two_accounts_have_one_name_then_they_are_two_service_accounts() {
    let account = |role: &str| {
        let definition =
            json!({"taskRoleArn": role, "containerDefinitions": [{"name": "app", "image": "a", "memory": 64}]});
        render("shop", &definition).shared[0]["metadata"]["name"].as_str().unwrap().to_owned()
    };
    let one = account("arn:aws:iam::111111111111:role/App");
    assert!(one.starts_with("ecs-task-app-") && one.len() <= 63, "{one}");
    assert_ne!(one, account("arn:aws:iam::222222222222:role/App"));
    assert_ne!(one, account("arn:aws:iam::111111111111:role/path/App"));
    let long = account(&format!("arn:aws:iam::111111111111:role/{}", "_é".repeat(64)));
    assert!(
        long.len() <= 63 && long.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    );
}

#[test]
fn the_execution_role_is_never_the_identity_of_the_pod() {
    let definition = json!({"executionRoleArn": "arn:aws:iam::111111111111:role/Execution",
        "containerDefinitions": [{"name": "app", "image": "a", "memory": 64}]});
    let pod = render("shop", &definition);
    assert!(pod.shared.is_empty());
    assert_eq!(pod.spec["automountServiceAccountToken"], json!(false));
    assert!(!pod.spec.to_string().contains("Execution"));
}
