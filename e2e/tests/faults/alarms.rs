//! The Alertmanager is away: no deployment that watches alarms is completed before somebody knows them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::{Process, fate};
use e2e::scenario::condition::is_false;
use e2e::scenario::json::{find, text};
use e2e::scenario::manifest::{self, on, percents, revised, with};
use e2e::scenario::records::alarms;
use e2e::scenario::{Bounds, HELD, Objects, Scenario};
use serde_json::{Value, json};

use super::{cluster, environment, launch};

#[tokio::test(flavor = "multi_thread")]
async fn when_the_alertmanager_is_away_then_no_deployment_is_completed_before_it_is_back_and_no_alarm_is_missed()
-> Result<()> {
    let cluster = cluster().await?;
    let mut operator = launch(cluster, "alarms-away").await?.spawn()?;
    operator.leads().await?;
    Scenario::run_in(environment(cluster, &[&operator])?, "alarms-away", async |scenario| {
        let alerts = scenario.alarms().context("the cluster has no Alertmanager")?;
        let web = || manifest::task_definition("web");
        let service =
            |name: &str, definition: &str| on(with(manifest::service(name, 2), percents(100, 200)), definition);
        scenario.given([manifest::cluster("main", &[]), web(), manifest::task_definition("late")]).await?;
        scenario.given([service("quiet", "web"), service("hasty", "web"), service("loud", "late")]).await?;
        let then = scenario.then_within(60);
        let mut samplers = Vec::new();
        for (name, revision) in [("quiet", "web:1"), ("hasty", "web:1"), ("loud", "late:1")] {
            then.the_service(name).is_steady_on(revision).await?;
            samplers.push(scenario.sample(name, Bounds::of(2, (100, 200))));
        }

        cluster.stop(Process::Alertmanager).await?;
        for (name, definition, alarm) in
            [("quiet", "web", "Quiet"), ("hasty", "web", "Quiet"), ("loud", "late", "Loud")]
        {
            scenario.when_applied([with(service(name, definition), alarms(true, &[alarm]))]).await?;
        }
        let held = with(manifest::task_definition("late"), manifest::fate(fate::START_DELAY, HELD));
        scenario.when_applied([revised(web(), "2"), revised(held, "2")]).await?;
        let address = cluster.alertmanager().context("the cluster has no Alertmanager")?;
        let address = address.trim_start_matches("http://");
        let unknown = is_false(ConditionType::Ready, Reason::AlarmsUnknown);
        let message = then.the_service("quiet").says(unknown, address).await?;
        ensure!(message.contains("Quiet: ") && !message.contains("Loud"), "{message}");
        // All of its tasks are replaced and healthy, and it still is not completed.
        then.the_service("quiet").shows_deployments(&[("PRIMARY", "IN_PROGRESS")]).await?;
        let in_progress = |objects: &Objects| {
            let service = find(objects, "ECSService", "quiet").ok_or("there is no such service")?;
            let is = |pointer: &str| text(service, pointer).to_owned();
            let running = service.pointer("/status/runningCount").and_then(Value::as_i64);
            match (is("/status/deployments/0/rolloutState").as_str(), running) {
                ("IN_PROGRESS", Some(2)) => Ok(()),
                other => Err(format!("it is {other:?}")),
            }
        };
        scenario.view().stays("nothing is completed", Duration::from_secs(5), in_progress).await?;
        then.next_task("loud", "late:2", None).await?;
        // Who does not want to wait does without them.
        let off = json!({ "deploymentConfiguration": { "alarms": { "enable": false } } });
        then.the_service("hasty").has(unknown).await?;
        scenario.when_service_changed("hasty", off).await?;
        then.the_service("hasty").is_steady_on("web:2").await?;

        cluster.resume(Process::Alertmanager).await?;
        alerts.fire("Loud").await?;
        let completed = then.the_service("quiet").is_deployed("web:2", "SUCCESSFUL").await?;
        ensure!(completed.alarms == "MONITORING_COMPLETE", "{}", completed.line());
        then.the_service("quiet").is_steady_on("web:2").await?;
        let failed = then.the_service("loud").has_deployment("late:2", "ROLLBACK_SUCCESSFUL").await?;
        ensure!(failed.triggered_alarms == ["Loud"], "{}", failed.line());
        then.the_service("loud").is_back_on("late:1").await?;
        samplers.iter().try_for_each(|sampler| sampler.verdict().map(|_| ()))
    })
    .await?;
    ensure!(operator.terminate().await?.success());
    Ok(())
}
