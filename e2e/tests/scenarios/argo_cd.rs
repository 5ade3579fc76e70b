//! The scripts for Argo CD, in the interpreter and with the libraries of Argo CD.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use e2e::cluster::{Binary, fate, resolve};
use e2e::scenario::Scenario;
use e2e::scenario::manifest;
use e2e::xtask::root;
use kube::api::{DynamicObject, PostParams};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

fn scripts() -> PathBuf {
    root().join("integrations/argo-cd/resource_customizations/ecs-operator.dev")
}

/// Runs the interpreter.
async fn run(arguments: [&Path; 2], input: &str) -> Result<String> {
    let programs = resolve(&[Binary::ArgoLua]).await?;
    let program = programs.get(&Binary::ArgoLua).context("the interpreter was not built")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What a script of the services returns for an object of the server.
async fn said(script: &str, object: &Value) -> Result<Value> {
    let script = scripts().join("ECSService").join(script);
    Ok(serde_json::from_str(&run([Path::new("run"), &script], &object.to_string()).await?)?)
}

/// Expects that Argo CD shows a service so.
async fn is_shown(scenario: &Scenario, health: &str, part: &str) -> Result<()> {
    let web = scenario.object("ECSService", "web").context("there is no service")?;
    let said = said("health.lua", &web).await?;
    let message = said["message"].as_str().unwrap_or_default();
    ensure!(said["status"] == health && message.contains(part), "{said}");
    Ok(())
}

/// What Argo CD does for an action: the object that the script returns replaces the one that it was given.
async fn act(scenario: &Scenario, action: &str) -> Result<()> {
    let services = scenario.api("ECSService")?;
    let web = serde_json::to_value(services.get("web").await?)?;
    let offered = said("actions/discovery.lua", &web).await?;
    ensure!(offered[action]["disabled"] != true, "{action} is not offered: {offered}");
    let changed = said(&format!("actions/{action}/action.lua"), &web).await?;
    let changed: DynamicObject = serde_json::from_value(changed)?;
    services.replace("web", &PostParams::default(), &changed).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_scripts_for_argo_cd_are_run_over_their_objects_then_they_say_what_they_should() -> Result<()> {
    let said = run([Path::new("test"), &scripts()], "").await?;
    ensure!(said.contains(" 0 failed"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_argo_cd_shows_a_service_then_it_follows_and_its_actions_act() -> Result<()> {
    Scenario::run_on_kwok("argo-cd", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.when_applied([manifest::service("web", 1)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        is_shown(scenario, "Healthy", "").await?;

        act(scenario, "restart").await?;
        let two = scenario.then_within(60);
        two.the_service("web").has_records("two deployments", |records| (records.len() == 2).then_some(())).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;

        let broken = manifest::with(
            manifest::task_definition("web"),
            manifest::fate(fate::IMAGE_PULL_ERROR, "manifest unknown"),
        );
        scenario.when_applied([broken]).await?;
        let is_stalled = |web: &Value| web["status"]["conditions"].to_string().contains("manifest unknown");
        scenario.then_within(60).object("ECSService", "web", "cannot pull", is_stalled).await?;
        is_shown(scenario, "Degraded", "manifest unknown").await?;
        act(scenario, "rollback").await?;
        scenario.then_within(60).the_service("web").is_back_on("web:1").await
    })
    .await
}
