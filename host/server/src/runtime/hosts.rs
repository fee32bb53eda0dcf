//! Which hosts the requests of a connection may go to.

use reqwest::Url;

/// The rules of one connection: its own host, and nothing else.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Addresses from the operator's own settings.
    addresses: Vec<Url>,
    /// Whether the connector is built in, and so may use its provider's public
    /// address where the operator gave none.
    built_in: bool,
}

impl Rules {
    /// Rules from the connection's settings that are addresses.
    pub(super) fn new(addresses: impl Iterator<Item = String>, built_in: bool) -> Self {
        Self {
            addresses: addresses.filter_map(|one| Url::parse(&one).ok()).collect(),
            built_in,
        }
    }

    /// The address, if it may be asked.
    pub(super) fn check(&self, address: &str) -> Result<Url, String> {
        let url = Url::parse(address).map_err(|error| format!("{address:?}: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address must not carry a user name".to_owned());
        }
        let same = |one: &Url| {
            one.scheme() == url.scheme()
                && one.host_str() == url.host_str()
                && one.port_or_known_default() == url.port_or_known_default()
        };
        if self.addresses.iter().any(same) {
            return Ok(url);
        }
        if self.addresses.is_empty() && self.built_in && url.scheme() == "https" {
            return Ok(url);
        }
        let host = url.host_str().unwrap_or("?");
        Err(format!(
            "requests to {}://{host} are not allowed for this connection; \
             set its base_url to that address if they should be",
            url.scheme()
        ))
    }
}
