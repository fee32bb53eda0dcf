//! Reading single values out of a TOML document. Owns the words about a wrong
//! type, an unknown key and a missing one; knows no section of the file.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use ringback_core::model::PhoneNumber;
use ringback_core::sms;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Report;

/// A table of the file, read key by key; what is left in the end is unknown.
pub(super) struct Section<'a> {
    path: String,
    pub(super) span: Range<usize>,
    left: Vec<Item<'a>>,
    known: Vec<&'static str>,
    report: &'a Report,
}

/// A value of the file.
#[derive(Clone)]
pub(super) struct Item<'a> {
    /// Its last key.
    pub(super) name: &'a str,
    /// The dotted way to it.
    pub(super) path: String,
    /// Where its key stands.
    pub(super) key: Range<usize>,
    /// Where its value stands.
    pub(super) span: Range<usize>,
    /// The value.
    pub(super) value: &'a DeValue<'a>,
    /// Where its problems go.
    pub(super) report: &'a Report,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        path: &str,
        span: Range<usize>,
        table: &'a DeTable<'a>,
        report: &'a Report,
    ) -> Self {
        let item = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &'a std::borrow::Cow<'a, str> = key.get_ref();
            Item {
                name,
                path: join(path, name),
                key: key.span(),
                span: value.span(),
                value: value.get_ref(),
                report,
            }
        };
        let mut left: Vec<Item<'a>> = table.iter().map(item).collect();
        left.sort_by_key(|item| item.key.start);
        Self {
            path: path.to_owned(),
            span,
            left,
            known: Vec::new(),
            report,
        }
    }

    /// The value under a key, once.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.known.push(key);
        let at = self.left.iter().position(|item| item.name == key)?;
        Some(self.left.remove(at))
    }

    /// The value under a key that has to be there.
    pub(super) fn require(&mut self, key: &'static str, help: &str) -> Option<Item<'a>> {
        let item = self.take(key);
        if item.is_none() {
            let message = format!("`{}` is missing", join(&self.path, key));
            self.report
                .error(self.span.clone(), message, Some(help.to_owned()));
        }
        item
    }

    /// Everything that was not taken, when any key may stand here.
    pub(super) fn rest(&mut self) -> Vec<Item<'a>> {
        std::mem::take(&mut self.left)
    }

    /// Reports every key that was not taken.
    pub(super) fn finish(mut self) {
        for item in self.rest() {
            let what = if self.path.is_empty() {
                format!("unknown section or key `{}`", item.name)
            } else {
                format!("unknown key `{}` in `{}`", item.name, self.path)
            };
            let help = match nearest(item.name, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", self.known.join(", ")),
            };
            self.report.error(item.key, what, Some(help));
        }
    }
}

impl<'a> Item<'a> {
    pub(super) fn error(&self, message: impl Into<String>, help: Option<&str>) {
        self.report
            .error(self.span.clone(), message, help.map(str::to_owned));
    }

    pub(super) fn warning(&self, message: impl Into<String>, help: Option<&str>) {
        self.report
            .warning(self.key.clone(), message, help.map(str::to_owned));
    }

