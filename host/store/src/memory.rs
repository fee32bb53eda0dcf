//! A store in memory: the plain model behind a lock. For tests, for `simulate`
//! and as the disk of the simulator. It forgets everything when it is dropped.

use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringback_core::model::{Batch, Key, State, Versioned};

use crate::store::fits;
use crate::{Answer, Commit, Committed, Direction, Error, Health, Store};

/// The model as a store.
#[derive(Debug, Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    closed: bool,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that starts with this state: the disk after a simulated crash.
    pub fn with_state(state: State) -> Self {
        let inner = Inner {
            state,
            closed: false,
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// A copy of everything in it.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere cannot leave it half written: `State` checks first.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, Error> {
        let inner = self.lock();
        if inner.closed {
            return Err(Error::Closed);
        }
        Ok(read(&inner.state))
    }
}

impl Store for Memory {
    fn commit(&self, batch: Batch) -> Answer<'_, Result<Commit, Error>> {
        Box::pin(async move {
            fits(&batch)?;
            let mut inner = self.lock();
            if inner.closed {
                return Err(Error::Closed);
            }
            Ok(match inner.state.commit(&batch) {
                Ok(revision) => Commit::Done(Committed::new(revision)),
                Err(precondition) => Commit::Conflict(precondition),
            })
        })
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Result<Option<Versioned>, Error>> {
        Box::pin(ready(self.read(|state| state.get(key).cloned())))
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> Answer<'a, Result<Vec<Option<Versioned>>, Error>> {
        let all = |state: &State| keys.iter().map(|key| state.get(key).cloned()).collect();
        Box::pin(ready(self.read(all)))
    }

    fn scan<'a>(
        &'a self,
        from: &'a Key,
        to: &'a Key,
        limit: usize,
        direction: Direction,
    ) -> Answer<'a, Result<Vec<(Key, Versioned)>, Error>> {
        let page = |state: &State| {
            if from >= to {
                return Vec::new();
            }
            let pairs = state.range(from, to);
            let own = |(key, value): (&Key, &Versioned)| (key.clone(), value.clone());
            match direction {
                Direction::Forward => pairs.take(limit).map(own).collect(),
                Direction::Backward => pairs.rev().take(limit).map(own).collect(),
            }
        };
        Box::pin(ready(self.read(page)))
    }

    fn health(&self) -> Answer<'_, Health> {
        let revision = self.lock().state.revision();
        Box::pin(ready(Health {
            revision,
            checkpointed: revision,
            ..Health::default()
        }))
    }

    fn checkpoint(&self) -> Answer<'_, Result<(), Error>> {
        Box::pin(ready(self.read(|_| ())))
    }

    fn close(&self) -> Answer<'_, Result<(), Error>> {
        self.lock().closed = true;
        Box::pin(ready(Ok(())))
    }
}
