//! What the administrator of a namespace allows, and what he takes back.

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::scenario::Scenario;
use e2e::scenario::condition::is_false;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, with, with_container};
use serde_json::json;

const HOST_ACCESS: &str = "ecs-operator.dev/allowed-host-access";

#[tokio::test(flavor = "multi_thread")]
async fn when_a_task_wants_a_part_of_the_node_then_nothing_is_made_until_an_administrator_allows_it() -> Result<()> {
    Scenario::run_on_kwok("host-access", async |scenario| {
        let volume = json!({ "name": "data", "host": { "sourcePath": "/var/lib/e2e" } });
        let definition = with(manifest::task_definition("agent"), json!({ "pidMode": "host", "volumes": [volume] }));
        scenario.given([manifest::cluster("main", &[]), definition, manifest::service("agent", 1)]).await?;
        let refused = is_false(ConditionType::Accepted, Reason::AccessDeniedException);
        let said = scenario.then_within(30).condition("ECSTaskDefinition", "agent", refused).await?;
        for part in [
            "spec.pidMode: AccessDeniedException: ",
            "ecs-operator.dev/allowed-host-access=host-pid",
            "spec.volumes[0].host.sourcePath: AccessDeniedException: ",
            "ecs-operator.dev/allowed-host-access=host-paths=/var/lib/e2e",
        ] {
            ensure!(said.contains(part), "no `{part}` in {said}");
        }
        ensure!(scenario.objects("Deployment").is_empty(), "something runs");

        scenario.given_allowed(json!({ HOST_ACCESS: "host-pid,host-paths=/var/lib/*" })).await?;
        scenario.then_within(60).the_service("agent").is_steady_on("agent:1").await?;
        let pod = scenario.objects("Pod").into_iter().next().context("there is no pod")?;
        ensure!(pod["spec"]["hostPID"] == true, "{}", pod["spec"]);
        ensure!(text(&pod, "/spec/securityContext/seccompProfile/type") == "RuntimeDefault", "{}", pod["spec"]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_permission_is_taken_back_then_an_earlier_deployment_does_not_bring_it_back() -> Result<()> {
    Scenario::run_on_kwok("taken-back", async |scenario| {
        scenario.given_allowed(json!({ HOST_ACCESS: "privileged" })).await?;
        let privileged = with_container(manifest::task_definition("web"), json!({ "privileged": true }));
        scenario.given([manifest::cluster("main", &[]), privileged, manifest::service("web", 1)]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let first = scenario.records("web").into_iter().next().context("there is no deployment")?;
        scenario.when_applied([manifest::task_definition("web")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        let before = scenario.task_uids("web");

        scenario.given_allowed(json!({ HOST_ACCESS: null })).await?;
        scenario.when_service_changed("web", json!({ "kubernetes": { "serviceRevision": first.name } })).await?;
        let refused = is_false(ConditionType::Accepted, Reason::AccessDeniedException);
        let said = scenario.then_within(30).the_service("web").has(refused).await?;
        for part in ["spec.kubernetes.serviceRevision: ", "ecs-operator.dev/allowed-host-access=privileged"] {
            ensure!(said.contains(part), "no `{part}` in {said}");
        }
        ensure!(scenario.task_uids("web") == before, "tasks were replaced");

        scenario.given_allowed(json!({ HOST_ACCESS: "privileged" })).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await
    })
    .await
}
