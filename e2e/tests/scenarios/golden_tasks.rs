//! The golden tasks of the planner on a real API server: each is taken, and each is what `kubectl ecs render` prints.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::scenario::manifest;
use e2e::scenario::then::text;
use e2e::scenario::{Objects, Scenario};
use e2e::xtask::root;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kube::api::{DynamicObject, PostParams};
use kubectl_ecs::print::Format;
use kubectl_ecs::render::{Options, render};
use kubectl_ecs::{input, parse};
use plan::labels;
use serde_json::{Value, json};

/// Requests at a time.
const PARALLEL: usize = 16;

/// Files of a folder with an ending, sorted.
fn files(folder: &str, ending: &str) -> Result<Vec<PathBuf>> {
    let folder = root().join(folder);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|is| is == ending));
    files.sort();
    Ok(files)
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A Deployment of a pod template.
fn deployment(name: &str, template: &Value) -> Result<DynamicObject> {
    let labels = template.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({ "app": name }));
    let mut template = template.clone();
    template["metadata"]["labels"] = labels.clone();
    Ok(serde_json::from_value(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": { "replicas": 0, "selector": { "matchLabels": labels }, "template": template },
    }))?)
}

/// What the API server would store of a template, with all defaults.
async fn dry_run(scenario: &Scenario, name: &str, template: &Value) -> Result<Value> {
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    let taken = scenario.api("Deployment")?.create(&parameters, &deployment(name, template)?).await;
    let taken = taken.with_context(|| format!("the API server does not take the pod of {name}"))?;
    Ok(taken.data["spec"]["template"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_pod_of_any_golden_task_is_created_then_the_api_server_takes_it() -> Result<()> {
    Scenario::run("golden", async |scenario| {
        let mut templates = Vec::new();
        for file in files("operator/plan/tests/task/snapshots", "snap")? {
            let snapshot = std::fs::read_to_string(&file)?;
            // Two lines of dashes stand around what the snapshot is of.
            let rendered: Value = serde_saphyr::from_str(snapshot.splitn(3, "---\n").last().unwrap_or_default())?;
            if rendered.get("refused").is_some() {
                continue;
            }
            let name = stem(&file).rsplit("__").next().unwrap_or_default().to_owned();
            let labels = json!({ "app": name });
            let metadata = json!({ "labels": labels, "annotations": rendered["annotations"] });
            templates.push((name, json!({ "metadata": metadata, "spec": rendered["spec"] })));
        }
        ensure!(templates.len() >= 40, "there are {} golden tasks", templates.len());
        for file in files("examples", "yaml")? {
            let text = std::fs::read_to_string(&file)?;
            for printed in rendered(&text, scenario.namespace())? {
                if printed["kind"] == "Deployment" {
                    let name = format!("{}-{}", stem(&file), text_of(&printed, "/metadata/name"));
                    templates.push((name, printed["spec"]["template"].clone()));
                }
            }
        }
        let all = stream::iter(templates)
            .map(|(name, template)| async move { dry_run(scenario, &name, &template).await.map(drop) })
            .buffer_unordered(PARALLEL);
        // All that is wrong at once.
        let errors: Vec<_> =
            all.filter_map(async |outcome| outcome.err().map(|error| format!("{error:#}"))).collect().await;
        ensure!(errors.is_empty(), "{}", errors.join("\n"));
        Ok(())
    })
    .await
}

fn text_of(object: &Value, pointer: &str) -> String {
    text(object, pointer).to_owned()
}

/// What `kubectl ecs render` prints for manifests.
fn rendered(manifests: &str, namespace: &str) -> Result<Vec<Value>> {
    let documents =
        parse::documents("manifests", manifests.as_bytes()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let inputs = input::inputs(documents, namespace).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let report = render(&inputs, &Options { format: Format::Json, ..Options::default() });
    let list: Value = serde_json::from_str(&report.output).with_context(|| format!("{:?}", report.lines))?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// Golden tasks that a service without anything special can run here: no file of what the cluster serves, allows or is.
fn plain_services() -> Result<Vec<(String, Value, Value)>> {
    let mut services = Vec::new();
    for file in files("operator/plan/tests/task", "yaml")? {
        let name = stem(&file);
        let case: Value = serde_saphyr::from_str(&std::fs::read_to_string(&file)?)?;
        let is_plain = case
            .as_object()
            .is_some_and(|members| members.keys().all(|member| member == "taskDefinition" || member == "isFargate"));
        if !is_plain || name.starts_with("refused") || name == "ebs-not-configured" {
            continue;
        }
        let mut spec = case["taskDefinition"].clone();
        spec["family"] = json!(name);
        let is_awsvpc = spec["networkMode"] == "awsvpc";
        let mut service = manifest::service(&name, 0);
        if case["isFargate"] == true {
            service = manifest::fargate_service(&name, 0, &[("FARGATE", 0, 1)]);
        } else if is_awsvpc {
            let subnets = json!({ "awsvpcConfiguration": { "subnets": ["subnet-0123456789abcdef0"] } });
            service = manifest::with(service, json!({ "networkConfiguration": subnets }));
        }
        services.push((name.clone(), manifest::ecs_json("ECSTaskDefinition", &name, spec), service));
    }
    Ok(services)
}

/// The template of a service's Deployment without what only a running operator can know: the id of the deployment, and the
/// hash of what was applied.
fn template_of(deployment: &Value) -> Value {
    let mut template = deployment["spec"]["template"].clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(labels::DEPLOYMENT);
    }
    if let Some(metadata) = template["metadata"].as_object_mut() {
        metadata.remove("creationTimestamp");
    }
    template
}

fn deployment_of(objects: &Objects, service: &str) -> Option<Value> {
    let is_its = |object: &Value| object["metadata"]["labels"][labels::SERVICE] == service;
    objects.iter().find(|((kind, _), object)| *kind == "Deployment" && is_its(object)).map(|(_, object)| object.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_any_golden_task_is_rendered_then_it_is_what_the_operator_makes() -> Result<()> {
    Scenario::run("rendered", async |scenario| {
        let services = plain_services()?;
        ensure!(services.len() >= 25, "there are {} services", services.len());
        let cluster = manifest::cluster("main", &["FARGATE"]);
        scenario.given([cluster.clone()]).await?;
        stream::iter(&services)
            .map(|(_, definition, service)| scenario.given([definition.clone(), service.clone()]))
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        for (name, definition, service) in &services {
            let made = scenario
                .then_within(60)
                .until(&format!("{name} has a Deployment"), |objects| {
                    deployment_of(objects, name).ok_or_else(|| {
                        let service = e2e::scenario::then::find(objects, "ECSService", name);
                        format!("its status is {}", service.map(|service| &service["status"]).unwrap_or(&Value::Null))
                    })
                })
                .await?;
            let manifests = [&cluster, definition, service].map(ToString::to_string).join("\n---\n");
            let printed = rendered(&manifests, scenario.namespace())?;
            let deployment = printed.iter().find(|object| object["kind"] == "Deployment");
            let deployment = deployment.with_context(|| format!("nothing is rendered for {name}: {printed:?}"))?;
            // The server fills in the same defaults in both.
            let rendered = dry_run(scenario, &format!("rendered-{name}"), &deployment["spec"]["template"]).await?;
            let rendered = template_of(&json!({ "spec": { "template": rendered } }));
            let made = template_of(&made);
            ensure!(rendered == made, "{name} is rendered as\n{rendered:#}\nand made as\n{made:#}");
        }
        Ok(())
    })
    .await
}
