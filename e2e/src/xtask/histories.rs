//! `cargo xtask histories`: random histories of services on a real Kubernetes API, checked against the rules of ECS.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::{DeleteParams, DynamicObject, PostParams};
use serde_json::json;

use super::{cargo, root, target_folder};
use crate::cluster::{Cluster, Options, until};
use crate::histories::{self, Settings};
use crate::operator::{self, Launch, Operator};
use crate::progress;
use crate::scenario::kinds::Known;
use crate::scenario::{Environment, manifest};

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The seed of the first history; the others have those that follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many histories.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Actions in each history. With another number the same seed is another history.
    #[arg(long, default_value_t = 16)]
    steps: usize,
    /// Histories at a time.
    #[arg(long, default_value_t = 12)]
    parallel: usize,
    /// Where the lines of wrong histories go; `histories` in the target folder when absent.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Run this operator instead of the debug build.
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Kill the operator again and again, after so many seconds each time, and start another one.
    #[arg(long, value_name = "SECONDS")]
    kill_every: Option<u64>,
    /// Leave the cluster's folder, with all logs.
    #[arg(long)]
    keep: bool,
}

/// Starts a cluster and an operator and runs the histories.
///
/// # Errors
/// When something is wrong in one of them, or they could not be run.
pub async fn run(args: Args) -> Result<()> {
    let program = match &args.operator {
        Some(program) => program.clone(),
        None => build().await?,
    };
    let options = Options { metrics: false, keep_folder: args.keep, ..Options::default() };
    let cluster = Cluster::start(options).await?;
    let step = progress::step("installing the charts and starting the operator");
    operator::install_charts(&cluster).await?;
    let mut launch = Launch { program, ..Launch::installed(&cluster, "ecs-operator-0").await? };
    if args.kill_every.is_some() {
        // Its successor waits until the lease is over.
        launch.lease_seconds = 4;
    }
    let mut operator = launch.spawn()?;
    operator.leads().await?;
    step.done();
    collects_garbage(&cluster).await?;
    let environment = Environment {
        kubeconfig: std::path::absolute(cluster.kubeconfig())?,
        logs: vec![operator.log().to_owned()],
        url: Some(operator.url()),
        audit_log: cluster.audit_log().ok(),
        alertmanager: None,
    };
    let settings = Settings {
        seed: args.seed,
        count: args.count,
        steps: args.steps,
        parallel: args.parallel,
        folder: args.folder.clone().unwrap_or_else(|| target_folder().join("histories")),
    };
    let all = histories::run(&environment, &settings);
    if let Some(seconds) = args.kill_every {
        return tokio::select! {
            outcome = all => outcome,
            ended = kill_every(Duration::from_secs(seconds.max(1)), &launch, operator) => ended,
        };
    }
    let outcome = all.await;
    let ended = operator.ended()?;
    ensure!(ended.is_none(), "the operator ended with {ended:?}");
    outcome
}

/// Never ends well.
async fn kill_every(time: Duration, launch: &Launch, mut operator: Operator) -> Result<()> {
    loop {
        tokio::time::sleep(time).await;
        operator.kill().await?;
        operator = launch.spawn()?;
        operator.leads().await?;
    }
}

/// The garbage collector of Kubernetes looks for new kinds every half a minute. Until then nothing goes with a service that
/// is deleted.
async fn collects_garbage(cluster: &Cluster) -> Result<()> {
    let step = progress::step("waiting for the garbage collector to know the kinds");
    let client = cluster.client()?;
    let clusters = Known::find("ECSCluster")?.api(&client, "default");
    let maps = Known::find("ConfigMap")?.api(&client, "default");
    let object = |value| serde_json::from_value::<DynamicObject>(value);
    let owner = clusters.create(&PostParams::default(), &object(manifest::cluster("garbage", &[]))?).await?;
    let reference = json!({
        "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCluster", "name": "garbage", "uid": owner.metadata.uid,
    });
    let metadata = json!({ "name": "garbage", "ownerReferences": [reference] });
    let child = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
    maps.create(&PostParams::default(), &object(child)?).await?;
    clusters.delete("garbage", &DeleteParams::background()).await?;
    until("what belongs to a deleted object is gone", Duration::from_mins(2), async || {
        Ok(maps.get_opt("garbage").await?.is_none().then_some(()))
    })
    .await?;
    step.done();
    Ok(())
}

async fn build() -> Result<PathBuf> {
    let step = progress::step("building the operator");
    let mut command = cargo();
    command.args(["build", "--quiet", "--package", "ecs-operator"]).current_dir(root()).stdin(Stdio::null());
    let status = command.kill_on_drop(true).status().await.context("cannot run cargo")?;
    ensure!(status.success(), "cargo build failed: correct the error above");
    step.done();
    Ok(operator::program())
}
