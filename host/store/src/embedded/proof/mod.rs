//! The proofs of the embedded store: a crash at every effect, a disk that
//! refuses at every effect, one byte of sled's changed, and faults planted to see that all this would see
//! them. The short forms run in every test run; `RINGBACK_PROOF=long` runs all.

mod crash_points;
mod disk_full;
mod flipped;
mod image;
mod model;
mod planted;
mod recorder;
mod scenarios;
mod stage;
mod verdict;

/// Whether the long forms were asked for.
fn long() -> bool {
    std::env::var("RINGBACK_PROOF").is_ok_and(|form| form == "long")
}

/// A small generator; the seed stands in the message of a failure.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn heads(&mut self) -> bool {
        self.roll(2) == 0
    }
}
