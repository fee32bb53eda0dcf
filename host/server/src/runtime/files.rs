//! The workflows folder: what is in it, what of it is in service, and taking up
//! changes. A file with an error never replaces the version that works.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use notify::{RecursiveMode, Watcher as _};
use ringback_core::engine::{Answer, Catalog, InService, Input};
use ringback_core::model::{Head, StoredDefinition, keys, record};
use ringback_core::workflow::{Diagnostic, OnDelete, Severity, Workflow, parse};
use ringback_store::Direction;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::{Error, Host, running};

/// How long the folder must be quiet before it is read.
const QUIET: Duration = Duration::from_millis(150);
/// How often the folder is looked at though nobody said that it changed.
const PATROL: Duration = Duration::from_secs(2);
/// The largest file that is read.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;
/// How many records are read from the store at a time.
const PAGE: usize = 1_000;

/// The workflow files, by path relative to the folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Every file that was seen.
    pub by_path: BTreeMap<String, FileState>,
}

/// One workflow file.
#[derive(Clone, Debug)]
pub(crate) struct FileState {
    /// The workflow it defines, when it was ever read without an error.
    pub workflow: Option<String>,
    /// What is wrong with it now, and what to look out for.
    pub problems: Vec<Diagnostic>,
    modified: Option<SystemTime>,
    size: u64,
}

impl Files {
    /// The same, but files with problems look new.
    pub(super) fn to_read_again(&self) -> Self {
        let mut files = self.clone();
        for file in files
            .by_path
            .values_mut()
            .filter(|file| !file.problems.is_empty())
        {
            file.modified = None;
            file.size = u64::MAX;
        }
        files
    }
}

/// Loads every stored definition, so that runs find theirs.
pub(super) async fn load_definitions(host: &Host) -> Result<(), Error> {
    let (mut from, to) = keys::table(b'd');
    let mut catalog = Catalog::default();
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
            };
            catalog
                .by_hash
                .insert(workflow.hash.clone(), Arc::new(workflow));
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = super::after(last),
            _ => break,
        }
    }
    host.catalog.store(Arc::new(catalog));
    Ok(())
}

/// Reads the folder once and takes up what changed.
pub(super) async fn scan(host: &Arc<Host>, folder: &Path) -> Result<(), Error> {
    let before = host.files.load_full();
    let mut files = Files::default();
    let listed = match list(folder) {
        Ok(listed) => listed,
        Err(problem) => {
            // A folder that is away for a moment takes nothing out of service.
            if !host.folder_missing.swap(true, Ordering::AcqRel) {
                let folder = folder.display();
                error!(
                    "could not read the workflows folder {folder}: {problem}; what is in service stays"
                );
            }
            return Ok(());
        }
    };
    if host.folder_missing.swap(false, Ordering::AcqRel) {
        info!("the workflows folder can be read again");
    }
    for (path, modified, size) in listed {
        let known = before.by_path.get(&path);
        if let Some(known) = known.filter(|one| one.modified == modified && one.size == size) {
            files.by_path.insert(path, known.clone());
            continue;
        }
        let state = read(host, folder, &path, modified, size, known, &files).await?;
        files.by_path.insert(path, state);
    }
    let served: BTreeSet<String> = files
        .by_path
        .values()
        .filter_map(|file| file.workflow.clone())
        .collect();
    host.files.store(Arc::new(files));
    let gone: Vec<String> = {
        let catalog = host.catalog.load();
        catalog
            .in_service
            .keys()
            .filter(|id| !served.contains(*id))
            .cloned()
            .collect()
    };
    for id in gone {
        remove(host, &id).await?;
    }
    Ok(())
}

/// The workflow files of the folder, in order.
fn list(folder: &Path) -> std::io::Result<Vec<(String, Option<SystemTime>, u64)>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder)?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_workflow = name.ends_with(".yaml") || name.ends_with(".yml");
        if !is_workflow || name.starts_with('.') {
            continue;
        }
        // The file itself and not a link's own data: editors replace files.
        if let Ok(data) = std::fs::metadata(entry.path())
            && data.is_file()
        {
            found.push((name, data.modified().ok(), data.len()));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads one new or changed file, and puts it into service if it is sound.
async fn read(
    host: &Arc<Host>,
    folder: &Path,
    path: &str,
    modified: Option<SystemTime>,
    size: u64,
    before: Option<&FileState>,
    others: &Files,
) -> Result<FileState, Error> {
    let keep = before.and_then(|file| file.workflow.clone());
    let failed = |problems: Vec<Diagnostic>| {
        for problem in &problems {
            match problem.severity {
                Severity::Error => error!("{}", problem.render()),
                Severity::Warning => warn!("{}", problem.render()),
            }
        }
        match &keep {
            Some(id) => error!("{path} has errors: {id} goes on with the version before"),
            None => error!("{path} has errors: it is not in service"),
        }
        FileState {
            workflow: keep.clone(),
            problems,
            modified,
            size,
        }
    };
    if size > FILE_LIMIT {
        return Ok(failed(vec![problem(
            path,
            format!("the file has {size} bytes; 4 MiB is the most"),
        )]));
    }
    let text = match tokio::fs::read(folder.join(path)).await {
        Ok(bytes) => String::from_utf8(bytes),
        Err(error) => {
            return Ok(failed(vec![problem(
                path,
                format!("could not read it: {error}"),
            )]));
        }
    };
    let Ok(text) = text else {
        return Ok(failed(vec![problem(
            path,
            "the file is not UTF-8 text".to_owned(),
        )]));
    };
    let known = host.setup.load().known();
    let parsed = parse(&text, path, &known);
    let workflow = match parsed.result {
        Ok(workflow) => Arc::new(workflow),
        Err(mut problems) => {
            problems.extend(parsed.warnings);
            return Ok(failed(problems));
        }
    };
    let id = workflow.definition.id.clone();
    let twin = others
        .by_path
        .iter()
        .find(|(_, file)| file.workflow.as_ref() == Some(&id));
    if let Some((other, _)) = twin {
        let text = format!(
            "{other} has the same name, {:?}; rename one",
            workflow.definition.name
        );
        return Ok(failed(vec![problem(path, text)]));
    }
    for warning in &parsed.warnings {
        warn!("{}", warning.render());
    }
    // A file whose name changed: the old workflow goes as the new one comes.
    let renamed = before
        .and_then(|file| file.workflow.clone())
        .filter(|old| *old != id);
    put_in_service(host, &workflow, renamed.as_deref()).await?;
    if let Some(old) = renamed {
        remove(host, &old).await?;
    }
    Ok(FileState {
        workflow: Some(id),
        problems: parsed.warnings,
        modified,
        size,
    })
}

/// A problem with a file as a whole.
fn problem(path: &str, message: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        file: path.to_owned(),
        line: 1,
        column: 1,
        length: 0,
        message,
        help: None,
        source_line: String::new(),
    }
}

