//! Expressions and templates: their source, compiled once, and evaluated over a
//! scope of plain values. Text from contacts is only ever a value in the scope;
//! nothing here takes a value for source.

mod environment;
mod error;
mod json;
mod lexer;
mod library;
mod operators;
mod prepare;
mod redact;
mod rows;
mod scope;
mod time;

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use minijinja::Environment;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

pub use error::Error;
pub use rows::{Brought, LEAD_FILTERS, Rows};
pub use scope::{NoServices, Scope, Services};

pub(crate) use lexer::{Use, UseKind, uses_of_expression, uses_of_template};
pub(crate) use library::{FILTERS, FUNCTIONS, LATER_FUNCTIONS, TESTS};
pub(crate) use scope::ROOTS;

/// The longest source of an expression or template, in bytes.
pub const MAX_SOURCE: usize = 16 * 1024;
/// The longest text a template may make, in bytes.
pub const MAX_OUTPUT: usize = 16 * 1024;
/// The longest source of a pattern, in bytes.
pub const MAX_PATTERN: usize = 1_000;

/// A source and what it was compiled to; clones share both.
struct Compiled<T> {
    source: Arc<str>,
    result: Arc<OnceLock<Result<T, Error>>>,
}

impl<T> Compiled<T> {
    fn new(source: &str) -> Self {
        Self {
            source: Arc::from(source),
            result: Arc::new(OnceLock::new()),
        }
    }

    fn get(&self, compile: fn(&str) -> Result<T, Error>) -> Result<&T, Error> {
        let result = self.result.get_or_init(|| compile(&self.source));
        result.as_ref().map_err(Error::clone)
    }
}

impl<T> Clone for Compiled<T> {
    fn clone(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            result: Arc::clone(&self.result),
        }
    }
}

/// What the three kinds of source have in common: equality, printing and serde
/// go by the source.
macro_rules! by_source {
    ($name:ident, $compiled:ty, $compile:path) => {
        impl $name {
            /// Takes a source and compiles it.
            ///
            /// # Errors
            ///
            /// What is wrong with it, and where.
            pub fn new(source: &str) -> Result<Self, Error> {
                let new = Self(Compiled::new(source));
                new.0.get($compile)?;
                Ok(new)
            }

            /// As it was written.
            pub fn source(&self) -> &str {
                &self.0.source
            }

            fn compiled(&self) -> Result<&$compiled, Error> {
                self.0.get($compile)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.source() == other.source()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name))
                    .field(&self.source())
                    .finish()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.source())
            }
        }

        /// A stored source is taken as it is; one that a newer language refuses
        /// fails when it is used, not when its run is loaded.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let source = String::deserialize(deserializer)?;
                Ok(Self(Compiled::new(&source)))
            }
        }
    };
}

/// A bare expression: `answer.timed_out`.
#[derive(Clone)]
pub struct Expression(Compiled<minijinja::Expression<'static, 'static>>);

by_source!(
    Expression,
    minijinja::Expression<'static, 'static>,
    environment::expression
);

impl Expression {
    /// Whether it is true: empty texts and lists, zero, null and undefined are
    /// not.
    ///
    /// # Errors
    ///
    /// A type that does not fit, an attribute of something undefined, or too
    /// much work.
    pub fn truthy(&self, scope: &Scope) -> Result<bool, Error> {
        Ok(self.value(scope)?.is_true())
    }

    /// Its value, with its type; times as RFC 3339, undefined as null.
    ///
    /// # Errors
    ///
    /// As of [`Expression::truthy`], or a result that is too large.
    pub fn eval(&self, scope: &Scope) -> Result<Json, Error> {
        json::from_value(&self.value(scope)?).map_err(Error::Evaluation)
    }

    fn value(&self, scope: &Scope) -> Result<minijinja::Value, Error> {
        Ok(self.compiled()?.eval(scope.root())?)
    }

    /// The names it reads that it does not bind itself, as far as they are
    /// written out: `lead.first_name`.
    pub(crate) fn names(&self) -> Vec<String> {
        self.compiled()
            .map(|compiled| sorted(compiled.undeclared_variables(true)))
            .unwrap_or_default()
    }
}

