//! DAEMON services: one task on each node that is eligible, now and later.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::{fate, nodes, until};
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::json::{condition, text};
use e2e::scenario::manifest::{self, with, with_container};
use e2e::scenario::sampler::{exists, tasks};
use e2e::scenario::{Bounds, Objects, revision};
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use super::pool::Pool;

fn minimum(percent: i64) -> Value {
    json!({ "deploymentConfiguration": { "minimumHealthyPercent": percent } })
}

/// The nodes of the tasks that exist, one entry a task.
fn nodes_of(objects: &Objects, service: &str) -> Vec<String> {
    let pods = tasks(objects, service).into_iter().filter(|pod| exists(pod));
    let mut nodes: Vec<String> = pods.map(|pod| text(pod, "/spec/nodeName").to_owned()).collect();
    nodes.sort();
    nodes
}

/// Waits until exactly these nodes have a task each, and the service says so.
async fn runs_on(pool: &Pool<'_>, service: &str, nodes: &[&String]) -> Result<()> {
    let mut wanted: Vec<String> = nodes.iter().map(|node| (*node).clone()).collect();
    wanted.sort();
    let then = pool.scenario.then_within(60);
    then.until(&format!("{service} has a task on each of {wanted:?}"), |objects| {
        let is = nodes_of(objects, service);
        if is == wanted { Ok(()) } else { Err(format!("it has them on {is:?}")) }
    })
    .await?;
    pool.scenario.then_within(60).the_service(service).is_steady().await?;
    let service = pool.scenario.object("ECSService", service).unwrap();
    ensure!(service["status"]["desiredCount"] == wanted.len(), "{}", service["status"]["desiredCount"]);
    Ok(())
}

