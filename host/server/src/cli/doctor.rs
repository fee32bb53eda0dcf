//! `doctor`: what is wrong with this installation, and what to paste where at
//! the providers. Looks and changes nothing; [`running`] asks the host.

mod running;

use std::io::Write;
use std::path::Path;

use ringback_core::engine::Agent;
use serde::Serialize;

use super::archive;
use super::check::{configuration, counted, workflow_files};
use super::client::Failure;
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
    if !running::host(cli, &data, seams, &mut report).await
        && let Some(config) = &config
    {
        workflows(config, seams, &mut report);
    }
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

/// Whether the workflow files could be used, where no host says it.
fn workflows(config: &Config, seams: Seams<'_>, report: &mut Report) {
    // The demo's files are written by its start.
    if config.demo && !config.workflows.is_dir() {
        return;
    }
    let found = workflow_files(std::slice::from_ref(&config.workflows), Some(config), seams);
    let errors = found
        .problems
        .iter()
        .filter(|one| one.severity == Severity::Error);
    let mut sound = true;
    for problem in errors {
        sound = false;
        report.say(Mood::Wrong, problem.render());
    }
    if sound {
        let files = counted(found.count, "workflow file");
        report.say(Mood::Fine, format!("{files} can be used"));
    }
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
