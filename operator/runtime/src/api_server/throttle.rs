//! When the API server asks for a pause (`Retry-After` of a 429 or 503), nothing new is begun until it is over.
//!
//! Each failed reconcile has a backoff of its own, but that says nothing to the thousands of others that wait for a slot.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// No pause is longer: a server that is well again must not wait for us.
const LONGEST: Duration = Duration::from_secs(10);

/// The pause that the API server asked for last.
#[derive(Debug, Default)]
pub struct Throttle {
    until: Mutex<Option<Instant>>,
}

impl Throttle {
    /// The server asked for a pause.
    pub fn note(&self, pause: Duration) {
        let until = Instant::now() + pause.min(LONGEST);
        let mut known = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(known.map_or(until, |other| other.max(until)));
    }

    /// What is left of the pause.
    #[must_use]
    pub fn left(&self) -> Duration {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Returns when there is no pause.
    pub async fn is_over(&self) {
        while !self.left().is_zero() {
            sleep_until(Instant::now() + self.left()).await;
        }
    }
}

/// The pause in the header `Retry-After` of a 429 or 503. Dates, which API servers do not send, are not read.
pub(super) fn asked_for<B>(response: &http::Response<B>) -> Option<Duration> {
    use http::StatusCode;
    if !matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let seconds = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn when_the_server_asks_for_a_pause_then_it_is_kept_and_a_shorter_one_does_not_end_it() {
        let throttle = Throttle::default();
        throttle.is_over().await;
        let start = Instant::now();
        throttle.note(Duration::from_secs(3));
        throttle.note(Duration::from_secs(1));
        throttle.is_over().await;
        let waited = start.elapsed();
        assert!(waited >= Duration::from_secs(3) && waited < Duration::from_millis(3_010), "{waited:?}");
        throttle.note(Duration::from_hours(1));
        assert!(throttle.left() <= LONGEST);
    }

    #[test]
    fn when_a_server_is_busy_then_its_header_is_read() {
        for (code, header, seconds) in [
            (429, Some("1"), Some(1)),
            (503, Some(" 30 "), Some(30)),
            (429, None, None),
            (429, Some("Wed, 21 Oct 2026 07:28:00 GMT"), None),
            (429, Some("-1"), None),
            (500, Some("1"), None),
            (200, Some("1"), None),
        ] {
            let builder = Response::builder().status(code);
            let builder = header.into_iter().fold(builder, |all, value| all.header("retry-after", value));
            assert_eq!(asked_for(&builder.body(()).unwrap()), seconds.map(Duration::from_secs), "{code} {header:?}");
        }
    }
}
