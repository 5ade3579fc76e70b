//! The definitions of the kinds, as kubectl shows them.

use std::fs;

use anyhow::{Context, Result, ensure};
use e2e::cluster::Cluster;
use e2e::scenario::Scenario;
use e2e::scenario::manifest;
use e2e::xtask::root;
use serde_json::{Value, json};

use super::command::{cluster, is_from, kubectl};

/// The API server's limit for one object in a request, as etcd's default allows it.
const MOST_BYTES: usize = 1 << 20;

fn definitions() -> Result<Vec<Value>> {
    let mut definitions = Vec::new();
    for entry in fs::read_dir(root().join("crds"))? {
        definitions.push(serde_saphyr::from_str(&fs::read_to_string(entry?.path())?)?);
    }
    ensure!(definitions.len() == 7, "there are {} definitions", definitions.len());
    Ok(definitions)
}

fn names<'a>(definition: &'a Value, member: &str) -> Vec<&'a str> {
    match &definition["spec"]["names"][member] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// kubectl without input and without a warning.
async fn quiet(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    kubectl(cluster, arguments, "").await?.quietly().with_context(|| format!("kubectl {}", arguments.join(" ")))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_definitions_are_applied_with_kubectl_then_the_server_takes_them_without_a_warning() -> Result<()> {
    let folder = root().join("crds").display().to_string();
    let apply = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", &folder];
    let said = quiet(&cluster().await?, &apply).await?;
    ensure!(said.lines().count() == 7, "{said}");
    for definition in definitions()? {
        let bytes = serde_json::to_vec(&definition)?.len();
        ensure!(bytes < MOST_BYTES, "{:?} has {bytes} bytes", names(&definition, "kind"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_services_are_selected_by_a_field_then_those_of_the_cluster_are_listed() -> Result<()> {
    Scenario::run("selected", async |scenario| {
        if !is_from(scenario, 31, "objects are selected by fields").await? {
            return Ok(());
        }
        let cluster = cluster().await?;
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        let elsewhere = manifest::with(manifest::service("other", 1), json!({ "cluster": "backup" }));
        scenario.given([manifest::service("web", 1), elsewhere]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        for (selector, expected) in [
            ("spec.cluster=main", "web"),
            ("spec.cluster=backup", "other"),
            ("spec.taskDefinition=web,spec.launchType=EC2", "web"),
            ("status.taskDefinition=web:1,status.status=ACTIVE", "web"),
        ] {
            let list = ["get", "ecssvc", "-n", scenario.namespace(), "-o", "name", "--field-selector", selector];
            let found = quiet(&cluster, &list).await?;
            ensure!(found.trim() == format!("ecsservice.ecs-operator.dev/{expected}"), "{selector}: {found}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_two_people_apply_one_variable_each_then_neither_takes_the_others() -> Result<()> {
    Scenario::run("owners", async |scenario| {
        let cluster = cluster().await?;
        let apply = async |manager: &str, manifest: &Value| {
            let manager = format!("--field-manager={manager}");
            let apply = ["apply", "--server-side", &manager, "-n", scenario.namespace(), "-f", "-"];
            kubectl(&cluster, &apply, &manifest.to_string()).await?.quietly()
        };
        let variable = |name: &str, value: &str| json!({ "environment": [{ "name": name, "value": value }] });
        let team = |value: &str| manifest::with_container(manifest::task_definition("web"), variable("TEAM", value));
        let mut platform = manifest::task_definition("web");
        let mut container = variable("PLATFORM", "1");
        container["name"] = json!("app");
        platform["spec"] = json!({ "containerDefinitions": [container] });
        apply("team", &team("1")).await?;
        apply("platform", &platform).await?;
        apply("team", &team("2")).await?;
        let both = [("TEAM", "2"), ("PLATFORM", "1")].map(|(name, value)| json!({ "name": name, "value": value }));
        let has_both = |family: &Value| family["spec"]["containerDefinitions"][0]["environment"] == json!(both);
        scenario.then_within(10).object("ECSTaskDefinition", "web", "has both variables", has_both).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_somebody_looks_with_kubectl_then_every_kind_is_listed_explained_and_scaled() -> Result<()> {
    Scenario::run("kubectl", async |scenario| {
        let cluster = cluster().await?;
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 1)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let target = manifest::cpu_target("other", (1, 2), 50);
        let provider = scenario.namespace().to_owned();
        let nodes = manifest::capacity_provider(&provider, &provider, ("kubernetes.io/os", "linux"));
        scenario.given([target, nodes]).await?;

        let namespace = scenario.namespace();
        let all = quiet(&cluster, &["get", "ecs", "-n", namespace, "-o", "name"]).await?;
        for definition in definitions()? {
            let (kind, group) = (names(&definition, "kind"), "ecs-operator.dev");
            let singular = names(&definition, "singular");
            ensure!(all.contains(&format!("{}.{group}/", singular[0])), "{kind:?} is not in `kubectl get ecs`: {all}");
            for short in names(&definition, "shortNames") {
                let found = quiet(&cluster, &["get", short, "-n", namespace, "-o", "name"]).await?;
                ensure!(
                    found.lines().all(|line| line.starts_with(singular[0])) && !found.is_empty(),
                    "{short}: {found}"
                );
            }
            ensure!(!names(&definition, "shortNames").is_empty(), "{kind:?} has no short name");

            let wide = quiet(&cluster, &["get", singular[0], "-n", namespace, "-o", "wide"]).await?;
            let narrow = quiet(&cluster, &["get", singular[0], "-n", namespace]).await?;
            let columns = definition["spec"]["versions"][0]["additionalPrinterColumns"].as_array().cloned();
            for column in columns.unwrap_or_default() {
                let heading = column["name"].as_str().unwrap_or_default().to_uppercase();
                let is_wide = column["priority"] == 1;
                ensure!(wide.lines().next().is_some_and(|line| line.contains(&heading)), "{heading}: {wide}");
                let is_shown = narrow.lines().next().is_some_and(|line| line.contains(&heading));
                ensure!(is_shown != is_wide, "{heading} of {kind:?} is shown: {is_shown}, wide: {is_wide}\n{narrow}");
            }
            let explained = quiet(&cluster, &["explain", &format!("{}.spec", singular[0])]).await?;
            ensure!(explained.contains("FIELDS:") && !explained.contains("<empty>"), "{explained}");
        }
        let explained = quiet(&cluster, &["explain", "ecsservice.spec.deploymentConfiguration"]).await?;
        for text in ["minimumHealthyPercent", "maximumPercent", "deploymentCircuitBreaker", "DESCRIPTION:"] {
            ensure!(explained.contains(text), "no {text} in {explained}");
        }
        let explained = quiet(&cluster, &["explain", "ecsservice.spec.loadBalancers"]).await?;
        let words = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(words.contains("Support: no effect."), "{explained}");

        quiet(&cluster, &["scale", "ecsservice/web", "--replicas=3", "-n", namespace]).await?;
        let runs_three = |service: &Value| service["status"]["runningCount"] == 3;
        scenario.then_within(60).object("ECSService", "web", "runs 3 tasks", runs_three).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let line = quiet(&cluster, &["get", "ecssvc", "web", "-n", namespace, "--no-headers"]).await?;
        let shown: Vec<_> = line.split_whitespace().take(7).collect();
        ensure!(shown == ["web", "ACTIVE", "3", "3", "0", "web:1", "COMPLETED"], "{line}");
        scenario.when_deleted("ECSCapacityProvider", &provider).await
    })
    .await
}
