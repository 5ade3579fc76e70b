use proptest::prelude::*;

use super::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn zones(tasks: &[i64]) -> Vec<Zone<'static>> {
    NAMES.iter().zip(tasks).map(|(name, tasks)| Zone { name, tasks: *tasks, protected: 0 }).collect()
}

fn moved(tasks: &[i64]) -> Option<(&'static str, &'static str)> {
    let desired = tasks.iter().sum();
    next_move(&zones(tasks), desired, desired + 1, true).map(|one| (one.from_zone, one.to_zone))
}

#[test]
fn when_zones_differ_by_two_then_one_task_moves_from_the_fullest_to_the_emptiest() {
    for (tasks, expected) in [
        (&[][..], None),
        (&[5], None),
        (&[3, 1, 0], Some(("a", "c"))),
        (&[2, 1, 1], None),
        (&[2, 2, 0], Some(("a", "c"))),
        (&[0, 0, 2], Some(("c", "a"))),
        (&[1, 2, 3], Some(("c", "a"))),
        (&[0, 1], None),
    ] {
        assert_eq!(moved(tasks), expected, "{tasks:?}");
    }
}

#[test]
fn when_the_service_is_not_steady_or_has_no_room_then_nothing_moves() {
    let uneven = zones(&[4, 0]);
    assert!(next_move(&uneven, 4, 5, true).is_some());
    assert_eq!(next_move(&uneven, 4, 5, false), None);
    assert_eq!(next_move(&uneven, 4, 4, true), None);
}

#[test]
fn when_the_fullest_zone_has_only_protected_tasks_then_the_next_one_gives() {
    let zone = |name, tasks, protected| Zone { name, tasks, protected };
    let one = |zones: &[Zone<'static>]| next_move(zones, 7, 14, true).map(|one| (one.from_zone, one.to_zone));
    assert_eq!(one(&[zone("a", 4, 4), zone("b", 3, 0), zone("c", 0, 0)]), Some(("b", "c")));
    assert_eq!(one(&[zone("a", 4, 3), zone("b", 3, 0), zone("c", 0, 0)]), Some(("a", "c")));
    assert_eq!(one(&[zone("a", 6, 6), zone("b", 1, 0), zone("c", 0, 0)]), None);
}

#[test]
fn when_a_service_is_checked_then_the_reason_against_it_is_named() {
    let fine = Service {
        is_replica: true,
        first_strategy: None,
        maximum_percent: 200,
        has_zone_constraint: false,
        has_classic_load_balancer: false,
        is_external: false,
    };
    let spread = Some(("spread", ZONE_FIELD));
    for (service, expected) in [
        (fine, None),
        (Service { first_strategy: spread, ..fine }, None),
        (Service { maximum_percent: 101, ..fine }, None),
        (Service { is_replica: false, ..fine }, Some(Incompatibility::Daemon)),
        (Service { first_strategy: Some(("spread", "instanceId")), ..fine }, Some(Incompatibility::Strategy)),
        (Service { first_strategy: Some(("binpack", "cpu")), ..fine }, Some(Incompatibility::Strategy)),
        (Service { first_strategy: Some(("random", "")), ..fine }, Some(Incompatibility::Strategy)),
        (Service { maximum_percent: 100, ..fine }, Some(Incompatibility::MaximumPercent)),
        (Service { has_zone_constraint: true, ..fine }, Some(Incompatibility::ZoneConstraint)),
        (Service { has_classic_load_balancer: true, ..fine }, Some(Incompatibility::ClassicLoadBalancer)),
        (Service { is_external: true, ..fine }, Some(Incompatibility::External)),
    ] {
        assert_eq!(incompatibility(&service), expected, "{service:?}");
        assert_eq!(is_compatible(&service), expected.is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Every move starts one task and stops one when it is healthy, so the number of healthy tasks never falls below the
    /// desired count and the number of all never exceeds the maximum. Each lessens the sum of squares: they end.
    #[test]
    fn repeated_moves_end_balanced_and_within_the_bounds(
        tasks in proptest::collection::vec(0_i64..20, 1..5), percent in 100_i64..=300,
    ) {
        let desired: i64 = tasks.iter().sum();
        let maximum = crate::rolling::bounds(desired, crate::rolling::Percentages { minimum_healthy: 100, maximum: percent }).maximum;
        let mut zones = zones(&tasks);
        let mut moves = 0;
        while let Some(Move { from_zone, to_zone }) = next_move(&zones, desired, maximum, true) {
            prop_assert!(from_zone != to_zone);
            let squares = |zones: &[Zone<'_>]| zones.iter().map(|zone| zone.tasks * zone.tasks).sum::<i64>();
            let before = squares(&zones);
            zones.iter_mut().filter(|zone| zone.name == to_zone).for_each(|zone| zone.tasks += 1);
            prop_assert!(zones.iter().map(|zone| zone.tasks).sum::<i64>() <= maximum);
            zones.iter_mut().filter(|zone| zone.name == from_zone).for_each(|zone| zone.tasks -= 1);
            prop_assert_eq!(zones.iter().map(|zone| zone.tasks).sum::<i64>(), desired);
            prop_assert!(squares(&zones) < before);
            moves += 1;
        }
        let most = zones.iter().map(|zone| zone.tasks).max().unwrap_or(0);
        let least = zones.iter().map(|zone| zone.tasks).min().unwrap_or(0);
        prop_assert!(most - least <= 1 || maximum == desired, "{:?} after {} moves", zones, moves);
    }

    #[test]
    fn protected_tasks_never_move(
        tasks in proptest::collection::vec((0_i64..20, 0_i64..20), 1..5),
    ) {
        let mut zones: Vec<Zone<'_>> = NAMES
            .iter()
            .zip(&tasks)
            .map(|(name, (tasks, protected))| Zone { name, tasks: *tasks, protected: *protected.min(tasks) })
            .collect();
        let desired = zones.iter().map(|zone| zone.tasks).sum::<i64>();
        let mut steps = 0;
        while let Some(Move { from_zone, to_zone }) = next_move(&zones, desired, desired + 1, true) {
            zones.iter_mut().filter(|zone| zone.name == to_zone).for_each(|zone| zone.tasks += 1);
            zones.iter_mut().filter(|zone| zone.name == from_zone).for_each(|zone| zone.tasks -= 1);
            prop_assert!(zones.iter().all(|zone| zone.tasks >= zone.protected), "{:?}", zones);
            steps += 1;
            prop_assert!(steps <= 100);
        }
    }
}
