use proptest::prelude::*;

use super::*;

fn policy(scale_in_cooldown: Option<i64>, disable_scale_in: bool) -> TargetTracking {
    TargetTracking {
        metric: Metric::Cpu,
        target_value_milli: 60_000,
        scale_in_cooldown,
        scale_out_cooldown: None,
        disable_scale_in,
    }
}

#[test]
fn when_a_target_is_a_whole_percent_then_it_is_exact_otherwise_the_nearest_is_taken_and_said() {
    for (value, percent, exact) in [
        (60.0, 60, true),
        (1.0, 1, true),
        (62.5, 63, false),
        (62.4, 62, false),
        (60.0001, 60, false),
        (0.2, 1, false),
        (150.0, 150, true),
    ] {
        assert_eq!(average_utilization(value), Ok(Utilization { percent, exact }), "{value}");
    }
}

#[test]
fn when_a_target_is_no_positive_number_then_it_is_refused() {
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        assert!(average_utilization(value).is_err(), "{value}");
        assert!(target_value_milli(value).is_err(), "{value}");
    }
    assert_eq!(target_value_milli(60.5), Ok(60_500));
}

#[test]
fn when_a_predefined_metric_is_measured_on_pods_then_its_resource_is_known() {
    let cpu = Metric::from_predefined("ECSServiceAverageCPUUtilization");
    let memory = Metric::from_predefined("ECSServiceAverageMemoryUtilization");
    assert_eq!(cpu.map(Metric::resource), Some("cpu"));
    assert_eq!(memory.map(Metric::resource), Some("memory"));
    assert_eq!(Metric::from_predefined("ALBRequestCountPerTarget"), None);
}

#[test]
fn when_policies_allow_scale_in_then_the_longest_cooldown_counts() {
    for (policies, hold, period, disabled) in [
        (&[policy(None, false)][..], false, 300, false),
        (&[policy(Some(60), false), policy(Some(120), false)], false, 120, false),
        (&[policy(Some(60), false), policy(Some(120), true)], false, 60, false),
        (&[policy(Some(0), false)], false, 1, false),
        (&[policy(Some(7200), false)], false, 1800, false),
        (&[policy(Some(60), true)], false, 300, true),
        (&[policy(Some(60), false)], true, 60, true),
    ] {
        let behavior = behavior(policies, hold);
        assert_eq!(behavior.scale_down.period_seconds, period, "{policies:?}");
        assert_eq!(behavior.scale_down.disabled, disabled, "{policies:?}");
        assert_eq!(behavior.scale_down.stabilization_seconds, 900);
        assert_eq!(behavior.scale_down.tolerance_milli, 100);
        assert!(!behavior.scale_up.disabled);
        assert_eq!((behavior.scale_up.stabilization_seconds, behavior.scale_up.tolerance_milli), (0, 0));
    }
}

#[test]
fn when_the_metric_leaves_the_target_then_the_count_follows_in_proportion_rounded_up() {
    for (running, metric, target, count) in [
        (4, 90, 60, 6),
        (4, 61, 60, 5),
        (4, 60, 60, 4),
        (4, 53, 60, 4),
        (4, 30, 60, 2),
        (4, 0, 60, 0),
        (0, 90, 60, 0),
        (4, 90, 0, 4),
        (i64::MAX, i64::MAX, 1, i64::MAX),
    ] {
        assert_eq!(proportional_count(running, metric, target), count, "{running} {metric} {target}");
    }
}

proptest! {
    #[test]
    fn the_proportional_count_is_the_smallest_that_brings_the_metric_to_the_target(
        running in 0_i64..1000, metric in 0_i64..400_000, target in 1_i64..200_000,
    ) {
        let count = proportional_count(running, metric, target);
        prop_assert!(count * target >= running * metric);
        prop_assert!(count == 0 || (count - 1) * target < running * metric);
    }
}
