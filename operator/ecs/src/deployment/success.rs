//! Early success criteria: how many healthy tasks are enough for a deployment to count as completed.

/// Tasks of the new revision that must be healthy: the percentage of the desired count, rounded up. 75 % of 10 tasks are
/// ceil(7.5) = 8. Without early success criteria the percentage is 100.
pub fn healthy_needed(desired: i64, healthy_percent: i64) -> i64 {
    let share = (i128::from(desired.max(0)) * i128::from(healthy_percent.clamp(0, 100)) + 99) / 100;
    i64::try_from(share).unwrap_or(i64::MAX)
}

/// Whether so many healthy tasks of the new revision are enough.
pub fn is_early_success(healthy_primary: i64, desired: i64, healthy_percent: i64) -> bool {
    healthy_primary >= healthy_needed(desired, healthy_percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_percentage_of_the_tasks_is_enough_then_it_is_rounded_up() {
        for (desired, percent, needed) in [
            (10, 75, 8),
            (10, 70, 7),
            (3, 50, 2),
            (3, 100, 3),
            (1, 1, 1),
            (401, 50, 201),
            (10, 0, 0),
            (0, 100, 0),
            (-1, 100, 0),
            (4, 150, 4),
            (4, -1, 0),
            (i64::MAX, 100, i64::MAX),
        ] {
            assert_eq!(healthy_needed(desired, percent), needed, "{desired} {percent}");
            assert!(is_early_success(needed, desired, percent));
            assert!(!is_early_success(needed - 1, desired, percent));
        }
    }
}
