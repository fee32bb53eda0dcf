//! Reading one value by its kind, and the words about a value that does not fit.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::super::definition::{
    Awaited, DayWindow, FieldType, InputKind, InputType, TimeOfDay, Times, TooMany, Trigger,
};
use super::super::duration::{self, short};
use super::super::language::{Kind, RESULTS};
use super::super::yaml::{Kind as Yaml, Node, Span};
use super::campaign;
use super::forms::marked;
use super::reader::{Reader, Record};
use crate::workflow::expression::{Expression, Pattern, Template, Value};

/// A value that was read.
pub(crate) enum Datum {
    Text(String),
    Template(Template),
    Value(Value),
    Condition(Expression),
    Pattern(Pattern),
    Number(u64),
    Share(f64),
    Choice(&'static str),
    Time(TimeOfDay),
    Window(DayWindow),
    Input(InputType),
    List(Vec<Datum>),
    Map(Vec<(String, Datum)>),
    Block(Record),
    Constants(Map<String, Json>),
    Weights(Vec<(String, u32)>),
    Fields(Vec<(String, FieldType)>),
    Triggers(Vec<Trigger>),
    Events(Vec<Awaited>, Option<u64>),
    Instant(jiff::Timestamp),
    Flag(bool),
    Times(Times),
    TooMany(TooMany),
    /// There, but not as it should be; a message was given.
    Refused,
}

/// Each takes its own kind out of a datum; the tables say which it is.
macro_rules! take {
    ($($name:ident: $variant:ident -> $type:ty),* $(,)?) => {
        impl Record {
            $(pub(crate) fn $name(&mut self, key: &str) -> Option<$type> {
                match self.take(key)? {
                    Datum::$variant(value) => Some(value),
                    _ => None,
                }
            })*
        }
    };
}

take! {
    text: Text -> String,
    template: Template -> Template,
    value: Value -> Value,
    condition: Condition -> Expression,
    pattern: Pattern -> Pattern,
    number: Number -> u64,
    share: Share -> f64,
    word: Choice -> &'static str,
    time: Time -> TimeOfDay,
    window: Window -> DayWindow,
    list: List -> Vec<Datum>,
    map: Map -> Vec<(String, Datum)>,
    record: Block -> Record,
    constants: Constants -> Map<String, Json>,
    weights: Weights -> Vec<(String, u32)>,
    fields: Fields -> Vec<(String, FieldType)>,
    triggers: Triggers -> Vec<Trigger>,
    instant: Instant -> jiff::Timestamp,
    flag: Flag -> bool,
    times: Times -> Times,
    too_many: TooMany -> TooMany,
}

impl Record {
    /// A choice whose words are those of the definition.
    pub(crate) fn choice<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let word = self.word(key)?;
        serde_json::from_value(Json::from(word)).ok()
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, key: &str) -> Vec<String> {
        let items = self.list(key).unwrap_or_default().into_iter();
        items
            .filter_map(|item| match item {
                Datum::Text(text) => Some(text),
                _ => None,
            })
            .collect()
    }
}

