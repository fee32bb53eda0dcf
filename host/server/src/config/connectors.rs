//! A connection's settings against what its connector says it needs. That is
//! known only after the plugins are loaded, so it is a second look at a file
//! that was read before.

use std::collections::BTreeMap;
use std::ops::Range;

use super::diagnostic::{Report, secretive};
use super::secrets::how;
use super::{Config, Diagnostic};

/// What the plugins say about connectors.
pub(crate) trait Connectors {
    /// What is wrong with a connection's settings, one sentence each, with the
    /// setting's name in backticks. `given` holds plain values, and none for a
    /// secret.
    ///
    /// # Errors
    ///
    /// There is no such connector; the sentence names those there are.
    fn check(
        &self,
        connector: &str,
        given: &BTreeMap<String, Option<String>>,
    ) -> Result<Vec<String>, String>;

    /// Whether the connector calls this setting a secret.
    fn is_secret(&self, connector: &str, setting: &str) -> bool;
}

/// Where connections and their settings stand in the file: by connection and
/// setting; the setting is empty for the connection itself.
pub(super) type Places = BTreeMap<(String, String), Place>;

#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The key.
    pub(super) key: Range<usize>,
    /// The value.
    pub(super) value: Range<usize>,
}

/// A configuration and what there is to say about its file.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What the file says.
    pub config: Config,
    /// What does not keep the host from running.
    pub warnings: Vec<Diagnostic>,
    report: Report,
    places: Places,
}

impl Loaded {
    pub(super) fn new(
        config: Config,
        warnings: Vec<Diagnostic>,
        report: Report,
        places: Places,
    ) -> Self {
        Self {
            config,
            warnings,
            report,
            places,
        }
    }

    /// A configuration that did not come from a file.
    pub(crate) fn without_file(config: Config) -> Self {
        Self::new(
            config,
            Vec::new(),
            Report::new("(no file)", ""),
            Places::new(),
        )
    }

    /// Looks at every connection once more with what its connector says. A
    /// value that was read from a variable or a file and is no secret to the
    /// connector becomes a plain value.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in the order of the file.
    pub(crate) fn fit(&mut self, connectors: &dyn Connectors) -> Result<(), Vec<Diagnostic>> {
        for (name, connection) in &mut self.config.connections {
            let connector = connection.connector.clone();
            let place = |setting: &str| {
                let key = (name.clone(), setting.to_owned());
                self.places
                    .get(&key)
                    .or_else(|| self.places.get(&(name.clone(), String::new())))
            };
            let span = |setting: &str| place(setting).map_or(0..0, |place| place.key.clone());
            let opened: Vec<String> = connection
                .secrets
                .keys()
                .filter(|setting| !connectors.is_secret(&connector, setting))
                // Of an unknown setting we do not know that it may be shown.
                .filter(|setting| !secretive(setting))
                .cloned()
                .collect();
            for setting in opened {
                if let Some(secret) = connection.secrets.remove(&setting) {
                    connection
                        .values
                        .insert(setting, secret.expose().to_owned());
                }
            }
            for setting in connection.values.keys() {
                if connectors.is_secret(&connector, setting) {
                    if let Some(place) = place(setting) {
                        self.report.hide(place.value.clone());
                    }
                    let message = format!(
                        "`connections.{name}.{setting}` is a secret and must not stand in the file"
                    );
                    self.report
                        .error(span(setting), message, Some(how(setting)));
                }
            }
            let plain = connection.values.iter();
            let plain = plain.map(|(name, value)| (name.clone(), Some(value.clone())));
            let secret = connection.secrets.keys().map(|name| (name.clone(), None));
            let given: BTreeMap<_, _> = plain.chain(secret).collect();
            match connectors.check(&connector, &given) {
                Ok(problems) => {
                    for problem in problems {
                        let at = span(quoted(&problem));
                        let message = format!("connection `{name}` ({connector}): {problem}");
                        self.report.error(at, message, None);
                    }
                }
                Err(unknown) => self.report.error(span("connector"), unknown, None),
            }
        }
        let (errors, warnings) = self.report.finish();
        self.warnings.extend(warnings);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}

/// The first word in backticks.
fn quoted(sentence: &str) -> &str {
    sentence.split('`').nth(1).unwrap_or_default()
}
