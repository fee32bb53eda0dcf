//! The store trait: one write, a few reads, no closures and no interactive
//! transactions, so that an embedded store and a database server serve it
//! alike. Limits on what may be written stand here, for every store the same.

use std::future::Future;
use std::pin::Pin;

use ringback_core::model::{Batch, Key, Precondition, Revision, Versioned};

use crate::Error;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;

/// The longest value, in bytes. What is larger belongs in a file.
pub const MAX_VALUE: usize = 1024 * 1024;

/// The most bytes (keys and values) of one batch.
pub const MAX_BATCH: usize = 16 * 1024 * 1024;

/// What a store gives back: a future that does not block the thread for long.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A store that keeps what it acknowledged.
///
/// Reads see durable commits only. A page of `scan` and the answers of one
/// `get_many` are of one moment: whole commits, never half of one.
pub trait Store: Send + Sync + 'static {
    /// Writes a batch, all or nothing, if all its preconditions hold. When it
    /// returns `Done`, the batch is durable. When it returns `Conflict`, what
    /// it lost to is durable, so that a fresh read sees it.
    ///
    /// Dropping the future takes nothing back once it was polled.
    ///
    /// # Errors
    /// Nothing was written, except after [`Error::Unknown`]: then read again.
    fn commit(&self, batch: Batch) -> Answer<'_, Result<Commit, Error>>;

    /// The current value of a key.
    ///
    /// # Errors
    /// The store is closed, or its state cannot be read.
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Result<Option<Versioned>, Error>>;

    /// The current values of some keys, in the order asked, of one moment.
    ///
    /// # Errors
    /// As `get`.
    fn get_many<'a>(&'a self, keys: &'a [Key])
    -> Answer<'a, Result<Vec<Option<Versioned>>, Error>>;

    /// At most `limit` pairs with `from <= key < to`, from the low end or from
    /// the high end, of one moment. Keep pages small: writers wait meanwhile.
    ///
    /// # Errors
    /// As `get`.
    fn scan<'a>(
        &'a self,
        from: &'a Key,
        to: &'a Key,
        limit: usize,
        direction: Direction,
    ) -> Answer<'a, Result<Vec<(Key, Versioned)>, Error>>;

    /// How the store is. Never fails: that it is ill is an answer.
    fn health(&self) -> Answer<'_, Health>;

    /// Makes the next start short: everything up to now is in the state itself.
    ///
    /// # Errors
    /// The store is closed or poisoned, or the disk refused.
    fn checkpoint(&self) -> Answer<'_, Result<(), Error>>;

    /// Finishes what was accepted, makes a checkpoint and lets go of the
    /// directory. Later calls get [`Error::Closed`]. Closing twice is fine.
    ///
    /// # Errors
    /// The checkpoint failed; what was acknowledged is safe in the journal.
    fn close(&self) -> Answer<'_, Result<(), Error>>;
}

/// From which end a scan reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Lowest key first.
    Forward,
    /// Highest key first.
    Backward,
}

/// Done, or lost to a commit that came before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a conflict means that nothing was written"]
pub enum Outcome<T> {
    /// The batch is durable.
    Done(T),
    /// This precondition did not hold; nothing was written.
    Conflict(Precondition),
}

/// The answer to a commit.
pub type Commit = Outcome<Committed>;

/// The proof that a batch is durable. Only stores of this crate make one; a
/// store that wraps another hands on what it was given.
#[derive(Debug, PartialEq, Eq)]
pub struct Committed {
    revision: Revision,
}

impl Committed {
    /// To be called by a store once the batch is durable, and by nothing else.
    pub(crate) fn new(revision: Revision) -> Self {
        Self { revision }
    }

    /// The sequence number of the commit; its writes carry it.
    pub fn revision(&self) -> Revision {
        self.revision
    }
}

/// How a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Bytes left on its disk for this user; `None` where there is no disk.
    pub free_bytes: Option<u64>,
    /// Bytes its disk has in all.
    pub total_bytes: Option<u64>,
    /// Free space is below the limit: start no sends, take no webhooks, read on.
    pub nearly_full: bool,
    /// Why the store takes no more commits, if so. Only a restart helps.
    pub poisoned: Option<String>,
    /// The sequence number of the last commit.
    pub revision: Revision,
    /// Up to which commit the state itself is on disk.
    pub checkpointed: Revision,
    /// Bytes of journal since the last full snapshot.
    pub journal_bytes: u64,
    /// Why the last checkpoint or snapshot did not succeed, if so.
    pub upkeep: Option<String>,
}

/// Whether a batch keeps to the limits; the same answer from every store.
pub(crate) fn fits(batch: &Batch) -> Result<(), Error> {
    let keys = batch.preconditions.iter().map(Precondition::key);
    for key in keys.chain(batch.writes.keys()) {
        let length = key.as_bytes().len();
        if length == 0 {
            return Err(Error::Refused("an empty key".into()));
        }
        if length > MAX_KEY {
            let most = format!("a key of {length} bytes, and {MAX_KEY} is the most");
            return Err(Error::Refused(most));
        }
    }
    let mut total = 0;
    for (key, value) in &batch.writes {
        let length = value.as_ref().map_or(0, |value| value.len());
        if length > MAX_VALUE {
            return Err(Error::Refused(format!(
                "a value of {length} bytes for {key:?}, and {MAX_VALUE} is the most"
            )));
        }
        total += key.as_bytes().len() + length;
    }
    if total > MAX_BATCH {
        return Err(Error::Refused(format!(
            "a batch of {total} bytes, and {MAX_BATCH} is the most"
        )));
    }
    Ok(())
}
