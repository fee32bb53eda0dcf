//! Rows that come from outside: `csv("…")`, `json("…")`, `leads(…)`. An expression
//! cannot fetch them: it says what it wants and fails, whoever evaluates it gets the
//! rows, and evaluates it again with them.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Kwargs, Value as Jinja};
use minijinja::{Environment, Error, State};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::json::from_value;
use super::library::{fail, scope};
use super::scope::translate;

/// What `leads` can be asked by.
pub const LEAD_FILTERS: &[&str] = &[
    "status",
    "source",
    "tag",
    "not_tag",
    "created_before",
    "created_after",
    "last_contact_before",
    "last_contact_after",
];

/// Rows of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Rows {
    /// A CSV file, each row a map by the names of its first line.
    Csv {
        /// Relative to the configuration's folder.
        path: String,
    },
    /// A JSON file that holds a list.
    Json {
        /// Relative to the configuration's folder.
        path: String,
    },
    /// Contacts that became leads.
    Leads {
        /// Names and values of the filters, times as RFC 3339, in the order of names.
        filters: Vec<(String, Json)>,
    },
}

/// Rows that were brought, by what was asked for.
pub type Brought = Vec<(Rows, Arc<Json>)>;

/// The rows that are there, and those that were asked for and are not.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    known: Brought,
    wanted: Mutex<Vec<Rows>>,
}

impl Wanted {
    pub(crate) fn with(known: Brought) -> Self {
        Self {
            known,
            wanted: Mutex::default(),
        }
    }

    /// What was asked for and is not there.
    pub(crate) fn missing(&self) -> Vec<Rows> {
        let wanted = self.wanted.lock();
        wanted.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn get(&self, rows: Rows) -> Result<Jinja, Error> {
        if let Some((_, found)) = self.known.iter().find(|(known, _)| *known == rows) {
            return Ok(translate("", found));
        }
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if !wanted.contains(&rows) {
            wanted.push(rows);
        }
        Err(fail("its rows are not there".to_owned()))
    }
}

pub(crate) fn install(env: &mut Environment<'static>) {
    env.add_function("csv", |state: &State, path: String| {
        scope(state)?.rows.get(Rows::Csv { path })
    });
    env.add_function("json", |state: &State, path: String| {
        scope(state)?.rows.get(Rows::Json { path })
    });
    env.add_function("leads", |state: &State, filters: Kwargs| {
        let mut all = Vec::new();
        for name in filters.args() {
            if !LEAD_FILTERS.contains(&name) {
                return Err(fail(format!(
                    "`leads` knows no `{name}`; it knows: {}",
                    LEAD_FILTERS.join(", ")
                )));
            }
            let value: Jinja = filters.get(name)?;
            all.push((name.to_owned(), from_value(&value).map_err(fail)?));
        }
        all.sort_by(|(one, _), (two, _)| one.cmp(two));
        scope(state)?.rows.get(Rows::Leads { filters: all })
    });
}
