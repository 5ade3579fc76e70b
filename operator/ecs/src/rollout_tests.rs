use proptest::prelude::*;

use super::*;

/// A part with `existing` tasks as asked for, `healthy` of them healthy.
fn part(is_primary: bool, goal: i64, existing: i64, healthy: i64) -> Part {
    let tasks = Tasks { existing, healthy, ..Tasks::default() };
    Part { is_primary, goal, asked: existing, asked_for: None, tasks }
}

fn source(existing: i64, healthy: i64) -> Part {
    part(false, 0, existing, healthy)
}

fn primary(goal: i64, existing: i64, healthy: i64) -> Part {
    part(true, goal, existing, healthy)
}

fn step_with(desired: i64, (minimum_healthy, maximum): (i64, i64), parts: &[Part]) -> Step {
    step(&Service {
        desired,
        percentages: Percentages { minimum_healthy, maximum },
        launching: Launching::Allowed,
        is_early_success: false,
        parts,
    })
}

#[test]
fn when_a_new_revision_is_rolled_out_then_each_step_is_the_one_of_ecs() {
    // Old tasks (existing, healthy), new ones (existing, healthy), and what both are asked for next.
    let half_and_half_more = [
        ((4, 4), (0, 0), [4, 2]),
        ((4, 4), (2, 0), [4, 2]),
        ((4, 4), (2, 2), [2, 2]),
        ((2, 2), (2, 2), [2, 4]),
        ((2, 2), (4, 4), [0, 4]),
    ];
    for ((old, old_healthy), (new, new_healthy), counts) in half_and_half_more {
        let parts = [source(old, old_healthy), primary(4, new, new_healthy)];
        assert_eq!(step_with(4, (50, 150), &parts).counts, counts, "50/150: {old} {new}");
    }
    // Without room above the desired count tasks are stopped first.
    for ((old, old_healthy), (new, new_healthy), counts) in [
        ((4, 4), (0, 0), [2, 0]),
        ((2, 2), (0, 0), [2, 2]),
        ((2, 2), (2, 0), [2, 2]),
        ((2, 2), (2, 2), [0, 2]),
        ((0, 0), (2, 2), [0, 4]),
    ] {
        let parts = [source(old, old_healthy), primary(4, new, new_healthy)];
        assert_eq!(step_with(4, (50, 100), &parts).counts, counts, "50/100: {old} {new}");
    }
}

#[test]
fn when_the_bounds_leave_no_room_then_nothing_moves_until_they_do() {
    let parts = [source(1, 1), primary(1, 0, 0)];
    let stuck = step_with(1, (50, 100), &parts);
    assert_eq!((stuck.counts, stuck.is_stuck), (vec![1, 0], true));
    let resumed = step_with(1, (0, 100), &parts);
    assert_eq!((resumed.counts, resumed.is_stuck), (vec![0, 0], false));
    // What fails is no capacity and need not be kept.
    let mut failing = source(1, 0);
    failing.tasks.failing = 1;
    assert_eq!(step_with(1, (50, 100), &[failing, primary(1, 0, 0)]).counts, [0, 0]);
}

#[test]
fn when_the_count_goes_down_during_a_rollout_then_no_more_than_the_maximum_stay() {
    let rescaled = |part: Part| Part { asked_for: Some(6), ..part };
    // 6 old tasks and 3 starting; 2 desired: at most 3, of which 1 healthy at least.
    let parts = [rescaled(source(6, 6)), rescaled(primary(2, 3, 0))];
    assert_eq!(step_with(2, (50, 150), &parts).counts, [2, 1]);
    // The new ones are healthy: the old ones go.
    let parts = [rescaled(source(6, 6)), rescaled(primary(2, 3, 3))];
    assert_eq!(step_with(2, (50, 150), &parts).counts, [0, 2]);
}

#[test]
fn when_new_tasks_have_no_place_then_old_ones_make_room_within_the_minimum() {
    let mut waiting = primary(4, 4, 0);
    waiting.tasks.unplaced = 4;
    assert_eq!(step_with(4, (50, 200), &[source(4, 4), waiting]).counts, [2, 4]);
    assert_eq!(step_with(4, (100, 200), &[source(4, 4), waiting]).counts, [4, 4]);
}

#[test]
fn when_a_task_is_to_be_replaced_then_its_replacement_is_there_first() {
    let with_leaving = |existing, healthy, leaving| {
        let mut part = primary(3, existing, healthy);
        part.tasks.leaving = leaving;
        part
    };
    let counts = |part: Part| step_with(3, (100, 200), &[part]).counts;
    assert_eq!(counts(with_leaving(3, 2, 1)), [4], "one more is asked for");
    assert_eq!(counts(with_leaving(4, 2, 1)), [4], "it is waited for");
    assert_eq!(counts(with_leaving(4, 3, 1)), [3], "and then the unhealthy one goes");
    assert_eq!(
        step_with(3, (67, 100), &[with_leaving(3, 2, 1)]).counts,
        [3],
        "no room: it is stopped first, elsewhere"
    );
}

