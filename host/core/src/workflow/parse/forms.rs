//! The three forms of a value: as written, `${{ … }}`, and text with `{{ … }}`.
//! Owns which form a text has, and what a plain scalar of YAML stands for.

use serde_json::{Map, Value as Json};

use super::super::language::Kind;
use super::super::yaml::{Kind as Yaml, Node, Span};
use super::reader::{Reader, Site};
use crate::workflow::expression::{
    Error, Expression, Template, Value, uses_of_expression, uses_of_template,
};

impl Reader<'_> {
    /// One of the three forms.
    pub(super) fn any(&mut self, kind: &Kind, node: &Node, key: &str) -> Option<Value> {
        let Yaml::Scalar { text, plain } = &node.kind else {
            if matches!(kind, Kind::PhoneValue) {
                self.error(
                    node.span,
                    format!("`{key}` must be a phone number, not {}", node.what()),
                );
                return None;
            }
            return self.nested(node, key);
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

    /// A list or a map with values in it; one that is all literal is a literal.
    fn nested(&mut self, node: &Node, key: &str) -> Option<Value> {
        let value = match &node.kind {
            Yaml::Refused => return None,
            Yaml::Scalar { .. } => return self.any(&Kind::Value, node, key),
            Yaml::List(items) => {
                let read: Vec<_> = items.iter().map(|item| self.nested(item, key)).collect();
                Value::List(read.into_iter().collect::<Option<_>>()?)
            }
            Yaml::Map(entries) => {
                let read: Vec<_> = entries
                    .iter()
                    .map(|(name, value)| Some((name.text.clone(), self.nested(value, key)?)))
                    .collect();
                Value::Map(read.into_iter().collect::<Option<_>>()?)
            }
        };
        Some(value.literal())
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

    pub(super) fn template(&mut self, span: Span, text: &str) -> Option<Template> {
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

    pub(super) fn condition(&mut self, span: Span, text: &str) -> Option<Expression> {
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

    pub(super) fn compiled<T>(
        &mut self,
        span: Span,
        result: Result<T, Error>,
        what: &str,
    ) -> Option<T> {
        result
            .map_err(|error| self.error(span, format!("this {what} cannot be read: {error}")))
            .ok()
    }

    /// A value as written, with everything in it.
    pub(super) fn json(&mut self, node: &Node, marked_help: &str) -> Option<Json> {
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
pub(super) fn marked(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}
