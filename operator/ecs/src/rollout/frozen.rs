//! A deployment that failed or was stopped and that nothing undoes: it launches nothing more.

use super::{Part, Wishes, Work, proportion, with_replacements};

impl Work<'_> {
    pub(super) fn frozen_wishes(&self, has_sources: bool) -> Wishes {
        let parts = self.service.parts;
        let mut counts: Vec<i64> = parts.iter().map(|part| part.asked).collect();
        let is_covered = self.good() >= self.service.desired;
        for (part, count) in parts.iter().zip(&mut counts).filter(|(part, _)| part.is_primary) {
            *count = if has_sources { remaining(part, is_covered) } else { kept(part) };
        }
        let primary: i64 = parts.iter().zip(&counts).filter(|(part, _)| part.is_primary).map(|(_, count)| count).sum();
        let draining = parts.iter().filter(|part| part.is_primary && has_sources && !is_covered);
        let going: i64 = draining.map(|part| part.tasks.leaving_healthy).sum();
        let left = (self.service.desired - primary).max(0);
        if self.is_desired_new() {
            self.divide(left, &mut counts);
        }
        // What the PRIMARY deployment lost, and what leaves it, the sources have to make up for.
        let useful = |(part, count): (&Part, &i64)| part.useful() + count - part.asked;
        let sources: i64 = parts.iter().zip(&counts).filter(|(part, _)| !part.is_primary).map(useful).sum();
        let missing = (left + going - sources).max(0);
        // The newest source that works stands for the revision to return to.
        let last = parts.iter().rposition(|part| !part.is_primary && part.tasks.good() > 0);
        let replacements = (0..parts.len()).map(|index| if Some(index) == last { missing } else { 0 }).collect();
        Wishes { counts, replacements }
    }

    /// Healthy tasks that stay.
    fn good(&self) -> i64 {
        self.service.parts.iter().map(|part| part.tasks.good()).sum()
    }

    /// Whether the desired count changed since a part was last asked for tasks.
    fn is_desired_new(&self) -> bool {
        let desired = self.service.desired;
        self.service.parts.iter().any(|part| part.asked_for.is_some_and(|before| before != desired))
    }

    /// Sources follow the desired count alone, since the PRIMARY deployment starts nothing: with 4 PRIMARY tasks alive and 10
    /// desired they are 6 together, in the proportion they have.
    fn divide(&self, mut left: i64, counts: &mut [i64]) {
        let mut total: i64 = self.service.sources().map(|part| part.asked).sum();
        for (part, count) in self.service.parts.iter().zip(counts).filter(|(part, _)| !part.is_primary) {
            *count = if total > 0 { proportion(part.asked, left, total, 0) } else { 0 };
            left -= *count;
            total -= part.asked;
        }
    }
}

/// PRIMARY tasks beside those of an earlier revision that works: what fails or is gone is not started again, and tasks on
/// draining instances go as soon as as many as desired are healthy without them.
fn remaining(part: &Part, is_covered: bool) -> i64 {
    let alive = part.asked.min(part.tasks.existing - part.tasks.failing).max(0);
    if is_covered { (alive - part.tasks.leaving_healthy).max(0) } else { alive }
}

/// PRIMARY tasks where there is nothing else. What fails is not started again; a task that worked is replaced when it is lost,
/// and where the deployment had reached its goal, also when its instance is drained: else the service would fade away.
fn kept(part: &Part) -> i64 {
    let left = (part.asked - part.tasks.failing).max(0);
    if left < part.goal { left } else { with_replacements(part, part.goal) }
}
