//! `approvals`: the texts that wait for a person's word, and the word.

use serde_json::{Value as Json, json};

use super::Approvals;
use super::client::{Client, Failure};
use super::data::{Out, WORDS};
use super::output::{self, items, table, text};

/// `approvals`
pub(super) async fn approvals(
    client: &Client,
    command: &Approvals,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    let answer = match command {
        Approvals::List { by, limit } => {
            let query = [
                ("by", by.as_deref().unwrap_or_default()),
                ("limit", &limit.to_string()),
            ];
            client.get(&["api", "v1", "approvals"], &query).await?
        }
        Approvals::Send { id, body, by } => {
            let given = json!({ "answer": "send", "body": body, "by": by });
            client.post(&["api", "v1", "approvals", id], &given).await?
        }
        Approvals::Reject { id, reason, by } => {
            let given = json!({ "answer": "reject", "reason": reason, "by": by });
            client.post(&["api", "v1", "approvals", id], &given).await?
        }
    };
    if json {
        return Ok(output::json(out, &answer)?);
    }
    match command {
        Approvals::List { .. } => list(&answer, out)?,
        Approvals::Send { id, .. } | Approvals::Reject { id, .. } => {
            writeln!(out, "{id}: {}", text(&answer, "/data/status"))?;
        }
    }
    Ok(())
}

fn list(answer: &Json, out: Out<'_>) -> Result<(), Failure> {
    let waiting = items(answer);
    if waiting.is_empty() {
        writeln!(out, "No text waits for approval.")?;
        return Ok(());
    }
    let row = |one: &Json| {
        let until = match (text(one, "/until").as_str(), text(one, "/default").as_str()) {
            ("-", _) => "-".to_owned(),
            (until, "send") => format!("{until}, then sent"),
            (until, "fail") => format!("{until}, then failed"),
            (until, _) => format!("{until}, then not sent"),
        };
        let body = output::cut(&text(one, "/body"), WORDS);
        vec![
            text(one, "/id"),
            text(one, "/contact"),
            text(one, "/by"),
            until,
            body,
        ]
    };
    let rows: Vec<Vec<String>> = waiting.iter().map(row).collect();
    table(out, &["ID", "CONTACT", "ASKED", "UNTIL", "TEXT"], &rows)?;
    writeln!(
        out,
        "\n  ringback approvals send ID       it goes out, with --body in other words\n  \
         ringback approvals reject ID     it does not"
    )?;
    if answer.get("next_cursor").is_some_and(Json::is_string) {
        writeln!(out, "There are more; see --limit.")?;
    }
    Ok(())
}
