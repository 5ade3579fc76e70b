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
fn when_a_metric_is_measured_on_pods_then_its_resource_is_known() {
    assert_eq!([Metric::Cpu, Metric::Memory].map(Metric::resource), ["cpu", "memory"]);
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
