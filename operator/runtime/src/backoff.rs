//! How long to wait before trying again: doubling, bounded, slightly spread.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// A doubling delay between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay after the first failure.
    pub first: Duration,
    /// No delay is longer than this, spread aside.
    pub longest: Duration,
}

impl Backoff {
    /// The delay after the given number of failures in a row, counted from 1. With `first` 500 ms and `longest` 60 s:
    /// 0.5, 1, 2, 4 … 60, 60.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }

    /// [`Self::delay`] plus up to a fifth more, decided by `seed`, so that many clients that failed together do not try
    /// again together.
    #[must_use]
    pub fn spread(&self, failures: u32, seed: impl Hash) -> Duration {
        let delay = self.delay(failures);
        delay + spread(delay / 5, (seed, failures))
    }
}

/// A duration below `width` that depends on nothing but `seed`.
#[must_use]
pub fn spread(width: Duration, seed: impl Hash) -> Duration {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    let width = u64::try_from(width.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(if width == 0 { 0 } else { hasher.finish() % width })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_failures_go_on_then_the_delay_doubles_up_to_its_bound() {
        let backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_mins(1) };
        let seconds: Vec<f64> = (1..=9).map(|failures| backoff.delay(failures).as_secs_f64()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(backoff.delay(u32::MAX), Duration::from_mins(1));
    }

    #[test]
    fn when_a_delay_is_spread_then_it_is_never_shorter_and_at_most_a_fifth_longer() {
        let backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_mins(1) };
        for seed in 0..200 {
            let delay = backoff.spread(3, seed);
            assert!(delay >= Duration::from_secs(2) && delay < Duration::from_millis(2400), "{delay:?}");
        }
    }
}
