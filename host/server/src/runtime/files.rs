//! The workflows folder: what is in it, what of it is in service, and taking up
//! changes. A file with an error or a test that fails never replaces the version that
//! works, over restarts either: [`reading`] reads one file, [`trial`] plays its tests,
//! [`stored`] remembers which file defined which workflow, and [`whose`] decides what
//! a file that cannot be used keeps in service.

mod reading;
pub(super) mod stored;
mod trial;
mod whose;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt as _, stream};
use notify::{RecursiveMode, Watcher as _};
use ringback_core::engine::{Answer, InService, Input};
use ringback_core::model::{Head, keys};
use ringback_core::workflow::{Diagnostic, OnDelete, Severity, Workflow};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::{Error, Host, running};
use reading::Listed;

/// How many versions are stored at a time.
const AT_ONCE: usize = 64;
/// How long the folder must be quiet before it is read.
const QUIET: Duration = Duration::from_millis(150);
/// How often the folder is looked at though nobody said that it changed.
const PATROL: Duration = Duration::from_secs(2);

/// The workflow files, by path relative to the folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Every file that was seen.
    pub by_path: BTreeMap<String, FileState>,
}

/// One workflow file.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileState {
    /// The workflow it defines, when it was ever read without an error.
    pub workflow: Option<String>,
    /// Workflows that it may define: it came, and cannot be read, when their own
    /// files went. They stay in service until it is clear.
    pub perhaps: BTreeSet<String>,
    /// What is wrong with it now, and what to look out for.
    pub problems: Vec<Diagnostic>,
    /// Whether all that is wrong with it is that another file has its name.
    twin: bool,
    /// Whether all that is wrong with it is that its tests fail; they may call what
    /// other files define.
    fails: bool,
    modified: Option<SystemTime>,
    size: u64,
}

impl FileState {
    /// Whether it can be used as it is.
    pub(crate) fn is_broken(&self) -> bool {
        let mut problems = self.problems.iter();
        problems.any(|one| one.severity == Severity::Error)
    }

    /// Whether what is wrong with it may be gone when another file changes.
    fn depends_on_others(&self) -> bool {
        self.is_broken() && (self.fails || self.workflow.is_none())
    }

    /// Every workflow that is in service because of it.
    pub(crate) fn keeps(&self) -> impl Iterator<Item = &String> {
        self.workflow.iter().chain(&self.perhaps)
    }

    fn read_again(&mut self) {
        self.modified = None;
        self.size = u64::MAX;
    }
}

impl Files {
    /// The same, but files with problems look new.
    pub(super) fn to_read_again(&self) -> Self {
        let mut files = self.clone();
        let broken = files.by_path.values_mut();
        for file in broken.filter(|file| !file.problems.is_empty()) {
            file.read_again();
        }
        files
    }
}

