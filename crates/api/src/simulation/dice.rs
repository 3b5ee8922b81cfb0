//! Chance that can be repeated.

/// Throws numbers that follow from a seed: `SplitMix64`, which is chance enough for a simulation.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// A number from 0 to below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
    /// A number of days from 0 to below `bound`.
    pub(super) fn days(&mut self, bound: u32) -> i32 {
        i32::try_from(self.below(bound.into())).unwrap_or(0)
    }
}
