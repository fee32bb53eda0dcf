//! A list of steps, and the lists inside of them: all become one list, in the
//! order of the file, with jumps between its parts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::definition::{Action, OnError, Retry, Step};
use super::super::duration::short;
use super::super::language::{self, ACTIONS, STEP};
use super::super::yaml::{Key, Kind as Yaml, Mark, Node, Span};
use super::reader::{Reader, Record};
use super::values::{Datum, identifier};
use super::{MAX_STEPS, flow};
use crate::workflow::expression::{FUNCTIONS, ROOTS};

/// A step of the file, before its neighbours are known.
pub(crate) struct Draft {
    pub(crate) id: String,
    /// The word of its action; none for a jump that nobody wrote.
    pub(crate) word: &'static str,
    pub(crate) span: Span,
    pub(crate) step: Option<Step>,
}

/// The one list of a file's steps while it grows.
#[derive(Default)]
pub(crate) struct Drafts {
    pub(crate) list: Vec<Draft>,
    /// What the `for_each` at the top of the file calls a thing: everybody knows it.
    pub(crate) item: Option<String>,
    /// Names that a `for_each` gives, and the steps that know them.
    pub(crate) locals: Vec<(String, Range<usize>)>,
    /// The branches of each `parallel`.
    pub(crate) parallel: Vec<Vec<Range<usize>>>,
    counts: BTreeMap<&'static str, usize>,
    full: bool,
}

/// What the file says of a step beside its action.
pub(super) struct Common {
    /// Of a block: where it goes on, when that is not the next step.
    pub(super) after: Option<usize>,
    name: Option<String>,
    condition: Option<crate::workflow::expression::Expression>,
    once: Option<crate::workflow::expression::Value>,
    timeout: Option<u64>,
    retry: Option<Retry>,
    on_error: Option<OnError>,
    /// What a plugin is given.
    with: Option<crate::workflow::expression::Value>,
}

impl Drafts {
    /// None yet, of a file that calls a thing so.
    pub(super) fn about(item: Option<String>) -> Self {
        Self {
            item,
            ..Self::default()
        }
    }

    /// The place of the next step.
    pub(super) fn next(&self) -> usize {
        self.list.len()
    }

    /// Adds a jump that nobody wrote; where to is said later.
    pub(super) fn jump(&mut self, span: Span, action: Action) -> usize {
        let at = self.next();
        self.list.push(Draft {
            id: String::new(),
            word: "",
            span,
            step: Some(Step::plain(String::new(), action)),
        });
        at
    }

    /// Says where these jumps go.
    pub(super) fn land(&mut self, jumps: &[usize], to: usize) {
        for at in jumps {
            if let Some(Step {
                action: Action::Jump { to: target },
                ..
            }) = self.list.get_mut(*at).and_then(|draft| draft.step.as_mut())
            {
                *target = to;
            }
        }
    }
}

/// Reads a list of steps into the one list. `what` is the key it stands under.
pub(super) fn list(reader: &mut Reader<'_>, drafts: &mut Drafts, node: &Node, what: &str) {
    if matches!(node.kind, Yaml::Refused) {
        return;
    }
    let Yaml::List(items) = &node.kind else {
        reader.error_help(
            node.span,
            format!("`{what}` must be a list of steps, not {}", node.what()),
            "begin each step with `- `",
        );
        return;
    };
    if items.is_empty() && matches!(what, "steps" | "on_failure") {
        reader.error(node.span, format!("`{what}` has no step"));
    }
    let outer = reader.step;
    for item in items {
        if drafts.next() >= MAX_STEPS {
            if !drafts.full {
                drafts.full = true;
                reader.error_help(
                    item.span,
                    format!("there are more than {MAX_STEPS} steps, which is the most"),
                    "split it into several workflows",
                );
            }
            break;
        }
        // A refused step keeps its place, so that the places stay right.
        step(reader, drafts, item);
    }
    reader.step = outer;
}

