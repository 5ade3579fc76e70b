//! When a deployment counts as completed: early success criteria and bake time.

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

/// When a bake time ends that began at `at`, in seconds since the epoch: 2 minutes from 1000 are over at 1120.
pub fn bake_ends(at: i64, minutes: i64) -> i64 {
    at.saturating_add(minutes.max(0).saturating_mul(60))
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

    #[test]
    fn when_a_deployment_bakes_then_it_does_for_whole_minutes_and_never_overflows() {
        for (at, minutes, end) in
            [(1000, 2, 1120), (1000, 0, 1000), (1000, -5, 1000), (1000, 1440, 87_400), (1, i64::MAX, i64::MAX)]
        {
            assert_eq!(bake_ends(at, minutes), end, "{at} {minutes}");
        }
    }
}
