//! Children follow their service: they change with it, and go when they are not wanted any more.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::manifest::{self, percents, with, with_container};
use e2e::scenario::{Scenario, json};
use k8s_openapi::api::core::v1::{ResourceQuota, Service};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::wait::await_condition;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn when_a_child_is_not_wanted_any_more_then_it_is_removed_and_nothing_else_is() -> Result<()> {
    Scenario::run("children", async |scenario| {
        let [one, two] = ["one", "two"].map(|name| format!("{}-{name}", scenario.namespace()));
        let nodes = |name: &str| manifest::capacity_provider(name, name, ("kubernetes.io/os", "linux"));
        scenario.given([nodes(&one), nodes(&two), manifest::cluster("main", &[&one, &two])]).await?;
        let service = |provider: &str| {
            let strategy = json!({
                "launchType": null, "capacityProviderStrategy": [{ "capacityProvider": provider, "weight": 1 }],
            });
            with(with(manifest::service("web", 2), strategy), percents(0, 200))
        };
        scenario.given([manifest::task_definition("web"), service(&one)]).await?;
        scenario.given([manifest::cpu_target("web", (2, 4), 50)]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let target = scenario.then_within(30);
        for kind in ["Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"] {
            target.object(kind, "web", "exists", |_| true).await?;
        }
        let first = scenario.objects("Deployment");
        ensure!(first.len() == 1, "there are {} Deployments", first.len());

        // A deployment moves everything to the other provider.
        let options = json!({
            "forceNewDeployment": true,
            "kubernetes": {
                "deploymentHistoryLimit": 1,
                "podDisruptionBudget": { "enabled": false },
                "service": { "labels": { "team": "orders" } },
            },
        });
        scenario.when_applied([with(service(&two), options.clone())]).await?;
        let then = scenario.then_within(60);
        let old = json::text(&first[0], "/metadata/name");
        then.is_gone("Deployment", old).await?;
        then.is_gone("PodDisruptionBudget", "web").await?;
        let has_label = |object: &serde_json::Value| object["metadata"]["labels"]["team"] == "orders";
        then.object("Service", "web", "has the label", has_label).await?;
        then.the_service("web").is_steady().await?;

        // The history is as long as it may be.
        for number in 2..4 {
            let image = json!({ "image": format!("example.com/web:{number}") });
            scenario.when_applied([with_container(manifest::task_definition("web"), image)]).await?;
            scenario.then_within(60).the_service("web").is_steady_on(&format!("web:{number}")).await?;
        }
        let short = |objects: &e2e::scenario::Objects| {
            let records = objects.keys().filter(|(kind, _)| *kind == "ECSServiceDeployment").count();
            if records <= 2 { Ok(()) } else { Err(format!("there are {records}")) }
        };
        scenario.then_within(30).until("old records are removed", short).await?;

        let no_service =
            with(with(service(&two), options), json!({ "kubernetes": { "service": { "enabled": false } } }));
        let idle = with(manifest::cpu_target("web", (2, 4), 50), json!({ "ScalingPolicies": [] }));
        scenario.when_applied([no_service, idle]).await?;
        let then = scenario.then_within(30);
        then.is_gone("Service", "web").await?;
        then.is_gone("HorizontalPodAutoscaler", "web").await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:3").await?;
        ensure!(scenario.task_uids("web").len() == 2, "tasks went as well");

        scenario.when_deleted("ECSScalableTarget", "web").await?;
        scenario.when_deleted("ECSService", "web").await?;
        scenario.when_deleted("ECSCluster", "main").await?;
        scenario.when_deleted("ECSCapacityProvider", &one).await?;
        scenario.when_deleted("ECSCapacityProvider", &two).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_quota_refuses_one_child_then_tasks_are_started_and_scaled_all_the_same() -> Result<()> {
    Scenario::run_on_kwok("refused-child", async |scenario| {
        let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "no-services" },
            "spec": { "hard": { "count/services": "0" } } });
        let quotas: Api<ResourceQuota> = Api::namespaced(scenario.client().clone(), scenario.namespace());
        quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
        let counted = |quota: Option<&ResourceQuota>| {
            quota.and_then(|quota| quota.status.as_ref()).is_some_and(|status| status.used.is_some())
        };
        await_condition(quotas.clone(), "no-services", counted).await?;
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 3)]).await?;
        scenario.then_within(60).the_service("web").has_tasks(3).await?;
        let said =
            scenario.then_within(60).the_service("web").has(is_true(ConditionType::Stalled, Reason::AdmissionDenied));
        let said = said.await?;
        ensure!(said.contains("Service") && said.contains("exceeded quota"), "{said}");
        scenario.when_scaled("web", 6).await?;
        scenario.then_within(60).the_service("web").has_tasks(6).await?;
        quotas.delete("no-services", &DeleteParams::default()).await?;
        scenario.then_within(150).the_service("web").is_steady().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_somebody_else_has_the_name_of_a_child_then_tasks_run_all_the_same_and_the_service_says_whose_it_is()
-> Result<()> {
    Scenario::run_on_kwok("name-taken", async |scenario| {
        let foreign = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
            "spec": { "ports": [{ "port": 80 }] } });
        let services: Api<Service> = Api::namespaced(scenario.client().clone(), scenario.namespace());
        services.create(&PostParams::default(), &serde_json::from_value(foreign)?).await?;
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 2)]).await?;
        scenario.then_within(60).the_service("web").has_tasks(2).await?;
        let taken = is_false(ConditionType::Ready, Reason::ConflictingObject);
        let said = scenario.then_within(60).the_service("web").has(taken).await?;
        ensure!(said.contains("Service") && said.contains("web"), "{said}");
        let left = services.get("web").await?;
        ensure!(left.metadata.owner_references.is_none() && left.metadata.labels.is_none(), "{left:?}");
        services.delete("web", &DeleteParams::default()).await?;
        scenario.then_within(150).the_service("web").is_steady().await?;
        ensure!(services.get("web").await?.metadata.owner_references.is_some(), "the Service is not the operator's");
        Ok(())
    })
    .await
}
