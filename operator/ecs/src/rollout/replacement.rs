//! Replacing tasks of older revisions while a deployment is in progress.
//!
//! ECS replaces an unhealthy task by one of its own revision, whatever the state of the new one is (since November 2025). A
//! source has no goal, so how many of its tasks are needed is reckoned from the whole service: as many as are to be kept, less
//! the PRIMARY tasks that are healthy. With 4 desired, 1 PRIMARY task healthy and 4 old ones of which 2 are unhealthy, 3 old
//! ones are needed and 2 are useful: 1 more is asked for.

use super::raise::shares;
use super::{Part, Work};

impl Work<'_> {
    /// Tasks that sources are to start beside those that they have, at most as many as are to be replaced.
    pub(super) fn source_replacements(&self) -> Vec<i64> {
        let parts = self.service.parts;
        let leaving: Vec<i64> =
            parts.iter().map(|part| if part.is_primary { 0 } else { part.leaving_and_asked_for() }).collect();
        let useful: i64 = parts.iter().map(Part::useful).sum();
        let replaced: i64 = parts.iter().filter(|part| part.is_primary).map(|part| part.healthy_at(part.asked)).sum();
        shares(&leaving, (self.kept() - replaced - useful).max(0))
    }
}

impl Part {
    /// Tasks of a source that are asked for and are not to be replaced. 0 for PRIMARY.
    pub(super) fn useful(&self) -> i64 {
        if self.is_primary { 0 } else { self.asked - self.leaving_and_asked_for() }
    }

    /// Tasks to be replaced that are still asked for. Of a part that is lowered they are the first to go.
    fn leaving_and_asked_for(&self) -> i64 {
        let lowered = (self.tasks.existing - self.asked).max(0);
        (self.tasks.leaving - lowered).clamp(0, self.asked)
    }

    /// Tasks to be replaced whose replacements are on their way, if the part is asked for `count`. They stay for so long:
    /// lowered, the part would lose the replacements, which are not ready either.
    pub(super) fn paired(&self, count: i64) -> i64 {
        let on_the_way = self.tasks.starting() - self.tasks.failing + (count - self.tasks.existing).max(0);
        self.leaving_and_asked_for().min(on_the_way.max(0))
    }
}
