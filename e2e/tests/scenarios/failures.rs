//! Tasks that fail, each in its own way: what is said, what is counted, and what replaces them.

use anyhow::{Context, Result, ensure};
use e2e::cluster::fate;
use e2e::scenario::json::text;
use e2e::scenario::manifest::{self, on, percents, revised, with, with_container};
use e2e::scenario::records::Record;
use e2e::scenario::rollout::{given_web, held, web};
use e2e::scenario::sampler::{exists, is_healthy, tasks};
use e2e::scenario::{Bounds, Sampler, Scenario, revision};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A task definition whose tasks are replaced when their container exits, and are unhealthy 5 seconds after it is not ready.
fn definition(family: &str) -> Value {
    let soon = json!({ "healthCheck": { "retries": 1 } });
    let replace = json!({ "kubernetes": { "essentialContainerExit": "ReplaceTask" } });
    with(with_container(manifest::task_definition(family), soon), replace)
}

/// How tasks of a revision fail: name, fate, stop code, and what the reason holds.
type Failure = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

/// With these tasks the deployment does not get on.
const FAILURES: [Failure; 6] = [
    ("pull", &[(fate::IMAGE_PULL_ERROR, "manifest unknown")], "TaskFailedToStart", "CannotPullContainerError"),
    ("start", &[(fate::START_ERROR, "no such file")], "TaskFailedToStart", "CannotStartContainerError"),
    (
        "config",
        &[(fate::CONFIG_ERROR, "container has runAsNonRoot and image will run as root")],
        "TaskFailedToStart",
        "ResourceInitializationError: container has runAsNonRoot",
    ),
    (
        "exit",
        &[(fate::EXIT_CODE, "3"), (fate::UNREADY, "true"), (fate::EXIT_AFTER, "1s")],
        "EssentialContainerExited",
        "Essential container in task exited",
    ),
    (
        "memory",
        &[(fate::OOM, "true"), (fate::UNREADY, "true"), (fate::EXIT_AFTER, "1s")],
        "EssentialContainerExited",
        "Essential container in task exited",
    ),
    ("unready", &[(fate::UNREADY, "true")], "ServiceSchedulerInitiated", "Task failed container health checks"),
];

