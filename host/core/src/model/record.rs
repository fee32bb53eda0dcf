//! How records become bytes: one version byte, then JSON. JSON because records
//! hold free-form values and must outlive the program that wrote them: an old
//! reader skips fields it does not know, a new one fills in defaults.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version every record of this program is written with.
pub const VERSION: u8 = 1;

/// Why stored bytes are not the record they should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No bytes at all.
    #[error("the stored record is empty")]
    Empty,
    /// A later program wrote it.
    #[error(
        "the stored record has version {0}, this program reads up to {VERSION}; use the newer program"
    )]
    Newer(u8),
    /// The bytes after the version are not the record.
    #[error("the stored record cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// A record's bytes.
///
/// # Errors
/// When the record holds something JSON cannot (a map with keys that are not
/// text); none of our records does.
pub fn encode<T: Serialize>(record: &T) -> Result<Arc<[u8]>, Error> {
    encode_through(&mut Vec::with_capacity(512), record)
}

/// A record's bytes, put together in a buffer that many of them share.
///
/// # Errors
/// See [`encode`].
pub fn encode_through<T: Serialize>(buffer: &mut Vec<u8>, record: &T) -> Result<Arc<[u8]>, Error> {
    buffer.clear();
    buffer.push(VERSION);
    serde_json::to_writer(&mut *buffer, record)?;
    Ok(buffer.as_slice().into())
}

/// The record of stored bytes.
///
/// # Errors
/// When they are empty, of a later version, or not this record.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    match bytes.split_first() {
        None => Err(Error::Empty),
        Some((&VERSION, json)) => Ok(serde_json::from_slice(json)?),
        Some((&version, _)) => Err(Error::Newer(version)),
    }
}
