//! Capacity provider strategies: how many tasks of a service each provider runs.
//!
//! First the `base` of one provider is filled. The remainder follows the weights; where it does not divide evenly the
//! method of Sainte-Laguë decides: the next task goes to the provider with the largest `weight / (2k + 1)`, where `k`
//! is the number of weighted tasks it has, ties in list order. This gives exact ratios whenever the remainder is a
//! multiple of the sum of the weights, and a larger count never takes a task away from any provider.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::violation::Violation;

/// Largest weight of an item.
const MOST_WEIGHT: i64 = 1000;

/// One item of a capacity provider strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrategyItem {
    /// Name of the provider.
    pub provider: String,
    /// Tasks this provider runs first, 0 to 100000. At most one item has a base.
    pub base: i64,
    /// Share of the tasks beyond the base, 0 to 1000. 0 takes none.
    pub weight: i64,
}

/// Tasks of one item beyond its base, with its weight.
#[derive(Clone, Copy)]
struct Share {
    weight: i64,
    tasks: i64,
}

impl Share {
    /// Compares `weight / (2 tasks + 1)` of two shares by cross-multiplication.
    fn priority_cmp(self, other: Self) -> Ordering {
        let left = i128::from(self.weight) * (2 * i128::from(other.tasks) + 1);
        let right = i128::from(other.weight) * (2 * i128::from(self.tasks) + 1);
        left.cmp(&right)
    }
}

/// The number of tasks of each item for `count` tasks in total.
///
/// Base 2 on the first item and weights 1:3 give for counts 1 to 8:
/// (1,0) (2,0) (2,1) (3,1) (3,2) (3,3) (3,4) (4,4).
///
/// The result adds up to `count`. Where all weights are 0 (a single item may have that), the remainder goes to the
/// first item. Without items there is nothing to divide and the result is empty.
pub fn split(count: i64, strategy: &[StrategyItem]) -> Vec<i64> {
    let count = count.max(0);
    let base = base_of(count, strategy);
    let remainder = count - base.iter().sum::<i64>();
    add(&base, &by_weight(remainder, &weights(strategy)))
}

/// The number of tasks of each item for `count` tasks when `running` are there already, in the order of `strategy`.
///
/// Changed weights move nothing that runs. A count above the sum of `running` keeps every task and places the new ones
/// where the weights want them most: with weights 1:1 and (6,0) running, 8 gives (6,2). A smaller count takes tasks
/// away from the provider that has most beyond its share, tasks beyond the base first: with weights 1:1 and (6,2)
/// running, 6 gives (4,2).
///
/// A provider that is no longer part of the strategy takes part as an item with base and weight 0: its tasks stay
/// until the count falls.
pub fn split_with_floor(count: i64, strategy: &[StrategyItem], running: &[i64]) -> Vec<i64> {
    let count = count.max(0);
    let running: Vec<i64> = (0..strategy.len()).map(|index| running.get(index).copied().unwrap_or(0).max(0)).collect();
    let total = running.iter().fold(0_i64, |sum, tasks| sum.saturating_add(*tasks));
    let weights = weights(strategy);
    if count >= total {
        // What fills the base counts as base; a base that is not full gets the first new tasks.
        let base = base_of(count, strategy);
        let in_base: Vec<i64> = base.iter().zip(&running).map(|(base, tasks)| *base.min(tasks)).collect();
        let missing: i64 = base.iter().zip(&in_base).map(|(base, tasks)| base - tasks).sum();
        let filled = missing.min(count - total);
        let beyond: Vec<i64> = running.iter().zip(&in_base).map(|(tasks, base)| tasks - base).collect();
        let kept = total - in_base.iter().sum::<i64>();
        let grown = at_least(count - total - filled + kept, &weights, &beyond);
        let mut base_left = filled;
        let based: Vec<i64> = base
            .iter()
            .zip(&in_base)
            .map(|(base, tasks)| {
                let more = base_left.min(base - tasks);
                base_left -= more;
                tasks + more
            })
            .collect();
        add(&based, &grown)
    } else {
        let base: Vec<i64> =
            base_of(i64::MAX, strategy).iter().zip(&running).map(|(base, tasks)| *base.min(tasks)).collect();
        let beyond: Vec<i64> = running.iter().zip(&base).map(|(tasks, base)| tasks - base).collect();
        let in_base: i64 = base.iter().sum();
        if count >= in_base {
            add(&base, &at_most(count - in_base, &weights, &beyond))
        } else {
            base_of_running(count, &base)
        }
    }
}

/// The bases for `count` tasks, in list order.
fn base_of(count: i64, strategy: &[StrategyItem]) -> Vec<i64> {
    let mut left = count;
    strategy
        .iter()
        .map(|item| {
            let base = item.base.clamp(0, left);
            left -= base;
            base
        })
        .collect()
}

fn base_of_running(count: i64, base: &[i64]) -> Vec<i64> {
    let mut left = count;
    base.iter()
        .map(|&tasks| {
            let kept = tasks.min(left);
            left -= kept;
            kept
        })
        .collect()
}

/// The weights within the limits of ECS; where all are 0 the first item stands for all.
fn weights(strategy: &[StrategyItem]) -> Vec<i64> {
    let mut weights: Vec<i64> = strategy.iter().map(|item| item.weight.clamp(0, MOST_WEIGHT)).collect();
    if weights.iter().all(|&weight| weight == 0)
        && let Some(first) = weights.first_mut()
    {
        *first = 1;
    }
    weights
}

