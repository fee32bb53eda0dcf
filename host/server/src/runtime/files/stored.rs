//! What the store knows of workflows: their definitions, which versions are in
//! service, and which file defined which. Read once by a start; the record of the
//! files is written when a look at the folder changed it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringback_core::engine::{Catalog, InService};
use ringback_core::model::{Batch, Head, StoredDefinition, keys, record};
use ringback_core::workflow::{OnDelete, Workflow};
use ringback_store::Direction;
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use super::super::{Error, Host, after, running};
use super::{FileState, Files, remove};

/// The name of the record of the files.
const NAME: &str = "workflow-files";
/// How many records are read from the store at a time.
const PAGE: usize = 1_000;

/// Which workflows each file keeps in service, by its path in the folder. A file
/// that was never read without an error stands here too: it is not a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    #[serde(default)]
    files: BTreeMap<String, Kept>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    perhaps: BTreeSet<String>,
}

impl Remembered {
    fn of(files: &Files) -> Self {
        let files = files.by_path.iter().map(|(path, file)| {
            let kept = Kept {
                workflow: file.workflow.clone(),
                perhaps: file.perhaps.clone(),
            };
            (path.clone(), kept)
        });
        Self {
            files: files.collect(),
        }
    }

    /// The files as they were, each to be read again.
    fn to_files(&self) -> Files {
        let files = self.files.iter().map(|(path, kept)| {
            let mut file = FileState {
                workflow: kept.workflow.clone(),
                perhaps: kept.perhaps.clone(),
                ..FileState::default()
            };
            file.read_again();
            (path.clone(), file)
        });
        Files {
            by_path: files.collect(),
        }
    }
}

/// Loads every stored definition, so that runs find theirs, what was in service
/// when the last process ended, and which files that came from.
///
/// # Errors
/// When the store cannot be read, or a record cannot be used.
pub(in super::super) async fn load(host: &Host) -> Result<(), Error> {
    let mut catalog = Catalog::default();
    load_definitions(host, &mut catalog).await?;
    let heads = heads(host).await?;
    for head in heads.into_iter().filter(|head| head.active) {
        let Some(workflow) = catalog.by_hash.get(&head.definition) else {
            error!(
                "workflow {}: v{} was in service, and its definition is not in the store",
                head.workflow, head.version
            );
            continue;
        };
        let in_service = InService {
            workflow: Arc::clone(workflow),
            version: head.version,
        };
        catalog.in_service.insert(head.workflow, in_service);
    }
    host.catalog.store(Arc::new(catalog));
    let remembered: Option<Remembered> = host.read(&keys::housekeeping(NAME)).await?;
    let remembered = remembered.unwrap_or_default();
    host.files.store(Arc::new(remembered.to_files()));
    host.remembered.store(Arc::new(remembered));
    Ok(())
}

async fn load_definitions(host: &Host, catalog: &mut Catalog) -> Result<(), Error> {
    let (mut from, to) = keys::table(b'd');
    loop {
        let page = host
            .store
            .scan(&from, &to, PAGE, Direction::Forward)
            .await?;
        for (key, versioned) in &page {
            let stored: StoredDefinition = record::decode(&versioned.value)?;
            let hash = String::from_utf8_lossy(key.as_bytes().get(2..).unwrap_or_default());
            let workflow = Workflow {
                definition: stored.definition,
                hash: hash.into_owned(),
                source: stored.source,
                positions: Vec::new(),
                tests: Vec::new(),
            };
            catalog
                .by_hash
                .insert(workflow.hash.clone(), Arc::new(workflow));
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = after(last),
            _ => return Ok(()),
        }
    }
}

async fn heads(host: &Host) -> Result<Vec<Head>, Error> {
    let (mut from, to) = keys::table(b'w');
    let mut heads = Vec::new();
    loop {
        let page = host
            .store
            .scan(&from, &to, PAGE, Direction::Forward)
            .await?;
        for (_, versioned) in &page {
            heads.push(record::decode(&versioned.value)?);
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = after(last),
            _ => return Ok(heads),
        }
    }
}

/// Keeps which file defines what, when that changed. A store that takes nothing
/// now is asked again by the next look at the folder.
pub(super) async fn remember(host: &Host) {
    let now = Remembered::of(&host.files.load());
    if **host.remembered.load() == now {
        return;
    }
    let kept = match record::encode(&now) {
        Ok(value) => {
            let mut batch = Batch::default();
            batch.writes.insert(keys::housekeeping(NAME), Some(value));
            host.store.commit(batch).await.map_err(Error::from)
        }
        Err(problem) => Err(problem.into()),
    };
    match kept {
        Ok(_) => host.remembered.store(Arc::new(now)),
        Err(problem) => warn!("could not keep which file defines which workflow: {problem}"),
    }
}

/// Finishes what the end of the last process may have cut short: the runs of
/// workflows that are out of service, and cancel theirs, are cancelled.
///
/// # Errors
/// When the store cannot be read or written.
pub(in super::super) async fn retire_missing(host: &Arc<Host>) -> Result<(), Error> {
    for head in heads(host).await? {
        let catalog = host.catalog.load_full();
        if catalog.in_service.contains_key(&head.workflow) {
            continue;
        }
        if head.active {
            remove(host, &head.workflow).await?;
            continue;
        }
        let last = catalog.by_hash.get(&head.definition);
        if last.is_some_and(|one| one.definition.on_delete == OnDelete::Cancel) {
            running::removed(host, head.workflow.clone(), true, true);
        }
    }
    Ok(())
}
