//! Moments of a deployment.

/// A moment, in microseconds since the epoch: as exact as what is kept of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

const MICROS_PER_SECOND: i64 = 1_000_000;

impl Moment {
    /// The moment this many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch: 10:00:00.9 is in the second of 10:00:00.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// This many minutes later, to the microsecond: 1 minute after 10:00:00.9 is 10:01:00.9. Negative minutes count as 0.
    #[must_use]
    pub fn after_minutes(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes.max(0).saturating_mul(60 * MICROS_PER_SECOND)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_minutes_are_added_then_they_are_whole_from_the_very_moment_and_never_overflow() {
        for (at, minutes, end) in [
            (1000, 2, 120_001_000),
            (1000, 0, 1000),
            (1000, -5, 1000),
            (900_000, 1, 60_900_000),
            (1, i64::MAX, i64::MAX),
        ] {
            assert_eq!(Moment::from_micros(at).after_minutes(minutes).micros(), end, "{at} {minutes}");
        }
        assert_eq!(Moment::from_micros(-1).seconds(), -1);
        assert_eq!(Moment::from_micros(1_999_999).seconds(), 1);
    }
}