fn step(reader: &mut Reader<'_>, drafts: &mut Drafts, node: &Node) {
    let start = node.span.start;
    let here = drafts.next();
    reader.step = Some(here);
    let end = Mark {
        column: start.column + 1,
        ..start
    };
    drafts.list.push(Draft {
        id: String::new(),
        word: "",
        span: Span { start, end },
        step: None,
    });
    let Yaml::Map(entries) = &node.kind else {
        reader.error_help(
            node.span,
            format!(
                "a step must be a block with one action, not {}",
                node.what()
            ),
            "for example: - send: \"Hello\"",
        );
        return;
    };
    let mut common: Vec<(Key, Node)> = Vec::new();
    let mut actions = Vec::new();
    for (key, value) in entries {
        if let Some(action) = language::action(&key.text) {
            actions.push((action, key, value));
        } else if STEP.iter().any(|known| known.name == key.text) {
            common.push((key.clone(), value.clone()));
        } else {
            let words = ACTIONS.iter().filter(|a| a.form.is_some()).map(|a| a.word);
            let keys = STEP
                .iter()
                .filter(|key| !key.is_later())
                .map(|key| key.name);
            reader.unknown(key.span, "key", &key.text, words.chain(keys));
        }
    }
    let rest = Node {
        kind: Yaml::Map(common),
        span: node.span,
    };
    let mut record = reader
        .block(&rest, STEP, "a step")
        .unwrap_or(Record(Vec::new()));
    let id_span = record.place("id");
    let id = record.text("id");
    if let (Some(id), Some(span)) = (&id, id_span) {
        check_id(reader, id, span, &drafts.list);
    }
    let Some((action, key, value)) = actions.first().copied() else {
        if !entries.iter().any(|(key, _)| unknown_step_key(&key.text)) {
            let words: Vec<_> = ACTIONS
                .iter()
                .filter(|a| a.form.is_some())
                .map(|a| a.word)
                .collect();
            reader.error_help(
                Span { start, end },
                "this step has no action",
                format!("give it one of: {}", words.join(", ")),
            );
        }
        if let Some(draft) = drafts.list.get_mut(here) {
            draft.id = id.unwrap_or_default();
        }
        return;
    };
    if let Some((second, key, _)) = actions.get(1) {
        reader.error_help(
            key.span,
            format!(
                "a step has one action; this one has `{}` and `{}`",
                action.word, second.word
            ),
            "begin a new step with `- `",
        );
    }
    let count = drafts.counts.entry(action.word).or_insert(0);
    *count += 1;
    let id = id.unwrap_or_else(|| format!("{}-{count}", action.word));
    if let Some(draft) = drafts.list.get_mut(here) {
        draft.word = action.word;
        draft.id.clone_from(&id);
    }
    let Some(form) = &action.form else {
        reader.not_yet(key.span, action.word);
        return;
    };
    let mut common = self::common(reader, &mut record, action.word, value);
    let (made, jumps) = match flow::block(reader, drafts, action.word, value) {
        Some(block) => (block.action, block.jumps),
        None => {
            let timeout = common.timeout.filter(|_| action.word == "wait_for");
            let mut made = reader.action(action.word, form, key.span, value, timeout);
            if let Some(Action::Uses(uses)) = &mut made {
                uses.with = common.with.take();
            }
            (made, Vec::new())
        }
    };
    if let Some((_, handler)) = entries.iter().find(|(key, _)| key.text == "on_error")
        && matches!(handler.kind, Yaml::List(_))
    {
        common.on_error = Some(OnError::Steps(drafts.next()));
        list(reader, drafts, handler, "on_error");
        reader.step = Some(here);
    }
    let after = drafts.next();
    common.after = (after > here + 1).then_some(after);
    drafts.land(&jumps, after);
    if let Some(draft) = drafts.list.get_mut(here) {
        draft.step = made.map(|action| common.step(id, action));
    }
}

