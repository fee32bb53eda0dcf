//! The tables whose keys come in no order, as runs: each checkpoint writes its
//! pairs of them as a new run, and `tiers` makes few runs of many. A key is looked
//! for in the newest run first; filters say which ones need not be asked.
//!
//! Runs are files of our own beside sled's, and the file `runs` is the list of those
//! that count. It is replaced as a whole, and durably: so a run is either there or
//! not, whatever stops in the middle. What is written is written first, then the
//! list is switched to it, and what it replaces goes last. A file that is not in the
//! list is left over from a stop, and goes at the next start. The list also holds
//! the tally of the runs: it is right at every moment.
//!
//! Whoever reads holds on to the runs that there were when it began: they stay as
//! they are, also when their files are gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ringback_core::model::Key;

use super::base::Found;
use super::block::Block;
use super::bytes::{Reader, length};
use super::cache::Cache;
use super::cells::broken;
use super::cursor::{Cursors, Place};
use super::disk::Disk;
use super::filter::hashed;
use super::options::Options;
use super::run::{self, About, Run, Writer};
use super::tally::Tally;
use super::tiers::Merging;
use crate::{Direction, Error};

/// The name of the list.
const LIST: &str = "runs";

/// See the module.
pub(super) struct Runs {
    pub(super) state: PathBuf,
    pub(super) disk: Disk,
    block_bytes: usize,
    /// How many runs of a level become one.
    pub(super) fan_in: usize,
    cache: Cache<(u64, usize)>,
    set: RwLock<Arc<Set>>,
    next: AtomicU64,
    /// The merge that is under way, if one is.
    pub(super) merging: Mutex<Option<Merging>>,
}

/// The runs at one moment.
#[derive(Debug, Default)]
pub(super) struct Set {
    /// The newest first.
    pub(super) runs: Vec<Arc<Run>>,
    /// What they hold.
    pub(super) tally: Tally,
}

impl Runs {
    /// Of a state in this directory; to be loaded before it is asked.
    pub(super) fn new(state: &Path, options: &Options) -> Self {
        Self {
            state: state.to_path_buf(),
            disk: options.disk.clone(),
            block_bytes: options.block_bytes / 2,
            fan_in: options.fan_in,
            cache: Cache::default(),
            set: RwLock::default(),
            next: AtomicU64::new(1),
            merging: Mutex::default(),
        }
    }

    /// Begins with no runs, unless there are some: sled may have been stopped before
    /// it wrote anything.
    pub(super) fn begin(&self) -> Result<(), Error> {
        match self.state.join(LIST).exists() {
            true => self.load(),
            false => self.switch(Set::default()),
        }
    }

    /// Opens the runs of the list, and removes what is in none.
    pub(super) fn load(&self) -> Result<(), Error> {
        let path = self.state.join(LIST);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Rotten(format!("{} is missing", path.display())));
            }
            read => read.map_err(Error::io("read", &path))?,
        };
        let (tally, list) = decode(&bytes).ok_or_else(|| broken(&path.display().to_string()))?;
        let open = |about: &About| Run::open(&self.state, *about).map(Arc::new);
        let runs: Vec<_> = list.iter().map(open).collect::<Result<_, _>>()?;
        self.sweep(&list)?;
        let last = list.iter().map(|about| about.number).max();
        self.next.store(last.unwrap_or(0) + 1, Ordering::SeqCst);
        self.set_to(Set { runs, tally });
        Ok(())
    }

    fn sweep(&self, list: &[About]) -> Result<(), Error> {
        self.disk.remove_unfinished(&self.state)?;
        let state = &self.state;
        for entry in fs::read_dir(state).map_err(Error::io("list", state))? {
            let path = entry.map_err(Error::io("list", state))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let is_run = name.is_some_and(|name| name.starts_with(run::PREFIX));
            let listed = |about: &About| run::path(state, about.number) == path;
            if is_run && !list.iter().any(listed) {
                self.disk.remove(&path)?;
            }
        }
        Ok(())
    }

    /// The runs as they are now.
    pub(super) fn set(&self) -> Arc<Set> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&set)
    }

    fn set_to(&self, set: Set) {
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
    }

    /// Has the list name other runs from now on. Their files are durable.
    pub(super) fn switch(&self, set: Set) -> Result<(), Error> {
        let bytes = encode(&set);
        self.disk.replace(&self.state.join(LIST), &bytes)?;
        self.set_to(set);
        Ok(())
    }

    /// A run that is to be written, of at most so many pairs.
    pub(super) fn writer(&self, level: u32, most: u64) -> Result<Writer, Error> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let named = (number, level);
        Writer::create(&self.state, named, most, self.block_bytes, &self.disk)
    }

    /// The newest pair of a key, with the hash of that. It may be one that says that
    /// the key was deleted.
    pub(super) fn find(&self, key: &[u8], hash: u64) -> Result<Option<Place>, Error> {
        for run in &self.set().runs {
            let Some(number) = run.block_of(key, hash, &self.disk) else {
                continue;
            };
            let block = self.load_block(run, number)?;
            if let Some(place) = block.place(key) {
                return Ok(Some((block, place)));
            }
        }
        Ok(None)
    }

    /// Where a key's pair is, if there is one.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Found>, Error> {
        let found = self.find(key, hashed(key))?;
        Ok(found.and_then(|(block, number)| alive(block, number)))
    }

    fn load_block(&self, run: &Run, number: usize) -> Result<Arc<Block>, Error> {
        self.cache
            .get((run.about.number, number), || run.block(number))
    }

    /// The pairs of a range, in order from either end.
    pub(super) fn range(
        &self,
        from: &Key,
        to: Option<&Key>,
        direction: Direction,
    ) -> impl Iterator<Item = Result<(Key, Found), Error>> {
        let (from, to) = (from.as_bytes(), to.map(Key::as_bytes));
        let mut cursors = Cursors::new(self.set().runs.iter(), from, to, direction);
        let mut failed = false;
        std::iter::from_fn(move || {
            while !failed {
                match cursors.next(&|run, number| self.load_block(run, number)) {
                    Ok(None) => return None,
                    Ok(Some((block, number))) => {
                        let key = block.pair(number).map(|(key, _)| Key::new(key));
                        if let (Some(key), Some(found)) = (key, alive(block, number)) {
                            return Some(Ok((key, found)));
                        }
                    }
                    Err(error) => {
                        failed = true;
                        return Some(Err(error));
                    }
                }
            }
            None
        })
    }
}

/// A pair, unless it says that its key was deleted.
fn alive(block: Arc<Block>, number: usize) -> Option<Found> {
    let is_alive = block.pair(number).is_some_and(|(_, cell)| !cell.is_empty());
    is_alive.then(|| Found::new(block, number))
}

fn encode(set: &Set) -> Vec<u8> {
    let mut bytes = set.tally.encode(0);
    bytes.extend(length(set.runs.len()).to_be_bytes());
    for run in &set.runs {
        run.about.encode(&mut bytes);
    }
    let sum = crc32fast::hash(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(Tally, Vec<About>)> {
    let (bytes, sum) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(bytes) != u32::from_be_bytes(*sum) {
        return None;
    }
    let mut reader = Reader(bytes);
    let (_, tally) = Tally::decode(reader.take(24)?)?;
    let count = reader.u32()?;
    let list = (0..count).map(|_| About::decode(&mut reader));
    Some((tally, list.collect::<Option<_>>()?))
}

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;
