use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_700_000_000;

#[test]
fn when_failures_follow_each_other_then_the_delay_doubles_up_to_27_minutes() {
    for (attempts, delay) in [
        (i64::MIN, 0),
        (-1, 0),
        (0, 0),
        (1, 0),
        (3, 0),
        (4, 10),
        (5, 20),
        (6, 40),
        (7, 80),
        (8, 160),
        (9, 320),
        (10, 640),
        (11, 1280),
        (12, 1620),
        (13, 1620),
        (70, 1620),
        (i64::MAX, 1620),
    ] {
        assert_eq!(delay_seconds(attempts), delay, "{attempts}");
    }
}

#[test]
fn when_each_retry_fails_at_once_then_the_retries_come_at_the_sums_of_the_delays() {
    let mut throttle = Throttle::default();
    let mut now = NOW;
    let mut started = Vec::new();
    for _ in 0..14 {
        assert!(throttle.may_retry(now));
        started.push(now - NOW);
        throttle = throttle.after_failures(now, 1);
        now = throttle.retry_at.unwrap_or(now);
        assert!(throttle.is_throttled() == (throttle.attempts > 3));
    }
    assert_eq!(started, [0, 0, 0, 0, 10, 30, 70, 150, 310, 630, 1270, 2550, 4170, 5790]);
}

#[test]
fn when_several_tasks_fail_during_a_delay_then_they_neither_lengthen_it_nor_count() {
    let throttle = Throttle { attempts: 3, retry_at: None }.after_failures(NOW, 1);
    assert_eq!(throttle, Throttle { attempts: 4, retry_at: Some(NOW + 10) });
    assert_eq!(throttle.after_failures(NOW, 1), throttle);
    assert_eq!(throttle.after_failures(NOW + 9, 1), throttle);
    assert_eq!(throttle.after_failures(NOW + 10, 1), Throttle { attempts: 5, retry_at: Some(NOW + 30) });
}

#[test]
fn when_a_task_reaches_running_then_the_next_failure_is_the_first() {
    let throttle = Throttle { attempts: 40, retry_at: Some(NOW + 1620) };
    assert_eq!(throttle.after_start(NOW), throttle, "it may have been before the failure");
    assert_eq!(throttle.after_start(NOW + 1), Throttle::default());
    let first = Throttle::default().after_failures(NOW, 1);
    assert_eq!(first, Throttle { attempts: 1, retry_at: Some(NOW) });
    assert!(first.may_retry(NOW) && !first.is_throttled());
    assert_eq!(first.after_start(NOW), first);
    assert_eq!(first.after_start(NOW + 1), Throttle::default());
}

#[test]
fn when_tasks_fail_one_after_the_other_between_two_looks_then_each_round_counts() {
    let throttle = Throttle::default().after_failures(NOW, 2);
    assert_eq!(throttle, Throttle { attempts: 2, retry_at: Some(NOW) });
    // Hundreds between two looks are not hours of delay.
    assert_eq!(throttle.after_failures(NOW, 400), Throttle { attempts: 5, retry_at: Some(NOW + 20) });
}

#[test]
fn when_a_delay_lasts_then_it_is_known_when_it_began() {
    let throttle = Throttle { attempts: 5, retry_at: Some(NOW + 20) };
    assert_eq!(throttle.held_since(NOW + 19), Some(NOW));
    assert_eq!(throttle.held_since(NOW + 20), None);
    assert_eq!(Throttle { attempts: 3, retry_at: Some(NOW) }.held_since(NOW), None);
}

#[test]
fn when_the_clock_goes_back_then_the_wait_is_the_rest_or_one_full_delay() {
    let throttle = Throttle { attempts: 6, retry_at: Some(NOW + 40) };
    // By 10 seconds, 30 seconds into the delay: 20 are left instead of 10.
    assert_eq!(throttle.at(NOW + 20), throttle);
    assert_eq!(throttle.wait_seconds(NOW + 20), Some(20));
    // By a day.
    let day_before = NOW - 86_400;
    let again = throttle.at(day_before);
    assert_eq!(again.retry_at, Some(day_before + 40));
    assert_eq!(throttle.wait_seconds(day_before), Some(40));
    assert!(!again.may_retry(day_before + 39) && again.may_retry(day_before + 40));
}

#[test]
fn when_times_are_at_the_end_of_their_range_then_nothing_overflows() {
    let throttle = Throttle { attempts: i64::MAX, retry_at: None }.after_failures(i64::MAX, 1);
    assert_eq!(throttle, Throttle { attempts: i64::MAX, retry_at: Some(i64::MAX) });
    assert!(throttle.may_retry(i64::MAX));
    assert_eq!(throttle.at(i64::MIN).retry_at, Some(i64::MIN + 1620));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn when_there_is_one_failure_more_then_the_delay_is_no_shorter_and_never_beyond_the_longest(
        attempts in prop_oneof![-5_i64..40, any::<i64>()],
    ) {
        prop_assert!(delay_seconds(attempts) <= delay_seconds(attempts.saturating_add(1)));
        prop_assert!((0..=LONGEST_DELAY_SECONDS).contains(&delay_seconds(attempts)));
    }

    #[test]
    fn when_the_clock_jumps_then_no_wait_is_longer_than_one_full_delay_after_the_last_jump(
        steps in proptest::collection::vec((-5_000_i64..5_000, any::<bool>()), 1..60),
    ) {
        let (mut now, mut throttle) = (NOW, Throttle::default());
        for (step, failed) in steps {
            now += step;
            let before = throttle;
            throttle = if failed { throttle.after_failures(now, 1) } else { throttle.at(now) };
            prop_assert!(throttle.attempts >= before.attempts && throttle.attempts <= before.attempts + 1);
            if let Some(at) = throttle.retry_at {
                prop_assert!(at <= now + delay_seconds(throttle.attempts));
            }
            // Only looking never makes a start possible that was not.
            if !failed {
                prop_assert_eq!(throttle.may_retry(now), before.may_retry(now));
            }
            prop_assert_eq!(throttle.at(now), throttle);
            prop_assert_eq!(throttle.wait_seconds(now).is_none(), throttle.may_retry(now));
        }
    }
}
