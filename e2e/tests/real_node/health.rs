//! Health checks that are run in the container.

use anyhow::{Result, ensure};
use e2e::scenario::json::{condition, text};
use e2e::scenario::manifest::{and, real_container};
use e2e::scenario::{Scenario, task};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::given_a_task;

#[tokio::test(flavor = "multi_thread")]
async fn when_a_health_check_is_a_shell_line_then_the_shell_of_the_image_decides_with_the_environment_of_the_container()
-> Result<()> {
    Scenario::run("health", async |scenario| {
        let container = and(
            real_container("app", "shell", &["-c", "sleep 3; touch /tmp/ok; exec taskapp serve 8080"]),
            json!({
                "entryPoint": ["/bin/sh"],
                "environment": [{ "name": "GREETING", "value": "hello" }],
                "healthCheck": {
                    "command": ["CMD-SHELL", "test -e /tmp/ok && [ \"$GREETING\" = hello ] || exit 1"],
                    "interval": 5,
                    "timeout": 2,
                    "retries": 3,
                },
            }),
        );
        given_a_task(scenario, "web", &[container]).await?;
        let is_ready = |pod: &Value| task::status(pod, "app").is_some_and(|app| app["ready"] == true);
        let pod = scenario.then_within(90).pod("web", "it is ready", is_ready).await?;
        let started = task::status(&pod, "app").map(|app| text(app, "/state/running/startedAt"));
        let ready = condition(&pod, "Ready").map(|ready| text(ready, "/lastTransitionTime"));
        let [started, ready] = [started, ready].map(|time| time.unwrap_or_default().parse::<Timestamp>());
        // Whole seconds: from 10.9 s to 14.0 s are 4 of them, from 10.0 s to 13.9 s are 3.
        let waited = ready?.duration_since(started?).as_secs();
        ensure!(waited >= 3, "it was ready {waited} s after its start, before the file was there");
        // Without a health check it would be healthy 40 seconds after its start.
        scenario.then_within(30).the_service("web").is_steady().await
    })
    .await
}
