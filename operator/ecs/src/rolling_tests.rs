use proptest::prelude::*;

use super::*;

fn percentages(minimum_healthy: i64, maximum: i64) -> Percentages {
    Percentages { minimum_healthy, maximum }
}

fn budget(max_surge: i64, max_unavailable: i64) -> Budget {
    Budget { max_surge, max_unavailable }
}

fn roll(max_surge: i64, max_unavailable: i64) -> Slot {
    Slot::Roll(budget(max_surge, max_unavailable))
}

fn fresh(desired: i64) -> RolloutPart {
    RolloutPart { desired, updated: false, in_flight: 0 }
}

#[test]
fn when_percentages_become_tasks_then_the_minimum_is_rounded_up_and_the_maximum_down() {
    for (desired, minimum, maximum, healthy, most, surge, unavailable) in [
        (3, 50, 150, 2, 4, 1, 1),
        (10, 33, 125, 4, 12, 2, 6),
        (1, 100, 200, 1, 2, 1, 0),
        (1, 0, 100, 0, 1, 0, 1),
        (1, 50, 100, 1, 1, 0, 0),
        (1, 50, 150, 1, 1, 0, 0),
        (1, 100, 199, 1, 1, 0, 0),
        (4, 100, 100, 4, 4, 0, 0),
        (5, 99, 100, 5, 5, 0, 0),
        (7, 90, 110, 7, 7, 0, 0),
        (100, 90, 110, 90, 110, 10, 10),
        (3, 67, 133, 3, 3, 0, 0),
        (3, 66, 134, 2, 4, 1, 1),
        (2, 0, 200, 0, 4, 2, 2),
        (4, 200, 300, 8, 12, 8, 0),
        (4, 50, 50, 2, 2, 0, 2),
    ] {
        let bounds = bounds(desired, percentages(minimum, maximum));
        assert_eq!(bounds, Bounds { minimum_healthy: healthy, maximum: most }, "{desired} {minimum} {maximum}");
        assert_eq!(bounds.budget(desired), budget(surge, unavailable), "{desired} {minimum} {maximum}");
        assert_eq!(bounds.is_stuck(desired), surge == 0 && unavailable == 0, "{desired} {minimum} {maximum}");
    }
}

#[test]
fn when_there_is_no_task_then_the_bounds_are_zero_and_the_budget_is_a_pair_that_kubernetes_takes() {
    let none = bounds(0, percentages(100, 100));
    assert_eq!(none, Bounds { minimum_healthy: 0, maximum: 0 });
    assert_eq!(none.budget(0), budget(1, 0));
    assert!(!none.is_stuck(0));
    assert_eq!(bounds(-3, Percentages::default()), Bounds { minimum_healthy: 0, maximum: 0 });
}

#[test]
fn when_numbers_are_huge_then_nothing_overflows() {
    let huge = bounds(i64::MAX, percentages(i64::MAX, i64::MAX));
    assert_eq!(huge, Bounds { minimum_healthy: i64::MAX, maximum: i64::MAX });
    assert!(huge.is_stuck(i64::MAX));
}

#[test]
fn when_percentages_are_checked_then_daemons_and_replicas_have_their_own_rules() {
    const MINIMUM: &str = "deploymentConfiguration.minimumHealthyPercent";
    const MAXIMUM: &str = "deploymentConfiguration.maximumPercent";
    let paths = |minimum, maximum, daemon| -> Vec<String> {
        check_percentages(percentages(minimum, maximum), daemon).into_iter().map(|violation| violation.path).collect()
    };
    assert_eq!(paths(100, 200, false), [""; 0]);
    assert_eq!(paths(0, 100, false), [""; 0]);
    assert_eq!(paths(100, 100, false), [MAXIMUM]);
    assert_eq!(paths(-1, -1, false), [MINIMUM, MAXIMUM]);
    assert_eq!(paths(0, 100, true), [""; 0]);
    assert_eq!(paths(100, 100, true), [""; 0]);
    assert_eq!(paths(0, 200, true), [MAXIMUM]);
}

