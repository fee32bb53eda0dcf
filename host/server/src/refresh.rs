//! Takes up changes of `ringback.toml`, of the files that its secrets stand in, and
//! of the plugins folder while the host runs. What cannot be used is reported, and what works goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringback_sandbox::Sandbox;
use tracing::{error, info, warn};

use crate::config::{self, Config, Overrides, System};
use crate::runtime::plugins;
use crate::runtime::{Host, Outside};
use crate::serve;

/// How often the files are looked at. Polling and not watching: editors replace
/// the file, and a folder may not be there yet.
const LOOK: Duration = Duration::from_secs(1);

/// What a running host was started with.
pub(crate) struct Started {
    /// The configuration in use.
    pub(crate) config: Config,
    /// What the command line said.
    pub(crate) overrides: Overrides,
    /// Where components run.
    pub(crate) sandbox: Sandbox,
    /// The address the host is reached at on this machine.
    pub(crate) local: String,
}

/// Looks for changes until the host stops.
pub(crate) async fn watch(host: Arc<Host>, mut started: Started) {
    let mut seen = Seen::now(&started.config);
    while !host.is_stopping() {
        tokio::time::sleep(LOOK).await;
        let now = Seen::now(&started.config);
        if now == seen {
            continue;
        }
        // Written in pieces: wait until it stays the same.
        tokio::time::sleep(LOOK / 4).await;
        if Seen::now(&started.config) != now {
            continue;
        }
        seen = now;
        if let Some(config) = take_up(&host, &started).await {
            started.config = config;
            seen = Seen::now(&started.config);
        }
    }
}

/// Reads everything again and takes it into use, if all of it can be used.
async fn take_up(host: &Arc<Host>, started: &Started) -> Option<Config> {
    let before = &started.config;
    let mut loaded = match &before.source {
        None => config::Loaded::without_file(before.clone()),
        Some(path) => match config::load(path, &started.overrides, &System) {
            Ok(loaded) => loaded,
            Err(problems) => return refused(&problems),
        },
    };
    if loaded.config.data != before.data || loaded.config.reserve != before.reserve {
        warn!("`store` changed: that needs a restart");
    }
    if before.source.is_some()
        && loaded.config.server.listen.port() != 0
        && loaded.config.server.listen != before.server.listen
    {
        warn!("`listen` changed: that needs a restart");
    }
    if loaded.config.server.api_keys != before.server.api_keys {
        warn!("`api_keys` changed: that needs a restart");
    }
    if loaded.config.workflows != before.workflows {
        warn!("`workflows` changed: that needs a restart");
    }
    loaded.config.server.listen = before.server.listen;
    serve::fill_simulator(&mut loaded.config, &started.local, before);
    let plugins = plugins::load(&started.sandbox, serve::BUILTIN, &loaded.config.plugins).await;
    if let Err(problems) = loaded.fit(&plugins) {
        return refused(&problems);
    }
    let config = loaded.config;
    let made = serve::connectors(&config, &plugins)
        .and_then(|connectors| Ok((connectors, Outside::new(&config)?)));
    match made {
        Ok((connectors, outside)) => {
            host.configure(
                serve::setup(&config, &plugins),
                connectors,
                outside,
                config.public_base(),
            );
            host.try_held_again_soon();
            info!("the configuration is taken up");
            Some(config)
        }
        Err(problem) => {
            error!("the configuration is not taken up: {problem:#}");
            None
        }
    }
}

fn refused(problems: &[config::Diagnostic]) -> Option<Config> {
    for problem in problems {
        error!("{}", problem.render());
    }
    error!("the configuration has errors: the one before stays in use");
    None
}

/// What the files looked like.
#[derive(Debug, PartialEq, Eq)]
struct Seen(Vec<(PathBuf, Option<SystemTime>, u64)>);

impl Seen {
    fn now(config: &Config) -> Self {
        let mut seen: Vec<_> = config.source.iter().filter_map(|path| look(path)).collect();
        // Those that the file names now: the one in use may be another one.
        let secrets = config
            .source
            .iter()
            .flat_map(|path| config::secret_files(path));
        seen.extend(secrets.filter_map(|path| look(&path)));
        if let Ok(entries) = std::fs::read_dir(&config.plugins) {
            let paths = entries.flatten().map(|entry| entry.path());
            let wasm = paths.filter(|path| path.extension().is_some_and(|ending| ending == "wasm"));
            seen.extend(wasm.filter_map(|path| look(&path)));
        }
        seen.sort();
        Self(seen)
    }
}

fn look(path: &Path) -> Option<(PathBuf, Option<SystemTime>, u64)> {
    let data = std::fs::metadata(path).ok()?;
    Some((path.to_owned(), data.modified().ok(), data.len()))
}
