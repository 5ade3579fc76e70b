//! Revisions: a family follows its latest, `family:N` does not, and a number is never used twice.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::scenario::Scenario;
use e2e::scenario::condition::is_false;
use e2e::scenario::manifest::{self, with, with_container};
use serde_json::{Value, json};

fn sleeping(seconds: &str) -> Value {
    with_container(manifest::task_definition("web"), json!({ "command": ["sleep", seconds] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_family_gets_a_new_revision_then_a_bare_family_follows_and_a_pinned_one_stays() -> Result<()> {
    Scenario::run("revisions", async |scenario| {
        let service =
            |name: &str, revision: &str| with(manifest::service(name, 2), json!({ "taskDefinition": revision }));
        scenario.given([manifest::cluster("main", &[]), sleeping("1000")]).await?;
        scenario.given([service("follows", "web"), service("pinned", "web:1")]).await?;
        scenario.then_within(60).the_service("follows").is_steady_on("web:1").await?;
        scenario.then_within(60).the_service("pinned").is_steady_on("web:1").await?;
        let pinned = scenario.task_uids("pinned");

        scenario.when_applied([sleeping("2000")]).await?;
        scenario.then_within(60).the_service("follows").is_steady_on("web:2").await?;
        scenario.then_within(10).the_service("pinned").is_steady_on("web:1").await?;
        ensure!(scenario.task_uids("pinned") == pinned, "tasks of the pinned service were replaced");

        // The content of revision 1 again is a new revision, as on ECS.
        scenario.when_applied([sleeping("1000")]).await?;
        scenario.then_within(60).the_service("follows").is_steady_on("web:3").await?;
        scenario.then_within(10).the_service("pinned").is_steady_on("web:1").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_family_is_deleted_and_made_again_then_numbers_go_on_where_they_were() -> Result<()> {
    Scenario::run("numbers", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), sleeping("1000"), manifest::service("web", 1)]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let before = scenario.task_uids("web");
        scenario.when_deleted("ECSTaskDefinition", "web").await?;
        scenario
            .then_within(30)
            .the_service("web")
            .has(is_false(ConditionType::Accepted, Reason::TaskDefinitionNotFound))
            .await?;
        ensure!(scenario.task_uids("web") == before, "tasks were stopped");

        scenario.when_applied([sleeping("1000")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_revision_is_deregistered_then_nothing_new_uses_it_and_what_runs_goes_on() -> Result<()> {
    Scenario::run("inactive", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), sleeping("1000")]).await?;
        scenario.given([with(manifest::service("old", 1), json!({ "taskDefinition": "web:1" }))]).await?;
        scenario.then_within(60).the_service("old").is_steady_on("web:1").await?;
        let before = scenario.task_uids("old");
        let annotation = json!({ "metadata": { "annotations": { "ecs-operator.dev/deregister": "true" } } });
        scenario.when_patched("ECSTaskDefinitionRevision", "web-1", annotation).await?;
        let then = scenario.then_within(30);
        then.object("ECSTaskDefinitionRevision", "web-1", "is INACTIVE", |revision| {
            revision.pointer("/status/status") == Some(&json!("INACTIVE"))
        })
        .await?;
        scenario.when_applied([with(manifest::service("new", 1), json!({ "taskDefinition": "web:1" }))]).await?;
        scenario
            .then_within(30)
            .the_service("new")
            .has(is_false(ConditionType::Accepted, Reason::TaskDefinitionInactive))
            .await?;
        scenario.then_within(30).the_service("old").is_steady_on("web:1").await?;
        ensure!(scenario.task_uids("old") == before, "tasks were replaced");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_family_keeps_few_revisions_then_older_ones_go_unless_something_uses_them() -> Result<()> {
    Scenario::run("history", async |scenario| {
        let keeping = |seconds: &str| with(sleeping(seconds), json!({ "kubernetes": { "revisionHistory": 1 } }));
        scenario.given([manifest::cluster("main", &[]), keeping("1000")]).await?;
        scenario.given([with(manifest::service("pinned", 1), json!({ "taskDefinition": "web:1" }))]).await?;
        scenario.then_within(60).the_service("pinned").is_steady_on("web:1").await?;
        for (seconds, latest) in [("2000", 2), ("3000", 3)] {
            scenario.when_applied([keeping(seconds)]).await?;
            let then = scenario.then_within(30);
            then.object("ECSTaskDefinition", "web", "has the new revision", move |family| {
                family.pointer("/status/latestRevision") == Some(&json!(latest))
            })
            .await?;
        }
        let then = scenario.then_within(30);
        then.object("ECSTaskDefinition", "web", "lists what is used and the latest", |family| {
            let listed = family.pointer("/status/revisions").and_then(Value::as_array);
            let numbers: Vec<_> = listed.into_iter().flatten().filter_map(|one| one["revision"].as_i64()).collect();
            numbers == [3, 1]
        })
        .await?;
        scenario.then_within(10).the_service("pinned").is_steady_on("web:1").await
    })
    .await
}
