//! The operators that are not the engine's own, and what keeps an evaluation's work
//! within bounds: every filter pays for the size of what it is given.

use std::cmp::Ordering;

use minijinja::functions::Function;
use minijinja::value::{FunctionArgs, FunctionResult, Rest, Value as Jinja, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, tests};

use super::library::{fail, scope};
use super::prepare::{EQ, GE, GT, IN, LE, LT, NE, TIMES};
use super::time::Time;

/// How many items, or sixteens of bytes, the filters of one evaluation may be given.
const MOST_WORK: usize = 2_000_000;
/// The most numbers of one `range`; a loop cannot go through more.
const MOST_NUMBERS: i64 = 10_000;

pub(super) fn install(env: &mut Environment<'static>) {
    env.add_test(EQ, |one: &Jinja, two: &Jinja| same(one, two));
    env.add_test(NE, |one: &Jinja, two: &Jinja| !same(one, two));
    compares(env, LT, Ordering::is_lt);
    compares(env, LE, Ordering::is_le);
    compares(env, GT, Ordering::is_gt);
    compares(env, GE, Ordering::is_ge);
    env.add_test(IN, |state: &State, one: &Jinja, two: &Jinja| {
        if one.is_undefined() || nothing(two) {
            return Ok(false);
        }
        if matches!(two.kind(), ValueKind::Number | ValueKind::Bool) {
            return Err(fail(format!(
                "`in` looks into a list or a text, not a {}",
                two.kind()
            )));
        }
        tests::is_in(state, one, two)
    });
    env.add_filter(TIMES, times);
    env.add_function("range", range);
}

/// Whether there is no value.
fn nothing(value: &Jinja) -> bool {
    value.is_undefined() || value.is_none()
}

fn same(one: &Jinja, two: &Jinja) -> bool {
    if nothing(one) || nothing(two) {
        return nothing(one) && nothing(two);
    }
    one == two
}

fn compares(env: &mut Environment<'static>, name: &'static str, fits: fn(Ordering) -> bool) {
    env.add_test(name, move |state: &State, one: &Jinja, two: &Jinja| {
        // Nothing is neither more nor less than anything.
        if nothing(one) || nothing(two) {
            return Ok(false);
        }
        order(state, one, two).map(fits)
    });
}

/// Which of two values is more. A time and a text compare as times; a text and a
/// number do not compare, because every text would be more than every number.
fn order(state: &State, one: &Jinja, two: &Jinja) -> Result<Ordering, Error> {
    let is_time = |value: &Jinja| value.downcast_object_ref::<Time>().is_some();
    let (kind, other) = (one.kind(), two.kind());
    if is_time(one) != is_time(two) && [kind, other].contains(&ValueKind::String) {
        let scope = scope(state)?;
        let read = |value: &Jinja| Time::read(value, &scope).map_err(fail);
        return Ok(read(one)?.at.cmp(&read(two)?.at));
    }
    match (kind, other) {
        (ValueKind::String, ValueKind::Number) | (ValueKind::Number, ValueKind::String) => {
            Err(fail(
                "a text cannot be compared with a number; write `| int` or `| float` behind the text"
                    .to_owned(),
            ))
        }
        _ => Ok(one.cmp(two)),
    }
}

/// `a * b`: numbers. A text or a list is not repeated, which would make much of little.
fn times(one: &Jinja, two: &Jinja) -> Result<Jinja, Error> {
    if let Some(other) = [one, two].into_iter().find(|value| !value.is_number()) {
        let help = match other.kind() {
            ValueKind::String => "; write `| int` or `| float` behind the text",
            ValueKind::Undefined | ValueKind::None => "; write `| default(0)` behind it",
            _ => "",
        };
        let what = match other.kind() {
            ValueKind::Undefined | ValueKind::None => "nothing".to_owned(),
            kind => format!("a {kind}"),
        };
        return Err(fail(format!("`*` multiplies numbers, not {what}{help}")));
    }
    if one.is_integer() && two.is_integer() {
        let whole = |value: &Jinja| i128::try_from(value.clone()).ok();
        let product = whole(one)
            .zip(whole(two))
            .and_then(|(one, two)| one.checked_mul(two));
        return product
            .map(Jinja::from)
            .ok_or_else(|| fail("the number is too large".to_owned()));
    }
    let float = |value: &Jinja| f64::try_from(value.clone());
    Ok(Jinja::from(float(one)? * float(two)?))
}

/// `range(5)`, `range(1, 6)`, `range(5, 0, -1)`.
fn range(from: i64, to: Option<i64>, step: Option<i64>) -> Result<Jinja, Error> {
    let (from, to) = to.map_or((0, from), |to| (from, to));
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(fail("a `range` needs a step other than 0".to_owned()));
    }
    let mut numbers = Vec::new();
    let mut at = from;
    while if step > 0 { at < to } else { at > to } {
        if i64::try_from(numbers.len()).unwrap_or(i64::MAX) >= MOST_NUMBERS {
            return Err(fail(format!(
                "a `range` has at most {MOST_NUMBERS} numbers"
            )));
        }
        numbers.push(at);
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(Jinja::from(numbers))
}

/// Adds a filter that pays for what it is given.
pub(super) fn filter<F, R, A>(env: &mut Environment<'static>, name: &'static str, work: F)
where
    F: Function<R, A>,
    R: FunctionResult,
    A: for<'a> FunctionArgs<'a>,
{
    // No identifier can be spelled like this.
    let inner = format!(" {name}");
    env.add_filter(inner.clone(), work);
    env.add_filter(
        name,
        move |state: &mut State, value: Jinja, rest: Rest<Jinja>| -> Result<Jinja, Error> {
            pay(state, &value)?;
            let args: Vec<Jinja> = std::iter::once(value).chain(rest.iter().cloned()).collect();
            state.apply_filter(&inner, &args)
        },
    );
}

/// Counts the size of a value among the work of the evaluation.
pub(super) fn pay(state: &mut State, value: &Jinja) -> Result<(), Error> {
    const WORK: &str = "work";
    let size = match value.as_str() {
        Some(text) => text.len() / 16,
        None if value.as_object().is_some() => value.len().unwrap_or(1_000),
        None => 0,
    };
    let before = state
        .get_temp(WORK)
        .and_then(|work| usize::try_from(work).ok());
    let work = before.unwrap_or(0).saturating_add(size);
    if work > MOST_WORK {
        return Err(Error::from(ErrorKind::OutOfFuel));
    }
    if size > 0 {
        state.set_temp(WORK, Jinja::from(work));
    }
    Ok(())
}
