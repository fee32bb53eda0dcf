//! Our own journal: the durability of the embedded store. Groups of commits in
//! segments, each group synced before it is applied anywhere.
//!
//! It must never skip a revision: a gap or a broken group before a whole one is
//! an error, because going on would drop acknowledged work. Whether all of that is
//! somewhere else, so that a start can go on after all, is for `repair` to say.

pub(super) mod frame;
pub(super) mod segment;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ringback_core::model::{Batch, Revision};

use self::frame::Group;
use self::segment::{Blank, Writer};
use super::disk::{Disk, FRESH};
use super::plant::Plant;
use crate::Error;

const EXTENSION: &str = "journal";

/// Why a group was not appended.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nothing was written; the next group may fare better.
    Nothing(Error),
    /// The group may be durable or not; nothing may follow it.
    Perhaps(Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Nothing(error) | Refusal::Perhaps(error) => error,
        }
    }
}

/// Which segments there are, shared with the thread that prunes them.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// First revision of each, ascending.
    firsts: Mutex<Vec<Revision>>,
    /// A file made ahead.
    blank: Mutex<Option<Blank>>,
    /// How many read it while it is written to; nothing is pruned meanwhile.
    readers: AtomicUsize,
    /// For names: a file that is being taken into use is not to be made anew.
    made: AtomicU64,
}

/// Where a journal lies and how it is written.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    segment_bytes: u64,
    disk: Disk,
    segments: Arc<Segments>,
}

impl Journal {
    /// Finds the segments of a directory, which is created if need be.
    pub(super) fn open(dir: PathBuf, segment_bytes: u64, disk: Disk) -> Result<Self, Error> {
        disk.create_dir(&dir)?;
        disk.remove_unfinished(&dir)?;
        let mut firsts = Vec::new();
        for entry in fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
            let path = entry.map_err(Error::io("list", &dir))?.path();
            if path.extension().is_none_or(|found| found != EXTENSION) {
                continue;
            }
            let first = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            firsts.push(first.ok_or_else(|| Error::Damaged {
                file: path.clone(),
                what: "its name is not that of a journal segment; move it out of the folder".into(),
            })?);
        }
        firsts.sort_unstable();
        let segments = Arc::new(Segments {
            firsts: Mutex::new(firsts),
            ..Segments::default()
        });
        Ok(Self {
            dir,
            segment_bytes,
            disk,
            segments,
        })
    }

    /// The first revision of each segment, ascending.
    pub(super) fn firsts(&self) -> Vec<Revision> {
        lock(&self.segments.firsts).clone()
    }

    /// The first revision it holds, if it holds a segment.
    pub(super) fn first(&self) -> Option<Revision> {
        lock(&self.segments.firsts).first().copied()
    }

    /// Hands every group from revision `from` on to `each`, in order, and
    /// returns the revision after the last. Segments wholly before are not read.
    ///
    /// # Errors
    /// A segment is missing or damaged, or `each` failed.
    pub(super) fn replay(
        &self,
        from: Revision,
        mut each: impl FnMut(Group) -> Result<(), Error>,
    ) -> Result<Revision, Error> {
        let from = from + u64::from(self.disk.planted(Plant::ReplayLate));
        let firsts = lock(&self.segments.firsts).clone();
        let start = firsts
            .partition_point(|first| *first <= from)
            .saturating_sub(1);
        let mut next = from;
        for (index, first) in firsts.iter().enumerate().skip(start) {
            let path = self.path(*first);
            let contents = segment::read(&path)?;
            let expected = if index == start {
                (*first).min(from)
            } else {
                next
            };
            if contents.first != *first || *first != expected {
                return Err(Error::Damaged {
                    file: path,
                    what: format!(
                        "it begins with commit {}, and commit {expected} is missing; \
                         {}",
                        contents.first,
                        segment::ADVICE
                    ),
                });
            }
            if contents.torn > 0 {
                tracing::warn!(
                    file = %path.display(), bytes = contents.torn,
                    "the journal ends in a commit that was never acknowledged; it is left out"
                );
            }
            next = contents.end();
            for group in contents.groups {
                if group.end() > from {
                    each(group)?;
                }
            }
        }
        Ok(next)
    }

    /// Keeps every segment where it is until the answer is dropped.
    pub(super) fn hold(&self) -> Hold {
        self.segments.readers.fetch_add(1, Ordering::SeqCst);
        Hold(Arc::clone(&self.segments))
    }

    /// Hands the groups of revisions `from` to `last` on to `each`, in order,
    /// while the journal is written to. Both are bounds of groups, `last` is
    /// durable, and the caller holds the segments.
    ///
    /// # Errors
    /// A segment is missing or damaged, or `each` failed.
    pub(super) fn follow(
        &self,
        from: Revision,
        last: Revision,
        mut each: impl FnMut(Group) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if last < from {
            return Ok(());
        }
        let firsts = lock(&self.segments.firsts).clone();
        let start = firsts
            .partition_point(|first| *first <= from)
            .saturating_sub(1);
        let mut next = from;
        for first in firsts.iter().skip(start).filter(|first| **first <= last) {
            for group in segment::read_until(&self.path(*first), last)?.groups {
                if group.first == next {
                    next = group.end();
                    each(group)?;
                }
            }
        }
        if next == last + 1 {
            return Ok(());
        }
        Err(Error::Damaged {
            file: self.dir.clone(),
            what: format!("commit {next} is missing; {}", segment::ADVICE),
        })
    }

    /// Cuts the last segment down to its whole groups, as a fresh file. After a
    /// failed sync its last pages may be in memory only and count as written:
    /// what was replayed from them has to be durable before it is built on.
    pub(super) fn settle(&self) -> Result<(), Error> {
        let Some(last) = lock(&self.segments.firsts).last().copied() else {
            return Ok(());
        };
        if self.disk.planted(Plant::SkipSettle) {
            return Ok(());
        }
        let path = self.path(last);
        let contents = segment::read(&path)?;
        self.disk.replace(&path, &contents.whole)
    }

    /// The bytes of all segments together.
    pub(super) fn bytes(&self) -> u64 {
        let size = |first: &Revision| fs::metadata(self.path(*first)).map_or(0, |file| file.len());
        lock(&self.segments.firsts).iter().map(size).sum()
    }

    /// Makes the next segment's file ahead of need.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        if lock(&self.segments.blank).is_some() {
            return Ok(());
        }
        let blank = self.blank(self.segment_bytes)?;
        *lock(&self.segments.blank) = Some(blank);
        Ok(())
    }

    fn blank(&self, size: u64) -> Result<Blank, Error> {
        let number = self.segments.made.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("ahead-{number}.{FRESH}"));
        Blank::make(path, size, &self.disk)
    }

    /// Removes segments that hold nothing after revision `upto`.
    pub(super) fn prune(&self, upto: Revision) -> Result<(), Error> {
        // Whoever begins to read now needs nothing from before `upto`.
        while self.segments.readers.load(Ordering::SeqCst) == 0 {
            let oldest = {
                let firsts = lock(&self.segments.firsts);
                match (firsts.first(), firsts.get(1)) {
                    (Some(oldest), Some(second)) if *second <= upto + 1 => *oldest,
                    _ => break,
                }
            };
            // Oldest first, and forgotten only once it is gone: a crash in
            // between leaves a journal without a gap.
            let path = self.path(oldest);
            self.disk.remove(&path)?;
            lock(&self.segments.firsts).retain(|first| *first != oldest);
        }
        self.disk.sync_dir(&self.dir)
    }

    /// A writer whose first group begins at `next`.
    pub(super) fn appender(self, next: Revision) -> Appender {
        Appender {
            journal: self,
            active: None,
            next,
            buffer: Vec::new(),
        }
    }

    pub(super) fn path(&self, first: Revision) -> PathBuf {
        segment_path(&self.dir, first)
    }
}

