//! What containers and tasks share, and what of it outlives them.

use anyhow::{Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{and, real_container};
use serde_json::{Value, json};

use super::{given_a_task_with, reader, shared_volume};

fn mounting(container: Value, volume: &str, path: &str, is_read_only: bool) -> Value {
    let mount = json!({ "sourceVolume": volume, "containerPath": path, "readOnly": is_read_only });
    and(container, json!({ "mountPoints": [mount] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_containers_of_a_task_share_a_volume_then_one_reads_what_another_wrote() -> Result<()> {
    Scenario::run("volume", async |scenario| {
        let writer =
            and(real_container("writer", "app", &["write", "/data/text", "hello"]), json!({ "essential": false }));
        let depends = json!({ "dependsOn": [{ "containerName": "writer", "condition": "SUCCESS" }] });
        let app = and(real_container("app", "app", &["serve", "8080"]), depends);
        let containers = [mounting(writer, "data", "/data", false), mounting(app, "data", "/readable", true)];
        given_a_task_with(scenario, "web", &containers, json!({ "volumes": [{ "name": "data" }] })).await?;
        let task = scenario.then_within(90).a_task_of("web").await?;
        let text = scenario.then_within(20).get(&task, 8080, "/file?path=/readable/text").await?;
        ensure!(text == "hello\n", "{text}");
        let id = scenario.then_within(20).id(&task, 8080, &[]).await?;
        let mounts = id["mounts"].as_array().unwrap();
        let options = mounts.iter().find(|mount| mount["path"] == "/readable").map(|mount| mount["options"].as_str());
        ensure!(options.flatten().is_some_and(|options| options.starts_with("ro,")), "{options:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_volume_is_of_the_host_or_shared_then_it_outlives_the_task_and_other_tasks_find_it() -> Result<()> {
    Scenario::run("outlives", async |scenario| {
        scenario.given_allowed(json!({ "ecs-operator.dev/allowed-host-access": "host-paths=/var/lib/e2e/*" })).await?;
        // Every node has a /var of its own.
        let host =
            json!({ "name": "host", "host": { "sourcePath": format!("/var/lib/e2e/{}", scenario.namespace()) } });
        for (name, volume) in [("host", host), ("shared", shared_volume("shared"))] {
            let writer = real_container("writer", "app", &["mark", &format!("/{name}/text"), "first"]);
            let writer = mounting(writer, name, &format!("/{name}"), false);
            let family = format!("{name}-writer");
            given_a_task_with(scenario, &family, &[writer], json!({ "volumes": [volume.clone()] })).await?;
            scenario.then_within(90).ends(&family, "writer").await?;
            scenario.when_deleted("ECSService", &family).await?;
            scenario.then_within(90).is_gone("ECSService", &family).await?;

            let other = mounting(real_container("app", "app", &["serve", "8080"]), name, "/found", true);
            let family = format!("{name}-other");
            given_a_task_with(scenario, &family, &[other], json!({ "volumes": [volume] })).await?;
            let task = scenario.then_within(90).a_task_of(&family).await?;
            let holds = |lines: &[&str]| lines.iter().all(|line| line.ends_with(" first")) && !lines.is_empty();
            scenario.then_within(20).file(&task, 8080, "/found/text", holds).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_two_tasks_run_side_by_side_then_both_write_to_the_shared_volume() -> Result<()> {
    Scenario::run("together", async |scenario| {
        for name in ["one", "two"] {
            let script = format!("taskapp mark /data/log {name}; exec taskapp sleep");
            let container = and(real_container("app", "shell", &["-c", &script]), json!({ "entryPoint": ["/bin/sh"] }));
            let volumes = json!({ "volumes": [shared_volume("data")] });
            given_a_task_with(scenario, name, &[mounting(container, "data", "/data", false)], volumes).await?;
        }
        let reader = reader(scenario, "data", "/data").await?;
        let both = |lines: &[&str]| ["one", "two"].iter().all(|name| lines.iter().any(|line| line.ends_with(name)));
        scenario.then_within(90).file(&reader, 8080, "/data/log", both).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_claim_stands_for_a_file_system_then_tasks_of_two_services_share_its_files_and_directories() -> Result<()>
{
    Scenario::run("in-place", async |scenario| {
        // A volume of the node, as an administrator would make one of a file server.
        let namespace = scenario.namespace();
        let (class, capacity) = (format!("files-{namespace}"), json!({ "storage": "1Gi" }));
        let modes = json!(["ReadWriteMany"]);
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": &class },
            "spec": {
                "capacity": capacity, "accessModes": modes, "storageClassName": &class,
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": { "path": format!("/var/lib/e2e/{namespace}-efs"), "type": "DirectoryOrCreate" },
            },
        });
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "content" },
            "spec": { "accessModes": modes, "storageClassName": &class, "resources": { "requests": capacity } },
        });
        scenario.given([volume, claim]).await?;
        scenario.given_allowed(json!({ "ecs-operator.dev/file-system.fs-1": "claim/content" })).await?;
        let efs = |root: &str| {
            json!({ "name": "data", "efsVolumeConfiguration": { "fileSystemId": "fs-1", "rootDirectory": root } })
        };
        let writer = mounting(real_container("writer", "app", &["mark", "/data/text", "first"]), "data", "/data", false);
        given_a_task_with(scenario, "writer", &[writer], json!({ "volumes": [efs("/web")] })).await?;
        scenario.then_within(60).ends("writer", "writer").await?;

        let whole = mounting(real_container("app", "app", &["serve", "8080"]), "data", "/files", true);
        given_a_task_with(scenario, "reader", &[whole], json!({ "volumes": [efs("/")] })).await?;
        let task = scenario.then_within(60).a_task_of("reader").await?;
        let holds = |lines: &[&str]| lines.iter().all(|line| line.ends_with(" first")) && !lines.is_empty();
        scenario.then_within(10).file(&task, 8080, "/files/web/text", holds).await?;
        // It is in no namespace, and nobody else removes it.
        scenario.when_deleted("PersistentVolume", &class).await
    })
    .await
}
