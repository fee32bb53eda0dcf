//! The commands that show or change what a host has: texts, events, runs,
//! conversations.

use std::io::Write;

use ringback_core::sms;
use serde_json::{Value as Json, json};

use super::client::{Client, Failure};
use super::output::{items, table, text};
use super::{Conversations, EventKind, Runs, output};

/// How many characters of a text are shown in a list.
pub(super) const WORDS: usize = 60;

pub(super) type Out<'a> = &'a mut (dyn Write + Send);

/// A number of the command line in E.164.
pub(super) fn phone(number: &str) -> Result<String, Failure> {
    sms::phone::e164(number, None).map_err(|error| Failure::Usage(error.to_string()))
}

/// `send`
pub(super) async fn send(
    client: &Client,
    to: &str,
    body: &str,
    agent: Option<&str>,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    let to = phone(to)?;
    let agent = match agent {
        Some(agent) => agent.to_owned(),
        None => only_agent(client).await?,
    };
    let message = json!({ "to": to, "body": body, "agentId": agent });
    let answer = client.post(&["v1", "messages"], &message).await?;
    if json {
        return Ok(output::json(out, &answer)?);
    }
    // RevRing's dialect answers with the message itself.
    let message = answer.get("data").unwrap_or(&answer);
    write!(
        out,
        "{}: {}",
        text(message, "/id"),
        text(message, "/status")
    )?;
    if message.get("reason").is_some_and(Json::is_string) {
        write!(out, " ({})", text(message, "/reason"))?;
    }
    if message.get("scheduledFor").is_some_and(Json::is_string) {
        write!(out, ", goes out at {}", text(message, "/scheduledFor"))?;
    }
    Ok(writeln!(out)?)
}

/// The agent that is meant where none is named: RevRing's dialect wants one.
async fn only_agent(client: &Client) -> Result<String, Failure> {
    let info = client.get(&["api", "v1", "info"], &[]).await?;
    let agents = info.pointer("/data/agents").and_then(Json::as_array);
    let ids: Vec<&str> = agents
        .into_iter()
        .flatten()
        .filter_map(|agent| agent.get("id")?.as_str())
        .collect();
    match ids.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(Failure::Input("the host has no agent".to_owned())),
        several => Err(Failure::Usage(format!(
            "name who texts with --agent; there are {}",
            several.join(", ")
        ))),
    }
}

/// `event`
pub(super) async fn event(
    client: &Client,
    kind: EventKind,
    from: &str,
    to: &str,
    body: Option<&str>,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    let name = match kind {
        EventKind::CallMissed => "call.missed",
        EventKind::CallCompleted => "call.completed",
        EventKind::MessageReceived => "message.received",
    };
    let mut event = json!({ "type": name, "from": phone(from)?, "to": phone(to)? });
    match (kind, body) {
        (EventKind::MessageReceived, None) => {
            return Err(Failure::Usage("message.received needs --body".to_owned()));
        }
        (_, Some(body)) => {
            if let Some(event) = event.as_object_mut() {
                event.insert("body".to_owned(), body.into());
            }
        }
        (_, None) => {}
    }
    let answer = client.post(&["api", "v1", "events"], &event).await?;
    if json {
        return Ok(output::json(out, &answer)?);
    }
    let runs = answer.pointer("/data/runs").and_then(Json::as_array);
    let runs: Vec<&str> = runs
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    write!(out, "{}: ", text(&answer, "/data/id"))?;
    match runs.as_slice() {
        [] => writeln!(out, "no workflow started")?,
        runs => writeln!(out, "started {}", runs.join(", "))?,
    }
    Ok(())
}

/// `runs`
pub(super) async fn runs(
    client: &Client,
    command: &Runs,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    let answer = match command {
        Runs::List {
            workflow,
            contact,
            status,
            limit,
        } => {
            let contact = contact.as_deref().map(phone).transpose()?;
            let query = [
                ("workflow", workflow.as_deref().unwrap_or_default()),
                ("contact", contact.as_deref().unwrap_or_default()),
                ("status", status.as_deref().unwrap_or_default()),
                ("limit", &limit.to_string()),
            ];
            client.get(&["api", "v1", "runs"], &query).await?
        }
        Runs::Show { id } => client.get(&["api", "v1", "runs", id], &[]).await?,
        Runs::Cancel { id } => by_hand(client, id, "cancel").await?,
        Runs::Wake { id } => by_hand(client, id, "wake").await?,
        Runs::Retry { id } => by_hand(client, id, "retry").await?,
        Runs::Move {
            workflow,
            run,
            dry_run,
        } => {
            let path = ["api", "v1", "workflows", workflow, "move"];
            let wanted = json!({ "run": run, "dryRun": dry_run });
            client.post_patiently(&path, &wanted).await?
        }
    };
    if json {
        return Ok(output::json(out, &answer)?);
    }
    match command {
        Runs::List { .. } if items(&answer).is_empty() => writeln!(out, "There are no runs.")?,
        Runs::List { .. } => {
            let head = ["ID", "WORKFLOW", "STATUS", "CONTACT", "STEP", "UPDATED"];
            let row = |run: &Json| {
                let workflow = format!("{} v{}", text(run, "/workflow"), text(run, "/version"));
                let mut row = vec![text(run, "/id"), workflow];
                row.extend(["/status", "/contact", "/step", "/updatedAt"].map(|at| text(run, at)));
                row
            };
            let rows: Vec<Vec<String>> = items(&answer).iter().map(row).collect();
            table(out, &head, &rows)?;
        }
        Runs::Show { .. } => run(answer.get("data").unwrap_or(&answer), out)?,
        Runs::Cancel { id } | Runs::Wake { id } | Runs::Retry { id } => {
            writeln!(out, "{id}: {}", text(&answer, "/data/status"))?;
        }
        Runs::Move { .. } => moves(answer.get("data").unwrap_or(&answer), out)?,
    }
    Ok(())
}

