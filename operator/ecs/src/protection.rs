//! Task scale-in protection: a task of a service asks not to be stopped while it works on something.
//!
//! It protects from scale-in and from deployments, for as long as it lasts. It does not protect from failed health checks,
//! from the loss of the instance or from somebody who stops the task.

use crate::violation::Violation;

/// `expiresInMinutes` when it is not given: two hours.
pub const DEFAULT_MINUTES: i64 = 120;
/// Largest `expiresInMinutes`: two days.
pub const MOST_MINUTES: i64 = 2880;

/// What a call of `UpdateTaskProtection` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// `protectionEnabled`
    pub is_enabled: bool,
    /// `expiresInMinutes`, 1 to [`MOST_MINUTES`].
    pub expires_in_minutes: Option<i64>,
}

/// When the protection that a call at `now` asks for ends, both in seconds since 1970; `None` without protection.
///
/// What was asked for before plays no part. A call at 10:00 with 60 minutes and one at 10:30 with 10 minutes protect until
/// 10:40, and so does the second one alone.
///
/// # Errors
/// When the minutes are out of range. Without protection they are not looked at.
pub fn expires_at(request: Request, now: i64) -> Result<Option<i64>, Violation> {
    if !request.is_enabled {
        return Ok(None);
    }
    let minutes = request.expires_in_minutes.unwrap_or(DEFAULT_MINUTES);
    if !(1..=MOST_MINUTES).contains(&minutes) {
        let message = format!("a number of minutes from 1 to {MOST_MINUTES}, not {minutes}");
        return Err(Violation::new("expiresInMinutes", message));
    }
    Ok(Some(now.saturating_add(minutes.saturating_mul(60))))
}

/// Whether a task is protected at `now`; protection ends at its expiry, not after it.
#[must_use]
pub fn is_protected(expires_at: Option<i64>, now: i64) -> bool {
    expires_at.is_some_and(|expires_at| now < expires_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protect(minutes: Option<i64>) -> Request {
        Request { is_enabled: true, expires_in_minutes: minutes }
    }

    #[test]
    fn when_protection_is_asked_for_then_it_lasts_for_the_minutes_or_two_hours() {
        for (minutes, until) in [(Some(1), 1060), (None, 8200), (Some(2880), 173_800)] {
            assert_eq!(expires_at(protect(minutes), 1000).unwrap(), Some(until), "{minutes:?}");
        }
        assert_eq!(expires_at(protect(None), i64::MAX).unwrap(), Some(i64::MAX));
    }

    #[test]
    fn when_the_minutes_are_out_of_range_then_they_are_refused_unless_protection_is_off() {
        for minutes in [0, -1, 2881, i64::MAX] {
            let violation = expires_at(protect(Some(minutes)), 0).unwrap_err();
            assert_eq!(violation.path, "expiresInMinutes");
            assert!(violation.message.ends_with(&format!("not {minutes}")), "{violation}");
            let off = Request { is_enabled: false, expires_in_minutes: Some(minutes) };
            assert_eq!(expires_at(off, 0).unwrap(), None);
        }
    }

    #[test]
    fn when_a_protection_ends_then_the_task_is_free_at_that_second() {
        assert!(is_protected(Some(100), 99));
        assert!(!is_protected(Some(100), 100));
        assert!(!is_protected(None, 0));
    }
}