#[test]
fn when_the_desired_count_changes_in_the_middle_then_both_revisions_follow() {
    let scaled = |desired| {
        let mut parts = [source(5, 5), primary(desired, 5, 0)];
        for part in &mut parts {
            part.asked_for = Some(10);
        }
        step_with(desired, (50, 200), &parts).counts
    };
    assert_eq!(scaled(20), [10, 20]);
    assert_eq!(scaled(4), [2, 4]);
    assert_eq!(scaled(0), [0, 0]);
}

#[test]
fn when_the_deployment_is_frozen_then_failed_tasks_go_and_nothing_else_moves() {
    let mut failed = primary(4, 3, 1);
    failed.tasks.failing = 2;
    let frozen = |desired, parts: &[Part]| {
        step(&Service {
            desired,
            percentages: Percentages::default(),
            launching: Launching::Frozen,
            is_early_success: false,
            parts,
        })
    };
    assert_eq!(frozen(4, &[source(4, 4), failed]).counts, [4, 1]);
    // Only what is known to work follows the count.
    let mut parts = [source(4, 4), primary(10, 1, 1)];
    for part in &mut parts {
        part.asked_for = Some(4);
    }
    assert_eq!(frozen(10, &parts).counts, [9, 1]);
    // The first deployment of a service has nothing to fall back on.
    assert_eq!(frozen(4, &[failed]).counts, [1]);
}

#[test]
fn when_tasks_are_protected_then_they_outlast_a_rollout_and_a_scale_in() {
    let mut old = source(2, 2);
    old.tasks.protected = 1;
    old.tasks.protected_healthy = 1;
    let blocked = step_with(2, (100, 200), &[old, primary(2, 2, 2)]);
    assert_eq!((blocked.counts, blocked.is_blocked), (vec![1, 2], false));
    let mut last = source(1, 1);
    last.tasks.protected = 1;
    last.tasks.protected_healthy = 1;
    let blocked = step_with(2, (100, 200), &[last, primary(2, 2, 2)]);
    assert_eq!((blocked.counts, blocked.is_blocked, blocked.is_complete), (vec![1, 2], true, false));
    let mut many = primary(1, 5, 5);
    many.tasks.protected = 3;
    many.tasks.protected_healthy = 3;
    assert_eq!(step_with(1, (100, 200), &[many]).counts, [3]);
}

#[test]
fn when_unhealthy_tasks_fill_the_maximum_then_they_are_stopped_first_and_their_revision_starts_them_again() {
    // 10 tasks, at most 11 and at least 9: 7 old ones and 2 new ones are healthy, and nothing can be started.
    let mut old = source(8, 7);
    old.tasks.leaving = 1;
    let mut new = primary(10, 3, 2);
    new.tasks.leaving = 1;
    // Counts stay as they are, so that each revision replaces its own task; `is_full` says to stop the unhealthy ones first.
    let full = step_with(10, (90, 110), &[old, new]);
    assert_eq!((full.counts, full.is_full), (vec![8, 3], true));
}

/// A source of which `leaving` tasks are unhealthy.
fn with_unhealthy(existing: i64, leaving: i64) -> Part {
    let mut part = source(existing, existing - leaving);
    part.tasks.leaving = leaving;
    part
}

/// A PRIMARY part of which no task can start.
fn failing(goal: i64, existing: i64) -> Part {
    let mut part = primary(goal, existing, 0);
    part.tasks.failing = existing;
    part
}