async fn by_hand(client: &Client, id: &str, what: &str) -> Result<Json, Failure> {
    let path = ["api", "v1", "runs", id, what];
    client.post(&path, &json!({})).await
}

/// What became of runs that were to be moved, or would.
fn moves(data: &Json, out: Out<'_>) -> std::io::Result<()> {
    let count = |name: &str| data.get(name).and_then(Json::as_u64).unwrap_or_default();
    let runs = |count: u64| match count {
        1 => "1 run".to_owned(),
        count => format!("{count} runs"),
    };
    let version = text(data, "/version");
    let dry = data.get("dryRun").and_then(Json::as_bool) == Some(true);
    let moved = match (dry, count("moved")) {
        (true, moved) => format!("{} can be moved to v{version}", runs(moved)),
        (false, moved) => format!("{} moved to v{version}", runs(moved)),
    };
    match count("stay") {
        0 => writeln!(out, "{moved}.")?,
        stay => writeln!(out, "{moved}; {} cannot.", runs(stay))?,
    }
    let all = data.get("runs").and_then(Json::as_array);
    let rows = all.into_iter().flatten().map(|run| {
        let reason = match run.get("reason").and_then(Json::as_str) {
            Some(reason) => format!("stays: {reason}"),
            None if dry => "can be moved".to_owned(),
            None => "moved".to_owned(),
        };
        let from = format!("v{}", text(run, "/from"));
        vec![
            text(run, "/id"),
            text(run, "/contact"),
            from,
            text(run, "/step"),
            reason,
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    table(out, &["RUN", "CONTACT", "FROM", "STEP", ""], &rows)
}

fn run(run: &Json, out: Out<'_>) -> std::io::Result<()> {
    writeln!(
        out,
        "{}  {} v{}  {}",
        text(run, "/id"),
        text(run, "/workflow"),
        text(run, "/version"),
        text(run, "/status"),
    )?;
    writeln!(
        out,
        "contact {}, agent {}, started {}",
        text(run, "/contact"),
        text(run, "/agent"),
        text(run, "/startedAt")
    )?;
    if run.get("outcome").is_some_and(Json::is_string) {
        writeln!(out, "outcome: {}", text(run, "/outcome"))?;
    }
    if run.get("waiting").is_some_and(Json::is_object) {
        let until = match text(run, "/waiting/until") {
            until if until == "-" => String::new(),
            until => format!(" until {until}"),
        };
        let what = text(run, "/waiting/for");
        writeln!(out, "step {} waits for {what}{until}", text(run, "/step"))?;
    }
    for open in run
        .get("openTexts")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        super::letters::open(open, out)?;
    }
    let notes = run.get("timeline").and_then(Json::as_array);
    let row = |note: &Json| {
        ["/at", "/step", "/what", "/text"]
            .map(|at| text(note, at))
            .to_vec()
    };
    let rows: Vec<Vec<String>> = notes.into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    table(out, &["AT", "STEP", "WHAT", ""], &rows)
}

/// `conversations`
pub(super) async fn conversations(
    client: &Client,
    command: &Conversations,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    const PATH: [&str; 3] = ["api", "v1", "conversations"];
    match command {
        Conversations::List { limit } => {
            let answer = client.get(&PATH, &[("limit", &limit.to_string())]).await?;
            if json {
                return Ok(output::json(out, &answer)?);
            }
            if items(&answer).is_empty() {
                return Ok(writeln!(out, "There are no conversations.")?);
            }
            let row = |thread: &Json| {
                let columns = ["/id", "/agentId", "/contact", "/lastAt"];
                let mut row = columns.map(|at| text(thread, at)).to_vec();
                row.push(state(thread));
                row
            };
            let rows: Vec<Vec<String>> = items(&answer).iter().map(row).collect();
            Ok(table(
                out,
                &["ID", "AGENT", "CONTACT", "LAST", "STATE"],
                &rows,
            )?)
        }
        Conversations::Show { id, limit } => {
            let [api, version, name] = PATH;
            let thread = client.get(&[api, version, name, id], &[]).await?;
            let path = [api, version, name, id, "messages"];
            let texts = client.get(&path, &[("limit", &limit.to_string())]).await?;
            let thread = thread.get("data").unwrap_or(&thread);
            if json {
                let both = json!({ "data": { "conversation": thread, "messages": items(&texts) } });
                return Ok(output::json(out, &both)?);
            }
            writeln!(
                out,
                "{}  {} with {}  {}",
                text(thread, "/id"),
                text(thread, "/agentId"),
                text(thread, "/contact"),
                state(thread)
            )?;
            for message in items(&texts) {
                let arrow = match message.get("direction").and_then(Json::as_str) {
                    Some("inbound") => "<",
                    _ => ">",
                };
                writeln!(
                    out,
                    "{} {arrow} {}  [{}]",
                    text(message, "/createdAt"),
                    text(message, "/body"),
                    text(message, "/status")
                )?;
            }
            Ok(())
        }
    }
}

fn state(thread: &Json) -> String {
    if thread.get("optedOut").and_then(Json::as_bool) == Some(true) {
        return "opted out".to_owned();
    }
    match thread.get("handoff") {
        Some(Json::Object(_)) => format!("with {}", text(thread, "/handoff/to")),
        _ => String::new(),
    }
}