async fn is_failing(scenario: &Scenario, (name, _, code, reason): Failure) -> Result<()> {
    let then = scenario.then_within(60);
    let revision = format!("{name}:2");
    let fails = |records: &[Record]| records.last().filter(|newest| newest.failed_tasks >= 1).cloned();
    let newest = then.the_service(name).has_records("a task failed", fails).await?;
    ensure!(newest.task_definition == revision && newest.rollout_state == "IN_PROGRESS", "{}", newest.line());
    let service = then
        .object("ECSService", name, "tells a failed task", |service| {
            service.pointer("/status/deployments/0/failedTasks").and_then(Value::as_i64) >= Some(1)
        })
        .await?;
    let deployments = &service["status"]["deployments"];
    ensure!(text(&service, "/status/deployments/1/status") == "ACTIVE", "{deployments}");
    ensure!(deployments[1]["runningCount"] == 2, "{deployments}");
    let stopped = then.the_service(name).has_stopped_a_task().await?;
    ensure!(text(&stopped, "/stopCode") == code, "{stopped}");
    ensure!(text(&stopped, "/stoppedReason").contains(reason), "{stopped}");
    ensure!(text(&stopped, "/taskDefinition") == revision, "{stopped}");
    if name == "memory" {
        let told = "OutOfMemoryError: Container killed due to memory usage";
        ensure!(text(&stopped, "/containers/0/reason") == told, "{stopped}");
        ensure!(stopped["containers"][0]["exitCode"] == 137, "{stopped}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_new_tasks_fail_in_any_way_then_old_ones_stay_and_the_next_revision_heals() -> Result<()> {
    Scenario::run_on_kwok("failures", async |scenario| {
        scenario.given([manifest::cluster("main", &[])]).await?;
        for (name, ..) in FAILURES {
            scenario.given([definition(name), with(manifest::service(name, 2), percents(100, 200))]).await?;
        }
        let mut samplers = Vec::new();
        for (name, ..) in FAILURES {
            scenario.then_within(60).the_service(name).is_steady_on(&format!("{name}:1")).await?;
            samplers.push(scenario.sample(name, Bounds::of(2, (100, 200))));
        }
        for (name, fates, ..) in FAILURES {
            let fates = fates.iter().fold(json!({}), |all, (fate, value)| manifest::and(all, json!({ *fate: value })));
            let bad = json!({ "kubernetes": { "podAnnotations": fates } });
            scenario.when_applied([with(revised(definition(name), "2"), bad)]).await?;
        }
        for failure in FAILURES {
            is_failing(scenario, failure).await.context(failure.0)?;
        }
        for (name, ..) in FAILURES {
            scenario.when_applied([revised(definition(name), "3")]).await?;
        }
        for ((name, ..), sampler) in FAILURES.into_iter().zip(samplers) {
            scenario.then_within(60).the_service(name).is_steady_on(&format!("{name}:3")).await?;
            sampler.verdict().context(name)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_first_tasks_cannot_pull_and_later_ones_can_then_the_deployment_completes() -> Result<()> {
    Scenario::run_on_kwok("pull-twice", async |scenario| {
        let sampler = given_web(scenario, 2, (100, 200)).await?;
        let error = (fate::IMAGE_PULL_ERROR, "toomanyrequests: rate limit exceeded");
        let _director = scenario.direct("web", move |task| (task.index < 2).then_some(error))?;
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        let completed = scenario.then_within(5).the_service("web").is_deployed("web:2", "SUCCESSFUL").await?;
        ensure!(completed.failed_tasks == 2, "{}", completed.line());
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_new_tasks_are_slow_then_nothing_fails_and_the_minimum_is_kept_meanwhile() -> Result<()> {
    Scenario::run_on_kwok("slow", async |scenario| {
        let sampler = given_web(scenario, 3, (67, 134)).await?;
        scenario.when_applied([with(revised(web(), "2"), manifest::fate(fate::START_DELAY, "5s"))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        let completed = scenario.then_within(5).the_service("web").is_deployed("web:2", "SUCCESSFUL").await?;
        ensure!(completed.failed_tasks == 0, "{}", completed.line());
        // Rounded up: ceil(2.01) = 3 healthy, and at most floor(4.02) = 4.
        let seen = sampler.verdict()?;
        ensure!((seen.fewest_healthy, seen.most_existing) == (Some(3), 4), "{seen:?}");
        Ok(())
    })
    .await
}

/// One task of a steady service becomes unhealthy; expects that it is replaced and the others are not. Answers with what the
/// sampler saw.
async fn one_becomes_unhealthy(
    scenario: &Scenario,
    name: &str,
    sampler: &Sampler,
) -> Result<e2e::scenario::sampler::Seen> {
    let (sick, others) = scenario.view().read(|objects| {
        let pods = tasks(objects, name).into_iter().filter(|pod| exists(pod));
        let mut pods = pods.map(|pod| (text(pod, "/metadata/name").to_owned(), text(pod, "/metadata/uid").to_owned()));
        (pods.next(), pods.map(|(_, uid)| uid).collect::<Vec<_>>())
    });
    let (pod, uid) = sick.context("there is no task")?;
    let patch = json!({ "metadata": { "annotations": { fate::UNREADY: "true" } } });
    scenario.when_patched("Pod", &pod, patch).await?;
    scenario
        .then_within(60)
        .until(&format!("the unhealthy task of {name} is replaced"), |objects| {
            let pods: Vec<_> = tasks(objects, name).into_iter().filter(|pod| exists(pod)).collect();
            let healthy = pods.iter().filter(|pod| is_healthy(pod, 0, Timestamp::now())).count();
            let is_there = |uid: &String| pods.iter().any(|pod| text(pod, "/metadata/uid") == uid);
            if is_there(&uid) {
                return Err("it is still there".to_owned());
            }
            if others.iter().all(is_there) && healthy == others.len() + 1 && pods.len() == healthy {
                Ok(())
            } else {
                Err(format!("{} tasks, {healthy} healthy", pods.len()))
            }
        })
        .await?;
    scenario.then_within(30).the_service(name).is_steady().await?;
    sampler.verdict().with_context(|| name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_task_is_unhealthy_then_its_replacement_starts_first_if_there_is_room_and_else_it_is_stopped_first()
-> Result<()> {
    Scenario::run_on_kwok("replace-unhealthy", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), definition("web")]).await?;
        // Service, percentages, and the fewest and most tasks that there must have been.
        let cases =
            [("starts-first", (100, 200), (3, 4)), ("room-for-one", (67, 134), (3, 4)), ("no-room", (50, 100), (2, 3))];
        for (name, (minimum, maximum), _) in cases {
            scenario.given([with(on(manifest::service(name, 3), "web"), percents(minimum, maximum))]).await?;
        }
        for (name, (minimum, maximum), (fewest, most)) in cases {
            scenario.then_within(60).the_service(name).is_steady().await?;
            let bounds = Bounds::of(3, (usize::try_from(minimum)?, usize::try_from(maximum)?));
            let sampler = scenario.sample_with_failures(name, bounds);
            let seen = one_becomes_unhealthy(scenario, name, &sampler).await?;
            ensure!((seen.fewest_existing, seen.most_existing) == (Some(fewest), most), "{name}: {seen:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_tasks_are_unhealthy_at_once_then_they_are_replaced_within_the_upper_bound() -> Result<()> {
    Scenario::run_on_kwok("all-unhealthy", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), definition("web")]).await?;
        scenario.given([with(manifest::service("web", 4), percents(50, 150))]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let before = scenario.task_uids("web");
        let sampler = scenario.sample_with_failures("web", Bounds::of(4, (50, 150)));
        scenario.when_fate_changes("web", fate::UNREADY, Some("true")).await?;
        scenario
            .then_within(90)
            .until("every task is another one", |objects| {
                let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
                let left = pods.filter(|pod| before.iter().any(|uid| uid == text(pod, "/metadata/uid"))).count();
                if left == 0 { Ok(()) } else { Err(format!("{left} are left")) }
            })
            .await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_old_task_is_lost_during_a_rollout_then_one_of_its_own_revision_replaces_it() -> Result<()> {
    Scenario::run_on_kwok("same-revision", async |scenario| {
        let web = || definition("web");
        let service = with(manifest::service("web", 4), percents(100, 150));
        scenario.given([manifest::cluster("main", &[]), web(), service]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        // The lost one is the scenario's doing.
        let bounds = Bounds { at_least: 3, ..Bounds::of(4, (100, 150)) };
        let sampler = scenario.sample_with_failures("web", bounds);
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        scenario.then_within(30).the_service("web").has_tasks(6).await?;
        let of = |wanted: &str| {
            scenario.view().read(|objects| {
                let pods = tasks(objects, "web").into_iter().filter(|pod| exists(pod) && revision(pod) == wanted);
                let names =
                    pods.map(|pod| (text(pod, "/metadata/name").to_owned(), text(pod, "/metadata/uid").to_owned()));
                names.collect::<Vec<_>>()
            })
        };
        let (before, new) = (of("web:1"), of("web:2"));
        ensure!((before.len(), new.len()) == (4, 2), "{before:?} {new:?}");
        let (name, lost) = before.first().context("there is no task")?;
        scenario.when_deleted("Pod", name).await?;
        scenario
            .then_within(30)
            .until("four tasks of web:1 are healthy", |objects| {
                let pods = tasks(objects, "web").into_iter();
                let old = pods.filter(|pod| exists(pod) && revision(pod) == "web:1");
                let healthy = old.filter(|pod| is_healthy(pod, 0, Timestamp::now()));
                let uids: Vec<_> = healthy.map(|pod| text(pod, "/metadata/uid")).collect();
                if uids.len() == 4 && !uids.contains(&lost.as_str()) { Ok(()) } else { Err(format!("{uids:?}")) }
            })
            .await?;
        ensure!(of("web:2") == new, "a new task was replaced as well");
        // What was started becomes healthy, and the rollout ends.
        let _director = scenario.direct("web", |_| None)?;
        scenario.then_within(60).the_service("web").is_steady_on("web:2").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_exit_after_they_ran_then_they_are_replaced_and_nothing_is_lost_of_the_others() -> Result<()> {
    Scenario::run_on_kwok("exit-running", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), definition("web")]).await?;
        scenario.given([with(manifest::service("web", 3), percents(100, 200))]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let sampler = scenario.sample_with_failures("web", Bounds::of(3, (0, 200)));
        for round in 0..2 {
            let pods: Vec<_> = scenario.task_uids("web");
            let name = scenario.view().read(|objects| {
                let pod = tasks(objects, "web").into_iter().find(|pod| exists(pod));
                pod.map(|pod| (text(pod, "/metadata/name").to_owned(), text(pod, "/metadata/uid").to_owned()))
            });
            let (name, uid) = name.context("there is no task")?;
            let patch = json!({ "metadata": { "annotations": { fate::EXIT_CODE: "1" } } });
            scenario.when_patched("Pod", &name, patch).await?;
            scenario
                .then_within(30)
                .until("the task is replaced", |objects| {
                    let left = tasks(objects, "web").into_iter().filter(|pod| exists(pod));
                    let left: Vec<_> = left.map(|pod| text(pod, "/metadata/uid")).collect();
                    if !left.contains(&uid.as_str()) && left.len() == 3 { Ok(()) } else { Err(format!("{left:?}")) }
                })
                .await?;
            scenario.then_within(30).the_service("web").is_steady().await?;
            let kept = scenario.task_uids("web").iter().filter(|one| pods.contains(one)).count();
            ensure!(kept == 2, "round {round}: {kept} of the others are left");
        }
        let records = scenario.records("web");
        ensure!(records.len() == 1 && records[0].status == "SUCCESSFUL", "{records:?}");
        sampler.verdict()?;
        Ok(())
    })
    .await
}
