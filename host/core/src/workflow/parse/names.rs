//! What expressions name: roots, their fields, earlier steps and their results,
//! constants, functions, filters, tests. Typing errors are found here and not
//! in the middle of the night.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::super::definition::{Action, FieldType, Step};
use super::super::diagnostic::Severity;
use super::super::duration::{self, short};
use super::super::known::nearest;
use super::super::language::{self, BLOCKS, FIELDS, Names, RESULTS};
use super::reader::{Reader, Site};
use super::steps::{Draft, Drafts};
use crate::workflow::expression::{
    FILTERS, FUNCTIONS, LATER_FUNCTIONS, ROOTS, TESTS, Use, UseKind,
};

struct Context<'d> {
    /// Step ids by their first place.
    places: BTreeMap<&'d str, usize>,
    drafts: &'d [Draft],
    flat: &'d Drafts,
    /// The names under `vars`, and the first step after which they are there.
    vars: BTreeMap<String, Option<usize>>,
}

/// Checks every expression of the file.
pub(crate) fn check(reader: &mut Reader<'_>, flat: &Drafts, vars: &BTreeMap<String, Json>) {
    let drafts = flat.list.as_slice();
    let mut context = Context {
        places: BTreeMap::new(),
        drafts,
        flat,
        vars: vars.keys().map(|name| (name.clone(), None)).collect(),
    };
    for (place, draft) in drafts.iter().enumerate() {
        context.places.entry(draft.id.as_str()).or_insert(place);
        if let Some(Step {
            action: Action::Set(set),
            ..
        }) = &draft.step
        {
            for (name, _) in &set.values {
                context.vars.entry(name.clone()).or_insert(Some(place));
            }
        }
    }
    for site in std::mem::take(&mut reader.sites) {
        if reader.is_full() {
            return;
        }
        for name in &site.names {
            path(reader, &context, &site, name);
        }
        let mut seen = BTreeSet::new();
        for called in &site.uses {
            if seen.insert((called.kind as u8, &called.name, &called.argument)) {
                call(reader, &site, called);
            }
        }
    }
}

fn path(reader: &mut Reader<'_>, context: &Context<'_>, site: &Site, name: &str) {
    let mut parts = name.split('.');
    let (root, field) = (parts.next().unwrap_or_default(), parts.next());
    let local = |(local, steps): &&(String, std::ops::Range<usize>)| {
        local == root && site.step.is_some_and(|step| steps.contains(&step))
    };
    let everywhere = context.flat.item.as_deref() == Some(root);
    if everywhere || context.flat.locals.iter().any(|one| local(&one)) {
        // One of the things of a `for_each`: its fields are the author's own.
    } else if root == "vars" {
        if let Some(field) = field {
            constant(reader, context, site, field);
        }
    } else if ROOTS.contains(&root) {
        root_field(reader, site, root, field);
    } else if FUNCTIONS.contains(&root) {
        // As a function it is fine; as a value it is an object without use.
    } else if LATER_FUNCTIONS.contains(&root) {
        let span = reader.locate(site.span, root);
        reader.not_yet(span, root);
    } else if let Some(place) = context
        .places
        .get(root)
        .copied()
        .filter(|_| !root.is_empty())
    {
        step_field(reader, context, site, place, root, field);
    } else {
        let span = reader.locate(site.span, root);
        let earlier = context
            .places
            .iter()
            .filter(|(_, place)| site.step.is_some_and(|step| **place < step));
        let words = earlier.map(|(id, _)| *id).filter(|id| !id.contains('-'));
        let near = nearest(
            root,
            words
                .chain(ROOTS.iter().copied())
                .chain(FUNCTIONS.iter().copied()),
        );
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "there is: {}, and the ids of earlier steps",
                ROOTS.join(", ")
            ),
        };
        reader.error_help(
            span,
            format!("nothing is called `{}` here", short(root)),
            help,
        );
    }
}

fn constant(reader: &mut Reader<'_>, context: &Context<'_>, site: &Site, field: &str) {
    let full = format!("vars.{field}");
    match context.vars.get(field) {
        Some(None) => {}
        Some(Some(place)) if site.step.is_some_and(|step| *place < step) => {}
        Some(Some(place)) => {
            let line = context
                .drafts
                .get(*place)
                .map_or(0, |draft| draft.span.start.line);
            let span = reader.locate(site.span, &full);
            reader.error(span, format!("`{full}` is set later (line {line})"));
        }
        None => {
            let span = reader.locate(site.span, &full);
            let help = match nearest(field, context.vars.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `vars.{near}`?"),
                None => format!("add it to the file: vars: {{ {}: … }}", short(field)),
            };
            reader.error_help(span, format!("there is no `{}`", short(&full)), help);
        }
    }
}