#[test]
fn when_old_tasks_become_unhealthy_during_a_rollout_then_their_own_revision_replaces_them() {
    let counts = |bounds, old: Part, new: Part| {
        let step = step_with(4, bounds, &[old, new]);
        (step.counts, step.is_full)
    };
    // With room the replacement is there first, and the unhealthy one goes when it is healthy.
    assert_eq!(counts((100, 200), with_unhealthy(4, 1), primary(4, 2, 0)), (vec![4, 4], true), "PRIMARY goes first");
    assert_eq!(counts((100, 300), with_unhealthy(4, 2), primary(4, 4, 0)), (vec![6, 4], false));
    let mut coming = with_unhealthy(5, 1);
    coming.tasks.healthy = 3;
    assert_eq!(counts((100, 300), coming, primary(4, 4, 0)).0, [5, 4], "it is waited for");
    coming.tasks.healthy = 4;
    assert_eq!(counts((100, 300), coming, primary(4, 4, 0)).0, [4, 4]);
    // What PRIMARY has replaced need not be replaced again.
    assert_eq!(counts((100, 300), with_unhealthy(4, 1), primary(4, 4, 1)).0, [3, 4]);
    // Failing PRIMARY tasks make the room, and get it back.
    assert_eq!(counts((100, 200), with_unhealthy(4, 1), failing(4, 4)), (vec![4, 3], false));
    let yielded = Part { asked: 3, ..failing(4, 4) };
    assert_eq!(counts((100, 200), with_unhealthy(4, 1), yielded), (vec![4, 3], false), "it is on its way");
    assert_eq!(counts((100, 200), with_unhealthy(4, 1), failing(4, 3)).0, [5, 3]);
    assert_eq!(counts((100, 200), source(4, 4), failing(4, 3)).0, [4, 4]);
    // Without room and without any that fails, the unhealthy one is stopped first; its revision keeps its place.
    assert_eq!(counts((100, 150), with_unhealthy(4, 1), primary(4, 2, 0)), (vec![4, 2], true));
    // A revision of which nothing works does not keep the one that may from starting.
    let broken = |existing| with_unhealthy(existing, existing);
    assert_eq!(counts((100, 200), broken(4), primary(4, 0, 0)).0, [4, 4]);
    assert_eq!(counts((100, 150), broken(4), primary(4, 2, 2)).0, [2, 2]);
    assert_eq!(step_with(1, (50, 100), &[broken(1), primary(1, 0, 0)]).counts, [0, 0]);
    // Draining ones are replaced while they still serve.
    let mut draining = source(4, 4);
    (draining.tasks.leaving, draining.tasks.leaving_healthy) = (1, 1);
    assert_eq!(counts((100, 300), draining, primary(4, 4, 0)).0, [5, 4]);
    let moved = Part { asked: 5, tasks: Tasks { existing: 5, healthy: 5, ..draining.tasks }, ..draining };
    assert_eq!(counts((100, 300), moved, primary(4, 4, 0)).0, [4, 4]);
}

#[test]
fn when_starts_are_held_back_then_what_runs_stays_and_nothing_is_started() {
    let held = |parts: &[Part]| {
        let percentages = Percentages::default();
        step(&Service { desired: 4, percentages, launching: Launching::Held, is_early_success: false, parts }).counts
    };
    // A node refuses tasks, and whoever keeps the count starts the next ones at once.
    let mut part = primary(4, 4, 2);
    part.tasks.refused = 2;
    assert_eq!(held(&[part]), [2]);
    assert_eq!(held(&[Part { asked: 4, ..primary(4, 1, 0) }]), [4], "what was asked for before is on its way");
    assert_eq!(held(&[primary(4, 2, 2)]), [2]);
    assert_eq!(held(&[failing(4, 4)]), [4], "what waits to be tried again stays to be seen");
    // Old tasks are replaced as ever.
    assert_eq!(held(&[with_unhealthy(4, 1), primary(4, 0, 0)]), [5, 0]);
}

#[test]
fn when_a_frozen_deployment_loses_tasks_then_the_revision_before_it_makes_up_for_them() {
    let frozen = |parts: &[Part]| {
        let percentages = Percentages::default();
        step(&Service { desired: 4, percentages, launching: Launching::Frozen, is_early_success: false, parts }).counts
    };
    assert_eq!(frozen(&[source(2, 2), primary(4, 2, 2)]), [2, 2]);
    let lost = Part { asked: 2, ..primary(4, 1, 1) };
    assert_eq!(frozen(&[source(2, 2), lost]), [3, 1]);
    assert_eq!(frozen(&[with_unhealthy(2, 1), primary(4, 2, 2)]), [3, 2]);
    assert_eq!(frozen(&[with_unhealthy(3, 1), primary(4, 2, 2)]), [3, 2], "it is not asked for twice");
    // Draining tasks of the failed revision leave as soon as others are healthy in their place.
    let mut draining = primary(4, 2, 2);
    (draining.tasks.leaving, draining.tasks.leaving_healthy) = (1, 1);
    assert_eq!(frozen(&[source(2, 2), draining]), [3, 2]);
    assert_eq!(frozen(&[source(3, 3), draining]), [3, 1]);
    // With nothing before it, what worked is replaced and what failed is not.
    assert_eq!(frozen(&[Part { asked: 4, ..primary(4, 3, 3) }]), [4]);
    assert_eq!(frozen(&[Part { asked: 4, ..failing(4, 4) }]), [0]);
    let mut alone = primary(4, 4, 4);
    (alone.tasks.leaving, alone.tasks.leaving_healthy) = (1, 1);
    assert_eq!(frozen(&[alone]), [5]);
}

