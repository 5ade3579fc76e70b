//! What is wrong is said in the words of ECS, and heals when the cause is gone.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::fate;
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, percents, with, with_container};
use e2e::scenario::{Bounds, Scenario};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn when_an_image_cannot_be_pulled_then_the_service_says_so_and_its_old_tasks_keep_running() -> Result<()> {
    Scenario::run_on_kwok("pull", async |scenario| {
        let on = |revision: &str| {
            let service = with(manifest::service("web", 3), json!({ "taskDefinition": revision }));
            with(service, percents(100, 200))
        };
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web"), on("web:1")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let before = scenario.task_uids("web");
        let sampler = scenario.sample("web", Bounds { at_least: 3, at_most: 6, min_ready_seconds: 0 });

        let denied = "pull access denied for example.com/web, repository does not exist";
        scenario
            .when_applied([
                with_container(manifest::task_definition("web"), json!({ "image": "example.com/web:nope" })),
                with(on("web:2"), manifest::fate(fate::IMAGE_PULL_ERROR, denied)),
            ])
            .await?;
        let then = scenario.then_within(60);
        let message =
            then.the_service("web").has(is_true(ConditionType::Stalled, Reason::CannotPullContainerError)).await?;
        ensure!(message.contains("CannotPullContainerError") && message.contains(denied), "{message}");
        then.the_service("web").has(is_false(ConditionType::Ready, Reason::CannotPullContainerError)).await?;
        let service = scenario.object("ECSService", "web").unwrap_or_default();
        ensure!(service["status"]["runningCount"] == 3, "runningCount is {}", service["status"]["runningCount"]);
        ensure!(text(&service, "/status/deployments/1/status") == "ACTIVE", "{}", service["status"]["deployments"]);
        let now = scenario.task_uids("web");
        ensure!(before.iter().all(|uid| now.contains(uid)), "an old task was stopped");

        // What a service says of its pods counts from the next deployment on.
        scenario.when_applied([manifest::revised(manifest::task_definition("web"), "3"), on("web:3")]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:3").await?;
        scenario.then_within(10).the_service("web").has(is_false(ConditionType::Stalled, Reason::SteadyState)).await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_what_a_service_names_is_missing_then_it_says_what_and_goes_on_when_it_appears() -> Result<()> {
    Scenario::run("missing", async |scenario| {
        let provider = format!("{}-nodes", scenario.namespace());
        let balanced = json!({
            "launchType": null,
            "capacityProviderStrategy": [{ "capacityProvider": provider, "weight": 1 }],
            "loadBalancers": [{ "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/6d0ecf831eec9f09",
                "containerName": "front", "containerPort": 8080 }],
        });
        scenario.when_applied([with(manifest::service("web", 1), balanced)]).await?;
        let then = scenario.then_within(30);
        let service = then.the_service("web");
        let said = service.has(is_false(ConditionType::Accepted, Reason::ClusterNotFoundException)).await?;
        ensure!(said.contains("main"), "{said}");

        scenario.when_applied([manifest::cluster("main", &[&provider])]).await?;
        let said = service.has(is_false(ConditionType::Accepted, Reason::CapacityProviderNotFound)).await?;
        ensure!(said.contains(&provider), "{said}");

        let nodes = manifest::capacity_provider(&provider, &provider, ("kubernetes.io/os", "linux"));
        scenario.when_applied([nodes]).await?;
        let said = service.has(is_false(ConditionType::Accepted, Reason::TaskDefinitionNotFound)).await?;
        ensure!(said.contains("family web"), "{said}");

        scenario.when_applied([manifest::task_definition("web")]).await?;
        let said = service.has(is_false(ConditionType::Accepted, Reason::ContainerNotFound)).await?;
        ensure!(said.contains("spec.loadBalancers[0].containerName") && said.contains("front"), "{said}");
        ensure!(scenario.objects("Deployment").is_empty(), "something runs already");

        scenario.when_applied([with_container(manifest::task_definition("web"), json!({ "name": "front" }))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;

        scenario.when_deleted("ECSService", "web").await?;
        scenario.when_deleted("ECSCluster", "main").await?;
        scenario.when_deleted("ECSCapacityProvider", &provider).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_secret_is_missing_then_the_service_names_it_and_goes_on_when_it_appears() -> Result<()> {
    Scenario::run_on_kwok("secret", async |scenario| {
        let secret = json!({ "secrets": [{
            "name": "PASSWORD",
            "valueFrom": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:database-AbCdEf:password::",
        }] });
        let definition = with_container(manifest::task_definition("web"), secret);
        // What a kubelet says of such a pod.
        let waits = manifest::fate(fate::CONFIG_ERROR, "secret \"database\" not found");
        scenario.given([manifest::cluster("main", &[]), definition, with(manifest::service("web", 1), waits)]).await?;
        let then = scenario.then_within(60);
        let said =
            then.the_service("web").has(is_false(ConditionType::SecretsResolved, Reason::SecretNotFound)).await?;
        ensure!(said.contains("database"), "{said}");
        then.the_service("web").has(is_true(ConditionType::Stalled, Reason::ResourceInitializationError)).await?;

        let pod = scenario.objects("Pod").into_iter().next().unwrap_or_default();
        let env = pod["spec"]["containers"][0]["env"].to_string();
        ensure!(env.contains(r#""secretKeyRef":{"key":"password","name":"database"}"#), "{env}");
        scenario.when_fate_changes("web", fate::CONFIG_ERROR, None).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        scenario
            .then_within(10)
            .the_service("web")
            .has(is_true(ConditionType::SecretsResolved, Reason::SecretsResolved))
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_node_fits_then_the_service_says_so_in_the_words_of_ecs_and_starts_when_one_does() -> Result<()> {
    Scenario::run_on_kwok("placement", async |scenario| {
        let huge = with_container(manifest::task_definition("web"), json!({ "cpu": 102_400 }));
        scenario.given([manifest::cluster("main", &[]), huge, manifest::service("web", 1)]).await?;
        let then = scenario.then_within(60);
        // Not stalled: nodes come and go, and nobody has to change the service.
        then.the_service("web").has(is_false(ConditionType::Ready, Reason::TaskPlacementFailure)).await?;
        then.the_service("web").has(is_false(ConditionType::Stalled, Reason::TaskPlacementFailure)).await?;
        let text = "was unable to place a task because no container instance met all of its requirements.";
        then.the_service("web").tells(text).await?;
        scenario.when_applied([manifest::task_definition("web")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await
    })
    .await
}
