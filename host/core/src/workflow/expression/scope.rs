//! What an expression may see: plain values, the moment, two time zones, and a
//! few questions to the host. Owns the way from JSON to template values; it
//! never turns a value into source text.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::value::{Object, Value as Jinja};
use serde_json::Value as Json;

use super::rows::{Brought, Rows, Wanted};
use super::time::Time;

/// What an expression may ask beyond its values. Answers must depend on the
/// arguments and the configuration alone: no clock, no I/O.
pub trait Services: Send + Sync {
    /// Whether the opening hours `name` are open at `at`.
    ///
    /// # Errors
    ///
    /// A message for the author, for instance that there are no such hours.
    fn in_hours(&self, name: &str, at: Timestamp) -> Result<bool, String>;

    /// The first moment at or after `at` when the hours `name` are open.
    ///
    /// # Errors
    ///
    /// A message for the author.
    fn next_open(&self, name: &str, at: Timestamp) -> Result<Timestamp, String>;

    /// A phone number in E.164; `region` is the ISO country that a number
    /// without a country code belongs to.
    ///
    /// # Errors
    ///
    /// A message for the author.
    fn e164(&self, number: &str, region: Option<&str>) -> Result<String, String> {
        let _ = (number, region);
        Err("e164 is not available here".to_owned())
    }

    /// How many SMS segments a text takes.
    ///
    /// # Errors
    ///
    /// A message for the author.
    fn segments(&self, text: &str) -> Result<u64, String> {
        let _ = text;
        Err("segments is not available here".to_owned())
    }
}

/// Answers nothing: for places where no configuration is at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoServices;

impl Services for NoServices {
    fn in_hours(&self, name: &str, _: Timestamp) -> Result<bool, String> {
        Err(format!("there are no opening hours `{name}`"))
    }

    fn next_open(&self, name: &str, _: Timestamp) -> Result<Timestamp, String> {
        Err(format!("there are no opening hours `{name}`"))
    }
}

/// The roots that are always there, empty when nobody set them, so that
/// `{% if lead.first_name %}` works for a contact who is not a lead.
pub(crate) const ROOTS: &[&str] = &[
    "event", "contact", "lead", "agent", "convo", "call", "caller", "run", "vars",
];

/// The name under which functions find the scope. No identifier can be spelled
/// like this, so no expression can reach it.
pub(crate) const HIDDEN: &str = " scope";

/// The values and questions of one evaluation. Cheap to build: a value is made and
/// translated when an expression first reads it. Cloning shares everything.
#[derive(Clone)]
pub struct Scope {
    inner: Arc<Inner>,
}

#[derive(Clone)]
pub(crate) struct Inner {
    values: BTreeMap<String, Entry>,
    pub(crate) now: Timestamp,
    contact_zone: Option<Zone>,
    business_zone: Option<Zone>,
    pub(crate) services: Arc<dyn Services>,
    pub(crate) rows: Arc<Wanted>,
}

#[derive(Clone)]
struct Entry {
    json: Arc<Lazy<Arc<Json>>>,
    value: OnceLock<Jinja>,
}

type Zone = Arc<Lazy<TimeZone>>;

/// A value that is made when it is first read.
type Lazy<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

fn lazy<T>(make: impl FnOnce() -> T + Send + 'static) -> Arc<Lazy<T>> {
    Arc::new(LazyLock::new(Box::new(make)))
}

impl Scope {
    /// An empty scope at `now`, which is all the time an expression knows.
    pub fn new(now: Timestamp, services: Arc<dyn Services>) -> Self {
        Self {
            inner: Arc::new(Inner {
                values: BTreeMap::new(),
                now,
                contact_zone: None,
                business_zone: None,
                services,
                rows: Arc::default(),
            }),
        }
    }

