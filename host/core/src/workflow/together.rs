//! What can only be said of several files at once: a call of a workflow that is not
//! there, two that would text the same person for the same reason.

use super::definition::{Action, CallFilter, Definition, On, TextFilter, Trigger};
use super::diagnostic::{Diagnostic, Severity};
use super::known::nearest;
use super::parse::Workflow;

/// One of the files.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// What it means.
    pub workflow: &'a Workflow,
}

/// Warnings about files as they stand together, in the order of the files.
pub fn together(files: &[File<'_>]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (place, file) in files.iter().enumerate() {
        calls(file, files, &mut found);
        // Of many that are alike, each is told of the first: of a thousand copies that is
        // a thousand sentences and not half a million.
        let mut earlier = files.iter().take(place);
        found.extend(earlier.find_map(|earlier| twice(file, earlier)));
        if let Some(campaign) = file.workflow.definition.campaign_id() {
            let mut earlier = files.iter().take(place);
            found.extend(earlier.find_map(|earlier| paced(file, earlier, &campaign)));
        }
    }
    found
}

fn calls(file: &File<'_>, files: &[File<'_>], found: &mut Vec<Diagnostic>) {
    for (place, step) in file.workflow.definition.steps.iter().enumerate() {
        let Action::CallWorkflow(call) = &step.action else {
            continue;
        };
        let line = file.workflow.positions.get(place).copied().unwrap_or(1);
        let named = files.iter().map(|one| &one.workflow.definition);
        let called = named
            .clone()
            .find(|one| one.id == call.name || one.name == call.name);
        let manual = |one: &Definition| one.triggers.iter().any(|t| matches!(t.on, On::Manual(_)));
        let (message, help) = match called {
            None => {
                let near = nearest(&call.name, named.map(|one| one.name.as_str()));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                (format!("there is no workflow `{}`", call.name), help)
            }
            Some(one) if !manual(one) => (
                format!(
                    "`{}` cannot be called: it has no `manual` trigger",
                    call.name
                ),
                Some("add manual under its `on`".to_owned()),
            ),
            Some(_) => continue,
        };
        found.push(warning(file, line, &call.name, message, help));
    }
}

/// Both text on the same event, and neither says which of them is meant.
fn twice(file: &File<'_>, earlier: &File<'_>) -> Option<Diagnostic> {
    let (one, two) = (&file.workflow.definition, &earlier.workflow.definition);
    if !texts(one) || !texts(two) {
        return None;
    }
    for trigger in &one.triggers {
        let Some(other) = two.triggers.iter().find(|other| same(trigger, other)) else {
            continue;
        };
        let word = trigger.on.word();
        let line = line_of(&file.workflow.source, "on:");
        let message = format!(
            "{} texts on `{word}` as well: one person would get the texts of both",
            earlier.name
        );
        let help = match other.condition.is_some() || trigger.condition.is_some() {
            true => "both have a `where`, and it is the same",
            false => "give each its own agent, numbers or `where`, or make one file of them",
        };
        return Some(warning(file, line, word, message, Some(help.to_owned())));
    }
    None
}

/// Both belong to one campaign, and say different things of it.
fn paced(file: &File<'_>, earlier: &File<'_>, campaign: &str) -> Option<Diagnostic> {
    let (one, two) = (&file.workflow.definition, &earlier.workflow.definition);
    let differs = match (one.rate != two.rate, one.breaker != two.breaker) {
        (true, _) => "rate",
        (false, true) => "breaker",
        (false, false) => return None,
    };
    if two.campaign_id().as_deref() != Some(campaign) {
        return None;
    }
    let line = line_of(&file.workflow.source, "campaign:");
    let message = format!(
        "{} belongs to the campaign `{campaign}` as well, with another `{differs}`",
        earlier.name
    );
    let help = "what is counted is counted together, and each file's texts go by its own file";
    let help = Some(help.to_owned());
    Some(warning(file, line, "campaign", message, help))
}

