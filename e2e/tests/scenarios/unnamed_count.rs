//! Services whose manifest does not name a count: it is 1 at first and then whatever an autoscaler or `kubectl scale` made
//! it, with each way to apply.

use anyhow::{Result, ensure};
use e2e::cluster::Cluster;
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{self, with};
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};

use super::command::{Said, cluster, helm, is_from, kubectl};

/// The chart of an application with a cluster, a task definition and a service.
pub(crate) fn chart() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/charts/web").to_owned()
}

/// A service that names no count, in the words of a manifest.
fn unnamed() -> Value {
    let mut service = manifest::service("web", 1);
    if let Some(spec) = service["spec"].as_object_mut() {
        spec.remove("desiredCount");
    }
    service
}

/// Whether the server has the policy that writes the count. Without it, the operator counts the same.
async fn is_written_by_admission(scenario: &Scenario) -> Result<bool> {
    is_from(scenario, 36, "the count is written by admission").await
}

async fn has_count(scenario: &Scenario, count: i64) -> Result<Value> {
    let what = format!("wants {count} tasks");
    let web = scenario.then_within(60).object("ECSService", "web", &what, |web| web["spec"]["desiredCount"] == count);
    let web = web.await?;
    scenario.then_within(60).the_service("web").is_steady().await?;
    Ok(web)
}

/// Expects another setting, which was applied without a count, and still this count.
async fn has_changed(scenario: &Scenario, count: i64) -> Result<()> {
    let is_changed = |web: &Value| web["spec"]["healthCheckGracePeriodSeconds"] == 7;
    let web = scenario.then_within(60).object("ECSService", "web", "has another grace period", is_changed).await?;
    ensure!(web["spec"]["desiredCount"] == count, "{web:#}");
    has_count(scenario, count).await.map(drop)
}

/// Somebody who applies manifests with kubectl.
struct Applier<'a> {
    scenario: &'a Scenario,
    cluster: Cluster,
    how: &'static [&'static str],
}

impl Applier<'_> {
    async fn run(&self, verb: &str, manifest: &Value) -> Result<Said> {
        let arguments = [&[verb, "-n", self.scenario.namespace(), "-f", "-"], self.how].concat();
        kubectl(&self.cluster, &arguments, &manifest.to_string()).await
    }

    async fn apply(&self, manifest: &Value) -> Result<()> {
        let said = self.run("apply", manifest).await?;
        ensure!(said.is_success, "{}", said.errors);
        Ok(())
    }

    /// What Argo CD compares: the fields of the manifest. `kubectl diff` ends with 1 where there is a difference.
    async fn finds_no_difference(&self, manifest: &Value) -> Result<()> {
        let said = self.run("diff", manifest).await?;
        ensure!(said.is_success && said.output.is_empty(), "{}{}", said.output, said.errors);
        Ok(())
    }
}

/// The life of a count: not named, scaled, applied again, named, and not named any more.
async fn count_stays(name: &str, how: &'static [&'static str]) -> Result<()> {
    Scenario::run(name, async |scenario| {
        if !is_written_by_admission(scenario).await? {
            return Ok(());
        }
        let team = Applier { scenario, cluster: cluster().await?, how };
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        team.apply(&unnamed()).await?;
        let web = has_count(scenario, 1).await?;
        let owners = web["metadata"]["managedFields"].to_string();
        ensure!(!owners.contains("f:desiredCount"), "somebody owns what admission wrote: {owners}");

        // Naming a count is no conflict with anybody.
        team.apply(&manifest::service("web", 2)).await?;
        has_count(scenario, 2).await?;
        // Not naming it any more hands it over.
        team.apply(&unnamed()).await?;
        has_count(scenario, 2).await?;

        scenario.when_scaled("web", 4).await?;
        has_count(scenario, 4).await?;
        team.finds_no_difference(&unnamed()).await?;
        team.apply(&unnamed()).await?;
        team.apply(&with(unnamed(), json!({ "healthCheckGracePeriodSeconds": 7 }))).await?;
        has_changed(scenario, 4).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_manifest_without_a_count_is_applied_by_the_client_then_the_count_stays() -> Result<()> {
    count_stays("count-client", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_manifest_without_a_count_is_applied_by_the_server_then_the_count_stays() -> Result<()> {
    count_stays("count-server", &["--server-side", "--field-manager=team"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_helm_upgrades_a_chart_without_a_count_then_the_count_stays() -> Result<()> {
    Scenario::run("count-helm", async |scenario| {
        if !is_written_by_admission(scenario).await? {
            return Ok(());
        }
        let (cluster, chart) = (cluster().await?, chart());
        let upgrade = ["upgrade", "--install", "web", &chart, "-n", scenario.namespace()];
        helm(&cluster, &upgrade).await?.quietly()?;
        has_count(scenario, 1).await?;
        scenario.when_scaled("web", 3).await?;
        has_count(scenario, 3).await?;
        let changed = ["--set", "healthCheckGracePeriodSeconds=7"];
        helm(&cluster, &[&upgrade[..], &changed].concat()).await?.quietly()?;
        has_changed(scenario, 3).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_autoscaler_scales_a_service_without_a_count_then_applying_it_again_changes_nothing() -> Result<()> {
    Scenario::run("count-hpa", async |scenario| {
        if !is_written_by_admission(scenario).await? {
            return Ok(());
        }
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.when_applied([unnamed()]).await?;
        has_count(scenario, 1).await?;
        scenario.when_applied([manifest::cpu_target("web", (3, 6), 50)]).await?;
        let up = scenario.then_within(120);
        up.object("ECSService", "web", "wants 3 tasks", |web| web["spec"]["desiredCount"] == 3).await?;
        scenario.when_applied([unnamed()]).await?;
        has_count(scenario, 3).await.map(drop)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_daemon_is_created_then_no_count_is_written_into_it() -> Result<()> {
    Scenario::run("count-daemon", async |scenario| {
        let daemon: DynamicObject = serde_json::from_value(with(unnamed(), json!({ "schedulingStrategy": "DAEMON" })))?;
        let created = scenario.api("ECSService")?.create(&PostParams::default(), &daemon).await?;
        ensure!(created.data["spec"].get("desiredCount").is_none(), "{:#}", created.data["spec"]);
        Ok(())
    })
    .await
}
