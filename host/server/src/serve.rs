//! `ringback serve`: puts the parts together, serves until it is told to stop,
//! and stops without losing anything.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::http::HeaderMap;
use ringback_core::engine::Setup;
use ringback_core::model::Secret;
use ringback_sandbox::{Connection, Sandbox};
use ringback_store::{Sled, Store};
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use crate::api::keys::{Holder, Keys, Scope};
use crate::api::{self, ApiState, SessionCheck};
use crate::cli::hostfile::HostFile;
use crate::config::{self, Config, ConnectorTraits, Loaded, Overrides, System};
use crate::dashboard::{Boot, Dashboard, Gatekeeper, OurNumber, Sessions, Simulator};
use crate::refresh::{self, Started};
use crate::runtime::plugins::{self, Plugins};
use crate::runtime::{self, Connector, Connectors, Host, Outside, Parts, Requests, clock};
use crate::simulator::{Network, NetworkOptions, Pace};

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// How long requests under way may take after the order to stop.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a provider may take to answer: an unknown text is shown as one within
/// half a minute.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(25);
/// How often it is looked whether the store still works.
const LOOK: Duration = Duration::from_millis(250);
/// The connector of the pretend phone network.
const SIMULATOR: &str = "simulator";

/// Serves until the process is told to stop.
///
/// # Errors
/// When the configuration is wrong, the store cannot be opened, or the address
/// cannot be bound.
pub(crate) async fn serve(
    file: Option<&Path>,
    overrides: &Overrides,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let mut loaded = load(file, overrides)?;
    for warning in &loaded.warnings {
        warn!("{}", warning.render());
    }
    let data = loaded.config.data.clone();
    std::fs::create_dir_all(&data)
        .with_context(|| format!("could not make the data folder {}", data.display()))?;
    let mut options = ringback_store::Options::new(data.join("store"));
    if let Some(reserve) = loaded.config.reserve {
        (options.reserve_bytes, options.reserve_percent) = (reserve.bytes(), 0);
    }
    let store = tokio::task::spawn_blocking(move || Sled::open(options)).await??;
    let store: Arc<dyn Store> = Arc::new(store);
    let keys = Arc::new(Keys::load(store.as_ref(), &loaded.config.server.api_keys).await?);
    loaded.config.may_listen(keys.len())?;
    let listener = TcpListener::bind(loaded.config.server.listen)
        .await
        .with_context(|| format!("could not listen on {}", loaded.config.server.listen))?;
    let address = listener.local_addr()?;
    loaded.config.server.listen = address;
    let local = format!("http://{}", reachable(address));
    let fresh = loaded.config.clone();
    fill_simulator(&mut loaded.config, &local, &fresh);

    let sandbox = Sandbox::new(ringback_sandbox::Options {
        cache_dir: Some(data.join("cache")),
        ..ringback_sandbox::Options::default()
    })?;
    let plugins = plugins::load(&sandbox, BUILTIN, &loaded.config.plugins).await;
    fit(&mut loaded, &plugins)?;
    let config = loaded.config;
    if config.demo && overrides.workflows.is_none() {
        config::write_demo_workflows(&config.workflows)?;
    }
    let folder = &config.workflows;
    if !folder.is_dir() {
        let text = format!(
            "the workflows folder {} is not there; make it, or name another with --workflows",
            folder.display()
        );
        return Err(crate::cli::Failure::input(text).into());
    }
    let parts = Parts {
        store: Arc::clone(&store),
        setup: setup(&config, &plugins),
        connectors: connectors(&config, &plugins)?,
        outside: Outside::new(&config)?,
        base_url: config.public_base(),
    };
    let host = runtime::start(parts, config.workflows.clone()).await?;
    let key = fresh_key(&keys, &config);
    let app = routes(&host, &config, &keys);
    let _host_file = HostFile::write(&data, &local, &key)?;
    announce(out, &config, &local, &key)?;
    let overrides = overrides.clone();
    let started = Started {
        config,
        overrides,
        sandbox,
        local: local.clone(),
    };
    tokio::spawn(refresh::watch(Arc::clone(&host), started));
    info!("listening on {local}");
    let stopping = Arc::clone(&host);
    let (told, mut order) = tokio::sync::oneshot::channel();
    let serving =
        axum::serve(listener, app.into_make_service()).with_graceful_shutdown(async move {
            stop_signal().await;
            info!("stopping: no more work is taken");
            stopping.refuse();
            // The receiver lives as long as this function.
            let _ = told.send(());
        });
    tokio::select! {
        served = serving => served?,
        why = failure(store.as_ref()) => {
            error!(
                "the store stopped after a failure ({why}); ringback ends, and its next start \
                 takes up what the journal has"
            );
            // Not by returning: nothing of a store that failed is to be put in order.
            std::process::exit(1);
        }
        // Somebody who follows the feed would keep the server open for ever.
        () = async {
            if (&mut order).await.is_ok() {
                tokio::time::sleep(PATIENCE).await;
            } else {
                std::future::pending().await
            }
        } => {}
    }
    host.stop(PATIENCE).await;
    store.close().await?;
    info!("stopped");
    Ok(())
}

