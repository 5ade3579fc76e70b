//! What happens to a rollout while it is under way: another update, another count, other percentages, a stop.

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::fate;
use e2e::scenario::condition::is_true;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, on, percents, revised, with};
use e2e::scenario::records::{Record, breaker, workloads};
use e2e::scenario::rollout::{given_web, has, held, web};
use e2e::scenario::sampler::{exists, tasks};
use e2e::scenario::{Bounds, Scenario};
use serde_json::{Value, json};

/// Expects one Kubernetes Deployment: those of old deployments are removed when they are empty.
async fn has_one_workload(scenario: &Scenario) -> Result<()> {
    scenario
        .then_within(20)
        .until("there is one Deployment", |objects| {
            let is = workloads(objects, "web").len();
            if is == 1 { Ok(()) } else { Err(format!("there are {is}")) }
        })
        .await
}

/// Service, desired count, percentages, and the bounds that follow.
type Case = (&'static str, usize, (usize, usize), (usize, usize));

#[tokio::test(flavor = "multi_thread")]
async fn when_percentages_are_odd_then_tasks_are_replaced_within_whole_numbers() -> Result<()> {
    Scenario::run_on_kwok("odd-bounds", async |scenario| {
        let cases: [Case; 6] = [
            ("thirds", 7, (33, 133), (3, 9)),
            ("one-more", 9, (100, 112), (9, 10)),
            ("one-less", 10, (90, 100), (9, 10)),
            ("single", 1, (100, 200), (1, 2)),
            ("halves", 2, (50, 150), (1, 3)),
            ("none-needed", 3, (0, 133), (0, 3)),
        ];
        scenario.given([manifest::cluster("main", &[]), web()]).await?;
        for (name, desired, (minimum, maximum), _) in cases {
            let service = on(manifest::service(name, i64::try_from(desired)?), "web");
            let percents = percents(i64::try_from(minimum)?, i64::try_from(maximum)?);
            scenario.given([with(with(service, manifest::fate(fate::START_DELAY, "1s")), percents)]).await?;
        }
        let mut samplers = Vec::new();
        for (name, desired, percentages, (at_least, at_most)) in cases {
            scenario.then_within(60).the_service(name).is_steady_on("web:1").await?;
            let bounds = Bounds::of(desired, percentages);
            ensure!((bounds.at_least, bounds.at_most) == (at_least, at_most), "{name}: {bounds:?}");
            samplers.push(scenario.sample(name, bounds));
        }
        scenario.when_applied([revised(web(), "2")]).await?;
        for ((name, ..), sampler) in cases.into_iter().zip(samplers) {
            scenario.then_within(120).the_service(name).is_steady_on("web:2").await?;
            sampler.verdict().context(name)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_update_comes_during_a_rollout_then_it_is_primary_at_once_and_the_others_are_active() -> Result<()> {
    Scenario::run_on_kwok("no-queue", async |scenario| {
        let sampler = given_web(scenario, 4, (75, 150)).await?;
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        let then = scenario.then_within(30);
        then.the_service("web").shows_deployments(&[("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "COMPLETED")]).await?;
        has(scenario, "web:2", 2).await?;
        then.next_task("web", "web:2", None).await?;
        scenario.when_applied([held(revised(web(), "3"))]).await?;
        let three = [("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "IN_PROGRESS"), ("ACTIVE", "COMPLETED")];
        let shown = then.the_service("web").shows_deployments(&three).await?;
        let is: Vec<_> = shown.iter().map(|one| text(one, "/taskDefinition")).collect();
        ensure!(is == ["web:3", "web:2", "web:1"], "{is:?}");
        let reason = format!("ECS deployment {} in progress.", text(&shown[0], "/id"));
        ensure!(text(&shown[0], "/rolloutStateReason") == reason, "{shown:?}");

        let _director = scenario.direct("web", |_| None)?;
        scenario.then_within(60).the_service("web").is_steady_on("web:3").await?;
        has_one_workload(scenario).await?;
        let states: Vec<_> = scenario.records("web").into_iter().map(|record| record.status).collect();
        ensure!(states == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"], "{states:?}");
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_twenty_updates_come_in_quick_succession_then_the_last_is_what_runs() -> Result<()> {
    Scenario::run_on_kwok("twenty", async |scenario| {
        let sampler = given_web(scenario, 4, (50, 150)).await?;
        for number in 2..=21 {
            let fate = manifest::fate(fate::START_DELAY, if number % 3 == 0 { "1s" } else { "0s" });
            scenario.when_applied([with(revised(web(), &number.to_string()), fate)]).await?;
            // The next one comes as soon as this one is registered; otherwise the operator might see the last one only.
            let is_registered =
                |family: &Value| family.pointer("/status/latestRevision").and_then(Value::as_i64) == Some(number);
            scenario.then_within(30).object("ECSTaskDefinition", "web", "is registered", is_registered).await?;
        }
        scenario.then_within(90).the_service("web").is_steady_on("web:21").await?;
        has_one_workload(scenario).await?;
        let records = scenario.records("web");
        let unfinished: Vec<_> =
            records.iter().filter(|one| !["SUCCESSFUL", "STOPPED"].contains(&one.status.as_str())).collect();
        ensure!(unfinished.is_empty(), "{unfinished:?}");
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_update_goes_back_to_what_still_runs_then_it_is_a_deployment_of_its_own() -> Result<()> {
    Scenario::run_on_kwok("back", async |scenario| {
        let service = |revision: &str| with(on(manifest::service("web", 3), revision), percents(67, 200));
        scenario.given([manifest::cluster("main", &[]), web(), service("web:1")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample("web", Bounds::of(3, (67, 200)));
        scenario.when_applied([held(revised(web(), "2")), service("web:2")]).await?;
        has(scenario, "web:2", 3).await?;
        scenario.when_applied([service("web:1")]).await?;
        let then = scenario.then_within(60);
        then.the_service("web")
            .has_records("there are three deployments", |all| (all.len() == 3).then_some(()))
            .await?;
        then.the_service("web").is_steady_on("web:1").await?;
        has_one_workload(scenario).await?;
        let digits = scenario.records("web").pop().context("there is no record")?.digits().to_owned();
        let started_by = scenario.view().read(|objects| {
            let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
            let labels = pods.map(|pod| pod["metadata"]["labels"][plan::core::labels::DEPLOYMENT].clone());
            labels.collect::<Vec<_>>()
        });
        ensure!(started_by.iter().all(|label| *label == digits.as_str()), "{started_by:?} instead of {digits}");
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_deployment_is_forced_during_a_rollout_then_tasks_of_both_are_replaced_by_the_forced_one() -> Result<()>
{
    Scenario::run_on_kwok("force-in-rollout", async |scenario| {
        let sampler = given_web(scenario, 3, (67, 134)).await?;
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        has(scenario, "web:2", 1).await?;
        scenario.then_within(30).next_task("web", "web:2", None).await?;
        scenario.when_service_changed("web", json!({ "kubernetes": { "forceNewDeployment": "now" } })).await?;
        let three = |records: &[Record]| (records.len() == 3).then(|| records[2].digits().to_owned());
        let digits = scenario.then_within(30).the_service("web").has_records("three deployments", three).await?;
        let _director = scenario.direct("web", |_| None)?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        let others = scenario.view().read(|objects| {
            let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
            pods.filter(|pod| pod["metadata"]["labels"][plan::core::labels::DEPLOYMENT] != digits.as_str()).count()
        });
        ensure!(others == 0, "{others} tasks of the deployment before are left");
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_count_falls_during_a_rollout_then_the_bounds_are_those_of_the_new_count() -> Result<()> {
    Scenario::run_on_kwok("fewer-in-rollout", async |scenario| {
        let sampler = given_web(scenario, 6, (50, 150)).await?;
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        has(scenario, "web:2", 3).await?;
        sampler.expect(Bounds::of(6, (50, 150)).or(Bounds::of(2, (50, 150))));
        scenario.when_scaled("web", 2).await?;
        scenario
            .then_within(30)
            .until("there are at most floor(2 * 1.5) tasks", |objects| {
                let is = tasks(objects, "web").into_iter().filter(|pod| exists(pod)).count();
                if is <= 3 { Ok(()) } else { Err(format!("there are {is}")) }
            })
            .await?;
        sampler.expect(Bounds::of(2, (50, 150)));
        let _director = scenario.direct("web", |_| None)?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_rollout_is_scaled_to_zero_and_back_then_it_ends_on_the_new_revision() -> Result<()> {
    Scenario::run_on_kwok("zero-and-back", async |scenario| {
        let sampler = given_web(scenario, 3, (100, 200)).await?;
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        has(scenario, "web:2", 3).await?;
        sampler.expect(Bounds { at_least: 0, at_most: 6, min_ready_seconds: 0 });
        scenario.when_scaled("web", 0).await?;
        scenario.then_within(30).the_service("web").has_tasks(0).await?;
        sampler.expect(Bounds::of(0, (100, 200)));
        scenario.then_within(30).the_service("web").is_steady_on("web:2").await?;
        sampler.expect(Bounds { at_least: 0, at_most: 6, min_ready_seconds: 0 });
        let _director = scenario.direct("web", |_| None)?;
        scenario.when_scaled("web", 3).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        has_one_workload(scenario).await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_percentages_change_during_a_rollout_then_it_goes_on_within_the_new_ones() -> Result<()> {
    Scenario::run_on_kwok("other-percents", async |scenario| {
        let sampler = given_web(scenario, 4, (100, 125)).await?;
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        has(scenario, "web:2", 1).await?;
        let wide = Bounds::of(4, (50, 200));
        sampler.expect(wide);
        scenario.when_service_changed("web", percents(50, 200)).await?;
        has(scenario, "web:2", 4).await?;
        // Two must be healthy and four old ones are: whether more is stopped early is not said.
        scenario.then_within(30).next_task("web", "web:2", None).await?;
        scenario.then_within(30).next_task("web", "web:2", None).await?;
        let narrow = Bounds::of(4, (50, 100));
        scenario.when_service_changed("web", percents(50, 100)).await?;
        scenario
            .then_within(30)
            .until("there are at most four tasks", |objects| {
                let is = tasks(objects, "web").into_iter().filter(|pod| exists(pod)).count();
                if is <= 4 { Ok(()) } else { Err(format!("there are {is}")) }
            })
            .await?;
        sampler.expect(narrow);
        let _director = scenario.direct("web", |_| None)?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        ensure!(scenario.records("web").len() == 2, "percentages started a deployment");
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_rollout_gets_stuck_by_its_count_then_it_says_so_and_goes_on_when_there_is_room() -> Result<()> {
    Scenario::run_on_kwok("stuck-in-rollout", async |scenario| {
        // Two tasks: 1 healthy at least, 2 at most. One task: ceil(0.5) = 1 and floor(1.0) = 1, which leaves no room.
        let service = with(manifest::service("web", 2), percents(50, 100));
        scenario.given([manifest::cluster("main", &[]), web(), service]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample("web", Bounds { at_least: 1, at_most: 2, min_ready_seconds: 0 });
        scenario.when_scaled("web", 1).await?;
        scenario.then_within(30).the_service("web").is_steady().await?;
        sampler.expect(Bounds::of(1, (50, 100)));
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        let then = scenario.then_within(30);
        then.the_service("web").has(is_true(ConditionType::DeploymentStuck, Reason::BoundsLeaveNoRoom)).await?;
        then.the_service("web").tells("was unable to stop or start tasks during a deployment").await?;
        has(scenario, "web:2", 0).await?;
        sampler.expect(Bounds { at_least: 1, at_most: 2, min_ready_seconds: 0 });
        scenario.when_scaled("web", 2).await?;
        let _director = scenario.direct("web", |_| None)?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_provider_changes_during_a_rollout_then_the_bounds_hold_over_both() -> Result<()> {
    Scenario::run_on_kwok("provider-in-rollout", async |scenario| {
        let [one, two] = ["one", "two"].map(|name| format!("{}-{name}", scenario.namespace()));
        let nodes = |name: &str| manifest::capacity_provider(name, name, ("kubernetes.io/os", "linux"));
        scenario.given([nodes(&one), nodes(&two), manifest::cluster("main", &[&one, &two]), web()]).await?;
        let service = |provider: &str| {
            let strategy = json!({
                "launchType": null, "capacityProviderStrategy": [{ "capacityProvider": provider, "weight": 1 }],
            });
            with(with(manifest::service("web", 4), strategy), percents(75, 150))
        };
        scenario.given([service(&one)]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample("web", Bounds::of(4, (75, 150)));
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        has(scenario, "web:2", 2).await?;
        scenario.when_applied([service(&two)]).await?;
        let _director = scenario.direct("web", |_| None)?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        // Only a deployment moves what runs.
        let force = json!({ "kubernetes": { "forceNewDeployment": "move" } });
        scenario.when_applied([with(service(&two), force)]).await?;
        scenario
            .then_within(60)
            .until("all tasks are on the second provider", |objects| {
                let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
                let left = pods
                    .filter(|pod| pod["metadata"]["labels"][plan::core::labels::CAPACITY_PROVIDER] != two.as_str())
                    .count();
                if left == 0 { Ok(()) } else { Err(format!("{left} are not")) }
            })
            .await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        sampler.verdict()?;
        scenario.when_deleted("ECSService", "web").await?;
        scenario.when_deleted("ECSCluster", "main").await?;
        scenario.when_deleted("ECSCapacityProvider", &one).await?;
        scenario.when_deleted("ECSCapacityProvider", &two).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_rollout_on_two_providers_fails_then_its_way_back_keeps_the_bounds_over_both() -> Result<()> {
    Scenario::run_on_kwok("two-back", async |scenario| {
        let providers = ["FARGATE", "FARGATE_SPOT"];
        let definition = || manifest::fargate_task_definition("web");
        scenario.given([manifest::cluster("main", &providers), definition()]).await?;
        let service = manifest::fargate_service("web", 6, &[("FARGATE", 2, 1), ("FARGATE_SPOT", 0, 1)]);
        let service = with(with(service, percents(50, 117)), breaker(true, ("COUNT", 4)));
        scenario.given([service]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample_with_failures("web", Bounds::of(6, (50, 117)));
        scenario
            .when_applied([with(revised(definition(), "2"), manifest::fate(fate::START_ERROR, "no such file"))])
            .await?;
        let then = scenario.then_within(90);
        then.the_service("web").has_deployment("web:2", "ROLLBACK_SUCCESSFUL").await?;
        then.the_service("web").is_back_on("web:1").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}
