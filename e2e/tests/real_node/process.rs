//! What a process sees of its task definition: arguments, environment, user, rights, files, kernel settings.

use anyhow::{Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{and, real_container};
use serde_json::{Value, json};

use super::given_a_task;

/// What the process of the only container, which serves on port 8080, tells of itself.
async fn told(scenario: &Scenario, service: &str, settings: &[&str]) -> Result<Value> {
    let task = scenario.then_within(90).a_task_of(service).await?;
    scenario.then_within(30).id(&task, 8080, settings).await
}

/// Image, `entryPoint`, `command`, and the arguments of the process.
type Form = (&'static str, &'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const SERVE: [&str; 3] = ["/bin/taskapp", "serve", "8080"];

#[tokio::test(flavor = "multi_thread")]
async fn when_entry_point_and_command_are_given_or_left_out_then_the_process_has_the_arguments_that_ecs_gives()
-> Result<()> {
    const FORMS: [Form; 5] = [
        ("entrypoint-of-image", "app", &[], &["serve", "8080"], &SERVE),
        ("command-of-image", "cmd", &[], &[], &SERVE),
        ("command-instead-of-image", "cmd", &[], &["/bin/taskapp", "serve", "8080"], &SERVE),
        ("entry-point-instead", "app", &["/bin/taskapp", "serve"], &["8080"], &SERVE),
        // An entry point alone drops the command of the image.
        ("entry-point-alone", "cmd", &["/bin/taskapp", "serve", "8080"], &[], &SERVE),
    ];
    Scenario::run("forms", async |scenario| {
        for (name, image, entry_point, command, _) in FORMS {
            let mut container = real_container("app", image, command);
            if !entry_point.is_empty() {
                container = and(container, json!({ "entryPoint": entry_point }));
            }
            given_a_task(scenario, name, &[container]).await?;
        }
        for (name, _, _, _, arguments) in FORMS {
            let id = told(scenario, name, &[]).await?;
            ensure!(id["arguments"] == json!(arguments), "{name}: {}", id["arguments"]);
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_environment_directory_and_user_are_set_then_the_process_has_them() -> Result<()> {
    Scenario::run("process", async |scenario| {
        let container = and(
            real_container("app", "app", &["serve", "8080"]),
            json!({
                "environment": [
                    { "name": "GREETING", "value": "hello" },
                    { "name": "LITERAL", "value": "$(GREETING) $$(X) $HOME" },
                    { "name": "EMPTY", "value": "" },
                ],
                "workingDirectory": "/tmp",
                "user": "1234:4321",
                "readonlyRootFilesystem": true,
            }),
        );
        given_a_task(scenario, "set", &[container]).await?;
        given_a_task(scenario, "image", &[real_container("app", "user", &["serve", "8080"])]).await?;
        given_a_task(scenario, "cmd", &[real_container("app", "cmd", &[])]).await?;

        let id = told(scenario, "set", &[]).await?;
        let environment = &id["environment"];
        ensure!(environment["GREETING"] == "hello", "{environment}");
        // ECS expands nothing.
        ensure!(environment["LITERAL"] == "$(GREETING) $$(X) $HOME", "{environment}");
        ensure!(environment["EMPTY"] == "" && environment["FROM_IMAGE"] == "yes", "{environment}");
        ensure!((&id["uid"], &id["gid"]) == (&json!(1234), &json!(4321)), "{} {}", id["uid"], id["gid"]);
        ensure!(id["cwd"] == "/tmp" && id["isRootWritable"] == false, "{} {}", id["cwd"], id["isRootWritable"]);

        let id = told(scenario, "image", &[]).await?;
        ensure!((&id["uid"], &id["gid"]) == (&json!(1234), &json!(5678)), "{} {}", id["uid"], id["gid"]);
        let id = told(scenario, "cmd", &[]).await?;
        ensure!(id["cwd"] == "/data" && id["uid"] == 0, "{} {}", id["cwd"], id["uid"]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_linux_parameters_are_set_then_the_process_has_these_rights_and_sizes() -> Result<()> {
    Scenario::run("linux", async |scenario| {
        scenario.given_allowed(json!({ "ecs-operator.dev/allowed-host-access": "capabilities=SYS_PTRACE" })).await?;
        let container = and(
            real_container("app", "app", &["serve", "8080"]),
            json!({
                "memory": 128,
                "linuxParameters": {
                    "capabilities": { "add": ["SYS_PTRACE"], "drop": ["NET_RAW", "MKNOD"] },
                    "sharedMemorySize": 16,
                    "tmpfs": [{ "containerPath": "/scratch", "size": 8 }],
                },
                "systemControls": [{ "namespace": "net.core.somaxconn", "value": "4242" }],
            }),
        );
        given_a_task(scenario, "app", &[container]).await?;
        let id = told(scenario, "app", &["net.core.somaxconn"]).await?;
        let capabilities = id["capabilities"].as_array().unwrap();
        let has = |name: &str| capabilities.contains(&json!(name));
        ensure!(has("SYS_PTRACE") && has("CHOWN"), "{capabilities:?}");
        ensure!(!has("NET_RAW") && !has("MKNOD") && !has("SYS_ADMIN"), "{capabilities:?}");
        ensure!(id["settings"]["net.core.somaxconn"] == "4242", "{}", id["settings"]);
        for (path, mebibytes) in [("/dev/shm", 16), ("/scratch", 8)] {
            let mounts = id["mounts"].as_array().unwrap();
            // What was mounted last is what the process sees.
            let mount = mounts.iter().rfind(|mount| mount["path"] == path);
            ensure!(mount.is_some_and(|mount| mount["bytes"] == mebibytes << 20), "{path}: {mount:?}");
        }
        Ok(())
    })
    .await
}
