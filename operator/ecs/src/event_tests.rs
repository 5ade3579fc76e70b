use super::*;
use crate::lifecycle::StopCode;

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// Every text, as this version says it and as ECS does.
fn texts() -> Vec<(String, &'static str)> {
    let deployment = "ecs-svc/1234567890123456789";
    vec![
        (started_tasks("web", &ids(&["a"])), "(service web) has started 1 tasks: (task a)."),
        (started_tasks("web", &ids(&["a", "b"])), "(service web) has started 2 tasks: (task a) (task b)."),
        (
            started_replacements("web", &ids(&["a"]), 1),
            "(service web) has started 1 tasks: (task a). Amazon ECS replaced 1 tasks due to an unhealthy status.",
        ),
        (
            started_for_balance("web", "us-east-1a", &ids(&["a"])),
            "(service web) has started 1 tasks in us-east-1a to AZ Rebalance: (task a).",
        ),
        (
            stopped_for_balance("web", "us-east-1b", &ids(&["a"])),
            "(service web) has stopped 1 running tasks in us-east-1b due to AZ rebalancing: (task a).",
        ),
        (
            unable_to_start("web", "CannotPullContainerError: not found."),
            "(service web) was unable to place a task. Reason: CannotPullContainerError: not found.",
        ),
        (stopped_tasks("web", &ids(&["a"])), "(service web) has stopped 1 running tasks: (task a)."),
        (stopped_pending_tasks("web", 2), "(service web) stopped 2 pending tasks."),
        (registered_targets("web", 2, "tg"), "(service web) registered 2 targets in (target-group tg)"),
        (draining_connections("web", 1), "(service web) has begun draining connections on 1 tasks."),
        (deregistered_targets("web", 1, "tg"), "(service web) deregistered 1 targets in (target-group tg)"),
        (
            not_balanced("web", &[("us-east-1a", 3), ("us-east-1b", 1)]),
            "(service web) is not AZ balanced with 3 tasks in us-east-1a, 1 tasks in us-east-1b. AZ Rebalancing in progress.",
        ),
        (
            balanced("web", &[("us-east-1a", 2), ("us-east-1b", 2)]),
            "(service web) is AZ balanced with 2 tasks in us-east-1a, 2 tasks in us-east-1b.",
        ),
        (steady_state("web"), "(service web) has reached a steady state."),
        (
            deployment_completed("web", deployment),
            "(service web) (deployment ecs-svc/1234567890123456789) deployment completed.",
        ),
        (
            deployment_failed("web", deployment),
            "(service web) (deployment ecs-svc/1234567890123456789) deployment failed: tasks failed to start.",
        ),
        (
            deployment_failed_by_alarm("web", deployment),
            "(service web) (deployment ecs-svc/1234567890123456789) deployment failed: alarm detected.",
        ),
        (rolling_back("web", deployment), "(service web) rolling back to deployment ecs-svc/1234567890123456789."),
        (unable_to_start_consistently("web"), "(service web) is unable to consistently start tasks successfully."),
        (
            stuck_deployment("web"),
            "(service web) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
        ),
        (
            unable_to_scale_in("web", deployment, 2),
            "(service web, taskSet ecs-svc/1234567890123456789) was unable to scale in due to (reason 2 tasks under protection)",
        ),
        (
            deployment_failed_without_candidate("web", deployment),
            "(service web) (deployment ecs-svc/1234567890123456789) deployment failed: No rollback candidate was found to run the rollback.",
        ),
        (
            deployment_stopped("web", deployment),
            "(service web) (deployment ecs-svc/1234567890123456789) deployment stopped by a user.",
        ),
        (
            rolled_back_by_circuit_breaker(),
            "Service deployment rolled back because the circuit breaker threshold was exceeded.",
        ),
        (rolled_back_by_alarms(), "Service deployment rolled back because of one or more active alarms."),
        (rolled_back_by_request(), "Service deployment rolled back because it was stopped by a user."),
        (stopped_by_request(), "Service deployment stopped by a user."),
        (rollout_failed_by_alarm(), "ECS deployment failed: alarm detected."),
        (
            rollout_rolling_back_by_alarm(deployment),
            "ECS deployment failed: alarm detected, rolling back to deploymentId ecs-svc/1234567890123456789.",
        ),
        (
            placement_constraint_violated("agent", &ids(&["a", "b"])),
            "(service agent) has 2 tasks that no longer meet its placement constraints: (task a) (task b).",
        ),
        (failed_health_checks("web", "a"), "(service web) (task a) failed container health checks."),
        (scaling_activity(deployment), "Scaling activity initiated by (deployment ecs-svc/1234567890123456789)"),
        (rollout_in_progress(deployment), "ECS deployment ecs-svc/1234567890123456789 in progress."),
        (rollout_completed(deployment), "ECS deployment ecs-svc/1234567890123456789 completed."),
        (rollout_failed(), "ECS deployment circuit breaker: tasks failed to start."),
        (
            rollout_rolling_back(deployment),
            "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1234567890123456789.",
        ),
        (no_rollback_candidate(), "No rollback candidate was found to run the rollback."),
        (
            unable_to_place("web", ""),
            "(service web) was unable to place a task because no container instance met all of its requirements.",
        ),
    ]
}

