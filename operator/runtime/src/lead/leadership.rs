//! Whether this process may write, as everything that writes asks before each write.
//!
//! The granted time has to be over on neither of two clocks. The monotonic one is not moved by anybody, but it stands still
//! while a machine is suspended, and others do not wait for that. The wall clock goes on. If somebody sets it forwards, the
//! process stops writing without need, and another begins.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;
use tokio::time::Instant;

/// Shared between the election and everything that writes.
#[derive(Clone, Debug)]
pub struct Leadership {
    until: Arc<Mutex<Until>>,
    leads: Arc<watch::Sender<bool>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Never,
    Time { until: Instant, wall: SystemTime },
    Always,
}

impl Leadership {
    /// Not leading yet.
    #[must_use]
    pub fn none() -> Self {
        Self { until: Arc::new(Mutex::new(Until::Never)), leads: Arc::new(watch::Sender::new(false)) }
    }

    /// Leading for ever: no election takes place.
    #[must_use]
    pub fn always() -> Self {
        Self { until: Arc::new(Mutex::new(Until::Always)), leads: Arc::new(watch::Sender::new(true)) }
    }

    /// Whether writing is allowed now. False as soon as the time granted by the last renewal is over, even if nobody
    /// noticed yet: the process may just have been stopped for a minute.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.may_write_at(Instant::now(), SystemTime::now())
    }

    fn may_write_at(&self, now: Instant, wall_now: SystemTime) -> bool {
        match *self.until.lock().unwrap_or_else(PoisonError::into_inner) {
            Until::Never => false,
            Until::Time { until, wall } => now < until && wall_now < wall,
            Until::Always => true,
        }
    }

    /// The lease was acquired or renewed: writing is allowed until then.
    pub fn extend(&self, until: Instant) {
        let wall = SystemTime::now() + until.saturating_duration_since(Instant::now());
        self.set(Until::Time { until, wall });
        self.leads.send_replace(true);
    }

    /// The lease was lost or released.
    pub fn end(&self) {
        self.set(Until::Never);
        self.leads.send_replace(false);
    }

    /// Returns once this process leads.
    pub async fn acquired(&self) {
        let mut leads = self.leads.subscribe();
        // The sender lives in `self`, so this only ends when it is true.
        let _ = leads.wait_for(|leads| *leads).await;
    }

    fn set(&self, until: Until) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn when_the_granted_time_is_over_then_writing_is_not_allowed_although_nobody_said_so() {
        let leadership = Leadership::none();
        assert!(!leadership.may_write());
        leadership.extend(Instant::now() + Duration::from_secs(10));
        leadership.acquired().await;
        assert!(leadership.may_write());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!leadership.may_write());
    }
    #[tokio::test(start_paused = true)]
    async fn when_the_machine_was_suspended_then_writing_is_not_allowed_although_its_monotonic_clock_stood_still() {
        let leadership = Leadership::none();
        let (now, wall) = (Instant::now(), SystemTime::now());
        leadership.extend(now + Duration::from_secs(10));
        for (seconds, may_write) in [(0, true), (9, true), (11, false), (3_600, false)] {
            assert_eq!(leadership.may_write_at(now, wall + Duration::from_secs(seconds)), may_write, "{seconds} s");
        }
        assert!(leadership.may_write_at(now, wall - Duration::from_hours(1)), "the wall clock was set back");
    }
}
