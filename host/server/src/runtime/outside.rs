//! What steps want done outside, beside texts and calls: requests, questions to
//! models, rows of files. Each is one answer within its time; what is known of its
//! effect is judged here, by whoever saw the wire.

mod http;
mod models;
mod reach;
mod rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringback_core::engine::{Ask, Work, WorkResult};
use ringback_core::model::{Problem, Secret};

use super::Host;
use crate::config::{Config, Model};
pub(crate) use rows::of_file as read_rows;

/// What the configuration says about it.
#[derive(Clone)]
pub(crate) struct Outside {
    http: http::Client,
    secrets: BTreeMap<String, Secret>,
    models: BTreeMap<String, Model>,
    /// Paths of files are relative to it.
    folder: PathBuf,
}

impl Outside {
    /// # Errors
    /// When the TLS roots of the system cannot be used.
    pub(crate) fn new(config: &Config) -> Result<Self, reqwest::Error> {
        let folder = config.source.as_ref().and_then(|file| file.parent());
        Ok(Self {
            http: http::Client::new(&config.http_hosts)?,
            secrets: config.secrets.clone(),
            models: config.models.clone(),
            folder: folder.map(PathBuf::from).unwrap_or_default(),
        })
    }

    /// The folder that paths of files are relative to.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A secret by the name that workflow files use.
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.secrets.get(name).cloned()
    }
}

/// Does what a step wants, within its time.
pub(super) async fn work(host: &Arc<Host>, work: &Work) -> WorkResult {
    let outside = host.outside();
    let doing = async {
        match &work.ask {
            Ask::Http(request) => {
                outside
                    .http
                    .perform(request, &work.key, &outside.secrets)
                    .await
            }
            Ask::Rows { of } => rows::read(host, &outside.folder, of).await,
            Ask::Compose(_) | Ask::Classify { .. } | Ask::Extract { .. } => {
                models::ask(host, &outside.models, &work.ask).await
            }
            Ask::Uses { plugin, .. } => failed(
                "no_plugin",
                format!("there is no plugin {plugin:?} with a step"),
                false,
            ),
        }
    };
    match tokio::time::timeout(Duration::from_secs(work.seconds), doing).await {
        Ok(result) => result,
        Err(_) => {
            let text = format!("no answer within {} s", work.seconds);
            if work.ask.is_harmless() {
                return failed("timeout", text, true);
            }
            WorkResult::Unknown(problem("timeout", text))
        }
    }
}

fn problem(code: &str, text: impl Into<String>) -> Problem {
    Problem {
        code: code.to_owned(),
        text: text.into(),
    }
}

fn failed(code: &str, text: impl Into<String>, again: bool) -> WorkResult {
    WorkResult::Failed {
        problem: problem(code, text),
        again,
    }
}
