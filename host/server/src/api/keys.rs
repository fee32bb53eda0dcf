//! API keys: making, checking and revoking them. Only hashes are kept, in the
//! store and in memory; a key is shown once, to whoever made it.
//!
//! A key is `rb_<id>_<secret>`. The id is public and names the record; the
//! secret has 256 bits, so that a plain hash of it cannot be searched through.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use ringback_core::model::{Batch, Precondition, Secret, Versioned, keys, record};
use ringback_store::{Direction, Outcome, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::runtime::clock;

/// How many records are read at a time.
const PAGE: usize = 500;

/// Why keys could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store could not read or write.
    #[error(transparent)]
    Store(#[from] ringback_store::Error),
    /// A stored key cannot be used.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// Another key has the same id, or changed at the same moment.
    #[error("store the key: another one was written at the same moment")]
    Contended,
    /// There is no key with this id.
    #[error("find the key {0}")]
    Unknown(String),
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Scope {
    /// Everything that makes something happen: texts, calls, events, runs.
    #[serde(rename = "send")]
    Send,
    /// Looking.
    #[serde(rename = "read")]
    Read,
    /// Everything, keys included.
    #[serde(rename = "admin")]
    Admin,
    /// A request may change an agent's own settings for itself.
    #[serde(rename = "agent:override")]
    AgentOverride,
    /// A request may bring its own account at a provider.
    #[serde(rename = "connection:override")]
    ConnectionOverride,
}

impl Scope {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Send,
        Self::Read,
        Self::Admin,
        Self::AgentOverride,
        Self::ConnectionOverride,
    ];

    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::Admin => "admin",
            Self::AgentOverride => "agent:override",
            Self::ConnectionOverride => "connection:override",
        }
    }

    /// The scope of a word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A key as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApiKey {
    /// The public part.
    pub(crate) id: String,
    /// What it is for, in its maker's words.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) scopes: Vec<Scope>,
    /// SHA-256 of the whole key, as hexadecimal digits.
    hash: String,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// Whether it ends with the process: then it has no record.
    #[serde(skip)]
    pub(crate) temporary: bool,
    /// Since when it is no longer taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked_at: Option<Timestamp>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// Who a key belongs to, once it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The key's id.
    pub(crate) id: String,
    /// What it may do.
    pub(crate) scopes: Vec<Scope>,
}

/// All keys, by id, as hashes.
pub(crate) struct Keys {
    stored: RwLock<BTreeMap<String, Arc<ApiKey>>>,
    configured: Vec<[u8; 32]>,
}

