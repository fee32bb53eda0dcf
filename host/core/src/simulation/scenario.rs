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
    /// Taken into service before anything else happens.
    pub workflows: Vec<Arc<Workflow>>,
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
        list: true,
    };
}
