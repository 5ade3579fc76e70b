//! Volumes: a file system that tasks share, and a disk that each task has for itself.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::scenario::Scenario;
use e2e::scenario::condition::is_false;
use e2e::scenario::json::text;
use e2e::scenario::kinds::Known;
use e2e::scenario::manifest::{self, with, with_container};
use e2e::scenario::sampler::{exists, tasks};
use serde_json::{Value, json};

/// What an administrator lets tasks of a namespace mount.
const ALLOWED: &str = "ecs-operator.dev/allowed-file-systems";

fn mounted(volume: &Value) -> Value {
    let definition = with(manifest::task_definition("files"), json!({ "volumes": [volume] }));
    with_container(definition, json!({ "mountPoints": [{ "sourceVolume": "data", "containerPath": "/data" }] }))
}

/// The volumes that belong to claims of the scenario's namespace.
async fn volumes(scenario: &Scenario) -> Result<Vec<Value>> {
    scenario.view().watch(Known::find("PersistentVolume")?).await?;
    let namespace = scenario.namespace();
    let all = scenario.objects("PersistentVolume").into_iter();
    Ok(all.filter(|volume| text(volume, "/spec/claimRef/namespace") == namespace).collect())
}

async fn no_volume_is_left(scenario: &Scenario) -> Result<()> {
    scenario.view().watch(Known::find("PersistentVolume")?).await?;
    let namespace = scenario.namespace();
    scenario
        .then_within(60)
        .until("no volume is left", |objects| {
            let volumes = objects.iter().filter(|((kind, _), _)| *kind == "PersistentVolume");
            let left: Vec<_> = volumes
                .filter(|(_, volume)| text(volume, "/spec/claimRef/namespace") == namespace)
                .map(|((_, name), volume)| format!("{name} ({})", text(volume, "/status/phase")))
                .collect();
            if left.is_empty() { Ok(()) } else { Err(format!("there are {left:?}")) }
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_on_two_nodes_share_a_file_system_then_they_mount_one_volume_through_its_access_point() -> Result<()>
{
    Scenario::run_on_kwok("efs", async |scenario| {
        let efs = json!({
            "name": "data",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-0123456789abcdef0",
                "transitEncryption": "ENABLED",
                "authorizationConfig": { "accessPointId": "fsap-0123456789abcdef0", "iam": "ENABLED" },
            },
        });
        scenario.given_allowed(json!({ ALLOWED: "fs-0123456789abcdef0" })).await?;
        scenario.given([manifest::cluster("main", &[]), mounted(&efs)]).await?;
        scenario.when_applied([manifest::service("files", 2)]).await?;
        scenario.then_within(60).the_service("files").is_steady().await?;

        let claims = scenario.objects("PersistentVolumeClaim");
        ensure!(claims.len() == 1, "{} claims", claims.len());
        let claim = claims.first().context("no claim")?;
        ensure!(text(claim, "/status/phase") == "Bound", "the claim is {}", text(claim, "/status/phase"));
        ensure!(claim.pointer("/spec/accessModes") == Some(&json!(["ReadWriteMany"])));
        let volumes = volumes(scenario).await?;
        let volume = volumes.first().filter(|_| volumes.len() == 1).context("not one volume")?;
        let handle = text(volume, "/spec/csi/volumeHandle");
        ensure!(handle == "fs-0123456789abcdef0::fsap-0123456789abcdef0", "the handle is {handle}");
        ensure!(text(volume, "/spec/csi/driver") == "efs.csi.aws.com");
        let (nodes, mounts) = scenario.view().read(|objects| {
            let pods: Vec<_> = tasks(objects, "files").into_iter().filter(|pod| exists(pod)).collect();
            let nodes: BTreeSet<_> = pods.iter().map(|pod| text(pod, "/spec/nodeName").to_owned()).collect();
            let claim = |pod: &Value| {
                let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array).cloned().unwrap_or_default();
                let claims = volumes.iter().filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName"));
                claims.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
            };
            (nodes, pods.iter().map(|pod| claim(pod)).collect::<BTreeSet<_>>())
        });
        ensure!(nodes.len() == 2, "both tasks are on {nodes:?}");
        ensure!(mounts == BTreeSet::from([vec![text(claim, "/metadata/name").to_owned()]]), "mounted: {mounts:?}");

        scenario.when_deleted("ECSService", "files").await?;
        scenario.then_within(60).is_gone("PersistentVolumeClaim", text(claim, "/metadata/name")).await?;
        no_volume_is_left(scenario).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_disk_is_configured_at_launch_then_each_task_has_a_new_one_that_goes_with_it() -> Result<()> {
    Scenario::run_on_kwok("ebs", async |scenario| {
        let claims = |scenario: &Scenario| -> BTreeSet<String> {
            let claims = scenario.objects("PersistentVolumeClaim");
            claims.iter().map(|claim| text(claim, "/metadata/uid").to_owned()).collect()
        };
        scenario.given_allowed(json!({ "ecs-operator.dev/ebs-storage-class": "standard" })).await?;
        scenario
            .given([manifest::cluster("main", &[]), mounted(&json!({ "name": "data", "configuredAtLaunch": true }))])
            .await?;
        let disk = json!({ "roleArn": "arn:aws:iam::123456789012:role/ecsInfrastructureRole", "sizeInGiB": 20 });
        let volumes_of_service = json!({ "volumeConfigurations": [{ "name": "data", "managedEBSVolume": disk }] });
        scenario.when_applied([with(manifest::service("files", 2), volumes_of_service)]).await?;
        scenario.then_within(60).the_service("files").is_steady().await?;
        let first = claims(scenario);
        ensure!(first.len() == 2, "{} claims for 2 tasks", first.len());
        for volume in volumes(scenario).await? {
            ensure!(text(&volume, "/spec/capacity/storage") == "20Gi", "{volume}");
            ensure!(volume.pointer("/spec/accessModes") == Some(&json!(["ReadWriteOnce"])), "{volume}");
        }

        // A new deployment has new disks.
        let force = json!({ "kubernetes": { "forceNewDeployment": "again" } });
        scenario.when_service_changed("files", force).await?;
        scenario
            .then_within(60)
            .until("every disk is a new one", |objects| {
                let claims: Vec<_> = objects.iter().filter(|((kind, _), _)| *kind == "PersistentVolumeClaim").collect();
                let old = claims.iter().filter(|(_, claim)| first.contains(text(claim, "/metadata/uid"))).count();
                if claims.len() == 2 && old == 0 { Ok(()) } else { Err(format!("{} disks, {old} old", claims.len())) }
            })
            .await?;
        scenario.then_within(30).the_service("files").is_steady().await?;

        scenario.when_scaled("files", 0).await?;
        scenario.then_within(30).the_service("files").is_steady().await?;
        no_volume_is_left(scenario).await?;
        ensure!(claims(scenario).is_empty(), "claims are left");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_two_services_share_a_file_system_and_a_role_then_what_they_share_goes_with_the_last() -> Result<()> {
    Scenario::run_on_kwok("shared", async |scenario| {
        let efs = json!({ "name": "data", "efsVolumeConfiguration": { "fileSystemId": "fs-0123456789abcdef0" } });
        let role = json!({ "taskRoleArn": "arn:aws:iam::123456789012:role/files" });
        let service = |name: &str| with(manifest::service(name, 1), json!({ "taskDefinition": "files" }));
        scenario.given_allowed(json!({ ALLOWED: "fs-*", "ecs-operator.dev/allowed-task-roles": "*" })).await?;
        scenario.given([manifest::cluster("main", &[]), with(mounted(&efs), role)]).await?;
        scenario.when_applied([service("one"), service("two")]).await?;
        for name in ["one", "two"] {
            scenario.then_within(60).the_service(name).is_steady().await?;
        }
        let owners = |object: &Value| object["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
        let names = |kind: &str| -> Vec<String> {
            let shared = scenario.objects(kind).into_iter().filter(|object| owners(object) > 0);
            shared.map(|object| text(&object, "/metadata/name").to_owned()).collect()
        };
        let (claims, accounts) = (names("PersistentVolumeClaim"), names("ServiceAccount"));
        ensure!((claims.len(), accounts.len()) == (1, 1), "{claims:?} and {accounts:?} for two services");
        let shared = [("PersistentVolumeClaim", &claims[0]), ("ServiceAccount", &accounts[0])];
        for (kind, name) in shared {
            scenario.then_within(30).object(kind, name, "belongs to both", |object| owners(object) == 2).await?;
        }

        scenario.when_deleted("ECSService", "one").await?;
        for (kind, name) in shared {
            scenario.then_within(60).object(kind, name, "belongs to the other", |object| owners(object) == 1).await?;
        }
        scenario.then_within(30).the_service("two").is_steady().await?;
        scenario.when_deleted("ECSService", "two").await?;
        for (kind, name) in shared {
            scenario.then_within(60).is_gone(kind, name).await?;
        }
        no_volume_is_left(scenario).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_allowed_a_file_system_then_nothing_is_made_until_an_administrator_does() -> Result<()> {
    Scenario::run_on_kwok("efs-denied", async |scenario| {
        let efs = json!({ "name": "data", "efsVolumeConfiguration": { "fileSystemId": "fs-0123456789abcdef0" } });
        scenario.given([manifest::cluster("main", &[]), mounted(&efs)]).await?;
        scenario.when_applied([manifest::service("files", 1)]).await?;
        let refused = is_false(ConditionType::Accepted, Reason::AccessDeniedException);
        let then = scenario.then_within(60);
        let said = then.condition("ECSTaskDefinition", "files", refused).await?;
        ensure!(
            said.contains("spec.volumes[0].efsVolumeConfiguration.fileSystemId") && said.contains(ALLOWED),
            "{said}"
        );
        ensure!(scenario.objects("PersistentVolumeClaim").is_empty() && volumes(scenario).await?.is_empty());

        scenario.given_allowed(json!({ ALLOWED: "fs-0123456789abcdef0" })).await?;
        scenario.then_within(60).the_service("files").is_steady().await?;
        // What runs goes on when the permission is taken back; nothing new begins with it.
        scenario.given_allowed(json!({ ALLOWED: "fs-other" })).await?;
        scenario.then_within(60).condition("ECSService", "files", refused).await?;
        scenario.then_within(30).the_service("files").has_tasks(1).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_claim_of_a_class_stands_for_a_file_system_then_it_outlives_the_services() -> Result<()> {
    Scenario::run_on_kwok("in-place", async |scenario| {
        scenario.given_allowed(json!({ "ecs-operator.dev/file-system.fs-1": "storageclass/standard" })).await?;
        let efs =
            json!({ "name": "data", "efsVolumeConfiguration": { "fileSystemId": "fs-1", "rootDirectory": "/web" } });
        scenario.given([manifest::cluster("main", &[]), mounted(&efs)]).await?;
        let service = |name: &str| with(manifest::service(name, 1), json!({ "taskDefinition": "files" }));
        scenario.when_applied([service("one"), service("two")]).await?;
        for name in ["one", "two"] {
            scenario.then_within(60).the_service(name).is_steady().await?;
        }
        let claims = scenario.objects("PersistentVolumeClaim");
        let claim = claims.first().filter(|_| claims.len() == 1).context("not one claim")?;
        let uid = text(claim, "/metadata/uid");
        for name in ["one", "two"] {
            scenario.when_deleted("ECSService", name).await?;
            scenario.then_within(60).is_gone("ECSService", name).await?;
        }
        scenario
            .then_within(60)
            .until("the tasks are gone", |objects| {
                let pods = objects.iter().filter(|((kind, _), _)| *kind == "Pod").count();
                if pods == 0 { Ok(()) } else { Err(format!("there are {pods}")) }
            })
            .await?;
        // Another service finds the files again.
        scenario.when_applied([service("three")]).await?;
        scenario.then_within(60).the_service("three").is_steady().await?;
        let claims = scenario.objects("PersistentVolumeClaim");
        ensure!(claims.len() == 1 && text(&claims[0], "/metadata/uid") == uid, "another claim: {claims:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_disks_have_the_same_parameters_then_they_have_one_storage_class_and_a_snapshot_is_named_by_it()
-> Result<()> {
    Scenario::run_on_kwok("ebs-class", async |scenario| {
        for kind in ["StorageClass", "VolumeSnapshot", "VolumeSnapshotContent"] {
            scenario.view().watch(Known::find(kind)?).await?;
        }
        scenario.given_allowed(json!({ ALLOWED: "snap-*" })).await?;
        scenario
            .given([manifest::cluster("main", &[]), mounted(&json!({ "name": "data", "configuredAtLaunch": true }))])
            .await?;
        // The tag makes the class one of this scenario only.
        let tags = json!([{ "resourceType": "volume", "propagateTags": "SERVICE" }]);
        let disk = |size: i64| {
            json!({
                "roleArn": "arn:aws:iam::123456789012:role/ecsInfrastructureRole", "sizeInGiB": size, "iops": 3500,
                "snapshotId": "snap-1", "tagSpecifications": tags,
            })
        };
        let service = |name: &str, disk: Value| {
            let spec = json!({
                "taskDefinition": "files",
                "tags": [{ "key": "scenario", "value": scenario.namespace() }],
                "volumeConfigurations": [{ "name": "data", "managedEBSVolume": disk }],
            });
            with(manifest::service(name, 1), spec)
        };
        scenario.when_applied([service("one", disk(20)), service("two", disk(30))]).await?;
        let tag = format!("scenario={}", scenario.namespace());
        let class_of = |objects: &e2e::scenario::Objects, service: &str| -> Result<String, String> {
            let pods = tasks(objects, service);
            let pod = pods.iter().find(|pod| exists(pod)).ok_or("no task")?;
            Ok(text(pod, "/spec/volumes/0/ephemeral/volumeClaimTemplate/spec/storageClassName").to_owned())
        };
        let (one, two) = scenario
            .then_within(60)
            .until("both services have tasks", |objects| Ok((class_of(objects, "one")?, class_of(objects, "two")?)))
            .await?;
        ensure!(one == two && one.starts_with("ecs-ebs-"), "{one} and {two}");
        let class = scenario
            .then_within(30)
            .until("the class is there", |objects| {
                let found = objects.iter().find(|((kind, name), _)| *kind == "StorageClass" && *name == one);
                found.map(|(_, class)| class.clone()).ok_or_else(|| "it is not".to_owned())
            })
            .await?;
        let parameters = json!({
            "type": "gp3", "csi.storage.k8s.io/fstype": "xfs", "iops": "3500", "tagSpecification_1": tag,
        });
        ensure!(class["parameters"] == parameters && text(&class, "/provisioner") == "ebs.csi.aws.com", "{class}");
        let contents = |objects: &e2e::scenario::Objects| -> Vec<Value> {
            let all =
                objects.iter().filter(|((kind, _), _)| *kind == "VolumeSnapshotContent").map(|(_, content)| content);
            all.filter(|content| text(content, "/spec/volumeSnapshotRef/namespace") == scenario.namespace())
                .cloned()
                .collect()
        };
        scenario
            .then_within(30)
            .until("the snapshot stands for the one of EBS", |objects| {
                let contents = contents(objects);
                let handle = contents.first().map(|content| text(content, "/spec/source/snapshotHandle"));
                if handle == Some("snap-1") && contents.len() == 1 { Ok(()) } else { Err(format!("{contents:?}")) }
            })
            .await?;
        let snapshots = scenario.objects("VolumeSnapshot");
        let snapshot = snapshots.first().filter(|_| snapshots.len() == 1).context("not one VolumeSnapshot")?;
        // As the snapshot controller would bind them.
        let name = text(&scenario.view().read(contents)[0], "/metadata/name").to_owned();
        let bound = json!({ "spec": { "volumeSnapshotRef": { "uid": text(snapshot, "/metadata/uid") } } });
        scenario.when_patched("VolumeSnapshotContent", &name, bound).await?;
        let owners = |object: &Value| object["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
        let snapshot_name = text(snapshot, "/metadata/name");
        let then = scenario.then_within(30);
        then.object("VolumeSnapshot", snapshot_name, "belongs to both", |object| owners(object) == 2).await?;
        for service in ["one", "two"] {
            scenario.when_deleted("ECSService", service).await?;
        }
        scenario.then_within(60).is_gone("VolumeSnapshot", text(snapshot, "/metadata/name")).await?;
        scenario
            .then_within(60)
            .until("the content goes after its snapshot", |objects| {
                let left = contents(objects).len();
                if left == 0 { Ok(()) } else { Err(format!("there are {left}")) }
            })
            .await?;
        scenario
            .then_within(120)
            .until("the class goes when nothing makes volumes of it", |objects| {
                let is_there = objects.iter().any(|((kind, name), _)| *kind == "StorageClass" && *name == one);
                if is_there { Err("it is there".to_owned()) } else { Ok(()) }
            })
            .await
    })
    .await
}
