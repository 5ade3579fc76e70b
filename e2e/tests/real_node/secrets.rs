//! A task whose secret is missing waits for it.

use anyhow::{Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{and, real_container};
use e2e::scenario::task::status;
use e2e::scenario::then::text;
use serde_json::{Value, json};

use super::given_a_task;

#[tokio::test(flavor = "multi_thread")]
async fn when_a_secret_is_missing_then_the_task_does_not_start_until_it_is_made() -> Result<()> {
    Scenario::run("secret", async |scenario| {
        let from = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:database-AbCdEf:password::";
        let secrets = json!({ "secrets": [{ "name": "PASSWORD", "valueFrom": from }] });
        given_a_task(scenario, "web", &[and(real_container("app", "app", &["serve", "8080"]), secrets)]).await?;
        let waits = |pod: &Value| {
            let reason = status(pod, "app").map(|app| text(app, "/state/waiting/reason"));
            reason == Some("CreateContainerConfigError")
        };
        let pod = scenario.then_within(90).pod("web", "it waits for its secret", waits).await?;
        let reference = &pod["spec"]["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"];
        let (name, key) = (text(reference, "/name"), text(reference, "/key"));
        scenario
            .when_applied([json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": { "name": name },
                "stringData": { key: "open sesame" },
            })])
            .await?;
        let task = scenario.then_within(90).a_task_of("web").await?;
        let environment = scenario.then_within(20).get(&task, 8080, "/env").await?;
        let environment: Value = serde_json::from_str(&environment)?;
        ensure!(environment["PASSWORD"] == "open sesame", "the process has {}", environment["PASSWORD"]);
        Ok(())
    })
    .await
}
