//! Steps that are taken for each of several things: which things, and where a run
//! stands among them.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};

use super::Next;
use super::flow::skip;
use crate::model::{Loop, Run};
use crate::workflow::expression::Scope;
use crate::workflow::{Definition, ForEach, Items, what};

/// The most things of a `for_each` within a run: they are kept in its record.
const MOST_THINGS: usize = 1_000;
/// The most bytes that they may have together, as JSON.
const MOST_BYTES: usize = 64 * 1024;

pub(super) fn for_each(
    definition: &Definition,
    run: &mut Run,
    each: &ForEach,
    scope: &Scope,
) -> Next {
    let items = match things(&each.items, scope) {
        Ok(items) => items,
        Err(text) => return Next::Fail(text),
    };
    let count = items.len();
    if count == 0 {
        return Next::Go(json!({ "ok": true, "count": 0 }));
    }
    let bytes: usize = items.iter().map(|item| item.to_string().len()).sum();
    if count > MOST_THINGS || bytes > MOST_BYTES {
        return Next::Fail(format!(
            "`in` has {count} things with {bytes} bytes; within a run {MOST_THINGS} with {MOST_BYTES} \
             are the most: set a limit, or put for_each at the top of the file"
        ));
    }
    run.loops.push(Loop {
        head: run.cursor,
        name: each.items.name.clone(),
        items,
        at: 0,
    });
    forget(definition, run);
    Next::At(
        run.cursor.saturating_add(1),
        json!({ "ok": true, "count": count }),
    )
}

/// The things of a `for_each`: those that fit, in their order, up to the limit.
///
/// # Errors
/// A sentence, when there is no list or a condition cannot be evaluated.
pub(in super::super) fn things(
    items: &Items,
    scope: &Scope,
) -> std::result::Result<Vec<Json>, String> {
    let all = match items.list.eval(scope) {
        Ok(Json::Array(all)) => all,
        Ok(Json::Null) => Vec::new(),
        Ok(other) => return Err(format!("`in` is {}, not a list", what(&other))),
        Err(error) => return Err(format!("`in`: {error}")),
    };
    let mut fit = Vec::new();
    for item in all {
        let wanted = match &items.condition {
            None => true,
            Some(condition) => {
                let mut scope = scope.clone();
                scope.set(items.name.as_str(), item.clone());
                let holds = condition.truthy(&scope);
                holds.map_err(|error| format!("`where`: {error}"))?
            }
        };
        if wanted {
            fit.push(item);
        }
    }
    if let Some(order) = &items.order {
        let (field, turned) = match order.strip_prefix('-') {
            Some(field) => (field, true),
            None => (order.as_str(), false),
        };
        fit.sort_by(|one, two| {
            let order = compare(one.get(field), two.get(field));
            if turned { order.reverse() } else { order }
        });
    }
    if let Some(limit) = items.limit {
        fit.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Ok(fit)
}

/// Numbers by size, texts (times among them) by their letters, what is missing last.
fn compare(one: Option<&Json>, two: Option<&Json>) -> Ordering {
    let known = |value: Option<&Json>| value.is_some_and(|value| !value.is_null());
    match (one, two) {
        (Some(Json::Number(one)), Some(Json::Number(two))) => {
            let (one, two) = (one.as_f64(), two.as_f64());
            one.partial_cmp(&two).unwrap_or(Ordering::Equal)
        }
        (Some(Json::String(one)), Some(Json::String(two))) => one.cmp(two),
        (one, two) => known(two).cmp(&known(one)),
    }
}

/// The end of a `for_each`: its steps once more for the next thing, or on.
pub(super) fn next_thing(definition: &Definition, run: &mut Run, head: usize) {
    let Some(one) = run.loops.last_mut().filter(|one| one.head == head) else {
        // Nothing that can be: on with what follows.
        run.cursor = definition.following(head);
        return;
    };
    one.at += 1;
    if one.at < one.items.len() {
        run.cursor = head.saturating_add(1);
        forget(definition, run);
        return;
    }
    run.loops.pop();
    run.cursor = definition.following(head);
    skip(definition, run, head..run.cursor);
}

/// Forgets what the steps of the innermost `for_each` came to for the thing before.
fn forget(definition: &Definition, run: &mut Run) {
    let Some(head) = run.loops.last().map(|one| one.head) else {
        return;
    };
    let own = definition.steps.get(head + 1..definition.following(head));
    for step in own.unwrap_or_default() {
        run.results.remove(&step.id);
    }
}
