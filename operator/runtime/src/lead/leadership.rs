//! Whether this process may write, as everything that writes asks before each write.

use std::sync::{Arc, Mutex, PoisonError};

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
    Time(Instant),
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
        match *self.until.lock().unwrap_or_else(PoisonError::into_inner) {
            Until::Never => false,
            Until::Time(until) => Instant::now() < until,
            Until::Always => true,
        }
    }

    /// The lease was acquired or renewed: writing is allowed until then.
    pub fn extend(&self, until: Instant) {
        self.set(Until::Time(until));
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
}
