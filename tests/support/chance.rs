//! Numbers that look like chance and can be had again.

use std::time::Duration;

/// A small generator (splitmix64): repeatable, not good.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// One of many from a seed.
    pub(crate) fn new(seed: u64, which: u64) -> Self {
        let mut chance = Self(seed ^ which.wrapping_mul(0xd134_2543_de82_ef95));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Another one, from this one's next number.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.next(), 0)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A time up to so many milliseconds.
    pub(crate) fn millis(&mut self, up_to: u64) -> Duration {
        Duration::from_micros(self.below(up_to * 1000))
    }
}

/// `RINGBACK_TEST_SEED`, or another one for every process.
pub(crate) fn seed() -> u64 {
    match std::env::var("RINGBACK_TEST_SEED") {
        Ok(text) => text.parse().expect("RINGBACK_TEST_SEED is a number"),
        Err(_) => u64::from(std::process::id()),
    }
}

/// The long form of the proofs: `RINGBACK_PROOF=long`.
pub(crate) fn long() -> bool {
    std::env::var("RINGBACK_PROOF").is_ok_and(|value| value == "long")
}
