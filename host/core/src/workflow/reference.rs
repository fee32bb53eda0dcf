//! The reference of the language as a page: made from the same tables as the reader
//! and the schema, so that the three cannot disagree.

use std::fmt::Write as _;

use super::expression::{FILTERS, FUNCTIONS, ROOTS, TESTS};
use super::language::{
    ACTIONS, CASE, FIELDS, FILE, Form, Key, Kind, Long, RESULTS, STEP, TRIGGERS,
};

/// The page, in Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# The workflow file: reference\n\n\
         Made by `ringback schema reference`; what it says is what the program reads.\n\
         Whatever a row calls optional may be left out.\n",
    );
    // Writing into a text cannot fail.
    let _ = write(&mut page);
    page
}

fn write(page: &mut String) -> std::fmt::Result {
    writeln!(page, "\n## The file\n")?;
    keys(page, FILE)?;
    writeln!(
        page,
        "\n## Triggers\n\nUnder `on`: one word, or words with keys.\n"
    )?;
    for trigger in TRIGGERS {
        let Some(own) = trigger.keys else { continue };
        writeln!(page, "### `{}`\n\n{}\n", trigger.word, trigger.about)?;
        if trigger.awaited.is_some() {
            writeln!(page, "A `wait_for` can wait for it.\n")?;
        }
        keys(page, own)?;
        writeln!(page)?;
    }
    writeln!(
        page,
        "## Steps\n\nEach has one action, and any of these beside it:\n"
    )?;
    keys(page, STEP)?;
    writeln!(page, "\n## Actions\n")?;
    for action in ACTIONS {
        if let Some(form) = &action.form {
            writeln!(page, "### `{}`\n\n{}\n", action.word, action.about)?;
            self::form(page, action.word, form)?;
        }
    }
    writeln!(page, "## Expressions\n")?;
    let ticked = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        words.join(", ")
    };
    writeln!(
        page,
        "Names: {}, and the ids of earlier steps.\n",
        ticked(ROOTS)
    )?;
    for (root, fields) in FIELDS {
        writeln!(page, "- `{root}` has {}", ticked(fields))?;
    }
    writeln!(page, "\nFunctions: {}.\n", ticked(FUNCTIONS))?;
    writeln!(page, "Filters: {}.\n", ticked(FILTERS))?;
    writeln!(page, "Tests, after `is`: {}.", ticked(TESTS))?;
    writeln!(
        page,
        "\nWhat is not there (a field that a lead, `event.body` or `contact` has not got) is\n\
         nothing: false by itself, the same as `none`, and neither more nor less than\n\
         anything, so that `if: lead.score < 5` is false for a lead without a score. To print\n\
         it is an error: write `{{{{ lead.first_name | default(\"there\") }}}}` where it may be\n\
         missing. A text is not compared with a number (write `| int` or `| float` behind it);\n\
         a time is compared with a text that is one. `*` multiplies numbers alone, a slice is\n\
         `[from:to]`, and a `range` has at most 10,000 numbers."
    )?;
    writeln!(
        page,
        "\n## Tests\n\n\
         Each of `tests` is played through in virtual time; nothing leaves. Exactly one of\n\
         `receive`, `call`, `event`, `input` and `schedule` starts it. Texts are taken and\n\
         arrive, and calls of steps are not answered, unless the test says otherwise.\n\n\
         Under `mock` stands what a step gets from outside, by its id: the fields of its\n\
         result, `{{ error: \"…\" }}` to let it fail, or a list with one of these for each\n\
         attempt; a text is enough for `classify` (the label) and `compose`. Rows are a list\n\
         under the step that reads them, or under `for_each` for the one of the file. Without\n\
         a mock `classify` gets its first label, `extract` nothing where that may be and else\n\
         something of the type, `compose` a stand-in for its words, `http` a status that it\n\
         expects and no body, a plugin nothing, and the transcript says so. Whoever has to\n\
         approve a text answers as `then` says; without that they let it go after a minute.\n"
    )?;
    keys(page, CASE)?;
    let later = || {
        let triggers = TRIGGERS.iter().filter(|one| one.keys.is_none());
        let actions = ACTIONS.iter().filter(|one| one.form.is_none());
        triggers
            .map(|one| one.word)
            .chain(actions.map(|one| one.word))
    };
    if later().next().is_some() {
        let words: Vec<&str> = later().collect();
        writeln!(
            page,
            "\n## Not yet\n\nThese words belong to the language and not to this version: {}.",
            ticked(&words)
        )?;
    }
    Ok(())
}

