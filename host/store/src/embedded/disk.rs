//! The one door to the disk. Every file that this crate makes, writes, syncs,
//! renames or removes passes here, sled's own files aside, so that a test can
//! count the effects, stop at each of them, or have each of them fail.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::plant::Plant;
use crate::Error;

type Sync = Arc<dyn Fn(&File) -> io::Result<()> + Send + std::marker::Sync>;
type OnError = Arc<dyn Fn() + Send + std::marker::Sync>;

/// One thing that is done to the disk.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "read by the tests that watch"))]
pub(crate) enum Effect<'a> {
    /// A directory.
    CreateDir(&'a Path),
    /// A file that is empty now, whether it was there or not.
    Create(&'a Path),
    /// Bytes at a place of a file.
    Write(&'a Path, u64, &'a [u8]),
    /// A file's data made durable.
    Sync(&'a Path),
    /// The entries of a directory made durable.
    SyncDir(&'a Path),
    /// Another name in the same directory.
    Rename(&'a Path, &'a Path),
    /// A file is gone.
    Remove(&'a Path),
    /// A directory and all in it are gone.
    RemoveAll(&'a Path),
    /// sled writes what it has in memory.
    Flush,
}

/// Who looks at every effect.
pub(crate) trait Watch: Send + std::marker::Sync {
    /// Before it happens. An error stands for what the system would have said.
    fn before(&self, effect: Effect<'_>) -> io::Result<()>;
    /// After it happened.
    fn after(&self, effect: Effect<'_>);
}

/// How files are made and made durable.
#[derive(Clone)]
pub(crate) struct Disk {
    /// `fdatasync`.
    pub(crate) sync: Sync,
    /// Called once a sync failed: ends the process. Never retried: the kernel
    /// may have thrown the pages away and call the second try a success.
    pub(crate) on_sync_error: OnError,
    /// `None` outside tests.
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) broken: Arc<AtomicBool>,
    #[cfg(test)]
    pub(crate) plant: Option<Plant>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            sync: Arc::new(File::sync_data),
            on_sync_error: Arc::new(|| std::process::abort()),
            watch: None,
            broken: Arc::default(),
            #[cfg(test)]
            plant: None,
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    fn pass<T>(&self, effect: Effect<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(watch) = &self.watch else {
            return act();
        };
        watch.before(effect)?;
        let done = act()?;
        watch.after(effect);
        Ok(done)
    }

    /// Makes a file's data durable.
    pub(crate) fn sync(&self, file: &File, path: &Path) -> Result<(), Error> {
        self.synced(Effect::Sync(path), file, path)
    }

    /// Makes what was created, renamed or removed in a directory durable.
    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<(), Error> {
        let file = File::open(here(dir)).map_err(Error::io("open", dir))?;
        self.synced(Effect::SyncDir(dir), &file, dir)
    }

    fn synced(&self, effect: Effect<'_>, file: &File, path: &Path) -> Result<(), Error> {
        self.pass(effect, || (self.sync)(file)).map_err(|error| {
            tracing::error!(
                path = %path.display(), %error,
                "the disk refused to make data durable; stopping, since nothing after this can be trusted"
            );
            self.broken.store(true, Ordering::SeqCst);
            (self.on_sync_error)();
            Error::io("sync", path)(error)
        })
    }

    /// Whether a sync ever failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// Makes a directory, and those above it, if they are missing, for one user
    /// alone; what is there stays as it is. That it is
    /// there is durable afterwards, also if somebody else or a killed process of
    /// ours made it.
    pub(crate) fn create_dir(&self, dir: &Path) -> Result<(), Error> {
        let parent = dir.parent().map(here);
        if !here(dir).is_dir() {
            if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
                self.create_dir(parent)?;
            }
            // What is in it is for nobody else's eyes: numbers and texts of people.
            let make = || DirBuilder::new().mode(0o700).create(dir);
            self.pass(Effect::CreateDir(dir), make)
                .or_else(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => Ok(()),
                    _ => Err(Error::io("create", dir)(error)),
                })?;
        }
        match parent.map(|parent| self.sync_dir(parent)) {
            // A directory that we may not read is one that we made nothing in.
            Some(Err(Error::Io { why, .. })) if why.kind() == io::ErrorKind::PermissionDenied => {
                Ok(())
            }
            Some(Err(error)) => Err(error),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Makes an empty file, to be read and written.
    pub(crate) fn create(&self, path: &Path) -> Result<File, Error> {
        self.pass(Effect::Create(path), || own_file(path))
            .map_err(Error::io("create", path))
    }

    /// Writes at a place of a file.
    pub(crate) fn write_at(
        &self,
        file: &File,
        path: &Path,
        bytes: &[u8],
        at: u64,
    ) -> io::Result<()> {
        self.pass(Effect::Write(path, at, bytes), || {
            file.write_all_at(bytes, at)
        })
    }

    /// Renames, durably. Both paths are in the same directory.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.pass(Effect::Rename(from, to), || fs::rename(from, to))
            .map_err(Error::io("rename", from))?;
        match to.parent() {
            Some(dir) if !self.planted(Plant::SkipDirSync) => self.sync_dir(dir),
            _ => Ok(()),
        }
    }

    /// Removes a file. Durable once the directory is synced.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        self.pass(Effect::Remove(path), || fs::remove_file(path))
            .map_err(Error::io("remove", path))
    }

    /// Removes a directory and all in it.
    pub(crate) fn remove_all(&self, path: &Path) -> Result<(), Error> {
        self.pass(Effect::RemoveAll(path), || fs::remove_dir_all(path))
            .map_err(Error::io("remove", path))
    }

    /// Has sled write what it holds in memory.
    pub(crate) fn flush(&self, db: &sled::Db, state: &Path) -> Result<(), Error> {
        let flush = || {
            db.flush()
                .map(drop)
                .map_err(|error| io::Error::other(super::cells::state(error)))
        };
        self.pass(Effect::Flush, flush)
            .map_err(|error| match error.downcast::<Error>() {
                Ok(error) => error,
                Err(error) => Error::io("write", state)(error),
            })
    }

    /// Replaces a whole file, durably: the old content or the new, never a mix.
    pub(crate) fn replace(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        let in_place = self.planted(Plant::ReplaceInPlace);
        let fresh = if in_place {
            path.to_path_buf()
        } else {
            path.with_extension(FRESH)
        };
        let file = self.create(&fresh)?;
        self.write_at(&file, &fresh, content, 0)
            .map_err(Error::io("write", &fresh))?;
        self.sync(&file, &fresh)?;
        if in_place {
            return Ok(());
        }
        self.rename(&fresh, path)
    }

    /// Removes what an earlier process left unfinished in a directory.
    pub(crate) fn remove_unfinished(&self, dir: &Path) -> Result<(), Error> {
        for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
            let path = entry.map_err(Error::io("list", dir))?.path();
            if path.extension().is_some_and(|extension| extension == FRESH) && path.is_file() {
                self.remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The extension of a file that is not finished; a start removes it.
pub(crate) const FRESH: &str = "new";

/// An empty file, to be read and written by the one who runs this and nobody else.
pub(crate) fn own_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// A directory as the system names it: the empty path is the present one.
fn here(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    }
}

/// A file that is written from its start to its end.
#[derive(Debug)]
pub(crate) struct Stream {
    disk: Disk,
    pub(crate) file: File,
    path: PathBuf,
    at: u64,
}

impl Stream {
    /// A new, empty file.
    pub(crate) fn create(disk: &Disk, path: &Path) -> Result<Self, Error> {
        Ok(Self {
            disk: disk.clone(),
            file: disk.create(path)?,
            path: path.to_path_buf(),
            at: 0,
        })
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.write_at(&self.file, &self.path, bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
