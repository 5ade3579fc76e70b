//! The golden tasks of the planner on a real API server: each is taken, and each is what `kubectl ecs render` prints.

use anyhow::{Context, Result, ensure};
use documents::parse;
use e2e::scenario::{Objects, Scenario, manifest};
use e2e::xtask::root;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kube::api::{DynamicObject, PostParams};
use kubectl_ecs::print::Format;
use kubectl_ecs::render::{Options, render};
use plan::core::labels;
use plan::{Kind, validate};
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

/// Golden tasks, by file.
fn cases() -> Result<Vec<(String, Value)>> {
    let folder = root().join("operator/plan/tests/task");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let file = entry?.path();
        if file.extension().is_some_and(|ending| ending == "yaml") {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            cases.push((name, serde_saphyr::from_str(&std::fs::read_to_string(&file)?)?));
        }
    }
    cases.sort_by(|one: &(String, Value), other| one.0.cmp(&other.0));
    Ok(cases)
}

/// What the API server would store of a pod template, with all defaults.
async fn defaulted(scenario: &Scenario, name: &str, template: &Value) -> Result<Value> {
    let deployment: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": format!("rendered-{name}") },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": { labels::SERVICE: template["metadata"]["labels"][labels::SERVICE] } },
            "template": template,
        },
    }))?;
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    let taken = scenario.api("Deployment")?.create(&parameters, &deployment).await;
    Ok(taken.with_context(|| format!("the API server does not take the pod of {name}"))?.data["spec"]["template"]
        .clone())
}

/// What `kubectl ecs render` prints for manifests.
fn rendered(manifests: &str, namespace: &str) -> Result<Vec<Value>> {
    let documents =
        parse::documents("manifests", manifests.as_bytes()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let inputs = documents::inputs(documents, namespace).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let report = render(&inputs, &Options { format: Format::Json, ..Options::default() });
    let list: Value = serde_json::from_str(&report.output).with_context(|| format!("{:?}", report.lines))?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// Golden tasks that a service without anything special can run here: no file of what the cluster serves, allows or is.
fn plain_services() -> Result<Vec<(String, Value, Value)>> {
    let mut services = Vec::new();
    for (name, case) in cases()? {
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
        let definition = manifest::ecs_json("ECSTaskDefinition", &name, spec);
        // Some golden tasks say what the planner does with what the API server would not take.
        if validate::object(Kind::TaskDefinition, &definition).is_empty() {
            services.push((name, definition, service));
        }
    }
    Ok(services)
}

/// The template of a service's Deployment without what only a running operator can know: the id of the deployment, and by
/// which label the nodes of this cluster tell what FARGATE means.
fn template_of(deployment: &Value) -> Value {
    let mut template = deployment["spec"]["template"].clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(labels::DEPLOYMENT);
    }
    if let Some(spec) = template["spec"].as_object_mut() {
        spec.remove("affinity");
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
        let cluster = manifest::cluster("main", &["FARGATE"]);
        let mut services = Vec::new();
        for (name, definition, service) in plain_services()? {
            let manifests = [&cluster, &definition, &service].map(ToString::to_string).join("\n---\n");
            let printed = rendered(&manifests, scenario.namespace())?;
            // A golden task that no service may run is refused here, and would be by the operator.
            if let Some(deployment) = printed.into_iter().find(|object| object["kind"] == "Deployment") {
                services.push((name, definition, service, deployment));
            }
        }
        ensure!(services.len() >= 25, "there are {} services", services.len());
        scenario.given([cluster]).await?;
        stream::iter(&services)
            .map(|(_, definition, service, _)| scenario.given([definition.clone(), service.clone()]))
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        for (name, _, _, deployment) in &services {
            let made = scenario
                .then_within(60)
                .until(&format!("{name} has a Deployment"), |objects| {
                    deployment_of(objects, name).ok_or_else(|| {
                        let service = e2e::scenario::json::find(objects, "ECSService", name);
                        format!("its status is {}", service.map_or(&Value::Null, |service| &service["status"]))
                    })
                })
                .await?;
            // The server fills in the same defaults in both.
            let rendered = defaulted(scenario, name, &deployment["spec"]["template"]).await?;
            let rendered = template_of(&json!({ "spec": { "template": rendered } }));
            let made = template_of(&made);
            ensure!(rendered == made, "{name} is rendered as\n{rendered:#}\nand made as\n{made:#}");
        }
        Ok(())
    })
    .await
}
