//! The charts: what they render is what the server takes, and a misspelt value is refused where it is.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use e2e::cluster::Cluster;
use e2e::operator::{NAMESPACE, RELEASE};
use e2e::scenario::Scenario;
use e2e::xtask::root;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::command::{cluster, helm, kubectl};

fn chart(name: &str) -> String {
    root().join("charts").join(name).display().to_string()
}

/// Settings that change what is rendered.
const VARIANTS: [&[&str]; 5] = [
    &[],
    &[
        "watch.namespaces={orders,billing,kube-system}",
        "admission.executeCommand=true",
        "leaderElection.leaseName=other",
    ],
    &["replicas=0", "admission.enabled=false", "networkPolicy.enabled=false", "leaderElection.enabled=false"],
    &[
        "image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "image.repository=registry.example.com/ecs-operator",
        "serviceAccount.annotations.example\\.com/role=x",
        "imageResolution.dockerConfigSecret=registries",
        "imageResolution.insecureRegistries={registry.internal:5000}",
        "alarms.alertmanagerUrl=http://alertmanager.monitoring:9093",
        "alarms.watchdogAlert=Watchdog",
        "podLabels.team=a",
        "podAnnotations.note=b",
        "nodeSelector.disk=ssd",
        "tolerations[0].operator=Exists",
        "log.filter=debug",
        "extraArgs={--workers=4}",
        "fullnameOverride=other",
    ],
    &[
        "scheduler.enabled=true",
        "scheduler.image.tag=v1.36.3",
        "scheduler.priorityClassName=system-cluster-critical",
        "scheduler.nodeSelector.disk=ssd",
        "scheduler.tolerations[0].operator=Exists",
    ],
];

