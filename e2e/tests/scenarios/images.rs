//! Tags become digests once per deployment, as a real registry says them.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::registry::{Access, PASSWORD, Registry, pull_secret};
use e2e::scenario::Scenario;
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, with_container};
use e2e::scenario::records::workloads;
use serde_json::{Value, json};

const REPOSITORY: &str = "team/app";

fn definition(registry: &Registry, container: Value) -> Value {
    let image = json!({ "image": format!("{}/{REPOSITORY}:1", registry.address()) });
    with_container(with_container(manifest::task_definition("web"), image), container)
}

async fn is_steady_with(scenario: &Scenario, image: &str, count: usize) -> Result<()> {
    let then = scenario.then_within(60);
    then.until(&format!("a Deployment runs {image}"), |objects| {
        let images = workloads(objects, "web").into_iter();
        let images: Vec<_> =
            images.map(|deployment| text(deployment, "/spec/template/spec/containers/0/image")).collect();
        if images.contains(&image) { Ok(()) } else { Err(format!("they run {images:?}")) }
    })
    .await?;
    then.the_service("web").is_steady().await?;
    let tasks = scenario.task_uids("web");
    ensure!(tasks.len() == count, "{} tasks instead of {count}", tasks.len());
    for pod in scenario.objects("Pod").iter().filter(|pod| tasks.contains(&text(pod, "/metadata/uid").to_owned())) {
        let runs = text(pod, "/spec/containers/0/image");
        ensure!(runs == image, "a task runs {runs} instead of {image}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_tag_moves_then_a_running_deployment_keeps_its_digest_and_a_forced_one_gets_the_new() -> Result<()> {
    Scenario::run_on_kwok("tags", async |scenario| {
        let registry = Registry::start(Access::Open).await?;
        let first = registry.push(REPOSITORY, "1", "first").await?;
        let image = |digest: &str| format!("{}/{REPOSITORY}@{digest}", registry.address());
        scenario.given([manifest::cluster("main", &[]), definition(&registry, json!({}))]).await?;
        scenario.when_applied([manifest::service("web", 1)]).await?;
        is_steady_with(scenario, &image(&first), 1).await?;
        scenario
            .then_within(10)
            .condition("ECSService", "web", is_true(ConditionType::ImagesResolved, Reason::ImagesResolved))
            .await?;
        let records = scenario.objects("ECSServiceDeployment");
        let listed = records.first().and_then(|record| record.pointer("/spec/serviceRevision/containerImages"));
        let tag = format!("{}/{REPOSITORY}:1", registry.address());
        let expected = json!([{ "containerName": "app", "image": tag, "imageDigest": first }]);
        ensure!(listed == Some(&expected), "the record lists {listed:?}");

        let second = registry.push(REPOSITORY, "1", "second").await?;
        ensure!(first != second, "the tag did not move");
        scenario.when_scaled("web", 3).await?;
        is_steady_with(scenario, &image(&first), 3).await?;

        let force = json!({ "kubernetes": { "forceNewDeployment": "again" } });
        scenario.when_service_changed("web", force).await?;
        is_steady_with(scenario, &image(&second), 3).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_version_consistency_is_disabled_then_the_image_is_as_written() -> Result<()> {
    Scenario::run_on_kwok("inconsistent", async |scenario| {
        let registry = Registry::start(Access::Open).await?;
        registry.push(REPOSITORY, "1", "first").await?;
        let disabled = definition(&registry, json!({ "versionConsistency": "disabled" }));
        scenario.given([manifest::cluster("main", &[]), disabled]).await?;
        scenario.when_applied([manifest::service("web", 1)]).await?;
        is_steady_with(scenario, &format!("{}/{REPOSITORY}:1", registry.address()), 1).await
    })
    .await
}

/// A service whose image is in a registry that asks who one is.
async fn private(name: &str, access: Access, password: &str) -> Result<()> {
    Scenario::run_on_kwok(name, async |scenario| {
        let registry = Registry::start(access).await?;
        let digest = registry.push(REPOSITORY, "1", "private").await?;
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pull-AbCdEf";
        let credentials = json!({ "repositoryCredentials": { "credentialsParameter": arn } });
        scenario.given([pull_secret("pull", &registry.docker_config(password))]).await?;
        scenario.given([manifest::cluster("main", &[]), definition(&registry, credentials)]).await?;
        scenario.when_applied([manifest::service("web", 1)]).await?;
        let repository = format!("{}/{REPOSITORY}", registry.address());
        if password == PASSWORD {
            return is_steady_with(scenario, &format!("{repository}@{digest}"), 1).await;
        }
        // ECS would start the tasks as well: whether nodes may pull is another matter.
        is_steady_with(scenario, &format!("{repository}:1"), 1).await?;
        let then = scenario.then_within(10);
        let message = then
            .condition("ECSService", "web", is_false(ConditionType::ImagesResolved, Reason::ImageDigestUnresolved))
            .await?;
        ensure!(message.contains(&repository) && message.contains("refuses the credentials"), "{message}");
        ensure!(!message.contains(password), "the password is in the condition");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_registry_asks_for_a_password_then_the_pull_secret_of_the_task_has_it() -> Result<()> {
    private("password", Access::Password, PASSWORD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_registry_asks_for_a_token_then_the_pull_secret_of_the_task_gets_one() -> Result<()> {
    private("token", Access::Token, PASSWORD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_password_is_wrong_then_the_service_says_so_and_runs_the_tag() -> Result<()> {
    private("wrong-password", Access::Password, "hunter2").await?;
    private("wrong-token", Access::Token, "hunter2").await
}
