//! What is simulated: the configuration, the workflows, the people, and how
//! often something goes wrong.

use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::Setup;
use crate::model::PhoneNumber;
use crate::workflow::Workflow;

/// The world at the start.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The configuration. A connection's own fields say what its provider can do.
    pub setup: Setup,
    /// The workflow files: taken into service before anything else happens.
    pub workflows: Vec<Arc<Workflow>>,
    /// What the files may become when somebody edits them.
    pub edits: Vec<Arc<Workflow>>,
    /// Who calls and texts.
    pub contacts: Vec<PhoneNumber>,
    /// Where the clock stands at first; whole milliseconds.
    pub start: Timestamp,
    /// What goes wrong.
    pub faults: Faults,
}

/// How often something goes wrong, in a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Commits at which the host crashes, before or after them.
    pub crash: u32,
    /// Attempts that do not simply succeed.
    pub send: u32,
    /// Webhooks that are lost, repeated or late.
    pub webhook: u32,
    /// Inputs that are decided together with another one on the same facts.
    pub race: u32,
    /// Commits that the disk has no room for.
    pub disk: u32,
    /// Whether clocks jump, disks fill up, providers are down and files are
    /// edited.
    pub weather: bool,
    /// Whether the providers can list their texts.
    pub list: bool,
}

impl Faults {
    /// Everything works.
    pub const NONE: Self = Self {
        crash: 0,
        send: 0,
        webhook: 0,
        race: 0,
        disk: 0,
        weather: false,
        list: true,
    };
}

/// A kind of fault that chance brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Crash,
    Send,
    Webhook,
    Race,
    Disk,
    Look,
    /// Not a fault, but left out like one: the reports on a text.
    Report,
}

/// A fault that came about: its kind, the happening it followed from, and the
/// place in that happening's stream of chance.
pub(super) type Hit = (Fault, u32, u32);

/// What of a seed's story is left out: how a failure is made short.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Happenings of the world outside, by their number.
    pub(super) dropped: std::collections::BTreeSet<u32>,
    /// Faults that do not come about.
    pub(super) spared: std::collections::BTreeSet<Hit>,
    /// Workflow files that do not exist.
    pub(super) files: std::collections::BTreeSet<String>,
    /// Whether the time between happenings that are left out is left out as well.
    pub(super) hurry: bool,
    /// Kinds of faults that do not come about.
    pub(super) without: std::collections::BTreeSet<Fault>,
}
