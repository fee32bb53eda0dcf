//! `doctor`: what is wrong with this installation, and what to paste where at
//! the providers. Looks and changes nothing.

use std::io::Write;
use std::path::Path;

use ringback_core::engine::Agent;
use serde::Serialize;

use super::archive;
use super::check::configuration;
use super::client::{Client, Failure};
use super::hostfile::{self, Address};
use super::{Cli, Seams, output};
use crate::config::{self, Config, Overrides, Severity};

/// Less than this free, and the host would soon stop sending.
const SCARCE: u64 = 512 * 1024 * 1024;

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mood {
    Fine,
    Look,
    Wrong,
}

#[derive(Debug, Serialize)]
struct Finding {
    mood: Mood,
    text: String,
}

/// What to paste at a provider.
#[derive(Debug, Serialize)]
struct Paste {
    connection: String,
    connector: String,
    number: String,
    /// Where in the provider's pages, and the address.
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Field {
    screen: String,
    address: String,
}

#[derive(Debug, Serialize)]
struct Report {
    findings: Vec<Finding>,
    addresses: Vec<Paste>,
}

impl Report {
    fn say(&mut self, mood: Mood, text: impl Into<String>) {
        self.findings.push(Finding {
            mood,
            text: text.into(),
        });
    }
}

/// `doctor`
pub(super) async fn doctor(
    cli: &Cli,
    seams: Seams<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, Failure> {
    let mut report = Report {
        findings: Vec::new(),
        addresses: Vec::new(),
    };
    let seen = configuration(cli, cli.common.config.as_deref(), seams).await;
    for problem in &seen.problems {
        let mood = match problem.severity {
            Severity::Error => Mood::Wrong,
            Severity::Warning => Mood::Look,
        };
        report.say(mood, problem.render());
    }
    let config = match (&seen.file, seen.config) {
        (Some(file), config) => {
            if config.is_some() {
                report.say(Mood::Fine, format!("{} can be used", file.display()));
            }
            config
        }
        (None, _) => {
            report.say(
                Mood::Look,
                "there is no ringback.toml: `serve` runs the demo; `ringback init` writes one",
            );
            let overrides = Overrides {
                data: cli.common.data.clone(),
                ..Overrides::default()
            };
            Some(Config::demo(&overrides, seams.environment))
        }
    };
    let data = config.as_ref().map_or_else(
        || config::data_dir(cli.common.config.as_deref(), cli.common.data.as_deref()),
        |config| config.data.clone(),
    );
    folder(&data, seams.free_space, &mut report);
    if let Some((state, live)) = archive::winnable(&data) {
        let (state, live) = (archive::size(state), archive::size(live));
        report.say(
            Mood::Look,
            format!(
                "the store takes {state} for {live} of records: `ringback compact` gives space back, \
                 while no host runs"
            ),
        );
    }
    if let Some(config) = &config {
        public(config, &mut report);
        report.addresses = pastes(config);
    }
    host(cli, &data, seams, &mut report).await;
    let wrong = report.findings.iter().any(|one| one.mood == Mood::Wrong);
    if cli.common.json {
        output::json(out, &report)?;
    } else {
        print(&report, out)?;
    }
    Ok(u8::from(wrong))
}

/// Whether the store's folder can be written, and has room.
fn folder(data: &Path, free_space: fn(&Path) -> Option<u64>, report: &mut Report) {
    let shown = data.display();
    // The folder is made at the first start: then its parent has to be writable.
    let mut there = data;
    while !there.exists() {
        there = match there.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    let probe = there.join(format!(".ringback-{}", std::process::id()));
    let written = std::fs::write(&probe, "x");
    drop(std::fs::remove_file(&probe));
    match written {
        Ok(()) => report.say(
            Mood::Fine,
            format!("the data folder {shown} can be written"),
        ),
        Err(error) => {
            let text = format!("the data folder {shown} cannot be written: {error}");
            report.say(Mood::Wrong, text);
        }
    }
    match free_space(there) {
        Some(free) if free < SCARCE => {
            let text = format!("only {} MiB are free for {shown}", free / 1_048_576);
            report.say(Mood::Look, text);
        }
        Some(free) => {
            let text = format!("{} MiB are free for it", free / 1_048_576);
            report.say(Mood::Fine, text);
        }
        None => {}
    }
}

/// Whether providers can reach us.
fn public(config: &Config, report: &mut Report) {
    let real = config
        .connections
        .values()
        .any(|connection| connection.connector != "simulator");
    let Some(url) = &config.server.public_url else {
        if real {
            let text = format!(
                "[server] public_url is not set: providers cannot reach {}; put a tunnel or a proxy \
                 with https in front of the host, and its address here",
                config.public_base()
            );
            report.say(Mood::Look, text);
        }
        return;
    };
    let host = reqwest::Url::parse(url).ok();
    let host = host
        .as_ref()
        .and_then(|url| url.host_str())
        .unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let private = match address {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Err(_) => host == "localhost" || host.ends_with(".local"),
    };
    if private {
        let text =
            format!("public_url {url} is an address of this network: providers cannot reach it");
        report.say(Mood::Look, text);
    } else if url.starts_with("http:") {
        let text = format!("public_url {url} is not https: texts and numbers pass in the clear");
        report.say(Mood::Look, text);
    } else {
        report.say(Mood::Fine, format!("providers call {url}"));
    }
}

fn pastes(config: &Config) -> Vec<Paste> {
    let mut all = Vec::new();
    for agent in config.agents.values() {
        let Some(name) = &agent.connection else {
            continue;
        };
        let Some(connection) = config.connections.get(name) else {
            continue;
        };
        for number in &agent.numbers {
            let fields = fields(config, name, &connection.connector, agent);
            if fields.is_empty() {
                continue;
            }
            all.push(Paste {
                connection: name.clone(),
                connector: connection.connector.clone(),
                number: number.to_string(),
                fields,
            });
        }
    }
    all
}

/// Where the addresses go in a provider's pages. The simulator finds them by
/// itself.
fn fields(config: &Config, name: &str, connector: &str, agent: &Agent) -> Vec<Field> {
    let field = |screen: &str, which: &str| Field {
        screen: screen.to_owned(),
        address: config.hook(name, which),
    };
    let mut fields = match connector {
        "simulator" => return Vec::new(),
        // https://www.twilio.com/docs/usage/webhooks: the fields of a number.
        "twilio" => vec![
            field(
                "Messaging > A message comes in > Webhook, HTTP POST",
                "text",
            ),
            field("Voice > A call comes in > Webhook, HTTP POST", "voice"),
            field("Voice > Call status changes > HTTP POST", "call"),
        ],
        _ => vec![
            field("incoming texts, POST", "text"),
            field("incoming calls, POST", "voice"),
            field("call status, POST", "call"),
            field("delivery reports, POST", "status"),
        ],
    };
    if agent.calls.is_none() {
        // Without `calls` a call has no answer here.
        let voice = config.hook(name, "voice");
        fields.retain(|field| field.address != voice);
    }
    fields
}

/// Whether a host runs, and is ready.
async fn host(cli: &Cli, data: &Path, seams: Seams<'_>, report: &mut Report) {
    let file = Address::read(data);
    if cli.common.url.is_none() && file.is_none() {
        let text = format!(
            "no host runs here (there is no {})",
            hostfile::path(data).display()
        );
        report.say(Mood::Look, text);
        return;
    }
    let common = super::Common {
        data: Some(data.to_path_buf()),
        ..cli.common.clone()
    };
    let asked = match Client::find(&common, seams.environment) {
        Ok(client) => client.get(&["readyz"], &[]).await.map(drop),
        Err(failure) => Err(failure),
    };
    let url = common.url.clone().or_else(|| file.map(|file| file.url));
    let url = url.unwrap_or_default();
    match asked {
        Ok(()) => {
            report.say(Mood::Fine, format!("a host runs at {url} and is ready"));
            if let Ok(client) = Client::find(&common, seams.environment) {
                attention(&client, report).await;
            }
        }
        Err(Failure::Unreachable(_)) if cli.common.url.is_none() => report.say(
            Mood::Look,
            format!("no host answers at {url}; it ended without taking its host.json away"),
        ),
        Err(failure) => report.say(
            Mood::Wrong,
            format!("the host at {url} is not ready: {failure}"),
        ),
    }
}

/// What in the running host waits for somebody.
async fn attention(client: &Client, report: &mut Report) {
    // An older host, or a key without the right to read: nothing to say.
    let Ok(answer) = client.get(&["api", "v1", "attention"], &[]).await else {
        return;
    };
    let broken = answer
        .pointer("/data/connections")
        .and_then(serde_json::Value::as_array);
    for one in broken.into_iter().flatten() {
        let (name, problem) = (output::text(one, "/name"), output::text(one, "/problem"));
        let text = format!(
            "the settings of the connection {name} do not work, and its texts are held: {problem}; \
             correct [connections.{name}] and they leave by themselves"
        );
        report.say(Mood::Wrong, text);
    }
    let mut count = |which: &str, one: &str, many: &str, what: &str| {
        let number = answer.pointer(&format!("/data/{which}"));
        match number.and_then(serde_json::Value::as_u64) {
            None | Some(0) => {}
            Some(1) => report.say(Mood::Look, format!("1 {one}: {what}")),
            Some(number) => report.say(Mood::Look, format!("{number} {many}: {what}")),
        }
    };
    count(
        "needsReview",
        "text needs a decision",
        "texts need a decision",
        "`ringback messages list --status needs_review`",
    );
    count(
        "held",
        "text is held",
        "texts are held",
        "`ringback messages list --status held`",
    );
    count(
        "failed",
        "text could not be sent",
        "texts could not be sent",
        "`ringback dead-letters list --kind text`",
    );
    count(
        "twice",
        "text reached its contact twice",
        "texts reached their contacts twice",
        "`ringback messages list --status twice`",
    );
    count(
        "webhooks",
        "webhook could not be read",
        "webhooks could not be read",
        "`ringback dead-letters list --kind webhook`",
    );
}

fn print(report: &Report, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    for finding in &report.findings {
        let mark = match finding.mood {
            Mood::Fine => "ok   ",
            Mood::Look => "look ",
            Mood::Wrong => "WRONG",
        };
        writeln!(out, "{mark} {}", finding.text.replace('\n', "\n      "))?;
    }
    for paste in &report.addresses {
        let way = match paste.connector.as_str() {
            "twilio" => "Twilio console > Phone Numbers > Manage > Active numbers > ",
            _ => "at the provider: ",
        };
        writeln!(
            out,
            "\nConnection {} ({}), {way}{}",
            paste.connection, paste.connector, paste.number
        )?;
        for field in &paste.fields {
            writeln!(out, "  {}\n    {}", field.screen, field.address)?;
        }
    }
    Ok(())
}
