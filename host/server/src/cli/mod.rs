//! The command line. Owns the words a person types and what is printed for
//! them; the host itself, the store and the parser of workflow files are handed
//! in as [`Seams`], so that nothing here starts anything by itself.

mod archive;
mod check;
mod client;
mod data;
mod doctor;
pub(crate) mod hostfile;
mod init;
mod keys;
mod letters;
mod output;

use std::ffi::OsString;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::Value as Json;

use crate::config::{self, Config, Connectors, Diagnostic, Environment, Names, Overrides};

use client::Client;
pub(crate) use client::Failure;

/// The arguments of the program.
#[derive(Clone, Debug, Parser)]
#[command(name = "ringback", version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Where things are.
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Where things are, for every command.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Common {
    /// The configuration file [default: ringback.toml, if there is one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "RINGBACK_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// The folder of the store [default: as configured, or data]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RINGBACK_DATA",
        hide_env_values = true
    )]
    pub(crate) data: Option<PathBuf>,
    /// A running host, with its key in RINGBACK_API_KEY [default: the one of the data folder]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "RINGBACK_URL",
        hide_env_values = true
    )]
    pub(crate) url: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the host
    Serve(Serve),
    /// Write a configuration, a first workflow and a plugin folder
    Init {
        /// Where
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Look at configuration and workflows, start nothing, report everything at once
    Check {
        /// Workflow files, or folders of them [default: as configured]
        paths: Vec<PathBuf>,
    },
    /// What is wrong with this installation, and the addresses to give to providers
    Doctor,
    /// Send a text
    Send {
        /// The number to text
        #[arg(long)]
        to: String,
        /// The words
        #[arg(long)]
        body: String,
        /// Who texts [default: the only agent]
        #[arg(long)]
        agent: Option<String>,
    },
    /// Tell the host that something happened
    Event {
        /// What happened
        #[arg(value_enum)]
        kind: EventKind,
        /// Who called or texted
        #[arg(long)]
        from: String,
        /// The number that was called or texted
        #[arg(long)]
        to: String,
        /// The words of a text
        #[arg(long)]
        body: Option<String>,
    },
    /// Workflow runs
    #[command(subcommand)]
    Runs(Runs),
    /// Texts, and those that wait for somebody
    #[command(subcommand)]
    Messages(Messages),
    /// Texts that could not be sent, webhooks that could not be read
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Why the last texts to a number were sent, deferred or refused
    Why {
        /// The contact's number
        number: String,
        /// How many texts
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
        limit: u16,
    },
    /// API keys
    #[command(subcommand)]
    Keys(Keys),
    /// Threads with contacts
    #[command(subcommand)]
    Conversations(Conversations),
    /// Write everything the store holds into one file; no host may run on it
    Export {
        /// The file; it must not be there yet
        file: PathBuf,
    },
    /// Make a store of an exported file, in a data folder that has none
    Import {
        /// What `export` wrote
        file: PathBuf,
    },
    /// Give space that the store no longer needs back to the disk; no host may run on it
    Compact,
    /// Move the store to a database server: not available yet
    Migrate {
        /// Where to
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// A JSON Schema, for editors
    Schema {
        /// Of what
        #[arg(value_enum)]
        of: SchemaOf,
    },
}

/// What `serve` may be told; flags beat variables, variables beat the file.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Serve {
    /// Address and port [default: as configured, or 127.0.0.1:7070]
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "RINGBACK_LISTEN",
        hide_env_values = true
    )]
    pub(crate) listen: Option<SocketAddr>,
    /// What providers call
    #[arg(long, value_name = "URL", env = "RINGBACK_PUBLIC_URL", hide_env_values = true, value_parser = config::public_url)]
    pub(crate) public_url: Option<String>,
    /// The folder of workflow files
    #[arg(
        long,
        value_name = "DIR",
        env = "RINGBACK_WORKFLOWS",
        hide_env_values = true
    )]
    pub(crate) workflows: Option<PathBuf>,
    /// The folder of plugins
    #[arg(
        long,
        value_name = "DIR",
        env = "RINGBACK_PLUGINS",
        hide_env_values = true
    )]
    pub(crate) plugins: Option<PathBuf>,
}

/// The events that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventKind {
    /// A call ended and nobody spoke.
    #[value(name = "call.missed")]
    CallMissed,
    /// A call ended after somebody spoke.
    #[value(name = "call.completed")]
    CallCompleted,
    /// A text came in.
    #[value(name = "message.received")]
    MessageReceived,
}

