use proptest::prelude::{
    Just, ProptestConfig, Strategy as Generate, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::*;

fn working<'a>(id: &'a str, zone: &'a str, instance: &'a str, created_at: i64) -> Candidate<'a> {
    Candidate {
        id,
        zone,
        instance,
        is_placed: true,
        is_running: true,
        is_ready: true,
        is_healthy: true,
        is_draining: false,
        is_unhealthy: false,
        is_protected: false,
        created_at,
        remaining: None,
    }
}

fn unplaced(id: &str, created_at: i64) -> Candidate<'_> {
    Candidate { is_placed: false, is_running: false, is_ready: false, ..working(id, "", "", created_at) }
}

#[test]
fn when_tasks_differ_in_use_then_the_least_useful_go_first() {
    let old = |id| working(id, "a", "i1", 1);
    let candidates = [
        working("newest", "a", "i1", 9),
        Candidate { is_draining: true, ..old("draining") },
        Candidate { is_healthy: false, ..old("young") },
        Candidate { is_unhealthy: true, ..old("unhealthy") },
        Candidate { is_running: false, is_ready: false, ..old("pending") },
        unplaced("unplaced", 1),
    ];
    let order = victims(&candidates, 6, Strategy::Default);
    assert_eq!(order, ["unplaced", "pending", "unhealthy", "young", "draining", "newest"]);
    let unready = [Candidate { is_ready: false, ..old("unready") }, working("newest", "a", "i1", 9)];
    assert_eq!(victims(&unready, 1, Strategy::Binpack), ["unready"]);
}

#[test]
fn when_all_work_then_the_fullest_zone_then_the_fullest_instance_then_the_newest_task_gives() {
    // Zone a has 4 tasks, three of them on i1; zone b has 2.
    let candidates = [
        working("a1", "a", "i1", 1),
        working("a2", "a", "i1", 2),
        working("a3", "a", "i1", 3),
        working("a4", "a", "i2", 9),
        working("b1", "b", "i3", 7),
        working("b2", "b", "i4", 8),
    ];
    for strategy in [Strategy::Default, Strategy::Spread] {
        // 4:2 and i1 has most, then 3:2 and i1 again; at 2:2 all instances have one task, so the newest goes, and so on.
        assert_eq!(victims(&candidates, 6, strategy), ["a3", "a2", "a4", "b2", "b1", "a1"], "{strategy:?}");
    }
}

#[test]
fn when_packing_then_instances_with_most_left_become_empty() {
    let on =
        |id, instance, created_at, free| Candidate { remaining: Some(free), ..working(id, "a", instance, created_at) };
    let candidates =
        [on("full", "i1", 9, 0), on("half1", "i2", 1, 512), on("half2", "i2", 2, 512), on("other", "i3", 8, 512)];
    // i2 and i3 have as much left: the newest task decides, and then i3 has nothing to give.
    assert_eq!(victims(&candidates, 4, Strategy::Binpack), ["other", "half2", "half1", "full"]);
    let same = [on("x1", "i1", 1, 100), on("x2", "i1", 4, 100), on("y1", "i2", 2, 100), on("y2", "i2", 3, 100)];
    assert_eq!(victims(&same, 3, Strategy::Binpack), ["x2", "x1", "y2"], "one instance is emptied before the next");
    let unknown = [working("unknown", "a", "i1", 9), on("known", "i2", 1, 1)];
    assert_eq!(victims(&unknown, 1, Strategy::Binpack), ["known"]);
}

#[test]
fn when_tasks_are_protected_then_fewer_go_than_asked_for() {
    let protected = |id, created_at| Candidate { is_protected: true, ..working(id, "a", "i1", created_at) };
    let candidates = [protected("p1", 1), protected("p2", 9), working("free", "b", "i2", 1)];
    assert_eq!(victims(&candidates, 3, Strategy::Default), ["free"]);
    assert_eq!(victims(&candidates, 0, Strategy::Default), [""; 0]);
    let unready = [Candidate { is_ready: false, ..protected("p1", 1) }];
    assert_eq!(victims(&unready, 1, Strategy::Default), [""; 0], "protection holds for tasks that do not work too");
}

#[test]
fn when_two_tasks_are_equal_then_their_names_decide() {
    let candidates = [working("b", "z", "i", 1), working("a", "z", "i", 1)];
    assert_eq!(victims(&candidates, 1, Strategy::Default), ["a"]);
}

const IDS: [&str; 12] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "u0", "u1"];

/// Candidates with the ids of the list, each on one of three zones with two instances.
fn any_candidates() -> impl Generate<Value = Vec<Candidate<'static>>> {
    let one = (0_usize..3, 0_usize..2, proptest::bits::u8::ANY, 0_i64..4, 0_i64..3);
    proptest::collection::vec(one, 0..IDS.len()).prop_map(|all| {
        let make = |(id, (zone, instance, bits, created_at, free)): (&&'static str, (usize, usize, u8, i64, i64))| {
            let (zone, instances) = [("a", ["a1", "a2"]), ("b", ["b1", "b2"]), ("c", ["c1", "c2"])][zone];
            let is = |bit: u8| bits & bit != 0;
            let (often, half) = (is(1) || is(2), is(4));
            Candidate {
                is_running: often || is(8),
                is_ready: often,
                is_healthy: often,
                is_draining: is(16) && half,
                is_unhealthy: is(32) && half,
                is_protected: is(64) && half,
                remaining: Some(free * 10),
                ..if is(128) && half {
                    unplaced(id, created_at)
                } else {
                    working(id, zone, instances[instance], created_at)
                }
            }
        };
        IDS.iter().zip(all).map(make).collect()
    })
}

