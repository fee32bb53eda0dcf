//! Reading one value by its kind. Owns the three forms of values, YAML's traps
//! with numbers and booleans, and the words about a value that does not fit.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::super::definition::{Awaited, DayWindow, InputKind, InputType, TimeOfDay, Trigger};
use super::super::duration::{self, short};
use super::super::language::Kind;
use super::super::yaml::{Kind as Yaml, Node, Span};
use super::reader::{Reader, Record, Site};
use crate::workflow::expression::{
    Error, Expression, Pattern, Template, Value, uses_of_expression, uses_of_template,
};

/// A value that was read.
pub(crate) enum Datum {
    Text(String),
    Template(Template),
    Value(Value),
    Condition(Expression),
    Pattern(Pattern),
    Number(u64),
    Choice(&'static str),
    Time(TimeOfDay),
    Window(DayWindow),
    Input(InputType),
    List(Vec<Datum>),
    Map(Vec<(String, Datum)>),
    Block(Record),
    Constants(Map<String, Json>),
    Triggers(Vec<Trigger>),
    Events(Vec<Awaited>, Option<u64>),
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
    word: Choice -> &'static str,
    time: Time -> TimeOfDay,
    window: Window -> DayWindow,
    list: List -> Vec<Datum>,
    map: Map -> Vec<(String, Datum)>,
    record: Block -> Record,
    constants: Constants -> Map<String, Json>,
    triggers: Triggers -> Vec<Trigger>,
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
            // The document reads its steps itself, when all else is known.
            Kind::Steps | Kind::Later => return None,
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
            Kind::Duration => duration::seconds(text).map(Datum::Number),
            Kind::Count => text
                .parse()
                .ok()
                .filter(|n| *n <= 100_000)
                .map(Datum::Number)
                .ok_or_else(|| format!("`{key}` must be a whole number, not `{}`", short(text))),
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

    fn scalar<'n>(&mut self, node: &'n Node, key: &str) -> Option<(&'n str, bool)> {
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

    /// One of the three forms.
    fn any(&mut self, kind: &Kind, node: &Node, key: &str) -> Option<Value> {
        let Yaml::Scalar { text, plain } = &node.kind else {
            let json = self.json(node, "write the whole value as ${{ … }}")?;
            if matches!(kind, Kind::PhoneValue) {
                self.error(
                    node.span,
                    format!("`{key}` must be a phone number, not {}", node.what()),
                );
                return None;
            }
            return Some(Value::Literal(json));
        };
        if let Some(source) = self.whole(node.span, text)? {
            return self.condition(node.span, source).map(Value::Expression);
        }
        if marked(text) {
            return self.template(node.span, text).map(Value::Template);
        }
        if matches!(kind, Kind::PhoneValue) {
            let (text, plain) = self.scalar(node, key)?;
            return self
                .phone(node.span, text, plain)
                .map(|n| Value::Literal(Json::from(n)));
        }
        self.literal(node.span, text, *plain).map(Value::Literal)
    }

    /// The source inside `${{ … }}`; the outer none after a message.
    #[expect(
        clippy::option_option,
        reason = "a refusal and an absence are different answers"
    )]
    fn whole<'t>(&mut self, span: Span, text: &'t str) -> Option<Option<&'t str>> {
        if !text.contains("${{") {
            return Some(None);
        }
        let trimmed = text.trim();
        let inside = trimmed
            .strip_prefix("${{")
            .and_then(|rest| rest.strip_suffix("}}"));
        match inside {
            Some(inside) if !inside.contains("${{") => Some(Some(inside.trim())),
            _ if trimmed.starts_with("${{") && !trimmed.contains("}}") => {
                self.error_help(
                    span,
                    "`${{` is not closed",
                    "a ` #` begins a comment in YAML; put the value in quotes if it holds one",
                );
                None
            }
            _ => {
                let span = self.locate(span, "${{");
                self.error_help(
                    span,
                    "`${{ … }}` must be the whole value",
                    "inside a text write {{ … }}",
                );
                None
            }
        }
    }

    pub(crate) fn template(&mut self, span: Span, text: &str) -> Option<Template> {
        // `${{ x }}` as a whole text is `{{ x }}`.
        let inside = self
            .whole(span, text)?
            .map(|source| format!("{{{{ {source} }}}}"));
        let template = Template::new(inside.as_deref().unwrap_or(text));
        let template = self.compiled(span, template, "text")?;
        self.sites.push(Site {
            span,
            names: template.names(),
            uses: uses_of_template(template.source()),
            step: self.step,
        });
        Some(template)
    }

    pub(crate) fn condition(&mut self, span: Span, text: &str) -> Option<Expression> {
        let source = self.whole(span, text)?.unwrap_or(text).trim();
        if source.starts_with("{{") || source.starts_with("{%") {
            self.error_help(
                span,
                "a condition is a bare expression",
                "leave out the {{ and }}",
            );
            return None;
        }
        let expression = self.compiled(span, Expression::new(source), "expression")?;
        self.sites.push(Site {
            span,
            names: expression.names(),
            uses: uses_of_expression(expression.source()),
            step: self.step,
        });
        Some(expression)
    }

    fn compiled<T>(&mut self, span: Span, result: Result<T, Error>, what: &str) -> Option<T> {
        result
            .map_err(|error| self.error(span, format!("this {what} cannot be read: {error}")))
            .ok()
    }

    fn phone(&mut self, span: Span, text: &str, plain: bool) -> Option<String> {
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
            let help = (key == "wait_for").then(|| format!("write wait_for: {{ {text}: {{}} }}"));
            let message = if help.is_some() {
                "the short form knows only `reply`".to_owned()
            } else {
                format!("`{text}` is not available here in this version yet")
            };
            self.report(super::super::Severity::Error, span, message, help);
            return;
        }
        let what = format!("value of `{key}`:");
        self.unknown(span, &what, text, words.iter().copied());
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

    /// A value as written, with everything in it.
    fn json(&mut self, node: &Node, marked_help: &str) -> Option<Json> {
        match &node.kind {
            Yaml::Scalar { text, .. } if marked(text) => {
                self.error_help(node.span, "{{ … }} is not filled in here", marked_help);
                None
            }
            Yaml::Scalar { text, plain } => self.literal(node.span, text, *plain),
            Yaml::List(items) => {
                let read: Vec<_> = items
                    .iter()
                    .map(|item| self.json(item, marked_help))
                    .collect();
                read.into_iter().collect::<Option<_>>().map(Json::Array)
            }
            Yaml::Refused => None,
            Yaml::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    map.insert(key.text.clone(), self.json(value, marked_help)?);
                }
                Some(Json::Object(map))
            }
        }
    }

    /// A plain scalar is `true`, `false`, null or a number only as JSON writes
    /// them; everything else, `NO` and `1e` and `007` too, is a text.
    fn literal(&mut self, span: Span, text: &str, plain: bool) -> Option<Json> {
        if !plain {
            return Some(Json::from(text));
        }
        if text
            .strip_prefix('+')
            .is_some_and(|n| n.len() > 6 && n.bytes().all(|b| b.is_ascii_digit()))
        {
            self.error_help(
                span,
                "put the phone number in quotes",
                "without them YAML reads a number, and the + is lost",
            );
            return None;
        }
        let json = match text {
            "" | "~" | "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            text => serde_json::from_str::<serde_json::Number>(text)
                .map_or_else(|_| Json::from(text), Json::Number),
        };
        Some(json)
    }
}

/// Whether a text holds marks that ask to be filled in.
fn marked(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
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
