//! Volumes of a service: what an administrator allows or puts in their place, and the classes of its disks.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, condition, service, task_definition};
use plan::Kind;
use serde_json::json;

/// An administrator writes an annotation of the namespace.
fn allow(cluster: &mut Cluster, name: &str, value: &str) {
    cluster.annotate(&json!({name: value}));
}

#[test]
fn when_a_claim_stands_for_a_file_system_then_it_is_made_once_without_owner_and_left_alone() {
    let mut cluster = Cluster::new();
    allow(&mut cluster, "ecs-operator.dev/file-system.fs-1", "storageclass/nfs");
    let mut definition = task_definition("web", "example.com/web:1");
    definition["spec"]["volumes"] = json!([{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]);
    cluster.apply(definition);
    cluster.apply(service("web", "web", 1));
    cluster.apply(service("other", "web", 1));
    cluster.run();
    let claims = cluster.list(Kind::PersistentVolumeClaim);
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0]["metadata"].get("ownerReferences"), None);
    // The administrator wants it larger.
    let name = claims[0]["metadata"]["name"].as_str().unwrap();
    cluster.edit(Kind::PersistentVolumeClaim, name, |claim| {
        claim["spec"]["resources"]["requests"]["storage"] = json!("500Gi");
    });
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn when_a_permission_is_missing_then_the_message_says_what_to_write_and_it_heals_when_it_is_there() {
    let mut cluster = Cluster::new();
    let mut definition = task_definition("web", "example.com/web:1");
    definition["spec"]["volumes"] = json!([{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]);
    cluster.apply(definition);
    cluster.apply(service("web", "web", 1));
    cluster.run();
    let refused = cluster.get(Kind::TaskDefinition, "web");
    assert_eq!(condition(&refused, "Accepted")["reason"], "AccessDeniedException");
    assert!(cluster.list(Kind::PersistentVolume).is_empty());
    allow(&mut cluster, "ecs-operator.dev/allowed-file-systems", "fs-1");
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
    assert_eq!(cluster.list(Kind::PersistentVolume).len(), 1);
}

#[test]
fn when_a_service_propagates_its_tags_to_disks_then_the_class_has_them_and_what_is_stated_wins() {
    let mut cluster = Cluster::new();
    let mut definition = task_definition("web", "example.com/web:1");
    definition["spec"]["volumes"] = json!([{"name": "data", "configuredAtLaunch": true}]);
    cluster.apply(definition);
    let mut web = service("web", "web", 1);
    web["spec"]["tags"] = json!([{"key": "team", "value": "platform"}, {"key": "cost", "value": "42"}]);
    web["spec"]["volumeConfigurations"] = json!([{"name": "data", "managedEBSVolume": {
        "roleArn": "arn:aws:iam::123456789012:role/r", "sizeInGiB": 1, "tagSpecifications": [
            {"resourceType": "volume", "tags": [{"key": "team", "value": "shop"}], "propagateTags": "SERVICE"}]}}]);
    cluster.apply(web);
    cluster.run();
    let classes = cluster.list(Kind::StorageClass);
    assert_eq!(classes.len(), 1);
    let parameters = &classes[0]["parameters"];
    assert_eq!(parameters["tagSpecification_1"], "cost=42");
    assert_eq!(parameters["tagSpecification_2"], "team=shop");
    assert_eq!(parameters.get("tagSpecification_3"), None);
}