/// Workflow runs.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Runs {
    /// The newest runs
    List {
        /// Only of this workflow
        #[arg(long)]
        workflow: Option<String>,
        /// Only with this contact
        #[arg(long)]
        contact: Option<String>,
        /// Only in this state
        #[arg(long)]
        status: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// One run and what it did
    Show {
        /// Its id
        id: String,
    },
    /// End a run
    Cancel {
        /// Its id
        id: String,
    },
}

/// Texts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Messages {
    /// The newest texts
    List {
        /// Only in this state: needs_review, unknown, failed, held, queued, …
        #[arg(long)]
        status: Option<String>,
        /// Only with this contact
        #[arg(long)]
        contact: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// Say what became of a text that nobody knows it of
    Decide {
        /// Its id
        id: String,
        /// sent: it was sent; resend: it was not, send it again; drop: it was not, and shall not be
        #[arg(value_parser = ["sent", "resend", "drop"])]
        decision: String,
    },
    /// Let texts that are held for wrong settings try again now
    Retry {
        /// Only of this connection
        #[arg(long)]
        connection: Option<String>,
    },
}

/// Which dead letters.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Letters {
    /// Only texts, or only webhooks
    #[arg(long, value_parser = ["text", "webhook"])]
    pub(crate) kind: Option<String>,
    /// Only of this connection
    #[arg(long)]
    pub(crate) connection: Option<String>,
    /// Only since this time (2026-11-20T09:00:00Z), or so long ago (2h, 3d)
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Only with this reason, a code or words of it
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

/// Texts that could not be sent and webhooks that could not be read.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// All of them, the newest first, with the reason
    List {
        #[command(flatten)]
        which: Letters,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// Send a text again, or read a webhook again
    Replay {
        /// Its id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All that fit, the oldest first
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        which: Letters,
    },
    /// Leave one at that: it was seen
    Drop {
        /// Its id
        id: String,
    },
}

/// API keys.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key; it is shown once
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it may do
        #[arg(long = "scope", value_name = "SCOPE", default_values = ["send", "read"],
              value_parser = ["send", "read", "admin", "agent:override", "connection:override"])]
        scopes: Vec<String>,
    },
    /// All keys, without their values
    List,
    /// Take a key out of use
    Revoke {
        /// Its id
        id: String,
    },
}

/// Threads with contacts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Conversations {
    /// The newest threads
    List {
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// The texts of one thread
    Show {
        /// Its id
        id: String,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
}

/// What there are schemas of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A workflow file
    Workflow,
    /// ringback.toml
    Config,
}

impl Cli {
    /// Reads the arguments, the program's name first. No command means `serve`.
    ///
    /// # Errors
    ///
    /// Wrong usage, or a wish for help: `error.exit()` prints it and ends the
    /// process with 2 or 0.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut arguments: Vec<OsString> = arguments.into_iter().collect();
        let cli = Self::try_parse_from(&arguments)?;
        if cli.command.is_some() {
            return Ok(cli);
        }
        // Once more, so that the variables of `serve` are read.
        arguments.push("serve".into());
        Self::try_parse_from(&arguments)
    }

    /// What stands before the file.
    pub(crate) fn overrides(&self) -> Overrides {
        let serve = match &self.command {
            Some(Command::Serve(serve)) => serve.clone(),
            _ => Serve::default(),
        };
        Overrides {
            listen: serve.listen,
            public_url: serve.public_url,
            data: self.common.data.clone(),
            workflows: serve.workflows,
            plugins: serve.plugins,
        }
    }
}

/// The answer of a part that takes its time.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a workflow file came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checked {
    /// Its id, when it has one.
    pub(crate) id: Option<String>,
    /// Everything there is to say about it.
    pub(crate) problems: Vec<Diagnostic>,
}

/// The parser of workflow files.
pub(crate) trait WorkflowCheck: Sync {
    /// Looks at one file. Without names, those that cannot be known are
    /// warnings.
    fn check(&self, source: &str, file: &str, names: Option<&Names>) -> Checked;

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
        Some(Command::DeadLetters(command)) => {
            letters::letters(&client()?, command, json, out).await?;
        }
        Some(Command::Why { number, limit }) => {
            data::why(&client()?, number, *limit, json, out).await?;
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
        Some(Command::Schema { of }) => {
            let schema = match of {
                SchemaOf::Workflow => seams.workflows.schema(),
                SchemaOf::Config => config::schema(),
            };
            output::json(out, &schema)?;
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests;
