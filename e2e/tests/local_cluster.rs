//! What the other tests rely on: pods have the fates that their annotations say, data outlives the processes, and a
//! ServiceAccount's kubeconfig has that account's rights and no more.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::cluster::{Cluster, Options, Process, fate, until};
use k8s_openapi::api::core::v1::{ConfigMap, ContainerState, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(30);

fn pod(name: &str, restart_policy: &str, annotations: &[(&str, &str)]) -> Result<Pod> {
    let annotations: BTreeMap<_, _> = annotations.iter().copied().collect();
    Ok(serde_json::from_value(json!({
        "metadata": { "name": name, "annotations": annotations },
        "spec": {
            "restartPolicy": restart_policy,
            "containers": [{ "name": "app", "image": "example.com/app:1" }],
        },
    }))?)
}

/// Phase, reason or state of the container, readiness, restarts: `Running running ready 0`.
fn describe(pod: &Pod) -> String {
    let Some(status) = &pod.status else { return String::new() };
    let phase = status.phase.clone().unwrap_or_default();
    let Some(container) = status.container_statuses.iter().flatten().next() else { return phase };
    let state = match container.state.clone().unwrap_or_default() {
        ContainerState { waiting: Some(waiting), .. } => waiting.reason.unwrap_or_default(),
        ContainerState { terminated: Some(end), .. } => format!("{} {}", end.reason.unwrap_or_default(), end.exit_code),
        _ => "running".to_owned(),
    };
    let ready = if container.ready { "ready" } else { "unready" };
    format!("{phase} {state} {ready} {}", container.restart_count)
}

async fn becomes(pods: &Api<Pod>, name: &str, wanted: &str) -> Result<()> {
    until(&format!("pod {name} is `{wanted}`"), LIMIT, async || {
        let now = describe(&pods.get(name).await?);
        ensure!(now == wanted, "it is `{now}`");
        Ok(Some(()))
    })
    .await
}

async fn annotate(pods: &Api<Pod>, name: &str, annotation: &str, value: Option<&str>) -> Result<()> {
    let patch = json!({ "metadata": { "annotations": { annotation: value } } });
    pods.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// Name, restart policy, annotations, and what becomes of it.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

async fn fates(client: &Client) -> Result<()> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let cases: [Case; 11] = [
        ("plain", "Always", &[], "Running running ready 0"),
        ("slow", "Always", &[(fate::START_DELAY, "600s")], "Pending ContainerCreating unready 0"),
        ("pull", "Always", &[(fate::IMAGE_PULL_ERROR, "denied")], "Pending ImagePullBackOff unready 0"),
        ("config", "Always", &[(fate::CONFIG_ERROR, "no key")], "Pending CreateContainerConfigError unready 0"),
        ("start", "Always", &[(fate::START_ERROR, "no such file")], "Running RunContainerError unready 0"),
        (
            "late",
            "Always",
            &[(fate::IMAGE_PULL_ERROR, "denied"), (fate::IMAGE_PULL_ERROR_FOR, "3s")],
            "Running running ready 0",
        ),
        ("exit", "Never", &[(fate::EXIT_CODE, "3")], "Failed Error 3 unready 0"),
        ("oom", "Never", &[(fate::OOM, "true")], "Failed OOMKilled 137 unready 0"),
        ("done", "OnFailure", &[(fate::EXIT_CODE, "0")], "Succeeded Completed 0 unready 0"),
        ("unready", "Always", &[(fate::UNREADY, "true")], "Running running unready 0"),
        (
            "crash",
            "Always",
            &[(fate::EXIT_CODE, "1"), (fate::EXIT_AFTER, "0s"), (fate::CRASH_BACKOFF, "600s")],
            "Running CrashLoopBackOff unready 1",
        ),
    ];
    for (name, policy, annotations, _) in cases {
        pods.create(&PostParams::default(), &pod(name, policy, annotations)?).await?;
    }
    for (name, _, _, wanted) in cases {
        becomes(&pods, name, wanted).await?;
    }
    // The fate follows the annotation.
    for (name, annotation, value, wanted) in [
        ("pull", fate::IMAGE_PULL_ERROR, None, "Running running ready 0"),
        ("config", fate::CONFIG_ERROR, None, "Running running ready 0"),
        ("start", fate::START_ERROR, None, "Running running ready 1"),
        ("slow", fate::START_DELAY, None, "Running running ready 0"),
        ("unready", fate::UNREADY, None, "Running running ready 0"),
        ("plain", fate::UNREADY, Some("true"), "Running running unready 0"),
    ] {
        annotate(&pods, name, annotation, value).await?;
        becomes(&pods, name, wanted).await?;
    }
    annotate(&pods, "crash", fate::EXIT_CODE, None).await?;
    annotate(&pods, "crash", fate::CRASH_BACKOFF, Some("0s")).await?;
    becomes(&pods, "crash", "Running running ready 2").await
}

#[tokio::test]
async fn when_a_local_cluster_runs_then_fates_restarts_and_service_accounts_work() -> Result<()> {
    let cluster = Cluster::start(Options { metrics: false, ..Options::default() }).await?;
    let client = cluster.client()?;
    fates(&client).await?;

    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let map = serde_json::from_value(json!({ "metadata": { "name": "kept" } }))?;
    maps.create(&PostParams::default(), &map).await?;
    for process in Process::ALL.into_iter().filter(|&process| process != Process::MetricsServer) {
        cluster.restart(process).await.with_context(|| process.name())?;
    }
    until("the ConfigMap is still there", LIMIT, async || Ok(maps.get_opt("kept").await?)).await?;
    let pods: Api<Pod> = Api::default_namespaced(client);
    pods.create(&PostParams::default(), &pod("after", "Always", &[])?).await?;
    becomes(&pods, "after", "Running running ready 0").await?;

    let kubeconfig = cluster.service_account_kubeconfig("default", "default").await?;
    let account = Cluster::attach(&kubeconfig).await?;
    let refused = account.kubectl(["get", "secrets"]).await.unwrap_err().to_string();
    assert!(refused.contains("system:serviceaccount:default:default"), "{refused}");
    assert!(cluster.helm(["list", "-A"]).await?.contains("NAMESPACE"));

    let folder = cluster.scratch()?;
    drop(cluster);
    assert!(!folder.exists(), "the cluster's folder is still there");
    Ok(())
}
