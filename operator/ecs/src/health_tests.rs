use super::*;

#[test]
fn when_essential_containers_differ_then_the_worst_decides_and_unknown_is_not_healthy() {
    use HealthStatus::{Healthy, Unhealthy, Unknown};
    for (containers, task) in [
        (&[][..], Unknown),
        (&[Healthy], Healthy),
        (&[Healthy, Healthy], Healthy),
        (&[Healthy, Unknown], Unknown),
        (&[Unknown, Unhealthy], Unhealthy),
        (&[Healthy, Unhealthy], Unhealthy),
    ] {
        assert_eq!(task_health(containers), task, "{containers:?}");
    }
    assert_eq!([Healthy, Unhealthy, Unknown].map(HealthStatus::as_str), ["HEALTHY", "UNHEALTHY", "UNKNOWN"]);
}
