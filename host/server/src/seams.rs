//! What the command line needs from the rest of the program, without a host.

use std::path::Path;

use ringback_core::engine::Reading;
use ringback_core::workflow::{self, File, Known};
use ringback_sandbox::Sandbox;
use ringback_store::{Sled, Store as _};
use serde_json::Value as Json;
use std::sync::Arc;

use crate::api::keys::{ApiKey, Keys, Scope};
use crate::cli::{Checked, KeyRecord, Later, OfflineKeys, Plugins, WorkflowCheck};
use crate::config::{Config, Connectors, Diagnostic, Names, Severity};
use crate::runtime::plugins;
use crate::serve;

/// The parser of workflow files.
pub(crate) struct Files;

impl WorkflowCheck for Files {
    fn check(&self, source: &str, file: &str, names: Option<&Names>) -> Checked {
        let mut known = Known {
            checks: Arc::new(Reading),
            ..Known::default()
        };
        if let Some(names) = names {
            known.agents = Some(names.agents.clone());
            known.hours = Some(names.hours.clone());
            known.people = Some(names.people.clone());
            known.templates = Some(names.templates.clone());
            known.secrets = Some(names.secrets.clone());
            known.models = Some(names.models.clone());
            known.tools = Some(names.tools.clone());
        }
        let parsed = workflow::parse(source, file, &known);
        let (workflow, errors) = match parsed.result {
            Ok(workflow) => (Some(workflow), Vec::new()),
            Err(errors) => (None, errors),
        };
        let problems = errors
            .into_iter()
            .chain(parsed.warnings)
            .map(diagnostic)
            .collect();
        Checked { workflow, problems }
    }

    fn together(&self, files: &[File<'_>]) -> Vec<Diagnostic> {
        let found = workflow::together(files).into_iter();
        found.map(diagnostic).collect()
    }

    fn schema(&self) -> Json {
        workflow::schema()
    }
}

fn diagnostic(one: workflow::Diagnostic) -> Diagnostic {
    Diagnostic {
        severity: match one.severity {
            workflow::Severity::Error => Severity::Error,
            workflow::Severity::Warning => Severity::Warning,
        },
        file: one.file,
        line: one.line,
        column: one.column,
        length: one.length,
        message: one.message,
        help: one.help,
        source_line: one.source_line,
        mark: None,
    }
}

/// The plugins, loaded only to ask them what they are.
pub(crate) struct Components;

impl Plugins for Components {
    fn load<'a>(
        &'a self,
        config: &'a mut Config,
    ) -> Later<'a, (Box<dyn Connectors + Send>, Vec<Diagnostic>)> {
        Box::pin(async move {
            let before = config.clone();
            let local = format!("http://{}", config.server.listen);
            serve::fill_simulator(config, &local, &before);
            let cache = config.data.join("cache");
            let options = ringback_sandbox::Options {
                // Looking around makes no folders.
                cache_dir: cache.is_dir().then_some(cache),
                ..ringback_sandbox::Options::default()
            };
            let loaded = match Sandbox::new(options) {
                Ok(sandbox) => plugins::load(&sandbox, serve::BUILTIN, &config.plugins).await,
                Err(problem) => {
                    let problem = Diagnostic::whole("plugins", problem.to_string());
                    return (Box::new(plugins::Plugins::default()) as _, vec![problem]);
                }
            };
            let problems = loaded
                .failed
                .iter()
                .map(|(name, problem)| {
                    let file = config.plugins.join(format!("{name}.wasm"));
                    Diagnostic::whole(&file.display().to_string(), problem.clone())
                })
                .collect();
            (Box::new(loaded) as _, problems)
        })
    }
}

/// Keys in a store that no host has open.
pub(crate) struct StoredKeys;

impl StoredKeys {
    async fn open(data: &Path) -> Result<(Sled, Keys), String> {
        let options = ringback_store::Options::new(data.join("store"));
        std::fs::create_dir_all(data)
            .map_err(|error| format!("could not make {}: {error}", data.display()))?;
        let store = tokio::task::spawn_blocking(move || Sled::open(options))
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        let keys = Keys::load(&store, &[])
            .await
            .map_err(|error| error.to_string())?;
        Ok((store, keys))
    }
}

fn shown(key: &ApiKey, plain: Option<String>) -> KeyRecord {
    KeyRecord {
        id: key.id.clone(),
        name: key.name.clone(),
        scopes: key
            .scopes
            .iter()
            .map(|scope| scope.word().to_owned())
            .collect(),
        key: plain,
        created_at: Some(key.created_at.to_string()),
    }
}

impl OfflineKeys for StoredKeys {
    fn create<'a>(
        &'a self,
        data: &'a Path,
        name: &'a str,
        scopes: &'a [String],
    ) -> Later<'a, Result<KeyRecord, String>> {
        Box::pin(async move {
            let (store, keys) = Self::open(data).await?;
            let scopes: Vec<Scope> = scopes
                .iter()
                .filter_map(|word| Scope::parse(word))
                .collect();
            let made = keys
                .create(&store, name, &scopes)
                .await
                .map_err(|e| e.to_string())?;
            store.close().await.map_err(|error| error.to_string())?;
            Ok(shown(&made.0, Some(made.1)))
        })
    }

    fn list<'a>(&'a self, data: &'a Path) -> Later<'a, Result<Vec<KeyRecord>, String>> {
        Box::pin(async move {
            let (store, keys) = Self::open(data).await?;
            let listed = keys.list();
            store.close().await.map_err(|error| error.to_string())?;
            let standing = listed.iter().filter(|key| key.revoked_at.is_none());
            Ok(standing.map(|key| shown(key, None)).collect())
        })
    }

    fn revoke<'a>(&'a self, data: &'a Path, id: &'a str) -> Later<'a, Result<bool, String>> {
        Box::pin(async move {
            let (store, keys) = Self::open(data).await?;
            let known = keys.list().iter().any(|key| key.id == id);
            if known {
                keys.revoke(&store, id)
                    .await
                    .map_err(|error| error.to_string())?;
            }
            store.close().await.map_err(|error| error.to_string())?;
            Ok(known)
        })
    }
}