#[test]
fn when_a_daemon_rolls_then_the_healthy_share_is_rounded_up() {
    for (nodes, percent, unavailable) in [(10, 75, 2), (10, 0, 10), (1, 50, 0), (3, 50, 1), (0, 50, 0), (5, 100, 0)] {
        assert_eq!(daemon_max_unavailable(nodes, percent), unavailable, "{nodes} {percent}");
    }
}

#[test]
fn when_parts_share_a_budget_then_the_first_ones_get_it() {
    let parts = [fresh(5), fresh(1), fresh(4)];
    assert_eq!(rollout_slots(&parts, budget(2, 0)), [roll(2, 0), Slot::Hold, Slot::Hold]);
    assert_eq!(rollout_slots(&[fresh(1), fresh(1), fresh(4)], budget(2, 0)), [roll(1, 0), roll(1, 0), Slot::Hold]);
    assert_eq!(rollout_slots(&parts, budget(7, 8)), [roll(5, 5), roll(1, 1), roll(1, 2)]);
    assert_eq!(rollout_slots(&parts, budget(0, 6)), [roll(0, 5), roll(0, 1), Slot::Hold]);
    assert_eq!(rollout_slots(&[], budget(2, 2)), []);
}

#[test]
fn when_a_part_is_in_the_middle_of_rolling_then_it_goes_first_and_finished_ones_hold() {
    let rolling = RolloutPart { desired: 4, updated: false, in_flight: 1 };
    let done = RolloutPart { desired: 3, updated: true, in_flight: 0 };
    assert_eq!(rollout_slots(&[fresh(5), rolling], budget(2, 0)), [Slot::Hold, roll(2, 0)]);
    assert_eq!(rollout_slots(&[done, fresh(5), rolling], budget(6, 0)), [Slot::Hold, roll(2, 0), roll(4, 0)]);
}

#[test]
fn when_a_part_uses_more_than_its_share_then_the_others_wait_for_it() {
    let over = RolloutPart { desired: 2, updated: false, in_flight: 3 };
    assert_eq!(rollout_slots(&[fresh(1), over], budget(3, 0)), [Slot::Hold, roll(3, 0)]);
    assert_eq!(rollout_slots(&[fresh(1), over], budget(1, 0)), [Slot::Hold, roll(1, 0)]);
}

#[test]
fn when_a_finished_part_misses_tasks_then_they_are_taken_from_the_unavailability() {
    let degraded = RolloutPart { desired: 4, updated: true, in_flight: 1 };
    assert_eq!(rollout_slots(&[degraded, fresh(4)], budget(0, 2)), [Slot::Hold, roll(0, 1)]);
    assert_eq!(rollout_slots(&[degraded, fresh(4)], budget(0, 1)), [Slot::Hold, Slot::Hold]);
    assert_eq!(rollout_slots(&[degraded, fresh(4)], budget(2, 1)), [Slot::Hold, roll(2, 0)]);
}

#[test]
fn when_a_part_has_no_tasks_then_it_rolls_at_once_even_if_the_rest_is_stuck() {
    assert_eq!(rollout_slots(&[fresh(0), fresh(3)], budget(0, 0)), [roll(1, 0), Slot::Hold]);
}