/// Text with `{{ … }}` in it.
#[derive(Clone)]
pub struct Template(Compiled<Environment<'static>>);

by_source!(Template, Environment<'static>, environment::template);

impl Template {
    /// The text.
    ///
    /// # Errors
    ///
    /// Printing something undefined, a type that does not fit, too much work,
    /// or a text over [`MAX_OUTPUT`].
    pub fn render(&self, scope: &Scope) -> Result<String, Error> {
        let mut output = Capped(Vec::new());
        self.compiled()?
            .get_template(environment::NAME)?
            .render_captured_to(scope.root(), &mut output)?;
        String::from_utf8(output.0).map_err(|error| Error::Evaluation(error.to_string()))
    }

    /// The names it reads that it does not bind itself.
    pub(crate) fn names(&self) -> Vec<String> {
        let compiled = self.compiled();
        let template = compiled.and_then(|env| Ok(env.get_template(environment::NAME)?));
        template
            .map(|template| sorted(template.undeclared_variables(true)))
            .unwrap_or_default()
    }
}

fn sorted(names: std::collections::HashSet<String>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    names
}

/// Stops a template that writes without end.
struct Capped(Vec<u8>);

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A regular expression without backtracking.
#[derive(Clone)]
pub struct Pattern(Compiled<Regex>);

by_source!(Pattern, Regex, pattern);

fn pattern(source: &str) -> Result<Regex, Error> {
    if source.len() > MAX_PATTERN {
        return Err(Error::syntax(format!(
            "the pattern is longer than {MAX_PATTERN} bytes"
        )));
    }
    RegexBuilder::new(source)
        .size_limit(1024 * 1024)
        .dfa_size_limit(1024 * 1024)
        .nest_limit(50)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                Error::syntax("the pattern is too large when it is compiled".to_owned())
            }
            // The library draws a picture over several lines; its last line
            // says what is wrong.
            error => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                Error::syntax(last.trim_start_matches("error: ").to_owned())
            }
        })
}

impl Pattern {
    /// The first place where it is found. A pattern that does not compile, which
    /// a checked definition does not hold, is found nowhere.
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.compiled().ok()?.find(text).map(|found| found.as_str())
    }
}

/// A value in one of the three forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// As written.
    Literal(Json),
    /// `${{ … }}`: keeps its type.
    Expression(Expression),
    /// Text with `{{ … }}` in it.
    Template(Template),
    /// A list with such values in it.
    List(Vec<Self>),
    /// Names with such values.
    Map(Vec<(String, Self)>),
}

impl Value {
    /// The same as a literal, where nothing in it is to be filled in.
    pub(crate) fn literal(self) -> Self {
        match self {
            Self::List(items) if items.iter().all(|one| matches!(one, Self::Literal(_))) => {
                let json = |one| match one {
                    Self::Literal(json) => Some(json),
                    _ => None,
                };
                Self::Literal(Json::Array(items.into_iter().filter_map(json).collect()))
            }
            Self::Map(entries)
                if entries
                    .iter()
                    .all(|(_, one)| matches!(one, Self::Literal(_))) =>
            {
                let json = |(name, one)| match one {
                    Self::Literal(json) => Some((name, json)),
                    _ => None,
                };
                Self::Literal(Json::Object(entries.into_iter().filter_map(json).collect()))
            }
            other => other,
        }
    }

    /// The value in a scope.
    ///
    /// # Errors
    ///
    /// As of [`Expression::eval`] and [`Template::render`].
    pub fn eval(&self, scope: &Scope) -> Result<Json, Error> {
        match self {
            Self::Literal(json) => Ok(json.clone()),
            Self::Expression(expression) => expression.eval(scope),
            Self::Template(template) => template.render(scope).map(Json::String),
            Self::List(items) => {
                let items: Result<Vec<Json>, Error> =
                    items.iter().map(|item| item.eval(scope)).collect();
                items.map(Json::Array)
            }
            Self::Map(entries) => {
                let mut map = serde_json::Map::new();
                for (name, value) in entries {
                    map.insert(name.clone(), value.eval(scope)?);
                }
                Ok(Json::Object(map))
            }
        }
    }
}

#[cfg(test)]
mod tests;
