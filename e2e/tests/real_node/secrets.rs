//! A task whose secret is missing waits for it.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::scenario::Scenario;
use e2e::scenario::condition::is_true;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{and, real_container};
use e2e::scenario::task::status;
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

#[tokio::test(flavor = "multi_thread")]
async fn when_files_and_environment_have_one_variable_then_the_process_has_what_ecs_would_give_it() -> Result<()> {
    Scenario::run("files", async |scenario| {
        // The ARNs of the files, and the ConfigMaps that hold their variables.
        let (first, second) = ("arn:aws:s3:::config/first.env", "arn:aws:s3:::config/second.env");
        let (first_map, second_map) = ("env-config-first-env-dc9e081c", "env-config-second-env-effbb6bf");
        let file = |name: &str, data: Value| {
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
        };
        let more = json!({
            "environment": [{ "name": "A", "value": "environment $(B)" }],
            "environmentFiles": [{ "type": "s3", "value": first }, { "type": "s3", "value": second }],
        });
        scenario.given([file(second_map, json!({ "A": "second", "B": "second", "C": "$(A) \"second\" " }))]).await?;
        given_a_task(scenario, "web", &[and(real_container("app", "app", &["serve", "8080"]), more)]).await?;
        let waits = |pod: &Value| {
            let message = status(pod, "app").map(|app| text(app, "/state/waiting/message").to_owned());
            message.is_some_and(|message| message.contains(first_map))
        };
        scenario.then_within(60).pod("web", "it waits for the first file", waits).await?;
        let then = scenario.then_within(30);
        let said = then.the_service("web").has(is_true(ConditionType::Stalled, Reason::ResourceInitializationError)).await?;
        ensure!(said.contains(first_map), "{said}");
        scenario.when_applied([file(first_map, json!({ "A": "first", "B": " first" }))]).await?;
        let task = scenario.then_within(60).a_task_of("web").await?;
        let environment = scenario.then_within(10).get(&task, 8080, "/env").await?;
        let environment: Value = serde_json::from_str(&environment)?;
        for (name, value) in [("A", "environment $(B)"), ("B", " first"), ("C", "$(A) \"second\" ")] {
            ensure!(environment[name] == value, "{name} is {}", environment[name]);
        }
        Ok(())
    })
    .await
}
