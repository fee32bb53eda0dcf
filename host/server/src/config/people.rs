//! The sections of the file about people and times: opening hours, people of
//! the business, and the agents with their numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use ringback_core::engine::{Agent, Calls, Inbound, OpeningHours, Person, Voice};
use ringback_core::model::PhoneNumber;
use ringback_core::schedule::Hours;
use toml::de::DeValue;

use super::ConnectionConfig;
use super::reader::{Item, Section, nearest};
use super::secrets::Sources;
use super::sections::{NOT_YET, section, zone};

/// Seconds that a forwarded call rings.
const RING_FOR: u32 = 20;

/// `[hours.…]`
pub(super) fn hours(root: &mut Section<'_>, business_zone: &str) -> OpeningHours {
    let mut section = section(root, "hours");
    let items = section.iter_mut().flat_map(Section::rest);
    let entry = |item: Item<'_>| Some((item.name.to_owned(), week(&item, business_zone)?));
    OpeningHours(items.filter_map(entry).collect())
}

fn week(item: &Item<'_>, business_zone: &str) -> Option<Hours> {
    let mut section = item.section()?;
    let zone = section.take("zone").and_then(|item| zone(&item));
    let zone = zone.unwrap_or_else(|| business_zone.to_owned());
    let closed = section.take("closed");
    let closed: Vec<(Item<'_>, String)> = closed
        .iter()
        .flat_map(Item::list)
        .filter_map(|item| {
            // A date may stand without quotes.
            let text = match item.value {
                DeValue::Datetime(date) => date.to_string(),
                _ => item.text()?.to_owned(),
            };
            Some((item, text))
        })
        .collect();
    let days = section.rest().into_iter();
    let days: Vec<(Item<'_>, &str)> = days
        .filter_map(|item| item.text().map(|text| (item, text)))
        .collect();
    // One by one for the places of errors, then together for what they make.
    let mut sound = true;
    for (item, text) in &days {
        if let Err(error) = Hours::parse(&zone, [(item.name, *text)], []) {
            item.error(format!("`{}`: {error}", item.path), None);
            sound = false;
        }
    }
    for (item, text) in &closed {
        if let Err(error) = Hours::parse(&zone, [], [text.as_str()]) {
            item.error(format!("`{}`: {error}", item.path), None);
            sound = false;
        }
    }
    if !sound {
        return None;
    }
    let entries = days.iter().map(|(item, text)| (item.name, *text));
    let dates = closed.iter().map(|(_, text)| text.as_str());
    Hours::parse(&zone, entries, dates)
        .map_err(|error| {
            let message = format!("`{}`: {error}", item.path);
            item.report.error(item.key.clone(), message, None);
        })
        .ok()
}

/// `[people.…]`
pub(super) fn people(root: &mut Section<'_>) -> BTreeMap<String, Person> {
    let mut section = section(root, "people");
    let items = section.iter_mut().flat_map(Section::rest);
    let person = |item: Item<'_>| {
        let mut section = item.section()?;
        let phone = section.require("phone", "add phone = \"+15125550199\"");
        let phone = phone.and_then(|item| item.phone());
        section.finish();
        Some((item.name.to_owned(), Person { phone: phone? }))
    };
    items.filter_map(person).collect()
}

/// `[agents.…]`, by id.
pub(super) fn agents(
    root: &mut Section<'_>,
    connections: &BTreeMap<String, ConnectionConfig>,
    sources: &Sources<'_>,
) -> BTreeMap<String, Agent> {
    let mut all = BTreeMap::new();
    let mut owners: BTreeMap<PhoneNumber, String> = BTreeMap::new();
    let mut forwards = Vec::new();
    let mut section = section(root, "agents");
    for item in section.iter_mut().flat_map(Section::rest) {
        let Some(mut section) = item.section() else {
            continue;
        };
        let id = section.take("id");
        let mut agent = Agent {
            id: id
                .as_ref()
                .and_then(Item::text)
                .unwrap_or(item.name)
                .to_owned(),
            name: item.name.to_owned(),
            numbers: Vec::new(),
            connection: None,
            calls: None,
            voice: None,
            inbound: Inbound::Off,
        };
        if let Some(name) = section.take("name").and_then(|item| item.text()) {
            agent.name = name.to_owned();
        }
        for number in section.take("numbers").iter().flat_map(Item::list) {
            let Some(phone) = number.phone() else {
                continue;
            };
            match owners.insert(phone.clone(), item.name.to_owned()) {
                Some(other) => {
                    let message = format!("{phone} belongs to agent `{other}` already");
                    let help = "calls and texts of one number belong to one agent";
                    number.error(message, Some(help));
                }
                None => agent.numbers.push(phone),
            }
        }
        agent.connection = connection(&item, &mut section, connections);
        let calls_at = section.take("calls");
        agent.calls = calls_at.as_ref().and_then(calls);
        if let (Some(at), Some(Calls::Forward { to, .. })) = (calls_at, &agent.calls) {
            forwards.push((at, to.clone()));
        }
        agent.voice = section.take("voice").and_then(|item| voice(&item));
        if let Some(item) = section.take("inbound") {
            inbound(&item);
        }
        later(&mut section, sources);
        section.finish();
        let place = id.map_or_else(|| item.key.clone(), |id| id.span);
        let id = agent.id.clone();
        if all.insert(id.clone(), agent).is_some() {
            let message = format!("two agents have the id `{id}`");
            item.report.error(place, message, None);
        }
    }
    for (at, to) in forwards {
        if let Some(owner) = owners.get(&to) {
            let message = format!("calls would come back: {to} is a number of agent `{owner}`");
            at.error(message, Some("forward to a phone that somebody picks up"));
        }
    }
    all
}

fn connection(
    agent: &Item<'_>,
    section: &mut Section<'_>,
    connections: &BTreeMap<String, ConnectionConfig>,
) -> Option<String> {
    let Some(item) = section.take("connection") else {
        let message = format!("agent `{}` has no connection and cannot send", agent.name);
        agent.warning(
            message,
            Some("add connection = \"NAME\" of a [connections.NAME]"),
        );
        return None;
    };
    let name = item.text()?;
    if connections.contains_key(name) {
        return Some(name.to_owned());
    }
    let known = || connections.keys().map(String::as_str);
    let help = match nearest(name, known()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if connections.is_empty() => format!("add [connections.{name}]"),
        None => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
    };
    item.error(format!("there is no connection {name:?}"), Some(&help));
    None
}

fn calls(item: &Item<'_>) -> Option<Calls> {
    const HELP: &str = "write { forward_to = \"+15125550111\", ring_for = \"20s\" } or \"missed\"";
    if let DeValue::String(word) = item.value {
        if word == "missed" {
            return Some(Calls::Missed);
        }
        item.error(format!("`{}` cannot be {word:?}", item.path), Some(HELP));
        return None;
    }
    if !item.value.is_table() {
        item.wrong("\"missed\" or a table with forward_to");
        return None;
    }
    let mut section = item.section()?;
    let to = section.require("forward_to", HELP);
    let to = to.and_then(|item| item.phone());
    let (shortest, longest) = (Duration::from_secs(5), Duration::from_secs(600));
    let ring_for = match section.take("ring_for") {
        Some(item) => item.duration(shortest, longest),
        None => Some(Duration::from_secs(RING_FOR.into())),
    };
    section.finish();
    Some(Calls::Forward {
        to: to?,
        ring_for: u32::try_from(ring_for?.as_secs()).unwrap_or(RING_FOR),
    })
}

fn voice(item: &Item<'_>) -> Option<Voice> {
    let mut section = item.section()?;
    let say = section.take("say");
    let url = section.take("url");
    let agent = section.take("agent");
    section.finish();
    match (say, url, agent) {
        (Some(say), None, None) => Some(Voice::Say(say.text()?.to_owned())),
        (None, Some(url), None) => {
            let text = url.text()?;
            let address = reqwest::Url::parse(text).ok();
            if !address.is_some_and(|url| matches!(url.scheme(), "http" | "https")) {
                url.error(format!("`{}` must be an http(s) address", url.path), None);
                return None;
            }
            Some(Voice::Url(text.to_owned()))
        }
        (None, None, Some(agent)) => Some(Voice::Agent(agent.text()?.to_owned())),
        _ => {
            let message = format!("`{}` needs exactly one of say, url and agent", item.path);
            item.report.error(item.key.clone(), message, None);
            None
        }
    }
}

/// Only `off` exists yet. Anything else would leave texts unanswered that the
/// operator believes are answered, so it is an error.
fn inbound(item: &Item<'_>) {
    let Some(mode) = item.text() else { return };
    match mode {
        "off" => {}
        "auto_reply" | "notify" | "both" => {
            item.error(
                format!("inbound = {mode:?} {NOT_YET}"),
                Some("write \"off\"; workflows on message.received can answer texts"),
            );
        }
        plugin if plugin.starts_with("plugin:") => {
            item.error(
                format!("inbound = {plugin:?} {NOT_YET}"),
                Some("write \"off\""),
            );
        }
        other => {
            let modes = ["auto_reply", "notify", "both", "off"];
            let help = match nearest(other, modes) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "write \"off\"".to_owned(),
            };
            item.error(format!("`{}` cannot be {other:?}", item.path), Some(&help));
        }
    }
}

/// Keys of later releases. Without a model its prompt and the folding of texts
/// mean nothing, so they are ignored with a word; a webhook is waited for.
fn later(section: &mut Section<'_>, sources: &Sources<'_>) {
    for key in ["model", "sms_prompt", "fold"] {
        if let Some(item) = section.take(key) {
            item.warning(format!("`{}` {NOT_YET}", item.path), Some("it is ignored"));
        }
    }
    if let Some(item) = section.take("webhook") {
        // A secret written out here must be found even so.
        if let DeValue::Table(table) = item.value {
            let mut webhook = Section::new(&item.path, item.key.clone(), table, item.report);
            if let Some(secret) = webhook.take("secret") {
                sources.read(&secret);
            }
        }
        let message = format!("`{}` {NOT_YET}: nothing would be sent to it", item.path);
        item.report
            .error(item.key, message, Some("remove it".to_owned()));
    }
}
