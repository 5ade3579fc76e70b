//! The golden tasks of the planner on a real API server.

use anyhow::{Context, Result, ensure};
use e2e::scenario::Scenario;
use e2e::xtask::root;
use futures::stream::{self, StreamExt as _};
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};

/// Requests at a time.
const PARALLEL: usize = 16;

/// Name and rendering of every golden task that is not refused. A test of the planner keeps the snapshots true.
fn golden_tasks() -> Result<Vec<(String, Value)>> {
    let folder = root().join("operator/plan/tests/task/snapshots");
    let mut tasks = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let file = entry?.path();
        let snapshot = std::fs::read_to_string(&file)?;
        // Two lines of dashes stand around what the snapshot is of.
        let rendered = snapshot.splitn(3, "---\n").last().unwrap_or_default();
        // A container may be called `y`, which the snapshot has without quotes.
        let options = serde_saphyr::options! { strict_booleans: true };
        let rendered: Value =
            serde_saphyr::from_str_with_options(rendered, options).with_context(|| file.display().to_string())?;
        if rendered.get("refused").is_none() {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            tasks.push((stem.rsplit("__").next().unwrap_or_default().to_owned(), rendered));
        }
    }
    tasks.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_pod_of_any_golden_task_is_created_then_the_api_server_takes_it() -> Result<()> {
    Scenario::run("golden", async |scenario| {
        let tasks = golden_tasks()?;
        ensure!(tasks.len() >= 50, "there are {} golden tasks", tasks.len());
        let deployments = scenario.api("Deployment")?;
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let errors: Vec<_> = stream::iter(tasks)
            .map(|(name, rendered)| {
                let (deployments, parameters) = (&deployments, &parameters);
                async move {
                    let mut labels = rendered["labels"].clone();
                    labels["app"] = json!(name);
                    let metadata = json!({ "labels": labels, "annotations": rendered["annotations"] });
                    let template = json!({ "metadata": metadata, "spec": rendered["spec"] });
                    let spec = json!({
                        "replicas": 0, "selector": { "matchLabels": { "app": name } }, "template": template,
                        "minReadySeconds": rendered["minReadySeconds"],
                    });
                    let deployment = json!({
                        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name }, "spec": spec,
                    });
                    let deployment: DynamicObject = match serde_json::from_value(deployment) {
                        Ok(deployment) => deployment,
                        Err(error) => return Some(format!("{name}: {error}")),
                    };
                    deployments.create(parameters, &deployment).await.err().map(|error| format!("{name}: {error}"))
                }
            })
            .buffer_unordered(PARALLEL)
            .filter_map(async |error| error)
            .collect()
            .await;
        // All that is wrong at once.
        ensure!(errors.is_empty(), "{}", errors.join("\n"));
        Ok(())
    })
    .await
}
