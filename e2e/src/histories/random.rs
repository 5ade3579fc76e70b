//! What a history draws from its seed.

#[path = "../../../operator/ecs/tests/random/mod.rs"]
mod generator;

pub(super) use generator::Random;

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self::from_state(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1))
    }

    /// 0 to `bound - 1`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.number_below(bound)
    }

    /// Whether something happens that does in so many of 100 cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of some; `otherwise` when there are none.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        let index = self.below(u64::try_from(from.len()).unwrap_or(1));
        usize::try_from(index).ok().and_then(|index| from.get(index)).copied().unwrap_or(otherwise)
    }
}
