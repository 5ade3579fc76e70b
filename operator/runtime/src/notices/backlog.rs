//! Notices that wait to be written: in order for each object, the objects in turn, bounded for each and in total.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use plan::Notice;
use tokio::time::Instant;

use super::waiting::{Regarding, Waiting};

/// Notices of one object that wait at most; one more takes the place of the oldest. A reconcile makes a handful.
pub(super) const MOST_OF_AN_OBJECT: usize = 64;
/// Notices of all objects that wait at most, about 8 MB of them: three of each of 5,000 services that start together.
pub(super) const MOST: usize = 16_384;

/// What became of a notice that was to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It waits.
    Waits,
    /// The same one waits already and counts once more.
    Merged,
    /// It waits, and one that waited longer is dropped for it.
    Displaces,
}

/// The waiting notices of one object. The object has its turn, is asleep after a failure, or has a notice being
/// written: never two of these.
#[derive(Debug, Default)]
struct Object {
    queue: VecDeque<Waiting>,
    failures: u32,
}

/// All that waits. Pure apart from the times it is given.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    objects: BTreeMap<Regarding, Object>,
    turn: VecDeque<Regarding>,
    asleep: BTreeSet<(Instant, Regarding)>,
    waiting: usize,
}

impl Backlog {
    /// So many notices wait.
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    /// When the first object wakes up that is asleep.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.asleep.first().map(|(at, _)| *at)
    }

    /// Puts a notice behind the others of its object.
    pub(super) fn push(&mut self, regarding: Regarding, notice: Notice, time: Timestamp, now: Instant) -> Pushed {
        let queue = self.objects.get_mut(&regarding).map(|object| &mut object.queue);
        // What is being tried has its body already.
        let same = queue.and_then(|queue| queue.iter_mut().find(|one| one.write.is_none() && one.notice == notice));
        if let Some(same) = same {
            same.count = same.count.saturating_add(1);
            same.last = time;
            return Pushed::Merged;
        }
        let is_full = self.objects.get(&regarding).is_some_and(|object| object.queue.len() >= MOST_OF_AN_OBJECT);
        let loser = if is_full {
            Some(regarding.clone())
        } else if self.waiting >= MOST {
            // The object with the most notices loses one first.
            let longest = self.objects.iter().max_by_key(|(_, object)| object.queue.len());
            longest.map(|(regarding, _)| regarding.clone())
        } else {
            None
        };
        let displaced = loser.and_then(|other| self.objects.get_mut(&other)?.queue.pop_front());
        self.waiting -= usize::from(displaced.is_some());
        let object = self.objects.entry(regarding.clone()).or_insert_with(|| {
            self.turn.push_back(regarding);
            Object::default()
        });
        object.queue.push_back(Waiting::new(notice, time, now));
        self.waiting += 1;
        if displaced.is_some() { Pushed::Displaces } else { Pushed::Waits }
    }

    /// The next notice to write. Its object has no turn until [`Self::written`] or [`Self::failed`].
    pub(super) fn take(&mut self, now: Instant) -> Option<(Regarding, Waiting)> {
        while self.asleep.first().is_some_and(|(at, _)| *at <= now) {
            self.turn.extend(self.asleep.pop_first().map(|(_, regarding)| regarding));
        }
        while let Some(regarding) = self.turn.pop_front() {
            if let Some(waiting) = self.objects.get_mut(&regarding).and_then(|object| object.queue.pop_front()) {
                self.waiting -= 1;
                return Some((regarding, waiting));
            }
            // All it had to say was dropped for others.
            self.objects.remove(&regarding);
        }
        None
    }

    /// There is nothing more to do about the notice that was taken.
    pub(super) fn written(&mut self, regarding: Regarding) {
        let Some(object) = self.objects.get_mut(&regarding) else { return };
        object.failures = 0;
        if object.queue.is_empty() {
            self.objects.remove(&regarding);
        } else {
            self.turn.push_back(regarding);
        }
    }

    /// The notice that was taken is to be tried again, before the others of its object: after what `delay` says for so
    /// many failures in a row.
    pub(super) fn failed(&mut self, regarding: Regarding, waiting: Waiting, delay: impl Fn(u32) -> Instant) {
        let object = self.objects.entry(regarding.clone()).or_default();
        object.queue.push_front(waiting);
        object.failures = object.failures.saturating_add(1);
        self.waiting += 1;
        self.asleep.insert((delay(object.failures), regarding));
    }

    /// Wakes everybody: there is no later.
    pub(super) fn hurry(&mut self) {
        self.turn.extend(std::mem::take(&mut self.asleep).into_iter().map(|(_, regarding)| regarding));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{notice, regarding, time};
    use super::*;

    fn push(backlog: &mut Backlog, object: &str, message: &str) -> Pushed {
        backlog.push(regarding(object), notice(message), time(), Instant::now())
    }

    fn take(backlog: &mut Backlog) -> Option<(String, String)> {
        let (regarding, waiting) = backlog.take(Instant::now())?;
        Some((regarding.key.name, waiting.notice.message))
    }

    fn said(object: &str, message: &str) -> (String, String) {
        (object.to_owned(), message.to_owned())
    }

    #[test]
    fn when_objects_say_much_then_each_has_its_turn_and_keeps_its_order() {
        let mut backlog = Backlog::default();
        for (object, message) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1")] {
            assert_eq!(push(&mut backlog, object, message), Pushed::Waits);
        }
        assert_eq!(take(&mut backlog), Some(said("a", "1")));
        assert_eq!(take(&mut backlog), Some(said("b", "1")));
        // The second of `a` is not written beside the first.
        assert_eq!(take(&mut backlog), None);
        backlog.written(regarding("a"));
        assert_eq!(take(&mut backlog), Some(said("a", "2")));
        assert_eq!(backlog.len(), 1);
    }

    #[test]
    fn when_a_notice_waits_and_comes_again_then_it_counts_and_does_not_wait_twice() {
        let mut backlog = Backlog::default();
        assert_eq!(push(&mut backlog, "a", "1"), Pushed::Waits);
        assert_eq!(push(&mut backlog, "b", "1"), Pushed::Waits);
        assert_eq!(push(&mut backlog, "a", "1"), Pushed::Merged);
        assert_eq!(backlog.len(), 2);
        assert_eq!(backlog.take(Instant::now()).unwrap().1.count, 2);
        // While it is being written, another one is news.
        assert_eq!(push(&mut backlog, "a", "1"), Pushed::Waits);
    }

    #[test]
    fn when_an_object_says_more_than_may_wait_then_its_oldest_goes_and_nobody_elses() {
        let mut backlog = Backlog::default();
        push(&mut backlog, "other", "x");
        for number in 0..MOST_OF_AN_OBJECT {
            assert_eq!(push(&mut backlog, "loud", &number.to_string()), Pushed::Waits);
        }
        assert_eq!(push(&mut backlog, "loud", "last"), Pushed::Displaces);
        assert_eq!(backlog.len(), MOST_OF_AN_OBJECT + 1);
        assert_eq!(take(&mut backlog), Some(said("other", "x")));
        assert_eq!(take(&mut backlog), Some(said("loud", "1")));
    }

    #[test]
    fn when_everything_together_is_too_much_then_it_stays_bounded_and_who_said_little_loses_nothing() {
        let mut backlog = Backlog::default();
        push(&mut backlog, "quiet", "x");
        let mut dropped = 0;
        for number in 0..2 * MOST {
            let loud = format!("loud-{:03}", number % 400);
            dropped += usize::from(push(&mut backlog, &loud, &number.to_string()) == Pushed::Displaces);
            assert!(backlog.len() <= MOST);
        }
        assert_eq!(dropped + backlog.len(), 2 * MOST + 1);
        assert_eq!(take(&mut backlog), Some(said("quiet", "x")));
        // Each of an object, so that all of them can be dropped for others: none is left behind.
        let mut backlog = Backlog::default();
        for number in 0..=MOST {
            push(&mut backlog, &format!("object-{number}"), "x");
        }
        let mut taken = 0;
        while let Some((regarding, _)) = backlog.take(Instant::now()) {
            backlog.written(regarding);
            taken += 1;
        }
        assert_eq!((taken, backlog.len(), backlog.objects.len()), (MOST, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_write_failed_then_its_object_waits_and_others_go_on() {
        let mut backlog = Backlog::default();
        push(&mut backlog, "a", "1");
        push(&mut backlog, "a", "2");
        push(&mut backlog, "b", "1");
        let (object, first) = backlog.take(Instant::now()).unwrap();
        let later = Instant::now() + Duration::from_secs(1);
        backlog.failed(object, first, |failures| {
            assert_eq!(failures, 1);
            later
        });
        assert_eq!((take(&mut backlog), take(&mut backlog)), (Some(said("b", "1")), None));
        assert_eq!((backlog.wake(), backlog.len()), (Some(later), 2));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(take(&mut backlog), Some(said("a", "1")));
        backlog.written(regarding("a"));
        let (object, second) = backlog.take(Instant::now()).unwrap();
        backlog.failed(object, second, |failures| {
            assert_eq!(failures, 1, "a write that succeeds ends the series of failures");
            later + Duration::from_mins(1)
        });
        assert_eq!(take(&mut backlog), None);
        backlog.hurry();
        assert_eq!(take(&mut backlog), Some(said("a", "2")));
    }
}
