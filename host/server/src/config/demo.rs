//! What runs where there is no `ringback.toml`: a made-up dentist on the
//! pretend phone network. The numbers are of the range that is kept for
//! fiction, 555-0100 to 555-0199.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringback_core::engine::{
    Agent, Business, Calls, Inbound, Limits, OpeningHours, Person, Retention,
};
use ringback_core::model::{PhoneNumber, Secret};
use ringback_core::schedule::Hours;
use ringback_core::workflow::SCHEMA_FILE;

use super::{Config, ConnectionConfig, Environment, LISTEN, Model, Overrides, SETTLE, Server};

/// The zone of the made-up dentist.
const ZONE: &str = "America/Chicago";

/// The demo's workflow files, for a folder that is not a clone.
const WORKFLOWS: [(&str, &str); 2] = [
    (
        "missed-call.yaml",
        include_str!("../../../../workflows/demo/missed-call.yaml"),
    ),
    (
        "answers.yaml",
        include_str!("../../../../workflows/demo/answers.yaml"),
    ),
];

/// The schema that they name, for editors.
const SCHEMA: &str = include_str!("../../../../workflows/workflow.schema.json");

/// Writes the demo's workflow files where there is no folder of them yet.
///
/// # Errors
///
/// What the file system says.
pub(crate) fn write_demo_workflows(folder: &Path) -> std::io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(SCHEMA_FILE), SCHEMA)?;
    for (name, text) in WORKFLOWS {
        // In the repository the schema stands one folder up.
        let text = text.replacen("=../workflow.schema.json", "=workflow.schema.json", 1);
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

impl Config {
    /// The demo. A key in `RINGBACK_API_KEY` is taken as one of the host's. The
    /// simulator's address and secret are filled in when the host starts.
    pub(crate) fn demo(overrides: &Overrides, environment: &dyn Environment) -> Self {
        let key = environment.var("RINGBACK_API_KEY");
        let path = |flag: &Option<PathBuf>, default: &str| {
            flag.clone().unwrap_or_else(|| PathBuf::from(default))
        };
        let agent = Agent {
            id: "front-desk".to_owned(),
            name: "Ava".to_owned(),
            numbers: PhoneNumber::parse("+15125550100").into_iter().collect(),
            connection: Some("sim".to_owned()),
            calls: PhoneNumber::parse("+15125550111").map(|to| Calls::Forward { to, ring_for: 20 }),
            voice: None,
            inbound: Inbound::Off,
        };
        let connection = ConnectionConfig {
            connector: "simulator".to_owned(),
            values: BTreeMap::new(),
            secrets: BTreeMap::new(),
            settle: SETTLE,
            handles_opt_out: None,
            sender_pool: false,
            segment_us: None,
        };
        let week = [("mon-fri", "09:00-18:00"), ("sat", "10:00-14:00")];
        let hours = Hours::parse(ZONE, week, []).ok();
        let on_call = PhoneNumber::parse("+15125550199").map(|phone| Person { phone });
        Self {
            source: None,
            demo: true,
            server: Server {
                listen: overrides.listen.unwrap_or(LISTEN),
                public_url: overrides.public_url.clone(),
                api_keys: key
                    .filter(|key| !key.is_empty())
                    .map(Secret::new)
                    .into_iter()
                    .collect(),
            },
            data: path(&overrides.data, "data"),
            reserve: None,
            workflows: path(&overrides.workflows, "workflows/demo"),
            plugins: path(&overrides.plugins, "plugins"),
            business: Business {
                name: "Brightside Dental (demo)".to_owned(),
                zone: ZONE.to_owned(),
            },
            hours: Arc::new(OpeningHours(named("business", hours))),
            people: named("on-call", on_call),
            templates: BTreeMap::new(),
            // The second try has to work like the first, at any hour.
            limits: Limits {
                duplicates_ms: 0,
                quiet_hours: false,
                ..Limits::default()
            },
            retention: Retention::default(),
            secrets: BTreeMap::new(),
            http_hosts: Vec::new(),
            models: named(
                "default",
                Some(Model::Scripted {
                    answers: Vec::new(),
                    facts: BTreeMap::new(),
                }),
            ),
            tools: BTreeSet::new(),
            connections: named("sim", Some(connection)),
            agents: named("front-desk", Some(agent)),
        }
    }
}

fn named<T>(name: &str, value: Option<T>) -> BTreeMap<String, T> {
    value
        .map(|value| (name.to_owned(), value))
        .into_iter()
        .collect()
}