fn texts(definition: &Definition) -> bool {
    let sends = |action: &Action| matches!(action, Action::Send(_) | Action::Compose(_));
    definition.steps.iter().any(|step| sends(&step.action))
}

/// Whether one event may start both, as far as the filters say.
fn same(one: &Trigger, two: &Trigger) -> bool {
    let filters = match (&one.on, &two.on) {
        (On::CallMissed(one), On::CallMissed(two))
        | (On::CallCompleted(one), On::CallCompleted(two)) => calls_meet(one, two),
        (On::MessageReceived(one), On::MessageReceived(two)) => texts_meet(one, two),
        (On::LeadCreated(one), On::LeadCreated(two))
        | (On::LeadUpdated(one), On::LeadUpdated(two)) => lists_meet(&one.changed, &two.changed),
        (On::Webhook(one), On::Webhook(two)) => one.path == two.path,
        (On::ConversationIdle(one), On::ConversationIdle(two)) => {
            one.after == two.after && meet(one.last_from, two.last_from)
        }
        (On::ContactOptedIn, On::ContactOptedIn)
        | (On::ConversationHandoff, On::ConversationHandoff) => true,
        _ => false,
    };
    // Of two conditions nobody knows whether they can hold together.
    filters && one.condition == two.condition
}

fn calls_meet(one: &CallFilter, two: &CallFilter) -> bool {
    meet(one.direction.as_ref(), two.direction.as_ref())
        && meet(one.agent.as_ref(), two.agent.as_ref())
        && lists_meet(&one.from, &two.from)
        && lists_meet(&one.to, &two.to)
}

fn texts_meet(one: &TextFilter, two: &TextFilter) -> bool {
    meet(one.to_agent.as_ref(), two.to_agent.as_ref())
        && meet(one.matches.as_ref(), two.matches.as_ref())
        && lists_meet(&one.from, &two.from)
}

fn meet<T: PartialEq>(one: Option<T>, two: Option<T>) -> bool {
    one.is_none() || two.is_none() || one == two
}

fn lists_meet(one: &[String], two: &[String]) -> bool {
    one.is_empty() || two.is_empty() || one.iter().any(|number| two.contains(number))
}

/// The first line that begins with a key, from 1.
fn line_of(source: &str, key: &str) -> usize {
    let place = source.lines().position(|line| line.starts_with(key));
    place.map_or(1, |place| place + 1)
}