fn with_settings<'a>(arguments: &[&'a str], settings: &[&'a str]) -> Vec<&'a str> {
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    arguments.iter().copied().chain(settings).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_charts_are_linted_then_nothing_is_found() -> Result<()> {
    let cluster = cluster().await?;
    let (definitions, operator) = (chart("ecs-operator-crds"), chart("ecs-operator"));
    helm(&cluster, &["lint", "--strict", &definitions]).await?.quietly()?;
    for settings in VARIANTS {
        let said = helm(&cluster, &with_settings(&["lint", "--strict", &operator], settings)).await?;
        said.quietly().with_context(|| format!("{settings:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_chart_is_rendered_then_the_server_takes_it_under_the_strictest_pod_security_without_a_warning()
-> Result<()> {
    Scenario::run("chart", async |scenario| {
        let cluster = cluster().await?;
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(scenario.client().clone());
        let modes = ["enforce", "warn"].map(|mode| (format!("pod-security.kubernetes.io/{mode}"), "restricted"));
        let labels = json!({ "metadata": { "labels": BTreeMap::from(modes) } });
        namespaces.patch(scenario.namespace(), &PatchParams::default(), &Patch::Merge(labels)).await?;
        let operator = chart("ecs-operator");
        for settings in VARIANTS {
            let arguments = ["template", "other", &operator, "-n", scenario.namespace()];
            let rendered = helm(&cluster, &with_settings(&arguments, settings)).await?.quietly()?;
            // Namespaces of others, and a kind of a cluster-wide name, are not there to be written into.
            let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered)?;
            let ours = documents.iter().filter(|document| {
                let place = document.pointer("/metadata/namespace").and_then(Value::as_str);
                place.is_none_or(|place| place == scenario.namespace())
            });
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": ours.collect::<Vec<_>>() });
            let apply = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"];
            let said = kubectl(&cluster, &apply, &list.to_string()).await?.quietly();
            let said = said.with_context(|| format!("{settings:?}"))?;
            ensure!(said.contains("serverside-applied (server dry run)"), "{said}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_helm_upgrades_the_charts_as_they_are_then_the_server_has_no_objection() -> Result<()> {
    let cluster = cluster().await?;
    let (definitions, operator) = (chart("ecs-operator-crds"), chart("ecs-operator"));
    let upgrade = ["upgrade", "--install", "ecs-operator-crds", &definitions, "--dry-run=server"];
    helm(&cluster, &upgrade).await?.quietly()?;
    let upgrade = ["upgrade", "--install", RELEASE, &operator, "-n", NAMESPACE, "--dry-run=server", "--reuse-values"];
    let said = helm(&cluster, &upgrade).await?.quietly()?;
    ensure!(said.contains("kubectl get ecs"), "the notes do not say what to do next:\n{said}");
    Ok(())
}

/// A value that is wrong, and what of its path is in the message.
const WRONG: [(&str, &str, &str, &str); 21] = [
    ("ecs-operator", "replcas=2", "''", "replcas"),
    ("ecs-operator", "replicas=-1", "/replicas", "minimum"),
    ("ecs-operator", "replicas=many", "/replicas", "integer"),
    ("ecs-operator", "image.tga=1", "/image", "tga"),
    ("ecs-operator", "image.digest=latest", "/image/digest", "pattern"),
    ("ecs-operator", "watch.namespaces={Not_A_Name}", "/watch/namespaces/0", "pattern"),
    ("ecs-operator", "watch.namespace=a", "/watch", "namespace"),
    ("ecs-operator", "aws.accountId=12", "/aws/accountId", "want string"),
    ("ecs-operator", "log.format=xml", "/log/format", "json"),
    ("ecs-operator", "admission.operatorWrittenKinds.enabld=true", "/admission/operatorWrittenKinds", "enabld"),
    ("ecs-operator", "leaderElection.leaseName=A lease", "/leaderElection/leaseName", "pattern"),
    ("ecs-operator", "networkPolicy.apiServerPorts={70000}", "/networkPolicy/apiServerPorts/0", "maximum"),
    ("ecs-operator", "imageResolution.registries={a b}", "/imageResolution/registries/0", "pattern"),
    ("ecs-operator", "imageResolution.pullSecret=true", "/imageResolution", "pullSecret"),
    ("ecs-operator", "alarms.alertmanagerUrl=alertmanager:9093", "/alarms/alertmanagerUrl", "pattern"),
    ("ecs-operator", "resources.request.cpu=1", "/resources", "request"),
    ("ecs-operator", "uninstall.releaseFinalizer=true", "/uninstall", "releaseFinalizer"),
    ("ecs-operator", "scheduler.enabeld=true", "/scheduler", "enabeld"),
    ("ecs-operator", "scheduler.image.digest=latest", "/scheduler/image/digest", "pattern"),
    ("ecs-operator-crds", "keeep=true", "''", "keeep"),
    ("ecs-operator-crds", "keep=perhaps", "/keep", "boolean"),
];

#[tokio::test(flavor = "multi_thread")]
async fn when_a_value_is_misspelt_or_out_of_range_then_helm_refuses_it_with_its_path() -> Result<()> {
    let cluster = cluster().await?;
    for (name, setting, path, says) in WRONG {
        let said = helm(&cluster, &["template", "x", &chart(name), "--set", setting]).await?;
        ensure!(!said.is_success, "{setting} was taken");
        let wanted = if path == "''" { "at ''".to_owned() } else { format!("at '{path}'") };
        ensure!(said.errors.contains(&wanted) && said.errors.contains(says), "{setting}: {}", said.errors);
    }
    Ok(())
}

async fn rendered_definitions(cluster: &Cluster) -> Result<BTreeMap<String, Value>> {
    let rendered = helm(cluster, &["template", "x", &chart("ecs-operator-crds")]).await?.quietly()?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered)?;
    let name = |document: &Value| document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    Ok(documents.into_iter().filter(|document| !document.is_null()).map(|one| (name(&one), one)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_definitions_are_rendered_then_they_are_the_generated_ones_and_are_kept() -> Result<()> {
    let mut rendered = rendered_definitions(&cluster().await?).await?;
    let mut files = 0;
    for entry in fs::read_dir(root().join("crds"))? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default();
        let text = fs::read_to_string(&path)?;
        let copy = fs::read_to_string(root().join("charts/ecs-operator-crds/files").join(file))?;
        ensure!(text == copy, "{} is not in the chart as it is: run `cargo xtask crds`", path.display());
        let generated: Value = serde_saphyr::from_str(&text)?;
        let name = generated["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let one = rendered.remove(&name).with_context(|| format!("{name} is not rendered"))?;
        ensure!(one["spec"] == generated["spec"], "{name} is rendered otherwise");
        ensure!(one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", "{name} would be uninstalled");
        files += 1;
    }
    ensure!(files == 7 && rendered.is_empty(), "{files} files, and also rendered: {:?}", rendered.keys());
    Ok(())
}
