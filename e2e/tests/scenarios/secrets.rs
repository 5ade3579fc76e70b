//! Secrets that External Secrets or the Secrets Store CSI driver fetches, which administrators allow.

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::fate;
use e2e::scenario::Scenario;
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::json::{condition, find, text};
use e2e::scenario::kinds::Known;
use e2e::scenario::manifest::{self, with, with_container};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:database-AbCdEf";

/// Whether the cluster has the definitions, and the operator was installed to use them.
async fn has(scenario: &Scenario, group: &str) -> Result<bool> {
    let groups = scenario.client().list_api_groups().await?;
    let is_served = groups.groups.iter().any(|known| known.name == group);
    if !is_served {
        println!("skipped: the cluster does not serve {group}");
    }
    Ok(is_served)
}

/// What an administrator writes.
async fn allow(scenario: &Scenario, annotations: Value) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(scenario.client().clone());
    let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
    namespaces.patch(scenario.namespace(), &PatchParams::default(), &patch).await?;
    Ok(())
}

fn reading(secrets: &Value) -> Value {
    with_container(manifest::task_definition("web"), json!({ "secrets": secrets }))
}

/// The External Secrets Operator as far as the scenario sees it: makes the Secret that each ExternalSecret describes, from a
/// store in which every value is the name of its key.
async fn external_secrets(client: Client, namespace: String) -> Result<()> {
    let sources = Known::find("ExternalSecret")?.api(&client, &namespace);
    let secrets = Known::find("Secret")?.api(&client, &namespace);
    let mut events = watcher(sources.clone(), watcher::Config::default()).applied_objects().boxed();
    while let Some(event) = events.next().await {
        let Ok(source) = event else { continue };
        let spec = &source.data["spec"];
        let name = text(spec, "/target/name").to_owned();
        let keys = spec["data"].as_array().into_iter().flatten().map(|item| text(item, "/secretKey").to_owned());
        let data: serde_json::Map<String, Value> = keys.map(|key| (key.clone(), Value::from(key))).collect();
        let secret: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": data,
            "metadata": { "name": name, "ownerReferences": [{
                "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": source.name_any(),
                "uid": source.uid(), "controller": true,
            }] },
        }))?;
        match secrets.create(&PostParams::default(), &secret).await {
            Err(kube::Error::Api(status)) if status.code == 409 => continue,
            other => drop(other?),
        }
        let ready = json!({ "type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced" });
        let patch = Patch::Merge(json!({ "status": { "conditions": [ready] } }));
        sources.patch_status(&source.name_any(), &PatchParams::default(), &patch).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_external_secrets_is_there_then_tasks_wait_for_what_it_fetches_anew_for_each_deployment() -> Result<()> {
    Scenario::run_on_kwok("fetched", async |scenario| {
        if !has(scenario, "external-secrets.io").await? {
            return Ok(());
        }
        for kind in ["ExternalSecret", "Secret"] {
            scenario.view().watch(Known::find(kind)?).await?;
        }
        let list = format!("{SECRET}:*");
        allow(
            scenario,
            json!({ "ecs-operator.dev/secret-store": "SecretStore/aws", "ecs-operator.dev/allowed-secrets": list }),
        )
        .await?;
        let definition = reading(&json!([
            { "name": "PASSWORD", "valueFrom": format!("{SECRET}:password::") },
            { "name": "USER", "valueFrom": format!("{SECRET}:user:AWSPREVIOUS:") },
        ]));
        let waits = manifest::fate(fate::CONFIG_ERROR, "secret \"fetched\" not found");
        scenario.given([manifest::cluster("main", &[]), definition, with(manifest::service("web", 1), waits)]).await?;

        let described = scenario
            .then_within(60)
            .until("there is what describes the fetch", |objects| {
                let mut found = objects.iter().filter(|((kind, _), _)| *kind == "ExternalSecret");
                found.next().map(|(_, object)| object.clone()).ok_or_else(|| "there is none".to_owned())
            })
            .await?;
        let name = text(&described, "/metadata/name").to_owned();
        ensure!(text(&described, "/spec/secretStoreRef/name") == "aws", "{described}");
        ensure!(text(&described, "/spec/refreshPolicy") == "CreatedOnce", "{described}");
        scenario
            .then_within(60)
            .the_service("web")
            .has(is_false(ConditionType::SecretsResolved, Reason::SecretNotFound))
            .await?;
        // What a kubelet says of such a pod.
        let message = format!("secret \"{name}\" not found");
        scenario.when_fate_changes("web", fate::CONFIG_ERROR, Some(&message)).await?;
        let said = scenario
            .then_within(60)
            .until("the service says what its tasks wait for", |objects| {
                let service = find(objects, "ECSService", "web").ok_or("there is no service")?;
                let resolved = condition(service, "SecretsResolved").ok_or("it says nothing")?;
                let said = text(resolved, "/message").to_owned();
                if said.starts_with(&format!("Secret {name} does not exist")) { Ok(said) } else { Err(said) }
            })
            .await?;
        ensure!(said.contains("database.") && said.contains("has not reported yet"), "{said}");

        let fetching = tokio::spawn(external_secrets(scenario.client().clone(), scenario.namespace().to_owned()));
        let keys = described["spec"]["data"].as_array().map_or(0, Vec::len);
        let complete = |secret: &Value| secret["data"].as_object().is_some_and(|data| data.len() == keys);
        scenario.then_within(60).object("Secret", &name, "it has every key", complete).await?;
        scenario.when_fate_changes("web", fate::CONFIG_ERROR, None).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let said = scenario
            .then_within(10)
            .the_service("web")
            .has(is_true(ConditionType::SecretsResolved, Reason::SecretsResolved))
            .await?;
        ensure!(said.ends_with("ExternalSecrets"), "{said}");

        // Somebody edits what the operator wrote; it is written again.
        scenario.when_patched("ExternalSecret", &name, json!({ "spec": { "refreshPolicy": "Periodic" } })).await?;
        let is_repaired = |object: &Value| text(object, "/spec/refreshPolicy") == "CreatedOnce";
        scenario.then_within(60).object("ExternalSecret", &name, "it is as it was", is_repaired).await?;

        let force = json!({ "kubernetes": { "forceNewDeployment": "again", "podAnnotations": null } });
        scenario.when_service_changed("web", force).await?;
        for kind in ["ExternalSecret", "Secret"] {
            scenario.then_within(90).is_gone(kind, &name).await.with_context(|| format!("the first {kind}"))?;
        }
        scenario.then_within(60).the_service("web").is_steady().await?;
        let fetched = scenario.objects("ExternalSecret");
        ensure!(fetched.len() == 1 && text(&fetched[0], "/metadata/name") != name, "{fetched:?}");
        fetching.abort();
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_csi_driver_may_fetch_then_a_container_mounts_a_class_of_its_own() -> Result<()> {
    Scenario::run_on_kwok("mounted", async |scenario| {
        if !has(scenario, "secrets-store.csi.x-k8s.io").await? {
            return Ok(());
        }
        scenario.view().watch(Known::find("SecretProviderClass")?).await?;
        allow(
            scenario,
            json!({ "ecs-operator.dev/secrets-store-csi": "aws", "ecs-operator.dev/allowed-secrets": "*" }),
        )
        .await?;
        let definition = reading(&json!([{ "name": "PASSWORD", "valueFrom": format!("{SECRET}:password::") }]));
        scenario.given([manifest::cluster("main", &[]), definition, manifest::service("web", 1)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let classes = scenario.objects("SecretProviderClass");
        let class = classes.first().filter(|_| classes.len() == 1).context("not one class")?;
        let name = text(class, "/metadata/name").to_owned();
        ensure!(text(class, "/spec/parameters/objects").contains("jmesPath"), "{class}");
        let pod = scenario.objects("Pod").into_iter().next().context("no pod")?;
        let volumes = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        let mounted = volumes.iter().any(|volume| {
            text(volume, "/csi/volumeAttributes/secretProviderClass") == name && text(volume, "/name") == name
        });
        ensure!(mounted, "{volumes:?}");
        scenario.when_patched("SecretProviderClass", &name, json!({ "spec": { "provider": "azure" } })).await?;
        let is_repaired = |object: &Value| text(object, "/spec/provider") == "aws";
        scenario.then_within(60).object("SecretProviderClass", &name, "it is as it was", is_repaired).await?;
        scenario.when_service_changed("web", json!({ "kubernetes": { "forceNewDeployment": "again" } })).await?;
        scenario.then_within(90).is_gone("SecretProviderClass", &name).await?;
        scenario.then_within(60).the_service("web").is_steady().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_administrator_leaves_a_role_out_then_it_is_refused_until_it_is_listed() -> Result<()> {
    Scenario::run_on_kwok("passed", async |scenario| {
        let role = "arn:aws:iam::123456789012:role/web";
        allow(scenario, json!({ "ecs-operator.dev/allowed-task-roles": "arn:aws:iam::123456789012:role/other" }))
            .await?;
        let definition = with(manifest::task_definition("web"), json!({ "taskRoleArn": role }));
        scenario.given([manifest::cluster("main", &[]), definition, manifest::service("web", 1)]).await?;
        let then = scenario.then_within(60);
        let refused = then.condition(
            "ECSTaskDefinition",
            "web",
            is_false(ConditionType::Accepted, Reason::AccessDeniedException),
        );
        let said = refused.await?;
        ensure!(said.contains("spec.taskRoleArn") && said.contains("iam:PassRole"), "{said}");
        allow(scenario, json!({ "ecs-operator.dev/allowed-task-roles": "arn:aws:iam::123456789012:role/*" })).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let account = |object: &&Value| text(object, "/metadata/name").starts_with("ecs-role-web-");
        let accounts = scenario.objects("ServiceAccount");
        let account = accounts.iter().find(account).context("no ServiceAccount for the role")?;
        ensure!(account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == role, "{account}");
        Ok(())
    })
    .await
}