impl Keys {
    /// Reads the stored keys. The configured ones count as admin; they stand
    /// only in memory.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn load(store: &dyn Store, configured: &[Secret]) -> Result<Self, Error> {
        let (mut from, to) = keys::table(b'g');
        let mut stored = BTreeMap::new();
        loop {
            let page = store.scan(&from, &to, PAGE, Direction::Forward).await?;
            for (_, versioned) in &page {
                let key: ApiKey = record::decode(&versioned.value)?;
                stored.insert(key.id.clone(), Arc::new(key));
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => from = super::page::after(last),
                _ => break,
            }
        }
        let configured = configured.iter().map(|key| digest(key.expose())).collect();
        Ok(Self {
            stored: RwLock::new(stored),
            configured,
        })
    }

    /// Makes a key. The second value is the key itself: it is not kept.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn create(
        &self,
        store: &dyn Store,
        name: &str,
        scopes: &[Scope],
    ) -> Result<(ApiKey, String), Error> {
        let (key, plain) = made(name, scopes);
        self.put(store, &key, None).await?;
        Ok((key, plain))
    }

    /// Revokes a key, for good. Revoking twice is fine.
    ///
    /// # Errors
    /// When there is no such key, or the store cannot be written.
    pub(crate) async fn revoke(&self, store: &dyn Store, id: &str) -> Result<ApiKey, Error> {
        let at = keys::api_key(id);
        {
            let mut stored = self.stored.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(key) = stored.get(id).cloned()
                && key.temporary
            {
                stored.remove(id);
                return Ok(ApiKey {
                    revoked_at: Some(clock::now()),
                    ..(*key).clone()
                });
            }
        }
        let Some(found) = store.get(&at).await? else {
            return Err(Error::Unknown(id.to_owned()));
        };
        let mut key: ApiKey = record::decode(&found.value)?;
        if key.revoked_at.is_none() {
            key.revoked_at = Some(clock::now());
            self.put(store, &key, Some(found)).await?;
        }
        Ok(key)
    }

    async fn put(
        &self,
        store: &dyn Store,
        key: &ApiKey,
        before: Option<Versioned>,
    ) -> Result<(), Error> {
        let at = keys::api_key(&key.id);
        let precondition = match before {
            Some(versioned) => Precondition::At(at.clone(), versioned.revision),
            None => Precondition::Absent(at.clone()),
        };
        let mut batch = Batch {
            preconditions: vec![precondition],
            ..Batch::default()
        };
        batch.writes.insert(at, Some(record::encode(key)?));
        match store.commit(batch).await? {
            Outcome::Done(_) => {}
            Outcome::Conflict(_) => return Err(Error::Contended),
        }
        let mut stored = self.stored.write().unwrap_or_else(PoisonError::into_inner);
        stored.insert(key.id.clone(), Arc::new(key.clone()));
        Ok(())
    }

    /// Makes a key that is good until the process ends: it stands in memory only.
    pub(crate) fn for_this_start(&self, name: &str, scopes: &[Scope]) -> (ApiKey, String) {
        let (mut key, plain) = made(name, scopes);
        key.temporary = true;
        let mut stored = self.stored.write().unwrap_or_else(PoisonError::into_inner);
        stored.insert(key.id.clone(), Arc::new(key.clone()));
        (key, plain)
    }

    /// How many keys can be used: without one, nobody may listen to anything but
    /// the loopback address.
    pub(crate) fn len(&self) -> usize {
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let good = stored
            .values()
            .filter(|key| key.revoked_at.is_none())
            .count();
        good + self.configured.len()
    }

    /// Whether what was granted to a key still stands.
    pub(crate) fn stands(&self, holder: &Holder) -> bool {
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        match stored.get(&holder.id) {
            Some(key) => key.revoked_at.is_none(),
            None => self
                .configured
                .iter()
                .any(|hash| configured_id(hash) == holder.id),
        }
    }

    /// All keys but the configured ones, oldest first.
    pub(crate) fn list(&self) -> Vec<Arc<ApiKey>> {
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = stored.values().cloned().collect();
        all.sort_by_key(|key| key.created_at);
        all
    }

    /// Whose key this is; none for one that is wrong or revoked. Takes as long
    /// for a wrong secret as for a right one.
    pub(crate) fn check(&self, given: &str) -> Option<Holder> {
        let hash = digest(given);
        let stored = self.stored_key(given);
        let expected = stored
            .as_deref()
            .map_or_else(String::new, |key| key.hash.clone());
        let right: bool = hex(&hash).as_bytes().ct_eq(expected.as_bytes()).into();
        let mut configured = None;
        for one in &self.configured {
            if bool::from(one.as_slice().ct_eq(hash.as_slice())) {
                configured = Some(configured_id(one));
            }
        }
        if let Some(id) = configured {
            return Some(Holder {
                id,
                scopes: vec![Scope::Admin],
            });
        }
        let key = stored.filter(|key| right && key.revoked_at.is_none())?;
        Some(Holder {
            id: key.id.clone(),
            scopes: key.scopes.clone(),
        })
    }

    fn stored_key(&self, given: &str) -> Option<Arc<ApiKey>> {
        let (id, _) = given.strip_prefix("rb_")?.split_once('_')?;
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        stored.get(id).cloned()
    }
}

/// A new key, and its record.
fn made(name: &str, scopes: &[Scope]) -> (ApiKey, String) {
    let (id, plain) = draw();
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    let key = ApiKey {
        id,
        name: name.to_owned(),
        scopes,
        hash: hex(&digest(&plain)),
        created_at: clock::now(),
        temporary: false,
        revoked_at: None,
    };
    (key, plain)
}

/// The name of a configured key: the same after a restart and a change of order.
fn configured_id(hash: &[u8; 32]) -> String {
    let mut id = hex(hash);
    id.truncate(12);
    format!("configured-{id}")
}

/// A new id and the key that carries it. A random UUID has 122 random bits, so
/// three of them fill the 256 of the secret.
fn draw() -> (String, String) {
    let mut hasher = Sha256::new();
    for _ in 0..3 {
        hasher.update(clock::seed().to_be_bytes());
    }
    let secret = hex(&<[u8; 32]>::from(hasher.finalize()));
    let mut id = hex(&clock::seed().to_be_bytes());
    id.truncate(12);
    let plain = format!("rb_{id}_{secret}");
    (id, plain)
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
