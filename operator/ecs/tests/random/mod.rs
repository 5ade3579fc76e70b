//! Chance that can be repeated: the one generator of every test that draws from a seed.
//!
//! It is written out because a seed that once found a fault has to draw the same numbers after every update. The crates
//! that use it include this file; what each draws with it (percentages, delays, a choice) is beside its tests.

/// SplitMix64: small, and good enough to choose with.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn from_state(state: u64) -> Self {
        Self(state)
    }

    /// 0 to `bound - 1`; 0 when the bound is 0.
    pub(crate) fn number_below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}
