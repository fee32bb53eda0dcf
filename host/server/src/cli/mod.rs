//! The command line. Owns the words a person types ([`arguments`]) and what is
//! printed for them; the host itself, the store and the parser of workflow files are handed
//! in as [`Seams`], so that nothing here starts anything by itself.

mod approvals;
mod archive;
mod arguments;
mod backtest;
mod campaigns;
mod check;
mod client;
mod data;
mod doctor;
pub(crate) mod hostfile;
mod init;
mod keys;
mod letters;
mod output;
mod rehearse;
mod why;

use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::pin::Pin;

use ringback_core::workflow::{File, Workflow};
use serde_json::Value as Json;

use crate::config::{self, Config, Connectors, Diagnostic, Environment, Names};

pub(crate) use arguments::{
    Approvals, Campaigns, Cli, Command, Common, Conversations, DeadLetters, EventKind, Keys,
    Letters, Messages, Runs, SchemaOf,
};
use client::Client;
pub(crate) use client::Failure;

/// The answer of a part that takes its time.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a workflow file came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checked {
    /// What it means, when nothing is wrong with it.
    pub(crate) workflow: Option<Workflow>,
    /// Everything there is to say about it.
    pub(crate) problems: Vec<Diagnostic>,
}

/// The parser of workflow files.
pub(crate) trait WorkflowCheck: Sync {
    /// Looks at one file. Without names, those that cannot be known are
    /// warnings.
    fn check(&self, source: &str, file: &str, names: Option<&Names>) -> Checked;

    /// What is to be said of several files as they stand together.
    fn together(&self, files: &[File<'_>]) -> Vec<Diagnostic>;

    /// The JSON Schema of a file.
    fn schema(&self) -> Json;
}

/// The plugins of a configuration.
pub(crate) trait Plugins: Sync {
    /// Loads the built-in plugins and those of the folder, and gives connections
    /// what the host itself fills in when it starts. Problems of single plugins
    /// come beside those that loaded.
    fn load<'a>(
        &'a self,
        config: &'a mut Config,
    ) -> Later<'a, (Box<dyn Connectors + Send>, Vec<Diagnostic>)>;
}

/// A key, as the API shows it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct KeyRecord {
    /// What `revoke` takes.
    pub(crate) id: String,
    /// What it is for.
    #[serde(default)]
    pub(crate) name: String,
    /// What it may do.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// The key itself, only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// When it was made, RFC 3339.
    #[serde(default, rename = "createdAt", skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<String>,
}

/// Keys in a store that no host has open. Errors are sentences; when a host
/// holds the store they say who.
pub(crate) trait OfflineKeys: Sync {
    /// Makes a key and stores its hash.
    fn create<'a>(
        &'a self,
        data: &'a Path,
        name: &'a str,
        scopes: &'a [String],
    ) -> Later<'a, Result<KeyRecord, String>>;

    /// All keys, without their values.
    fn list<'a>(&'a self, data: &'a Path) -> Later<'a, Result<Vec<KeyRecord>, String>>;

    /// Takes a key out of use; false when there is none of this id.
    fn revoke<'a>(&'a self, data: &'a Path, id: &'a str) -> Later<'a, Result<bool, String>>;
}

/// What was taken out of a store, or into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Archived {
    /// Keys with their values.
    pub(crate) records: u64,
    /// The last commit in it.
    pub(crate) revision: u64,
    /// The length of the file in bytes.
    pub(crate) bytes: u64,
}

/// A store that no host has open, as a whole. Errors are sentences; when a host
/// holds the store they say who.
pub(crate) trait Archives: Sync {
    /// Writes everything into a file, whole or not at all.
    fn export<'a>(&'a self, store: &'a Path, file: &'a Path)
    -> Later<'a, Result<Archived, String>>;

    /// Makes a store of a file, in a folder that is empty or not there.
    fn import<'a>(&'a self, file: &'a Path, store: &'a Path)
    -> Later<'a, Result<Archived, String>>;

    /// Gives space back: bytes before and after.
    fn compact<'a>(&'a self, store: &'a Path) -> Later<'a, Result<(u64, u64), String>>;
}

