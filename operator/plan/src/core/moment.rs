//! Arithmetic on times that somebody else may have written: the last moment there is, rather than a panic.

use jiff::{SignedDuration, Timestamp};

/// `seconds` later, or the last moment there is.
pub(crate) fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// The earlier of two times that may be asked for.
pub(crate) fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_end_of_time_is_near_then_it_is_not_passed() {
        assert_eq!(after(Timestamp::MAX, 40), Timestamp::MAX);
        assert_eq!(after(Timestamp::UNIX_EPOCH, 40).as_second(), 40);
    }
}