/// That the segments are read while they are written to.
#[derive(Debug)]
pub(super) struct Hold(Arc<Segments>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The writing end; there is one.
#[derive(Debug)]
pub(super) struct Appender {
    journal: Journal,
    active: Option<Writer>,
    next: Revision,
    buffer: Vec<u8>,
}

/// What an append did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Appended {
    /// Bytes of journal it took.
    pub(super) bytes: u64,
    /// A new segment was begun: it is time to prepare the next.
    pub(super) rotated: bool,
}

impl Appender {
    /// The revision the next commit gets.
    pub(super) fn next(&self) -> Revision {
        self.next
    }

    /// Makes a group durable.
    pub(super) fn append(&mut self, batches: &[&Batch]) -> Result<Appended, Refusal> {
        let size = |batch: &&Batch| -> usize {
            let write = |(key, value): (&ringback_core::model::Key, &Option<Arc<[u8]>>)| {
                8 + key.as_bytes().len() + value.as_ref().map_or(0, |value| value.len())
            };
            4 + batch.writes.iter().map(write).sum::<usize>()
        };
        let frame: usize = frame::HEADER + batches.iter().map(size).sum::<usize>();
        let rotated = self
            .make_room(frame.next_multiple_of(8))
            .map_err(Refusal::Nothing)?;
        let Some(active) = &mut self.active else {
            return Err(Refusal::Nothing(Error::Closed));
        };
        self.buffer.clear();
        let group = batches.iter().copied();
        frame::encode(active.salt(), self.next, group, &mut self.buffer);
        active
            .append(&self.buffer, &self.journal.disk)
            .map_err(Refusal::Perhaps)?;
        self.next += batches.len() as u64;
        active.seal(self.next, &self.journal.disk);
        let bytes = self.buffer.len() as u64;
        if self.buffer.capacity() > 4 * 1024 * 1024 {
            self.buffer = Vec::new();
        }
        Ok(Appended { bytes, rotated })
    }

    /// Begins a segment now, so that there is one even if no group follows.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        self.make_room(0).map(drop)
    }

    fn make_room(&mut self, bytes: usize) -> Result<bool, Error> {
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.has_room(bytes))
        {
            return Ok(false);
        }
        let journal = &self.journal;
        let needed = (segment::HEADER + bytes) as u64;
        let ahead = lock(&journal.segments.blank).take_if(|blank| blank.size() >= needed);
        let blank = match ahead {
            Some(blank) => blank,
            None => journal.blank(needed.max(journal.segment_bytes))?,
        };
        let path = journal.path(self.next);
        self.active = Some(blank.begin(path, self.next, &journal.disk)?);
        let mut firsts = lock(&journal.segments.firsts);
        if firsts.last() != Some(&self.next) {
            firsts.push(self.next);
        }
        Ok(true)
    }
}

fn segment_path(dir: &Path, first: Revision) -> PathBuf {
    dir.join(format!("{first:020}.{EXTENSION}"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
