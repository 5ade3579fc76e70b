//! Updates of a service: which fields start a deployment, which cannot change, and what a flag does that rolls nothing.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::cluster::Cluster;
use e2e::scenario::Scenario;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, with};
use e2e::xtask::root;
use serde_json::{Value, json};

use super::command::{cluster, helm, kubectl};

/// Services that update side by side, so that no update waits for another.
fn name(index: usize, what: &str) -> String {
    format!("{what}-{index}")
}

fn deployments(scenario: &Scenario, service: &str) -> usize {
    let records = scenario.objects("ECSServiceDeployment");
    records.iter().filter(|record| text(record, "/spec/service") == service).count()
}

/// Applies each update to a service of its own that is steady, and answers with name, first tasks and update.
async fn given_updated(scenario: &Scenario, what: &str, updates: &[Value]) -> Result<Vec<(String, Vec<String>)>> {
    scenario.given([manifest::cluster("main", &["FARGATE"]), manifest::fargate_task_definition("web")]).await?;
    scenario.given([manifest::fargate_task_definition("other")]).await?;
    let mut services = Vec::new();
    for index in 0..updates.len() {
        let service = manifest::fargate_service(&name(index, what), 1, &[("FARGATE", 0, 1)]);
        scenario.given([with(service, json!({ "taskDefinition": "web" }))]).await?;
    }
    for (index, update) in updates.iter().enumerate() {
        let service = name(index, what);
        scenario.then_within(60).the_service(&service).is_steady().await?;
        services.push((service.clone(), scenario.task_uids(&service)));
        scenario.when_service_changed(&service, update.clone()).await?;
    }
    Ok(services)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_field_changes_that_starts_no_deployment_on_ecs_then_no_task_is_replaced() -> Result<()> {
    Scenario::run("no-deployment", async |scenario| {
        let updates = [
            json!({ "deploymentConfiguration": { "maximumPercent": 150, "minimumHealthyPercent": 50 } }),
            json!({ "availabilityZoneRebalancing": "DISABLED" }),
            json!({ "healthCheckGracePeriodSeconds": 30 }),
            json!({ "enableExecuteCommand": true }),
            json!({ "enableECSManagedTags": true, "propagateTags": "TASK_DEFINITION" }),
            json!({ "tags": [{ "key": "team", "value": "shop" }], "propagateTags": "SERVICE" }),
            json!({ "capacityProviderStrategy": [{ "capacityProvider": "FARGATE", "weight": 7 }] }),
            json!({ "deploymentController": { "type": "ECS" }, "schedulingStrategy": "REPLICA" }),
            json!({ "kubernetes": { "podLabels": { "team": "shop" }, "podAnnotations": { "note": "a" } } }),
            json!({ "kubernetes": { "deletionPolicy": "Force", "deploymentHistoryLimit": 3 } }),
            // Absent, null and empty are the same.
            json!({ "loadBalancers": [], "serviceRegistries": null, "volumeConfigurations": [], "tags": [] }),
        ];
        for (update, (service, before)) in updates.iter().zip(given_updated(scenario, "still", &updates).await?) {
            scenario.then_within(60).the_service(&service).is_steady().await?;
            let records = deployments(scenario, &service);
            ensure!(records == 1, "{update}: {records} deployments");
            ensure!(scenario.task_uids(&service) == before, "{update}: a task was replaced");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_field_changes_that_starts_a_deployment_on_ecs_then_every_task_is_replaced() -> Result<()> {
    Scenario::run("deployment", async |scenario| {
        let network = json!({ "subnets": ["subnet-0fedcba9876543210"] });
        let updates = [
            json!({ "taskDefinition": "other" }),
            json!({ "networkConfiguration": { "awsvpcConfiguration": network } }),
            json!({ "platformVersion": "1.4.0" }),
            json!({ "forceNewDeployment": true }),
            json!({ "kubernetes": { "forceNewDeployment": "2026-11-22" } }),
        ];
        for (update, (service, before)) in updates.iter().zip(given_updated(scenario, "rolls", &updates).await?) {
            let is_second = |objects: &e2e::scenario::Objects| {
                let of_service = |(_, record): &(&_, &Value)| text(record, "/spec/service") == service;
                let records = objects.iter().filter(|((kind, _), _)| *kind == "ECSServiceDeployment");
                let count = records.filter(of_service).count();
                if count == 2 { Ok(()) } else { Err(format!("{update}: there are {count}")) }
            };
            scenario.then_within(60).until("there are two deployments", is_second).await?;
            scenario.then_within(90).the_service(&service).is_steady().await?;
            let after = scenario.task_uids(&service);
            ensure!(after.iter().all(|uid| !before.contains(uid)), "{update}: a task was not replaced");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_update_changes_what_update_service_cannot_then_the_api_refuses_it_and_nothing_is_touched() -> Result<()>
{
    Scenario::run("immutable", async |scenario| {
        scenario.given([manifest::cluster("main", &["FARGATE"]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 1)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let before = scenario.task_uids("web");
        for (update, field) in [
            (json!({ "schedulingStrategy": "DAEMON" }), "schedulingStrategy"),
            (json!({ "cluster": "other" }), "cluster"),
            (json!({ "cluster": null }), "cluster"),
            (json!({ "serviceName": "other" }), "serviceName"),
            (json!({ "launchType": "FARGATE" }), "launchType"),
        ] {
            let said = scenario.when_service_changed("web", update.clone()).await.err();
            let said = said.map(|error| format!("{error:#}")).unwrap_or_default();
            let expected =
                format!("InvalidParameterException: {field} cannot be changed after the service was created");
            ensure!(said.contains(&expected) && said.contains(&format!("spec.{field}")), "{update}: {said}");
        }
        // The same cluster by its ARN, the same name said aloud, and the default said aloud are no changes.
        let same = json!({
            "cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/main", "serviceName": "web",
            "schedulingStrategy": "REPLICA",
        });
        scenario.when_service_changed("web", same).await?;
        scenario.then_within(30).the_service("web").is_steady().await?;
        ensure!(deployments(scenario, "web") == 1 && scenario.task_uids("web") == before, "a task was replaced");
        Ok(())
    })
    .await
}

/// The chart's policy about commands, for one namespace only: other scenarios run beside this one.
async fn given_execute_command_policy(scenario: &Scenario, cluster: &Cluster) -> Result<String> {
    let chart = root().join("charts/ecs-operator").display().to_string();
    let (release, namespaces) =
        (format!("x{}", scenario.namespace()), format!("watch.namespaces={{{}}}", scenario.namespace()));
    let arguments = ["template", release.as_str(), chart.as_str(), "-n", scenario.namespace()];
    let only = ["--show-only", "templates/admission.yaml", "--set", "admission.executeCommand=true"];
    let rest = ["--set", "admission.deletionPolicy=false", "--set", "admission.operatorWrittenKinds.enabled=false"];
    let arguments = [&arguments[..], &only[..], &rest[..], &["--set", namespaces.as_str()]].concat();
    let rendered = helm(cluster, &arguments).await?.quietly()?;
    kubectl(cluster, &["apply", "-f", "-"], &rendered).await?.quietly()?;
    Ok(rendered)
}

/// What the server says to a command in a task. No kubelet is there to run it, so even an allowed one ends with an error.
async fn said_to_a_command(scenario: &Scenario, cluster: &Cluster, verb: &str, service: &str) -> Result<String> {
    let pods = scenario.objects("Pod");
    let of_service = |pod: &&Value| {
        pod.pointer("/metadata/labels/ecs-operator.dev~1service").and_then(Value::as_str) == Some(service)
    };
    let pod = text(pods.iter().find(of_service).context("the service has no pod")?, "/metadata/name");
    let command = match verb {
        "exec" => vec!["exec", pod, "-c", "app", "--", "true"],
        "debug" => vec!["debug", pod, "--image=busybox", "--target=app", "--quiet", "--attach=false", "--", "true"],
        _ => vec!["attach", pod, "-c", "app"],
    };
    let arguments = [&["-n", scenario.namespace(), "--request-timeout=10s"][..], &command[..]].concat();
    Ok(kubectl(cluster, &arguments, "").await?.errors)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_commands_are_for_services_that_enable_them_then_those_of_other_tasks_are_refused_as_on_ecs() -> Result<()>
{
    const REFUSED: &str = "The execute command failed because execute command was not enabled when the task was run";
    Scenario::run_on_kwok("exec", async |scenario| {
        let cluster = cluster().await?;
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("closed")]).await?;
        scenario.given([manifest::task_definition("open"), manifest::service("closed", 1)]).await?;
        scenario.given([with(manifest::service("open", 1), json!({ "enableExecuteCommand": true }))]).await?;
        for service in ["closed", "open"] {
            scenario.then_within(60).the_service(service).is_steady().await?;
        }
        let policy = given_execute_command_policy(scenario, &cluster).await?;
        // A policy takes effect some seconds after it was made.
        let mut said = String::new();
        for _ in 0..60 {
            said = said_to_a_command(scenario, &cluster, "exec", "closed").await?;
            if said.contains(REFUSED) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let judged = async {
            ensure!(said.contains(REFUSED), "the policy does not refuse: {said}");
            for verb in ["attach", "debug"] {
                let said = said_to_a_command(scenario, &cluster, verb, "closed").await?;
                ensure!(said.contains(REFUSED), "{verb}: {said}");
            }
            let said = said_to_a_command(scenario, &cluster, "exec", "open").await?;
            ensure!(!said.contains(REFUSED) && !said.to_lowercase().contains("forbidden"), "{said}");

            // The flag counts for tasks of the next deployment, as on ECS for new tasks.
            scenario.when_service_changed("closed", json!({ "enableExecuteCommand": true })).await?;
            scenario.then_within(30).the_service("closed").is_steady().await?;
            let said = said_to_a_command(scenario, &cluster, "exec", "closed").await?;
            ensure!(said.contains(REFUSED), "a task that began without the flag takes commands: {said}");
            let before = scenario.task_uids("closed");
            scenario.when_service_changed("closed", json!({ "kubernetes": { "forceNewDeployment": "1" } })).await?;
            for _ in 0..60 {
                scenario.then_within(60).the_service("closed").is_steady().await?;
                if scenario.task_uids("closed").iter().all(|uid| !before.contains(uid)) {
                    let said = said_to_a_command(scenario, &cluster, "exec", "closed").await?;
                    ensure!(!said.contains(REFUSED), "{said}");
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            bail!("no task was replaced")
        };
        let judged = judged.await;
        kubectl(&cluster, &["delete", "-f", "-"], &policy).await?;
        judged
    })
    .await
}