fn any_part() -> impl Strategy<Value = RolloutPart> {
    (0_i64..8, any::<bool>(), prop_oneof![Just(0_i64), 0_i64..4])
        .prop_map(|(desired, updated, in_flight)| RolloutPart { desired, updated, in_flight })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bounds_are_the_tightest_whole_numbers(desired in 0_i64..5000, minimum in 0_i64..=300, maximum in 0_i64..=400) {
        let bounds = bounds(desired, percentages(minimum, maximum));
        prop_assert!(bounds.minimum_healthy * 100 >= desired * minimum);
        prop_assert!((bounds.minimum_healthy - 1) * 100 < desired * minimum);
        prop_assert!(bounds.maximum * 100 <= desired * maximum);
        prop_assert!((bounds.maximum + 1) * 100 > desired * maximum);
    }

    #[test]
    fn the_budget_never_leaves_the_bounds(desired in 1_i64..5000, minimum in 0_i64..=100, maximum in 100_i64..=400) {
        let bounds = bounds(desired, percentages(minimum, maximum));
        let budget = bounds.budget(desired);
        prop_assert_eq!(desired + budget.max_surge, bounds.maximum);
        prop_assert_eq!(desired - budget.max_unavailable, bounds.minimum_healthy);
    }

    #[test]
    fn slots_never_add_up_to_more_than_the_budget(
        parts in proptest::collection::vec(any_part(), 0..6), surge in 0_i64..12, unavailable in 0_i64..12,
    ) {
        let total = budget(surge, unavailable);
        let slots = rollout_slots(&parts, total);
        prop_assert_eq!(slots.len(), parts.len());
        let mut sum = Budget::default();
        let mut missing = 0;
        for (part, slot) in parts.iter().zip(&slots) {
            match slot {
                Slot::Roll(share) if part.desired > 0 || part.in_flight > 0 => {
                    prop_assert!(!part.updated && !share.is_zero());
                    sum.max_surge += share.max_surge;
                    sum.max_unavailable += share.max_unavailable;
                }
                Slot::Roll(_) => prop_assert!(!part.updated),
                Slot::Hold => {}
            }
            missing += if part.updated { part.in_flight } else { 0 };
        }
        prop_assert!(sum.max_surge <= surge);
        prop_assert!(sum.max_unavailable <= (unavailable - missing).max(0));
    }

    #[test]
    fn some_part_may_roll_whenever_there_is_room(
        parts in proptest::collection::vec(any_part(), 1..6), surge in 0_i64..12, unavailable in 0_i64..12,
    ) {
        let missing: i64 = parts.iter().filter(|part| part.updated).map(|part| part.in_flight).sum();
        let waiting = parts.iter().any(|part| !part.updated);
        let rolls = rollout_slots(&parts, budget(surge, unavailable)).iter().any(|slot| *slot != Slot::Hold);
        let room = surge > 0 || unavailable > missing;
        prop_assert!(rolls || !(waiting && room));
        prop_assert!(!rolls || waiting);
    }

    /// Rolls a service of several Deployments to its end. Every step obeys the slots, and each Deployment starts and
    /// stops as many tasks as its own budget allows: the service as a whole must stay within its bounds.
    #[test]
    fn a_whole_rollout_stays_within_the_bounds_and_ends(
        sizes in proptest::collection::vec(0_i64..6, 1..5), minimum in 0_i64..=100, maximum in 100_i64..=200,
    ) {
        let desired: i64 = sizes.iter().sum();
        let bounds = bounds(desired, percentages(minimum, maximum));
        prop_assume!(!bounds.is_stuck(desired));
        let total = bounds.budget(desired);
        // Tasks of the old and of the new revision; new ones become healthy one step after their start.
        let mut old = sizes.clone();
        let mut new = vec![0_i64; sizes.len()];
        for _ in 0..200 {
            let parts: Vec<RolloutPart> = (0..sizes.len()).map(|index| RolloutPart {
                desired: sizes[index],
                updated: old[index] == 0 && new[index] == sizes[index],
                in_flight: (old[index] + new[index] - sizes[index]).abs(),
            }).collect();
            if parts.iter().all(|part| part.updated) {
                break;
            }
            let mut starting = vec![0_i64; sizes.len()];
            for (index, slot) in rollout_slots(&parts, total).into_iter().enumerate() {
                let Slot::Roll(share) = slot else { continue };
                // Stop old tasks down to the unavailability, then start new ones up to the surge.
                let healthy = old[index] + new[index];
                let stop = (healthy - (sizes[index] - share.max_unavailable)).clamp(0, old[index]);
                old[index] -= stop;
                let room = sizes[index] + share.max_surge - old[index] - new[index];
                starting[index] = (sizes[index] - new[index]).min(room).max(0);
            }
            let healthy: i64 = old.iter().chain(&new).sum();
            prop_assert!(healthy >= bounds.minimum_healthy, "{} healthy of at least {}", healthy, bounds.minimum_healthy);
            let all = healthy + starting.iter().sum::<i64>();
            prop_assert!(all <= bounds.maximum, "{} tasks of at most {}", all, bounds.maximum);
            for (index, started) in starting.into_iter().enumerate() {
                new[index] += started;
            }
        }
        prop_assert_eq!(old.iter().sum::<i64>(), 0);
        prop_assert_eq!(new, sizes);
    }
}
