//! `backtest`: an edited file against what has happened at a running host. The host
//! plays it; here it is read and shown.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::client::{Client, Failure};
use super::data::Out;
use super::output::{self, text};

/// `backtest FILE --since 30d`
pub(super) async fn backtest(
    client: &Client,
    file: &Path,
    since: &str,
    json: bool,
    out: Out<'_>,
) -> Result<(), Failure> {
    let source = std::fs::read_to_string(file)
        .map_err(|error| Failure::Input(format!("could not read {}: {error}", file.display())))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let wanted = json!({ "source": source, "file": name, "since": since });
    let path = ["api", "v1", "workflows", "backtest"];
    let answer = client.post_patiently(&path, &wanted).await?;
    if json {
        return Ok(output::json(out, &answer)?);
    }
    let data = answer.get("data").unwrap_or(&answer);
    let beside = match data.get("version").and_then(Json::as_u64) {
        Some(version) => format!("v{version}, in service"),
        None => "nothing: it is not in service".to_owned(),
    };
    writeln!(out, "{} against {beside}", text(data, "/workflow"))?;
    let said = data.get("text").and_then(Json::as_str);
    for line in said.unwrap_or_default().lines() {
        writeln!(out, "{}", output::printable(line))?;
    }
    let missing = data.get("missing").and_then(Json::as_array);
    for sentence in missing.into_iter().flatten().filter_map(Json::as_str) {
        writeln!(out, "Note: {sentence}.")?;
    }
    Ok(())
}
