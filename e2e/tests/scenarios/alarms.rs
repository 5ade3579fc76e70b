//! Deployment alarms, as a real Alertmanager tells them: which alerts count, what they do to a deployment, and when.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::scenario::condition::is_false;
use e2e::scenario::json::{condition, find, text};
use e2e::scenario::manifest::{self, percents, revised, with};
use e2e::scenario::records::{Record, alarms, breaker};
use e2e::scenario::rollout::{broken, held, launches_none, web};
use e2e::scenario::{Alarms, Bounds, Objects, Scenario};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Runs a scenario if there is an Alertmanager that the operator asks.
async fn watched(name: &str, story: impl AsyncFnOnce(&Scenario, &Alarms) -> Result<()>) -> Result<()> {
    Scenario::run_on_kwok(name, async |scenario| {
        if let Some(alarms) = scenario.alarms() {
            return story(scenario, &alarms).await;
        }
        println!("skipped: {name} needs an operator that asks an Alertmanager");
        Ok(())
    })
    .await
}

/// A service that replaces its tasks without ever having fewer.
fn service(name: &str, desired: i64) -> Value {
    manifest::on(with(manifest::service(name, desired), percents(100, 200)), "web")
}

fn bake(minutes: i64) -> Value {
    json!({ "deploymentConfiguration": { "bakeTimeInMinutes": minutes } })
}

/// Expects what the alarms of the newest deployment do.
async fn watches(scenario: &Scenario, service: &str, revision: &str, state: &str) -> Result<Record> {
    let then = scenario.then_within(30);
    then.the_service(service)
        .has_records(&format!("the alarms of its newest deployment, of {revision}, are {state}"), |records| {
            records.last().filter(|newest| newest.task_definition == revision && newest.alarms == state).cloned()
        })
        .await
}

