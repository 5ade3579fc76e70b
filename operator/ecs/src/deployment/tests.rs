use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;

use super::circuit_breaker::{Threshold, ThresholdType};
use super::end::Undoing;
use super::policy::{Breaker, EarlySuccess};
use super::*;

const NOW: Moment = Moment::from_micros(1_000_000_000);

fn task(uid: &str) -> Task<'_> {
    Task { uid, has_failed: false, is_healthy: false, is_over: false, started_at: Some(1), failed_attempts: &[] }
}

fn failed(uid: &str) -> Task<'_> {
    Task { has_failed: true, started_at: None, ..task(uid) }
}

fn healthy(uid: &str) -> Task<'_> {
    Task { is_healthy: true, ..task(uid) }
}

fn observed<'a>(tasks: &'a [Task<'a>]) -> Observed<'a> {
    Observed {
        now: NOW,
        created_at: NOW,
        role: Role::Primary,
        desired: 2,
        tasks,
        asked: 2,
        is_replaced: false,
        has_sources: false,
        alarms: None,
        stop: None,
        is_rollback: false,
        has_candidate: true,
    }
}

fn breaker(failures: i64, rolls_back: bool) -> Policy {
    let threshold = Threshold { kind: ThresholdType::Count, value: failures };
    Policy { breaker: Breaker { is_enabled: true, rolls_back, threshold, ..Breaker::default() }, ..Policy::default() }
}

#[test]
fn when_the_last_failure_that_is_allowed_comes_then_the_deployment_ends_as_the_user_asked() {
    let tasks = [failed("a"), failed("b")];
    for (policy, is_rollback, has_candidate, stage, rollback) in [
        (breaker(3, true), false, true, Stage::InProgress, None),
        (breaker(2, false), false, true, Stage::Stopped, Some(Rollback::NotWanted)),
        (breaker(2, true), false, true, Stage::RollbackInProgress, Some(Rollback::Started)),
        (breaker(2, true), false, false, Stage::Stopped, Some(Rollback::NoCandidate)),
        (breaker(2, true), true, true, Stage::Stopped, Some(Rollback::NotWanted)),
    ] {
        let seen = Observed { is_rollback, has_candidate, ..observed(&tasks) };
        let moved = next(&State::default(), &policy, &seen);
        assert_eq!(moved.state.stage, stage, "{policy:?}");
        let end = rollback.map(|rollback| End { cause: Cause::CircuitBreaker, rollback });
        assert_eq!(moved.state.end, end);
        assert_eq!(moved.state.said(), end.map(Said::GivenUp));
        // What is stored is where it carries on.
        assert_eq!(next(&moved.state, &policy, &seen).state, moved.state);
    }
}

#[test]
fn when_several_things_end_a_deployment_at_once_then_failures_come_first_and_a_request_last() {
    let tasks = [failed("a")];
    let alarm = [Reading { name: "errors", state: alarm::State::Alarm { since: NOW.seconds() + 1 } }];
    for (failures, alarms, cause) in
        [(1, Some(&alarm[..]), Cause::CircuitBreaker), (9, Some(&alarm[..]), Cause::Alarms), (9, None, Cause::Request)]
    {
        let seen = Observed { alarms, stop: Some(StopRequest::Abort), ..observed(&tasks) };
        let moved = next(&State::default(), &breaker(failures, true), &seen);
        assert_eq!(moved.state.end.map(|end| end.cause), Some(cause));
    }
}

#[test]
fn when_a_task_fails_while_a_deployment_bakes_then_the_bake_time_goes_on_and_ends_when_it_is_replaced() {
    let policy = Policy { bake_minutes: 1, ..Policy::default() };
    let good = [healthy("a"), healthy("b")];
    let at = |seconds: i64, is_replaced: bool| Observed {
        now: Moment::from_micros(NOW.micros() + seconds * 1_000_000),
        is_replaced,
        ..observed(&good)
    };
    let baking = next(&State::default(), &policy, &at(0, true));
    assert_eq!(baking.waits_for, Some(Wait::BakeTime { until: at(60, true).now }));
    let failing = next(&baking.state, &policy, &at(30, false));
    assert_eq!(failing.waits_for, baking.waits_for);
    let over = next(&failing.state, &policy, &at(60, false));
    assert_eq!((over.state.stage, over.waits_for), (Stage::InProgress, None));
    assert_eq!(next(&failing.state, &policy, &at(59, true)).state.stage, Stage::InProgress);
    let done = next(&over.state, &policy, &at(61, true));
    assert_eq!((done.state.stage, done.state.said()), (Stage::Successful, Some(Said::Completed)));
}

#[test]
fn when_the_state_of_an_alarm_is_unknown_then_nothing_is_completed() {
    let good = [healthy("a"), healthy("b")];
    let unknown = [Reading { name: "errors", state: alarm::State::Unknown }];
    let seen = Observed { is_replaced: true, alarms: Some(&unknown), ..observed(&good) };
    let moved = next(&State::default(), &Policy::default(), &seen);
    assert_eq!((moved.state.stage, moved.waits_for), (Stage::InProgress, Some(Wait::Alarms)));
    let quiet = [Reading { name: "errors", state: alarm::State::Ok }];
    let moved = next(&moved.state, &Policy::default(), &Observed { alarms: Some(&quiet), ..seen });
    assert_eq!(moved.state.stage, Stage::Successful);
}

#[test]
fn when_enough_tasks_are_healthy_then_what_is_left_of_older_ones_decides_unless_cleanup_is_deferred() {
    let tasks = [healthy("a"), task("b")];
    for (is_cleanup_deferred, has_sources, stage) in
        [(true, true, Stage::Successful), (false, true, Stage::InProgress), (false, false, Stage::Successful)]
    {
        let criteria = EarlySuccess { healthy_percent: 50, is_cleanup_deferred };
        let policy = Policy { early_success: Some(criteria), ..Policy::default() };
        let moved = next(&State::default(), &policy, &Observed { has_sources, ..observed(&tasks) });
        assert_eq!(moved.state.stage, stage);
    }
}

#[test]
fn when_a_rollback_comes_to_an_end_then_the_deployment_that_it_undoes_says_so() {
    let begun = |stage, is_newest| Undoing::Begun { stage, is_newest };
    for (undoing, said) in [
        (Undoing::NotYet, None),
        (Undoing::Never, Some(Stage::RollbackFailed)),
        (begun(Stage::Pending, true), None),
        (begun(Stage::InProgress, true), None),
        (begun(Stage::InProgress, false), Some(Stage::RollbackFailed)),
        (begun(Stage::Successful, true), Some(Stage::RollbackSuccessful)),
        (begun(Stage::Successful, false), Some(Stage::RollbackSuccessful)),
        (begun(Stage::Stopped, true), Some(Stage::RollbackFailed)),
    ] {
        assert_eq!(undoing.settle(), said, "{undoing:?}");
    }
}

/// One look at a deployment, as a script of random values.
#[derive(Clone, Debug)]
struct Look {
    seconds: i64,
    role: Role,
    desired: i64,
    /// Failed, healthy, ran, restarts; by the number of the task.
    tasks: Vec<(bool, bool, bool, Vec<i64>)>,
    is_replaced: bool,
    has_sources: bool,
    alarm: Option<alarm::State>,
    stop: Option<StopRequest>,
    has_candidate: bool,
}

fn looks() -> impl Generator<Value = Vec<Look>> {
    let role = prop_oneof![8 => Just(Role::Primary), 1 => Just(Role::Suspended), 1 => Just(Role::Superseded)];
    let alarm = prop_oneof![
        4 => Just(None),
        2 => Just(Some(alarm::State::Ok)),
        1 => Just(Some(alarm::State::Unknown)),
        1 => (0..2000_i64).prop_map(|since| Some(alarm::State::Alarm { since })),
    ];
    let stop =
        prop_oneof![9 => Just(None), 1 => Just(Some(StopRequest::Abort)), 1 => Just(Some(StopRequest::Rollback))];
    let tasks = prop::collection::vec(
        (any::<bool>(), any::<bool>(), any::<bool>(), prop::collection::vec(0..4_i64, 0..3)),
        0..6,
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let look = (0..90_i64, role, 0..6_i64, tasks, alarm, stop, flags).prop_map(
        |(seconds, role, desired, tasks, alarm, stop, (is_replaced, has_sources, has_candidate))| Look {
            seconds,
            role,
            desired,
            tasks,
            is_replaced,
            has_sources,
            alarm,
            stop,
            has_candidate,
        },
    );
    prop::collection::vec(look, 1..12)
}

proptest! {
    #[test]
    fn whatever_is_seen_then_what_is_stored_decides_alone_and_what_is_over_stays_over(
        looks in looks(),
        failures in 1..6_i64,
        (is_enabled, rolls_back, is_rollback) in any::<(bool, bool, bool)>(),
        bake_minutes in 0..2_i64,
    ) {
        let mut policy = breaker(failures, rolls_back);
        policy.breaker.is_enabled = is_enabled;
        policy.bake_minutes = bake_minutes;
        let names: Vec<String> = (0..6).map(|number| format!("task-{number}")).collect();
        let mut state = State::default();
        let mut now = NOW;
        for look in looks {
            now = Moment::from_micros(now.micros() + look.seconds * 1_000_000);
            let tasks: Vec<Task<'_>> = look.tasks.iter().zip(&names).map(|((has_failed, is_healthy, has_run, failed_attempts), uid)| Task {
                uid, has_failed: *has_failed, is_healthy: *is_healthy, is_over: false, started_at: has_run.then_some(1), failed_attempts,
            }).collect();
            let readings: Vec<Reading<'_>> = look.alarm.iter().map(|state| Reading { name: "errors", state: *state }).collect();
            let seen = Observed {
                now, role: look.role, desired: look.desired, is_replaced: look.is_replaced, has_sources: look.has_sources,
                alarms: look.alarm.is_some().then_some(&readings), stop: look.stop, is_rollback, has_candidate: look.has_candidate,
                ..observed(&tasks)
            };
            let moved = next(&state, &policy, &seen);
            // Looking again at the same changes nothing.
            let again = next(&moved.state, &policy, &seen);
            prop_assert_eq!(&again.state, &moved.state);
            // What is over stays where it is, and only the newest deployment is judged.
            if state.stage.is_over() {
                prop_assert_eq!(moved.state.stage, state.stage);
                prop_assert_eq!(moved.state.end, state.end);
            }
            if look.role == Role::Suspended {
                prop_assert_eq!(moved.state.stage, state.stage);
            }
            prop_assert!(moved.state.stage == state.stage || moved.state.stage != Stage::Pending);
            // A rollback never undoes itself, and without a candidate nothing is undone.
            if is_rollback || !look.has_candidate {
                prop_assert!(moved.state.stage != Stage::RollbackInProgress || state.stage == Stage::RollbackInProgress);
            }
            // Failures never get fewer, and a breaker that is not enabled ends nothing.
            prop_assert!(moved.state.tally.failures.failed_tasks >= state.tally.failures.failed_tasks);
            if !is_enabled {
                prop_assert!(moved.state.end.is_none_or(|end| end.cause != Cause::CircuitBreaker));
            }
            // An end and its reason come together.
            prop_assert_eq!(moved.state.end.is_some(), moved.state.stage.is_frozen());
            let is_replaced = moved.state.end.is_some_and(|end| end.cause == Cause::Replaced);
            prop_assert_eq!(moved.state.said().is_some(), moved.state.stage.is_over() && !is_replaced);
            state = moved.state;
        }
    }
}
