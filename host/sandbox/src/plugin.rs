//! A loaded plugin, and whose behalf it is called on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use ringback_core::model::Secret;
use wasmtime::component::InstancePre;

use crate::bindings::contract::connector::Description;
use crate::bindings::generated::exports::ringback::plugin as exported;
use crate::engine::Host;
use crate::state::State;

/// What a component can be used for: the interfaces it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Carries texts (`texting`).
    Texting,
    /// Carries calls (`calling`).
    Calling,
    /// Completes text (`language-model`).
    Model,
    /// Builds prompts (`prompt-builder`).
    Prompt,
    /// Decides about a contact's text (`text-handler`).
    Handler,
    /// A step of a workflow (`step`).
    Step,
}

impl Role {
    /// Every role with the interface that makes it.
    pub(crate) const ALL: [(Role, &'static str); 6] = [
        (Role::Texting, "texting"),
        (Role::Calling, "calling"),
        (Role::Model, "language-model"),
        (Role::Prompt, "prompt-builder"),
        (Role::Handler, "text-handler"),
        (Role::Step, "step"),
    ];

    /// The name of the interface in `wit/`.
    pub fn interface(self) -> &'static str {
        match self {
            Role::Texting => "texting",
            Role::Calling => "calling",
            Role::Model => "language-model",
            Role::Prompt => "prompt-builder",
            Role::Handler => "text-handler",
            Role::Step => "step",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.interface())
    }
}

/// The settings that a call may see: one connection of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// Its name in the configuration; stands in logs.
    pub name: String,
    /// Plain settings by name. The plugin can read them.
    pub values: BTreeMap<String, String>,
    /// Secret settings by name. The plugin can compute with them and never
    /// sees them.
    pub secrets: BTreeMap<String, Secret>,
}

/// On whose behalf a call is made.
#[derive(Debug, Clone)]
pub struct Context {
    /// The connection whose settings apply.
    pub connection: Arc<Connection>,
    /// The run or text that the call is about, for the log. May be empty.
    pub label: String,
}

impl Context {
    /// A context for one call.
    pub fn new(connection: Arc<Connection>, label: impl Into<String>) -> Self {
        Self {
            connection,
            label: label.into(),
        }
    }
}

/// Where the functions of each role are inside the component.
#[derive(Clone, Default)]
pub(crate) struct Exports {
    pub(crate) connector: Option<exported::connector::GuestIndices>,
    pub(crate) texting: Option<exported::texting::GuestIndices>,
    pub(crate) calling: Option<exported::calling::GuestIndices>,
    pub(crate) model: Option<exported::language_model::GuestIndices>,
    pub(crate) prompt: Option<exported::prompt_builder::GuestIndices>,
}

/// A component that compiled, linked and started once. Cheap to share; calls
/// in flight keep it alive after a newer version took its place.
pub struct Plugin {
    /// The name it was loaded under.
    pub name: String,
    /// BLAKE3 of the component's bytes, in lower hex.
    pub digest: String,
    /// What it can be used for; never empty.
    pub roles: BTreeSet<Role>,
    /// What it says about itself; present for every connector.
    pub description: Option<Description>,
    pub(crate) host: Arc<Host>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Exports,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}
