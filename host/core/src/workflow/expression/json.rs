//! From template values back to JSON, with a bound on how much.

use minijinja::value::{Value as Jinja, ValueKind};
use serde_json::{Map, Number, Value as Json};

/// The most values one result may hold, so that a lazy list cannot fill memory.
const MAX_VALUES: usize = 20_000;
/// The most bytes of text one result may hold.
const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting of a result.
const MAX_DEPTH: usize = 64;

struct Budget {
    values: usize,
    bytes: usize,
}

/// The JSON of a value: times as RFC 3339, undefined as null.
pub(crate) fn from_value(value: &Jinja) -> Result<Json, String> {
    let mut budget = Budget {
        values: MAX_VALUES,
        bytes: MAX_BYTES,
    };
    walk(value, 0, &mut budget)
}

fn walk(value: &Jinja, depth: usize, budget: &mut Budget) -> Result<Json, String> {
    let too_large = || "the value is too large".to_owned();
    if depth > MAX_DEPTH {
        return Err(too_large());
    }
    budget.values = budget.values.checked_sub(1).ok_or_else(too_large)?;
    let mut text = |text: String| {
        budget.bytes = budget.bytes.checked_sub(text.len()).ok_or_else(too_large)?;
        Ok::<_, String>(text)
    };
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => Ok(number(value)),
        ValueKind::String => text(value.as_str().unwrap_or_default().to_owned()).map(Json::String),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter().map_err(|error| error.to_string())? {
                items.push(walk(&item, depth + 1, budget)?);
            }
            Ok(Json::Array(items))
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter().map_err(|error| error.to_string())? {
                let item = value.get_item(&key).map_err(|error| error.to_string())?;
                let item = walk(&item, depth + 1, budget)?;
                map.insert(key.to_string(), item);
            }
            Ok(Json::Object(map))
        }
        ValueKind::Plain => text(value.to_string()).map(Json::String),
        _ => Err(format!("a {} has no place in a value", value.kind())),
    }
}

fn number(value: &Jinja) -> Json {
    if let Ok(n) = i64::try_from(value.clone()) {
        // A float with no fraction also converts; it must stay a float.
        if value.is_integer() {
            return Json::from(n);
        }
    }
    if let Ok(n) = u64::try_from(value.clone())
        && value.is_integer()
    {
        return Json::from(n);
    }
    let float = f64::try_from(value.clone()).ok();
    float
        .and_then(Number::from_f64)
        .map_or(Json::Null, Json::Number)
}
