//! ECS names know capitals, underscores and 255 characters. None of them meets another one.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::until;
use e2e::scenario::Scenario;
use e2e::scenario::condition::is_true;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, with};
use kube::api::ListParams;
use serde_json::{Value, json};

use super::contained::selectors_select_their_own;

fn long(letter: char, last: char) -> String {
    format!("{}{last}", letter.to_string().repeat(254))
}

/// A DNS name of 253 characters.
fn long_object_name(last: char) -> String {
    let label = "a".repeat(62);
    format!("{label}.{label}.{label}.{}{last}", "a".repeat(63))
}

fn named(mut object: Value, name: &str, spec: Value) -> Value {
    object["metadata"]["name"] = name.into();
    with(object, spec)
}

/// Container names that all become `my-app` when nothing but DNS is thought of.
fn definition(object: &str, family: &str) -> Value {
    let mut definition = named(manifest::task_definition("x"), object, json!({ "family": family }));
    if let Some(containers) = definition["spec"]["containerDefinitions"].as_array_mut() {
        let mut container = containers[0].clone();
        container["portMappings"] = json!([]);
        containers[0]["name"] = "My_App".into();
        for name in ["my-app", "my_app", &long('C', 'C'), &long('C', 'D')] {
            container["name"] = name.into();
            containers.push(container.clone());
        }
    }
    definition
}

fn event_texts(service: &Value) -> Vec<&str> {
    let events = service.pointer("/status/events").and_then(Value::as_array);
    events.into_iter().flatten().map(|event| text(event, "/message")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_names_differ_only_in_what_kubernetes_cannot_spell_then_they_never_meet() -> Result<()> {
    Scenario::run("names", async |scenario| {
        let clusters = [("main", "main".to_owned()), ("one", "My_Cluster".into()), ("two", "my_cluster".into())];
        let clusters = [clusters.as_slice(), &[("three", long('K', 'K')), ("four", long('K', 'L'))]].concat();
        for (object, name) in &clusters {
            scenario.given([named(manifest::cluster("x", &[]), object, json!({ "clusterName": name }))]).await?;
        }
        let families = [("one", "My_Family".to_owned()), ("two", "my-family".into()), ("three", "my_family".into())];
        let families = [families.as_slice(), &[("four", long('F', 'F')), ("five", long('F', 'G'))]].concat();
        for (object, family) in &families {
            scenario.given([definition(object, family)]).await?;
        }
        // Object, service, cluster, family.
        let (dns, other_dns) = (long_object_name('x'), long_object_name('y'));
        let services = [
            ("my-app", "my-app".to_owned(), 0, 0),
            ("b", "My_App".into(), 0, 1),
            ("c", "my_app".into(), 0, 2),
            ("d", "MY-APP".into(), 0, 3),
            ("e", long('S', 'S'), 1, 3),
            ("f", long('S', 'T'), 2, 4),
            // One name in two clusters.
            ("g", "same".into(), 3, 4),
            ("h", "same".into(), 4, 0),
            ("with.dots", "with_dots".into(), 1, 1),
            (&dns, long('N', 'N'), 3, 3),
            (&other_dns, long('N', 'O'), 4, 4),
        ];
        for (object, name, cluster, family) in &services {
            let spec = json!({
                "serviceName": name, "cluster": clusters[*cluster].1, "taskDefinition": families[*family].1,
            });
            scenario.when_applied([named(manifest::service("x", 1), object, spec)]).await?;
        }
        for (object, name, cluster, family) in &services {
            let (cluster, family) = (&clusters[*cluster].1, &families[*family].1);
            let then = scenario.then_within(120);
            then.the_service(object).has(is_true(ConditionType::Ready, Reason::SteadyState)).await?;
            let told = format!("(service {name}) has reached a steady state.");
            then.the_service(object).tells(&told).await?;
            let service = scenario.object("ECSService", object).unwrap_or_default();
            let runs = text(&service, "/status/taskDefinition");
            ensure!(runs == format!("{family}:1") && service["status"]["runningCount"] == 1, "{object} runs {runs}");
            let arn = text(&service, "/status/serviceArn");
            ensure!(arn.ends_with(&format!(":service/{cluster}/{name}")), "{arn}");
            let is_about = |text: &&str| text.contains(&format!("(service {name})"));
            ensure!(event_texts(&service).iter().all(is_about), "{:?}", event_texts(&service));
        }
        let deployments = selectors_select_their_own(scenario).await?;
        ensure!(deployments.len() == services.len(), "{deployments:?}");
        ensure!(deployments.values().all(|names| names.len() == 1), "{deployments:?}");
        for pod in scenario.objects("Pod") {
            let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
            let names: BTreeSet<_> = containers.map(|container| text(container, "/name").to_owned()).collect();
            ensure!(names.len() == 5 && names.contains("my-app"), "{names:?}");
        }
        // Kubernetes' own events say the original names too, each on the object it is about.
        let api = scenario.api("Event")?;
        until("every service has its event", Duration::from_secs(30), async || {
            let events = api.list(&ListParams::default()).await?;
            for (object, name, ..) in &services {
                let told = format!("(service {name}) has reached a steady state.");
                let is_told = events.items.iter().any(|event| {
                    text(&event.data, "/regarding/name") == *object && text(&event.data, "/note").contains(&told)
                });
                ensure!(is_told, "no event of {object} says `{told}`");
            }
            Ok(Some(()))
        })
        .await?;
        Ok(())
    })
    .await
}
