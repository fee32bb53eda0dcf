//! The sections of the file about the host itself and its connections. What
//! cannot be read is reported and replaced by its default, so that the rest is
//! still looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use ringback_core::engine::{Business, Limits};
use ringback_core::model::Secret;
use ringback_core::sms;
use ringback_core::workflow::expression::Template;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::connectors::{Place, Places};
use super::diagnostic::{Report, secretive};
use super::people;
use super::reader::{Item, Section, nearest};
use super::secrets::{self, Sources, is_source};
use super::{Config, ConnectionConfig, Environment, LISTEN, Overrides, SETTLE, Server, folder};

/// Said of keys that a later release knows.
pub(super) const NOT_YET: &str = "is not available in this version yet";

/// The longest settle time.
const DAY: Duration = Duration::from_secs(86_400);

/// Reads the whole document. The configuration is of use only when nothing was
/// reported as an error.
pub(super) fn read(
    root: &Spanned<DeTable<'_>>,
    path: &Path,
    overrides: &Overrides,
    environment: &dyn Environment,
    report: &Report,
) -> (Config, Places) {
    let base = folder(path);
    let sources = Sources {
        environment,
        base: base.clone(),
    };
    let mut root = Section::new("", root.span(), root.get_ref(), report);
    let server = server(&mut root, overrides, &sources);
    let (data, reserve) = store(&mut root, overrides, &base);
    let (workflows, plugins) = paths(&mut root, overrides, &base);
    let business = business(&mut root, report);
    let hours = people::hours(&mut root, &business.zone);
    let people = people::people(&mut root);
    let templates = templates(&mut root);
    let limits = limits(&mut root);
    let retention = super::retention::retention(&mut root);
    let secrets = named_secrets(&mut root, &sources);
    let http_hosts = super::outside::hosts(&mut root);
    let models = super::outside::models(&mut root);
    let (connections, places) = connections(&mut root, &sources);
    let agents = people::agents(&mut root, &connections, &sources);
    let tools = later(&mut root);
    root.finish();
    let config = Config {
        source: Some(path.to_path_buf()),
        demo: false,
        server,
        data,
        reserve,
        workflows,
        plugins,
        business,
        hours: Arc::new(hours),
        people,
        templates,
        limits,
        retention,
        secrets,
        http_hosts,
        models,
        tools,
        connections,
        agents,
    };
    if config.may_listen(0).is_err() {
        let message = format!(
            "{} can be reached from other machines and [server] has no api_keys; the host starts \
             only when `ringback keys create --name NAME` has made one",
            config.server.listen
        );
        let help = "add api_keys = [{ env = \"RINGBACK_API_KEY\" }], or listen on 127.0.0.1";
        report.warning(0..0, message, Some(help.to_owned()));
    }
    (config, places)
}

/// A section under the root, when it is there and a table.
pub(super) fn section<'a>(root: &mut Section<'a>, name: &'static str) -> Option<Section<'a>> {
    root.take(name)?.section()
}

fn server(root: &mut Section<'_>, overrides: &Overrides, sources: &Sources<'_>) -> Server {
    let mut server = Server {
        listen: LISTEN,
        public_url: None,
        api_keys: Vec::new(),
    };
    if let Some(mut section) = section(root, "server") {
        let listen = section.take("listen");
        let wanted = "an address and a port such as 127.0.0.1:7070";
        if let Some(listen) = listen.and_then(|item| item.parsed(wanted)) {
            server.listen = listen;
        }
        if let Some(item) = section.take("public_url")
            && let Some(text) = item.text()
        {
            match super::public_url(text) {
                Ok(url) => server.public_url = Some(url),
                Err(wrong) => item.error(format!("`{}` {wrong}", item.path), None),
            }
        }
        let keys = section.take("api_keys");
        for item in keys.iter().flat_map(api_keys) {
            server.api_keys.extend(sources.read(&item));
        }
        section.finish();
    }
    server.listen = overrides.listen.unwrap_or(server.listen);
    server.public_url = overrides.public_url.clone().or(server.public_url);
    server
}

/// One key alone is a likely mistake whose value must not be shown.
fn api_keys<'a>(item: &Item<'a>) -> Vec<Item<'a>> {
    if item.value.is_str() {
        secrets::plain(item);
        return Vec::new();
    }
    item.list()
}

