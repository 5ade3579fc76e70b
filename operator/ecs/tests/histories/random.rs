//! What a history draws from its seed.

#[path = "../random/mod.rs"]
mod generator;

use ecs::rolling::Percentages;

pub(crate) use generator::Random;

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self::from_state(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number_below(u64::try_from(bound).unwrap())).unwrap()
    }

    pub(crate) fn below_i64(&mut self, bound: i64) -> i64 {
        i64::try_from(self.below(usize::try_from(bound).unwrap())).unwrap()
    }

    /// Whether something happens that does in so many of 100 cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Percentages that a service may have.
pub(crate) fn percentages(random: &mut Random) -> Percentages {
    loop {
        let minimum_healthy = *random.pick(&[0, 25, 50, 67, 75, 90, 100, 100]);
        let maximum = *random.pick(&[100, 100, 110, 125, 150, 200, 200, 300]);
        if (minimum_healthy, maximum) != (100, 100) {
            return Percentages { minimum_healthy, maximum };
        }
    }
}
