//! Asking for more.

use super::{Part, Work};

impl Work<'_> {
    /// Raises parts to their wishes as far as there is room. Sources go first: they have what is known to work. Answers
    /// whether something was left out.
    pub(super) fn raise(&mut self, wishes: &[i64]) -> bool {
        let parts = self.service.parts;
        let occupied: i64 = parts.iter().map(|part| part.asked.max(part.tasks.existing)).sum();
        let mut room = (self.maximum - occupied).max(0);
        for is_primary in [false, true] {
            let missing: Vec<i64> = parts
                .iter()
                .zip(wishes)
                .map(|(part, wish)| if part.is_primary == is_primary { (wish - part.asked).max(0) } else { 0 })
                .collect();
            // A part that has tasks which it was not asked for (they are about to go) fills up to those without new room.
            for ((count, more), part) in self.counts.iter_mut().zip(shares(&missing, room)).zip(parts) {
                *count += more;
                room -= (*count - part.asked.max(part.tasks.existing)).clamp(0, more);
            }
        }
        parts.iter().zip(wishes).zip(&self.counts).any(|((_, wish), count)| wish > count)
    }
}

/// Divides `room` so that what is missing is as even as the numbers allow: of 3 for parts that miss 4 and 2, they get 2
/// and 1. Ties go to the first.
fn shares(missing: &[i64], room: i64) -> Vec<i64> {
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
