use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;

fn failed(uid: &str) -> TaskView<'_> {
    TaskView { uid, failed: true, healthy: false }
}

fn healthy(uid: &str) -> TaskView<'_> {
    TaskView { uid, failed: false, healthy: true }
}

fn starting(uid: &str) -> TaskView<'_> {
    TaskView { uid, failed: false, healthy: false }
}

fn numbers(count: &Count) -> (i64, i64) {
    (count.failure_count, count.failed_tasks)
}

#[test]
fn when_thresholds_become_failures_then_percentages_are_rounded_up_and_bounded_where_asked() {
    use ThresholdType::{BoundedPercent, Count, UnboundedPercent};
    for (kind, value, of_desired) in [
        // Desired counts of 0, 1, 3, 10, 50 and 401.
        (BoundedPercent, 50, [3, 3, 3, 5, 25, 200]),
        (BoundedPercent, 10, [3, 3, 3, 3, 5, 41]),
        (BoundedPercent, 100, [3, 3, 3, 10, 50, 200]),
        (BoundedPercent, 1, [3, 3, 3, 3, 3, 5]),
        (UnboundedPercent, 50, [1, 1, 2, 5, 25, 201]),
        (UnboundedPercent, 10, [1, 1, 1, 1, 5, 41]),
        (UnboundedPercent, 100, [1, 1, 3, 10, 50, 401]),
        (UnboundedPercent, 1, [1, 1, 1, 1, 1, 5]),
        (Count, 1, [1; 6]),
        (Count, 7, [7; 6]),
        (Count, 500, [500; 6]),
        (Count, 0, [1; 6]),
    ] {
        for (desired, expected) in [0, 1, 3, 10, 50, 401].into_iter().zip(of_desired) {
            let threshold = Threshold { kind, value };
            assert_eq!(threshold.failures(desired), expected, "{kind:?} {value} of {desired}");
        }
    }
    assert_eq!(Threshold::default(), Threshold { kind: BoundedPercent, value: 50 });
    assert_eq!(Threshold { kind: UnboundedPercent, value: i64::MAX }.failures(i64::MAX), i64::MAX);
    assert_eq!(Threshold { kind: UnboundedPercent, value: -5 }.failures(-5), 1);
}

#[test]
fn when_tasks_fail_one_by_one_then_the_breaker_triggers_exactly_at_its_threshold() {
    for desired in [1, 3, 10, 50, 401] {
        for kind in [ThresholdType::Count, ThresholdType::BoundedPercent, ThresholdType::UnboundedPercent] {
            for value in [1, 10, 50, 100] {
                let threshold = Threshold { kind, value }.failures(desired);
                let mut count = Count::default();
                for failure in 1..=threshold {
                    assert!(!is_triggered(count.failure_count, threshold), "{desired} {kind:?} {value} {failure}");
                    let uid = format!("uid-{failure}");
                    count = count.observe(&[failed(&uid)], true);
                }
                assert_eq!(numbers(&count), (threshold, threshold));
                assert!(is_triggered(count.failure_count, threshold), "{desired} {kind:?} {value}");
            }
        }
    }
}

#[test]
fn when_the_desired_count_falls_then_failures_above_the_new_threshold_trigger() {
    let threshold = Threshold::default();
    assert!(!is_triggered(20, threshold.failures(50)));
    assert!(is_triggered(20, threshold.failures(10)));
}

#[test]
fn when_the_same_failed_task_is_seen_again_then_it_counts_once() {
    let first = Count::default().observe(&[failed("a"), starting("b")], true);
    assert_eq!(numbers(&first), (1, 1));
    let again = first.observe(&[failed("a"), starting("b")], true);
    assert_eq!(again, first);
    // A crash loop may look as if it had started for a moment.
    let flickering = again.observe(&[starting("a"), starting("b")], true);
    assert_eq!(flickering, first);
    assert_eq!(flickering.observe(&[failed("a")], true), first);
}

#[test]
fn when_a_failed_pod_is_gone_then_its_failure_stays_and_its_uid_is_forgotten() {
    let count = Count::default().observe(&[failed("a"), failed("b")], true);
    assert!(count.contains("a") && count.contains("b"));
    let count = count.observe(&[failed("b")], true);
    assert_eq!(numbers(&count), (2, 2));
    assert!(!count.contains("a") && count.contains("b"));
    let count = count.observe(&[], true);
    assert_eq!(count, Count { failure_count: 2, failed_tasks: 2, ..Count::default() });
}

#[test]
fn when_a_task_becomes_healthy_then_earlier_failures_are_forgotten_but_stay_in_the_sum() {
    let count = Count::default().observe(&[failed("a"), failed("b"), starting("c")], true);
    let count = count.observe(&[failed("a"), failed("b"), healthy("c"), failed("d")], true);
    // `d` failed in the observation that shows the healthy task: it is the first of a new row.
    assert_eq!(numbers(&count), (1, 3));
    let count = count.observe(&[healthy("c"), failed("d"), failed("e")], true);
    assert_eq!(numbers(&count), (2, 4));
}

#[test]
fn when_failures_are_cumulative_then_a_healthy_task_changes_nothing() {
    let count = Count::default().observe(&[failed("a"), failed("b"), starting("c")], false);
    let count = count.observe(&[failed("a"), failed("b"), healthy("c"), failed("d")], false);
    assert_eq!(numbers(&count), (3, 3));
    // Switched on, the next task that becomes healthy resets, not the one that is healthy already.
    let count = count.observe(&[failed("d"), healthy("c")], true);
    assert_eq!(numbers(&count), (3, 3));
    let count = count.observe(&[failed("d"), healthy("c"), healthy("e")], true);
    assert_eq!(numbers(&count), (0, 3));
}

