//! Volumes of a service: what an administrator allows or puts in their place, and the classes of its disks.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, condition, service, task_definition};
use plan::Kind;
use serde_json::{Value, json};

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

/// A service whose disks have a tag of this value.
fn with_disk(tag: &str) -> Value {
    let mut web = service("web", "web", 1);
    web["spec"]["volumeConfigurations"] = json!([{"name": "data", "managedEBSVolume": {
        "roleArn": "arn:aws:iam::123456789012:role/r", "sizeInGiB": 1,
        "tagSpecifications": [{"resourceType": "volume", "tags": [{"key": "n", "value": tag}]}]}}]);
    web
}

fn with_disks() -> Cluster {
    let mut cluster = Cluster::new();
    let mut definition = task_definition("web", "example.com/web:1");
    definition["spec"]["volumes"] = json!([{"name": "data", "configuredAtLaunch": true}]);
    cluster.apply(definition);
    cluster
}

#[test]
fn when_nothing_makes_volumes_of_a_class_any_more_then_it_goes_and_comes_back_when_it_is_needed_again() {
    let mut cluster = with_disks();
    cluster.apply(with_disk("one"));
    cluster.run();
    let class = |cluster: &Cluster| -> Vec<String> {
        let names = cluster.list(Kind::StorageClass);
        names.iter().map(|class| class["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = class(&cluster);
    assert!(first.len() == 1 && first[0].starts_with("ecs-ebs-shop-"), "{first:?}");
    cluster.pass(3600);
    cluster.apply(with_disk("two"));
    cluster.run();
    let second = class(&cluster);
    assert!(second.len() == 1 && second != first, "{second:?}");
    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(0));
    cluster.pass(3600);
    cluster.run();
    assert_eq!(class(&cluster), second, "the newest deployment keeps it");
    cluster.apply(with_disk("one"));
    cluster.run();
    cluster.pass(3600);
    cluster.run();
    assert_eq!(class(&cluster), first);
}

#[test]
fn when_a_namespace_has_as_many_classes_as_it_may_then_another_one_is_refused_and_the_same_ones_are_not() {
    let mut cluster = with_disks();
    for number in 0..8 {
        let mut web = with_disk(&number.to_string());
        web["metadata"]["name"] = json!(format!("web-{number}"));
        cluster.apply(web);
    }
    cluster.run();
    assert_eq!(cluster.list(Kind::StorageClass).len(), 8);
    let mut ninth = with_disk("9");
    ninth["metadata"]["name"] = json!("web-9");
    cluster.apply(ninth);
    cluster.settle();
    let said = condition(&cluster.get(Kind::Service, "web-9"), "Accepted").clone();
    assert_eq!(said["status"], "False");
    assert!(said["message"].as_str().unwrap().starts_with("spec.volumeConfigurations: "), "{said}");
    assert_eq!(cluster.list(Kind::StorageClass).len(), 8);
    let mut same = with_disk("3");
    same["metadata"]["name"] = json!("web-9");
    cluster.apply(same);
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web-9"), "Ready")["status"], "True");
}

#[test]
fn when_tags_add_up_to_more_than_a_volume_has_then_they_are_refused() {
    let mut cluster = with_disks();
    let tags = |prefix: &str| (0..30).map(|n| json!({"key": format!("{prefix}{n}"), "value": "x"})).collect::<Vec<_>>();
    let mut web = with_disk("one");
    web["spec"]["tags"] = json!(tags("a"));
    let specification = &mut web["spec"]["volumeConfigurations"][0]["managedEBSVolume"]["tagSpecifications"][0];
    specification["propagateTags"] = json!("SERVICE");
    specification["tags"] = json!(tags("b"));
    cluster.apply(web);
    cluster.settle();
    let said = condition(&cluster.get(Kind::Service, "web"), "Accepted").clone();
    assert!(said["message"].as_str().unwrap().contains("at most 50 tags, not 60"), "{said}");
}