/// A warning at a word of a line, or of the lines right behind it.
fn warning(
    file: &File<'_>,
    line: usize,
    word: &str,
    message: String,
    help: Option<String>,
) -> Diagnostic {
    let lines = file
        .workflow
        .source
        .lines()
        .enumerate()
        .skip(line.saturating_sub(1));
    let at = lines
        .clone()
        .take(20)
        .find_map(|(number, text)| Some((number + 1, text, text.find(word)?)));
    let (line, text, column, length) = match at {
        Some((line, text, at)) => {
            let column = text.get(..at).unwrap_or_default().chars().count() + 1;
            (line, text, column, word.chars().count())
        }
        None => (
            line,
            lines.clone().next().map_or("", |(_, text)| text),
            1,
            1,
        ),
    };
    Diagnostic {
        severity: Severity::Warning,
        file: file.name.to_owned(),
        line,
        column,
        length,
        message,
        help,
        source_line: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Known, parse};
    use super::*;

    fn check(sources: &[(&str, &str)], expected: &[&str]) {
        let parsed: Vec<(&str, Workflow)> = sources
            .iter()
            .map(|(name, source)| {
                let workflow = parse(source, name, &Known::default()).result;
                (
                    *name,
                    workflow.unwrap_or_else(|errors| panic!("{errors:?}")),
                )
            })
            .collect();
        let files: Vec<File<'_>> = parsed
            .iter()
            .map(|(name, workflow)| File { name, workflow })
            .collect();
        let told: Vec<String> = together(&files).iter().map(Diagnostic::render).collect();
        assert_eq!(told, expected);
    }

    const MISSED: &str = "name: One\non: call.missed\nsteps:\n  - send: \"one\"\n";

    #[test]
    fn two_texts_for_one_call() {
        check(
            &[
                ("one.yaml", MISSED),
                (
                    "two.yaml",
                    "name: Two\non:\n  call.missed: { direction: inbound }\nsteps:\n  - send: \"two\"\n",
                ),
            ],
            &[
                "two.yaml:3:3: warning: one.yaml texts on `call.missed` as well: one person would get the texts of both\n  3 |   call.missed: { direction: inbound }\n    |   ^^^^^^^^^^^\n  help: give each its own agent, numbers or `where`, or make one file of them",
            ],
        );
        for apart in [
            "on: { call.missed: { where: event.voicemail } }\nsteps:\n  - send: \"two\"\n",
            "on: call.completed\nsteps:\n  - send: \"two\"\n",
            "on: call.missed\nsteps:\n  - log: \"two\"\n",
        ] {
            let two = format!("name: Two\n{apart}");
            check(&[("one.yaml", MISSED), ("two.yaml", &two)], &[]);
        }
        let copies: Vec<String> = (0..30)
            .map(|n| format!("name: N{n}\non: call.missed\nsteps:\n  - send: \"x\"\n"))
            .collect();
        let named: Vec<(&str, &str)> = copies.iter().map(|one| ("a.yaml", one.as_str())).collect();
        let same = "a.yaml:2:5: warning: a.yaml texts on `call.missed` as well: one person would get the texts of both\n  2 | on: call.missed\n    |     ^^^^^^^^^^^\n  help: give each its own agent, numbers or `where`, or make one file of them";
        check(&named, &[same; 29]);
        let to = |number: &str| {
            format!(
                "name: N{number}\non: {{ call.missed: {{ to: [\"+1512555010{number}\"] }} }}\nsteps:\n  - send: \"x\"\n"
            )
        };
        check(&[("a.yaml", &to("0")), ("b.yaml", &to("1"))], &[]);
    }

    #[test]
    fn two_files_of_one_campaign() {
        let file = |name: &str, rate: &str| {
            format!(
                "name: {name}\non: manual\ncampaign: Spring 26\n{rate}steps:\n  - send: \"x\"\n"
            )
        };
        let rate = "rate: { total: 9/day }\n";
        check(
            &[("a.yaml", &file("A", rate)), ("b.yaml", &file("B", rate))],
            &[],
        );
        check(
            &[("a.yaml", &file("A", rate)), ("b.yaml", &file("B", ""))],
            &[
                "b.yaml:3:1: warning: a.yaml belongs to the campaign `spring-26` as well, with another `rate`\n  3 | campaign: Spring 26\n    | ^^^^^^^^\n  help: what is counted is counted together, and each file's texts go by its own file",
            ],
        );
    }

    #[test]
    fn calls_of_what_is_not_there() {
        let caller = "name: Caller\non: call.missed\nsteps:\n  - call_workflow: Ofer slots\n  - call_workflow: one\n";
        check(
            &[
                ("a.yaml", caller),
                (
                    "b.yaml",
                    "name: Offer slots\non: manual\nsteps:\n  - log: x\n",
                ),
                (
                    "c.yaml",
                    "name: One\non: call.completed\nsteps:\n  - log: x\n",
                ),
            ],
            &[
                "a.yaml:4:20: warning: there is no workflow `Ofer slots`\n  4 |   - call_workflow: Ofer slots\n    |                    ^^^^^^^^^^\n  help: did you mean `Offer slots`?",
                "a.yaml:5:20: warning: `one` cannot be called: it has no `manual` trigger\n  5 |   - call_workflow: one\n    |                    ^^^\n  help: add manual under its `on`",
            ],
        );
    }
}
