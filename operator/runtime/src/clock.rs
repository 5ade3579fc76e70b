//! The time of day, as something that can be replaced: below this crate time is a value.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tracing::warn;

/// A wall clock that moves by more than this against the monotonic one was set, or the machine was suspended.
const JUMP: SignedDuration = SignedDuration::from_secs(2);

/// Says what time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock, which never goes back: see `Steady`.
    #[must_use]
    pub fn system() -> Self {
        let steady = Mutex::new(Steady::new(Timestamp::now(), Instant::now()));
        Self(Arc::new(move || {
            let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
            steady.read(Timestamp::now(), Instant::now())
        }))
    }

    /// A clock that starts at `start` and moves with tokio's time, so that a test which pauses the one pauses both.
    #[must_use]
    pub fn simulated(start: Timestamp) -> Self {
        let origin = tokio::time::Instant::now();
        Self(Arc::new(move || {
            let elapsed = SignedDuration::try_from(origin.elapsed()).unwrap_or_default();
            start.saturating_add(elapsed).unwrap_or(start)
        }))
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// A clock that follows the wall clock forwards, also in a jump, and does not follow it back: while it is ahead of the wall
/// clock it runs at half speed until that has caught up.
///
/// Times that kubelets and the API server wrote are compared with it, so it cannot keep a time of its own. What goes back is
/// a correction of a clock that was ahead: followed at once, everything that is to happen at a time that was noted before,
/// such as the next start after a failure, would be late by the whole of it.
#[derive(Debug)]
struct Steady {
    last: Timestamp,
    /// The monotonic clock at the last reading.
    read_at: Instant,
    /// What the wall clock said then.
    wall: Timestamp,
}

impl Steady {
    const fn new(wall: Timestamp, now: Instant) -> Self {
        Self { last: wall, read_at: now, wall }
    }

    fn read(&mut self, wall: Timestamp, now: Instant) -> Timestamp {
        let elapsed = SignedDuration::try_from(now.saturating_duration_since(self.read_at)).unwrap_or_default();
        let moved = wall.duration_since(self.wall) - elapsed;
        if moved.abs() >= JUMP {
            warn!(step = "clock", seconds = moved.as_secs(), "the wall clock was set, or the machine was suspended");
        }
        let slow = self.last.saturating_add(elapsed / 2).unwrap_or(self.last);
        self.last = wall.max(slow);
        self.read_at = now;
        self.wall = wall;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn when_the_wall_clock_is_set_then_time_goes_on_and_meets_it_again() {
        // (seconds on the monotonic clock, what the wall clock says, the time)
        let table: [&[(u64, i64, i64)]; 4] = [
            // As it should be.
            &[(10, 1_010, 1_010), (20, 1_020, 1_020)],
            // Forwards, or suspended for an hour: everybody else is there already.
            &[(10, 4_610, 4_610), (20, 4_620, 4_620)],
            // Back by ten seconds: half speed for twenty.
            &[(10, 1_010, 1_010), (10, 1_000, 1_010), (14, 1_004, 1_012), (30, 1_020, 1_020), (40, 1_030, 1_030)],
            // Back and forth.
            &[(10, 10, 1_005), (20, 20, 1_010), (30, 1_030, 1_030)],
        ];
        let start = Instant::now();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for readings in table {
            let mut clock = Steady::new(at(1_000), start);
            for (second, wall, expected) in readings {
                let read = clock.read(at(*wall), start + Duration::from_secs(*second));
                assert_eq!(read, at(*expected), "{readings:?} after {second} s");
            }
        }
    }

    #[test]
    fn when_it_is_read_often_while_it_is_ahead_then_it_runs_at_half_speed_all_the_same() {
        let start = Instant::now();
        let mut clock = Steady::new(Timestamp::from_second(1_000).unwrap(), start);
        let mut last = clock.last;
        for step in 1..=2_000_u64 {
            let wall = Timestamp::from_millisecond(500_000 + i64::try_from(step).unwrap()).unwrap();
            let read = clock.read(wall, start + Duration::from_millis(step));
            assert!(read >= last);
            last = read;
        }
        assert_eq!(last.as_second(), 1_001);
    }
}
