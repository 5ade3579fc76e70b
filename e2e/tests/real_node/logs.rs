//! What the containers of a task with a log router see of it.

use anyhow::{Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{and, real_container};
use serde_json::{Value, json};

use super::given_a_task;

#[tokio::test(flavor = "multi_thread")]
async fn when_a_task_has_a_log_router_then_it_reads_its_configuration_and_the_others_know_its_address() -> Result<()> {
    Scenario::run("router", async |scenario| {
        let log = json!({ "logConfiguration": { "logDriver": "awsfirelens", "options": { "Name": "stdout" } } });
        let app = and(real_container("app", "app", &["serve", "8080"]), log);
        let router = json!({ "firelensConfiguration": { "type": "fluentbit" } });
        let router = and(real_container("log_router", "app", &["serve", "8081"]), router);
        given_a_task(scenario, "web", &[app, router]).await?;
        let task = scenario.then_within(60).a_task_of("web").await?;
        let is_whole = |lines: &[&str]| {
            ["    unix_path /var/run/fluent.sock", "    Match app-firelens*"].iter().all(|line| lines.contains(line))
        };
        scenario.then_within(10).file(&task, 8081, "/fluent-bit/etc/fluent-bit.conf", is_whole).await?;
        let environment = async |port: u16| -> Result<Value> {
            Ok(serde_json::from_str(&scenario.then_within(10).get(&task, port, "/env").await?)?)
        };
        let app = environment(8080).await?;
        ensure!(app["FLUENT_HOST"] == "127.0.0.1" && app["FLUENT_PORT"] == "24224", "{app}");
        let router = environment(8081).await?;
        let uid = task["metadata"]["uid"].as_str().unwrap();
        ensure!(router["FIRELENS_TASK"] == format!("task/main/{uid}"), "{router}");
        ensure!(router["FIRELENS_FAMILY"] == "web" && router["FIRELENS_REVISION"] == "1", "{router}");
        Ok(())
    })
    .await
}
