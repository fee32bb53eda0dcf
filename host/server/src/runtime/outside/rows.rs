//! Rows for `csv("…")`, `json("…")` and `leads(…)` in workflow files. A path is
//! relative to the configuration and stays below it.

mod table;

use std::io::Read as _;
use std::path::{Component, Path};

use ringback_core::engine::{WorkResult, lead_row};
use ringback_core::model::{Contact, Conversation, keys, record};
use ringback_core::workflow::expression::Rows;
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::{Host, after};
use super::failed;
use table::MOST;

/// The largest file.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How many contacts are read at a time.
const PAGE: usize = 250;

/// Reads all that was asked for.
pub(super) async fn read(host: &Host, folder: &Path, of: &[Rows]) -> WorkResult {
    let mut brought = Vec::with_capacity(of.len());
    for rows in of {
        if let Rows::Leads { filters } = rows {
            match leads(host, filters).await {
                Ok(found) => brought.push(json!({ "of": rows, "rows": found })),
                Err(text) => return failed("rows", text, true),
            }
            continue;
        }
        let (folder, what) = (folder.to_path_buf(), rows.clone());
        let read = tokio::task::spawn_blocking(move || one(&folder, &what)).await;
        match read {
            Ok(Ok(found)) => brought.push(json!({ "of": rows, "rows": found })),
            Ok(Err(text)) => return failed("rows", text, true),
            Err(error) => return failed("rows", error.to_string(), true),
        }
    }
    WorkResult::Done(Value::Array(brought))
}

/// The leads that fit, read in pages so that others come in between.
async fn leads(host: &Host, filters: &[(String, Value)]) -> Result<Vec<Value>, String> {
    let (mut from, to) = keys::table(b'p');
    let mut found = Vec::new();
    loop {
        let page = host
            .store()
            .scan(&from, &to, PAGE, Direction::Forward)
            .await;
        let page = page.map_err(|error| error.to_string())?;
        for (_, stored) in &page {
            let contact: Contact =
                record::decode(&stored.value).map_err(|error| error.to_string())?;
            if contact.lead_since.is_none() {
                continue;
            }
            let mut last = None;
            for thread in &contact.threads {
                let key = keys::conversation(&thread.conversation);
                let thread: Option<Conversation> =
                    host.read(&key).await.map_err(|error| error.to_string())?;
                last = last.max(thread.map(|one| one.last_at));
            }
            found.extend(lead_row(&contact, last, filters)?);
            if found.len() > MOST {
                return Err(format!("more than {MOST} leads fit; ask for fewer"));
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = after(last),
            _ => return Ok(found),
        }
    }
}

/// Rows for a workflow that is only played: of files, and no leads.
///
/// # Errors
/// A sentence about the file.
pub(crate) fn of_file(folder: &Path, rows: &Rows) -> Result<Value, String> {
    match rows {
        Rows::Leads { .. } => Ok(Value::Array(Vec::new())),
        _ => one(folder, rows).map(Value::Array),
    }
}

fn one(folder: &Path, rows: &Rows) -> Result<Vec<Value>, String> {
    match rows {
        Rows::Leads { .. } => Err("leads stand in no file".to_owned()),
        Rows::Csv { path } => {
            table::read(&text(folder, path)?).map_err(|error| format!("{path}: {error}"))
        }
        Rows::Json { path } => {
            let found: Value = serde_json::from_str(&text(folder, path)?)
                .map_err(|error| format!("{path}: {error}"))?;
            match found {
                Value::Array(all) if all.len() <= MOST => Ok(all),
                Value::Array(all) => Err(format!(
                    "{path}: it has {} rows; {MOST} are the most",
                    all.len()
                )),
                _ => Err(format!("{path}: it holds no list")),
            }
        }
    }
}

fn text(folder: &Path, path: &str) -> Result<String, String> {
    let relative = Path::new(path);
    let inside = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside || path.is_empty() {
        return Err(format!(
            "{path:?} must lie below the folder of the configuration"
        ));
    }
    let whole = folder.join(relative);
    let cannot = |error: std::io::Error| format!("{path}: {error}");
    // A link may lead anywhere.
    let base = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let (real, base) = (
        whole.canonicalize().map_err(cannot)?,
        base.canonicalize().map_err(cannot)?,
    );
    if !real.starts_with(&base) {
        return Err(format!(
            "{path:?} must lie below the folder of the configuration"
        ));
    }
    let mut text = String::new();
    let file = std::fs::File::open(&real).map_err(cannot)?;
    file.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    if text.len() as u64 > LARGEST {
        return Err(format!("{path}: it is larger than 16 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csv"), "a\n1\n").unwrap();
        assert!(text(folder.path(), "a.csv").is_ok());
        for path in ["../a.csv", "/etc/hosts", "", "b/../../a.csv"] {
            let error = text(folder.path(), path).unwrap_err();
            assert!(error.contains("must lie below"), "{error}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc", folder.path().join("etc")).unwrap();
            let error = text(folder.path(), "etc/hosts").unwrap_err();
            assert!(error.contains("must lie below"), "{error}");
        }
    }
}
