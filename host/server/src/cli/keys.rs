//! API keys: at the running host, or in its store when none runs.

use std::io::Write;

use serde_json::{Value as Json, json};

use super::client::{Client, Failure};
use super::{Common, KeyRecord, Keys, Seams, output};
use crate::config;

/// Does what was asked.
pub(super) async fn keys(
    common: &Common,
    command: &Keys,
    seams: Seams<'_>,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let client = Client::find(common, seams.environment);
    let asked = match client {
        Ok(client) => ask(&client, command).await,
        Err(failure) => Err(failure),
    };
    let found = match asked {
        // A host that ended in a hurry leaves its host.json behind. The store
        // itself says whether somebody holds it.
        Err(Failure::Unreachable(_)) if common.url.is_none() => {
            offline(common, command, seams).await?
        }
        found => found?,
    };
    if common.json {
        let data = match command {
            Keys::List => json!(found),
            Keys::Create { .. } => json!(found.first()),
            Keys::Revoke { id } => json!({ "id": id }),
        };
        output::json(out, &json!({ "data": data }))?;
        return Ok(());
    }
    match command {
        Keys::Create { name, .. } => {
            let made = found.first();
            let key = made.and_then(|made| made.key.as_deref()).unwrap_or("-");
            let id = made.map_or("-", |made| made.id.as_str());
            writeln!(out, "{key}")?;
            writeln!(out, "Key {id} for {name}. It is not shown again.")?;
        }
        Keys::List if found.is_empty() => writeln!(out, "There are no keys.")?,
        Keys::List => {
            let row = |key: KeyRecord| {
                let created = key.created_at.unwrap_or_else(|| "-".to_owned());
                vec![
                    key.id,
                    output::printable(&key.name),
                    key.scopes.join(","),
                    created,
                ]
            };
            let rows: Vec<Vec<String>> = found.into_iter().map(row).collect();
            output::table(out, &["ID", "NAME", "SCOPES", "CREATED"], &rows)?;
        }
        Keys::Revoke { id } => writeln!(out, "Key {id} is out of use.")?,
    }
    Ok(())
}

async fn ask(client: &Client, command: &Keys) -> Result<Vec<KeyRecord>, Failure> {
    const PATH: [&str; 3] = ["api", "v1", "keys"];
    let record = |value: &Json| serde_json::from_value(value.clone()).ok();
    match command {
        Keys::Create { name, scopes } => {
            let body = json!({ "name": name, "scopes": scopes });
            let answer = client.post(&PATH, &body).await?;
            let made = answer.get("data").and_then(record);
            let made = made.map(|mut made: KeyRecord| {
                made.name.clone_from(name);
                made
            });
            Ok(made.into_iter().collect())
        }
        Keys::List => {
            let answer = client.get(&PATH, &[]).await?;
            Ok(output::items(&answer).iter().filter_map(record).collect())
        }
        Keys::Revoke { id } => {
            client.delete(&["api", "v1", "keys", id]).await?;
            Ok(Vec::new())
        }
    }
}

async fn offline(
    common: &Common,
    command: &Keys,
    seams: Seams<'_>,
) -> Result<Vec<KeyRecord>, Failure> {
    let data = config::data_dir(common.config.as_deref(), common.data.as_deref());
    let keys = seams.keys;
    match command {
        Keys::Create { name, scopes } => {
            let made = keys.create(&data, name, scopes).await;
            Ok(vec![made.map_err(Failure::Host)?])
        }
        Keys::List => keys.list(&data).await.map_err(Failure::Host),
        Keys::Revoke { id } => match keys.revoke(&data, id).await.map_err(Failure::Host)? {
            true => Ok(Vec::new()),
            false => Err(Failure::Input(format!("there is no key {id:?}"))),
        },
    }
}
