//! Volumes: a file system that tasks share, and a disk that each task has for itself.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::kinds::Known;
use e2e::scenario::manifest::{self, with, with_container};
use e2e::scenario::sampler::{exists, tasks};
use e2e::scenario::then::text;
use serde_json::{Value, json};

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