fn store(
    root: &mut Section<'_>,
    overrides: &Overrides,
    base: &Path,
) -> (PathBuf, Option<super::Size>) {
    let (mut data, mut reserve) = (base.join("data"), None);
    if let Some(mut section) = section(root, "store") {
        if let Some(item) = section.take("url")
            && let Some(url) = item.text()
        {
            match url.split_once(':') {
                Some(("sled", path)) if !path.is_empty() => data = base.join(path),
                // The address may hold a password: it is not repeated.
                Some(("postgres" | "postgresql", _)) => {
                    item.report.hide(item.span.clone());
                    let help = "the embedded store is \"sled:data\"";
                    item.error(format!("a store in PostgreSQL {NOT_YET}"), Some(help));
                }
                _ => item.error(
                    "`store.url` must be sled: and a folder",
                    Some("write \"sled:data\""),
                ),
            }
        }
        let wanted = "a size such as \"64MiB\" or \"1GiB\"";
        reserve = section.take("reserve").and_then(|item| item.parsed(wanted));
        section.finish();
    }
    (overrides.data.clone().unwrap_or(data), reserve)
}

fn paths(root: &mut Section<'_>, overrides: &Overrides, base: &Path) -> (PathBuf, PathBuf) {
    let (mut workflows, mut plugins) = (base.join("workflows"), base.join("plugins"));
    if let Some(mut section) = section(root, "paths") {
        let mut path = |key, into: &mut PathBuf| {
            if let Some(text) = section.take(key).and_then(|item| item.text()) {
                *into = base.join(text);
            }
        };
        path("workflows", &mut workflows);
        path("plugins", &mut plugins);
        section.finish();
    }
    (
        overrides.workflows.clone().unwrap_or(workflows),
        overrides.plugins.clone().unwrap_or(plugins),
    )
}

fn business(root: &mut Section<'_>, report: &Report) -> Business {
    let mut business = Business {
        name: String::new(),
        zone: "UTC".to_owned(),
    };
    let Some(mut section) = section(root, "business") else {
        let help = "add [business] with name = \"…\" and zone = \"America/Chicago\"";
        let message =
            "there is no [business]: texts that name it are empty there, and times are UTC";
        report.warning(0..0, message, Some(help.to_owned()));
        return business;
    };
    if let Some(name) = section.take("name").and_then(|item| item.text()) {
        business.name = name.trim().to_owned();
    }
    if let Some(zone) = section.take("zone").and_then(|item| zone(&item)) {
        business.zone = zone;
    }
    section.finish();
    business
}

/// The name of a time zone.
pub(super) fn zone(item: &Item<'_>) -> Option<String> {
    let name = item.text()?;
    if TimeZone::get(name).is_ok() {
        return Some(name.to_owned());
    }
    let all: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    // People write the city: look for it after the slash too.
    let city = name.replace(' ', "_");
    let by_city = all.iter().find(|zone| {
        zone.rsplit('/')
            .next()
            .is_some_and(|last| last.eq_ignore_ascii_case(&city))
    });
    let near = by_city
        .map(String::as_str)
        .or_else(|| nearest(name, all.iter().map(String::as_str)));
    let help = near.map_or_else(
        || "write a name such as America/Chicago".to_owned(),
        |near| format!("did you mean \"{near}\"?"),
    );
    item.error(
        format!("`{}`: {name:?} is not a time zone", item.path),
        Some(&help),
    );
    None
}

fn templates(root: &mut Section<'_>) -> BTreeMap<String, Template> {
    let mut section = section(root, "templates");
    let items = section.iter_mut().flat_map(Section::rest);
    let template = |item: Item<'_>| {
        let template = Template::new(item.text()?);
        let template = template
            .map_err(|error| item.error(format!("`{}`: {error}", item.path), None))
            .ok()?;
        Some((item.name.to_owned(), template))
    };
    items.filter_map(template).collect()
}

fn named_secrets(root: &mut Section<'_>, sources: &Sources<'_>) -> BTreeMap<String, Secret> {
    let mut section = section(root, "secrets");
    let items = section.iter_mut().flat_map(Section::rest);
    items
        .filter_map(|item| Some((item.name.to_owned(), sources.read(&item)?)))
        .collect()
}

