//! What an update of a service does: which fields start a deployment, and what an absent field, null and an empty list mean.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, condition, service, task_definition};
use plan::Kind;
use serde_json::{Value, json};

/// A service whose first deployment is completed.
fn given(spec: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    let mut web = service("web", "web", 2);
    merge(&mut web["spec"], spec);
    cluster.apply(web);
    cluster.run();
    assert_eq!(deployments(&cluster), 1, "{spec}");
    cluster
}

fn merge(target: &mut Value, members: &Value) {
    target.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
}

fn update(cluster: &mut Cluster, spec: &Value) {
    cluster.edit(Kind::Service, "web", |web| merge(&mut web["spec"], spec));
    cluster.run();
}

fn deployments(cluster: &Cluster) -> usize {
    cluster.list(Kind::ServiceDeployment).len()
}

/// How many deployments the service has after `spec` was merged into it.
fn after(before: &Value, spec: &Value) -> usize {
    let mut cluster = given(before);
    update(&mut cluster, spec);
    deployments(&cluster)
}

const NETWORK: &str = r#"{"awsvpcConfiguration": {"subnets": ["subnet-1"]}}"#;

#[test]
fn when_a_field_changes_that_starts_no_deployment_on_ecs_then_none_starts() {
    let strategy = json!([{"type": "spread", "field": "instanceId"}]);
    for spec in [
        json!({"desiredCount": 5}),
        json!({"deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50}}),
        json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}}),
        json!({"availabilityZoneRebalancing": "DISABLED"}),
        json!({"placementConstraints": [{"type": "distinctInstance"}]}),
        json!({"placementStrategy": strategy}),
        json!({"healthCheckGracePeriodSeconds": 30}),
        json!({"enableExecuteCommand": true}),
        json!({"enableECSManagedTags": true}),
        json!({"propagateTags": "SERVICE"}),
        json!({"tags": [{"key": "team", "value": "a"}]}),
        json!({"deploymentController": {"type": "ECS"}}),
        json!({"schedulingStrategy": "REPLICA"}),
        json!({"clientToken": "again"}),
        json!({"service": "web"}),
        json!({"forceNewDeployment": false}),
        json!({"kubernetes": {"podLabels": {"team": "a"}, "podAnnotations": {"note": "b"}}}),
        json!({"kubernetes": {"deletionPolicy": "RefuseWhileScaled", "deploymentHistoryLimit": 3}}),
        json!({"kubernetes": {"service": {"enabled": false}, "podDisruptionBudget": {"enabled": false}}}),
        json!({"kubernetes": {"taskDefinitionResolution": "OnServiceUpdate"}}),
    ] {
        assert_eq!(after(&json!({}), &spec), 1, "{spec}");
    }
}

#[test]
fn when_a_field_changes_that_starts_a_deployment_on_ecs_then_one_starts() {
    for spec in [
        json!({"platformVersion": "1.4.0"}),
        json!({"forceNewDeployment": true}),
        json!({"kubernetes": {"forceNewDeployment": "again"}}),
    ] {
        assert_eq!(after(&json!({}), &spec), 2, "{spec}");
    }
    let mut cluster = given(&json!({}));
    cluster.apply(task_definition("other", "example.com/other:1"));
    update(&mut cluster, &json!({"taskDefinition": "other"}));
    assert_eq!(deployments(&cluster), 2);
}

#[test]
fn when_a_service_has_a_network_then_another_one_starts_a_deployment() {
    let mut cluster = Cluster::new();
    let mut definition = task_definition("web", "example.com/web:1");
    definition["spec"]["networkMode"] = json!("awsvpc");
    cluster.apply(definition);
    let mut web = service("web", "web", 2);
    web["spec"]["networkConfiguration"] = serde_json::from_str(NETWORK).unwrap();
    cluster.apply(web);
    cluster.run();
    assert_eq!(deployments(&cluster), 1);
    let more = json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"]}}});
    update(&mut cluster, &more);
    assert_eq!(deployments(&cluster), 2);
}

#[test]
fn when_absent_becomes_null_or_empty_or_the_other_way_round_then_nothing_starts_and_nothing_is_refused() {
    for field in [
        "loadBalancers",
        "serviceRegistries",
        "volumeConfigurations",
        "vpcLatticeConfigurations",
        "placementConstraints",
        "placementStrategy",
        "capacityProviderStrategy",
        "tags",
        "gatewayConnectors",
    ] {
        let mut cluster = given(&json!({}));
        for value in [Value::Null, json!([]), Value::Null] {
            update(&mut cluster, &json!({ field: value }));
            assert_eq!(deployments(&cluster), 1, "{field}: {value}");
            let web = cluster.get(Kind::Service, "web");
            assert_eq!(condition(&web, "Ready")["status"], "True", "{field}: {value}");
        }
    }
}

#[test]
fn when_force_new_deployment_is_left_true_then_another_update_forces_nothing() {
    let mut cluster = given(&json!({}));
    update(&mut cluster, &json!({"forceNewDeployment": true}));
    assert_eq!(deployments(&cluster), 2);
    for spec in [
        json!({"tags": [{"key": "team", "value": "a"}]}),
        json!({"deploymentConfiguration": {"maximumPercent": 150}}),
        json!({"desiredCount": 7}),
        json!({"kubernetes": {"deploymentHistoryLimit": 20}}),
    ] {
        update(&mut cluster, &spec);
        assert_eq!(deployments(&cluster), 2, "{spec}");
    }
}