/// Reads the folder once and takes up what changed: first the files that can be
/// used, then it is decided what those that cannot keep in service.
pub(super) async fn scan(host: &Arc<Host>, folder: &Path) -> Result<(), Error> {
    let before = host.files.load_full();
    let listed = match reading::list(folder) {
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
    let (same, changed) = compare(&before, listed);
    let mut files = same;
    let mut broken = Vec::new();
    let mut sound = Vec::new();
    for (path, modified, size) in changed {
        let mut file = FileState {
            modified,
            size,
            ..FileState::default()
        };
        match reading::read(host, folder, &path, size, &files).await {
            Ok(read) => {
                file.workflow = Some(read.workflow.definition.id.clone());
                file.problems = read.warnings.clone();
                sound.push((path.clone(), read));
            }
            Err(why) => {
                file.twin = why.twin;
                file.problems = why.problems;
                broken.push((path.clone(), why.id));
            }
        }
        files.by_path.insert(path, file);
    }
    let mut left = BTreeSet::new();
    let mut coming = Vec::new();
    for tried in trial::tried(host, sound).await {
        let id = tried.workflow.definition.id.clone();
        if !tried.problems.is_empty() {
            reading::log(&tried.problems);
            if let Some(file) = files.by_path.get_mut(&tried.path) {
                file.workflow = None;
                file.fails = true;
                file.problems.extend(tried.problems);
            }
            broken.push((tried.path, Some(id)));
            continue;
        }
        // A file whose name changed: the old workflow goes as the new one comes,
        // unless another file has it by now.
        let known = before.by_path.get(&tried.path);
        let old: Vec<String> = known
            .into_iter()
            .flat_map(FileState::keeps)
            .filter(|old| **old != id && whose::sound(&files, old).is_none())
            .cloned()
            .collect();
        left.extend(old.iter().cloned());
        coming.push((tried.workflow, old));
    }
    put_in_service(host, coming).await?;
    whose::settle(&mut files, &before, &host.catalog.load(), &broken);
    let served: BTreeSet<String> = files
        .by_path
        .values()
        .flat_map(FileState::keeps)
        .cloned()
        .collect();
    host.files.store(Arc::new(files));
    left.extend(host.catalog.load().in_service.keys().cloned());
    for id in left.difference(&served) {
        remove(host, id).await?;
    }
    stored::remember(host).await;
    Ok(())
}

/// The files that are as they were, and those that have to be read.
fn compare(before: &Files, listed: Vec<Listed>) -> (Files, Vec<Listed>) {
    let present: BTreeSet<&String> = listed.iter().map(|(path, ..)| path).collect();
    let is_same = |(path, modified, size): &Listed| {
        let known = before.by_path.get(path)?;
        (known.modified == *modified && known.size == *size).then_some(known)
    };
    let moved = before.by_path.keys().any(|path| !present.contains(path))
        || listed.iter().any(|one| is_same(one).is_none());
    let mut same = Files::default();
    let mut changed = Vec::new();
    for one in &listed {
        match is_same(one) {
            // What it says may have been another file's, which is the one that changed.
            Some(known) if !(moved && known.depends_on_others()) => {
                same.by_path.insert(one.0.clone(), known.clone());
            }
            _ => changed.push(one.clone()),
        }
    }
    (same, changed)
}

/// A version that is to serve, with its file's earlier workflows, which go.
type Coming = (Arc<Workflow>, Vec<String>);

/// Takes versions into service, and their files' earlier workflows out of it in the
/// same moment.
async fn put_in_service(host: &Arc<Host>, coming: Vec<Coming>) -> Result<(), Error> {
    let before = host.catalog.load_full();
    // Each waits for the disk: together they wait once.
    let defined = stream::iter(coming).map(|(workflow, old)| async move {
        let input = Input::Define(Arc::clone(&workflow));
        let answer = host.take_anyway(&input).await?;
        Ok::<_, Error>((workflow, old, answer))
    });
    let defined: Vec<_> = defined.buffered(AT_ONCE).collect().await;
    let mut catalog = (*before).clone();
    let mut came = Vec::with_capacity(defined.len());
    for one in defined {
        let (workflow, old, answer) = one?;
        let Answer::Version { now: version, .. } = answer else {
            continue;
        };
        for old in old {
            catalog.in_service.remove(&old);
        }
        came.push((workflow, version));
    }
    for (workflow, version) in &came {
        catalog
            .by_hash
            .insert(workflow.hash.clone(), Arc::clone(workflow));
        let in_service = InService {
            workflow: Arc::clone(workflow),
            version: *version,
        };
        let id = workflow.definition.id.clone();
        catalog.in_service.insert(id, in_service);
    }
    host.catalog.store(Arc::new(catalog));
    for (workflow, version) in came {
        let id = workflow.definition.id.clone();
        let serving = before.in_service.get(&id);
        match serving.map(|one| (one.version, &one.workflow.hash)) {
            None => info!("workflow {id}: v{version} is in service"),
            Some((_, hash)) if *hash == workflow.hash && !host.is_ready() => {
                info!("workflow {id}: v{version} is in service");
            }
            Some((_, hash)) if *hash == workflow.hash => {
                info!("workflow {id}: v{version}, only comments or spacing changed");
            }
            Some((before, hash)) => running::count(host, id, before, version, hash.clone()),
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
