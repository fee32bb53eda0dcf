//! The commands for texts that wait for somebody: of unknown outcome, held, or
//! failed; and for webhooks that could not be read.

use serde_json::{Value as Json, json};

use super::client::{Client, Failure};
use super::data::{Out, phone};
use super::output::{cut, items, printable, table, text};
use super::{DeadLetters, Letters, Messages, output};

/// How many characters of a text are shown in a list.
const WORDS: usize = 40;
/// How many characters of a reason are.
const REASON: usize = 70;

/// `messages`
pub(super) async fn messages(
    client: &Client,
    command: &Messages,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    const PATH: [&str; 3] = ["api", "v1", "messages"];
    let [api, version, name] = PATH;
    match command {
        Messages::List {
            status,
            contact,
            limit,
        } => {
            let contact = contact.as_deref().map(phone).transpose()?;
            let query = [
                ("status", status.as_deref().unwrap_or_default()),
                ("contact", contact.as_deref().unwrap_or_default()),
                ("limit", &limit.to_string()),
            ];
            let answer = client.get(&PATH, &query).await?;
            if json {
                return Ok(output::json(out, &answer)?);
            }
            list(&answer, status.as_deref(), out)?;
        }
        Messages::Decide { id, decision } => {
            let path = [api, version, name, id, "decide"];
            let body = json!({ "decision": decision });
            let answer = client.post(&path, &body).await?;
            if json {
                return Ok(output::json(out, &answer)?);
            }
            writeln!(out, "{id}: {}", text(&answer, "/data/status"))?;
        }
        Messages::Retry { connection } => {
            let body = match connection {
                Some(connection) => json!({ "connection": connection }),
                None => json!({}),
            };
            let answer = client.post(&[api, version, name, "retry"], &body).await?;
            if json {
                return Ok(output::json(out, &answer)?);
            }
            match answer.pointer("/data/held").and_then(Json::as_u64) {
                Some(0) => writeln!(out, "No text is held.")?,
                Some(1) => writeln!(out, "1 text is held; it tries now.")?,
                held => writeln!(
                    out,
                    "{} texts are held; one of each number tries now, and when it works the others follow.",
                    held.unwrap_or_default()
                )?,
            }
        }
    }
    Ok(())
}

fn list(answer: &Json, status: Option<&str>, out: Out<'_>) -> Result<(), Failure> {
    let texts = items(answer);
    if texts.is_empty() {
        match status {
            Some("needs_review") => writeln!(out, "No text needs a decision.")?,
            Some("failed") => writeln!(out, "No text failed.")?,
            Some("pending_approval") => writeln!(out, "No text waits for approval.")?,
            Some("twice") => writeln!(out, "No text is known to have arrived twice.")?,
            Some(status) => writeln!(out, "No text is {}.", status.replace('_', " "))?,
            None => writeln!(out, "There are no texts.")?,
        }
        return Ok(());
    }
    let row = |one: &Json| {
        let other = match one.get("direction").and_then(Json::as_str) {
            Some("inbound") => text(one, "/fromNumber"),
            _ => text(one, "/toNumber"),
        };
        let seen = one.get("attempts").and_then(Json::as_array);
        let seen = seen.and_then(|attempts| attempts.last());
        let seen = seen.map(|attempt| text(attempt, "/outcome/problem/text"));
        let open = matches!(text(one, "/status").as_str(), "needs_review" | "unknown");
        let why = match (seen, text(one, "/errorMessage")) {
            // What was seen says more than that nobody knows.
            (Some(seen), _) if open && seen != "-" => seen,
            (_, why) if why == "-" => text(one, "/reason"),
            (_, why) => why,
        };
        vec![
            text(one, "/id"),
            text(one, "/createdAt"),
            other,
            text(one, "/status"),
            cut(&text(one, "/body"), WORDS),
            cut(&why, REASON),
        ]
    };
    let rows: Vec<Vec<String>> = texts.iter().map(row).collect();
    table(
        out,
        &["ID", "ASKED FOR", "CONTACT", "STATUS", "TEXT", "WHY"],
        &rows,
    )?;
    let has = |word: &str| texts.iter().any(|one| one["status"] == word);
    if !has("needs_review") && has("unknown") {
        writeln!(
            out,
            "\nringback is finding out what became of them, and asks you when it cannot."
        )?;
    } else if has("needs_review") {
        writeln!(
            out,
            "\nNobody knows whether they were sent. Ask the contact or look at the provider's page, then:\n  \
             ringback messages decide ID sent     it was sent\n  \
             ringback messages decide ID resend   it was not: send it again\n  \
             ringback messages decide ID drop     it was not, and shall not be"
        )?;
    } else if status == Some("failed") {
        writeln!(out, "\nTo send one again: ringback dead-letters replay ID")?;
    } else if status == Some("held") {
        writeln!(
            out,
            "\nCorrect the settings of their connection, and they leave. To try now: ringback messages retry"
        )?;
    }
    if status == Some("twice") {
        writeln!(
            out,
            "\nAn attempt that nobody knew of arrived as well. To take one off this list: \
             ringback dead-letters drop ID"
        )?;
    }
    if answer.get("next_cursor").is_some_and(Json::is_string) {
        writeln!(out, "There are more; see --limit.")?;
    }
    Ok(())
}

