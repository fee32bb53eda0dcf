//! Components: the built-in ones and those of the plugins folder, by the same code.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ringback_sandbox::{Plugin, Sandbox};
use tracing::{error, info};

/// The largest component that is read.
const FILE_LIMIT: u64 = 128 * 1024 * 1024;

/// A component in service.
#[derive(Clone)]
pub(crate) struct Loaded {
    /// The component.
    pub plugin: Arc<Plugin>,
    /// Whether it came with the host.
    pub built_in: bool,
}

/// All components, by name, and what is wrong with those that could not be loaded.
#[derive(Clone, Default)]
pub(crate) struct Plugins {
    /// In service.
    pub loaded: BTreeMap<String, Loaded>,
    /// Name and problem of the others.
    pub failed: BTreeMap<String, String>,
}

/// Loads the built-in components and those of the folder. A component of the
/// folder takes the place of a built-in one of the same name. One that cannot be
/// loaded is reported and left out; the host goes on.
pub(crate) async fn load(sandbox: &Sandbox, built_in: &[(&str, &[u8])], folder: &Path) -> Plugins {
    let mut plugins = Plugins::default();
    for (name, wasm) in built_in {
        add(sandbox, &mut plugins, name, wasm, true).await;
    }
    let Ok(entries) = std::fs::read_dir(folder) else {
        // A folder that is not there holds no components.
        return plugins;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "wasm"))
    {
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        let Some(name) = name else { continue };
        let size = std::fs::metadata(&path).map(|data| data.len());
        let bytes = match size {
            Ok(size) if size > FILE_LIMIT => {
                Err(format!("the file has {size} bytes; 128 MiB is the most"))
            }
            _ => tokio::fs::read(&path)
                .await
                .map_err(|error| format!("could not read it: {error}")),
        };
        match bytes {
            Ok(bytes) => add(sandbox, &mut plugins, &name, &bytes, false).await,
            Err(problem) => {
                error!("plugin {}: {problem}", path.display());
                plugins.failed.insert(name, problem);
            }
        }
    }
    plugins
}

async fn add(sandbox: &Sandbox, plugins: &mut Plugins, name: &str, wasm: &[u8], built_in: bool) {
    match sandbox.load(name, wasm).await {
        Ok(plugin) => {
            let roles: Vec<String> = plugin.roles.iter().map(ToString::to_string).collect();
            info!(
                "plugin {name}: {} ({})",
                roles.join(", "),
                if built_in {
                    "built in"
                } else {
                    "from the plugins folder"
                }
            );
            plugins.failed.remove(name);
            plugins
                .loaded
                .insert(name.to_owned(), Loaded { plugin, built_in });
        }
        Err(problem) => {
            error!("plugin {name} is not in service: {problem}");
            plugins.failed.insert(name.to_owned(), problem.to_string());
        }
    }
}
