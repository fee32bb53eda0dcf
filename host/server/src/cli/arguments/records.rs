//! The words for what is kept: runs, texts, dead letters, keys, threads.

use clap::{Args, Subcommand};

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
    /// Let a run that failed take the step that failed again, and go on
    Retry {
        /// Its id
        id: String,
    },
    /// End the wait of a run now, as if its time had come
    Wake {
        /// Its id
        id: String,
    },
    /// Take runs under way to the version in service, each at the step where it stands
    Move {
        /// The workflow
        workflow: String,
        /// Only this run
        #[arg(long)]
        run: Option<String>,
        /// Only say which can be moved and which cannot, and why
        #[arg(long)]
        dry_run: bool,
    },
}

/// Texts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Messages {
    /// The newest texts
    List {
        /// Only in this state: needs_review, unknown, failed, held, twice, queued, …
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

/// Texts that wait for a person's word.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Approvals {
    /// Those that wait, the oldest first
    List {
        /// Only those that this person is asked about
        #[arg(long)]
        by: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// Let one go out
    Send {
        /// Its id
        id: String,
        /// In other words
        #[arg(long)]
        body: Option<String>,
        /// Who says so, for the record [default: the key that is used]
        #[arg(long)]
        by: Option<String>,
    },
    /// Let one not go out
    Reject {
        /// Its id
        id: String,
        /// Why not, for the record
        #[arg(long)]
        reason: Option<String>,
        /// Who says so, for the record [default: the key that is used]
        #[arg(long)]
        by: Option<String>,
    },
}

/// Campaigns.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Campaigns {
    /// All of them
    List,
    /// Hold its texts, and start nothing
    Pause {
        /// Its id, as the list shows it
        name: String,
        /// Why, for the record
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let it go on
    Resume {
        /// Its id, as the list shows it
        name: String,
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