    /// "`a.b` must be X, not Y", at the value.
    pub(super) fn wrong(&self, wanted: &str) {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(
            format!("`{}` must be {wanted}, not {found}", self.path),
            None,
        );
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text.as_ref()),
            _ => {
                self.wrong("a text in quotes");
                None
            }
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.wrong("true or false");
        }
        value
    }

    pub(super) fn number(&self, from: u32, to: u32) -> Option<u32> {
        let wanted = format!("a whole number from {from} to {to}");
        let Some(number) = self.value.as_integer() else {
            self.wrong(&wanted);
            return None;
        };
        let number = u32::from_str_radix(number.as_str(), number.radix());
        let number = number.ok().filter(|number| (from..=to).contains(number));
        if number.is_none() {
            self.error(format!("`{}` must be {wanted}", self.path), None);
        }
        number
    }

    /// How many of something a second, 0.01 to 1000, as the microseconds of one.
    pub(super) fn a_second(&self) -> Option<u64> {
        let wanted = "a number from 0.01 to 1000";
        let number: Option<f64> = match self.value {
            DeValue::Integer(number) => number.as_str().parse().ok(),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => {
                self.wrong(wanted);
                return None;
            }
        };
        let Some(number) = number.filter(|number| (0.01..=1000.0).contains(number)) else {
            self.error(format!("`{}` must be {wanted}", self.path), None);
            return None;
        };
        let one = Duration::try_from_secs_f64(1.0 / number).ok()?;
        u64::try_from(one.as_micros()).ok()
    }

    pub(super) fn list(&self) -> Vec<Item<'a>> {
        let Some(items) = self.value.as_array() else {
            self.wrong("a list in square brackets");
            return Vec::new();
        };
        let item = |value: &'a Spanned<DeValue<'a>>| Item {
            name: self.name,
            path: self.path.clone(),
            key: value.span(),
            span: value.span(),
            value: value.get_ref(),
            report: self.report,
        };
        items.iter().map(item).collect()
    }

    pub(super) fn section(&self) -> Option<Section<'a>> {
        match self.value {
            DeValue::Table(table) => Some(Section::new(
                &self.path,
                self.key.clone(),
                table,
                self.report,
            )),
            _ => {
                self.wrong("a table");
                None
            }
        }
    }

    /// `45s`, `10m`, `2h`, `3d` within bounds.
    pub(super) fn duration(&self, from: Duration, to: Duration) -> Option<Duration> {
        const SHAPE: &str = "a duration is a number and a unit in quotes: \"20s\", \"2m\", \"1h\"";
        if self.value.is_integer() {
            self.error(format!("`{}` needs a unit", self.path), Some(SHAPE));
            return None;
        }
        let text = self.text()?;
        let Some(duration) = duration(text) else {
            let message = format!("`{}` is not a duration: {text:?}", self.path);
            self.error(message, Some(SHAPE));
            return None;
        };
        if duration < from || duration > to {
            let message = format!(
                "`{}` must be between {}s and {}s",
                self.path,
                from.as_secs(),
                to.as_secs()
            );
            self.error(message, None);
            return None;
        }
        Some(duration)
    }

    /// A phone number, into E.164.
    pub(super) fn phone(&self) -> Option<PhoneNumber> {
        if let Some(number) = self.value.as_integer() {
            let digits = number.as_str().trim_start_matches('+');
            let help = format!("write it as \"+{digits}\"");
            let message = format!("`{}`: put the phone number in quotes", self.path);
            self.error(message, Some(&help));
            return None;
        }
        let text = self.text()?;
        let number = sms::phone::e164(text, None).map_err(|error| error.to_string());
        let number = number.and_then(|number| PhoneNumber::try_from(number.as_str()));
        number
            .map_err(|error| self.error(format!("`{}`: {error}", self.path), None))
            .ok()
    }

    /// Anything that is written as a text, through its own reading.
    pub(super) fn parsed<T: FromStr>(&self, wanted: &str) -> Option<T> {
        let text = self.text()?;
        let value = text.parse().ok();
        if value.is_none() {
            self.error(
                format!("`{}` must be {wanted}, not {text:?}", self.path),
                None,
            );
        }
        value
    }
}

/// Reads `45s`, `10m`, `2h`, `3d`, `1w`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: u64 = match unit.trim_start() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    Some(Duration::from_secs(seconds))
}

/// The likeliest of some words for one that is not among them.
pub(super) fn nearest<'w>(word: &str, among: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // A hostile file must not buy a long comparison.
    if word.len() > 60 {
        return None;
    }
    let scored = among
        .into_iter()
        .map(|other| (strsim::jaro_winkler(word, other), other));
    scored
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, other)| other)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
