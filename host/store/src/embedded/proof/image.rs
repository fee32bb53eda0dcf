//! What a disk holds after a crash, and how much of what was not durable it
//! lost.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Dice;

const PAGE: usize = 4096;

/// How much of what was not synced is lost.
#[derive(Clone)]
pub(super) enum Loss {
    Nothing,
    Everything,
    /// Any mix of old and new pages and entries.
    Some(Dice),
}

impl Loss {
    pub(super) fn bytes(&mut self, durable: &Arc<[u8]>, now: &Arc<[u8]>) -> Arc<[u8]> {
        match self {
            Self::Nothing => Arc::clone(now),
            Self::Everything => Arc::clone(durable),
            Self::Some(dice) => mix_pages(durable, now, dice),
        }
    }
}

/// Each page old or new; the length as well.
pub(super) fn mix_pages(old: &Arc<[u8]>, new: &Arc<[u8]>, dice: &mut Dice) -> Arc<[u8]> {
    if old == new {
        return Arc::clone(new);
    }
    let mut mixed = new.to_vec();
    for (number, page) in mixed.chunks_mut(PAGE).enumerate() {
        if dice.heads() {
            continue;
        }
        let at = number * PAGE;
        for (place, byte) in page.iter_mut().enumerate() {
            // Past its old end a file that grew has zeros.
            *byte = old.get(at + place).copied().unwrap_or(0);
        }
    }
    if dice.roll(3) == 0 {
        mixed.truncate(old.len().max(mixed.len() / 2));
    }
    mixed.into()
}

/// Directories and files, by path.
#[derive(Clone, Default, Hash)]
pub(super) struct Image {
    entries: BTreeMap<PathBuf, Option<Arc<[u8]>>>,
}

impl Image {
    pub(super) fn dir(&mut self, path: &Path) {
        self.entries.insert(path.to_path_buf(), None);
    }

    pub(super) fn file(&mut self, path: &Path, bytes: Arc<[u8]>) {
        self.entries.insert(path.to_path_buf(), Some(bytes));
    }

    /// In which boot the store in it is written to, if it is.
    pub(super) fn running(&self) -> Option<String> {
        let file = self.entries.get(Path::new("store/running"))?;
        Some(String::from_utf8_lossy(file.as_ref()?).into_owned())
    }

    /// Whether sled's files are there, and were written to when it happened.
    pub(super) fn doubtful(&self) -> bool {
        self.running().is_some() && self.entries.contains_key(Path::new("store/sled"))
    }

    /// Tells images apart.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Puts it on a real disk.
    pub(super) fn write(&self, root: &Path) {
        for (path, bytes) in &self.entries {
            let path = root.join(path);
            match bytes {
                None => fs::create_dir_all(path).unwrap(),
                Some(bytes) => fs::write(path, bytes).unwrap(),
            }
        }
    }
}
