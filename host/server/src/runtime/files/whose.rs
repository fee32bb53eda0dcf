//! Which workflows a file that cannot be read keeps in service: nobody's calls may
//! go unanswered over a typing mistake. Decides over what was read, touches nothing.

use std::collections::BTreeSet;

use ringback_core::engine::Catalog;
use tracing::error;

use super::{FileState, Files};

/// The file that defines a workflow and has no error.
pub(super) fn sound<'a>(files: &'a Files, id: &str) -> Option<&'a String> {
    let mut sound = files.by_path.iter().filter(|(_, file)| !file.is_broken());
    sound
        .find(|(_, file)| file.workflow.as_deref() == Some(id))
        .map(|(path, _)| path)
}

/// Decides what the files that were just found `broken` keep, each with the id that
/// it still says, and says it in the log:
///
/// - what the same file defined before, and what its name says, if no other file
///   has that;
/// - where a workflow in service has no file any more and a broken one is new, that
///   one may be its file under another name: the workflow stays until it is clear.
pub(super) fn settle(
    files: &mut Files,
    before: &Files,
    catalog: &Catalog,
    broken: &[(String, Option<String>)],
) {
    for (path, says) in broken {
        let known = before.by_path.get(path);
        let workflow = known.and_then(|file| file.workflow.clone());
        let perhaps = known.map(|file| file.perhaps.clone()).unwrap_or_default();
        let mut own = FileState {
            workflow,
            perhaps,
            ..FileState::default()
        };
        if let Some(id) = says.as_ref().filter(|id| {
            let others = before.by_path.iter().filter(|(other, _)| *other != path);
            let mut others = others.filter(|(other, _)| files.by_path.contains_key(*other));
            catalog.in_service.contains_key(*id)
                && others.all(|(_, file)| file.workflow.as_ref() != Some(id))
        }) {
            own.perhaps.extend(own.workflow.replace(id.clone()));
            own.perhaps.remove(id);
        }
        own.workflow = own.workflow.filter(|id| sound(files, id).is_none());
        own.perhaps.retain(|id| sound(files, id).is_none());
        if let Some(file) = files.by_path.get_mut(path) {
            (file.workflow, file.perhaps) = (own.workflow, own.perhaps);
        }
    }
    let kept: BTreeSet<&String> = files.by_path.values().flat_map(FileState::keeps).collect();
    let lost: BTreeSet<String> = catalog
        .in_service
        .keys()
        .filter(|id| !kept.contains(id))
        .cloned()
        .collect();
    for (path, _) in broken {
        let is_new = !before.by_path.contains_key(path);
        if let Some(file) = files.by_path.get_mut(path) {
            if is_new && !file.twin && file.workflow.is_none() {
                file.perhaps.extend(lost.iter().cloned());
            }
            say(path, file, catalog);
        }
    }
}

fn say(path: &str, file: &FileState, catalog: &Catalog) {
    let shown = |id: &String| {
        let version = catalog.in_service.get(id).map(|one| one.version);
        version.map_or_else(|| id.clone(), |version| format!("{id} v{version}"))
    };
    match &file.workflow {
        Some(id) => error!(
            "{path} has errors: {}, the version before, stays in service",
            shown(id)
        ),
        None if file.perhaps.is_empty() => error!("{path} has errors: it is not in service"),
        None => {}
    }
    for id in &file.perhaps {
        error!(
            "{path} has errors and may be the file of {id}, which has no other: {} stays in \
             service until {path} is corrected or deleted",
            shown(id)
        );
    }
}
