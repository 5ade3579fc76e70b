//! Everything that the API server takes is read by the types and written back with nothing lost but nulls.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests report by panicking, in helpers too"
)]

use api::{
    capacity_provider::CapacityProviderSpec, cluster::ClusterSpec, scalable_target::ScalableTargetSpec,
    service::ServiceSpec,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The document without nulls, and with every number as a double: `50` and `50.0` are one value.
fn normal(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, inner)| !inner.is_null())
                .map(|(name, inner)| (name, normal(inner)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Number(number) => json!(number.as_f64()),
        other => other,
    }
}

fn read_and_write<T: Serialize + DeserializeOwned>(document: &Value) -> Value {
    let read: T = serde_json::from_value(document.clone()).unwrap_or_else(|error| panic!("{error}: {document}"));
    normal(serde_json::to_value(read).unwrap())
}

fn taken<T: Serialize + DeserializeOwned>(cases: &str) {
    let cases: Value = serde_json::from_str(cases).unwrap();
    for case in cases["taken"].as_array().unwrap() {
        let mut document = cases["base"].clone();
        if let Some(spec) = case.get("spec").and_then(Value::as_object) {
            document.as_object_mut().unwrap().extend(spec.clone());
        }
        assert_eq!(read_and_write::<T>(&document), normal(document), "{}", case["name"]);
    }
}

#[test]
fn every_service_that_the_server_takes_is_read_without_loss() {
    taken::<ServiceSpec>(include_str!("cases/service.json"));
}

#[test]
fn every_cluster_that_the_server_takes_is_read_without_loss() {
    taken::<ClusterSpec>(include_str!("cases/cluster.json"));
}

#[test]
fn every_capacity_provider_that_the_server_takes_is_read_without_loss() {
    taken::<CapacityProviderSpec>(include_str!("cases/capacity_provider.json"));
}

#[test]
fn every_scalable_target_that_the_server_takes_is_read_without_loss() {
    taken::<ScalableTargetSpec>(include_str!("cases/scalable_target.json"));
}

#[test]
fn what_describe_services_prints_is_read_without_loss() {
    let document = json!({
        "serviceArn": "arn:aws:ecs:eu-west-1:123456789012:service/prod/web",
        "serviceName": "web",
        "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod",
        "loadBalancers": [{
            "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/1",
            "containerName": "web",
            "containerPort": 8080
        }],
        "serviceRegistries": [],
        "status": "ACTIVE",
        "desiredCount": 3,
        "runningCount": 3,
        "pendingCount": 0,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "taskDefinition": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:12",
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": { "enable": true, "rollback": true },
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "alarms": { "alarmNames": [], "rollback": false, "enable": false },
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0
        },
        "deployments": [{ "id": "ecs-svc/1234567890123456789", "status": "PRIMARY", "createdAt": "2026-01-02T03:04:05.678Z" }],
        "roleArn": "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        "events": [{ "id": "1", "createdAt": "2026-01-02T03:04:05.678000+00:00", "message": "(service web) has reached a steady state." }],
        "createdAt": "2026-01-02T03:04:05.678000+00:00",
        "currentServiceDeployment": "arn:aws:ecs:eu-west-1:123456789012:service-deployment/prod/web/x",
        "currentServiceRevisions": [{ "arn": "a", "requestedTaskCount": 3 }],
        "placementConstraints": [],
        "placementStrategy": [],
        "networkConfiguration": {
            "awsvpcConfiguration": { "subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED" }
        },
        "healthCheckGracePeriodSeconds": 0,
        "schedulingStrategy": "REPLICA",
        "deploymentController": { "type": "ECS" },
        "createdBy": "arn:aws:iam::123456789012:root",
        "enableECSManagedTags": true,
        "propagateTags": "NONE",
        "enableExecuteCommand": false,
        "availabilityZoneRebalancing": "ENABLED"
    });
    assert_eq!(read_and_write::<ServiceSpec>(&document), normal(document));
}
