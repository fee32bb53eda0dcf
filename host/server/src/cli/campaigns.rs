//! `campaigns`: what came of their texts, and the switch that holds them.

use serde_json::{Value as Json, json};

use super::Campaigns;
use super::client::{Client, Failure};
use super::data::Out;
use super::output::{self, items, table, text};

/// `campaigns`
pub(super) async fn campaigns(
    client: &Client,
    command: &Campaigns,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    let answer = match command {
        Campaigns::List => client.get(&["api", "v1", "campaigns"], &[]).await?,
        Campaigns::Pause { name, reason } => {
            let path = ["api", "v1", "campaigns", name, "pause"];
            client.post(&path, &json!({ "reason": reason })).await?
        }
        Campaigns::Resume { name } => {
            let path = ["api", "v1", "campaigns", name, "resume"];
            client.post(&path, &json!({})).await?
        }
    };
    if json {
        return Ok(output::json(out, &answer)?);
    }
    match command {
        Campaigns::List => list(&answer, out)?,
        Campaigns::Pause { .. } => {
            let why = text(&answer, "/data/paused/text");
            writeln!(out, "{}: {why}", text(&answer, "/data/id"))?;
        }
        Campaigns::Resume { .. } => writeln!(
            out,
            "{}: goes on, {} texts wait",
            text(&answer, "/data/id"),
            text(&answer, "/data/waiting")
        )?,
    }
    Ok(())
}

fn list(answer: &Json, out: Out<'_>) -> Result<(), Failure> {
    if items(answer).is_empty() {
        writeln!(
            out,
            "There are no campaigns: no workflow file has `campaign`, `rate` or `breaker`."
        )?;
        return Ok(());
    }
    let row = |one: &Json| {
        let mut row = vec![text(one, "/id")];
        let counts = [
            "sent",
            "delivered",
            "failed",
            "people",
            "replied",
            "optedOut",
        ];
        row.extend(counts.map(|what| text(one, &format!("/counts/{what}"))));
        row.push(text(one, "/waiting"));
        row.push(match text(one, "/paused/text").as_str() {
            "-" => "goes on".to_owned(),
            paused => paused.to_owned(),
        });
        row
    };
    let rows: Vec<Vec<String>> = items(answer).iter().map(row).collect();
    let head = [
        "CAMPAIGN",
        "SENT",
        "ARRIVED",
        "FAILED",
        "PEOPLE",
        "ANSWERED",
        "OPTED OUT",
        "WAIT",
        "",
    ];
    Ok(table(out, &head, &rows)?)
}