impl Common {
    fn step(self, id: String, action: Action) -> Step {
        Step {
            id,
            name: self.name,
            condition: self.condition,
            once: self.once,
            // A wait for an event keeps its own.
            timeout: self
                .timeout
                .filter(|_| !matches!(action, Action::WaitFor(_))),
            retry: self.retry,
            on_error: self.on_error,
            after: self.after,
            action,
        }
    }
}

/// The keys that any step takes, and which of them its action has no use for.
fn common(
    reader: &mut Reader<'_>,
    record: &mut Record,
    word: &'static str,
    value: &Node,
) -> Common {
    if let Some(span) = record.place("timeout")
        && word == "wait_for"
        && matches!(&value.kind, Yaml::Map(inside) if inside.iter().any(|(key, _)| key.text == "timeout"))
    {
        reader.error(span, "`timeout` is given twice for this `wait_for`");
    }
    if let Some(span) = record.place("with")
        && word != "uses"
    {
        let help = match word {
            "call_workflow" => "write call_workflow: { name: …, with: { … } }",
            _ => "it is what a plugin is given: uses: name, with: { … }",
        };
        reader.error_help(span, format!("`{word}` takes no `with` beside it"), help);
    }
    let useless: &[(&str, &str)] = match word {
        "wait" | "set" | "log" | "stop" | "switch" | "split" | "for_each" | "lead" | "tag"
        | "release" | "opt_out" => &[
            ("timeout", "it takes no time of its own"),
            ("retry", "trying again would change nothing"),
        ],
        "send" | "handoff" => &[
            ("timeout", "a text that may come too late has `valid_until`"),
            (
                "retry",
                "texts are tried again by themselves, as [limits] says",
            ),
        ],
        "wait_for" | "parallel" => &[("retry", "it cannot fail by itself")],
        _ => &[],
    };
    for (key, why) in useless {
        if let Some(span) = record.place(key) {
            reader.error_help(span, format!("`{word}` takes no `{key}`"), *why);
        }
    }
    let retry = record.record("retry").and_then(|mut block| {
        let max = u32::try_from(block.number("max")?).unwrap_or(u32::MAX);
        Some(Retry {
            max,
            backoff: block.choice("backoff").unwrap_or_default(),
            from: block.number("from").unwrap_or(10),
            up_to: block.number("up_to").unwrap_or(3_600),
        })
    });
    let on_error = match record.take("on_error") {
        Some(Datum::Choice("fail")) => Some(OnError::Fail),
        Some(Datum::Choice("continue")) => Some(OnError::Continue),
        _ => None,
    };
    Common {
        after: None,
        name: record.text("name"),
        condition: record.condition("if"),
        once: record.value("once"),
        timeout: record.number("timeout"),
        retry,
        on_error,
        with: record.value("with"),
    }
}

fn unknown_step_key(key: &str) -> bool {
    language::action(key).is_none() && !STEP.iter().any(|known| known.name == key)
}

fn check_id(reader: &mut Reader<'_>, id: &str, span: Span, before: &[Draft]) {
    if !identifier(id) {
        let help = if id.contains('-') && identifier(&id.replace('-', "_")) {
            format!(
                "an expression would read the `-` as minus; write `{}`",
                id.replace('-', "_")
            )
        } else {
            "use letters, digits and `_`, begin with a letter, at most 64".to_owned()
        };
        reader.error_help(
            span,
            format!("`{}` cannot be the id of a step", short(id)),
            help,
        );
    } else if ROOTS.contains(&id) || FUNCTIONS.contains(&id) || RESERVED.contains(&id) {
        reader.error_help(
            span,
            format!("`{id}` already means something in expressions"),
            "choose another id",
        );
    } else if let Some(first) = before.iter().find(|draft| draft.id == id) {
        reader.error(
            span,
            format!(
                "another step has the id `{id}` (line {})",
                first.span.start.line
            ),
        );
    }
}

/// Words of the expression language.
pub(super) const RESERVED: &[&str] = &[
    "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else",
    "for", "loop", "self",
];