/// A text of a run that waits for somebody, and the command for it.
pub(super) fn open(message: &Json, out: Out<'_>) -> std::io::Result<()> {
    let (id, status) = (text(message, "/id"), text(message, "/status"));
    let held = message.get("heldSince").is_some_and(Json::is_string);
    let (what, command) = match status.as_str() {
        "needs_review" | "unknown" => (
            "nobody knows whether this text was sent",
            format!("ringback messages decide {id} sent|resend|drop"),
        ),
        "failed" => (
            "this text could not be sent",
            format!("ringback dead-letters replay {id}"),
        ),
        "pending_approval" => (
            "this text waits for somebody's word",
            format!("ringback approvals send|reject {id}"),
        ),
        _ if held => (
            "this text is held: its connection's settings do not work",
            "ringback messages retry".to_owned(),
        ),
        _ => return Ok(()),
    };
    let body = message.get("body").and_then(Json::as_str);
    let words = cut(&printable(body.unwrap_or_default()), WORDS);
    writeln!(out, "{what}: \"{words}\"\n  {command}")
}

impl Letters {
    fn query(&self) -> [(&'static str, &str); 4] {
        [
            ("kind", self.kind.as_deref().unwrap_or_default()),
            ("connection", self.connection.as_deref().unwrap_or_default()),
            ("since", self.since.as_deref().unwrap_or_default()),
            ("reason", self.reason.as_deref().unwrap_or_default()),
        ]
    }
}

/// `dead-letters`
pub(super) async fn letters(
    client: &Client,
    command: &DeadLetters,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    const PATH: [&str; 3] = ["api", "v1", "dead-letters"];
    let [api, version, name] = PATH;
    match command {
        DeadLetters::List { which, limit } => {
            let limit = limit.to_string();
            let mut query = which.query().to_vec();
            query.push(("limit", &limit));
            let answer = client.get(&PATH, &query).await?;
            if json {
                return Ok(output::json(out, &answer)?);
            }
            show(&answer, out)?;
        }
        DeadLetters::Replay { id: Some(id), .. } => {
            let answer = client
                .post(&[api, version, name, id, "replay"], &json!({}))
                .await?;
            if json {
                return Ok(output::json(out, &answer)?);
            }
            writeln!(out, "{id}: {}", text(&answer, "/data/status"))?;
        }
        DeadLetters::Replay { which, .. } => {
            let done = replay_all(client, which).await?;
            if json {
                return Ok(output::json(out, &done)?);
            }
            let count = done.pointer("/data/replayed").and_then(Json::as_u64);
            match count.unwrap_or_default() {
                1 => writeln!(out, "1 is tried again.")?,
                count => writeln!(out, "{count} are tried again.")?,
            }
            let left = done.pointer("/data/left").and_then(Json::as_array);
            for one in left.into_iter().flatten() {
                writeln!(out, "{} is left: {}", text(one, "/id"), text(one, "/why"))?;
            }
        }
        DeadLetters::Drop { id } => {
            let answer = client
                .post(&[api, version, name, id, "drop"], &json!({}))
                .await?;
            if json {
                return Ok(output::json(out, &answer)?);
            }
            writeln!(out, "{id}: {}", text(&answer, "/data/status"))?;
        }
    }
    Ok(())
}

/// All that fit, request by request.
async fn replay_all(client: &Client, which: &Letters) -> Result<Json, Failure> {
    let mut body = serde_json::Map::new();
    for (name, value) in which.query() {
        if !value.is_empty() {
            body.insert(name.to_owned(), value.into());
        }
    }
    let (mut replayed, mut left) = (0, Vec::new());
    loop {
        let path = ["api", "v1", "dead-letters", "replay"];
        let answer = client.post(&path, &Json::Object(body.clone())).await?;
        let count = answer.pointer("/data/replayed").and_then(Json::as_u64);
        replayed += count.unwrap_or_default();
        let more = answer.pointer("/data/left").and_then(Json::as_array);
        left.extend(more.into_iter().flatten().cloned());
        match answer.pointer("/data/more") {
            Some(Json::String(after)) => body.insert("after".to_owned(), after.as_str().into()),
            _ => return Ok(json!({ "data": { "replayed": replayed, "left": left } })),
        };
    }
}

fn show(answer: &Json, out: Out<'_>) -> Result<(), Failure> {
    if items(answer).is_empty() {
        return Ok(writeln!(out, "There are no dead letters.")?);
    }
    for (count, one) in items(answer).iter().enumerate() {
        if count > 0 {
            writeln!(out)?;
        }
        let what = match one.get("kind").and_then(Json::as_str) {
            Some("webhook") => format!("a {} webhook", text(one, "/body")),
            _ => format!(
                "to {}: \"{}\"",
                text(one, "/contact"),
                cut(&text(one, "/body"), WORDS)
            ),
        };
        writeln!(
            out,
            "{}  {}  {}  {what}",
            text(one, "/id"),
            text(one, "/at"),
            text(one, "/connection"),
        )?;
        let why = match (text(one, "/reason"), text(one, "/problem")) {
            (reason, problem) if problem == "-" => reason,
            (reason, problem) if reason == "-" => problem,
            (reason, problem) => format!("{reason}: {problem}"),
        };
        writeln!(out, "  {why}\n  {}", text(one, "/advice"))?;
    }
    writeln!(
        out,
        "\nTo try again: ringback dead-letters replay ID, or --all with the same filter."
    )?;
    if answer.get("next_cursor").is_some_and(Json::is_string) {
        writeln!(out, "There are more; see --limit.")?;
    }
    Ok(())
}