#[test]
fn when_something_happens_to_a_service_then_it_is_said_in_the_words_of_ecs() {
    for (text, expected) in texts() {
        assert_eq!(text, expected);
    }
}

#[test]
fn when_something_can_be_said_then_the_page_about_events_explains_it() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/events.md")).unwrap();
    for (text, _) in texts() {
        assert!(page.contains(&format!("\n| `{text}` |")), "no row for {text}");
    }
    for name in EventName::ALL {
        let kind = if name.is_warning() { "Warning" } else { "Normal" };
        assert!(page.contains(&format!("\n| `{}` | {kind} |", name.as_str())), "no row for {}", name.as_str());
    }
    for code in [
        StopCode::TaskFailedToStart,
        StopCode::EssentialContainerExited,
        StopCode::UserInitiated,
        StopCode::ServiceSchedulerInitiated,
        StopCode::SpotInterruption,
        StopCode::TerminationNotice,
        StopCode::InfrastructureHealth,
    ] {
        assert!(page.contains(&format!("\n| `{}` |", code.as_str())), "no row for {}", code.as_str());
    }
    // Each text has a function of its own, and one of them is listed twice.
    let functions =
        include_str!("event.rs").lines().filter(|line| line.starts_with("pub fn ") && line.ends_with("-> String {"));
    assert_eq!(texts().len(), functions.count() + 1);
}

#[test]
fn when_no_node_fits_then_the_reason_of_the_scheduler_follows_on_the_same_line() {
    let text = "(service web) was unable to place a task because no container instance met all of its requirements.";
    assert_eq!(unable_to_place("web", ""), text);
    assert_eq!(unable_to_place("web", " \n"), text);
    assert_eq!(
        unable_to_place("web", "0/3 nodes are available:\n3 Insufficient cpu."),
        format!("{text} Reason: 0/3 nodes are available: 3 Insufficient cpu.")
    );
}

#[test]
fn when_event_names_are_spelled_then_each_has_the_form_of_ecs() {
    let names: std::collections::BTreeSet<&str> = EventName::ALL.into_iter().map(EventName::as_str).collect();
    assert_eq!(names.len(), EventName::ALL.len());
    assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')));
    let warnings: Vec<&str> =
        EventName::ALL.into_iter().filter(|name| name.is_warning()).map(EventName::as_str).collect();
    assert_eq!(
        warnings,
        [
            "SERVICE_TASK_START_IMPAIRED",
            "SERVICE_TASK_PLACEMENT_FAILURE",
            "SERVICE_DEPLOYMENT_FAILED",
            "SERVICE_TASK_CONFIGURATION_FAILURE",
            "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"
        ]
    );
}

#[test]
fn when_a_message_was_written_less_than_six_hours_ago_then_it_is_not_repeated() {
    assert!(may_repeat(None, 0));
    assert!(!may_repeat(Some(1000), 1000 + 21_599));
    assert!(may_repeat(Some(1000), 1000 + 21_600));
    assert!(!may_repeat(Some(1000), 0));
}
