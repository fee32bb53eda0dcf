//! Actions that hold lists of steps: `switch`, `for_each`, `parallel`; and how
//! these lists are laid out behind their action.

use super::super::definition::{Action, ForEach, Items, Parallel, Switch};
use super::super::language::{self, Kind, Long};
use super::super::yaml::{Key, Kind as Yaml, Node};
use super::reader::{Reader, Record};
use super::steps::{Drafts, RESERVED, list};
use super::values::identifier;
use crate::workflow::expression::FUNCTIONS;

/// What one of several things is called when the file gives it no name.
const ITEM: &str = "item";
/// The most branches of a `parallel`.
const MAX_BRANCHES: usize = 16;

/// An action whose steps stand behind it.
#[derive(Default)]
pub(super) struct Block {
    /// None after a message.
    pub(super) action: Option<Action>,
    /// Jumps to the step that follows the action.
    pub(super) jumps: Vec<usize>,
}

/// The action of a word that holds steps, with its steps behind it; none for every
/// other word.
pub(super) fn block(
    reader: &mut Reader<'_>,
    drafts: &mut Drafts,
    word: &str,
    node: &Node,
) -> Option<Block> {
    let alone = |action| Block {
        action,
        jumps: Vec::new(),
    };
    match word {
        "switch" => Some(switch(reader, drafts, node).unwrap_or_default()),
        "for_each" => Some(alone(for_each(reader, drafts, node))),
        "parallel" => Some(alone(parallel(reader, drafts, node))),
        _ => None,
    }
}

/// `{ on: …, "1": [steps], else: [steps] }`. Each case ends with a jump.
fn switch(reader: &mut Reader<'_>, drafts: &mut Drafts, node: &Node) -> Option<Block> {
    let entries = map(
        reader,
        node,
        "switch",
        "write switch: { on: ${{ … }}, \"1\": [steps], else: [steps] }",
    )?;
    let named = |name: &str| entries.iter().find(|(key, _)| key.text == name);
    let on = match named("on") {
        Some((_, value)) => reader.any(&Kind::Value, value, "on"),
        None => {
            reader.error_help(
                node.span,
                "`switch` needs `on`",
                "the value that decides: on: ${{ answer.message.body | trim }}",
            );
            None
        }
    };
    let mut cases = Vec::new();
    let mut otherwise = None;
    let mut jumps = Vec::new();
    for (key, value) in entries.iter().filter(|(key, _)| key.text != "on") {
        let first = drafts.next();
        list(reader, drafts, value, &key.text);
        jumps.push(drafts.jump(key.span, Action::Jump { to: 0 }));
        match key.text.as_str() {
            "else" => otherwise = Some(first),
            text => cases.push((text.to_owned(), first)),
        }
    }
    if cases.is_empty() && otherwise.is_none() {
        reader.error_help(
            node.span,
            "`switch` has no case",
            "write each value in quotes, with its steps: \"1\": [ … ]",
        );
        return None;
    }
    let end = drafts.next();
    let action = on.map(|on| {
        Action::Switch(Switch {
            on,
            cases,
            otherwise,
            end,
        })
    });
    Some(Block { action, jumps })
}

/// The steps of a `for_each` end with the way back to its head.
fn for_each(reader: &mut Reader<'_>, drafts: &mut Drafts, node: &Node) -> Option<Action> {
    let head = drafts.next() - 1;
    let form = language::action("for_each").and_then(|action| action.form.as_ref())?;
    let Long::Block(keys) = form.keys else {
        return None;
    };
    // The steps know the name of the one thing, and so do the conditions.
    let entries = map(
        reader,
        node,
        "for_each",
        "write for_each: { in: ${{ … }}, as: item, steps: [ … ] }",
    )?;
    let mut record = reader.block(node, keys, "`for_each`")?;
    let steps = entries.iter().find(|(key, _)| key.text == "steps");
    let items = items(reader, &mut record);
    if let Some((_, steps)) = steps {
        list(reader, drafts, steps, "steps");
    }
    drafts.jump(node.span, Action::Next { to: head });
    let items = items?;
    drafts
        .locals
        .push((items.name.clone(), head..drafts.next()));
    Some(Action::ForEach(ForEach { items }))
}

/// The keys that say of what things: of a step and of a whole file.
pub(super) fn items(reader: &mut Reader<'_>, record: &mut Record) -> Option<Items> {
    let span = record.place("as");
    let name = record.text("as").unwrap_or_else(|| ITEM.to_owned());
    if let Some(span) = span {
        let taken = FUNCTIONS.contains(&name.as_str()) || RESERVED.contains(&name.as_str());
        if !identifier(&name) || taken {
            reader.error_help(
                span,
                format!("`{name}` is not a name that expressions can use"),
                "use letters, digits and `_`, and begin with a letter",
            );
        }
    }
    Some(Items {
        list: record.value("in")?,
        name,
        condition: record.condition("where"),
        order: record.text("order"),
        limit: record.number("limit"),
    })
}

/// `[[steps], [steps]]`.
fn parallel(reader: &mut Reader<'_>, drafts: &mut Drafts, node: &Node) -> Option<Action> {
    let Yaml::List(branches) = &node.kind else {
        reader.error_help(
            node.span,
            format!(
                "`parallel` must be a list of lists of steps, not {}",
                node.what()
            ),
            "begin each list with `- - `",
        );
        return None;
    };
    if branches.len() > MAX_BRANCHES {
        reader.error(
            node.span,
            format!("`parallel` has more than {MAX_BRANCHES} lists, which is the most"),
        );
        return None;
    }
    let mut ranges = Vec::new();
    for branch in branches {
        let first = drafts.next();
        if !matches!(branch.kind, Yaml::List(_) | Yaml::Refused) {
            reader.error_help(
                branch.span,
                format!(
                    "each part of `parallel` must be a list of steps, not {}",
                    branch.what()
                ),
                "begin it with `- - `",
            );
            continue;
        }
        list(reader, drafts, branch, "parallel");
        ranges.push(first..drafts.next());
    }
    if ranges.len() < 2 {
        reader.error_help(
            node.span,
            "`parallel` needs at least two lists of steps",
            "steps that follow one another need no `parallel`",
        );
        return None;
    }
    let branches = ranges.iter().map(|one| (one.start, one.end)).collect();
    drafts.parallel.push(ranges);
    Some(Action::Parallel(Parallel { branches }))
}

fn map<'n>(
    reader: &mut Reader<'_>,
    node: &'n Node,
    word: &str,
    help: &str,
) -> Option<&'n [(Key, Node)]> {
    match &node.kind {
        Yaml::Map(entries) => Some(entries),
        Yaml::Refused => None,
        _ => {
            reader.error_help(
                node.span,
                format!("`{word}` must be a block of keys, not {}", node.what()),
                help,
            );
            None
        }
    }
}
