//! The operator is uninstalled, in the right order and in the wrong one: what runs goes on, and nothing hangs.
//! Run with `cargo xtask test`; it has a cluster of its own, since it takes the operator from all namespaces.

// What is not there fails the test, as it should.
#![allow(clippy::indexing_slicing)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::cluster::{Cluster, Options, fate, until};
use e2e::operator::{self, Launch, NAMESPACE, RELEASE};
use e2e::scenario::manifest;
use e2e::scenario::{Environment, Scenario};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::process::Command;

const LIMIT: Duration = Duration::from_mins(1);
const JOB: &str = "ecs-operator-uninstall";

fn environment(cluster: &Cluster) -> Environment {
    Environment {
        kubeconfig: cluster.kubeconfig().to_owned(),
        logs: Vec::new(),
        url: None,
        audit_log: None,
        alertmanager: None,
    }
}

/// A steady service in a namespace of its own.
async fn given_a_service(cluster: &Cluster, namespace: &str) -> Result<Scenario> {
    cluster.kubectl(["create", "namespace", namespace]).await?;
    let scenario = Scenario::in_namespace(environment(cluster), namespace).await?;
    scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
    scenario.given([manifest::service("web", 2)]).await?;
    scenario.then_within(60).the_service("web").is_steady().await?;
    Ok(scenario)
}

/// The operator's binary, with some of its arguments and somebody's rights, until it ends.
async fn run(arguments: &[String], kubeconfig: &Path) -> Result<()> {
    let mut command = Command::new(operator::program());
    command.args(arguments).env("KUBECONFIG", kubeconfig).env("POD_NAMESPACE", NAMESPACE);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Plays the kubelet of the Job that the chart makes when it is uninstalled: runs what its pod says as who it says.
async fn play_the_job(cluster: &Cluster) -> Result<()> {
    let jobs: Api<Job> = Api::namespaced(cluster.client()?, NAMESPACE);
    let job = until("the chart made its Job", LIMIT, async || Ok(jobs.get_opt(JOB).await?)).await?;
    let pod = job.spec.and_then(|spec| spec.template.spec).context("a Job without a pod")?;
    let account = pod.service_account_name.context("a pod without an account")?;
    let kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, &account).await?;
    let arguments = pod.containers[0].args.clone().context("no arguments")?;
    run(&arguments, &kubeconfig).await?;
    // The container that KWOK plays ends now.
    let pods: Api<Pod> = Api::namespaced(cluster.client()?, NAMESPACE);
    let selector = ListParams::default().labels(&format!("job-name={JOB}"));
    for pod in pods.list(&selector).await?.items {
        let ends = json!({ "metadata": { "annotations": { fate::EXIT_AFTER: null } } });
        pods.patch(&pod.name_any(), &PatchParams::default(), &Patch::Merge(ends)).await?;
    }
    Ok(())
}

async fn is_gone(cluster: &Cluster, namespace: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(cluster.client()?);
    until(&format!("namespace {namespace} is gone"), LIMIT, async || {
        let Some(found) = namespaces.get_opt(namespace).await? else { return Ok(Some(())) };
        ensure!(false, "it says {:?}", found.status.and_then(|status| status.conditions));
        Ok(None)
    })
    .await
}

async fn delete(cluster: &Cluster, namespace: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(cluster.client()?);
    namespaces.delete(namespace, &DeleteParams::default()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_operator_is_uninstalled_then_what_runs_goes_on_and_namespaces_and_definitions_can_be_deleted()
-> Result<()> {
    let cluster = Cluster::start(Options { metrics: false, ..Options::default() }).await?;
    let slow = format!("podAnnotations.{}=600s", fate::EXIT_AFTER.replace('.', "\\."));
    operator::install_with(&cluster, 0, &[&slow]).await?;
    let launch = Launch::installed(&cluster, "uninstalled").await?;
    let mut running = launch.spawn()?;
    running.leads().await?;
    let [wrong, first, last] = ["wrong-order", "first", "last"];
    given_a_service(&cluster, wrong).await?;
    let first_scenario = given_a_service(&cluster, first).await?;
    let last_scenario = given_a_service(&cluster, last).await?;

    // While an operator runs, a namespace goes with everything in it.
    let living = given_a_service(&cluster, "living").await?;
    let refuses = json!({ "kubernetes": { "deletionPolicy": "RefuseWhileScaled" } });
    living.given([manifest::task_definition("kept"), manifest::cpu_target("web", (2, 4), 50)]).await?;
    living.given([manifest::with(manifest::service("kept", 1), refuses)]).await?;
    living.then_within(60).the_service("kept").is_steady().await?;
    delete(&cluster, "living").await?;
    is_gone(&cluster, "living").await?;

    // Without an operator the finalizer of a cluster holds its namespace, and one command lets go of it.
    running.kill().await?;
    delete(&cluster, wrong).await?;
    until("only the cluster is left", LIMIT, async || {
        let namespaces: Api<Namespace> = Api::all(cluster.client()?);
        let status = namespaces.get(wrong).await?.status.and_then(|status| status.conditions);
        let text = format!("{:?}", status.unwrap_or_default());
        Ok(text.contains("ecsclusters.ecs-operator.dev has 1 resource instances").then_some(()))
    })
    .await?;
    let by_hand = ["uninstall", &format!("--lease-namespace={NAMESPACE}"), "--namespaces", wrong];
    run(&by_hand.map(str::to_owned), cluster.kubeconfig()).await?;
    is_gone(&cluster, wrong).await?;

    // As it should be: Helm deletes the operator, and then runs the Job, which waits for the lease.
    let mut running = launch.spawn()?;
    running.leads().await?;
    let before = [first_scenario.task_uids("web"), last_scenario.task_uids("web")];
    let uninstalled = async { cluster.helm(["uninstall", RELEASE, "-n", NAMESPACE]).await.map(|_| ()) };
    let kubelet = async {
        let jobs: Api<Job> = Api::namespaced(cluster.client()?, NAMESPACE);
        until("the chart made its Job", LIMIT, async || Ok(jobs.get_opt(JOB).await?.map(|_| ()))).await?;
        running.terminate().await?;
        play_the_job(&cluster).await
    };
    tokio::try_join!(uninstalled, kubelet)?;
    let left = cluster.kubectl(["-n", NAMESPACE, "get", "job,sa,role", "-o", "name"]).await?;
    ensure!(!left.contains("uninstall"), "left: {left}");
    let left = cluster.kubectl(["get", "ecscluster,ecscapacityprovider", "-A", "-o", "yaml"]).await?;
    ensure!(left.contains("fargate-spot") && !left.contains("ecs-operator.dev/in-use"), "{left}");
    ensure!(before == [first_scenario.task_uids("web"), last_scenario.task_uids("web")], "tasks were replaced");

    delete(&cluster, first).await?;
    is_gone(&cluster, first).await?;
    cluster.helm(["uninstall", "ecs-operator-crds"]).await?;
    ensure!(before[1] == last_scenario.task_uids("web"), "the definitions are kept, and the tasks with them");
    // Whoever deletes the definitions deletes the services, and their tasks go with them.
    let arguments = ["delete", "crd", "-l", "app.kubernetes.io/part-of=ecs-operator", "--timeout=60s"];
    cluster.kubectl(arguments).await?;
    let pods: Api<Pod> = Api::namespaced(cluster.client()?, last);
    until("the tasks are gone", LIMIT, async || {
        Ok(pods.list(&ListParams::default()).await?.items.is_empty().then_some(()))
    })
    .await?;
    delete(&cluster, last).await?;
    is_gone(&cluster, last).await
}
