//! `host.json` in the data folder: how commands find the host that runs there.
//! It holds an admin key, so only its owner can read it.

use std::io;
use std::path::{Path, PathBuf};

use ringback_core::model::Secret;
use serde::{Deserialize, Serialize};

/// Where the file is.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("host.json")
}

/// What stands in the file.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Where the host listens, without a slash at the end.
    pub(crate) url: String,
    /// An admin key that lives as long as the host.
    pub(crate) key: String,
    /// The host's process.
    pub(crate) pid: u32,
}

impl Address {
    /// What a host wrote; none when there is nothing that can be read.
    pub(crate) fn read(data: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path(data)).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// The file of a host that runs; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct HostFile(PathBuf);

impl HostFile {
    /// Writes the file with mode 0600, whole or not at all.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub(crate) fn write(data: &Path, url: &str, key: &Secret) -> io::Result<Self> {
        use std::io::Write;
        let address = Address {
            url: url.to_owned(),
            key: key.expose().to_owned(),
            pid: std::process::id(),
        };
        let draft = data.join(format!("host.json.{}", address.pid));
        // An old draft may have another mode.
        drop(std::fs::remove_file(&draft));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(serde_json::to_string(&address)?.as_bytes())?;
        std::fs::rename(&draft, path(data))?;
        Ok(Self(path(data)))
    }
}

impl Drop for HostFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}