fn any_strategy() -> impl Generate<Value = Strategy> {
    prop_oneof![Just(Strategy::Spread), Just(Strategy::Binpack), Just(Strategy::Default)]
}

/// The rule said as plainly as possible: one at a time, over all that are left.
fn plainly<'a>(candidates: &[Candidate<'a>], count: usize) -> Vec<&'a str> {
    let mut left = candidates.to_vec();
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let tasks = |is_same: &dyn Fn(&Candidate<'a>) -> bool| {
            left.iter().filter(|other| other.is_placed && is_same(other)).count()
        };
        let next = left.iter().filter(|candidate| !candidate.is_protected).max_by_key(|candidate| {
            let in_zone = tasks(&|other| other.zone == candidate.zone);
            let on_instance = tasks(&|other| other.zone == candidate.zone && other.instance == candidate.instance);
            (Reverse(use_of(candidate)), in_zone, on_instance, candidate.created_at, Reverse(candidate.id))
        });
        let Some(id) = next.map(|candidate| candidate.id) else { break };
        left.retain(|candidate| candidate.id != id);
        chosen.push(id);
    }
    chosen
}

/// The difference between the fullest and the emptiest zone.
fn difference(zones: &BTreeMap<&str, i64>) -> i64 {
    zones.values().max().copied().unwrap_or(0) - zones.values().min().copied().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn victims_are_as_many_as_asked_for_unless_the_rest_is_protected(
        candidates in any_candidates(), count in 0_usize..14, strategy in any_strategy(),
    ) {
        let chosen = victims(&candidates, count, strategy);
        let free: Vec<&str> = candidates.iter().filter(|one| !one.is_protected).map(|one| one.id).collect();
        prop_assert_eq!(chosen.len(), count.min(free.len()));
        prop_assert!(chosen.iter().all(|id| free.contains(id)));
        let mut distinct = chosen.clone();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), chosen.len());
    }

    #[test]
    fn the_order_of_candidates_and_a_larger_count_change_no_choice(
        candidates in any_candidates().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        count in 0_usize..14, strategy in any_strategy(),
    ) {
        let (candidates, shuffled) = candidates;
        let all = victims(&candidates, candidates.len(), strategy);
        let some = victims(&shuffled, count, strategy);
        prop_assert_eq!(&some[..], &all[..some.len()]);
    }

    #[test]
    fn useless_tasks_always_go_before_useful_ones(candidates in any_candidates(), strategy in any_strategy()) {
        let chosen = victims(&candidates, candidates.len(), strategy);
        let uses: Vec<Use> = chosen
            .iter()
            .filter_map(|id| candidates.iter().find(|candidate| candidate.id == *id).map(use_of))
            .collect();
        prop_assert!(uses.is_sorted());
    }

    #[test]
    fn the_choice_is_the_one_of_the_plainest_rule(candidates in any_candidates(), count in 0_usize..14) {
        prop_assert_eq!(victims(&candidates, count, Strategy::Default), plainly(&candidates, count));
    }

    /// The difference between zones grows only when they are all equal, or when the fullest has nothing but tasks that
    /// must not or need not go.
    #[test]
    fn zones_never_drift_apart_when_that_can_be_avoided(candidates in any_candidates()) {
        let is_same = |one: &Candidate<'_>| use_of(one) == Use::Working && !one.is_protected;
        let candidates: Vec<_> = candidates.into_iter().filter(is_same).collect();
        let mut zones: BTreeMap<&str, i64> = BTreeMap::new();
        for candidate in &candidates {
            *zones.entry(candidate.zone).or_default() += 1;
        }
        for id in victims(&candidates, candidates.len(), Strategy::Spread) {
            let before = difference(&zones);
            let zone = candidates.iter().find(|candidate| candidate.id == id).unwrap().zone;
            *zones.get_mut(zone).unwrap() -= 1;
            prop_assert!(difference(&zones) <= before.max(1), "{:?}", zones);
        }
    }

    /// With tasks of one size, an instance from which one was taken has more left than before.
    #[test]
    fn packing_empties_one_instance_before_it_touches_the_next(sizes in proptest::collection::vec(1_usize..4, 1..4)) {
        let places = ["i1", "i2", "i3"];
        let mut ids = IDS.iter();
        let mut candidates = Vec::new();
        for (place, size) in places.iter().zip(&sizes) {
            for _ in 0..*size {
                candidates.push(Candidate { remaining: Some(100), ..working(ids.next().unwrap(), "a", place, 0) });
            }
        }
        let order: Vec<&str> = victims(&candidates, candidates.len(), Strategy::Binpack)
            .into_iter()
            .map(|id| candidates.iter().find(|candidate| candidate.id == id).unwrap().instance)
            .collect();
        let mut runs = order.clone();
        runs.dedup();
        prop_assert_eq!(runs.len(), sizes.len(), "{:?}", order);
    }
}
