//! Asking for more.

use super::{Part, Wishes, Work};

/// What raising came to.
pub(super) struct Raised {
    /// Something was left out for want of room.
    pub(super) is_limited: bool,
    /// PRIMARY tasks among that.
    pub(super) primary_lack: i64,
    /// PRIMARY tasks that fail were given up to make the room.
    pub(super) is_yielded: bool,
}

impl Work<'_> {
    /// Raises parts to their wishes as far as there is room.
    ///
    /// Sources that follow the desired count go first: they have what is known to work. Then PRIMARY tasks, then replacements
    /// within sources. While PRIMARY tasks fail it is the other way round, and they make way.
    pub(super) fn raise(&mut self, wishes: &Wishes) -> Raised {
        let parts = self.service.parts;
        let occupied: i64 = parts.iter().map(|part| part.asked.max(part.tasks.existing)).sum();
        let mut room = (self.maximum - occupied).max(0);
        let of = |is_primary: bool| -> Vec<i64> {
            let missing = |(part, wish): (&Part, &i64)| {
                if part.is_primary == is_primary { (wish - part.asked).max(0) } else { 0 }
            };
            parts.iter().zip(&wishes.counts).map(missing).collect()
        };
        let (sources, primary) = (of(false), of(true));
        let is_failing = parts.iter().any(|part| part.is_primary && part.tasks.failing > 0);
        let rounds = if is_failing {
            [&sources, &wishes.replacements, &primary]
        } else {
            [&sources, &primary, &wishes.replacements]
        };
        for missing in rounds {
            // A part that has tasks which it was not asked for (they are about to go) fills up to those without new room.
            for ((count, more), part) in self.counts.iter_mut().zip(shares(missing, room)).zip(parts) {
                let before = (*count).max(part.tasks.existing);
                *count += more;
                room -= ((*count).max(part.tasks.existing) - before).clamp(0, more);
            }
        }
        let all = wishes.all();
        let lacks = |is_primary: bool| -> i64 {
            let lack = |((part, wish), count): ((&Part, &i64), &i64)| {
                if part.is_primary == is_primary { (wish - count).max(0) } else { 0 }
            };
            parts.iter().zip(&all).zip(&self.counts).map(lack).sum()
        };
        let (source_lack, primary_lack) = (lacks(false), lacks(true));
        let is_limited = source_lack + primary_lack > 0;
        Raised { is_limited, primary_lack, is_yielded: self.yield_to_sources(source_lack) }
    }

    /// Gives up PRIMARY tasks that fail for as many tasks as sources lack. With 4 old tasks, one of them unhealthy, 4 new ones
    /// that cannot start and 8 at most, one of the new ones goes, and comes back when the old one is replaced.
    fn yield_to_sources(&mut self, lack: i64) -> bool {
        let parts = || self.service.parts.iter().filter(|part| part.is_primary);
        let on_its_way: i64 = parts().map(|part| (part.tasks.existing - part.asked).max(0)).sum();
        let mut is_yielded = lack > 0 && on_its_way > 0;
        let mut lack = lack - on_its_way;
        for (part, count) in self.service.parts.iter().zip(self.counts.iter_mut()).filter(|(part, _)| part.is_primary) {
            let idle = *count - part.healthy_at(*count) - part.protected_idle();
            let fewer = part.tasks.failing.min(idle).min(lack).max(0);
            *count -= fewer;
            lack -= fewer;
            is_yielded |= fewer > 0;
        }
        is_yielded
    }
}

/// Divides `room` so that what is missing is as even as the numbers allow: of 3 for parts that miss 4 and 2, they get 2
/// and 1. Ties go to the first.
pub(super) fn shares(missing: &[i64], room: i64) -> Vec<i64> {
    let total: i64 = missing.iter().sum();
    if room >= total {
        return missing.to_vec();
    }
    let mut left = room;
    let mut shares: Vec<i64> = missing
        .iter()
        .map(|part| {
            let share = super::proportion(*part, room, total, 0);
            left -= share;
            share
        })
        .collect();
    for (share, part) in shares.iter_mut().zip(missing) {
        if left > 0 && *share < *part {
            *share += 1;
            left -= 1;
        }
    }
    shares
}

impl Part {
    /// Protected tasks that do not count as healthy.
    pub(super) fn protected_idle(&self) -> i64 {
        self.tasks.protected - self.tasks.protected_healthy
    }

    /// Healthy tasks that are sure to be left if the part is asked for `count`. Protected tasks stay, healthy or not: of 3
    /// tasks, 2 of them healthy and the third protected, 1 healthy one is left when 2 are asked for. Those that it was not
    /// asked for before may be gone by the time that it is asked for more.
    pub(super) fn healthy_at(&self, count: i64) -> i64 {
        self.tasks.healthy.min((count.min(self.asked) - self.protected_idle()).max(0))
    }
}
