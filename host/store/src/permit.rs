//! Commands are inert until the batch that justifies them is durable. This is
//! the one place that turns a command into something that may be performed.

use ringback_core::model::{Batch, Revision};

use crate::{Commit, Error, Outcome, Store};

/// A command whose batch is durable. Whoever performs commands takes permits
/// only, and by value, so that none is performed without its commit or twice.
#[derive(Debug)]
#[must_use = "a permit that is dropped is a command that is not performed"]
pub struct Permit<C> {
    command: C,
    revision: Revision,
}

impl<C> Permit<C> {
    /// The commit that permits it.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The command, to look at and not to perform.
    pub fn command(&self) -> &C {
        &self.command
    }

    /// Uses the permit up.
    pub fn into_command(self) -> C {
        self.command
    }
}

/// Commits a batch and, only when it is durable, permits the commands that go
/// with it, in order. After a conflict or an error the commands are gone.
///
/// # Errors
/// As [`Store::commit`].
pub async fn commit_with<C>(
    store: &dyn Store,
    batch: Batch,
    commands: Vec<C>,
) -> Result<Outcome<Vec<Permit<C>>>, Error> {
    let revision = match store.commit(batch).await? {
        Commit::Done(proof) => proof.revision(),
        Commit::Conflict(precondition) => return Ok(Outcome::Conflict(precondition)),
    };
    let permit = |command| Permit { command, revision };
    Ok(Outcome::Done(commands.into_iter().map(permit).collect()))
}
