//! `why`: what became of the texts to one number, what each rule of the gate said,
//! and what the provider said to each attempt.

use serde_json::Value as Json;

use super::client::{Client, Failure};
use super::data::{Out, WORDS, phone};
use super::output::{self, cut, items, printable, table, text};

/// `why`
pub(super) async fn why(
    client: &Client,
    number: &str,
    limit: u16,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    let number = phone(number)?;
    let limit = limit.to_string();
    let query = [
        ("contact", number.as_str()),
        ("direction", "outbound"),
        ("limit", &limit),
    ];
    let answer = client.get(&["api", "v1", "messages"], &query).await?;
    if json {
        return Ok(output::json(out, &answer)?);
    }
    // An older host may not know the direction.
    let ours = |message: &&Json| message.get("direction").is_none_or(|way| way == "outbound");
    let texts: Vec<&Json> = items(&answer).iter().filter(ours).collect();
    if texts.is_empty() {
        return Ok(writeln!(out, "No text to {number} was ever planned.")?);
    }
    for (count, message) in texts.into_iter().enumerate() {
        if count > 0 {
            writeln!(out)?;
        }
        explain(message, out)?;
    }
    Ok(())
}

fn explain(message: &Json, out: Out<'_>) -> std::io::Result<()> {
    let body = message.get("body").and_then(Json::as_str);
    let words = cut(&printable(body.unwrap_or_default()), WORDS);
    write!(
        out,
        "{}  \"{words}\"  {}",
        text(message, "/createdAt"),
        text(message, "/status")
    )?;
    if message.get("reason").is_some_and(Json::is_string) {
        write!(out, " ({})", text(message, "/reason"))?;
    }
    writeln!(out, "  {}", text(message, "/id"))?;
    if message.get("waitsUntil").is_some_and(Json::is_string) {
        writeln!(out, "  it waits until {}", text(message, "/waitsUntil"))?;
    }
    let verdicts = message.get("verdicts").and_then(Json::as_array);
    let row = |verdict: &Json| {
        let said = ["/reason", "/until"].map(|at| text(verdict, at));
        let said = match said {
            [reason, until] if reason == "-" && until == "-" => String::new(),
            [reason, until] if until == "-" => reason,
            [reason, until] if reason == "-" => format!("until {until}"),
            [reason, until] => format!("{reason}, until {until}"),
        };
        vec![
            format!("  {}", text(verdict, "/at")),
            text(verdict, "/rule"),
            text(verdict, "/verdict"),
            said,
        ]
    };
    let rows: Vec<Vec<String>> = verdicts.into_iter().flatten().map(row).collect();
    match rows.is_empty() {
        true => writeln!(out, "  the gate has not looked at it yet")?,
        false => table(out, &["  AT", "RULE", "VERDICT", ""], &rows)?,
    }
    let attempts = message.get("attempts").and_then(Json::as_array);
    for (count, attempt) in attempts.into_iter().flatten().enumerate() {
        let at = text(attempt, "/at");
        writeln!(out, "  attempt {} at {at}: {}", count + 1, ended(attempt))?;
    }
    Ok(())
}

/// How an attempt ended, in words.
fn ended(attempt: &Json) -> String {
    let said = match (
        text(attempt, "/outcome/problem/text"),
        text(attempt, "/outcome/problem/code"),
    ) {
        (said, code) if code == "-" || code.is_empty() => said,
        (said, code) => format!("{} ({code})", said.trim_end_matches('.')),
    };
    let what = match text(attempt, "/outcome/is").as_str() {
        "accepted" => match text(attempt, "/outcome/provider_id").as_str() {
            "" | "-" => "it was sent".to_owned(),
            id => format!("the provider took it as {id}"),
        },
        "refused" => format!("the provider did not take it: {said}"),
        "unknown" => format!("nobody knows whether the provider took it: {said}"),
        "absent" => "it counts as never sent: nobody could find it at the provider".to_owned(),
        "called_off" => format!("called off: {}", text(attempt, "/outcome/reason")),
        _ => "under way".to_owned(),
    };
    match text(attempt, "/delivery").as_str() {
        "-" => what,
        delivery => format!("{what}, and reports it {delivery}"),
    }
}
