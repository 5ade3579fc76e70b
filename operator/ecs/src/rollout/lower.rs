//! Giving up tasks.

use super::{Part, Tasks, Work};

impl Work<'_> {
    /// Healthy tasks that are sure to be left.
    fn healthy(&self) -> i64 {
        self.service.parts.iter().zip(&self.counts).map(|(part, count)| part.healthy_at(*count)).sum()
    }

    /// Whether one more task may be started.
    pub(super) fn has_room(&self) -> bool {
        let parts = self.service.parts.iter().zip(&self.counts);
        parts.map(|(part, count)| (*count).max(part.tasks.existing)).sum::<i64>() < self.maximum
    }

    /// Lowers parts to their wishes: the count went down, the strategy moved tasks elsewhere, or replacements are healthy.
    pub(super) fn lower_to(&mut self, wishes: &[i64]) {
        let mut spare = (self.healthy() - self.bounds.minimum_healthy).max(0);
        for ((part, count), wish) in self.service.parts.iter().zip(self.counts.iter_mut()).zip(wishes) {
            if wish >= count {
                continue;
            }
            let loss = part.healthy_at(*count) - part.healthy_at(*wish);
            let kept = (loss - spare).max(0);
            spare -= loss - kept;
            *count = if kept > 0 { part.healthy_at(*wish) + kept + part.protected_idle() } else { *wish };
        }
    }

    /// How many tasks are kept healthy while older ones are replaced.
    ///
    /// Where the maximum leaves room, tasks are started before others are stopped: sources are kept until as many as desired
    /// are healthy. Where it leaves none, where no node has room for the new ones, and where the deployment counts as
    /// successful already, sources are kept as far as the minimum needs them.
    pub(super) fn kept(&self) -> i64 {
        let service = self.service;
        let has_no_place = service.parts.iter().any(|part| part.is_primary && part.tasks.unplaced > 0);
        let is_start_first = self.maximum > service.desired && !has_no_place && !service.is_early_success;
        if is_start_first { service.desired } else { self.bounds.minimum_healthy }
    }

    /// Lowers sources to make way for PRIMARY tasks, of which so many lack room.
    pub(super) fn replace_sources(&mut self, lack: i64) {
        let service = self.service;
        let keep = self.kept();
        let parts = || service.parts.iter().zip(&self.counts);
        let replaced: i64 =
            parts().filter(|(part, _)| part.is_primary).map(|(part, count)| part.healthy_at(*count)).sum();
        let sources: i64 =
            parts().filter(|(part, _)| !part.is_primary).map(|(part, count)| count - part.paired(*count)).sum();
        let mut surplus = (sources + replaced - keep).max(0);
        let mut spare = (self.healthy() - keep).max(0);
        // Where nothing of the sources works and no PRIMARY task could be started yet, they need not wait for room that only they
        // can give.
        let is_begun = parts().any(|(part, count)| part.is_primary && *count > 0);
        if !is_begun && service.sources().all(|part| part.tasks.good() == 0) {
            let idle = |tasks: Tasks| tasks.failing + tasks.leaving - tasks.leaving_healthy;
            surplus = surplus.max(service.sources().map(|part| idle(part.tasks)).sum::<i64>().min(lack));
        }
        for is_loss in [false, true] {
            for (part, count) in service.parts.iter().zip(self.counts.iter_mut()).filter(|(part, _)| !part.is_primary) {
                let idle = *count - part.healthy_at(*count) - part.protected_idle();
                let most = if is_loss { part.healthy_at(*count).min(spare) } else { idle.max(0) };
                let fewer = most.min(surplus).min((*count - part.tasks.protected).max(0));
                *count -= fewer;
                surplus -= fewer;
                if is_loss {
                    spare -= fewer;
                }
            }
        }
    }

    /// Gives up tasks beyond the maximum, which there are when the desired count or the maximum went down during a rollout:
    /// with 6 old tasks, 3 new ones starting and now 2 desired at 150 %, the strategy leaves 2 and 2, and at most 3 may be.
    /// PRIMARY tasks that are not healthy go first, then sources as far as the minimum does not need them. Where the bounds
    /// leave no room, the surplus stays: it is all that can still bring the deployment on.
    pub(super) fn keep_maximum(&mut self) {
        if self.bounds.is_stuck(self.service.desired) {
            return;
        }
        let mut excess = (self.counts.iter().sum::<i64>() - self.maximum).max(0);
        let mut spare = (self.healthy() - self.bounds.minimum_healthy).max(0);
        for (is_primary, is_loss) in [(true, false), (false, false), (false, true)] {
            let parts = self.service.parts.iter().zip(self.counts.iter_mut());
            for (part, count) in parts.filter(|(part, _)| part.is_primary == is_primary) {
                let healthy = part.healthy_at(*count);
                let most = if is_loss { healthy.min(spare) } else { (*count - healthy - part.protected_idle()).max(0) };
                let fewer = most.min(excess).min((*count - part.tasks.protected).max(0));
                *count -= fewer;
                excess -= fewer;
                if is_loss {
                    spare -= fewer;
                }
            }
        }
    }

    /// A part is never lowered below its protected tasks.
    pub(super) fn protect(&mut self) {
        for (part, count) in self.service.parts.iter().zip(self.counts.iter_mut()) {
            *count = (*count).max(floor(part));
        }
    }
}

/// What a part keeps in any case: its protected tasks, as far as it was asked for that many.
fn floor(part: &Part) -> i64 {
    part.tasks.protected.min(part.asked)
}
