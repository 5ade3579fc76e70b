//! What a simulation draws from its seed.

#[path = "../../../ecs/tests/random/mod.rs"]
mod generator;

use std::time::Duration;

pub(crate) use generator::Random;

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self::from_state(seed)
    }

    /// True in so many cases of a thousand.
    pub(crate) fn happens(&mut self, permille: u64) -> bool {
        self.number_below(1000) < permille
    }

    pub(crate) fn up_to(&mut self, longest: Duration) -> Duration {
        Duration::from_millis(self.number_below(u64::try_from(longest.as_millis()).unwrap()))
    }
}
