//! The commands for a store that nobody has open: taking all of it out into one
//! file, making a store of such a file, giving space back to the disk. What is in
//! the file is the store's matter.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::client::Failure;
use super::{Archives, Common, output};
use crate::config;

type Out<'a> = &'a mut (dyn Write + Send);

/// A state on disk this many times as large as what is in it is worth compacting;
/// sled has some air in it always.
const AIR: u64 = 8;
/// Less than this is not worth a word, in bytes.
const LITTLE: u64 = 256 * 1024 * 1024;

/// The data folder, and the store in it.
fn folder(common: &Common) -> (PathBuf, PathBuf) {
    let data = config::data_dir(common.config.as_deref(), common.data.as_deref());
    let store = data.join("store");
    (data, store)
}

/// A store must be there: opening one that is not would make it.
fn existing(common: &Common) -> Result<PathBuf, Failure> {
    let (data, store) = folder(common);
    if store.is_dir() {
        return Ok(store);
    }
    Err(Failure::Input(format!(
        "there is no store in {}; name the data folder with --data",
        data.display()
    )))
}

/// `export`
pub(super) async fn export(
    common: &Common,
    file: &Path,
    archives: &dyn Archives,
    out: Out<'_>,
) -> Result<(), Failure> {
    let store = existing(common)?;
    if file.exists() {
        return Err(Failure::Input(format!(
            "{} is there already; name another file, or remove it",
            file.display()
        )));
    }
    let made = archives.export(&store, file).await.map_err(Failure::Host)?;
    if common.json {
        let json = json!({ "file": file, "records": made.records, "revision": made.revision, "bytes": made.bytes });
        return Ok(output::json(out, &json)?);
    }
    writeln!(
        out,
        "{}: {} records, {}, as of commit {}. It holds numbers, texts and the hashes of API keys: \
         keep it as safe as the data folder.",
        file.display(),
        made.records,
        size(made.bytes),
        made.revision
    )?;
    Ok(())
}

/// `import`
pub(super) async fn import(
    common: &Common,
    file: &Path,
    archives: &dyn Archives,
    out: Out<'_>,
) -> Result<(), Failure> {
    let (data, store) = folder(common);
    let taken = archives
        .import(file, &store)
        .await
        .map_err(Failure::Input)?;
    if common.json {
        let json = json!({ "data": data, "records": taken.records, "revision": taken.revision });
        return Ok(output::json(out, &json)?);
    }
    writeln!(
        out,
        "{} records are in {}, as of commit {}. `ringback serve` goes on from there.",
        taken.records,
        data.display(),
        taken.revision
    )?;
    Ok(())
}

/// `compact`
pub(super) async fn compact(
    common: &Common,
    archives: &dyn Archives,
    out: Out<'_>,
) -> Result<(), Failure> {
    let store = existing(common)?;
    let (before, after) = archives.compact(&store).await.map_err(Failure::Host)?;
    if common.json {
        return Ok(output::json(
            out,
            &json!({ "before": before, "after": after }),
        )?);
    }
    let shown = store.display();
    let (was, is) = (size(before), size(after));
    writeln!(out, "{shown} was {was} and is {is}.")?;
    Ok(())
}

/// `migrate`
pub(super) fn migrate(to: &str) -> Failure {
    // The address may hold a password: it is not repeated.
    let what = match to.split_once(':') {
        Some(("postgres" | "postgresql", _)) => {
            "a store in PostgreSQL is not available in this version yet"
        }
        _ => "stores of this version are folders",
    };
    Failure::Input(format!(
        "{what}; `ringback export` and `ringback import` take a store to another folder or machine"
    ))
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let tenths = bytes.saturating_mul(10) / unit;
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} bytes")
}

/// Whether much space could be given back: the size of the state on disk, and that
/// of the last snapshot with the increments to it, which hold everything once, and up to
/// as much again that was replaced since. `None` when it is not worth a word, or nothing
/// can be said.
pub(super) fn winnable(data: &Path) -> Option<(u64, u64)> {
    let store = data.join("store");
    let state = folder_size(&store.join("sled"))?;
    let (mut newest, mut increments) = (None, 0_u64);
    for entry in std::fs::read_dir(store.join("snapshots")).ok()?.flatten() {
        let Ok(data) = entry.metadata() else { continue };
        let path = entry.path();
        match path.extension().and_then(|kind| kind.to_str()) {
            Some("increment") => increments = increments.saturating_add(data.len()),
            Some("snapshot") => newest = newest.max(Some((data.modified().ok()?, data.len()))),
            _ => {}
        }
    }
    let (_, full) = newest?;
    let live = full.saturating_add(increments);
    let much = state > LITTLE && state > live.saturating_mul(AIR);
    (much && live > 0).then_some((state, live))
}

/// Bytes of the files of a folder; sled's are on one level, with a folder of blobs.
fn folder_size(folder: &Path) -> Option<u64> {
    let mut bytes = 0_u64;
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let Ok(data) = entry.metadata() else { continue };
        let inner = match data.is_dir() {
            true => folder_size(&entry.path()).unwrap_or(0),
            false => data.len(),
        };
        bytes = bytes.saturating_add(inner);
    }
    Some(bytes)
}
