//! Rollouts: what may run while tasks are replaced, and what starts a rollout at all.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::fate;
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::manifest::{self, percents, with, with_container};
use e2e::scenario::{Bounds, Scenario};
use serde_json::{Value, json};

/// Another revision of the task definition.
fn changed(definition: Value, command: &str) -> Value {
    with_container(definition, json!({ "command": ["sleep", command] }))
}

/// Service, desired count, percentages, and the bounds that follow: `ceil(desired * minimum)`, `floor(desired * maximum)`.
type Case = (&'static str, i64, (i64, i64), (usize, usize));

const BOUNDS: [Case; 5] = [
    ("half-and-more", 5, (50, 125), (3, 6)),
    ("two-thirds", 3, (67, 150), (3, 4)),
    ("double", 4, (100, 200), (4, 8)),
    ("in-place", 4, (50, 100), (2, 4)),
    ("all-at-once", 3, (0, 200), (0, 6)),
];

#[tokio::test(flavor = "multi_thread")]
async fn when_the_image_changes_then_tasks_are_replaced_within_the_bounds_of_ecs() -> Result<()> {
    Scenario::run_on_kwok("rolling", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("app")]).await?;
        for (name, desired, (minimum, maximum), _) in BOUNDS {
            let service = with(manifest::service(name, desired), json!({ "taskDefinition": "app" }));
            let slow = manifest::fate(fate::START_DELAY, "2s");
            scenario.given([with(with(service, slow), percents(minimum, maximum))]).await?;
        }
        let mut samplers = Vec::new();
        for (name, _, _, (at_least, at_most)) in BOUNDS {
            scenario.then_within(60).the_service(name).is_steady_on("app:1").await?;
            samplers.push(scenario.sample(name, Bounds { at_least, at_most, min_ready_seconds: 0 }));
        }

        let new_image = json!({ "image": "public.ecr.aws/docker/library/busybox:1.36" });
        scenario.when_applied([with_container(manifest::task_definition("app"), new_image)]).await?;
        for (name, ..) in BOUNDS {
            scenario.then_within(90).the_service(name).is_steady_on("app:2").await?;
        }
        for ((name, desired, _, (_, at_most)), sampler) in BOUNDS.into_iter().zip(samplers) {
            let seen = sampler.verdict().map_err(|error| error.context(name))?;
            // The room above the desired count is used, or nothing was proven about it.
            let uses_room = at_most == usize::try_from(desired)? || seen.most_existing > usize::try_from(desired)?;
            ensure!(uses_room, "{name} never started a task before it stopped one: {seen:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_on_two_providers_are_replaced_then_the_bounds_hold_over_both_together() -> Result<()> {
    Scenario::run_on_kwok("rolling-two", async |scenario| {
        let providers = ["FARGATE", "FARGATE_SPOT"];
        scenario.given([manifest::cluster("main", &providers), manifest::fargate_task_definition("web")]).await?;
        let service = manifest::fargate_service("web", 8, &[("FARGATE", 2, 1), ("FARGATE_SPOT", 0, 3)]);
        let service = with(service, manifest::fate(fate::START_DELAY, "2s"));
        scenario.given([with(service, percents(75, 125))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample("web", Bounds { at_least: 6, at_most: 10, min_ready_seconds: 0 });
        scenario.when_applied([changed(manifest::fargate_task_definition("web"), "2")]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:2").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_one_task_may_go_before_the_next_starts_then_there_is_never_more_than_one() -> Result<()> {
    Scenario::run_on_kwok("zero-hundred", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        let service = with(manifest::service("web", 1), manifest::fate(fate::START_DELAY, "2s"));
        scenario.given([with(service, percents(0, 100))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample("web", Bounds { at_least: 0, at_most: 1, min_ready_seconds: 0 });
        scenario.when_applied([changed(manifest::task_definition("web"), "2")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_bounds_leave_no_room_then_the_service_is_stuck_until_they_do() -> Result<()> {
    Scenario::run("stuck", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        // With one task: ceil(0.5) = 1 healthy at least, floor(1.0) = 1 at most.
        scenario.given([with(manifest::service("web", 1), percents(50, 100))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let before = scenario.task_uids("web");

        scenario.when_applied([changed(manifest::task_definition("web"), "2")]).await?;
        let then = scenario.then_within(30);
        then.the_service("web").has(is_true(ConditionType::DeploymentStuck, Reason::BoundsLeaveNoRoom)).await?;
        then.the_service("web").has(is_true(ConditionType::Stalled, Reason::BoundsLeaveNoRoom)).await?;
        let text =
            "was unable to stop or start tasks during a deployment because of the service deployment configuration";
        then.the_service("web").tells(text).await?;
        ensure!(scenario.task_uids("web") == before, "a task was replaced");

        scenario.when_service_changed("web", json!(percents(50, 200))).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        scenario
            .then_within(10)
            .the_service("web")
            .has(is_false(ConditionType::DeploymentStuck, Reason::NotStuck))
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_both_percentages_are_a_hundred_then_the_service_is_refused_and_what_runs_is_untouched() -> Result<()> {
    Scenario::run("hundred", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 2)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let before = scenario.task_uids("web");
        let said = scenario.when_refused(with(manifest::service("web", 2), percents(100, 100))).await?;
        let expected = "InvalidParameterException: both maximumPercent and minimumHealthyPercent cannot be 100";
        ensure!(said.contains(expected) && said.contains("spec.deploymentConfiguration"), "{said}");
        scenario.then_within(10).the_service("web").is_steady().await?;
        ensure!(scenario.task_uids("web") == before, "a task was replaced");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_only_counts_tags_weights_or_bounds_change_then_no_task_is_replaced() -> Result<()> {
    Scenario::run_on_kwok("no-roll", async |scenario| {
        let providers = ["FARGATE", "FARGATE_SPOT"];
        scenario.given([manifest::cluster("main", &providers), manifest::fargate_task_definition("web")]).await?;
        let service = |weight: i64| {
            let service = manifest::fargate_service("web", 4, &[("FARGATE", 0, 1), ("FARGATE_SPOT", 0, weight)]);
            with(service, percents(50, 200))
        };
        scenario.given([service(1)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let first = scenario.task_uids("web");
        let is_kept = |what: &str, wanted: usize| {
            let now = scenario.task_uids("web");
            ensure!(now.len() == wanted, "{what}: {} tasks", now.len());
            ensure!(first.iter().all(|uid| now.contains(uid)), "{what}: tasks were replaced");
            let records = scenario.objects("ECSServiceDeployment").len();
            ensure!(records == 1, "{what}: {records} deployments");
            Ok(())
        };
        scenario.when_service_changed("web", json!({ "tags": [{ "key": "team", "value": "shop" }] })).await?;
        scenario.then_within(30).the_service("web").is_steady().await?;
        is_kept("tags", 4)?;
        scenario.when_service_changed("web", percents(100, 150)).await?;
        scenario.then_within(30).the_service("web").is_steady().await?;
        is_kept("bounds", 4)?;
        let strategy = service(7).pointer("/spec/capacityProviderStrategy").cloned();
        scenario.when_service_changed("web", json!({ "capacityProviderStrategy": strategy })).await?;
        scenario.then_within(30).the_service("web").is_steady().await?;
        is_kept("weights", 4)?;
        scenario.when_service_changed("web", json!({ "desiredCount": 6 })).await?;
        scenario.then_within(30).the_service("web").is_steady().await?;
        is_kept("desiredCount", 6)?;
        scenario
            .when_applied([with(
                manifest::fargate_task_definition("web"),
                json!({
                    "tags": [{ "key": "team", "value": "shop" }],
                }),
            )])
            .await?;
        scenario.when_scaled("web", 7).await?;
        scenario.then_within(30).the_service("web").is_steady_on("web:1").await?;
        is_kept("tags of the task definition, and the scale subresource", 7)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_new_deployment_is_forced_then_every_task_is_replaced_once() -> Result<()> {
    Scenario::run("forced", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 2)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let before = scenario.task_uids("web");
        let force = json!({ "kubernetes": { "forceNewDeployment": "2026-11-21" } });
        scenario.when_service_changed("web", force.clone()).await?;
        let records = scenario.then_within(30);
        records
            .until("there are two deployments", |objects| {
                let count = objects.keys().filter(|(kind, _)| *kind == "ECSServiceDeployment").count();
                if count == 2 { Ok(()) } else { Err(format!("there are {count}")) }
            })
            .await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let after = scenario.task_uids("web");
        ensure!(after.iter().all(|uid| !before.contains(uid)), "a task was not replaced");
        scenario.when_service_changed("web", force).await?;
        scenario.then_within(30).the_service("web").is_steady_on("web:1").await?;
        ensure!(scenario.task_uids("web") == after, "the same text forced another deployment");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_count_changes_in_the_middle_of_a_rollout_then_the_bounds_follow_as_whole_tasks() -> Result<()> {
    Scenario::run_on_kwok("count-in-rollout", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        let service = with(manifest::service("web", 4), manifest::fate(fate::START_DELAY, "2s"));
        scenario.given([with(service, percents(75, 150))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        // At 4 tasks 3 to 6; at 9 tasks ceil(6.75) = 7 to floor(13.5) = 13. The fewer of one and the more of the other.
        let sampler = scenario.sample("web", Bounds { at_least: 3, at_most: 13, min_ready_seconds: 0 });
        scenario.when_applied([changed(manifest::task_definition("web"), "2")]).await?;
        scenario
            .then_within(30)
            .the_service("web")
            .has(is_false(ConditionType::Ready, Reason::DeploymentInProgress))
            .await?;
        scenario.when_scaled("web", 9).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:2").await?;
        sampler.verdict()?;

        let then = scenario.then_within(10);
        then.object("PodDisruptionBudget", "web", "keeps 7", |budget| {
            budget.pointer("/spec/minAvailable") == Some(&json!(7))
        })
        .await?;
        Ok(())
    })
    .await
}
