//! `ringback.toml`: the file becomes a checked [`Config`], or everything that
//! is wrong with it at once. Owns the keys of the file, their defaults, and the
//! order flag, variable, file. It opens no port and no store, and it knows a
//! connector's settings only through [`Connectors`].

mod connectors;
mod demo;
mod diagnostic;
mod outside;
mod people;
mod reader;
mod retention;
mod schema;
mod secrets;
mod sections;
mod setup;
mod size;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringback_core::engine::{Agent, Business, Limits, OpeningHours, Person, Retention};
use ringback_core::model::Secret;
use ringback_core::workflow::expression::Template;
use toml::de::{DeTable, DeValue};

pub(crate) use connectors::{Connectors, Loaded};
pub(crate) use demo::write_demo_workflows;
pub(crate) use diagnostic::{Diagnostic, Severity};
pub(crate) use outside::Model;
pub(crate) use schema::schema;
#[cfg(test)]
pub(crate) use secrets::SecretFile;
pub(crate) use secrets::{Environment, System};
pub(crate) use setup::ConnectorTraits;
pub(crate) use size::Size;

use diagnostic::Report;

/// The file's name where none is given.
pub(crate) const FILE: &str = "ringback.toml";
/// Where the host listens unless told otherwise.
pub(crate) const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7070);
/// How long an unknown text may stay unlisted before it counts as absent.
pub(crate) const SETTLE: Duration = Duration::from_secs(120);
/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Everything that `ringback.toml`, the variables and the flags say.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file it came from; none in demo mode.
    pub source: Option<PathBuf>,
    /// Whether this is the demo that runs without a file.
    pub demo: bool,
    /// `[server]`
    pub server: Server,
    /// The folder of the store, from `store.url = "sled:PATH"`.
    pub data: PathBuf,
    /// `store.reserve`: how much of the disk stays free; the store's own rule where
    /// nothing is said.
    pub reserve: Option<Size>,
    /// The folder of workflow files.
    pub workflows: PathBuf,
    /// The folder of components that the operator adds.
    pub plugins: PathBuf,
    /// `[business]`
    pub business: Business,
    /// `[hours.…]`
    pub hours: Arc<OpeningHours>,
    /// `[people.…]`
    pub people: BTreeMap<String, Person>,
    /// `[templates]`
    pub templates: BTreeMap<String, Template>,
    /// `[limits]`
    pub limits: Limits,
    /// `[retention]`
    pub retention: Retention,
    /// `[secrets]`, by the names that workflow files use.
    pub secrets: BTreeMap<String, Secret>,
    /// `[http]`: hosts of the own network that workflows may reach.
    pub http_hosts: Vec<String>,
    /// `[models.…]`
    pub models: BTreeMap<String, Model>,
    /// The names of `[tools.…]`, which is all that is read of them yet.
    pub tools: BTreeSet<String>,
    /// `[connections.…]`
    pub connections: BTreeMap<String, ConnectionConfig>,
    /// `[agents.…]`, by id.
    pub agents: BTreeMap<String, Agent>,
}

/// `[server]`
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Where the host listens.
    pub listen: SocketAddr,
    /// What providers call, without a slash at the end.
    pub public_url: Option<String>,
    /// Keys besides those of `ringback keys`; they may do everything.
    pub api_keys: Vec<Secret>,
}

/// An account at a provider.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionConfig {
    /// The plugin that speaks the provider's language.
    pub connector: String,
    /// The connector's own settings that are no secrets.
    pub values: BTreeMap<String, String>,
    /// The connector's own settings that are secrets.
    pub secrets: BTreeMap<String, Secret>,
    /// How long an unknown text may stay unlisted before it counts as absent.
    pub settle: Duration,
    /// What the operator says against the connector's own description.
    pub handles_opt_out: Option<bool>,
    /// The provider chooses the sending number.
    pub sender_pool: bool,
    /// Microseconds that each number takes for a radio segment; none leaves the
    /// pace to the provider.
    pub segment_us: Option<u64>,
}

/// What stands before the file: flags, then variables; already checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// `--listen`, `RINGBACK_LISTEN`
    pub listen: Option<SocketAddr>,
    /// `RINGBACK_PUBLIC_URL`, as [`public_url`] gives it.
    pub public_url: Option<String>,
    /// `--data`, `RINGBACK_DATA`
    pub data: Option<PathBuf>,
    /// `--workflows`, `RINGBACK_WORKFLOWS`
    pub workflows: Option<PathBuf>,
    /// `--plugins`, `RINGBACK_PLUGINS`
    pub plugins: Option<PathBuf>,
}

/// The names that workflow files may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Ids of `[agents.…]`
    pub agents: BTreeSet<String>,
    /// `[hours.…]`
    pub hours: BTreeSet<String>,
    /// `[people.…]`
    pub people: BTreeSet<String>,
    /// `[templates]`
    pub templates: BTreeSet<String>,
    /// `[secrets]`
    pub secrets: BTreeSet<String>,
    /// `[models.…]`
    pub models: BTreeSet<String>,
    /// `[tools.…]`
    pub tools: BTreeSet<String>,
}

