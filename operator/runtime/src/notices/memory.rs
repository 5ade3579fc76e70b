//! Which notices were written lately: the same one again only raises a count, and an object cannot write without end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use plan::{Notice, NoticeKind};
use tokio::time::Instant;

use super::event;
use super::waiting::{Regarding, Waiting, Write};

/// The same notice within this time is a repetition.
pub(super) const SERIES: Duration = Duration::from_mins(10);
/// New Events of one reason about one object within [`SERIES`]. By reason, so that a hundred tasks that fail do not use
/// up what tells that their deployment did.
pub(super) const ALLOWANCE: usize = 50;
/// What is too old to matter is thrown away so often.
const SWEEP: Duration = Duration::from_mins(1);
/// Series that are remembered at most.
pub(super) const REMEMBERED: usize = 4096;

#[derive(Debug)]
struct Series {
    event: String,
    count: u32,
    last: Instant,
}

type SeriesKey = (Regarding, NoticeKind, String, String);

fn series_key(regarding: &Regarding, notice: &Notice) -> SeriesKey {
    (regarding.clone(), notice.kind, notice.reason.clone(), notice.message.clone())
}

/// Pure apart from the time it is given.
#[derive(Debug, Default)]
pub(super) struct Memory {
    series: BTreeMap<SeriesKey, Series>,
    recent: BTreeMap<(Regarding, String), VecDeque<Instant>>,
    swept: Option<Instant>,
    made: u64,
}

impl Memory {
    /// What to write about a notice; `None` when the allowance is used up.
    pub(super) fn decide(&mut self, regarding: &Regarding, waiting: &Waiting, now: Instant) -> Option<Write> {
        if self.series.len() >= REMEMBERED || self.swept.is_none_or(|swept| now >= swept + SWEEP) {
            self.forget(now);
        }
        let notice = &waiting.notice;
        let key = series_key(regarding, notice);
        if let Some(series) = self.series.get_mut(&key).filter(|series| is_recent(series.last, now)) {
            series.count = series.count.saturating_add(waiting.count);
            series.last = now;
            return Some(Write::Repeat(series.event.clone(), series.count));
        }
        let recent = self.recent.entry((regarding.clone(), notice.reason.clone())).or_default();
        recent.retain(|time| is_recent(*time, now));
        if recent.len() >= ALLOWANCE {
            return None;
        }
        recent.push_back(now);
        self.made += 1;
        let event = event::name(&regarding.key.name, waiting.first, self.made);
        self.series.insert(key, Series { event: event.clone(), count: waiting.count, last: now });
        Some(Write::New(event))
    }

    /// The Event that a notice repeats is not there any more: the next one is new.
    pub(super) fn lost(&mut self, regarding: &Regarding, notice: &Notice) {
        self.series.remove(&series_key(regarding, notice));
    }

    fn forget(&mut self, now: Instant) {
        self.swept = Some(now);
        self.series.retain(|_, series| is_recent(series.last, now));
        self.recent.retain(|_, times| times.back().is_some_and(|time| is_recent(*time, now)));
        if self.series.len() >= REMEMBERED {
            // The older half goes early: what is repeated of it becomes a new Event.
            let mut times: Vec<Instant> = self.series.values().map(|series| series.last).collect();
            times.sort_unstable();
            let middle = times.get(times.len() / 2).copied();
            self.series.retain(|_, series| Some(series.last) > middle);
        }
    }
}

fn is_recent(time: Instant, now: Instant) -> bool {
    now.saturating_duration_since(time) < SERIES
}

#[cfg(test)]
mod tests {
    use super::super::tests::{notice, regarding, time};
    use super::*;

    fn decide(memory: &mut Memory, object: &str, notice: Notice) -> Option<Write> {
        let now = Instant::now();
        memory.decide(&regarding(object), &Waiting::new(notice, time(), now), now)
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_notice_is_repeated_then_one_event_counts_and_after_ten_minutes_it_is_new() {
        let mut memory = Memory::default();
        let Some(Write::New(first)) = decide(&mut memory, "web", notice("x")) else { panic!("the first is new") };
        assert_eq!(decide(&mut memory, "web", notice("x")), Some(Write::Repeat(first.clone(), 2)));
        assert!(matches!(decide(&mut memory, "web", notice("y")), Some(Write::New(_))));
        tokio::time::advance(SERIES).await;
        let again = decide(&mut memory, "web", notice("x"));
        assert!(matches!(&again, Some(Write::New(name)) if *name != first), "{again:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_notice_waited_several_times_then_its_series_counts_all_of_them() {
        let mut memory = Memory::default();
        let now = Instant::now();
        let twice = Waiting { count: 2, ..Waiting::new(notice("x"), time(), now) };
        assert!(matches!(memory.decide(&regarding("web"), &twice, now), Some(Write::New(_))));
        assert!(matches!(memory.decide(&regarding("web"), &twice, now), Some(Write::Repeat(_, 4))));
        memory.lost(&regarding("web"), &twice.notice);
        assert!(matches!(memory.decide(&regarding("web"), &twice, now), Some(Write::New(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn when_every_notice_is_different_then_a_reason_of_an_object_runs_out_of_allowance_and_others_do_not() {
        let mut memory = Memory::default();
        let written = (0..1000).filter(|number| decide(&mut memory, "web", notice(&number.to_string())).is_some());
        assert_eq!(written.count(), ALLOWANCE);
        let failed = Notice { reason: "SERVICE_DEPLOYMENT_FAILED".to_owned(), ..notice("x") };
        assert!(decide(&mut memory, "web", failed).is_some());
        assert!(decide(&mut memory, "other", notice("x")).is_some());
        tokio::time::advance(SERIES).await;
        assert!(decide(&mut memory, "web", notice("z")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn when_there_are_very_many_series_then_the_older_ones_are_forgotten() {
        let mut memory = Memory::default();
        for number in 0..2 * REMEMBERED {
            decide(&mut memory, &number.to_string(), notice("x"));
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(memory.series.len() <= REMEMBERED);
        }
        let last = (2 * REMEMBERED - 1).to_string();
        assert!(matches!(decide(&mut memory, &last, notice("x")), Some(Write::Repeat(_, 2))));
    }
}
