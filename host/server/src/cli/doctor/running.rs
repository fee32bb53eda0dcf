//! What `doctor` learns from a running host.

use std::path::Path;

use serde_json::Value as Json;

use super::super::client::{Client, Failure};
use super::super::hostfile::{self, Address};
use super::super::{Cli, Common, Seams, output};
use super::{Mood, Report};

/// Whether a host runs, and is ready, and what in it waits for somebody. The answer
/// is whether it told how its workflow files are.
pub(super) async fn host(cli: &Cli, data: &Path, seams: Seams<'_>, report: &mut Report) -> bool {
    let file = Address::read(data);
    if cli.common.url.is_none() && file.is_none() {
        let text = format!(
            "no host runs here (there is no {})",
            hostfile::path(data).display()
        );
        report.say(Mood::Look, text);
        return false;
    }
    let common = Common {
        data: Some(data.to_path_buf()),
        ..cli.common.clone()
    };
    let asked = match Client::find(&common, seams.environment) {
        Ok(client) => client.get(&["readyz"], &[]).await.map(drop),
        Err(failure) => Err(failure),
    };
    let url = common.url.clone().or_else(|| file.map(|file| file.url));
    let url = url.unwrap_or_default();
    match asked {
        Ok(()) => {
            report.say(Mood::Fine, format!("a host runs at {url} and is ready"));
        }
        Err(Failure::Unreachable(_)) if cli.common.url.is_none() => report.say(
            Mood::Look,
            format!("no host answers at {url}; it ended without taking its host.json away"),
        ),
        Err(failure) => report.say(
            Mood::Wrong,
            format!("the host at {url} is not ready: {failure}"),
        ),
    }
    match Client::find(&common, seams.environment) {
        Ok(client) => attention(&client, report).await,
        Err(_) => false,
    }
}

/// What in the running host waits for somebody.
async fn attention(client: &Client, report: &mut Report) -> bool {
    // No host, an older one, or a key without the right to read: nothing to say.
    let Ok(answer) = client.get(&["api", "v1", "attention"], &[]).await else {
        return false;
    };
    let files = answer.pointer("/data/workflows").and_then(Json::as_array);
    for one in files.into_iter().flatten() {
        report.say(Mood::Wrong, file(one));
    }
    let told = files.is_some();
    let broken = answer.pointer("/data/connections").and_then(Json::as_array);
    for one in broken.into_iter().flatten() {
        let (name, problem) = (output::text(one, "/name"), output::text(one, "/problem"));
        let text = format!(
            "the settings of the connection {name} do not work, and its texts are held: {problem}; \
             correct [connections.{name}] and they leave by themselves"
        );
        report.say(Mood::Wrong, text);
    }
    let mut count = |which: &str, one: &str, many: &str, what: &str| {
        let number = answer.pointer(&format!("/data/{which}"));
        match number.and_then(Json::as_u64) {
            None | Some(0) => {}
            Some(1) => report.say(Mood::Look, format!("1 {one}: {what}")),
            Some(number) => report.say(Mood::Look, format!("{number} {many}: {what}")),
        }
    };
    count(
        "needsReview",
        "text needs a decision",
        "texts need a decision",
        "`ringback messages list --status needs_review`",
    );
    count(
        "held",
        "text is held",
        "texts are held",
        "`ringback messages list --status held`",
    );
    count(
        "failed",
        "text could not be sent",
        "texts could not be sent",
        "`ringback dead-letters list --kind text`",
    );
    count(
        "twice",
        "text reached its contact twice",
        "texts reached their contacts twice",
        "`ringback messages list --status twice`",
    );
    count(
        "webhooks",
        "webhook could not be read",
        "webhooks could not be read",
        "`ringback dead-letters list --kind webhook`",
    );
    told
}

/// A workflow file with errors, and what is in service all the same.
fn file(one: &Json) -> String {
    let (file, problem) = (output::text(one, "/file"), output::text(one, "/problem"));
    let line = one.pointer("/line").and_then(Json::as_u64).unwrap_or(1);
    let kept = one.pointer("/inService").and_then(Json::as_array);
    let kept: Vec<&str> = kept
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let certain = one.pointer("/certain").and_then(Json::as_bool);
    let so = match (kept.join(", "), certain) {
        (kept, _) if kept.is_empty() => "it is not in service".to_owned(),
        (kept, Some(false)) => format!(
            "it may be the file of what stays in service until it is corrected or deleted: {kept}"
        ),
        (kept, _) => format!("{kept}, the version before, stays in service"),
    };
    format!("the workflow file {file} has an error in line {line}: {problem}; {so}")
}
