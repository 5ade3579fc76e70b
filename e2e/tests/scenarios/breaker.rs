//! The circuit breaker: at which failure a deployment fails, what happens then, and what it goes back to.

use anyhow::{Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::fate;
use e2e::scenario::condition::is_false;
use e2e::scenario::manifest::{self, on, percents, revised, with, with_container};
use e2e::scenario::records::{Record, breaker, cumulative};
use e2e::scenario::rollout::{NO_START, broken, given_web, given_web_with, held, launches_none, web};
use e2e::scenario::{Bounds, Scenario};
use futures::future::try_join_all;
use serde_json::json;

fn is_failed(record: &Record) -> bool {
    record.rollout_state == "FAILED" && record.breaker == "TRIGGERED"
}

/// The newest deployment, if it failed.
fn newest_failed(records: &[Record]) -> Option<Record> {
    records.last().filter(|newest| is_failed(newest)).cloned()
}

/// A definition for services that each scenario makes: its tasks wait until it decides about each.
async fn given_held(scenario: &Scenario) -> Result<()> {
    scenario.given([manifest::cluster("main", &[]), held(manifest::task_definition("held"))]).await
}

/// Service, desired count, threshold as it is written, and how many failures that is.
type Threshold = (&'static str, i64, (&'static str, i64), i64);

/// Lets tasks of a service fail one after the other, and expects that it fails with the last of them and not before.
async fn fails_with_the_last(scenario: &Scenario, (name, desired, written, threshold): Threshold) -> Result<()> {
    let service = with(with(on(manifest::service(name, desired), "held"), breaker(true, written)), cumulative());
    let at_most = usize::try_from(desired)? * 2;
    scenario.when_applied([service]).await?;
    let sampler = scenario.sample_with_failures(name, Bounds { at_least: 0, at_most, min_ready_seconds: 0 });
    let then = scenario.then_within(90);
    for count in 1..=threshold {
        then.next_task(name, "held:1", Some(NO_START)).await?;
        let counts = |records: &[Record]| records.last().filter(|newest| newest.failures == count).cloned();
        let newest = then.the_service(name).has_records(&format!("counts {count}"), counts).await?;
        ensure!(newest.threshold == threshold, "{name}: the threshold is {}", newest.threshold);
        let is_over = newest.rollout_state != "IN_PROGRESS";
        ensure!(!is_over || count == threshold, "{name}: {count} failures: {}", newest.line());
    }
    let failed = then.the_service(name).has_records("its deployment fails", newest_failed).await?;
    ensure!(failed.failures == threshold && failed.failed_tasks == threshold, "{name}: {}", failed.line());
    sampler.verdict().map_err(|error| error.context(name))?;
    Ok(())
}