    /// Sets a root: `contact`, `event`, `vars`, a step's id … A string under a
    /// key `at`, `…_at` or `…At` that is an RFC 3339 time becomes a time.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Arc<Json>>) -> &mut Self {
        let value = value.into();
        self.set_lazily(name, move || value)
    }

    /// Sets a root that is made when an expression first reads it.
    pub fn set_lazily(
        &mut self,
        name: impl Into<String>,
        make: impl FnOnce() -> Arc<Json> + Send + 'static,
    ) -> &mut Self {
        let entry = Entry {
            json: lazy(make),
            value: OnceLock::new(),
        };
        Arc::make_mut(&mut self.inner)
            .values
            .insert(name.into(), entry);
        self
    }

    /// The zone times are put into words in: opening hours and appointments are
    /// at the business, so it is the business's unless `local` says otherwise.
    pub fn business_zone(&mut self, zone: TimeZone) -> &mut Self {
        Arc::make_mut(&mut self.inner).business_zone = Some(lazy(move || zone));
        self
    }

    /// The same by its IANA name; UTC if there is no such zone.
    pub fn business_zone_named(&mut self, name: String) -> &mut Self {
        let zone = lazy(move || TimeZone::get(&name).unwrap_or(TimeZone::UTC));
        Arc::make_mut(&mut self.inner).business_zone = Some(zone);
        self
    }

    /// The contact's zone: used when there is no business zone.
    pub fn contact_zone(&mut self, zone: TimeZone) -> &mut Self {
        Arc::make_mut(&mut self.inner).contact_zone = Some(lazy(move || zone));
        self
    }

    /// Gives it rows from outside.
    pub fn set_rows(&mut self, rows: Brought) -> &mut Self {
        Arc::make_mut(&mut self.inner).rows = Arc::new(Wanted::with(rows));
        self
    }

    /// The rows that an evaluation asked for and failed without.
    pub fn missing_rows(&self) -> Vec<Rows> {
        self.inner.rows.missing()
    }

    /// The value of a root, as it was set.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.inner.values.get(name).map(|entry| &***entry.json)
    }

    /// The moment expressions take as now.
    pub fn now(&self) -> Timestamp {
        self.inner.now
    }

    /// The context of an evaluation.
    pub(crate) fn root(&self) -> Jinja {
        Jinja::from_object(Root(Arc::clone(&self.inner)))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("now", &self.inner.now)
            .field("names", &self.inner.values.keys())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The zone for words about times that carry none.
    pub(crate) fn zone(&self) -> TimeZone {
        let zone = self.business_zone.as_ref().or(self.contact_zone.as_ref());
        zone.map_or(TimeZone::UTC, |zone| TimeZone::clone(zone))
    }
}

/// The root of the context, and what functions find under [`HIDDEN`].
pub(crate) struct Root(pub(crate) Arc<Inner>);

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scope")
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        if key == HIDDEN {
            return Some(Jinja::from_dyn_object(Arc::clone(self)));
        }
        match self.0.values.get(key) {
            Some(entry) if !(entry.json.is_null() && ROOTS.contains(&key)) => {
                let value = || translate("", &entry.json);
                Some(entry.value.get_or_init(value).clone())
            }
            _ if ROOTS.contains(&key) => {
                Some(Jinja::from_pairs(std::iter::empty::<(&str, Jinja)>()))
            }
            _ => None,
        }
    }
}

/// JSON as a template value. A text stays a text, whatever braces it holds.
pub(super) fn translate(key: &str, json: &Json) -> Jinja {
    match json {
        Json::Null => Jinja::from(()),
        Json::Bool(b) => Jinja::from(*b),
        Json::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(n), _, _) => Jinja::from(n),
            (_, Some(n), _) => Jinja::from(n),
            (_, _, n) => Jinja::from(n.unwrap_or(f64::NAN)),
        },
        Json::String(text) => names_a_time(key)
            .then(|| text.parse::<Timestamp>().ok())
            .flatten()
            .map_or_else(
                || Jinja::from(text.as_str()),
                |at| Jinja::from_object(Time { at, zone: None }),
            ),
        Json::Array(items) => Jinja::from(
            items
                .iter()
                .map(|item| translate(key, item))
                .collect::<Vec<_>>(),
        ),
        Json::Object(map) => Jinja::from_pairs(
            map.iter()
                .map(|(key, item)| (key.as_str(), translate(key, item))),
        ),
    }
}

fn names_a_time(key: &str) -> bool {
    key == "at" || key.ends_with("_at") || key.ends_with("At")
}