#[test]
fn when_a_task_was_healthy_before_the_failure_then_staying_or_blinking_is_no_reset() {
    let count = Count::default().observe(&[healthy("a")], true);
    assert_eq!(count, Count::default());
    let count = count.observe(&[healthy("a"), failed("b")], true);
    let count = count.observe(&[healthy("a")], true);
    assert_eq!(numbers(&count), (1, 1));
    let count = count.observe(&[starting("a")], true).observe(&[healthy("a")], true);
    assert_eq!(numbers(&count), (1, 1));
}

#[test]
fn when_two_tasks_become_healthy_with_a_failure_between_then_the_second_resets_too() {
    let count = Count::default().observe(&[failed("x")], true);
    let count = count.observe(&[failed("x"), healthy("a")], true);
    let count = count.observe(&[failed("x"), healthy("a"), failed("y")], true);
    assert_eq!(numbers(&count), (1, 2));
    let count = count.observe(&[failed("y"), healthy("a"), healthy("b")], true);
    assert_eq!(numbers(&count), (0, 2));
    assert!(count.healthy.is_empty());
}

#[test]
fn when_a_healthy_task_fails_later_then_it_counts_and_never_resets_again() {
    let count = Count::default().observe(&[healthy("a")], true);
    let count = count.observe(&[TaskView { uid: "a", failed: true, healthy: true }], true);
    assert_eq!(numbers(&count), (1, 1));
    assert_eq!(numbers(&count.observe(&[healthy("a")], true)), (1, 1));
}

#[test]
fn when_marks_are_made_then_they_are_those_of_the_published_function() {
    for (text, hash) in [("", 0x811c_9dc5), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
        assert_eq!(mark(text), hash, "{text}");
    }
}

/// What happens to the tasks of a deployment, one thing after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Healthy(u8),
    Failed(u8),
    Gone(u8),
    /// The operator looks.
    Observed,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    // Each task goes a part of its way: it becomes healthy, fails, is gone. The ways are interleaved at random.
    let ways = proptest::collection::vec(subsequence(vec![0_u8, 1, 2], 0..=3), 1..30);
    (ways, proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..150)).prop_map(
        |(mut ways, turns)| {
            let mut events = Vec::new();
            for (turn, observed) in turns {
                let task = turn.index(ways.len());
                if !ways[task].is_empty() {
                    let id = u8::try_from(task).unwrap();
                    events.push(match ways[task].remove(0) {
                        0 => Event::Healthy(id),
                        1 => Event::Failed(id),
                        _ => Event::Gone(id),
                    });
                }
                if observed {
                    events.push(Event::Observed);
                }
            }
            events.push(Event::Observed);
            events
        },
    )
}

/// Everything that could be seen between two looks, in the order in which it counts: what was gone again was never seen, a
/// task that failed is not healthy, and healthy tasks come first.
fn replayed(events: &[Event], resets: bool) -> (i64, i64) {
    let (mut in_a_row, mut all) = (0, 0);
    for between in events.split(|event| *event == Event::Observed) {
        let seen = |task: u8| !between.contains(&Event::Gone(task));
        let became_healthy = between.iter().any(|event| match *event {
            Event::Healthy(task) => seen(task) && !between.contains(&Event::Failed(task)),
            _ => false,
        });
        if became_healthy && resets {
            in_a_row = 0;
        }
        for event in between {
            if let Event::Failed(task) = *event
                && seen(task)
            {
                in_a_row += 1;
                all += 1;
            }
        }
    }
    (in_a_row, all)
}

/// Steps a count through the events. At each look the count may be all that is left, and it may be made of the same tasks
/// several times.
fn observed(events: &[Event], resets: bool, looks: usize) -> (i64, i64) {
    let mut tasks: BTreeMap<u8, (bool, bool)> = (0..30).map(|task| (task, (false, false))).collect();
    let mut count = Count::default();
    for event in events {
        match *event {
            Event::Healthy(task) => tasks.entry(task).and_modify(|state| state.1 = true).or_default(),
            Event::Failed(task) => tasks.entry(task).and_modify(|state| state.0 = true).or_default(),
            Event::Gone(task) => {
                tasks.remove(&task);
                continue;
            }
            Event::Observed => {
                let uids: Vec<(String, bool, bool)> =
                    tasks.iter().map(|(task, state)| (format!("uid-{task}"), state.0, state.1)).collect();
                let views: Vec<TaskView<'_>> = uids
                    .iter()
                    .map(|(uid, failed, healthy)| TaskView { uid, failed: *failed, healthy: *healthy })
                    .collect();
                for _ in 0..looks {
                    count = count.observe(&views, resets);
                }
                continue;
            }
        };
    }
    numbers(&count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn when_events_are_observed_then_the_count_is_that_of_the_plain_replay(
        events in events(), resets in any::<bool>(),
    ) {
        prop_assert_eq!(observed(&events, resets, 1), replayed(&events, resets));
    }

    #[test]
    fn when_each_event_is_observed_at_once_then_the_count_is_of_the_failures_after_the_last_healthy_task(
        events in events(),
    ) {
        let each: Vec<Event> = events.iter().flat_map(|event| [*event, Event::Observed]).collect();
        let last = events.iter().rposition(|event| matches!(event, Event::Healthy(_))).map_or(0, |at| at + 1);
        let failures = |part: &[Event]| {
            i64::try_from(part.iter().filter(|event| matches!(event, Event::Failed(_))).count()).unwrap()
        };
        prop_assert_eq!(observed(&each, true, 1), (failures(&events[last..]), failures(&events)));
    }

    #[test]
    fn when_every_observation_is_made_three_times_then_nothing_changes(events in events(), resets in any::<bool>()) {
        prop_assert_eq!(observed(&events, resets, 3), observed(&events, resets, 1));
    }
}
