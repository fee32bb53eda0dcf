//! What the engine knows of the configuration and the workflows: plain data,
//! checked before it gets here, replaced as a whole when a file changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::PhoneNumber;
use crate::schedule::{Cron, Hours};
use crate::sms;
use crate::workflow::expression::{Services, Template};
use crate::workflow::{Checks, Known, On, Verify, Workflow};

/// The part of `ringback.toml` that decisions depend on.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Who we are.
    pub business: Business,
    /// Who texts, by id.
    pub agents: BTreeMap<String, Agent>,
    /// Accounts at providers, by name.
    pub connections: BTreeMap<String, Connection>,
    /// People of the business, by name.
    pub people: BTreeMap<String, Person>,
    /// Texts that several steps share, by name.
    pub templates: BTreeMap<String, Template>,
    /// Opening hours, by name.
    pub hours: Arc<OpeningHours>,
    /// Caps and manners.
    pub limits: Limits,
    /// How long things are kept.
    pub retention: Retention,
    /// What steps can name that decisions do not need; none where that is not known.
    pub outside: Option<OutsideNames>,
}

/// Names of things outside of the decisions, for the checks of workflow files.
#[derive(Clone, Debug, Default)]
pub struct OutsideNames {
    /// `[secrets]`
    pub secrets: BTreeSet<String>,
    /// `[models.…]`
    pub models: BTreeSet<String>,
    /// `[tools.…]`
    pub tools: BTreeSet<String>,
}

/// Opening hours, by the names that workflow files use.
#[derive(Clone, Debug, Default)]
pub struct OpeningHours(pub BTreeMap<String, Hours>);

impl OpeningHours {
    fn named(&self, name: &str) -> Result<&Hours, String> {
        self.0
            .get(name)
            .ok_or_else(|| format!("there are no opening hours {name:?}"))
    }
}

impl Services for OpeningHours {
    fn in_hours(&self, name: &str, at: Timestamp) -> Result<bool, String> {
        Ok(self.named(name)?.is_open(at))
    }

    fn next_open(&self, name: &str, at: Timestamp) -> Result<Timestamp, String> {
        let open = self.named(name)?.next_open(at);
        open.ok_or_else(|| format!("{name:?} does not open within a year"))
    }

    fn e164(&self, number: &str, region: Option<&str>) -> Result<String, String> {
        sms::phone::e164(number, region).map_err(|error| error.to_string())
    }

    fn segments(&self, text: &str) -> Result<u64, String> {
        Ok(u64::try_from(sms::segments(text).count).unwrap_or(u64::MAX))
    }
}

/// Who we are.
#[derive(Clone, Debug, Default)]
pub struct Business {
    /// As contacts know it.
    pub name: String,
    /// IANA name of the zone it works in; `UTC` when none was given.
    pub zone: String,
}

/// Who texts.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its id in every API.
    pub id: String,
    /// As contacts know it.
    pub name: String,
    /// Its numbers; texts leave from the first.
    pub numbers: Vec<PhoneNumber>,
    /// The connection its texts and calls go through.
    pub connection: Option<String>,
    /// What happens to a call that comes in.
    pub calls: Option<Calls>,
    /// What is heard on calls that it places.
    pub voice: Option<Voice>,
    /// What happens to a text that nothing else claimed.
    pub inbound: Inbound,
}

/// What happens to a call that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calls {
    /// It is dialled through; the dial's outcome decides whether it was missed.
    Forward {
        /// The owner's phone.
        to: PhoneNumber,
        /// Seconds of ringing.
        ring_for: u32,
    },
    /// Every call that reaches us was already missed elsewhere.
    Missed,
}

/// What is heard on calls that we place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Read aloud.
    Say(String),
    /// The provider asks this address what to do.
    Url(String),
    /// A voice platform's own id of the agent.
    Agent(String),
}

/// What happens to a text that nothing else claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inbound {
    /// It is kept and shown.
    #[default]
    Off,
}

/// An account at a provider, as far as decisions depend on it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its name in the configuration.
    pub name: String,
    /// The provider suppresses repeats by our id, so an unknown attempt may be
    /// made again.
    pub idempotent: bool,
    /// The provider answers STOP by itself.
    pub handles_opt_out: bool,
    /// The provider can choose the sending number (a sender pool).
    pub chooses_sender: bool,
    /// Milliseconds after which an unknown text that the provider does not list
    /// counts as absent.
    pub settle_ms: u64,
    /// Microseconds that each of its numbers takes for a radio segment; none
    /// leaves the pace to the provider.
    pub segment_us: Option<u64>,
}