/// Takes a version into service, and its file's earlier workflow out of it in the
/// same moment.
async fn put_in_service(
    host: &Arc<Host>,
    workflow: &Arc<Workflow>,
    renamed: Option<&str>,
) -> Result<(), Error> {
    let id = workflow.definition.id.clone();
    let serving = host
        .catalog
        .load()
        .in_service
        .get(&id)
        .map(|one| (one.version, one.workflow.hash.clone()));
    let answer = host
        .take_anyway(&Input::Define(Arc::clone(workflow)))
        .await?;
    let Answer::Version { now: version, .. } = answer else {
        return Ok(());
    };
    let mut catalog = (**host.catalog.load()).clone();
    catalog
        .by_hash
        .insert(workflow.hash.clone(), Arc::clone(workflow));
    let in_service = InService {
        workflow: Arc::clone(workflow),
        version,
    };
    catalog.in_service.insert(id.clone(), in_service);
    if let Some(old) = renamed {
        catalog.in_service.remove(old);
    }
    host.catalog.store(Arc::new(catalog));
    match serving {
        None => info!("workflow {id}: v{version} is in service"),
        Some((_, hash)) if hash == workflow.hash => {
            info!("workflow {id}: v{version}, only comments or spacing changed");
        }
        Some((before, hash)) => {
            running::count(host, id, before, version, hash);
        }
    }
    Ok(())
}

/// A workflow whose file is gone takes no new runs.
async fn remove(host: &Arc<Host>, id: &str) -> Result<(), Error> {
    host.take_anyway(&Input::Undefine(id.to_owned())).await?;
    let mut catalog = (**host.catalog.load()).clone();
    catalog.in_service.remove(id);
    let head: Option<Head> = host.read(&keys::workflow(id)).await?;
    let last = head.and_then(|head| catalog.by_hash.get(&head.definition).cloned());
    host.catalog.store(Arc::new(catalog));
    let cancel = last.is_some_and(|one| one.definition.on_delete == OnDelete::Cancel);
    running::removed(host, id.to_owned(), cancel, false);
    Ok(())
}

/// Marks workflows that were in service before the start and have no file now.
pub(super) async fn retire_missing(host: &Arc<Host>) -> Result<(), Error> {
    let (mut from, to) = keys::table(b'w');
    loop {
        let heads = host
            .store
            .scan(&from, &to, PAGE, Direction::Forward)
            .await?;
        for (_, versioned) in &heads {
            let head: Head = record::decode(&versioned.value)?;
            retire(host, &head).await?;
        }
        match heads.last() {
            Some((last, _)) if heads.len() == PAGE => from = super::after(last),
            _ => return Ok(()),
        }
    }
}

async fn retire(host: &Arc<Host>, head: &Head) -> Result<(), Error> {
    let catalog = host.catalog.load_full();
    if catalog.in_service.contains_key(&head.workflow) {
        return Ok(());
    }
    if head.active {
        return remove(host, &head.workflow).await;
    }
    // The process may have ended before the last of its runs was cancelled.
    let last = catalog.by_hash.get(&head.definition);
    if last.is_some_and(|one| one.definition.on_delete == OnDelete::Cancel) {
        running::removed(host, head.workflow.clone(), true, true);
    }
    Ok(())
}

/// Takes up changes of the folder until the host stops.
pub(super) async fn watch(host: Arc<Host>, folder: PathBuf) {
    let (send, mut changes) = mpsc::channel::<()>(1);
    // A full channel already says that something changed.
    let notify_change = move |_: notify::Result<notify::Event>| {
        let _ = send.try_send(());
    };
    let watcher = notify::recommended_watcher(notify_change).and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    if let Err(problem) = &watcher {
        warn!(
            "could not watch {}: {problem}; it is read every two seconds",
            folder.display()
        );
    }
    while !host.is_stopping() {
        // Also before the first wait: a file may have changed since the start
        // read the folder and before it was watched.
        if let Err(problem) = scan(&host, &folder).await {
            error!("could not take up the workflows folder: {problem}");
        }
        tokio::select! {
            _ = changes.recv(), if watcher.is_ok() => {
                while tokio::time::timeout(QUIET, changes.recv()).await.is_ok() {}
            }
            () = tokio::time::sleep(PATROL) => {}
        }
    }
}
