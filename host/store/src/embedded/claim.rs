//! Who may work on a directory, in which format it is, and whether the last one
//! to work on it left sled's files in a state that can be believed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek};
use std::path::Path;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::plant::Plant;
use crate::Error;

/// The newest format this program reads, and the one it writes.
pub(super) const FORMAT: u32 = 1;

const FORMAT_FILE: &str = "format";
const FORMAT_WORDS: &str = "ringback store, format ";

/// The lock on a directory; let go when dropped, also by a kill.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Closing is not enough: a child process that is just being started holds
        // a copy of the descriptor, and with it the lock, until it runs.
        drop(self.file.unlock());
    }
}

/// How long a lock that another process has is waited for: one that was just killed
/// holds it until the system has taken it down.
const PATIENCE: Duration = Duration::from_secs(2);

/// The same if that process is seen to be gone, or dead and not yet taken down.
const FOR_THE_DEAD: Duration = Duration::from_secs(10);

/// How often it is tried meanwhile; there is no word of a lock that is let go.
const AGAIN: Duration = Duration::from_millis(10);

/// Takes the lock, and writes down who has it.
pub(super) fn take(dir: &Path, disk: &Disk) -> Result<Claim, Error> {
    let path = dir.join("lock");
    let opened = OpenOptions::new().read(true).write(true).open(&path);
    let mut file = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => disk.create(&path)?,
        opened => opened.map_err(Error::io("open", &path))?,
    };
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        let waited = since.elapsed();
        if waited >= PATIENCE {
            // Whoever has it by now may be another than at first.
            let holder = holder(&mut file);
            if waited >= FOR_THE_DEAD || holder.is_none_or(is_alive) {
                let dir = dir.to_path_buf();
                return Err(Error::InUse { dir, holder });
            }
        }
        std::thread::sleep(AGAIN);
    }
    // Of one length, so that nothing of a longer number is left behind.
    let holder = format!("{:<20}\n", std::process::id());
    disk.write_at(&file, &path, holder.as_bytes(), 0)
        .map_err(Error::io("write", &path))?;
    Ok(Claim { file })
}

/// Who wrote its number into the lock.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Whether a process runs, as far as that can be seen.
fn is_alive(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The state comes after the name, which is in brackets and may hold some.
        Ok(stat) => !stat
            .rsplit_once(')')
            .is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X'])),
        Err(error) => {
            error.kind() != std::io::ErrorKind::NotFound || !Path::new("/proc/self").exists()
        }
    }
}

/// Checks the format of a directory, and writes it into a new one.
pub(super) fn check_format(dir: &Path, is_new: bool, disk: &Disk) -> Result<(), Error> {
    let path = dir.join(FORMAT_FILE);
    let damaged = |what: &str| Error::Damaged {
        file: path.clone(),
        what: what.into(),
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_new => {
            return disk.replace(&path, format!("{FORMAT_WORDS}{FORMAT}\n").as_bytes());
        }
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let number = text
        .strip_prefix(FORMAT_WORDS)
        .map(|rest| rest.trim().parse());
    let Some(Ok(found)) = number else {
        return Err(damaged(
            "it does not name a format; if this is a ringback store, write the line back that stands \
             in another one's, or put the file back from a backup",
        ));
    };
    if found > FORMAT {
        return Err(Error::Newer {
            dir: dir.to_path_buf(),
            found,
            known: FORMAT,
        });
    }
    Ok(())
}

const RUNNING: &str = "running";

/// The machine's present boot; `None` where there is no such id.
pub(super) fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// How far the state that the last run left can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It was closed: the checkpoint names the last commit there was.
    Clean,
    /// That run was killed, and the machine went on.
    SameBoot,
    /// Not at all.
    None,
}

/// Looks how the last run ended; before the next one begins.
pub(super) fn last_run(dir: &Path, boot: Option<&str>) -> Result<Trust, Error> {
    let path = dir.join(RUNNING);
    match fs::read_to_string(&path) {
        Ok(last) if boot == Some(last.trim()) => Ok(Trust::SameBoot),
        Ok(_) => Ok(Trust::None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Trust::Clean),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

/// Notes that sled's files are now being written, and asks for a rebuild if the
/// last run ended with its machine.
///
/// sled syncs nothing that one could rely on. After a kill its files are as it
/// left them, in the page cache; after a power cut they are any mix of old and
/// new pages, which sled may open, and then panic or hang over. So a state is
/// believed after a clean close and within one boot, and rebuilt otherwise.
pub(super) fn begin_run(
    dir: &Path,
    boot: Option<&str>,
    rebuild: &Path,
    disk: &Disk,
) -> Result<(), Error> {
    let path = dir.join(RUNNING);
    match fs::read_to_string(&path) {
        Ok(last) if boot == Some(last.trim()) => return Ok(()),
        // Asked for first: a stop between the two must not forget it.
        Ok(_) if disk.planted(Plant::TrustSled) => {}
        Ok(_) => disk.replace(rebuild, b"the machine stopped while it was written to")?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("read", &path)(error)),
    }
    disk.replace(&path, boot.unwrap_or("unknown").as_bytes())
}

/// Notes that sled's files are whole: closed and synced, each of them.
pub(super) fn end_run(dir: &Path, state: &Path, disk: &Disk) -> Result<(), Error> {
    for entry in fs::read_dir(state).map_err(Error::io("list", state))? {
        let path = entry.map_err(Error::io("list", state))?.path();
        if path.is_file() {
            let file = File::open(&path).map_err(Error::io("open", &path))?;
            disk.sync(&file, &path)?;
        }
    }
    disk.sync_dir(state)?;
    let path = dir.join(RUNNING);
    disk.remove(&path)?;
    disk.sync_dir(dir)
}