/// Everything the commands need from the rest of the program.
#[derive(Clone, Copy)]
pub(crate) struct Seams<'a> {
    /// Variables and files of secrets.
    pub(crate) environment: &'a (dyn Environment + Sync),
    /// The parser of workflow files.
    pub(crate) workflows: &'a dyn WorkflowCheck,
    /// The plugins.
    pub(crate) plugins: &'a dyn Plugins,
    /// Keys without a host.
    pub(crate) keys: &'a dyn OfflineKeys,
    /// A store as a whole, without a host.
    pub(crate) archives: &'a dyn Archives,
    /// Bytes that are free where a folder is or would be.
    pub(crate) free_space: fn(&Path) -> Option<u64>,
}

/// Where output goes.
pub(crate) struct Io<'a> {
    /// What was asked for.
    pub(crate) out: &'a mut (dyn Write + Send),
    /// What went wrong.
    pub(crate) err: &'a mut (dyn Write + Send),
}

/// Does everything but `serve`, which the caller does. Returns the exit code: 0
/// fine, 1 the input is at fault, 2 wrong usage, 3 the host could not be
/// reached or failed.
pub(crate) async fn run(cli: &Cli, seams: Seams<'_>, io: &mut Io<'_>) -> u8 {
    let done = match dispatch(cli, seams, io.out).await {
        Ok(code) => io.out.flush().map(|()| code).map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    match done {
        Ok(code) => code,
        // Whoever read our output went away, as `head` does.
        Err(Failure::Output(_)) => 0,
        Err(failure) => {
            drop(writeln!(io.err, "error: {failure}"));
            failure.code()
        }
    }
}

async fn dispatch(
    cli: &Cli,
    seams: Seams<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, Failure> {
    let common = &cli.common;
    let json = common.json;
    let client = || Client::find(common, seams.environment);
    match cli.command.as_ref() {
        None | Some(Command::Serve(_)) => {
            return Err(Failure::Usage("serve is not done here".to_owned()));
        }
        Some(Command::Init { dir }) => init::init(dir, json, out)?,
        Some(Command::Check { paths }) => return check::check(cli, paths, seams, out).await,
        Some(Command::Test { paths }) => return rehearse::test(cli, paths, seams, out),
        Some(Command::Simulate(wanted)) => return rehearse::simulate(cli, wanted, seams, out),
        Some(Command::Backtest { file, since }) => {
            backtest::backtest(&client()?, file, since, json, out).await?;
        }
        Some(Command::Doctor) => return doctor::doctor(cli, seams, out).await,
        Some(Command::Send { to, body, agent }) => {
            data::send(&client()?, to, body, agent.as_deref(), json, out).await?;
        }
        Some(Command::Event {
            kind,
            from,
            to,
            body,
        }) => data::event(&client()?, *kind, from, to, body.as_deref(), json, out).await?,
        Some(Command::Runs(command)) => data::runs(&client()?, command, json, out).await?,
        Some(Command::Messages(command)) => {
            letters::messages(&client()?, command, json, out).await?;
        }
        Some(Command::Approvals(command)) => {
            approvals::approvals(&client()?, command, json, out).await?;
        }
        Some(Command::Campaigns(command)) => {
            campaigns::campaigns(&client()?, command, json, out).await?;
        }
        Some(Command::DeadLetters(command)) => {
            letters::letters(&client()?, command, json, out).await?;
        }
        Some(Command::Why { number, limit }) => {
            why::why(&client()?, number, *limit, json, out).await?;
        }
        Some(Command::Keys(command)) => keys::keys(common, command, seams, out).await?,
        Some(Command::Conversations(command)) => {
            data::conversations(&client()?, command, json, out).await?;
        }
        Some(Command::Export { file }) => {
            archive::export(common, file, seams.archives, out).await?;
        }
        Some(Command::Import { file }) => {
            archive::import(common, file, seams.archives, out).await?;
        }
        Some(Command::Compact) => archive::compact(common, seams.archives, out).await?,
        Some(Command::Migrate { to }) => return Err(archive::migrate(to)),
        Some(Command::Schema { of }) => match of {
            SchemaOf::Workflow => output::json(out, &seams.workflows.schema())?,
            SchemaOf::Config => output::json(out, &config::schema())?,
            SchemaOf::Reference => write!(out, "{}", ringback_core::workflow::reference())?,
        },
    }
    Ok(0)
}

#[cfg(test)]
mod tests;