#[test]
fn when_a_family_is_resolved_on_updates_only_then_other_fields_do_not_move_it_and_a_forced_deployment_does() {
    let mut cluster = given(&json!({"kubernetes": {"taskDefinitionResolution": "OnServiceUpdate"}}));
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    update(&mut cluster, &json!({"healthCheckGracePeriodSeconds": 30, "tags": [{"key": "team", "value": "a"}]}));
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["taskDefinition"], "web:1");
    assert_eq!(deployments(&cluster), 1);
    let again = json!({"kubernetes": {"taskDefinitionResolution": "OnServiceUpdate", "forceNewDeployment": "1"}});
    update(&mut cluster, &again);
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["taskDefinition"], "web:2");
    assert_eq!(deployments(&cluster), 2);
}

/// The pod template of the newest deployment.
fn template(cluster: &Cluster) -> Value {
    let records = cluster.list(Kind::ServiceDeployment);
    let newest = records.iter().max_by_key(|record| record["spec"]["createdAt"].as_str().unwrap().to_owned()).unwrap();
    newest["spec"]["serviceRevision"]["podTemplate"].clone()
}

fn tags(cluster: &Cluster) -> Value {
    let template = template(cluster);
    let text = template["metadata"]["annotations"]["ecs-operator.dev/tags"].as_str().unwrap_or("{}");
    serde_json::from_str(text).unwrap()
}

#[test]
fn when_tags_and_the_exec_flag_change_then_tasks_of_the_next_deployment_have_them() {
    let mut cluster = given(&json!({"tags": [{"key": "team", "value": "a"}], "propagateTags": "SERVICE"}));
    assert_eq!(tags(&cluster), json!({"team": "a"}));
    let label =
        |cluster: &Cluster| template(cluster)["metadata"]["labels"].get("ecs-operator.dev/execute-command").cloned();
    assert_eq!(label(&cluster), None);
    let managed =
        json!({"enableECSManagedTags": true, "enableExecuteCommand": true, "tags": [{"key": "team", "value": "b"}]});
    update(&mut cluster, &managed);
    assert_eq!((tags(&cluster), label(&cluster)), (json!({"team": "a"}), None));
    update(&mut cluster, &json!({"kubernetes": {"forceNewDeployment": "1"}}));
    let both = json!({"aws:ecs:clusterName": "default", "aws:ecs:serviceName": "web", "team": "b"});
    assert_eq!((tags(&cluster), label(&cluster)), (both, Some(json!("true"))));
    update(
        &mut cluster,
        &json!({"propagateTags": "NONE", "enableExecuteCommand": false, "enableECSManagedTags": null}),
    );
    update(&mut cluster, &json!({"kubernetes": {"forceNewDeployment": "2"}}));
    assert_eq!((tags(&cluster), label(&cluster)), (json!({}), None));
}

#[test]
fn when_an_update_that_the_server_should_have_refused_arrives_then_it_is_refused_and_what_runs_stays() {
    for (spec, path) in
        [(json!({"cluster": "other"}), "spec.cluster"), (json!({"serviceName": "other"}), "spec.serviceName")]
    {
        let mut cluster = given(&json!({}));
        let children = |cluster: &Cluster| {
            [Kind::Deployment, Kind::Pod, Kind::KubernetesService, Kind::PodDisruptionBudget]
                .map(|kind| cluster.list(kind))
        };
        let before = children(&cluster);
        update(&mut cluster, &spec);
        let web = cluster.get(Kind::Service, "web");
        let accepted = condition(&web, "Accepted");
        assert_eq!((&accepted["status"], &accepted["reason"]), (&json!("False"), &json!("InvalidParameterException")));
        let message = accepted["message"].as_str().unwrap();
        assert!(
            message.contains(path) && message.contains("cannot be changed after the service was created"),
            "{message}"
        );
        assert_eq!((deployments(&cluster), children(&cluster)), (1, before), "{spec}");
    }
}

#[test]
fn when_placement_changes_then_it_is_said_that_the_next_deployment_follows_and_when_it_did() {
    let mut cluster = given(&json!({}));
    let pending = |cluster: &Cluster| {
        let web = cluster.get(Kind::Service, "web");
        let pending = condition(&web, "PlacementPending");
        (pending["status"].as_str().unwrap() == "True", pending["reason"].as_str().unwrap().to_owned())
    };
    let applied = (false, "PlacementApplied".to_owned());
    let waits = (true, "PlacementPendingNextDeployment".to_owned());
    assert_eq!(pending(&cluster), applied);
    for (index, change) in [
        json!({"placementConstraints": [{"type": "distinctInstance"}]}),
        json!({"placementStrategy": [{"type": "spread", "field": "instanceId"}]}),
        json!({"placementConstraints": [], "placementStrategy": null}),
    ]
    .into_iter()
    .enumerate()
    {
        update(&mut cluster, &change);
        assert_eq!((pending(&cluster), deployments(&cluster)), (waits.clone(), index + 1), "{change}");
        update(&mut cluster, &json!({"kubernetes": {"forceNewDeployment": index.to_string()}}));
        assert_eq!((pending(&cluster), deployments(&cluster)), (applied.clone(), index + 2), "{change}");
    }
}
