//! From the configuration to what the engine knows of it.

use ringback_core::engine::{Connection, OutsideNames, Setup};

use super::Config;

/// What a connector says of itself that decisions depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectorTraits {
    /// The provider suppresses repeats by our id.
    pub idempotent: bool,
    /// The provider answers STOP by itself.
    pub handles_opt_out: bool,
}

impl Config {
    /// The part of the configuration that decisions depend on. `traits` is
    /// asked for each connection's connector.
    pub(crate) fn setup(&self, traits: impl Fn(&str) -> ConnectorTraits) -> Setup {
        let connection = |(name, config): (&String, &super::ConnectionConfig)| {
            let traits = traits(&config.connector);
            let connection = Connection {
                name: name.clone(),
                idempotent: traits.idempotent,
                handles_opt_out: config.handles_opt_out.unwrap_or(traits.handles_opt_out),
                chooses_sender: config.sender_pool,
                segment_us: config.segment_us,
                settle_ms: u64::try_from(config.settle.as_millis()).unwrap_or(u64::MAX),
            };
            (name.clone(), connection)
        };
        Setup {
            business: self.business.clone(),
            agents: self.agents.clone(),
            connections: self.connections.iter().map(connection).collect(),
            people: self.people.clone(),
            templates: self.templates.clone(),
            hours: self.hours.clone(),
            limits: self.limits.clone(),
            retention: self.retention.clone(),
            outside: Some(OutsideNames {
                secrets: self.secrets.keys().cloned().collect(),
                models: self.models.keys().cloned().collect(),
                tools: self.tools.clone(),
            }),
        }
    }
}
