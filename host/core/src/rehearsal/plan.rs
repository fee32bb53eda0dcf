//! What happens when: who it is about, how it starts, and what comes afterwards.

use std::collections::BTreeMap;

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use crate::engine::Setup;
use crate::model::PhoneNumber;
use crate::workflow::expression::Value;
use crate::workflow::{Case, Fate, Intent, Later, Mock, Starting, When, Workflow};

/// The number of a contact that nobody named: one that belongs to nobody.
const CONTACT: &str = "+13125550123";

/// A person at the other end.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// The number.
    pub phone: PhoneNumber,
    /// The IANA zone they live in, when it is known better than from the number.
    pub zone: Option<String>,
    /// What is known of them.
    pub fields: Map<String, Json>,
    /// Whether they said STOP before.
    pub opted_out: bool,
    /// To which kinds of texts they agreed.
    pub consent: Vec<Intent>,
}

impl Person {
    /// Somebody of whom the number alone is known.
    pub fn new(phone: PhoneNumber) -> Self {
        Self {
            phone,
            zone: None,
            fields: Map::new(),
            opted_out: false,
            consent: Vec::new(),
        }
    }
}

/// What happens when.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// When it begins, in whole milliseconds.
    pub at: Timestamp,
    /// Whom it is about.
    pub person: Person,
    /// Whose number it concerns; none is the agent that the trigger names, or the
    /// first.
    pub agent: Option<String>,
    /// In place of the file's `vars` of these names.
    pub vars: Map<String, Json>,
    /// How it begins.
    pub start: Starting,
    /// What happens afterwards.
    pub then: Vec<Later>,
    /// How steps are answered, by their ids.
    pub mock: BTreeMap<String, Mock>,
    /// What becomes of texts of which nothing else is said.
    pub fate: Fate,
}

impl Plan {
    /// A plan in which nothing happens after the start.
    pub fn new(at: Timestamp, person: Person, start: Starting) -> Self {
        Self {
            at: whole(at),
            person,
            agent: None,
            vars: Map::new(),
            start,
            then: Vec::new(),
            mock: BTreeMap::new(),
            fate: Fate::Delivered,
        }
    }

    /// The plan of a file's test.
    pub fn of(case: &Case, workflow: &Workflow, setup: &Setup) -> Self {
        let given = &case.given;
        let phone = given.phone.as_deref().and_then(PhoneNumber::parse);
        let person = Person {
            phone: phone.unwrap_or_else(|| whom(workflow)),
            zone: given.zone.clone(),
            fields: given.lead.clone(),
            opted_out: given.opted_out,
            consent: given.consent.clone(),
        };
        let at = case.at.unwrap_or_else(|| working_day(setup));
        Self {
            agent: given.agent.clone(),
            vars: given.vars.clone(),
            then: case.then.clone(),
            mock: case.mock.clone(),
            ..Self::new(at, person, case.start.clone())
        }
    }

    /// The moment of something that happens later.
    pub(super) fn moment(&self, when: When) -> Timestamp {
        match when {
            When::At(at) => whole(at),
            When::After(seconds) => {
                let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
                self.at.checked_add(span).unwrap_or(Timestamp::MAX)
            }
        }
    }
}

/// The contact where nobody is named: the one of the file, or somebody.
pub(super) fn whom(workflow: &Workflow) -> PhoneNumber {
    let named = match &workflow.definition.contact {
        Some(Value::Literal(Json::String(phone))) => PhoneNumber::parse(phone),
        _ => None,
    };
    named.unwrap_or_else(nobody)
}

/// A contact that nobody named.
#[expect(clippy::expect_used, reason = "the constant is a number")]
pub(super) fn nobody() -> PhoneNumber {
    PhoneNumber::parse(CONTACT).expect("a number")
}

/// Ten in the morning of a Wednesday in the zone of the business.
pub(super) fn working_day(setup: &Setup) -> Timestamp {
    let zone = TimeZone::get(&setup.business.zone).unwrap_or(TimeZone::UTC);
    let morning = date(2026, 1, 14).at(10, 0, 0, 0);
    let zoned = morning.to_zoned(zone).map(|zoned| zoned.timestamp());
    zoned.unwrap_or(Timestamp::UNIX_EPOCH)
}

/// As the engine wants its times.
pub(super) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}