async fn each_fails_with_the_last(name: &str, thresholds: &[Threshold]) -> Result<()> {
    Scenario::run_on_kwok(name, async |scenario| {
        given_held(scenario).await?;
        try_join_all(thresholds.iter().map(|threshold| fails_with_the_last(scenario, *threshold))).await?;
        let (name, ..) = thresholds.first().copied().unwrap_or_default();
        // There is nothing to roll back to, which is said too.
        let then = scenario.then_within(20);
        then.the_service(name).tells("deployment failed: No rollback candidate was found to run the rollback.").await?;
        then.the_service(name).has(is_false(ConditionType::Ready, Reason::NoRollbackCandidate)).await?;
        launches_none(scenario, name, "held:1", 4).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_one_task_is_desired_then_the_deployment_fails_at_exactly_its_threshold() -> Result<()> {
    // 50 % of 1 is 1 task, and bounded at least 3.
    let thresholds = [
        ("bounded", 1, ("BOUNDED_PERCENT", 50), 3),
        ("unbounded", 1, ("UNBOUNDED_PERCENT", 50), 1),
        ("count", 1, ("COUNT", 2), 2),
    ];
    each_fails_with_the_last("threshold-1", &thresholds).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_three_tasks_are_desired_then_the_deployment_fails_at_exactly_its_threshold() -> Result<()> {
    // 50 % of 3 are 1.5 tasks, rounded up 2, and bounded at least 3.
    let thresholds = [
        ("bounded", 3, ("BOUNDED_PERCENT", 50), 3),
        ("unbounded", 3, ("UNBOUNDED_PERCENT", 50), 2),
        ("count", 3, ("COUNT", 4), 4),
    ];
    each_fails_with_the_last("threshold-3", &thresholds).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_ten_tasks_are_desired_then_the_deployment_fails_at_exactly_its_threshold() -> Result<()> {
    // 41 % of 10 are 4.1 tasks, rounded up 5; 15 % are 1.5, rounded up 2.
    let thresholds = [
        ("bounded", 10, ("BOUNDED_PERCENT", 41), 5),
        ("unbounded", 10, ("UNBOUNDED_PERCENT", 15), 2),
        ("count", 10, ("COUNT", 1), 1),
    ];
    each_fails_with_the_last("threshold-10", &thresholds).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_fifty_tasks_are_desired_then_one_failure_decides_between_completed_and_failed() -> Result<()> {
    Scenario::run_on_kwok("threshold-50", async |scenario| {
        given_held(scenario).await?;
        // 20 % of 50 are 10 tasks.
        let written = ("BOUNDED_PERCENT", 20);
        let mut directors = Vec::new();
        for (name, failing) in [("below", 9), ("at", 10)] {
            directors.push(scenario.direct(name, move |task| (task.index < failing).then_some(NO_START))?);
            let service = with(with(on(manifest::service(name, 50), "held"), breaker(true, written)), cumulative());
            scenario.when_applied([service]).await?;
        }
        let bounds = Bounds { at_least: 0, at_most: 100, min_ready_seconds: 0 };
        let samplers = ["below", "at"].map(|name| scenario.sample_with_failures(name, bounds));
        let then = scenario.then_within(120);
        let failed = then.the_service("at").has_records("its deployment fails", newest_failed).await?;
        ensure!((failed.failures, failed.threshold) == (10, 10), "{}", failed.line());
        let completed = then.the_service("below").is_deployed("held:1", "SUCCESSFUL").await?;
        ensure!((completed.failures, completed.failed_tasks) == (9, 9), "{}", completed.line());
        ensure!(completed.breaker == "MONITORING_COMPLETE", "{}", completed.line());
        then.the_service("below").is_steady().await?;
        ensure!(directors.iter().map(e2e::scenario::Director::failed).sum::<usize>() == 19, "other tasks failed");
        samplers.iter().try_for_each(|sampler| sampler.verdict().map(|_| ()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_task_becomes_healthy_then_the_count_starts_again_unless_failures_are_cumulative() -> Result<()> {
    Scenario::run_on_kwok("reset", async |scenario| {
        given_held(scenario).await?;
        let service = |name: &str| with(on(manifest::service(name, 3), "held"), breaker(false, ("COUNT", 3)));
        scenario.when_applied([service("reset"), with(service("sum"), cumulative())]).await?;
        let then = scenario.then_within(60);
        let counts = async |name: &str, wanted: i64| {
            let is_so = |records: &[Record]| records.last().filter(|newest| newest.failures == wanted).cloned();
            then.the_service(name).has_records(&format!("counts {wanted}"), is_so).await
        };
        for (name, after) in [("reset", 0), ("sum", 2)] {
            then.next_task(name, "held:1", Some(NO_START)).await?;
            counts(name, 1).await?;
            then.next_task(name, "held:1", Some(NO_START)).await?;
            counts(name, 2).await?;
            then.next_task(name, "held:1", None).await?;
            counts(name, after).await?;
            then.next_task(name, "held:1", Some(NO_START)).await?;
        }
        let one = counts("reset", 1).await?;
        ensure!(one.rollout_state == "IN_PROGRESS" && one.failed_tasks == 3, "{}", one.line());
        let three = counts("sum", 3).await?;
        ensure!(three.failed_tasks == 3, "{}", three.line());
        then.the_service("sum").has_records("its deployment fails", newest_failed).await?;

        // The other one completes, and its breaker looks on no more.
        for _ in 0..2 {
            then.next_task("reset", "held:1", None).await?;
        }
        let completed = then.the_service("reset").is_deployed("held:1", "SUCCESSFUL").await?;
        ensure!(completed.breaker == "MONITORING_COMPLETE" && completed.failed_tasks == 3, "{}", completed.line());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_deployment_fails_then_it_goes_back_to_the_last_completed_one_and_not_to_the_one_before() -> Result<()> {
    Scenario::run_on_kwok("rollback", async |scenario| {
        let sampler = given_web_with(scenario, 3, (100, 200), breaker(true, ("COUNT", 3))).await?;

        // The second never completes; the third fails.
        scenario.when_applied([held(revised(web(), "2"))]).await?;
        let then = scenario.then_within(60);
        then.the_service("web").shows_deployments(&[("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "COMPLETED")]).await?;
        scenario.when_applied([broken(revised(web(), "3"))]).await?;
        let went_back = |records: &[Record]| match records {
            [first, second, third, fourth] => Some([first.clone(), second.clone(), third.clone(), fourth.clone()]),
            _ => None,
        };
        let records = then.the_service("web").has_records("there is a fourth deployment", went_back).await?;
        ensure!(records[3].task_definition == "web:1", "it goes to {}", records[3].line());
        then.the_service("web").is_back_on("web:1").await?;
        let failed = then.the_service("web").has_deployment("web:3", "ROLLBACK_SUCCESSFUL").await?;
        ensure!(is_failed(&failed) && failed.failures == 3, "{}", failed.line());
        let back = then.the_service("web").is_deployed("web:1", "SUCCESSFUL").await?;
        ensure!(back.id != records[0].id, "a rollback is a deployment of its own");
        for told in [
            format!("(service web) (deployment {}) deployment failed: tasks failed to start.", failed.id),
            format!("(service web) rolling back to deployment {}.", back.id),
            format!("(service web) (deployment {}) deployment completed.", back.id),
        ] {
            then.the_service("web").tells(&told).await?;
        }
        sampler.verdict()?;
        // The family's newest revision failed: it is not tried again by itself, and the next one is.
        launches_none(scenario, "web", "web:3", 3).await?;
        scenario.when_applied([revised(web(), "4")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:4").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_old_tasks_are_gone_already_then_a_rollback_starts_them_again_within_the_bounds() -> Result<()> {
    Scenario::run_on_kwok("rollback-bounds", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), web()]).await?;
        let cases = [("in-place", (50, 100)), ("both", (50, 150)), ("all-at-once", (0, 100))];
        let service = |name: &str, (minimum, maximum): (i64, i64), definition: &str| {
            let service = with(on(manifest::service(name, 4), definition), breaker(true, ("COUNT", 4)));
            with(service, percents(minimum, maximum))
        };
        for (name, percents) in cases {
            scenario.given([service(name, percents, "web:1")]).await?;
        }
        let mut samplers = Vec::new();
        for (name, (minimum, maximum)) in cases {
            scenario.then_within(60).the_service(name).is_steady_on("web:1").await?;
            let bounds = Bounds::of(4, (usize::try_from(minimum)?, usize::try_from(maximum)?));
            samplers.push(scenario.sample_with_failures(name, bounds));
        }
        scenario.when_applied([broken(revised(web(), "2"))]).await?;
        for (name, percents) in cases {
            scenario.when_applied([service(name, percents, "web:2")]).await?;
        }
        for ((name, _), sampler) in cases.into_iter().zip(samplers) {
            let then = scenario.then_within(90);
            then.the_service(name).has_deployment("web:2", "ROLLBACK_SUCCESSFUL").await?;
            then.the_service(name).is_back_on("web:1").await?;
            sampler.verdict().map_err(|error| error.context(name))?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_deployment_has_failed_then_nothing_of_it_is_launched_until_the_next_update() -> Result<()> {
    Scenario::run_on_kwok("frozen-failure", async |scenario| {
        let sampler = given_web_with(scenario, 3, (100, 200), breaker(false, ("BOUNDED_PERCENT", 50))).await?;
        scenario.when_applied([broken(revised(web(), "2"))]).await?;
        let then = scenario.then_within(60);
        then.the_service("web").shows_deployments(&[("PRIMARY", "FAILED"), ("ACTIVE", "COMPLETED")]).await?;
        let message =
            then.the_service("web").has(is_false(ConditionType::Ready, Reason::CircuitBreakerTriggered)).await?;
        ensure!(message.contains("tasks failed to start"), "{message}");
        launches_none(scenario, "web", "web:2", 4).await?;

        sampler.expect(Bounds { at_least: 3, at_most: 10, min_ready_seconds: 0 });
        scenario.when_scaled("web", 5).await?;
        launches_none(scenario, "web", "web:2", 6).await?;
        let failed = scenario.records("web").pop();
        ensure!(failed.as_ref().is_some_and(|newest| newest.failures == 3 && is_failed(newest)), "{failed:?}");

        scenario.when_applied([revised(web(), "3")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:3").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_rollback_fails_too_then_it_ends_there() -> Result<()> {
    Scenario::run_on_kwok("rollback-failed", async |scenario| {
        let service = with(manifest::service("web", 1), breaker(true, ("COUNT", 2)));
        scenario.given([manifest::cluster("main", &[]), held(web()), with(service, percents(0, 100))]).await?;
        let then = scenario.then_within(90);
        then.next_task("web", "web:1", None).await?;
        then.the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample_with_failures("web", Bounds::of(1, (0, 100)));
        scenario.when_applied([broken(revised(web(), "2"))]).await?;
        // Its only task has made room for a broken one, and does not come back.
        for _ in 0..2 {
            then.next_task("web", "web:1", Some(NO_START)).await?;
        }
        then.the_service("web").has_deployment("web:2", "ROLLBACK_FAILED").await?;
        then.the_service("web").has(is_false(ConditionType::Ready, Reason::CircuitBreakerTriggered)).await?;
        launches_none(scenario, "web", "web:1", 4).await?;
        launches_none(scenario, "web", "web:2", 1).await?;
        ensure!(scenario.records("web").len() == 3, "{:?}", scenario.records("web"));
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_breaker_is_off_then_failures_are_counted_and_fail_nothing() -> Result<()> {
    Scenario::run_on_kwok("breaker-off", async |scenario| {
        let sampler = given_web(scenario, 2, (100, 200)).await?;
        scenario.when_applied([broken(revised(web(), "2"))]).await?;
        let then = scenario.then_within(90);
        let counts = |records: &[Record]| records.last().filter(|newest| newest.failed_tasks >= 4).cloned();
        let newest = then.the_service("web").has_records("four tasks failed", counts).await?;
        ensure!(newest.status == "IN_PROGRESS" && newest.rollout_state == "IN_PROGRESS", "{}", newest.line());
        ensure!(newest.breaker.is_empty() || newest.breaker == "DISABLED", "{}", newest.line());
        then.the_service("web").tells("is unable to consistently start tasks successfully.").await?;
        scenario.when_applied([revised(web(), "3")]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:3").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_fail_their_health_checks_then_the_breaker_counts_them_as_well() -> Result<()> {
    Scenario::run_on_kwok("breaker-health", async |scenario| {
        let soon = json!({ "healthCheck": { "retries": 1 } });
        let web = || with_container(manifest::task_definition("web"), soon.clone());
        let service = with(manifest::service("web", 2), breaker(true, ("COUNT", 2)));
        scenario.given([manifest::cluster("main", &[]), web(), with(service, percents(100, 200))]).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let sampler = scenario.sample("web", Bounds::of(2, (100, 200)));
        let unready = manifest::fate(fate::UNREADY, "true");
        scenario.when_applied([with(revised(web(), "2"), unready)]).await?;
        let then = scenario.then_within(60);
        let failed = then.the_service("web").has_deployment("web:2", "ROLLBACK_SUCCESSFUL").await?;
        ensure!(is_failed(&failed) && failed.failures == 2, "{}", failed.line());
        then.the_service("web").is_back_on("web:1").await?;
        sampler.verdict()?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_count_changes_then_the_threshold_is_of_the_latest_count() -> Result<()> {
    Scenario::run_on_kwok("threshold-scaled", async |scenario| {
        given_held(scenario).await?;
        let service = with(on(manifest::service("web", 8), "held"), breaker(true, ("UNBOUNDED_PERCENT", 50)));
        scenario.when_applied([with(service, cumulative())]).await?;
        let sampler = scenario.sample_with_failures("web", Bounds::of(8, (0, 200)));
        let then = scenario.then_within(60);
        then.next_task("web", "held:1", Some(NO_START)).await?;
        let counts = |failures: i64, threshold: i64| {
            move |records: &[Record]| {
                records.last().filter(|newest| (newest.failures, newest.threshold) == (failures, threshold)).cloned()
            }
        };
        then.the_service("web").has_records("counts 1 of 4", counts(1, 4)).await?;
        scenario.when_scaled("web", 3).await?;
        then.the_service("web").has_records("counts 1 of 2", counts(1, 2)).await?;
        then.the_service("web").has_tasks(3).await?;
        then.next_task("web", "held:1", Some(NO_START)).await?;
        let failed = then.the_service("web").has_records("counts 2 of 2", counts(2, 2)).await?;
        ensure!(is_failed(&failed), "{}", failed.line());
        sampler.verdict()?;
        Ok(())
    })
    .await
}