/// Waits until the store takes no more commits. Nothing but a start mends that, and
/// a service manager starts only what has ended.
async fn failure(store: &dyn Store) -> String {
    loop {
        if let Some(why) = store.health().await.poisoned {
            return why;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The configuration: the file's, or the demo's where there is none.
fn load(file: Option<&Path>, overrides: &Overrides) -> anyhow::Result<Loaded> {
    let found = match config::find(file) {
        Some(path) => config::load(&path, overrides, &System),
        None => Ok(Loaded::without_file(Config::demo(overrides, &System))),
    };
    found.map_err(|problems| config_error(&problems))
}

/// All problems of a configuration as one error; the caller's exit code is 1.
fn config_error(problems: &[config::Diagnostic]) -> anyhow::Error {
    let text: Vec<String> = problems.iter().map(config::Diagnostic::render).collect();
    crate::cli::Failure::input(text.join("\n")).into()
}

/// The address as somebody on this machine calls it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

/// Gives the connections to the pretend network its address, and a secret of
/// this start where the file gives none; a later call keeps the secret of `before`.
pub(crate) fn fill_simulator(config: &mut Config, local: &str, before: &Config) {
    for (name, connection) in &mut config.connections {
        if connection.connector != SIMULATOR {
            continue;
        }
        let base_url = format!("{local}/simulator/v1");
        connection
            .values
            .entry("base_url".to_owned())
            .or_insert(base_url);
        let earlier = before
            .connections
            .get(name)
            .and_then(|one| one.secrets.get("secret"));
        let secret = earlier.cloned().unwrap_or_else(|| {
            Secret::new(format!("{:032x}{:032x}", clock::seed(), clock::seed()))
        });
        connection
            .secrets
            .entry("secret".to_owned())
            .or_insert(secret);
    }
}

/// Checks the connections' settings against what their components say.
fn fit(loaded: &mut Loaded, plugins: &Plugins) -> anyhow::Result<()> {
    loaded
        .fit(plugins)
        .map_err(|problems| config_error(&problems))
}

impl config::Connectors for Plugins {
    fn check(
        &self,
        connector: &str,
        given: &BTreeMap<String, Option<String>>,
    ) -> Result<Vec<String>, String> {
        let works = self.loaded.contains_key(connector);
        if let Some(problem) = self.failed.get(connector).filter(|_| !works) {
            return Err(format!(
                "the plugin {connector} could not be loaded: {problem}"
            ));
        }
        let description = self
            .loaded
            .get(connector)
            .and_then(|loaded| loaded.plugin.description.as_ref());
        match description {
            Some(description) => Ok(description
                .check(given)
                .iter()
                .map(ToString::to_string)
                .collect()),
            None => {
                let known: Vec<&str> = self
                    .loaded
                    .iter()
                    .filter(|(_, loaded)| loaded.plugin.description.is_some())
                    .map(|(name, _)| name.as_str())
                    .collect();
                Err(format!(
                    "there is no connector {connector:?}; there are {}",
                    known.join(", ")
                ))
            }
        }
    }

    fn is_secret(&self, connector: &str, setting: &str) -> bool {
        self.loaded
            .get(connector)
            .and_then(|loaded| loaded.plugin.description.as_ref())
            .is_some_and(|description| description.is_secret(setting))
    }
}

/// The configuration as the engine sees it.
pub(crate) fn setup(config: &Config, plugins: &Plugins) -> Setup {
    config.setup(|connector| {
        let description = plugins
            .loaded
            .get(connector)
            .and_then(|loaded| loaded.plugin.description.as_ref());
        ConnectorTraits {
            idempotent: description.is_some_and(|one| one.idempotent),
            handles_opt_out: description.is_some_and(|one| one.handles_opt_out),
        }
    })
}

/// The accounts, each with its component.
pub(crate) fn connectors(config: &Config, plugins: &Plugins) -> anyhow::Result<Connectors> {
    let mut by_name = BTreeMap::new();
    for (name, connection) in &config.connections {
        let Some(loaded) = plugins.loaded.get(&connection.connector) else {
            bail!("there is no connector {:?}", connection.connector);
        };
        let settings = Connection {
            name: name.clone(),
            values: connection.values.clone(),
            secrets: connection.secrets.clone(),
        };
        let connector = Connector::new(Arc::clone(&loaded.plugin), settings, loaded.built_in);
        by_name.insert(name.clone(), connector);
    }
    let requests = Requests::new(PROVIDER_TIMEOUT).context("could not set up the HTTP client")?;
    Ok(Connectors::new(by_name, requests))
}

/// A key for the commands on this machine, and for whoever starts the demo. It
/// stands only in memory, and ends with the process.
fn fresh_key(keys: &Keys, config: &Config) -> Secret {
    let name = if config.demo { "demo" } else { "this machine" };
    let (_, key) = keys.for_this_start(name, &[Scope::Admin]);
    Secret::new(key)
}

/// The dashboard's sessions, as the API asks for them.
struct SignedIn(Arc<Sessions<Keys>>);

impl SessionCheck for SignedIn {
    fn check(&self, headers: &HeaderMap, needs_csrf: bool) -> Option<Holder> {
        self.0
            .check(headers, needs_csrf)
            .map(|session| session.grant)
    }
}

impl Gatekeeper for Keys {
    type Grant = Holder;

    fn check_key(&self, key: &str) -> Option<Holder> {
        self.check(key)
    }

    fn stands(&self, grant: &Holder) -> bool {
        Self::stands(self, grant)
    }
}

/// Everything that is served.
fn routes(host: &Arc<Host>, config: &Config, keys: &Arc<Keys>) -> Router {
    let public = config.public_base();
    let secure = public.starts_with("https://");
    let sessions = Arc::new(Sessions::new(Arc::clone(keys), secure, clock::now));
    let state = ApiState::new(
        Arc::clone(host),
        Arc::clone(keys),
        Arc::new(SignedIn(Arc::clone(&sessions))),
        api::Options {
            demo: config.demo,
            ..api::Options::default()
        },
    );
    let simulated = config
        .connections
        .iter()
        .find(|(_, one)| one.connector == SIMULATOR);
    let boot = boot(config);
    let dashboard = Dashboard::new(sessions, move || boot.clone());
    let mut app = api::router(state.clone()).merge(dashboard.routes());
    if let Some((name, connection)) = simulated
        && let Some(secret) = connection.secrets.get("secret")
    {
        let network = Network::new(
            NetworkOptions {
                secret: secret.clone(),
                hooks_base: format!("{public}/hooks/{name}"),
                client: reqwest::Client::new(),
                pace: Pace::default(),
            },
            clock::now,
        );
        app = app.nest("/simulator/v1", network.provider_routes()).nest(
            "/simulator/phone",
            api::guarded(state, network.phone_routes()),
        );
    }
    app
}

/// What the page needs to know before anything else.
fn boot(config: &Config) -> Boot {
    let simulated = |agent: &&ringback_core::engine::Agent| {
        let connection = agent
            .connection
            .as_ref()
            .and_then(|name| config.connections.get(name));
        connection.is_some_and(|one| one.connector == SIMULATOR)
    };
    let numbers: Vec<OurNumber> = config
        .agents
        .values()
        .filter(simulated)
        .flat_map(|agent| {
            agent.numbers.iter().map(|number| OurNumber {
                number: number.clone(),
                agent: agent.name.clone(),
            })
        })
        .collect();
    Boot {
        business: config.business.name.clone(),
        simulator: (!numbers.is_empty()).then_some(Simulator {
            our_numbers: numbers,
        }),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// What a person who started the host reads first.
fn announce(
    out: &mut (dyn Write + Send),
    config: &Config,
    local: &str,
    key: &Secret,
) -> std::io::Result<()> {
    let key = key.expose();
    if !config.demo {
        return writeln!(out, "ringback {} serves {local}", env!("CARGO_PKG_VERSION"));
    }
    let number = config
        .agents
        .values()
        .find_map(|agent| agent.numbers.first());
    let number = number.map_or("+15125550100", |number| number.as_str());
    writeln!(
        out,
        "\nringback {version}, demo mode: there is no ringback.toml here, so everything is pretended\n\
         and nothing leaves this machine.\n\n\
         \x20 Dashboard   {local}/login?key={key}\n\
         \x20 API key     {key}   (for this start only)\n\n\
         Miss a call:\n\n\
         curl -sS -X POST {local}/api/v1/events -H 'x-api-key: {key}' -H 'content-type: application/json' \
         -d '{{\"type\":\"call.missed\",\"from\":\"+15125550142\",\"to\":\"{number}\"}}'\n\n\
         The text is then on the dashboard's phone; answer it there.\n\
         Workflows are the files in {workflows}; drop one in and it serves.\n",
        version = env!("CARGO_PKG_VERSION"),
        workflows = config.workflows.display(),
    )?;
    out.flush()
}

/// Waits until somebody wants the process to end.
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(problem) => {
                warn!("could not listen for SIGTERM: {problem}");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        _ = interrupt => {}
        () = terminate => {}
    }
}
