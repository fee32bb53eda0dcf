//! Reading the workflows folder and single files of it: what there is, what a file
//! means, what is wrong with it. Takes nothing into service.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use ringback_core::workflow::{Diagnostic, Severity, Workflow, id_of_broken, parse};
use tracing::{error, warn};

use super::super::Host;
use super::{Files, whose};

/// The largest file that is read.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// A file as the folder lists it: its path, when it was changed, its size.
pub(super) type Listed = (String, Option<SystemTime>, u64);

/// The workflow files of the folder, in order.
pub(super) fn list(folder: &Path) -> std::io::Result<Vec<Listed>> {
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

/// A file that can be used.
pub(super) struct Read {
    /// What it means.
    pub workflow: Arc<Workflow>,
    /// What to look out for.
    pub warnings: Vec<Diagnostic>,
    /// As it stands.
    pub text: String,
}

/// Why a file cannot be used.
pub(super) struct Broken {
    /// What is wrong with it.
    pub problems: Vec<Diagnostic>,
    /// The id that it still says, as far as it can be read.
    pub id: Option<String>,
    /// Whether there is nothing wrong with it but that another file has its name.
    pub twin: bool,
}

/// Reads one new or changed file.
pub(super) async fn read(
    host: &Host,
    folder: &Path,
    path: &str,
    size: u64,
    others: &Files,
) -> Result<Read, Broken> {
    let whole = |message: String| Broken {
        problems: vec![problem(path, message)],
        id: None,
        twin: false,
    };
    if size > FILE_LIMIT {
        let text = format!("the file has {size} bytes; 4 MiB is the most");
        return Err(logged(whole(text)));
    }
    let bytes = tokio::fs::read(folder.join(path)).await;
    let bytes = bytes.map_err(|error| logged(whole(format!("could not read it: {error}"))))?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| logged(whole("the file is not UTF-8 text".to_owned())))?;
    let known = host.setup.load().known();
    let parsed = parse(&text, path, &known);
    let workflow = match parsed.result {
        Ok(workflow) => Arc::new(workflow),
        Err(mut problems) => {
            problems.extend(parsed.warnings);
            return Err(logged(Broken {
                problems,
                id: id_of_broken(&text),
                twin: false,
            }));
        }
    };
    if let Some(other) = whose::sound(others, &workflow.definition.id) {
        let text = format!(
            "{other} has the same name, {:?}; rename one",
            workflow.definition.name
        );
        return Err(logged(Broken {
            twin: true,
            ..whole(text)
        }));
    }
    log(&parsed.warnings);
    Ok(Read {
        workflow,
        warnings: parsed.warnings,
        text,
    })
}

fn logged(broken: Broken) -> Broken {
    log(&broken.problems);
    broken
}

/// Says what was found.
pub(super) fn log(problems: &[Diagnostic]) {
    for problem in problems {
        match problem.severity {
            Severity::Error => error!("{}", problem.render()),
            Severity::Warning => warn!("{}", problem.render()),
        }
    }
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
