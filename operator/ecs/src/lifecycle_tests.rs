use proptest::prelude::*;

use super::*;

fn container(name: &str, state: ContainerState) -> ContainerObservation {
    let started_once = state == ContainerState::Running || matches!(state, ContainerState::Terminated { .. });
    ContainerObservation { name: name.to_owned(), essential: true, state, started_once, last_exit: None }
}

fn running() -> ContainerState {
    ContainerState::Running
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    ContainerState::Waiting { reason: reason.to_owned(), message: message.to_owned() }
}

fn ended(exit_code: i64, reason: &str) -> ContainerState {
    ContainerState::Terminated { exit_code, reason: reason.to_owned() }
}

/// A Pod on a node with these containers, all essential.
fn placed(phase: Phase, states: &[ContainerState]) -> TaskObservation {
    let containers =
        states.iter().zip('a'..).map(|(state, name)| container(&name.to_string(), state.clone())).collect();
    TaskObservation { phase, scheduled: true, containers, ..TaskObservation::default() }
}

fn deleted(task: TaskObservation, deletion: Deletion, cause: Option<StopCause>) -> TaskObservation {
    TaskObservation { deletion: Some(deletion), cause, ..task }
}

fn state(last_status: LastStatus, desired_status: DesiredStatus, stop: Option<(StopCode, &str)>) -> TaskState {
    TaskState {
        last_status,
        desired_status,
        stop_code: stop.map(|(code, _)| code),
        stopped_reason: stop.map(|(_, reason)| reason.to_owned()),
    }
}

#[test]
fn when_a_pod_is_on_its_way_then_the_task_goes_from_provisioning_to_running() {
    let unplaced = TaskObservation::default();
    let creating = waiting("ContainerCreating", "");
    for (task, last_status) in [
        (TaskObservation { waits_for_capacity: true, ..unplaced.clone() }, LastStatus::Provisioning),
        (unplaced, LastStatus::Pending),
        (placed(Phase::Pending, &[]), LastStatus::Activating),
        (placed(Phase::Pending, std::slice::from_ref(&creating)), LastStatus::Activating),
        (placed(Phase::Pending, &[running(), creating]), LastStatus::Activating),
        (TaskObservation { awaits_traffic: true, ..placed(Phase::Running, &[running()]) }, LastStatus::Activating),
        (placed(Phase::Running, &[running(), running()]), LastStatus::Running),
        (placed(Phase::Unknown, &[running()]), LastStatus::Running),
    ] {
        assert_eq!(classify(&task), state(last_status, DesiredStatus::Running, None), "{task:?}");
    }
}

#[test]
fn when_a_non_essential_container_has_ended_then_the_task_runs_on() {
    let mut task = placed(Phase::Running, &[running(), ended(1, "Error")]);
    task.containers[1].essential = false;
    assert_eq!(classify(&task), state(LastStatus::Running, DesiredStatus::Running, None));
}

#[test]
fn when_an_essential_container_exits_then_the_task_is_to_stop_even_with_code_zero() {
    for exit_code in [0, 1, 137] {
        let task = placed(Phase::Running, &[running(), ended(exit_code, "Completed")]);
        assert_eq!(
            classify(&task),
            state(
                LastStatus::Running,
                DesiredStatus::Stopped,
                Some((StopCode::EssentialContainerExited, "Essential container in task exited"))
            )
        );
    }
}

#[test]
fn when_a_container_restarts_in_place_then_the_task_still_counts_as_running() {
    let mut task = placed(Phase::Running, &[waiting("CrashLoopBackOff", "back-off")]);
    task.containers[0].started_once = true;
    task.containers[0].last_exit = Some(Exit { exit_code: 1, reason: "Error".to_owned() });
    assert_eq!(classify(&task), state(LastStatus::Running, DesiredStatus::Running, None));
    assert_eq!(task.containers[0].exit().map(|exit| exit.exit_code), Some(1));
}

#[test]
fn when_a_container_cannot_start_then_the_error_of_ecs_is_named() {
    for (reason, error) in [
        ("ErrImagePull", "CannotPullContainerError"),
        ("ImagePullBackOff", "CannotPullContainerError"),
        ("InvalidImageName", "CannotPullContainerError"),
        ("CreateContainerConfigError", "ResourceInitializationError"),
        ("CreateContainerError", "CannotCreateContainerError"),
        ("RunContainerError", "CannotStartContainerError"),
    ] {
        for (message, text) in [("no such\nthing", "no such thing"), ("", reason)] {
            let task = placed(Phase::Pending, &[running(), waiting(reason, message)]);
            let expected = format!("{error}: {text}");
            assert_eq!(
                classify(&task),
                state(LastStatus::Activating, DesiredStatus::Stopped, Some((StopCode::TaskFailedToStart, &expected)))
            );
            assert_eq!(task.containers[1].reason(), Some(expected));
        }
    }
}

