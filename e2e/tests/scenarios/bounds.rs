//! What one tenant writes holds up no other: objects that are nested too deep, constraints that are dear.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::scenario::condition::is_false;
use e2e::scenario::kinds::Known;
use e2e::scenario::manifest::{self, with};
use e2e::scenario::{NAMESPACE_LABEL, Scenario};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::Resource as _;
use kube::api::{DeleteParams, PostParams};
use kube::client::Body;
use kube::core::DynamicObject;
use serde_json::{Value, json};

/// Deeper than the operator's reader of JSON goes by itself, and far from what the API server takes.
const LEVELS: usize = 200;

/// A namespace beside that of the scenario, whose objects the scenario's own watches do not see: they could not read them.
struct Beside<'a> {
    scenario: &'a Scenario,
    namespace: String,
}

impl<'a> Beside<'a> {
    async fn new(scenario: &'a Scenario) -> Result<Self> {
        let namespace = format!("{}-deep", scenario.namespace());
        let object = json!({ "metadata": { "name": namespace, "labels": { NAMESPACE_LABEL: "deep" } } });
        let namespaces: Api<Namespace> = Api::all(scenario.client().clone());
        namespaces.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        Ok(Self { scenario, namespace })
    }

    /// Sends a request about one object, or all of its kind; answers with status and text.
    async fn send(&self, method: &str, kind: &str, name: &str, body: String) -> Result<(u16, String)> {
        let path = DynamicObject::url_path(&Known::find(kind)?.resource(), Some(&self.namespace));
        let name = if name.is_empty() { String::new() } else { format!("/{name}") };
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{path}{name}?fieldManager=scenario"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.into_bytes()))?;
        let (head, body) = self.scenario.client().send(request).await?.into_parts();
        Ok((head.status.as_u16(), String::from_utf8(body.collect_bytes().await?.to_vec())?))
    }

    /// Creates the object with `member` of its spec nested so deep that no ordinary reader takes it.
    async fn create_deep(&self, mut document: Value, member: &str) -> Result<()> {
        const MARK: &str = "\"DEEP\"";
        document["spec"][member] = json!("DEEP");
        let deep = format!("{}{}", "[".repeat(LEVELS), "]".repeat(LEVELS));
        let kind = document["kind"].as_str().unwrap_or_default().to_owned();
        let (code, answer) = self.send("POST", &kind, "", document.to_string().replace(MARK, &deep)).await?;
        ensure!(code == 201, "the server does not take the deep {kind}: {answer}");
        Ok(())
    }

    async fn text_of(&self, kind: &str, name: &str) -> Result<String> {
        Ok(self.send("GET", kind, name, String::new()).await?.1)
    }

    async fn end(self) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.scenario.client().clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await?;
        Ok(())
    }
}

/// Looks every half second until it is so.
async fn until(what: &str, seconds: u64, mut look: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        if look().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    anyhow::bail!("not within {seconds} s: {what}")
}

#[tokio::test(flavor = "multi_thread")]
async fn when_objects_are_nested_too_deep_then_they_are_named_and_the_services_of_others_go_on() -> Result<()> {
    Scenario::run_on_kwok("deep", async |scenario| {
        let beside = Beside::new(scenario).await?;
        let target = json!({
            "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSScalableTarget", "metadata": { "name": "deep" },
            "spec": { "ResourceId": "service/main/deep", "MinCapacity": 1, "MaxCapacity": 2 },
        });
        let deep = [
            (manifest::cluster("deep", &[]), "attachments"),
            (manifest::task_definition("deep"), "requiresAttributes"),
            (manifest::service("deep", 1), "events"),
            (target, "CreationTime"),
        ];
        for (document, member) in deep.clone() {
            beside.create_deep(document, member).await?;
        }

        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 2)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        for (document, member) in deep.clone() {
            let kind = document["kind"].as_str().unwrap_or_default();
            until(&format!("the deep {kind} is told what is wrong"), 30, async || {
                let text = beside.text_of(kind, "deep").await?;
                Ok(text.contains(&format!("spec.{member}")) && text.contains("is nested deeper than 32 levels"))
            })
            .await?;
        }
        let is_named = |kind: &str| {
            let logs = scenario.environment.logs.iter().filter_map(|path| std::fs::read_to_string(path).ok());
            let about = |line: &str| line.contains(kind) && line.contains(&beside.namespace);
            logs.into_iter().any(|log| log.lines().any(|line| about(line) && line.contains("nested deeper than 64")))
        };
        if !scenario.environment.logs.is_empty() {
            for (document, _) in &deep {
                let kind = document["kind"].as_str().unwrap_or_default();
                ensure!(is_named(kind), "the log does not name the {kind}");
            }
        }
        if let Some(url) = &scenario.environment.url {
            let (code, body) = e2e::http::get(&format!("{url}/readyz")).await?;
            ensure!(code == 200, "not ready: {body}");
        }

        // They go, and still nobody waits.
        for (document, _) in &deep {
            let kind = document["kind"].as_str().unwrap_or_default();
            beside.send("DELETE", kind, "deep", String::new()).await?;
        }
        scenario.when_applied([manifest::task_definition("late"), manifest::service("late", 1)]).await?;
        scenario.then_within(60).the_service("late").is_steady().await?;
        beside.end().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_constraints_are_as_dear_as_can_be_then_they_are_refused_at_once_and_other_services_go_on() -> Result<()> {
    Scenario::run_on_kwok("dear", async |scenario| {
        let alternatives: Vec<String> = (0..64).map(|number| format!("attribute:a=={number}")).collect();
        let patterns = vec![r"attribute:b=~\w{256}"; 60].join(" and ");
        let expressions: Vec<Value> = std::iter::once(alternatives.join(" or "))
            .chain(std::iter::repeat_n(patterns, 9))
            .map(|expression| json!({ "type": "memberOf", "expression": expression }))
            .collect();
        let dear = with(manifest::service("dear", 1), json!({ "placementConstraints": expressions }));
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web"), dear]).await?;
        let refused = is_false(ConditionType::Accepted, Reason::UnsupportedFeatureException);
        let said = scenario.then_within(20).the_service("dear").has(refused).await?;
        ensure!(said.contains("placementConstraints[1].expression") && said.contains("regular expressions"), "{said}");
        scenario.given([manifest::service("web", 1)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await.context("beside the dear one")
    })
    .await
}
