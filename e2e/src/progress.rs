//! Progress lines with the elapsed time, for everything that takes longer than a blink.
//!
//! Lines go to standard error, so that a command's own output can still be piped.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The first step of the process is second zero of every line.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

fn line(text: &str) {
    let elapsed = origin().elapsed();
    eprintln!("[{:>6.1}s] {text}", elapsed.as_secs_f64());
}

/// Prints one line with the time since the process's first step.
pub fn note(text: impl AsRef<str>) {
    line(text.as_ref());
}

/// Begins a step; the returned value prints how long it took when it is finished or dropped.
#[must_use = "a step ends when it is dropped"]
pub fn step(what: impl Into<String>) -> Step {
    let what = what.into();
    let begun = Instant::now();
    line(&format!("{what} …"));
    Step { what, begun, last_tick: begun, finished: false }
}

/// A step under way.
#[derive(Debug)]
pub struct Step {
    what: String,
    begun: Instant,
    last_tick: Instant,
    finished: bool,
}

impl Step {
    /// Time since the step began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Says that the step still runs, but at most once in `every`.
    pub fn tick(&mut self, every: Duration, detail: &str) {
        if self.last_tick.elapsed() >= every {
            self.last_tick = Instant::now();
            let comma = if detail.is_empty() { "" } else { ", " };
            line(&format!("{} … {}{comma}{detail}", self.what, seconds(self.begun.elapsed())));
        }
    }

    /// Ends the step as done.
    pub fn done(mut self) {
        self.finished = true;
        line(&format!("{}: done in {}", self.what, seconds(self.begun.elapsed())));
    }

    /// Ends the step as done, with a remark.
    pub fn done_with(mut self, remark: impl AsRef<str>) {
        self.finished = true;
        line(&format!("{}: {} ({})", self.what, remark.as_ref(), seconds(self.begun.elapsed())));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.finished {
            line(&format!("{}: stopped after {}", self.what, seconds(self.begun.elapsed())));
        }
    }
}

/// `3.2s` below two minutes, `4m 07s` from there on.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 120 { format!("{:.1}s", duration.as_secs_f64()) } else { format!("{}m {:02}s", whole / 60, whole % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_two_minutes_are_reached_then_minutes_are_shown() {
        assert_eq!(seconds(Duration::from_millis(3_210)), "3.2s");
        assert_eq!(seconds(Duration::from_millis(119_900)), "119.9s");
        assert_eq!(seconds(Duration::from_secs(247)), "4m 07s");
    }
}