#[test]
fn when_an_image_disappears_after_the_task_ran_then_it_has_not_failed_to_start() {
    let mut task = placed(Phase::Running, &[waiting("ImagePullBackOff", "")]);
    task.containers[0].started_once = true;
    assert_eq!(classify(&task).stop_code, None);
}

#[test]
fn when_a_process_could_not_be_executed_then_the_task_failed_to_start() {
    let mut task = placed(Phase::Failed, &[ended(128, "StartError")]);
    task.containers[0].started_once = false;
    assert_eq!(classify(&task).stop_code, Some(StopCode::TaskFailedToStart));
}

#[test]
fn when_a_container_ran_out_of_memory_then_it_says_so_and_only_an_essential_one_ends_the_task() {
    let out_of_memory = "OutOfMemoryError: Container killed due to memory usage";
    let mut task = placed(Phase::Running, &[running(), ended(137, "OOMKilled")]);
    assert_eq!(task.containers[1].reason().as_deref(), Some(out_of_memory));
    assert_eq!(classify(&task).stop_code, Some(StopCode::EssentialContainerExited));
    task.containers[1].essential = false;
    assert_eq!(classify(&task).stop_code, None);
    let restarted = ContainerObservation {
        last_exit: Some(Exit { exit_code: 137, reason: "OOMKilled".to_owned() }),
        ..container("a", running())
    };
    assert_eq!(restarted.reason().as_deref(), Some(out_of_memory));
    assert_eq!(container("a", ended(1, "Error")).reason(), None);
}

#[test]
fn when_a_task_is_deleted_then_it_goes_from_deactivating_to_stopped() {
    let cause = Some(StopCause::Deployment { id: "ecs-svc/1".to_owned() });
    let stop = Some((StopCode::ServiceSchedulerInitiated, "Scaling activity initiated by (deployment ecs-svc/1)"));
    let up = placed(Phase::Running, &[running()]);
    let down = placed(Phase::Running, &[ended(143, "Error")]);
    for (task, last_status) in [
        (deleted(up.clone(), Deletion::BeforeSignal, cause.clone()), LastStatus::Deactivating),
        (deleted(up.clone(), Deletion::AfterSignal, cause.clone()), LastStatus::Stopping),
        (deleted(down, Deletion::AfterSignal, cause.clone()), LastStatus::Deprovisioning),
        (deleted(placed(Phase::Failed, &[]), Deletion::AfterSignal, cause.clone()), LastStatus::Deprovisioning),
        (deleted(TaskObservation::default(), Deletion::BeforeSignal, cause.clone()), LastStatus::Deprovisioning),
        (TaskObservation { phase: Phase::Gone, cause, ..up }, LastStatus::Stopped),
    ] {
        assert_eq!(classify(&task), state(last_status, DesiredStatus::Stopped, stop), "{task:?}");
    }
}

#[test]
fn when_the_cause_of_an_end_is_known_then_code_and_text_follow_from_it() {
    let blank = String::new;
    for (cause, code, reason) in [
        (StopCause::HealthChecks, StopCode::ServiceSchedulerInitiated, "Task failed container health checks"),
        (StopCause::User { reason: blank() }, StopCode::UserInitiated, "Task stopped by user"),
        (StopCause::User { reason: "tidy\nup".to_owned() }, StopCode::UserInitiated, "tidy up"),
        (StopCause::Spot, StopCode::SpotInterruption, "Your Spot Task was interrupted."),
        (
            StopCause::TerminationNotice,
            StopCode::TerminationNotice,
            "The instance of the task is about to be terminated.",
        ),
        (
            StopCause::Infrastructure { reason: "The node was low on resource: memory.".to_owned() },
            StopCode::InfrastructureHealth,
            "The node was low on resource: memory.",
        ),
        (
            StopCause::Infrastructure { reason: blank() },
            StopCode::InfrastructureHealth,
            "The node of the task is not available.",
        ),
    ] {
        // The exit of a container that was asked to stop does not hide who asked.
        let task = deleted(placed(Phase::Running, &[ended(143, "Error")]), Deletion::AfterSignal, Some(cause));
        let expected = state(LastStatus::Deprovisioning, DesiredStatus::Stopped, Some((code, reason)));
        assert_eq!(classify(&task), expected);
    }
}