/// `count` tasks by Sainte-Laguë from nothing. Whole cycles of the weights are exact, so only the rest is dealt out
/// one by one: at most the sum of the weights, however large the count is.
fn by_weight(count: i64, weights: &[i64]) -> Vec<i64> {
    let divisor = weights.iter().fold(0, |divisor, &weight| greatest_common_divisor(divisor, weight)).max(1);
    let weights: Vec<i64> = weights.iter().map(|weight| weight / divisor).collect();
    let cycle: i64 = weights.iter().sum();
    if cycle == 0 {
        return vec![0; weights.len()];
    }
    let cycles = count / cycle;
    let mut shares: Vec<Share> =
        weights.iter().map(|&weight| Share { weight, tasks: weight.saturating_mul(cycles) }).collect();
    for _ in 0..count % cycle {
        // The first of the largest: `max_by` would take the last, so equal ones count as smaller.
        let next = shares.iter_mut().reduce(
            |best, share| {
                if share.priority_cmp(*best) == Ordering::Greater { share } else { best }
            },
        );
        if let Some(share) = next {
            share.tasks += 1;
        }
    }
    shares.into_iter().map(|share| share.tasks).collect()
}

/// `count` tasks by weight where no item gets fewer than `floor`: items above their share keep what they have, the
/// others divide the rest. Dealing out the additional tasks one by one ends in the same place.
fn at_least(count: i64, weights: &[i64], floor: &[i64]) -> Vec<i64> {
    settle(count, weights, floor, |wanted, floor| wanted < floor)
}

/// `count` tasks by weight where no item gets more than `ceiling`.
fn at_most(count: i64, weights: &[i64], ceiling: &[i64]) -> Vec<i64> {
    settle(count, weights, ceiling, |wanted, ceiling| wanted > ceiling)
}

/// Fixes the items that break their bound at the bound and divides the rest again, until nothing breaks: each round
/// fixes at least one item.
fn settle(count: i64, weights: &[i64], bound: &[i64], breaks: fn(i64, i64) -> bool) -> Vec<i64> {
    let mut fixed = vec![false; weights.len()];
    loop {
        let taken: i64 = bound.iter().zip(&fixed).filter(|(_, fixed)| **fixed).map(|(tasks, _)| tasks).sum();
        let free: Vec<i64> =
            weights.iter().zip(&fixed).map(|(weight, fixed)| if *fixed { 0 } else { *weight }).collect();
        let rest = (count - taken).max(0);
        let wanted = by_weight(rest, &free);
        let unplaced = rest - wanted.iter().sum::<i64>();
        let mut changed = false;
        let mut result = Vec::with_capacity(weights.len());
        for ((wanted, bound), fixed) in wanted.into_iter().zip(bound).zip(&mut fixed) {
            if !*fixed && breaks(wanted, *bound) {
                *fixed = true;
                changed = true;
            }
            result.push(if *fixed { *bound } else { wanted });
        }
        if !changed {
            return place_unplaced(result, unplaced, bound);
        }
    }
}

/// Tasks that no weight wants: they are part of what runs on items without weight, so they stay there, first items
/// first.
fn place_unplaced(mut result: Vec<i64>, unplaced: i64, bound: &[i64]) -> Vec<i64> {
    let mut left = unplaced;
    for (tasks, bound) in result.iter_mut().zip(bound) {
        let more = left.min(bound.saturating_sub(*tasks).max(0));
        *tasks += more;
        left -= more;
    }
    if let Some(first) = result.first_mut() {
        *first += left;
    }
    result
}

fn add(left: &[i64], right: &[i64]) -> Vec<i64> {
    left.iter().zip(right).map(|(left, right)| left.saturating_add(*right)).collect()
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Every rule that a strategy breaks. Paths start with `capacityProviderStrategy`.
pub fn check_strategy(items: &[StrategyItem]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut refuse = |path: String, message: String| violations.push(Violation::new(path, message));
    let at = |index: usize, field: &str| format!("capacityProviderStrategy[{index}].{field}");
    if items.len() > 20 {
        refuse("capacityProviderStrategy".to_owned(), format!("at most 20 providers, not {}", items.len()));
    }
    let mut based: Option<usize> = None;
    let mut providers = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        if !(0..=MOST_WEIGHT).contains(&item.weight) {
            refuse(at(index, "weight"), format!("a weight is 0 to {MOST_WEIGHT}, not {}", item.weight));
        }
        if !(0..=100_000).contains(&item.base) {
            refuse(at(index, "base"), format!("a base is 0 to 100000, not {}", item.base));
        }
        if item.base > 0
            && let Some(first) = based.replace(index)
        {
            refuse(at(index, "base"), format!("only one item may have a base, and item {first} has one"));
        }
        if !providers.insert(item.provider.as_str()) {
            refuse(at(index, "capacityProvider"), format!("{} is listed twice", item.provider));
        }
        if let Some(first) = items.first()
            && is_fargate(&first.provider) != is_fargate(&item.provider)
        {
            refuse(
                at(index, "capacityProvider"),
                format!("{} and {} cannot be mixed: one is of Fargate, one is not", first.provider, item.provider),
            );
        }
    }
    if items.len() > 1 && items.iter().all(|item| item.weight == 0) {
        refuse(
            "capacityProviderStrategy".to_owned(),
            "at least one of several items needs a weight above 0".to_owned(),
        );
    }
    violations
}

fn is_fargate(provider: &str) -> bool {
    matches!(provider, "FARGATE" | "FARGATE_SPOT")
}

#[cfg(test)]
#[path = "capacity_tests.rs"]
mod tests;