fn limits(root: &mut Section<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(mut section) = section(root, "limits") else {
        return limits;
    };
    if let Some(item) = section.take("duplicates")
        && let Some(time) = item.duration(Duration::ZERO, 7 * DAY)
    {
        limits.duplicates_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    }
    for item in section.take("countries").iter().flat_map(Item::list) {
        let Some(region) = item.text() else { continue };
        // The number is no matter: the region is looked at first.
        match sms::phone::e164("0", Some(region)) {
            Err(error @ sms::phone::Error::Region { .. }) => {
                item.error(format!("`{}`: {error}", item.path), None);
            }
            _ => limits.countries.push(region.to_ascii_uppercase()),
        }
    }
    if let Some(keep) = section.take("quiet_hours").and_then(|item| item.boolean()) {
        limits.quiet_hours = keep;
    }
    if let Some(attempts) = section.take("attempts").and_then(|item| item.number(1, 50)) {
        limits.attempts = attempts;
    }
    for key in ["per_contact", "per_number", "total"] {
        if let Some(item) = section.take(key) {
            // A cap that is believed in and not kept is worse than none.
            let message = format!("`{}` {NOT_YET}", item.path);
            item.report
                .error(item.key, message, Some("remove it".to_owned()));
        }
    }
    section.finish();
    limits
}

fn connections(
    root: &mut Section<'_>,
    sources: &Sources<'_>,
) -> (BTreeMap<String, ConnectionConfig>, Places) {
    let mut all = BTreeMap::new();
    let mut places = Places::new();
    let mut section = section(root, "connections");
    for item in section.iter_mut().flat_map(Section::rest) {
        if !is_name(item.name) {
            let help = "it is part of an address: use letters, digits, - and _";
            let message = format!("`{}` cannot name a connection", item.name);
            item.report
                .error(item.key.clone(), message, Some(help.to_owned()));
        }
        if let Some(connection) = connection(&item, sources, &mut places) {
            all.insert(item.name.to_owned(), connection);
        }
    }
    (all, places)
}

fn connection(
    item: &Item<'_>,
    sources: &Sources<'_>,
    places: &mut Places,
) -> Option<ConnectionConfig> {
    let mut section = item.section()?;
    let mut remember = |setting: &str, key: &Item<'_>| {
        let place = Place {
            key: key.key.clone(),
            value: key.span.clone(),
        };
        places.insert((item.name.to_owned(), setting.to_owned()), place);
    };
    remember("", item);
    let help = "name the plugin that speaks to the provider: connector = \"twilio\"";
    let connector = section.require("connector", help);
    if let Some(connector) = &connector {
        remember("connector", connector);
    }
    let mut connection = ConnectionConfig {
        connector: connector
            .and_then(|item| item.text())
            .unwrap_or_default()
            .to_owned(),
        values: BTreeMap::new(),
        secrets: BTreeMap::new(),
        settle: SETTLE,
        handles_opt_out: None,
        sender_pool: false,
        segment_us: None,
    };
    if let Some(item) = section.take("settle")
        && let Some(settle) = item.duration(Duration::from_secs(1), DAY)
    {
        connection.settle = settle;
    }
    if let Some(item) = section.take("segments_per_second") {
        connection.segment_us = item.a_second();
    }
    let handles = section.take("handles_opt_out");
    connection.handles_opt_out = handles.and_then(|item| item.boolean());
    let pool = section.take("sender_pool").map(|item| item.boolean());
    for setting in section.rest() {
        remember(setting.name, &setting);
        let name = setting.name.to_owned();
        if secretive(&name) {
            setting.report.hide(setting.span.clone());
        }
        match setting.value {
            value if is_source(value) => {
                if let Some(secret) = sources.read(&setting) {
                    connection.secrets.insert(name, secret);
                }
            }
            DeValue::String(text) => {
                connection.values.insert(name, text.to_string());
            }
            DeValue::Integer(number) => {
                connection.values.insert(name, number.to_string());
            }
            DeValue::Float(number) => {
                connection.values.insert(name, number.to_string());
            }
            DeValue::Boolean(flag) => {
                connection.values.insert(name, flag.to_string());
            }
            _ => setting.wrong("a text, a number, true or false, or { env = \"NAME\" }"),
        }
    }
    // Twilio chooses the sender when a messaging service is named.
    let service =
        |key: &str| connection.values.contains_key(key) || connection.secrets.contains_key(key);
    connection.sender_pool = pool
        .flatten()
        .unwrap_or_else(|| service("messaging_service_sid"));
    Some(connection)
}

/// Whether a name can be part of an address as it is.
fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

/// Sections of later releases. Nothing of this release would use tools and grants, so
/// they are ignored with a word; but workflow files may name the tools already.
fn later(root: &mut Section<'_>) -> BTreeSet<String> {
    let mut tools = BTreeSet::new();
    for name in ["tools", "grants"] {
        if let Some(item) = root.take(name) {
            let help = "it is ignored";
            item.warning(format!("[{name}] {NOT_YET}"), Some(help));
            if let (true, DeValue::Table(table)) = (name == "tools", item.value) {
                tools.extend(table.keys().map(|key| key.get_ref().to_string()));
            }
        }
    }
    tools
}