fn form(page: &mut String, word: &str, form: &Form) -> std::fmt::Result {
    if let Some(short) = &form.short {
        writeln!(
            page,
            "Short: `{word}: {}`. {}\n",
            kind(&short.kind),
            short.about
        )?;
    }
    match &form.keys {
        Long::Block(own) => keys(page, own)?,
        Long::Other(kind) => writeln!(page, "Takes {}.", self::kind(kind))?,
    }
    let own: Vec<String> = form
        .results
        .iter()
        .filter(|field| **field != "*")
        .map(|field| format!("`{field}`"))
        .collect();
    let all: Vec<String> = RESULTS.iter().map(|field| format!("`{field}`")).collect();
    match own.is_empty() {
        true => writeln!(page, "\nResult: {}.\n", all.join(", ")),
        false => writeln!(
            page,
            "\nResult: {}, and {}.\n",
            own.join(", "),
            all.join(", ")
        ),
    }
}

/// A table of keys; blocks follow with their own.
fn keys(page: &mut String, keys: &[Key]) -> std::fmt::Result {
    if keys.iter().all(Key::is_later) {
        return writeln!(page, "It has no keys.");
    }
    writeln!(page, "| key | | what it is |\n|---|---|---|")?;
    for key in keys.iter().filter(|key| !key.is_later()) {
        let need = if key.required { "needed" } else { "optional" };
        let about = key.about.replace('|', "\\|");
        let kind = kind(&key.kind).replace('|', "\\|");
        writeln!(page, "| `{}` | {need} | {about} *{kind}* |", key.name)?;
    }
    for key in keys {
        let own = match &key.kind {
            Kind::Block(own) | Kind::Short(_, own) | Kind::List(Kind::Block(own)) => own,
            _ => continue,
        };
        writeln!(page, "\n`{}`:\n", key.name)?;
        self::keys(page, own)?;
    }
    Ok(())
}

/// What a value of a kind looks like, in words.
fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Template => "a text with {{ … }}".to_owned(),
        Kind::Value => "a value, ${{ … }}, or a text with {{ … }}".to_owned(),
        Kind::PhoneValue => "a phone number in quotes, or ${{ … }}".to_owned(),
        Kind::Condition => "an expression".to_owned(),
        Kind::Pattern => "a regular expression".to_owned(),
        Kind::Duration => "a time such as 45s, 10m, 2h, 3d, 1w".to_owned(),
        Kind::Count => "a whole number".to_owned(),
        Kind::Share => "a number from 0 to 1".to_owned(),
        Kind::Choice(words) => words.join(" or "),
        Kind::Name(_) => "a name of the configuration".to_owned(),
        Kind::Phone => "a phone number in quotes".to_owned(),
        Kind::Cron => "a cron line".to_owned(),
        Kind::Zone => "a time zone such as America/Chicago".to_owned(),
        Kind::TimeOfDay => "a time such as \"10:30\"".to_owned(),
        Kind::DayWindow => "hours such as \"10:00-18:00\"".to_owned(),
        Kind::InputType => {
            "string, number, boolean, phone or any; with ? when it may be missing".to_owned()
        }
        Kind::List(item) => format!("a list, or one: {}", self::kind(item)),
        Kind::Map(item) => format!("names, each with {}", self::kind(item)),
        Kind::Block(_) => "a block of keys".to_owned(),
        Kind::Constants => "names and values".to_owned(),
        Kind::Triggers => "events".to_owned(),
        Kind::Events => "events with their keys, and a timeout".to_owned(),
        Kind::Steps => "a list of steps".to_owned(),
        Kind::Branches => "a list of lists of steps".to_owned(),
        Kind::Cases => "`on`, then values in quotes with their steps, and `else`".to_owned(),
        Kind::Weights => "names and whole numbers".to_owned(),
        Kind::OnError => "fail, continue, or a list of steps".to_owned(),
        Kind::Yes => "true".to_owned(),
        Kind::Fields => "names and types".to_owned(),
        Kind::Tests => "a list of tests".to_owned(),
        Kind::Instant => "a time with its offset, such as \"2026-03-08T01:45:00-06:00\"".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::CountOrText => "a whole number or a text".to_owned(),
        Kind::Times => "a count in a time such as 20/min, with s, min, hour or day".to_owned(),
        Kind::TooMany => "a text such as \"> 2% of last 100\"".to_owned(),
        Kind::Short(short, _) => format!("{}, or a block of keys", self::kind(short)),
        Kind::Later => String::new(),
    }
}

#[cfg(test)]
mod tests {
    /// The page that ships is this one.
    #[test]
    fn the_page_is_current() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/REFERENCE.md");
        let page = super::reference();
        if std::env::var_os("RINGBACK_WRITE").is_some() {
            std::fs::write(file, &page).unwrap();
        }
        let shipped = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            shipped == page,
            "workflows/REFERENCE.md is old: RINGBACK_WRITE=1 cargo test -p ringback-core --lib is_current"
        );
    }
}
