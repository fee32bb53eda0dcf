//! The functions, filters and tests of the language. Everything an expression
//! can call is named here; nothing here does I/O or reads a clock.

use std::sync::Arc;

use minijinja::value::Value as Jinja;
use minijinja::{Environment, Error, ErrorKind, State, filters, tests};

use super::operators::{filter, pay};
use super::scope::{HIDDEN, Inner, Root};
use super::time::Time;
use crate::workflow::duration;

/// The longest text a filter may make, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// Functions, for messages and checks at load.
pub(crate) const FUNCTIONS: &[&str] = &[
    "now",
    "ago",
    "in_hours",
    "next_open",
    "segments",
    "range",
    "csv",
    "json",
    "leads",
];

/// Filters, for messages and checks at load.
pub(crate) const FILTERS: &[&str] = &[
    "local",
    "when",
    "date",
    "time",
    "plus",
    "minus",
    "e164",
    "default",
    "trim",
    "int",
    "tojson",
    "redact",
    "transcript_text",
    "tracked",
    "lower",
    "upper",
    "title",
    "capitalize",
    "replace",
    "length",
    "count",
    "join",
    "split",
    "lines",
    "first",
    "last",
    "min",
    "max",
    "sort",
    "reverse",
    "unique",
    "round",
    "abs",
    "float",
    "string",
    "list",
    "sum",
];

/// Tests, for messages and checks at load.
pub(crate) const TESTS: &[&str] = &[
    "due_in",
    "opted_out",
    "business_hours",
    "defined",
    "undefined",
    "none",
    "true",
    "false",
    "boolean",
    "number",
    "string",
    "sequence",
    "mapping",
    "odd",
    "even",
    "startingwith",
    "endingwith",
    "in",
];

/// Functions that the language will have.
pub(crate) const LATER_FUNCTIONS: &[&str] = &[];

/// Puts the library into an empty environment.
pub(crate) fn install(env: &mut Environment<'static>) {
    env.add_function("now", |state: &State| -> Result<Jinja, Error> {
        let scope = scope(state)?;
        Ok(time(scope.now))
    });
    env.add_function("ago", |state: &State, by: String| -> Result<Jinja, Error> {
        let scope = scope(state)?;
        let moved = Time {
            at: scope.now,
            zone: None,
        }
        .moved(&by, true, &scope);
        moved.map(Jinja::from_object).map_err(fail)
    });
    env.add_function("in_hours", in_hours);
    env.add_function("next_open", next_open);
    env.add_function(
        "segments",
        |state: &mut State, text: Jinja| -> Result<u64, Error> {
            pay(state, &text)?;
            let text = text
                .as_str()
                .map_or_else(|| text.to_string(), str::to_owned);
            scope(state)?.services.segments(&text).map_err(fail)
        },
    );
    filter(env, "local", local);
    filter(env, "when", |state: &State, value: Jinja| {
        words(state, &value, Time::when)
    });
    filter(env, "date", |state: &State, value: Jinja| {
        words(state, &value, Time::date)
    });
    filter(env, "time", |state: &State, value: Jinja| {
        words(state, &value, Time::time)
    });
    filter(env, "plus", |state: &State, value: Jinja, by: String| {
        moved(state, &value, &by, false)
    });
    filter(env, "minus", |state: &State, value: Jinja, by: String| {
        moved(state, &value, &by, true)
    });
    filter(env, "e164", e164);
    filter(env, "default", filters::default);
    filter(env, "trim", filters::trim);
    filter(env, "int", int);
    filter(env, "tojson", tojson);
    // Clicks are not counted yet: the link stays as it is, and `check` says so.
    filter(env, "tracked", |value: Jinja| value);
    filter(env, "redact", |text: String| super::redact::redact(&text));
    filter(env, "transcript_text", transcript_text);
    filter(env, "replace", replace);
    filter(env, "join", join);
    install_builtin(env);
    super::operators::install(env);
    super::rows::install(env);

    env.add_test("due_in", due_in);
    env.add_test("opted_out", opted_out);
    env.add_test("business_hours", business_hours);
}

