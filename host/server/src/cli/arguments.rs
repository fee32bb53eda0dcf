//! The words a person types, as clap reads them. What they do stands in the other
//! files of `cli`.

mod records;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{self, Overrides};
pub(crate) use records::{
    Approvals, Campaigns, Conversations, DeadLetters, Keys, Letters, Messages, Runs,
};

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
    /// Play the tests of workflow files, in virtual time; nothing is sent
    Test {
        /// Workflow files, or folders of them [default: as configured]
        paths: Vec<PathBuf>,
    },
    /// Play a workflow through in virtual time, as a chat; nothing is sent
    Simulate(Simulate),
    /// Play what has happened here through an edited file and the version in service; nothing is sent
    Backtest {
        /// The workflow file
        file: PathBuf,
        /// Since this time (2026-11-20T09:00:00Z), or so long ago (12h, 30d)
        #[arg(long, default_value = "30d")]
        since: String,
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
    /// Texts that wait for a person's word, and the word
    #[command(subcommand)]
    Approvals(Approvals),
    /// What came of campaigns, and the switch that holds them
    #[command(subcommand)]
    Campaigns(Campaigns),
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

/// What happens in a `simulate`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Simulate {
    /// The workflow file
    pub(crate) file: PathBuf,
    /// What starts it: call.missed, message.received, manual, … [default: the first of the file]
    #[arg(long, value_name = "EVENT")]
    pub(crate) on: Option<String>,
    /// What the contact writes, for a start with a text
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// An input of a manual start, or a field of the event
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) input: Vec<String>,
    /// What the contact answers, and how long after the start: "1d: yes"
    #[arg(long, value_name = "WHEN: TEXT")]
    pub(crate) reply: Vec<String>,
    /// A call with the contact: "2h: answered", completed or missed
    #[arg(long, value_name = "WHEN: END")]
    pub(crate) call: Vec<String>,
    /// What somebody answers who has to approve a text: "5m: reject", send or none
    #[arg(long, value_name = "WHEN: ANSWER")]
    pub(crate) approve: Vec<String>,
    /// What becomes of texts: delivered, undelivered, failed, refused; "1d: failed" from then on
    #[arg(long, value_name = "FATE")]
    pub(crate) deliver: Vec<String>,
    /// When it starts: 2026-11-30T09:00:00Z, or a time on the business's clock [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// The contact's number
    #[arg(long, value_name = "NUMBER")]
    pub(crate) contact: Option<String>,
    /// The contact's time zone
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// What is known of the contact: first_name=Ann
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) field: Vec<String>,
    /// Whose number it concerns
    #[arg(long)]
    pub(crate) agent: Option<String>,
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

/// What there are schemas of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A workflow file
    Workflow,
    /// ringback.toml
    Config,
    /// Not a schema: the reference of workflow files as a page, in Markdown
    Reference,
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
