//! The simulator's only source of chance: everything follows from one number.

/// A splitmix64 generator (Steele, Lea and Flood, 2014): small, and the same on
/// every machine.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
    drawn: u32,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            drawn: 0,
        }
    }

    /// The stream of one happening and all that follows from it. Each has its
    /// own, so that a happening that is left out changes nothing in the others.
    pub(super) fn stream(seed: u64, number: u32) -> Self {
        let mut mixed = Self::new(seed ^ (u64::from(number) << 32));
        Self::new(mixed.next())
    }

    /// How many numbers were drawn: the place of the next one in its stream.
    pub(super) fn drawn(&self) -> u32 {
        self.drawn
    }

    pub(super) fn next(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when there is none.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// A number from `from` to just below `to`.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from))
    }

    /// True this often in a thousand.
    pub(super) fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < u64::from(per_mille)
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from.get(at)
    }

    pub(super) fn wide(&mut self) -> u128 {
        (u128::from(self.next()) << 64) | u128::from(self.next())
    }
}
