//! What a scalable target becomes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, NAMESPACE, condition, service, task_definition};
use plan::{Kind, ObjectKey};
use serde_json::{Value, json};

/// Scales the service `web` by its CPU.
fn target() -> Value {
    json!({
        "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSScalableTarget", "metadata": {"name": "web"},
        "spec": {"ServiceNamespace": "ecs", "ResourceId": "service/default/web",
            "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1, "MaxCapacity": 5,
            "ScalingPolicies": [{"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 60, "PredefinedMetricSpecification":
                    {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}}]},
    })
}

#[test]
fn when_a_target_is_new_then_its_status_is_written_once_and_again_when_the_autoscaler_reports() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    cluster.apply(service("web", "web", 2));
    cluster.run();
    cluster.log.clear();
    let target = cluster.apply(target());
    cluster.run();
    let autoscaler = ObjectKey::namespaced(Kind::HorizontalPodAutoscaler, NAMESPACE, "web");
    assert_eq!(cluster.log, [format!("create {autoscaler}"), format!("status {target}")]);
    let status = cluster.get(Kind::ScalableTarget, "web");
    assert_eq!(condition(&status, "Ready")["status"], "True");
    assert_eq!(condition(&status, "ScalingActive")["status"], "Unknown");

    // What the server stores of a new autoscaler says nothing yet.
    cluster.edit(Kind::HorizontalPodAutoscaler, "web", |object| object["status"] = json!({"desiredReplicas": 0}));
    assert_eq!(cluster.settle(), 0);

    cluster.edit(Kind::HorizontalPodAutoscaler, "web", |object| {
        object["status"] = json!({"currentReplicas": 2, "desiredReplicas": 2, "conditions":
            [{"type": "ScalingActive", "status": "True", "message": "the HPA was able to compute the replica count"}]});
    });
    cluster.log.clear();
    cluster.run();
    assert_eq!(cluster.log, [format!("status {target}")]);
    assert_eq!(condition(&cluster.get(Kind::ScalableTarget, "web"), "ScalingActive")["status"], "True");
}

#[test]
fn when_the_service_names_no_count_then_the_target_says_that_autoscalers_need_it_until_it_has_one() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    let mut web = service("web", "web", 1);
    web["spec"].as_object_mut().unwrap().remove("desiredCount");
    cluster.apply(web);
    cluster.apply(target());
    cluster.run();
    let status = cluster.get(Kind::ScalableTarget, "web");
    let active = condition(&status, "ScalingActive");
    assert_eq!((&active["status"], &active["reason"]), (&json!("False"), &json!("ScalingUnavailable")));
    assert!(active["message"].as_str().unwrap().contains("spec.desiredCount"), "{active}");

    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(1));
    cluster.run();
    let status = cluster.get(Kind::ScalableTarget, "web");
    assert_eq!(condition(&status, "ScalingActive")["status"], "Unknown");
}
