//! Merging runs: when there are many of a level, they become one of the next, so
//! that a pair is written anew a few times in its life and a key is never looked
//! for in more than a few dozen runs. Small merges are done at once, large ones a
//! piece at a time.
//!
//! When what came since weighs as much as the oldest run, all become one: what was
//! overwritten or deleted takes no more room than what is there. A pair that says
//! that its key was deleted goes where nothing older is left that it could hide.

use std::sync::Arc;

use super::base::Base;
use super::cursor::Cursors;
use super::filter::hashed;
use super::plant::Plant;
use super::run::{Run, Writer};
use super::runs::Set;
use super::shared::lock;
use crate::{Direction, Error};

/// Runs that are to become one, the newest first: they lie side by side.
struct Due {
    inputs: Vec<Arc<Run>>,
    /// Of what they become.
    level: u32,
    /// Nothing older is left beside them.
    is_all: bool,
    pairs: u64,
}

/// A merge that is under way.
pub(super) struct Merging {
    inputs: Vec<Arc<Run>>,
    is_all: bool,
    cursors: Cursors,
    writer: Writer,
}

/// The next merge that is due and of at most so many pairs, among runs that no other
/// merge has.
fn due(set: &Set, fan_in: usize, busy: &[Arc<Run>], most: u64) -> Option<Due> {
    let is_idle = |run: &Arc<Run>| !busy.iter().any(|one| one.about.number == run.about.number);
    let pairs = |runs: &[Arc<Run>]| runs.iter().map(|run| run.about.pairs).sum::<u64>();
    let (oldest, newer) = set.runs.split_last()?;
    let is_heavy = pairs(newer) >= oldest.about.pairs;
    let mut levels: Vec<u32> = set.runs.iter().map(|run| run.about.level).collect();
    levels.sort_unstable();
    levels.dedup();
    for level in levels {
        let of_level = |run: &&Arc<Run>| run.about.level == level && is_idle(run);
        let newer = set.runs.iter().take_while(|run| !of_level(run)).count();
        let older = set.runs.get(newer..)?;
        let count = older.iter().take_while(of_level).count();
        let all = (is_heavy && older.iter().all(is_idle)).then_some(older.len());
        let counts = all.into_iter().chain([count]);
        let inputs = counts.filter(|_| count >= fan_in);
        let mut inputs = inputs.filter_map(|count| older.get(..count));
        if let Some(inputs) = inputs.find(|inputs| pairs(inputs) <= most) {
            let highest = inputs.iter().map(|run| run.about.level).max()?;
            return Some(Due {
                level: highest.max(level + 1),
                is_all: inputs.len() == older.len(),
                pairs: pairs(inputs),
                inputs: inputs.to_vec(),
            });
        }
    }
    None
}

impl Base {
    /// Merges what is due and small: of at most so many pairs.
    pub(super) fn merge_small(&self, most: u64) -> Result<(), Error> {
        loop {
            let busy = lock(&self.runs.merging)
                .as_ref()
                .map(|one| one.inputs.clone());
            let busy = busy.unwrap_or_default();
            let Some(due) = due(&self.runs.set(), self.runs.fan_in, &busy, most) else {
                return Ok(());
            };
            let mut merging = Merging::new(self, due)?;
            if let Err(error) = merging.go_on(self, u64::MAX) {
                merging.leave();
                return Err(error);
            }
            merging.finish(self)?;
        }
    }

    /// Goes on with a merge, or begins the next one that is due, for so many pairs.
    /// Whether there is more to do.
    pub(super) fn merge_some(&self, pairs: u64) -> Result<bool, Error> {
        let mut slot = lock(&self.runs.merging);
        let mut merging = match slot.take() {
            Some(merging) => merging,
            None => match due(&self.runs.set(), self.runs.fan_in, &[], u64::MAX) {
                Some(due) => Merging::new(self, due)?,
                None => return Ok(false),
            },
        };
        match merging.go_on(self, pairs) {
            Ok(true) => merging.finish(self)?,
            Ok(false) => *slot = Some(merging),
            Err(error) => {
                merging.leave();
                return Err(error);
            }
        }
        Ok(true)
    }

    /// Leaves a merge that is under way.
    pub(super) fn leave_merge(&self) {
        if let Some(merging) = lock(&self.runs.merging).take() {
            merging.leave();
        }
    }
}

impl Merging {
    fn new(base: &Base, due: Due) -> Result<Self, Error> {
        base.burn()?;
        let cursors = Cursors::new(due.inputs.iter(), &[], None, Direction::Forward);
        Ok(Self {
            cursors,
            writer: base.runs.writer(due.level, due.pairs)?,
            inputs: due.inputs,
            is_all: due.is_all,
        })
    }

    /// Merges so many pairs. Whether that was the last of them.
    fn go_on(&mut self, base: &Base, pairs: u64) -> Result<bool, Error> {
        let drops = self.is_all || base.disk.planted(Plant::ForgetTombstones);
        for _ in 0..pairs {
            let Some((block, number)) = self.cursors.next(&Run::block)? else {
                return Ok(true);
            };
            let Some((key, cell)) = block.pair(number) else {
                continue;
            };
            if !cell.is_empty() || !drops {
                self.writer.add(key, cell, hashed(key))?;
            }
        }
        Ok(false)
    }

    /// Gives up what it made so far.
    fn leave(self) {
        // It only takes room; the next start would remove it too.
        let _ = self.writer.abandon();
    }

    /// Puts what it made in the place of what it was made of.
    fn finish(self, base: &Base) -> Result<(), Error> {
        let made = self.writer.finish()?;
        let runs = &base.runs;
        let is_input = |run: &Run| {
            let mut inputs = self.inputs.iter();
            inputs.any(|one| one.about.number == run.about.number)
        };
        let set = runs.set();
        let newer = set.runs.iter().take_while(|run| !is_input(run));
        let mut list: Vec<_> = newer.cloned().collect();
        list.extend(made.map(Arc::new));
        let rest = set.runs.iter().skip_while(|run| !is_input(run));
        list.extend(rest.filter(|run| !is_input(run)).cloned());
        let next = Set {
            runs: list,
            tally: set.tally,
        };
        let remove = || {
            let mut inputs = self.inputs.iter();
            inputs.try_for_each(|run| {
                base.burn()?;
                run.remove(&runs.disk)
            })
        };
        if runs.disk.planted(Plant::RemoveRunsFirst) {
            remove()?;
            base.burn()?;
            return runs.switch(next);
        }
        base.burn()?;
        runs.switch(next)?;
        remove()
    }
}

#[cfg(test)]
#[path = "tiers_tests.rs"]
mod tests;