/// What the context holds may grow, so an unknown field is only a warning.
fn root_field(reader: &mut Reader<'_>, site: &Site, root: &str, field: Option<&str>) {
    let fields = FIELDS.iter().find(|(name, _)| *name == root);
    let (Some((_, fields)), Some(field)) = (fields, field) else {
        return;
    };
    if !fields.contains(&field) {
        let full = format!("{root}.{field}");
        let span = reader.locate(site.span, &full);
        let help = match nearest(field, fields.iter().copied()) {
            Some(near) => format!("did you mean `{root}.{near}`?"),
            None => format!("it has: {}", fields.join(", ")),
        };
        reader.report(
            Severity::Warning,
            span,
            format!("`{root}` has no `{}`", short(field)),
            Some(help),
        );
    }
}

fn step_field(
    reader: &mut Reader<'_>,
    context: &Context<'_>,
    site: &Site,
    place: usize,
    id: &str,
    field: Option<&str>,
) {
    let draft = context.drafts.get(place);
    let line = draft.map_or(0, |draft| draft.span.start.line);
    match site.step {
        Some(step) if beside(context, place, step) => {
            let span = reader.locate(site.span, id);
            reader.error_help(
                span,
                format!("`{id}` (line {line}) runs at the same time; its result is not there yet"),
                "read it after the `parallel`",
            );
            return;
        }
        Some(step) if place < step => {}
        Some(step) if place == step => {
            let span = reader.locate(site.span, id);
            reader.error(
                span,
                format!("this step's own result `{id}` is not there yet"),
            );
            return;
        }
        Some(_) => {
            let span = reader.locate(site.span, id);
            reader.error(
                span,
                format!("`{id}` comes later (line {line}); its result is not there yet"),
            );
            return;
        }
        None => {
            let span = reader.locate(site.span, id);
            reader.error(
                span,
                format!("the result of step `{id}` is not there before the run starts"),
            );
            return;
        }
    }
    let form = draft.and_then(|draft| language::action(draft.word)?.form.as_ref());
    let (Some(form), Some(field)) = (form, field) else {
        return;
    };
    // What a plugin gives, and what the file itself names.
    let own: &[(String, FieldType)] = match draft.and_then(|draft| draft.step.as_ref()) {
        Some(Step {
            action: Action::Extract(extract),
            ..
        }) => &extract.fields,
        _ if form.results.contains(&"*") => return,
        _ => &[],
    };
    let own = || own.iter().map(|(name, _)| name.as_str());
    let all = || form.results.iter().chain(RESULTS).copied().chain(own());
    if !all().any(|known| known == field) {
        let full = format!("{id}.{field}");
        let span = reader.locate(site.span, &full);
        let word = draft.map_or("", |draft| draft.word);
        let help = match nearest(field, all()) {
            Some(near) => format!("did you mean `{id}.{near}`?"),
            None => format!("it has: {}", all().collect::<Vec<_>>().join(", ")),
        };
        reader.error_help(
            span,
            format!("the result of a `{word}` has no `{}`", short(field)),
            help,
        );
    }
}

/// Whether two steps stand in different branches of the same `parallel`.
fn beside(context: &Context<'_>, one: usize, two: usize) -> bool {
    context.flat.parallel.iter().any(|branches| {
        let branch = |step: usize| branches.iter().position(|branch| branch.contains(&step));
        matches!((branch(one), branch(two)), (Some(one), Some(two)) if one != two)
    })
}

fn call(reader: &mut Reader<'_>, site: &Site, called: &Use) {
    let name = called.name.as_str();
    let known = match called.kind {
        UseKind::Filter => ("filter", FILTERS),
        UseKind::Test => ("test", TESTS),
        UseKind::Block => ("block", BLOCKS),
        UseKind::Function => return arguments(reader, site, called),
        UseKind::Method => {
            let help = format!("values are changed with filters: value | {name}");
            let help = FILTERS.contains(&name).then_some(help);
            let span = reader.locate(site.span, name);
            reader.report(
                Severity::Error,
                span,
                format!("`.{}()` cannot be called", short(name)),
                help,
            );
            return;
        }
    };
    let (what, words) = known;
    if words.contains(&name) {
        if called.kind == UseKind::Filter && name == "tracked" {
            let span = reader.locate(site.span, name);
            reader.report(
                Severity::Warning,
                span,
                "`tracked` does not count clicks in this version: the link is sent as it is",
                None,
            );
        }
        arguments(reader, site, called);
    } else {
        let span = reader.locate(site.span, name);
        reader.unknown(span, what, name, words.iter().copied());
    }
}

/// What can be said of an argument that stands there as a text.
fn arguments(reader: &mut Reader<'_>, site: &Site, called: &Use) {
    let Some(argument) = called.argument.as_deref() else {
        return;
    };
    match called.name.as_str() {
        "in_hours" | "next_open" | "business_hours" => {
            let span = reader.locate_quoted(site.span, argument);
            reader.name(span, Names::Hours, argument);
        }
        "plus" | "minus" | "ago" | "due_in" => {
            if let Err(message) = duration::seconds(argument) {
                let span = reader.locate_quoted(site.span, argument);
                reader.error(span, message);
            }
        }
        "local" => {
            if let Err(message) = reader.known.checks.zone(argument) {
                let span = reader.locate_quoted(site.span, argument);
                reader.error(span, format!("this zone cannot be read: {message}"));
            }
        }
        _ => {}
    }
}