fn changed(command: &str) -> Value {
    with_container(manifest::task_definition("app"), json!({ "command": ["sleep", command] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nodes_join_leave_or_change_then_a_daemon_service_has_one_task_on_each_that_is_eligible() -> Result<()> {
    Pool::run("daemon-nodes", 3, async |pool| {
        pool.scenario.given([with(pool.service("agent", None), minimum(50))]).await?;
        let [one, two, three] = pool.nodes.clone().try_into().unwrap();
        runs_on(pool, "agent", &[&one, &two, &three]).await?;
        let before = pool.scenario.task_uids("agent");

        let four = pool.add().await?;
        runs_on(pool, "agent", &[&one, &two, &three, &four]).await?;
        pool.belongs(&two, false).await?;
        runs_on(pool, "agent", &[&one, &three, &four]).await?;
        pool.belongs(&two, true).await?;
        runs_on(pool, "agent", &[&one, &two, &three, &four]).await?;
        let after = pool.scenario.task_uids("agent");
        ensure!(before.iter().filter(|uid| after.contains(uid)).count() == 2, "tasks on other nodes were replaced");
        nodes::remove(pool.scenario.client(), &one).await?;
        runs_on(pool, "agent", &[&two, &three, &four]).await?;
        let deployments = pool.scenario.objects("ECSServiceDeployment").len();
        ensure!(deployments == 1, "there are {deployments} deployments");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_daemon_service_has_constraints_then_only_nodes_that_meet_them_have_a_task() -> Result<()> {
    Pool::run("daemon-constraint", 3, async |pool| {
        let [one, two, three] = pool.nodes.clone().try_into().unwrap();
        let stack = |value: &str| json!({ "attributes.ecs-operator.dev/stack": value });
        nodes::label(pool.scenario.client(), &one, stack("prod")).await?;
        nodes::label(pool.scenario.client(), &two, stack("test")).await?;
        let constraint = json!([{ "type": "memberOf", "expression": "attribute:stack == prod" }]);
        let agent = with(pool.service("agent", None), json!({ "placementConstraints": constraint }));
        // As long as a program may take: one that is gone at once is not seen where it must not be.
        pool.scenario.given([with(agent, manifest::fate(fate::STOP_DELAY, "4s"))]).await?;
        runs_on(pool, "agent", &[&one]).await?;
        nodes::label(pool.scenario.client(), &three, stack("prod")).await?;
        runs_on(pool, "agent", &[&one, &three]).await?;
        nodes::label(pool.scenario.client(), &one, stack("test")).await?;
        let then = pool.scenario.then_within(30);
        then.the_service("agent").tells("has 1 tasks that no longer meet its placement constraints: (task ").await?;
        runs_on(pool, "agent", &[&three]).await?;
        let api = pool.scenario.api("Event")?;
        until("one Kubernetes Event tells of it", Duration::from_secs(30), async || {
            let events = api.list(&ListParams::default()).await?;
            let reasons = events.iter().map(|event| text(&event.data, "/reason"));
            let told = reasons.filter(|reason| *reason == "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED").count();
            ensure!(told == 1, "{told} tell of it");
            Ok(Some(()))
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_daemon_service_with_half_as_minimum_is_updated_then_never_more_than_two_of_four_are_missing()
-> Result<()> {
    Pool::run("daemon-rolling", 4, async |pool| {
        let agent = with(pool.service("agent", None), manifest::fate(fate::START_DELAY, "2s"));
        pool.scenario.given([with(agent, minimum(50))]).await?;
        pool.scenario.then_within(60).the_service("agent").is_steady_on("app:1").await?;
        let before = pool.scenario.task_uids("agent");
        let sampler = pool.scenario.sample("agent", Bounds { at_least: 2, at_most: 4, min_ready_seconds: 0 });
        pool.scenario.when_applied([changed("2")]).await?;
        pool.scenario.then_within(90).the_service("agent").is_steady_on("app:2").await?;
        let seen = sampler.verdict()?;
        ensure!(seen.fewest_healthy == Some(2), "two were never replaced at once: {seen:?}");
        let after = pool.scenario.task_uids("agent");
        ensure!(after.len() == 4 && after.iter().all(|uid| !before.contains(uid)), "a task was not replaced");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_daemon_may_be_missing_then_the_deployment_is_stuck_until_one_may() -> Result<()> {
    Pool::run("daemon-stuck", 2, async |pool| {
        pool.scenario.given([with(pool.service("agent", None), minimum(100))]).await?;
        pool.scenario.then_within(60).the_service("agent").is_steady_on("app:1").await?;
        let before = pool.scenario.task_uids("agent");
        pool.scenario.when_applied([changed("2")]).await?;
        let then = pool.scenario.then_within(30);
        then.the_service("agent").has(is_true(ConditionType::DeploymentStuck, Reason::BoundsLeaveNoRoom)).await?;
        let text =
            "was unable to stop or start tasks during a deployment because of the service deployment configuration";
        then.the_service("agent").tells(text).await?;
        ensure!(pool.scenario.task_uids("agent") == before, "a task was replaced");
        pool.scenario.when_service_changed("agent", minimum(50)).await?;
        pool.scenario.then_within(60).the_service("agent").is_steady_on("app:2").await
    })
    .await
}

/// Whether a node has a task of a service that has not been asked to stop.
fn has_task(objects: &Objects, service: &str, node: &str) -> bool {
    nodes_of(objects, service).iter().any(|other| other == node)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_is_drained_then_its_daemon_stops_after_the_other_tasks_and_returns_with_the_node() -> Result<()> {
    Pool::run("daemon-drain", 2, async |pool| {
        let scenario = pool.scenario;
        let web =
            with(pool.service("web", Some(2)), json!({ "placementConstraints": [{ "type": "distinctInstance" }] }));
        scenario.given([with(pool.service("agent", None), minimum(0)), with(web, manifest::percents(0, 100))]).await?;
        let [one, two] = pool.nodes.clone().try_into().unwrap();
        runs_on(pool, "agent", &[&one, &two]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;

        // From now on the daemon of that node may not be missing beside another task.
        let alone = Arc::new(Mutex::new(false));
        let (sink, node) = (Arc::clone(&alone), one.clone());
        scenario.view().observe(Box::new(move |objects| {
            *sink.lock().unwrap() |= has_task(objects, "web", &node) && !has_task(objects, "agent", &node);
        }));
        nodes::cordon(scenario.client(), &one, true).await?;
        let then = scenario.then_within(30);
        then.object("ECSService", "agent", "wants one task", |agent| agent["status"]["desiredCount"] == 1).await?;
        let on_one = scenario.view().read(|objects| {
            let pod = tasks(objects, "web").into_iter().find(|pod| text(pod, "/spec/nodeName") == one);
            pod.map(|pod| text(pod, "/metadata/name").to_owned())
        });
        if let Some(pod) = on_one {
            // Whoever drains a node evicts; the operator may have replaced the task already.
            drop(scenario.api("Pod")?.delete(&pod, &DeleteParams::default()).await);
        }
        runs_on(pool, "agent", &[&two]).await?;
        ensure!(!*alone.lock().unwrap(), "the daemon stopped before the other task");
        nodes::cordon(scenario.client(), &one, false).await?;
        runs_on(pool, "agent", &[&one, &two]).await?;

        let draining = |value: Value| json!({ "ecs-operator.dev/container-instance-status": value });
        scenario.when_scaled("web", 0).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        nodes::label(scenario.client(), &two, draining(json!("DRAINING"))).await?;
        runs_on(pool, "agent", &[&one]).await?;
        // Nothing new goes there either.
        scenario.when_scaled("web", 1).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let is = scenario.view().read(|objects| nodes_of(objects, "web"));
        ensure!(is == [one.clone()], "web is on {is:?}");
        nodes::label(scenario.client(), &two, draining(Value::Null)).await?;
        runs_on(pool, "agent", &[&one, &two]).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_daemon_service_asks_for_what_daemons_have_not_then_it_is_refused() -> Result<()> {
    Pool::run("daemon-refused", 1, async |pool| {
        let daemon = || pool.service("agent", None);
        for (more, says) in [
            (json!({ "deploymentConfiguration": { "maximumPercent": 200 } }), "needs a maximumPercent of 100"),
            (json!({ "placementStrategy": [{ "type": "random" }] }), "does not support placement strategies"),
            (
                json!({ "kubernetes": { "priorityClassName": "system-node-critical" } }),
                "cannot be a class of the system",
            ),
        ] {
            let said = pool.scenario.when_refused(with(daemon(), more)).await?;
            ensure!(said.contains("InvalidParameterException") && said.contains(says), "{said}");
        }
        pool.scenario.given([daemon(), manifest::cpu_target("agent", (1, 3), 50)]).await?;
        let then = pool.scenario.then_within(30);
        then.condition("ECSScalableTarget", "agent", is_false(ConditionType::Accepted, Reason::ValidationException))
            .await?;
        ensure!(pool.scenario.objects("HorizontalPodAutoscaler").is_empty(), "a daemon is scaled");
        runs_on(pool, "agent", &[&pool.nodes[0]]).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_daemon_of_a_new_deployment_fails_then_the_circuit_breaker_goes_back_and_the_others_stay() -> Result<()>
{
    Pool::run("daemon-breaker", 4, async |pool| {
        let threshold = json!({ "type": "COUNT", "value": 1 });
        let breaker = json!({ "enable": true, "rollback": true, "thresholdConfiguration": threshold });
        let agent = with(pool.service("agent", None), minimum(75));
        let agent = with(agent, json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": breaker } }));
        pool.scenario.given([agent]).await?;
        pool.scenario.then_within(60).the_service("agent").is_steady_on("app:1").await?;
        let sampler = pool.scenario.sample("agent", Bounds { at_least: 3, at_most: 4, min_ready_seconds: 0 });
        let denied = manifest::fate(fate::IMAGE_PULL_ERROR, "denied: no such image");
        pool.scenario.when_service_changed("agent", denied).await?;
        pool.scenario.when_applied([changed("2")]).await?;
        pool.scenario.then_within(60).the_service("agent").tells("rolling back to").await?;
        // It runs as before, and says that what was asked for has failed.
        let back = pool.scenario.then_within(120);
        back.object("ECSService", "agent", "is steady on app:1 again", |agent| {
            let status = &agent["status"];
            let steady = condition(agent, "SteadyState").map(|steady| text(steady, "/status"));
            let is_back = status["taskDefinition"] == "app:1" && status["runningCount"] == 4;
            is_back && steady == Some("True") && status["deployments"].as_array().is_some_and(|all| all.len() == 1)
        })
        .await?;
        pool.scenario
            .then_within(30)
            .the_service("agent")
            .has(is_true(ConditionType::Stalled, Reason::DeploymentFailed))
            .await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_daemon_deployment_has_failed_for_good_then_a_lost_task_comes_back_on_the_revision_that_worked()
-> Result<()> {
    Pool::run("daemon-failed", 3, async |pool| {
        let threshold = json!({ "type": "COUNT", "value": 1 });
        let breaker = json!({ "enable": true, "rollback": false, "thresholdConfiguration": threshold });
        let agent = with(pool.service("agent", None), minimum(50));
        let agent = with(agent, json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": breaker } }));
        pool.scenario.given([agent]).await?;
        pool.scenario.then_within(60).the_service("agent").is_steady_on("app:1").await?;
        let denied = manifest::fate(fate::IMAGE_PULL_ERROR, "denied: no such image");
        pool.scenario.when_service_changed("agent", denied).await?;
        pool.scenario.when_applied([changed("2")]).await?;
        pool.scenario
            .then_within(60)
            .the_service("agent")
            .has(is_true(ConditionType::Stalled, Reason::CircuitBreakerTriggered))
            .await?;
        let is_old = |pod: &&Value| exists(pod) && revision(pod) == "app:1";
        let old = pool.scenario.view().read(|objects| {
            let mut old = tasks(objects, "agent").into_iter().filter(is_old);
            old.next().map(|pod| (text(pod, "/metadata/name").to_owned(), text(pod, "/spec/nodeName").to_owned()))
        });
        let (lost, node) = old.unwrap();
        pool.scenario.api("Pod")?.delete(&lost, &DeleteParams::default()).await?;
        let then = pool.scenario.then_within(60);
        then.until(&format!("{node} has a task of app:1 again"), |objects| {
            let here = tasks(objects, "agent").into_iter().filter(|pod| text(pod, "/spec/nodeName") == node);
            let again = here.filter(is_old).any(|pod| text(pod, "/metadata/name") != lost);
            if again { Ok(()) } else { Err("it has none".to_owned()) }
        })
        .await
    })
    .await
}
