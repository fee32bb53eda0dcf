//! The one way anything is written: an atomic batch of absolute puts and
//! deletes, guarded by preconditions on what was read. And the plain in-memory
//! state it applies to: the model that every store is compared with.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

/// A key of the one ordered byte space. The first byte names the table; layouts
/// stand in `keys`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, in store order.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl serde::Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&hex)
    }
}

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = (0..hex.len()).step_by(2).map(|at| {
            let pair = hex.get(at..at + 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let bytes: Option<Arc<[u8]>> = bytes.collect();
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a key must be hexadecimal"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl std::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// The commit that last wrote a key: its sequence number, counted from 1.
pub type Revision = u64;

/// A stored value and the commit that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// Which commit wrote it.
    pub revision: Revision,
    /// The encoded record.
    pub value: Arc<[u8]>,
}

/// What must still hold for a batch to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The key has no value.
    Absent(Key),
    /// The key was last written by this commit.
    At(Key, Revision),
}

impl Precondition {
    /// The key it speaks of.
    pub fn key(&self) -> &Key {
        match self {
            Self::Absent(key) | Self::At(key, _) => key,
        }
    }

    /// Whether it holds for a key whose current revision is `current`.
    pub fn holds(&self, current: Option<Revision>) -> bool {
        match self {
            Self::Absent(_) => current.is_none(),
            Self::At(_, revision) => current == Some(*revision),
        }
    }
}

/// An atomic write. All of it happens, durably, or none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Checked together with the write.
    pub preconditions: Vec<Precondition>,
    /// Absolute values; `None` deletes. A key stands at most once.
    pub writes: BTreeMap<Key, Option<Arc<[u8]>>>,
}

impl Batch {
    /// Whether it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

/// The whole state as a plain map: the model, and the simulator's disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    values: BTreeMap<Key, Versioned>,
    revision: Revision,
}

impl State {
    /// The sequence number of the last commit; 0 when empty.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The current value of a key.
    pub fn get(&self, key: &Key) -> Option<&Versioned> {
        self.values.get(key)
    }

    /// Values in key order from `from` (inclusive) to `to` (exclusive).
    pub fn range<'a>(
        &'a self,
        from: &Key,
        to: &Key,
    ) -> impl DoubleEndedIterator<Item = (&'a Key, &'a Versioned)> {
        let bounds = if from < to {
            (
                Bound::Included(from.as_bytes()),
                Bound::Excluded(to.as_bytes()),
            )
        } else {
            (
                Bound::Included(from.as_bytes()),
                Bound::Excluded(from.as_bytes()),
            )
        };
        self.values.range::<[u8], _>(bounds)
    }

    /// Applies a batch, or names the first precondition that does not hold.
    ///
    /// # Errors
    /// The precondition that failed; nothing was changed.
    pub fn commit(&mut self, batch: &Batch) -> Result<Revision, Precondition> {
        for precondition in &batch.preconditions {
            let current = self.values.get(precondition.key()).map(|v| v.revision);
            if !precondition.holds(current) {
                return Err(precondition.clone());
            }
        }
        let revision = self.revision + 1;
        self.apply(revision, batch);
        Ok(revision)
    }

    /// Applies the writes of a batch as the given commit, whatever its
    /// preconditions say: the replay of a journal, which may repeat.
    pub fn apply(&mut self, revision: Revision, batch: &Batch) {
        self.revision = self.revision.max(revision);
        for (key, value) in &batch.writes {
            match value {
                Some(value) => {
                    let value = Versioned {
                        revision,
                        value: Arc::clone(value),
                    };
                    self.values.insert(key.clone(), value);
                }
                None => {
                    self.values.remove(key);
                }
            }
        }
    }
}