#[test]
fn when_an_unhealthy_task_is_protected_then_a_healthy_one_goes_in_its_place_and_is_reckoned_with() {
    // 3 old tasks: 2 healthy and one protected that is not. With 2 asked for, one healthy one is left; 2 are to be.
    let mut old = source(3, 2);
    old.tasks.protected = 1;
    assert_eq!(step_with(4, (50, 100), &[old, primary(4, 1, 0)]).counts, [3, 1]);
    old.tasks.protected = 0;
    assert_eq!(step_with(4, (50, 100), &[old, primary(4, 1, 0)]).counts, [2, 1]);
}

#[test]
fn when_a_part_that_was_lowered_is_asked_for_more_then_what_it_may_have_lost_is_not_reckoned_with() {
    // It was asked for none; its 4 healthy tasks may be gone before it is asked for 4.
    let lowered = Part { asked: 0, ..primary(4, 4, 4) };
    let step = step_with(4, (100, 300), &[source(4, 4), lowered]);
    assert_eq!(step.counts, [4, 4]);
}

#[test]
fn when_something_is_under_way_then_the_deployment_is_neither_stuck_nor_complete() {
    let stopping = Part { asked: 0, ..source(1, 1) };
    let step = step_with(1, (50, 100), &[stopping, source(1, 1), primary(1, 0, 0)]);
    assert_eq!((step.counts, step.is_stuck), (vec![0, 1, 0], false));
    // A third task is yet to be healthy; then one of the others may go.
    let step = step_with(2, (90, 100), &[source(2, 2), primary(2, 1, 0)]);
    assert_eq!((step.counts, step.is_stuck), (vec![2, 1], false));
    let more = Part { asked: 3, ..primary(2, 2, 2) };
    assert!(!step_with(2, (100, 200), &[more]).is_complete);
}

#[test]
fn when_the_bounds_let_no_task_move_to_another_provider_then_the_deployment_is_complete_where_it_is() {
    let parts = [primary(1, 2, 2), primary(1, 0, 0)];
    let step = step_with(2, (90, 110), &parts);
    assert_eq!((step.counts, step.is_complete), (vec![2, 0], true));
    let step = step_with(2, (50, 100), &parts);
    assert_eq!((step.counts, step.is_complete), (vec![1, 0], false));
}

fn any_part() -> impl Strategy<Value = Part> {
    (any::<bool>(), 0..8_i64, 0..8_i64, 0..8_i64, 0..8_i64, 0..4_i64, 0..3_i64, prop::option::of(0..12_i64)).prop_map(
        |(is_primary, goal, asked, existing, healthy, leaving, failing, asked_for)| {
            let leaving = leaving.min(existing);
            let healthy = healthy.min(existing);
            let leaving_healthy = (healthy + leaving - existing).max(0);
            let failing = failing.min(existing - healthy);
            Part {
                is_primary,
                goal: if is_primary { goal } else { 0 },
                asked,
                asked_for,
                tasks: Tasks {
                    existing,
                    healthy,
                    leaving,
                    leaving_healthy,
                    failing,
                    protected: 0,
                    protected_healthy: 0,
                    unplaced: 0,
                    refused: 0,
                },
            }
        },
    )
}

proptest! {
    /// Whatever is seen: nothing is asked for beyond the maximum, and nothing healthy is given up below the minimum.
    #[test]
    fn a_step_keeps_both_bounds(
        parts in prop::collection::vec(any_part(), 1..5),
        desired in 0..12_i64,
        minimum in 0..=100_i64,
        more in 0..=150_i64,
        is_frozen: bool,
        is_early_success: bool,
    ) {
        let percentages = Percentages { minimum_healthy: minimum, maximum: minimum + more };
        let launching = if is_frozen { Launching::Frozen } else { Launching::Allowed };
        let step = step(&Service { desired, percentages, launching, is_early_success, parts: &parts });
        let bounds = bounds(desired, percentages);
        let pairs = || parts.iter().zip(&step.counts);
        let occupied = |count: fn((&Part, &i64)) -> i64| -> i64 { pairs().map(count).sum() };
        let before = occupied(|(part, _)| part.asked.max(part.tasks.existing));
        let after = occupied(|(part, count)| (*count).max(part.tasks.existing));
        let has_sources = parts.iter().any(|part| !part.is_primary && (part.asked > 0 || part.tasks.existing > 0));
        let maximum = if has_sources { bounds.maximum } else { bounds.maximum.max(desired) };
        prop_assert!(after <= before.max(maximum), "{step:?}: {after} of {maximum}");
        let healthy_before = occupied(|(part, _)| part.healthy_at(part.asked));
        let healthy_after = occupied(|(part, count)| part.healthy_at(*count));
        prop_assert!(healthy_after >= healthy_before.min(bounds.minimum_healthy), "{step:?}: {healthy_after}");
        prop_assert!(step.counts.iter().all(|count| *count >= 0));
    }
}
