//! Numbers that are the same for the same seed.

use std::time::Duration;

/// SplitMix64: small, and good enough to choose faults with.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True in so many cases of a thousand.
    pub(crate) fn happens(&mut self, permille: u64) -> bool {
        self.number() % 1000 < permille
    }

    pub(crate) fn up_to(&mut self, longest: Duration) -> Duration {
        let width = u64::try_from(longest.as_millis()).unwrap().max(1);
        Duration::from_millis(self.number() % width)
    }
}