/// What is taken from minijinja as it is. None of these can make a text much
/// longer than its input.
fn install_builtin(env: &mut Environment<'static>) {
    filter(env, "lower", filters::lower);
    filter(env, "upper", filters::upper);
    filter(env, "title", filters::title);
    filter(env, "capitalize", filters::capitalize);
    filter(env, "length", filters::length);
    filter(env, "count", filters::length);
    filter(env, "split", filters::split);
    filter(env, "lines", filters::lines);
    filter(env, "first", filters::first);
    filter(env, "last", filters::last);
    filter(env, "min", filters::min);
    filter(env, "max", filters::max);
    filter(env, "sort", filters::sort);
    filter(env, "reverse", filters::reverse);
    filter(env, "unique", filters::unique);
    filter(env, "round", filters::round);
    filter(env, "abs", filters::abs);
    filter(env, "float", filters::float);
    filter(env, "string", filters::string);
    filter(env, "list", filters::list);
    filter(env, "sum", filters::sum);

    env.add_test("defined", tests::is_defined);
    env.add_test("undefined", tests::is_undefined);
    env.add_test("none", |value: &Jinja| {
        value.is_none() || value.is_undefined()
    });
    env.add_test("true", tests::is_true);
    env.add_test("false", tests::is_false);
    env.add_test("boolean", tests::is_boolean);
    env.add_test("number", tests::is_number);
    env.add_test("string", tests::is_string);
    env.add_test("sequence", tests::is_sequence);
    env.add_test("mapping", tests::is_mapping);
    env.add_test("odd", tests::is_odd);
    env.add_test("even", tests::is_even);
    env.add_test("startingwith", tests::is_startingwith);
    env.add_test("endingwith", tests::is_endingwith);
    env.add_test("in", tests::is_in);
}

pub(super) fn fail(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

pub(super) fn scope(state: &State) -> Result<Arc<Inner>, Error> {
    state
        .lookup(HIDDEN)
        .and_then(|value| value.downcast_object::<Root>())
        .map(|root| Arc::clone(&root.0))
        .ok_or_else(|| fail("there is no scope here".to_owned()))
}

fn time(at: jiff::Timestamp) -> Jinja {
    Jinja::from_object(Time { at, zone: None })
}

fn read(state: &State, value: &Jinja) -> Result<(Time, Arc<Inner>), Error> {
    let scope = scope(state)?;
    let time = Time::read(value, &scope).map_err(fail)?;
    Ok((time, scope))
}

fn in_hours(state: &State, name: Option<String>, at: Option<Jinja>) -> Result<bool, Error> {
    let scope = scope(state)?;
    let at = match at {
        Some(at) => Time::read(&at, &scope).map_err(fail)?.at,
        None => scope.now,
    };
    let name = name.as_deref().unwrap_or("business");
    scope.services.in_hours(name, at).map_err(fail)
}

fn next_open(state: &State, name: Option<String>, at: Option<Jinja>) -> Result<Jinja, Error> {
    let scope = scope(state)?;
    let at = match at {
        Some(at) => Time::read(&at, &scope).map_err(fail)?.at,
        None => scope.now,
    };
    let name = name.as_deref().unwrap_or("business");
    scope.services.next_open(name, at).map(time).map_err(fail)
}

fn local(state: &State, value: Jinja, zone: String) -> Result<Jinja, Error> {
    let (time, _) = read(state, &value)?;
    let zone = jiff::tz::TimeZone::get(&zone).map_err(|_| {
        fail(format!(
            "there is no time zone `{}`",
            duration::short(&zone)
        ))
    })?;
    Ok(Jinja::from_object(Time {
        at: time.at,
        zone: Some(zone),
    }))
}

fn words(state: &State, value: &Jinja, say: fn(&Time, &Inner) -> String) -> Result<String, Error> {
    let (time, scope) = read(state, value)?;
    Ok(say(&time, &scope))
}

fn moved(state: &State, value: &Jinja, by: &str, back: bool) -> Result<Jinja, Error> {
    let (time, scope) = read(state, value)?;
    let moved = time.moved(by, back, &scope).map_err(fail)?;
    Ok(Jinja::from_object(moved))
}

fn e164(state: &State, value: Jinja, region: Option<String>) -> Result<String, Error> {
    let scope = scope(state)?;
    let number = text(&value)?;
    scope
        .services
        .e164(&number, region.as_deref())
        .map_err(fail)
}

/// A text, or a number as a text; phone numbers come as both.
fn text(value: &Jinja) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if value.is_number() => Ok(value.to_string()),
        None => Err(fail(format!("a {} is not a text", value.kind()))),
    }
}

