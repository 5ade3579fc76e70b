//! The main story with real requests, and the operator as a pod of its own chart.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::cluster::until;
use e2e::http;
use e2e::operator::{NAMESPACE, RELEASE};
use e2e::scenario::Scenario;
use e2e::scenario::manifest::{self, and, real_container, real_task_definition};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

/// A web server that goes on for a while when it is told to stop: whoever sends requests learns of it a moment later.
fn web(greeting: &str) -> Value {
    let container = and(
        real_container("app", "app", &["serve", "8080", "-term-delay", "3s"]),
        json!({
            "portMappings": [{ "containerPort": 8080 }],
            "environment": [{ "name": "GREETING", "value": greeting }],
            "healthCheck": { "command": ["CMD", "/bin/taskapp", "test", "/bin/taskapp"], "interval": 5, "timeout": 2 },
            "stopTimeout": 10,
        }),
    );
    real_task_definition("web", &[container])
}

/// Asks again and again until it is told to stop: how often, what was answered, and what went wrong.
async fn ask(url: &str, is_over: &AtomicBool) -> (usize, BTreeSet<String>, Vec<String>) {
    let (mut count, mut greetings, mut failures) = (0, BTreeSet::new(), Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        count += 1;
        match http::get(url).await {
            Ok((200, body)) => {
                greetings.insert(body.split_whitespace().last().unwrap_or_default().to_owned());
            }
            other => failures.push(format!("{other:?}")),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (count, greetings, failures)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_service_is_rolled_to_a_new_revision_then_no_request_fails() -> Result<()> {
    Scenario::run("web", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), web("one"), manifest::service("web", 2)]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:1").await?;
        let service = scenario.object("Service", "web").context("there is no Service")?;
        let address = service["spec"]["clusterIP"].as_str().context("it has no address")?;
        let url = format!("http://{address}:8080/");
        let answer = scenario.then_within(20).get_url(&url).await?;
        ensure!(answer.trim_end().ends_with(" one"), "{answer}");

        let is_over = AtomicBool::new(false);
        let rollout = async {
            let rolled = async {
                scenario.when_applied([web("two")]).await?;
                scenario.then_within(120).the_service("web").is_steady_on("web:2").await?;
                // A steady state does not wait for tasks that are stopping, and these still answer.
                let two = |objects: &_| match e2e::scenario::sampler::tasks(objects, "web").len() {
                    2 => Ok(()),
                    count => Err(format!("there are {count} pods")),
                };
                scenario.then_within(60).until("the stopped tasks are gone", two).await
            };
            let rolled = rolled.await;
            is_over.store(true, Ordering::Relaxed);
            rolled
        };
        let (rolled, (count, greetings, failures)) = tokio::join!(rollout, ask(&url, &is_over));
        rolled?;
        ensure!(failures.is_empty(), "{} of {count} requests failed, the first with {}", failures.len(), failures[0]);
        ensure!(greetings == ["one", "two"].map(str::to_owned).into(), "{count} answers: {greetings:?}");
        let answer = scenario.then_within(20).get_url(&url).await?;
        ensure!(answer.trim_end().ends_with(" two"), "{answer}");
        Ok(())
    })
    .await
}

async fn leader(scenario: &Scenario) -> Result<String> {
    let leases: Api<Lease> = Api::namespaced(scenario.client().clone(), NAMESPACE);
    let spec = leases.get(RELEASE).await?.spec.context("the lease has no spec")?;
    spec.holder_identity.filter(|holder| !holder.is_empty()).context("nobody leads")
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_pod_of_the_leading_operator_is_deleted_then_the_other_one_takes_over() -> Result<()> {
    Scenario::run("leader", async |scenario| {
        let client = scenario.client().clone();
        let namespace = Api::<Namespace>::all(client.clone()).get(NAMESPACE).await?;
        let enforced = namespace.labels().get("pod-security.kubernetes.io/enforce").map(String::as_str);
        ensure!(enforced == Some("restricted"), "the operator's namespace enforces {enforced:?}");
        let pods: Api<Pod> = Api::namespaced(client, NAMESPACE);
        let before =
            until("somebody leads", Duration::from_secs(30), async || Ok(Some(leader(scenario).await?))).await?;
        let names = async || -> Result<BTreeSet<String>> {
            Ok(pods.list(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect())
        };
        let replicas = names().await?;
        let of_pod = |holder: &str| replicas.iter().find(|name| holder.contains(name.as_str())).cloned();
        let leading = of_pod(&before).with_context(|| format!("{before} is none of {replicas:?}"))?;
        ensure!(replicas.len() == 2, "there are {replicas:?}");

        pods.delete(&leading, &DeleteParams::default()).await?;
        let deleted = Instant::now();
        let after = until("another pod leads", Duration::from_secs(30), async || {
            let now = leader(scenario).await?;
            ensure!(!now.contains(&leading), "{now} leads");
            Ok(Some(now))
        })
        .await?;
        println!("{after} leads {:.1} s after {before} was deleted", deleted.elapsed().as_secs_f64());
        // The other one, or the one that was made instead: who comes first after the lease was given back.
        ensure!(names().await?.iter().any(|name| after.contains(name.as_str())), "{after} is no pod of the operator");
        // And it works.
        scenario.given([manifest::cluster("main", &[]), web("one"), manifest::service("web", 1)]).await?;
        scenario.then_within(90).the_service("web").is_steady().await
    })
    .await
}
