use proptest::prelude::*;

use super::*;

fn item(provider: &str, base: i64, weight: i64) -> StrategyItem {
    StrategyItem { provider: provider.to_owned(), base, weight }
}

/// Items named a, b, c … with base and weight.
fn strategy(items: &[(i64, i64)]) -> Vec<StrategyItem> {
    items.iter().zip('a'..).map(|(&(base, weight), name)| item(&name.to_string(), base, weight)).collect()
}

#[test]
fn when_base_is_two_and_weights_are_one_to_three_then_counts_one_to_twelve_split_as_documented() {
    let strategy = strategy(&[(2, 1), (0, 3)]);
    let expected =
        [(0, 0), (1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (3, 3), (3, 4), (4, 4), (4, 5), (4, 6), (4, 7), (5, 7)];
    for (count, (first, second)) in (0..).zip(expected) {
        assert_eq!(split(count, &strategy), [first, second], "{count}");
    }
}

#[test]
fn when_weights_do_not_divide_evenly_then_sainte_lague_decides() {
    for (items, count, expected) in [
        (&[(0, 1), (0, 1)][..], 3, &[2, 1][..]),
        (&[(0, 1), (0, 4)], 1, &[0, 1]),
        (&[(0, 1), (0, 4)], 3, &[1, 2]),
        (&[(0, 1), (0, 4)], 5, &[1, 4]),
        (&[(0, 1), (0, 4)], 10, &[2, 8]),
        (&[(0, 53), (0, 24), (0, 23)], 7, &[3, 2, 2]),
        (&[(0, 1), (0, 1), (0, 1)], 4, &[2, 1, 1]),
        (&[(0, 0), (0, 5)], 4, &[0, 4]),
        (&[(3, 0), (0, 5)], 4, &[3, 1]),
        (&[(3, 0), (0, 5)], 2, &[2, 0]),
    ] {
        assert_eq!(split(count, &strategy(items)), expected, "{items:?} {count}");
    }
}

#[test]
fn when_no_weight_is_left_then_the_first_item_takes_the_rest() {
    assert_eq!(split(5, &strategy(&[(0, 0)])), [5]);
    assert_eq!(split(5, &strategy(&[(2, 0)])), [5]);
    assert_eq!(split(5, &[]), [0; 0]);
    assert_eq!(split(-5, &strategy(&[(2, 1)])), [0]);
}

#[test]
fn when_the_count_is_huge_then_the_answer_is_still_immediate_and_exact() {
    let strategy = strategy(&[(100_000, 999), (0, 1000), (0, 1)]);
    let result = split(2_000_000_000 + 100_000, &strategy);
    assert_eq!(result, [999_000_000 + 100_000, 1_000_000_000, 1_000_000]);
    assert_eq!(split(i64::MAX, &strategy).iter().sum::<i64>(), i64::MAX);
}

#[test]
fn when_weights_change_then_what_runs_stays_and_only_new_tasks_follow_the_new_weights() {
    for (items, running, count, expected) in [
        (&[(0, 1), (0, 1)][..], &[6, 0][..], 8, &[6, 2][..]),
        (&[(0, 1), (0, 1)], &[6, 0], 6, &[6, 0]),
        (&[(0, 1), (0, 1)], &[6, 0], 14, &[7, 7]),
        (&[(0, 1), (0, 1)], &[6, 2], 6, &[4, 2]),
        (&[(0, 1), (0, 1)], &[6, 2], 1, &[1, 0]),
        (&[(0, 0), (0, 1)], &[4, 1], 6, &[4, 2]),
        (&[(0, 0), (0, 1)], &[4, 1], 3, &[2, 1]),
        (&[(0, 0), (0, 1)], &[4, 1], 1, &[0, 1]),
        (&[(5, 1), (0, 1)], &[0, 4], 5, &[1, 4]),
        (&[(5, 1), (0, 1)], &[0, 4], 10, &[6, 4]),
        (&[(2, 1), (0, 1)], &[2, 1], 2, &[2, 0]),
        (&[(2, 1), (0, 1)], &[2, 1], 1, &[1, 0]),
        (&[(0, 1), (0, 3)], &[], 4, &[1, 3]),
    ] {
        assert_eq!(split_with_floor(count, &strategy(items), running), expected, "{items:?} {running:?} {count}");
    }
}

/// Goals that were recorded are where the next ones start from, whatever runs and whichever strategy they came from.
#[test]
fn when_a_strategy_changes_then_recorded_goals_stay_and_only_the_difference_follows_the_new_one() {
    let (both, second, first) = ([(0, 1), (0, 1)], [(0, 0), (0, 1)], [(0, 1), (0, 0)]);
    let one_to_three = [(0, 1), (0, 3)];
    for (case, items, recorded, count, expected) in [
        ("the second provider alone, the same count", second, [4, 4], 8, [4, 4]),
        ("the second provider alone, two more", second, [4, 4], 10, [4, 6]),
        ("the second provider alone, two fewer", second, [4, 4], 6, [2, 4]),
        ("the second provider alone, half", second, [4, 4], 4, [0, 4]),
        ("the second provider alone, all again", second, [0, 4], 8, [0, 8]),
        ("back to both after the first alone", both, [6, 0], 8, [6, 2]),
        ("the first provider alone after both", first, [4, 4], 9, [5, 4]),
        ("no base any more", one_to_three, [3, 3], 9, [3, 6]),
    ] {
        assert_eq!(split_with_floor(count, &strategy(&items), &recorded), expected, "{case}");
    }
    // A new deployment divides by the strategy alone.
    assert_eq!(split(8, &strategy(&both)), [4, 4]);
}

#[test]
fn when_a_strategy_breaks_a_rule_then_the_item_is_named() {
    const LIST: &str = "capacityProviderStrategy";
    let paths = |items: &[StrategyItem]| -> Vec<String> {
        check_strategy(items).into_iter().map(|violation| violation.path).collect()
    };
    assert_eq!(paths(&[]), [""; 0]);
    assert_eq!(paths(&[item("a", 100_000, 1000), item("b", 0, 0)]), [""; 0]);
    assert_eq!(paths(&[item("a", 0, 0)]), [""; 0]);
    assert_eq!(paths(&[item("FARGATE", 1, 1), item("FARGATE_SPOT", 0, 3)]), [""; 0]);
    assert_eq!(
        paths(&[item("a", -1, 1), item("b", 0, 1001)]),
        [format!("{LIST}[0].base"), format!("{LIST}[1].weight")]
    );
    assert_eq!(paths(&[item("a", 100_001, -1)]), [format!("{LIST}[0].weight"), format!("{LIST}[0].base")]);
    assert_eq!(paths(&[item("a", 1, 1), item("b", 1, 1)]), [format!("{LIST}[1].base")]);
    assert_eq!(paths(&[item("a", 1, 0), item("b", 0, 0)]), [LIST]);
    assert_eq!(paths(&[item("a", 0, 1), item("a", 0, 1)]), [format!("{LIST}[1].capacityProvider")]);
    assert_eq!(paths(&[item("FARGATE", 0, 1), item("a", 0, 1)]), [format!("{LIST}[1].capacityProvider")]);
    let many: Vec<StrategyItem> = (0..21).map(|number| item(&format!("p{number}"), 0, 1)).collect();
    assert_eq!(paths(&many), [LIST]);
    assert_eq!(paths(&many[..20]), [""; 0]);
}

fn any_strategy() -> impl Strategy<Value = Vec<StrategyItem>> {
    let weight = prop_oneof![0_i64..5, 0_i64..=1000];
    (proptest::collection::vec(weight, 1..6), 0_usize..6, 0_i64..8).prop_map(|(weights, based, base)| {
        let items: Vec<(i64, i64)> = weights
            .into_iter()
            .enumerate()
            .map(|(index, weight)| (if index == based { base } else { 0 }, weight))
            .collect();
        strategy(&items)
    })
}

/// One task more, by the letter of the rule: a base that is not full, else the largest weight / (2k + 1).
fn one_more(items: &[StrategyItem], running: &mut [i64]) {
    let missing = items.iter().zip(running.iter()).position(|(item, tasks)| *tasks < item.base);
    let weights = weights(items);
    let best = (0..items.len())
        .reduce(|best, index| {
            let share = |index: usize| Share { weight: weights[index], tasks: running[index] - items[index].base };
            if share(index).priority_cmp(share(best)) == Ordering::Greater { index } else { best }
        })
        .unwrap();
    running[missing.unwrap_or(best)] += 1;
}

/// One task less: the one beyond its base that the rule would have placed last.
fn one_less(items: &[StrategyItem], running: &mut [i64]) {
    let weights = weights(items);
    let beyond = |index: usize| running[index] - items[index].base;
    let worst = (0..items.len()).filter(|&index| beyond(index) > 0).reduce(|worst, index| {
        let placed = |index: usize| Share { weight: weights[index], tasks: beyond(index) - 1 };
        if placed(index).priority_cmp(placed(worst)) == Ordering::Greater { worst } else { index }
    });
    let last_in_base = || (0..items.len()).rfind(|&index| running[index] > 0);
    let index = worst.or_else(last_in_base).unwrap();
    running[index] -= 1;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_split_adds_up_fills_the_base_and_never_falls_with_the_count(strategy in any_strategy(), count in 0_i64..300) {
        let tasks = split(count, &strategy);
        prop_assert_eq!(tasks.iter().sum::<i64>(), count);
        let more = split(count + 1, &strategy);
        prop_assert!(tasks.iter().zip(&more).all(|(now, then)| now <= then));
        for (tasks, item) in tasks.iter().zip(&strategy) {
            prop_assert!(*tasks >= item.base.min(count));
        }
    }

    #[test]
    fn whole_cycles_are_exact(strategy in any_strategy(), cycles in 0_i64..50) {
        let base: i64 = strategy.iter().map(|item| item.base).sum();
        let cycle: i64 = strategy.iter().map(|item| item.weight).sum();
        prop_assume!(cycle > 0);
        let expected: Vec<i64> = strategy.iter().map(|item| item.base + item.weight * cycles).collect();
        prop_assert_eq!(split(base + cycle * cycles, &strategy), expected);
    }

    #[test]
    fn a_split_is_what_placing_one_by_one_gives(strategy in any_strategy(), count in 0_i64..60) {
        let mut running = vec![0; strategy.len()];
        for _ in 0..count {
            one_more(&strategy, &mut running);
        }
        prop_assert_eq!(split(count, &strategy), running);
    }

    #[test]
    fn growing_from_anywhere_moves_nothing_and_is_what_placing_one_by_one_gives(
        strategy in any_strategy(), running in proptest::collection::vec(0_i64..12, 6), more in 0_i64..40,
    ) {
        let running = &running[..strategy.len()];
        let count = running.iter().sum::<i64>() + more;
        let result = split_with_floor(count, &strategy, running);
        prop_assert_eq!(result.iter().sum::<i64>(), count);
        prop_assert!(result.iter().zip(running).all(|(then, now)| then >= now));
        let mut one_by_one = running.to_vec();
        for _ in 0..more {
            one_more(&strategy, &mut one_by_one);
        }
        prop_assert_eq!(result, one_by_one);
    }

    #[test]
    fn shrinking_from_anywhere_adds_nothing_and_is_what_removing_one_by_one_gives(
        strategy in any_strategy(), running in proptest::collection::vec(0_i64..12, 6), share in 0_i64..=100,
    ) {
        let running = &running[..strategy.len()];
        let total = running.iter().sum::<i64>();
        let count = total * share / 100;
        let result = split_with_floor(count, &strategy, running);
        prop_assert_eq!(result.iter().sum::<i64>(), count);
        prop_assert!(result.iter().zip(running).all(|(then, now)| then <= now));
        let mut one_by_one = running.to_vec();
        for _ in count..total {
            one_less(&strategy, &mut one_by_one);
        }
        prop_assert_eq!(result, one_by_one);
    }

    #[test]
    fn without_a_change_of_weights_the_floor_makes_no_difference(
        strategy in any_strategy(), before in 0_i64..100, after in 0_i64..100,
    ) {
        let running = split(before, &strategy);
        prop_assert_eq!(split_with_floor(after, &strategy, &running), split(after, &strategy));
    }
}
