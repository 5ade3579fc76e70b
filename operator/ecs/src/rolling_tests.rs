use proptest::prelude::*;

use super::*;

fn percentages(minimum_healthy: i64, maximum: i64) -> Percentages {
    Percentages { minimum_healthy, maximum }
}

fn budget(max_surge: i64, max_unavailable: i64) -> Budget {
    Budget { max_surge, max_unavailable }
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
}