/// The whole number a text begins with (`"5 great!"` is 5), else the default,
/// which is 0.
fn int(value: Jinja, default: Option<i64>) -> Result<i64, Error> {
    let fallback = default.unwrap_or(0);
    if let Ok(boolean) = bool::try_from(value.clone()) {
        return Ok(i64::from(boolean));
    }
    if value.is_number() {
        let whole = i64::try_from(value.clone()).ok();
        return Ok(whole
            .or_else(|| f64::try_from(value).ok().and_then(truncated))
            .unwrap_or(fallback));
    }
    let Some(text) = value.as_str() else {
        return Err(fail(format!("a {} is not a number", value.kind())));
    };
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text
        .chars()
        .skip(sign)
        .take_while(char::is_ascii_digit)
        .count();
    let number = text.get(..sign + digits).unwrap_or_default();
    Ok(number.parse().unwrap_or(fallback))
}

fn truncated(number: f64) -> Option<i64> {
    // 2^63, the first number that is too large.
    const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;
    let inside = number.is_finite() && number.abs() < TOO_LARGE;
    #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
    inside.then(|| number.trunc() as i64)
}

fn tojson(value: Jinja) -> Result<String, Error> {
    let json = super::json::from_value(&value).map_err(fail)?;
    capped(serde_json::to_string(&json).map_err(|error| fail(error.to_string()))?)
}

/// The turns of a call as text, a line for each: `Agent: …`. Providers name the
/// speaker and the words in different ways; what is a text already stays.
fn transcript_text(value: Jinja) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return capped(text.to_owned());
    }
    if value.is_none() || value.is_undefined() {
        return Ok(String::new());
    }
    let field = |turn: &Jinja, names: &[&str]| {
        names.iter().find_map(|name| {
            let found = turn.get_attr(name).ok()?;
            found.as_str().map(str::to_owned)
        })
    };
    let mut text = String::new();
    for turn in value.try_iter()? {
        let words = match turn.as_str() {
            Some(words) => Some(words.to_owned()),
            None => field(
                &turn,
                &["text", "content", "message", "words", "transcript"],
            ),
        };
        let Some(words) = words else { continue };
        if let Some(who) = field(&turn, &["role", "speaker", "from", "who"]) {
            let mut letters = who.chars();
            text.extend(letters.next().map(|first| first.to_uppercase().to_string()));
            text.push_str(letters.as_str());
            text.push_str(": ");
        }
        text.push_str(words.trim());
        text.push('\n');
        if text.len() > MAX_TEXT {
            return capped_error();
        }
    }
    Ok(text.trim_end().to_owned())
}

fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    let found = text.matches(from.as_str()).take(MAX_TEXT).count();
    if found.saturating_mul(to.len()) > MAX_TEXT {
        return capped_error();
    }
    capped(text.replace(from.as_str(), &to))
}

fn join(value: Jinja, between: Option<String>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let mut joined = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        if index > 0 {
            joined.push_str(&between);
        }
        joined.push_str(&item.to_string());
        if joined.len() > MAX_TEXT {
            return capped_error();
        }
    }
    Ok(joined)
}

fn capped(text: String) -> Result<String, Error> {
    if text.len() > MAX_TEXT {
        return capped_error();
    }
    Ok(text)
}

fn capped_error<T>() -> Result<T, Error> {
    Err(fail(format!("the text is longer than {MAX_TEXT} bytes")))
}

/// `appointment_at is due_in("20h", "24h")`: from 20 up to 24 hours away.
fn due_in(state: &State, value: Jinja, from: String, to: String) -> Result<bool, Error> {
    let (time, scope) = read(state, &value)?;
    let away = time.at.duration_since(scope.now).as_secs();
    let bound = |text: &str| duration::seconds(text).map_err(fail);
    let (from, to) = (bound(&from)?, bound(&to)?);
    Ok(u64::try_from(away).is_ok_and(|away| (from..to).contains(&away)))
}

/// `contact is opted_out`, and for the contact's own number.
fn opted_out(state: &State, value: Jinja) -> Result<bool, Error> {
    let of = |person: &Jinja| person.get_attr("opted_out").map(|flag| flag.is_true());
    let Some(number) = value.as_str() else {
        return of(&value);
    };
    let contact = state.lookup("contact").unwrap_or_default();
    if contact
        .get_attr("phone")
        .is_ok_and(|phone| phone.as_str() == Some(number))
    {
        return of(&contact);
    }
    Err(fail(
        "only the run's own contact can be asked whether they opted out".to_owned(),
    ))
}

/// `now() is business_hours`, `event.at is business_hours("support")`.
fn business_hours(state: &State, value: Jinja, name: Option<String>) -> Result<bool, Error> {
    let (time, scope) = read(state, &value)?;
    let name = name.as_deref().unwrap_or("business");
    scope.services.in_hours(name, time.at).map_err(fail)
}