#[test]
fn when_nothing_says_why_a_pod_ended_then_the_most_likely_cause_is_named() {
    let up = placed(Phase::Running, &[running()]);
    let unexplained = classify(&deleted(up.clone(), Deletion::AfterSignal, None));
    assert_eq!(unexplained.stop_code, Some(StopCode::UserInitiated));
    assert_eq!(classify(&TaskObservation { phase: Phase::Gone, ..up }).stop_code, Some(StopCode::UserInitiated));
    assert_eq!(classify(&placed(Phase::Failed, &[])).stop_code, Some(StopCode::InfrastructureHealth));
}

#[test]
fn when_a_task_is_over_by_itself_then_its_essential_exit_is_the_reason() {
    for (phase, exit_code) in [(Phase::Succeeded, 0), (Phase::Failed, 3)] {
        let over = classify(&placed(phase, &[ended(exit_code, "Completed")]));
        assert_eq!(over.last_status, LastStatus::Stopped);
        assert_eq!(over.stop_code, Some(StopCode::EssentialContainerExited));
    }
}

#[test]
fn when_tasks_are_counted_then_everything_before_running_is_pending() {
    use LastStatus::{Activating, Deactivating, Deprovisioning, Pending, Provisioning, Running, Stopped, Stopping};
    let life = [Provisioning, Pending, Activating, Running, Deactivating, Stopping, Deprovisioning, Stopped];
    assert!(life.is_sorted());
    assert_eq!(
        life.map(LastStatus::as_str),
        ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]
    );
    assert_eq!(life.map(LastStatus::is_pending), [true, true, true, false, false, false, false, false]);
    assert_eq!(life.iter().filter(|status| status.is_running()).count(), 1);
    assert_eq!([DesiredStatus::Running, DesiredStatus::Stopped].map(DesiredStatus::as_str), ["RUNNING", "STOPPED"]);
}

#[test]
fn when_a_process_that_ran_before_cannot_be_executed_again_then_the_task_has_not_failed_to_start() {
    let mut task = placed(Phase::Running, &[ended(128, "StartError")]);
    assert_eq!(classify(&task).stop_code, Some(StopCode::TaskFailedToStart));
    task.containers[0].last_exit = Some(Exit { exit_code: 0, reason: "Completed".to_owned() });
    assert_eq!(classify(&task).stop_code, Some(StopCode::EssentialContainerExited));
}

fn any_container() -> impl Strategy<Value = ContainerObservation> {
    let state = prop_oneof![
        Just(running()),
        (0_i64..3, "Error|Completed|OOMKilled|StartError").prop_map(|(code, reason)| ended(code, &reason)),
        "ContainerCreating|CrashLoopBackOff|ErrImagePull|RunContainerError".prop_map(|reason| waiting(&reason, "")),
    ];
    (state, any::<bool>(), any::<bool>()).prop_map(|(state, essential, started_once)| ContainerObservation {
        essential,
        started_once: started_once || state == running(),
        ..container("c", state)
    })
}

fn any_task() -> impl Strategy<Value = TaskObservation> {
    use Phase::{Failed, Gone, Pending, Running, Succeeded, Unknown};
    let phase = proptest::sample::select(vec![Pending, Running, Succeeded, Failed, Unknown, Gone]);
    let deletion = proptest::sample::select(vec![None, Some(Deletion::BeforeSignal), Some(Deletion::AfterSignal)]);
    let containers = proptest::collection::vec(any_container(), 0..4);
    let cause = proptest::sample::select(vec![None, Some(StopCause::Spot), Some(StopCause::HealthChecks)]);
    (phase, deletion, containers, cause, any::<(bool, bool, bool)>()).prop_map(
        |(phase, deletion, containers, cause, (scheduled, waits_for_capacity, awaits_traffic))| TaskObservation {
            phase,
            scheduled,
            waits_for_capacity,
            awaits_traffic,
            containers,
            deletion,
            cause,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_task_that_ends_always_has_a_code_and_a_reason_on_one_line(task in any_task()) {
        let state = classify(&task);
        prop_assert_eq!(state.stop_code.is_some(), state.desired_status == DesiredStatus::Stopped);
        prop_assert_eq!(state.stop_code.is_some(), state.stopped_reason.is_some());
        prop_assert!(state.last_status < LastStatus::Deactivating || state.stop_code.is_some());
        prop_assert!(state.stopped_reason.is_none_or(|reason| !reason.is_empty() && !reason.contains('\n')));
        prop_assert!(task.cause.is_none_or(|cause| state.stop_code == Some(cause.code())));
    }

    #[test]
    fn a_running_task_has_started_every_container(task in any_task()) {
        if classify(&task).last_status == LastStatus::Running {
            prop_assert!(task.scheduled && task.deletion.is_none() && !task.awaits_traffic);
            prop_assert!(!task.containers.is_empty());
            prop_assert!(task.containers.iter().all(|container| container.started_once));
        }
    }
}
