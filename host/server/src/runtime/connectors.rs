//! Accounts at providers: a component, its settings, and where its requests may go.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringback_sandbox::contract::connector::Kind;
use ringback_sandbox::{Connection, Context, Plugin};

use super::hosts::Rules;
use super::wire::Requests;

/// An account at a provider.
#[derive(Clone)]
pub(crate) struct Connector {
    /// Its component.
    pub plugin: Arc<Plugin>,
    /// Its settings.
    pub settings: Arc<Connection>,
    rules: Rules,
}

impl Connector {
    /// An account with checked settings.
    pub(crate) fn new(plugin: Arc<Plugin>, settings: Connection, built_in: bool) -> Self {
        let addresses: Vec<String> = plugin
            .description
            .iter()
            .flat_map(|description| &description.settings)
            .filter(|setting| setting.kind == Kind::Address)
            .filter_map(|setting| settings.values.get(&setting.name).cloned())
            .collect();
        let rules = Rules::new(addresses.into_iter(), built_in);
        Self {
            plugin,
            settings: Arc::new(settings),
            rules,
        }
    }

    /// What one call of the component is told.
    pub(crate) fn context(&self, label: impl Into<String>) -> Context {
        Context::new(Arc::clone(&self.settings), label)
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// All accounts, by the names of their connections.
#[derive(Clone)]
pub(crate) struct Connectors {
    by_name: BTreeMap<String, Connector>,
    requests: Requests,
}

impl Connectors {
    /// All accounts, and the client their requests go through.
    pub(crate) fn new(by_name: BTreeMap<String, Connector>, requests: Requests) -> Self {
        Self { by_name, requests }
    }

    /// The account of this name.
    pub(crate) fn get(&self, connection: &str) -> Option<&Connector> {
        self.by_name.get(connection)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Connector)> {
        self.by_name.iter()
    }

    pub(super) fn requests(&self) -> &Requests {
        &self.requests
    }
}