/// A person of the business.
#[derive(Clone, Debug)]
pub struct Person {
    /// Where notices go.
    pub phone: PhoneNumber,
}

/// Caps and manners.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Milliseconds within which the same words to the same number are held to
    /// be a mistake; 0 switches the rule off.
    pub duplicates_ms: u64,
    /// ISO regions that may be texted; empty means all.
    pub countries: Vec<String>,
    /// Whether legal quiet hours are kept.
    pub quiet_hours: bool,
    /// How often a text that certainly had no effect is tried in all.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            duplicates_ms: 120_000,
            countries: Vec::new(),
            quiet_hours: true,
            attempts: 8,
        }
    }
}

/// How long records are kept that nothing needs any more. `None` is for ever.
/// Contacts and conversations are always kept, and with them every opt-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Runs and their timelines, from their end.
    pub finished_runs: Option<SignedDuration>,
    /// Texts, in both directions, from their last change.
    pub messages: Option<SignedDuration>,
    /// Calls, from their last change.
    pub calls: Option<SignedDuration>,
    /// Entries of the feed.
    pub events: Option<SignedDuration>,
    /// Genuine webhooks that could not be read.
    pub webhooks: Option<SignedDuration>,
    /// How long a repeated webhook, or a request with the same idempotency key,
    /// is seen as a repeat. Providers repeat for hours, some for days.
    pub repeats: Option<SignedDuration>,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: i64| Some(SignedDuration::from_hours(24 * days));
        Self {
            finished_runs: days(90),
            messages: days(730),
            calls: days(730),
            events: days(30),
            webhooks: days(30),
            repeats: days(30),
        }
    }
}

impl Setup {
    /// What workflow files may name, and how their numbers and cron lines are read.
    pub fn known(&self) -> Known {
        Known {
            agents: Some(self.agents.keys().cloned().collect()),
            hours: Some(self.hours.0.keys().cloned().collect()),
            people: Some(self.people.keys().cloned().collect()),
            templates: Some(self.templates.keys().cloned().collect()),
            secrets: self.outside.as_ref().map(|one| one.secrets.clone()),
            models: self.outside.as_ref().map(|one| one.models.clone()),
            tools: self.outside.as_ref().map(|one| one.tools.clone()),
            checks: Arc::new(Reading),
        }
    }

    /// The agent that owns a number.
    pub fn owner(&self, number: &PhoneNumber) -> Option<&Agent> {
        self.agents
            .values()
            .find(|agent| agent.numbers.contains(number))
    }

    /// The agent of this id, or the only one when none is named.
    pub fn agent_or_only(&self, id: Option<&str>) -> Option<&Agent> {
        match id {
            Some(id) => self.agents.get(id),
            None if self.agents.len() == 1 => self.agents.values().next(),
            None => None,
        }
    }
}

/// How numbers and cron lines of workflow files are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading;

impl Checks for Reading {
    fn phone(&self, text: &str) -> Result<String, String> {
        sms::phone::e164(text, None).map_err(|error| error.to_string())
    }

    fn cron(&self, text: &str) -> Result<(), String> {
        Cron::parse(text)
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

/// A version of a workflow that takes new runs.
#[derive(Clone, Debug)]
pub struct InService {
    /// Its meaning, compiled.
    pub workflow: Arc<Workflow>,
    /// Its number.
    pub version: u32,
}

/// All workflows: those in service, and every version a run may still need.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// By workflow id.
    pub in_service: BTreeMap<String, InService>,
    /// By definition hash.
    pub by_hash: BTreeMap<String, Arc<Workflow>>,
}

/// A workflow that an address of ours starts, and what it wants of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listener<'a> {
    /// The workflow's id.
    pub workflow: &'a str,
    /// The signature that a call must have; none takes everybody's.
    pub verify: Option<&'a Verify>,
}

impl Catalog {
    /// The workflows in service that a path under `/in/` starts. None: there is no
    /// such address.
    pub fn webhooks(&self, path: &str) -> Vec<Listener<'_>> {
        let all = self.in_service.iter().flat_map(|(id, one)| {
            let triggers = one.workflow.definition.triggers.iter();
            triggers.filter_map(move |trigger| match &trigger.on {
                On::Webhook(hook) => Some((id, hook)),
                _ => None,
            })
        });
        all.filter(|(_, hook)| hook.path == path)
            .map(|(id, hook)| Listener {
                workflow: id,
                verify: hook.verify.as_ref(),
            })
            .collect()
    }
}