/// Why a sound configuration cannot be used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The host would be open to everybody who can reach it.
    #[error(
        "{listen} can be reached from other machines and there is no API key; make one with \
         `ringback keys create --name NAME`, or set [server] api_keys = [{{ env = \"RINGBACK_API_KEY\" }}], \
         or listen on 127.0.0.1"
    )]
    Open {
        /// The address that was asked for.
        listen: SocketAddr,
    },
}

impl Config {
    /// What stands before `/hooks/…`: the public address, or the one the host
    /// listens on. No slash at the end.
    pub(crate) fn public_base(&self) -> String {
        let listen = self.server.listen;
        let public = self.server.public_url.clone();
        public.unwrap_or_else(|| format!("http://{listen}"))
    }

    /// The address that a provider calls: `which` is `text`, `status`, `call`
    /// or `voice`.
    pub(crate) fn hook(&self, connection: &str, which: &str) -> String {
        format!("{}/hooks/{connection}/{which}", self.public_base())
    }

    /// Whether the host may listen where it was told to; `stored` is the number
    /// of keys made by `ringback keys`.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] when anybody could reach it and no key keeps them out.
    pub(crate) fn may_listen(&self, stored: usize) -> Result<(), Error> {
        let listen = self.server.listen;
        if listen.ip().is_loopback() || stored > 0 || !self.server.api_keys.is_empty() {
            return Ok(());
        }
        Err(Error::Open { listen })
    }

    /// The names that workflow files may use.
    pub(crate) fn names(&self) -> Names {
        Names {
            agents: self.agents.keys().cloned().collect(),
            hours: self.hours.0.keys().cloned().collect(),
            people: self.people.keys().cloned().collect(),
            templates: self.templates.keys().cloned().collect(),
            secrets: self.secrets.keys().cloned().collect(),
            models: self.models.keys().cloned().collect(),
            tools: self.tools.clone(),
        }
    }
}

/// The file to read: the one that was named, or `ringback.toml` of the working
/// folder when there is one. None means the demo.
pub(crate) fn find(named: Option<&Path>) -> Option<PathBuf> {
    let here = || Some(PathBuf::from(FILE)).filter(|file| file.exists());
    named.map(Path::to_path_buf).or_else(here)
}

/// Reads a file.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of its lines.
pub(crate) fn load(
    path: &Path,
    overrides: &Overrides,
    environment: &dyn Environment,
) -> Result<Loaded, Vec<Diagnostic>> {
    parse(&read(path)?, path, overrides, environment)
}

fn read(path: &Path) -> Result<String, Vec<Diagnostic>> {
    use std::io::Read;
    let open = || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let name = path.display().to_string();
    let fail = |message: String| vec![Diagnostic::whole(&name, message)];
    let bytes =
        open().map_err(|error: std::io::Error| fail(format!("could not read it: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(fail("it is larger than 1 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8".to_owned()))
}

/// Reads the text of a file. `path` names it in messages, and relative paths
/// in it start from its folder.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of its lines.
pub(crate) fn parse(
    source: &str,
    path: &Path,
    overrides: &Overrides,
    environment: &dyn Environment,
) -> Result<Loaded, Vec<Diagnostic>> {
    let report = Report::new(&path.display().to_string(), source);
    let (root, problems) = DeTable::parse_recoverable(source);
    let broken = !problems.is_empty();
    for problem in problems {
        // What follows a wrong sign makes no sense either.
        let span = problem.span().unwrap_or(0..0);
        report.error(span, problem.message(), None);
    }
    if broken {
        return Err(report.finish().0);
    }
    let (config, places) = sections::read(&root, path, overrides, environment, &report);
    let (errors, warnings) = report.finish();
    if errors.is_empty() {
        Ok(Loaded::new(config, warnings, report, places))
    } else {
        Err(errors)
    }
}

/// Reads an address that providers can call: http or https, no query, no
/// fragment; without a slash at the end.
///
/// # Errors
///
/// What is wrong with it, as a sentence that reads on from its name.
pub(crate) fn public_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text)
        .map_err(|_| "must be an address such as https://followups.example.com".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with https:// (or http://)".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must have no query and no fragment".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user and no password".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The files that the secrets of a configuration are read from, whatever the rest of
/// it says.
pub(crate) fn secret_files(file: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(source) = read(file) {
        let (root, _) = DeTable::parse_recoverable(&source);
        let root = DeValue::Table(root.into_inner());
        secrets::files(&root, &folder(file), &mut found);
    }
    found
}

/// The folder of the store, for commands that only look for a running host
/// there: never fails, whatever the rest of the file says.
pub(crate) fn data_dir(file: Option<&Path>, flag: Option<&Path>) -> PathBuf {
    let from_file = || {
        let file = find(file)?;
        let source = read(&file).ok()?;
        let (root, _) = DeTable::parse_recoverable(&source);
        let store = root.get_ref().get("store")?.get_ref().get("url")?;
        let path = store.get_ref().as_str()?.strip_prefix("sled:")?;
        Some(folder(&file).join(path))
    };
    let beside = || find(file).map(|file| folder(&file).join("data"));
    flag.map(Path::to_path_buf)
        .or_else(from_file)
        .or_else(beside)
        .unwrap_or_else(|| PathBuf::from("data"))
}

/// The folder of a file; empty for the working folder.
fn folder(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}

#[cfg(test)]
mod tests;