/// When something happened to a deployment.
fn time_of(scenario: &Scenario, record: &Record, pointer: &str) -> Result<Timestamp> {
    let object = scenario.object("ECSServiceDeployment", &record.name).context("the record is gone")?;
    text(&object, pointer).parse().with_context(|| format!("{pointer} of {}", record.line()))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_alarm_begins_while_tasks_are_replaced_then_the_deployment_fails_and_is_rolled_back() -> Result<()> {
    watched("alarm-rollback", async |scenario, alerts| {
        let service = with(service("web", 3), alarms(true, &["Errors", "Slow"]));
        scenario.given([manifest::cluster("main", &[]), web(), service]).await?;
        let then = scenario.then_within(60);
        then.the_service("web").is_steady_on("web:1").await?;
        let first = then.the_service("web").is_deployed("web:1", "SUCCESSFUL").await?;
        ensure!(first.alarms == "MONITORING_COMPLETE", "{}", first.line());

        let sampler = scenario.sample("web", Bounds::of(3, (100, 200)));
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        then.next_task("web", "web:2", None).await?;
        watches(scenario, "web", "web:2", "MONITORING").await?;
        alerts.fire("Slow").await?;

        let failed = then.the_service("web").has_deployment("web:2", "ROLLBACK_SUCCESSFUL").await?;
        ensure!(failed.rollout_state == "FAILED" && failed.alarms == "TRIGGERED", "{}", failed.line());
        ensure!(failed.triggered_alarms == ["Slow"], "{}", failed.line());
        let reason = "Service deployment rolled back because of one or more active alarms.";
        ensure!(failed.reason == reason, "{}", failed.line());
        then.the_service("web").is_back_on("web:1").await?;
        // The alarm still fires: it began before the deployment that goes back.
        let back = then.the_service("web").is_deployed("web:1", "SUCCESSFUL").await?;
        ensure!(back.id != first.id && back.alarms == "DISABLED", "{}", back.line());
        for told in [
            format!("(service web) (deployment {}) deployment failed: alarm detected.", failed.id),
            format!("(service web) rolling back to deployment {}.", back.id),
            format!("(service web) (deployment {}) deployment completed.", back.id),
        ] {
            then.the_service("web").tells(&told).await?;
        }
        launches_none(scenario, "web", "web:2", 2).await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_alarm_fails_a_deployment_without_rollback_then_it_stays_failed_until_the_next_update() -> Result<()> {
    watched("alarm-stays", async |scenario, alerts| {
        let service = with(service("web", 3), alarms(false, &["Errors"]));
        scenario.given([manifest::cluster("main", &[]), web(), service]).await?;
        let then = scenario.then_within(60);
        then.the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample("web", Bounds::of(3, (100, 200)));
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        watches(scenario, "web", "web:2", "MONITORING").await?;
        alerts.fire("Errors").await?;

        let shown = [("PRIMARY", "FAILED"), ("ACTIVE", "COMPLETED")];
        let deployments = then.the_service("web").shows_deployments(&shown).await?;
        let reason = "ECS deployment failed: alarm detected.";
        ensure!(text(&deployments[0], "/rolloutStateReason") == reason, "{}", deployments[0]);
        let failed = then.the_service("web").has_deployment("web:2", "STOPPED").await?;
        ensure!(failed.alarms == "TRIGGERED" && failed.triggered_alarms == ["Errors"], "{}", failed.line());
        let message = then.the_service("web").has(is_false(ConditionType::Ready, Reason::AlarmTriggered)).await?;
        ensure!(message.contains("deployment failed: alarm detected."), "{message}");
        let told = format!("(service web) (deployment {}) deployment failed: alarm detected.", failed.id);
        then.the_service("web").tells(&told).await?;

        // A quiet alarm revives nothing.
        alerts.resolve("Errors").await?;
        launches_none(scenario, "web", "web:2", 4).await?;
        ensure!(scenario.records("web").len() == 2, "{:?}", scenario.records("web"));
        let seen = sampler.verdict()?;
        ensure!(seen.fewest_healthy == Some(3), "{seen:?}");
        // The tasks of the failed deployment are still there when those of the next one start.
        sampler.expect(Bounds { at_least: 3, at_most: 9, min_ready_seconds: 0 });
        scenario.when_applied([revised(web(), "3")]).await?;
        then.the_service("web").is_steady_on("web:3").await?;
        let next = then.the_service("web").is_deployed("web:3", "SUCCESSFUL").await?;
        ensure!(next.alarms == "MONITORING_COMPLETE", "{}", next.line());
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_alarm_begins_during_the_bake_time_then_the_deployment_fails_and_a_quiet_one_completes_after_it()
-> Result<()> {
    watched("alarm-bake", async |scenario, alerts| {
        scenario.given([manifest::cluster("main", &[]), web(), service("quiet", 2), service("loud", 2)]).await?;
        let then = scenario.then_within(60);
        let mut samplers = Vec::new();
        for name in ["quiet", "loud"] {
            then.the_service(name).is_steady_on("web:1").await?;
            samplers.push(scenario.sample(name, Bounds::of(2, (100, 200))));
        }
        let baked = |name: &str, alarm: &str| with(with(service(name, 2), alarms(true, &[alarm])), bake(1));
        scenario.when_applied([baked("quiet", "Quiet"), baked("loud", "Loud"), revised(web(), "2")]).await?;
        for name in ["quiet", "loud"] {
            then.the_service(name).has(is_false(ConditionType::Ready, Reason::Baking)).await?;
            let baking = watches(scenario, name, "web:2", "MONITORING").await?;
            ensure!(baking.rollout_state == "IN_PROGRESS", "{}", baking.line());
            // Every task is replaced and healthy already.
            then.the_service(name).shows_deployments(&[("PRIMARY", "IN_PROGRESS")]).await?;
        }
        alerts.fire("Loud").await?;
        let failed = then.the_service("loud").has_deployment("web:2", "ROLLBACK_IN_PROGRESS").await?;
        ensure!(failed.alarms == "TRIGGERED" && failed.triggered_alarms == ["Loud"], "{}", failed.line());
        let started = time_of(scenario, &failed, "/status/bakeStartedAt")?;
        let ended = time_of(scenario, &failed, "/status/finishedAt")?;
        ensure!(ended < started + SignedDuration::from_secs(60), "it failed after its bake time, at {ended}");
        // The way back has a bake time as well, unless somebody takes it away.
        then.the_service("loud").has(is_false(ConditionType::Ready, Reason::Baking)).await?;
        scenario.when_service_changed("loud", bake(0)).await?;
        then.the_service("loud").has_deployment("web:2", "ROLLBACK_SUCCESSFUL").await?;
        then.the_service("loud").is_back_on("web:1").await?;

        let completed = scenario.then_within(90).the_service("quiet").is_deployed("web:2", "SUCCESSFUL").await?;
        ensure!(completed.alarms == "MONITORING_COMPLETE", "{}", completed.line());
        let started = time_of(scenario, &completed, "/status/bakeStartedAt")?;
        let ended = time_of(scenario, &completed, "/status/finishedAt")?;
        let baked = ended.duration_since(started);
        ensure!((60..75).contains(&baked.as_secs()), "it completed {baked:#} after its bake time began");
        then.the_service("quiet").is_steady_on("web:2").await?;
        samplers.iter().try_for_each(|sampler| sampler.verdict().map(|_| ()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_alarm_fires_already_then_alarms_are_ignored_for_that_deployment_and_not_for_the_next() -> Result<()> {
    watched("alarm-before", async |scenario, alerts| {
        alerts.fire_since("Errors", Timestamp::now() - SignedDuration::from_secs(30)).await?;
        let service = with(service("web", 2), alarms(true, &["Errors", "Slow"]));
        scenario.given([manifest::cluster("main", &[]), web(), service]).await?;
        let then = scenario.then_within(60);
        then.the_service("web").is_steady_on("web:1").await?;
        let first = then.the_service("web").is_deployed("web:1", "SUCCESSFUL").await?;
        ensure!(first.alarms == "DISABLED", "{}", first.line());

        // Another one that begins during such a deployment is ignored too.
        let sampler = scenario.sample("web", Bounds::of(2, (100, 200)));
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        watches(scenario, "web", "web:2", "DISABLED").await?;
        alerts.fire("Slow").await?;
        // Longer than from one question to the next.
        let in_progress = |objects: &Objects| {
            let service = find(objects, "ECSService", "web").ok_or("there is no such service")?;
            match text(service, "/status/deployments/0/rolloutState") {
                "IN_PROGRESS" => Ok(()),
                other => Err(format!("it is {other}")),
            }
        };
        let window = Duration::from_secs(17);
        scenario.view().stays("an ignored alarm does not fail the deployment", window, in_progress).await?;
        for _ in 0..2 {
            then.next_task("web", "web:2", None).await?;
        }
        then.the_service("web").is_steady_on("web:2").await?;
        let second = then.the_service("web").is_deployed("web:2", "SUCCESSFUL").await?;
        ensure!(second.alarms == "DISABLED" && second.triggered_alarms.is_empty(), "{}", second.line());

        alerts.resolve("Errors").await?;
        alerts.resolve("Slow").await?;
        scenario.when_applied([revised(web(), "3")]).await?;
        then.the_service("web").is_steady_on("web:3").await?;
        let third = then.the_service("web").is_deployed("web:3", "SUCCESSFUL").await?;
        ensure!(third.alarms == "MONITORING_COMPLETE", "{}", third.line());
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_alert_is_silenced_or_about_another_namespace_then_it_does_not_count_until_it_is_heard() -> Result<()> {
    watched("alarm-silenced", async |scenario, alerts| {
        let silence = alerts.silence("Errors").await?;
        alerts.fire("Errors").await?;
        let service = with(service("web", 2), alarms(true, &["Errors"]));
        scenario.given([manifest::cluster("main", &[]), web(), service]).await?;
        let then = scenario.then_within(60);
        then.the_service("web").is_steady_on("web:1").await?;
        let first = then.the_service("web").is_deployed("web:1", "SUCCESSFUL").await?;
        ensure!(first.alarms == "MONITORING_COMPLETE", "{}", first.line());

        let sampler = scenario.sample("web", Bounds::of(2, (100, 200)));
        alerts.of(&format!("{}-next", scenario.namespace())).fire("Errors").await?;
        scenario.when_applied([revised(web(), "2")]).await?;
        then.the_service("web").is_steady_on("web:2").await?;
        let second = then.the_service("web").is_deployed("web:2", "SUCCESSFUL").await?;
        ensure!(second.alarms == "MONITORING_COMPLETE", "{}", second.line());

        scenario.when_applied([held(revised(web(), "3"))]).await?;
        watches(scenario, "web", "web:3", "MONITORING").await?;
        alerts.unsilence(&silence).await?;
        let failed = then.the_service("web").has_deployment("web:3", "ROLLBACK_SUCCESSFUL").await?;
        ensure!(failed.triggered_alarms == ["Errors"], "{}", failed.line());
        then.the_service("web").is_back_on("web:2").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_circuit_breaker_and_alarms_are_on_then_the_one_that_fires_decides_about_the_rollback() -> Result<()> {
    watched("alarm-and-breaker", async |scenario, alerts| {
        scenario.given([manifest::cluster("main", &[]), web()]).await?;
        let services = [("stays", true, false), ("returns", false, true), ("breaks", true, false)];
        let mut samplers = Vec::new();
        for (name, by_breaker, by_alarm) in services {
            let service = with(service(name, 2), breaker(by_breaker, ("COUNT", 2)));
            scenario.given([with(service, alarms(by_alarm, &["Errors"]))]).await?;
        }
        let then = scenario.then_within(60);
        for (name, ..) in services {
            then.the_service(name).is_steady_on("web:1").await?;
            samplers.push(scenario.sample(name, Bounds::of(2, (100, 200))));
        }
        // Tasks of `breaks` cannot start; those of the others wait.
        let definitions = [broken(manifest::task_definition("broken")), held(manifest::task_definition("held"))];
        scenario.given(definitions).await?;
        for (name, definition) in [("breaks", "broken"), ("stays", "held"), ("returns", "held")] {
            scenario.when_service_changed(name, json!({ "taskDefinition": definition })).await?;
        }
        let broken = then.the_service("breaks").has_deployment("broken:1", "ROLLBACK_SUCCESSFUL").await?;
        ensure!(broken.breaker == "TRIGGERED" && broken.alarms != "TRIGGERED", "{}", broken.line());
        then.the_service("breaks").is_back_on("web:1").await?;
        for name in ["stays", "returns"] {
            watches(scenario, name, "held:1", "MONITORING").await?;
        }
        alerts.fire("Errors").await?;
        let stays = then.the_service("stays").has_deployment("held:1", "STOPPED").await?;
        let returns = then.the_service("returns").has_deployment("held:1", "ROLLBACK_SUCCESSFUL").await?;
        for record in [&stays, &returns] {
            ensure!((record.alarms.as_str(), record.failures) == ("TRIGGERED", 0), "{}", record.line());
            ensure!(record.breaker == "MONITORING_COMPLETE", "{}", record.line());
        }
        then.the_service("stays").has(is_false(ConditionType::Ready, Reason::AlarmTriggered)).await?;
        then.the_service("returns").is_back_on("web:1").await?;
        ensure!(scenario.records("stays").len() == 2, "{:?}", scenario.records("stays"));
        let steady = scenario.object("ECSService", "breaks").context("it is gone")?;
        let ready = condition(&steady, "Ready").map(|ready| text(ready, "/reason"));
        ensure!(ready == Some("DeploymentFailed"), "{ready:?}");
        samplers.iter().try_for_each(|sampler| sampler.verdict().map(|_| ()))
    })
    .await
}