impl Reader<'_> {
    /// Reads a value of a kind; none after a message.
    pub(crate) fn value(&mut self, kind: &'static Kind, node: &Node, key: &str) -> Option<Datum> {
        if matches!(node.kind, Yaml::Refused) {
            return None;
        }
        match kind {
            Kind::List(kind) => return self.list(kind, node, key),
            Kind::Map(kind) => return self.map(kind, node, key),
            Kind::Block(keys) => {
                return self
                    .block(node, keys, &format!("`{key}`"))
                    .map(Datum::Block);
            }
            Kind::Value | Kind::PhoneValue => return self.any(kind, node, key).map(Datum::Value),
            Kind::Constants => return self.constants(node, key),
            Kind::Triggers => return Some(Datum::Triggers(self.triggers(node))),
            Kind::Events => return self.events(node),
            Kind::Weights => return self.weights(node, key),
            Kind::Fields => return self.fields(node, key),
            // Lists of steps are read for themselves, when all else is known.
            Kind::Steps | Kind::Branches | Kind::Cases | Kind::Tests | Kind::Later => return None,
            Kind::Short(_, keys) if matches!(node.kind, Yaml::Map(_)) => {
                return self
                    .block(node, keys, &format!("`{key}`"))
                    .map(Datum::Block);
            }
            Kind::Short(short, _) => return self.value(short, node, key),
            Kind::OnError if matches!(node.kind, Yaml::List(_)) => return None,
            Kind::OnError => {
                let (text, _) = self.scalar(node, key)?;
                const WORDS: &[&str] = &["fail", "continue"];
                let word = WORDS.iter().find(|word| **word == text);
                if word.is_none() {
                    self.error_help(
                        node.span,
                        format!(
                            "`on_error` must be `fail`, `continue` or a list of steps, not `{}`",
                            short(text)
                        ),
                        "for example: on_error: continue",
                    );
                }
                return word.map(|word| Datum::Choice(word));
            }
            _ => {}
        }
        let (text, plain) = self.scalar(node, key)?;
        if !matches!(kind, Kind::Template | Kind::Condition | Kind::Pattern) && marked(text) {
            self.error_help(
                node.span,
                format!("`{key}` is fixed; {{{{ … }}}} is not filled in here"),
                "write the value itself",
            );
            return None;
        }
        let read = match kind {
            Kind::Template => return self.template(node.span, text).map(Datum::Template),
            Kind::Condition => return self.condition(node.span, text).map(Datum::Condition),
            Kind::Pattern => {
                let pattern = Pattern::new(text);
                return self.compiled(node.span, pattern, "pattern").map(Datum::Pattern);
            }
            Kind::Phone => return self.phone(node.span, text, plain).map(Datum::Text),
            Kind::Name(of) => {
                self.name(node.span, *of, text);
                Ok(Datum::Text(text.to_owned()))
            }
            Kind::Text => Ok(Datum::Text(text.to_owned())),
            Kind::Yes if text == "true" => Ok(Datum::Choice("true")),
            Kind::Yes => Err(format!("`{key}` is done or left out: write `{key}: true`, not `{}`", short(text))),
            Kind::CountOrText => Ok(match text.parse() {
                Ok(count) if plain => Datum::Number(count),
                _ => Datum::Text(text.to_owned()),
            }),
            Kind::Flag => match text {
                "true" => Ok(Datum::Flag(true)),
                "false" => Ok(Datum::Flag(false)),
                other => Err(format!("`{key}` is `true` or `false`, not `{}`", short(other))),
            },
            Kind::Instant => super::cases::instant(text).map(Datum::Instant).ok_or_else(|| format!("`{}` is not a time with its offset; write it like \"2026-03-08T01:45:00-06:00\"", short(text))),
            Kind::Duration => duration::seconds(text).map(Datum::Number),
            Kind::Count => text
                .parse()
                .ok()
                .filter(|n| *n <= 100_000)
                .map(Datum::Number)
                .ok_or_else(|| format!("`{key}` must be a whole number, not `{}`", short(text))),
            Kind::Share => text
                .parse::<f64>()
                .ok()
                .filter(|share| (0.0..=1.0).contains(share))
                .map(Datum::Share)
                .ok_or_else(|| format!("`{key}` must be a number from 0 to 1, not `{}`", short(text))),
            Kind::Times => campaign::times(text).map(Datum::Times),
            Kind::TooMany => campaign::too_many(text).map(Datum::TooMany),
            Kind::Choice(words) => match words.iter().find(|word| **word == text) {
                Some(word) => Ok(Datum::Choice(word)),
                None => {
                    self.choice(node.span, text, words, key);
                    return None;
                }
            },
            Kind::Cron => self.known.checks.cron(text).map(|()| Datum::Text(text.to_owned())).map_err(|error| format!("this cron line cannot be read: {error}")),
            Kind::Zone => self.known.checks.zone(text).map(|()| Datum::Text(text.to_owned())).map_err(|error| format!("this zone cannot be read: {error}")),
            Kind::TimeOfDay => time_of_day(text).map(Datum::Time).ok_or_else(|| format!("`{}` is not a time of day; write it like \"10:30\"", short(text))),
            Kind::DayWindow => day_window(text).map(Datum::Window).ok_or_else(|| format!("`{}` is not a part of a day; write it like \"10:00-18:00\"", short(text))),
            Kind::InputType => input_type(text).map(Datum::Input).ok_or_else(|| format!("`{}` is not a type; there is: string, number, boolean, phone, any, each with `?` when it may be left out", short(text))),
            _ => return None,
        };
        read.map_err(|message| self.error(node.span, message)).ok()
    }

    pub(super) fn scalar<'n>(&mut self, node: &'n Node, key: &str) -> Option<(&'n str, bool)> {
        match &node.kind {
            Yaml::Scalar { text, plain } if !(node.is_null() || text.trim().is_empty()) => {
                Some((text, *plain))
            }
            Yaml::Scalar { .. } => {
                self.error(node.span, format!("`{key}` is empty"));
                None
            }
            _ => {
                self.error(
                    node.span,
                    format!("`{key}` must be a single value, not {}", node.what()),
                );
                None
            }
        }
    }

    fn list(&mut self, kind: &'static Kind, node: &Node, key: &str) -> Option<Datum> {
        let items = match &node.kind {
            Yaml::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let read: Vec<_> = items
            .iter()
            .map(|item| self.value(kind, item, key))
            .collect();
        read.into_iter().collect::<Option<_>>().map(Datum::List)
    }

    fn map(&mut self, kind: &'static Kind, node: &Node, key: &str) -> Option<Datum> {
        let Yaml::Map(entries) = &node.kind else {
            self.error(
                node.span,
                format!(
                    "`{key}` must be a block of names and values, not {}",
                    node.what()
                ),
            );
            return None;
        };
        let mut read = Vec::new();
        for (name, value) in entries {
            if !identifier(&name.text) {
                self.error_help(
                    name.span,
                    format!(
                        "`{}` is not a name that expressions can use",
                        short(&name.text)
                    ),
                    "use letters, digits and `_`, and begin with a letter",
                );
            }
            read.push((name.text.clone(), self.value(kind, value, &name.text)));
        }
        let read = read.into_iter().map(|(name, value)| Some((name, value?)));
        read.collect::<Option<_>>().map(Datum::Map)
    }

    pub(super) fn phone(&mut self, span: Span, text: &str, plain: bool) -> Option<String> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if plain && digits.bytes().all(|b| b.is_ascii_digit()) {
            self.error_help(
                span,
                "put the phone number in quotes",
                "without them YAML reads a number, and the + is lost",
            );
            return None;
        }
        let checked = self.known.checks.phone(text);
        checked
            .map_err(|error| {
                self.error(
                    span,
                    format!("`{}` is not a phone number: {error}", short(text)),
                )
            })
            .ok()
    }

    fn choice(&mut self, span: Span, text: &str, words: &'static [&'static str], key: &str) {
        let event = super::super::language::trigger(text).is_some();
        if event && matches!(key, "cancel_on" | "wait_for") {
            let here = match text {
                "message.received" => Some("reply"),
                "contact.opted_out" => Some("opt_out"),
                "conversation.handoff" => Some("handoff"),
                _ => None,
            };
            let (message, help) = match (key, here) {
                ("wait_for", _) => (
                    "the short form knows only `reply`".to_owned(),
                    Some(format!("write wait_for: {{ {text}: {{}} }}")),
                ),
                (_, Some(here)) => (format!("`{text}` is called `{here}` here"), None),
                (_, None) => (
                    format!("`{text}` cannot end a run"),
                    Some(format!("there is: {}", words.join(", "))),
                ),
            };
            self.report(super::super::Severity::Error, span, message, help);
            return;
        }
        let what = format!("value of `{key}`:");
        self.unknown(span, &what, text, words.iter().copied());
    }

    /// `{ when: "datetime?", all: "list[string]" }`
    fn fields(&mut self, node: &Node, key: &str) -> Option<Datum> {
        let Some(Datum::Map(read)) = self.map(&Kind::Text, node, key) else {
            return None;
        };
        let mut fields = Vec::new();
        for (name, datum) in read {
            let Datum::Text(text) = datum else {
                continue;
            };
            match FieldType::parse(&text) {
                Some(_) if RESULTS.contains(&name.as_str()) => {
                    let span = self.locate(node.span, &name);
                    let message =
                        format!("every result has a `{name}` of its own; choose another name");
                    self.error(span, message);
                    return None;
                }
                Some(kind) => fields.push((name, kind)),
                None => {
                    let span = self.locate(node.span, &text);
                    self.error_help(
                        span,
                        format!("`{}` is not a type", short(&text)),
                        "there is: string, number, boolean, datetime, date, phone; `?` behind it when it may be missing; list[…] for several",
                    );
                    return None;
                }
            }
        }
        if fields.is_empty() {
            self.error(node.span, format!("`{key}` names nothing"));
            return None;
        }
        Some(Datum::Fields(fields))
    }

    /// `{ a: 50, b: 50 }`
    fn weights(&mut self, node: &Node, key: &str) -> Option<Datum> {
        let Some(Datum::Map(read)) = self.map(&Kind::Count, node, key) else {
            return None;
        };
        let weights: Vec<(String, u32)> = read
            .into_iter()
            .filter_map(|(name, datum)| match datum {
                Datum::Number(weight) => Some((name, u32::try_from(weight).unwrap_or(u32::MAX))),
                _ => None,
            })
            .collect();
        if weights.iter().all(|(_, weight)| *weight == 0) {
            self.error_help(
                node.span,
                format!("`{key}` has no weight above 0"),
                "for example: split: { a: 50, b: 50 }",
            );
            return None;
        }
        Some(Datum::Weights(weights))
    }

    fn constants(&mut self, node: &Node, key: &str) -> Option<Datum> {
        let Yaml::Map(entries) = &node.kind else {
            self.error(
                node.span,
                format!(
                    "`{key}` must be a block of names and values, not {}",
                    node.what()
                ),
            );
            return None;
        };
        let mut map = Map::new();
        for (name, value) in entries {
            if !identifier(&name.text) {
                self.error_help(
                    name.span,
                    format!(
                        "`{}` is not a name that expressions can use",
                        short(&name.text)
                    ),
                    "use letters, digits and `_`, and begin with a letter",
                );
            }
            let help = "vars are constants; values of a run are made by a `set` step";
            let json = self.json(value, help).unwrap_or_default();
            map.insert(name.text.clone(), json);
        }
        Some(Datum::Constants(map))
    }
}

/// Whether expressions can say it.
pub(crate) fn identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= 64
}

fn time_of_day(text: &str) -> Option<TimeOfDay> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str, width: std::ops::RangeInclusive<usize>| {
        let digits = text.bytes().all(|b| b.is_ascii_digit()) && width.contains(&text.len());
        digits.then(|| text.parse::<i8>().ok()).flatten()
    };
    let (hour, minute) = (number(hour, 1..=2)?, number(minute, 2..=2)?);
    (hour < 24 && minute < 60).then_some(TimeOfDay { hour, minute })
}

fn day_window(text: &str) -> Option<DayWindow> {
    let (from, to) = text.split_once('-')?;
    let window = DayWindow {
        from: time_of_day(from)?,
        to: time_of_day(to)?,
    };
    (window.from < window.to).then_some(window)
}

fn input_type(text: &str) -> Option<InputType> {
    let (word, optional) = match text.strip_suffix('?') {
        Some(word) => (word, true),
        None => (text, false),
    };
    let kind: InputKind = serde_json::from_value(Json::from(word)).ok()?;
    Some(InputType { kind, optional })
}
