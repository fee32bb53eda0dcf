//! `check`: the configuration, its plugins and the workflow files, everything
//! that is wrong with them at once. Starts nothing and opens no store.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Zoned;
use ringback_core::engine::upcoming;
use ringback_core::workflow::{File, On, Workflow};
use serde_json::json;

use super::client::Failure;
use super::{Cli, Seams, output};
use crate::config::{self, Config, Diagnostic, Loaded, Severity};
use crate::runtime::clock;

/// The largest workflow file that is read, as the host has it.
const LARGEST: u64 = 4 * 1024 * 1024;

/// How many firings of a schedule are shown.
const FIRINGS: usize = 5;
/// How they are shown.
const LOCAL: &str = "%a %Y-%m-%d %H:%M %Z";

/// What came of looking at a configuration.
pub(super) struct Seen {
    /// The configuration, when it can be used; none when there is no file or it
    /// is wrong.
    pub(super) config: Option<Config>,
    /// Whether there is a file.
    pub(super) file: Option<PathBuf>,
    /// Everything there is to say about it.
    pub(super) problems: Vec<Diagnostic>,
}

/// Reads the configuration and holds it against its plugins.
pub(super) async fn configuration(cli: &Cli, named: Option<&Path>, seams: Seams<'_>) -> Seen {
    let Some(file) = config::find(named) else {
        return Seen {
            config: None,
            file: None,
            problems: Vec::new(),
        };
    };
    let mut problems = Vec::new();
    let config = match config::load(&file, &cli.overrides(), seams.environment) {
        Ok(loaded) => fit(loaded, seams, &mut problems).await,
        Err(errors) => {
            problems = errors;
            None
        }
    };
    Seen {
        config,
        file: Some(file),
        problems,
    }
}

async fn fit(
    mut loaded: Loaded,
    seams: Seams<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Config> {
    let (connectors, broken) = seams.plugins.load(&mut loaded.config).await;
    problems.extend(broken);
    let fits = loaded.fit(connectors.as_ref());
    problems.append(&mut loaded.warnings);
    match fits {
        Ok(()) => Some(loaded.config),
        Err(errors) => {
            problems.extend(errors);
            None
        }
    }
}

/// `check [PATHS]`
pub(super) async fn check(
    cli: &Cli,
    paths: &[PathBuf],
    seams: Seams<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, Failure> {
    let is_config = |path: &&PathBuf| path.extension().is_some_and(|end| end == "toml");
    let named = paths.iter().find(is_config);
    let named = named.or(cli.common.config.as_ref());
    let seen = configuration(cli, named.map(PathBuf::as_path), seams).await;
    let mut problems = seen.problems;
    let folders: Vec<PathBuf> = paths
        .iter()
        .filter(|path| !is_config(path))
        .cloned()
        .collect();
    let folders = match (folders.is_empty(), &seen.config) {
        (false, _) => folders,
        (true, Some(config)) => vec![config.workflows.clone()],
        // A wrong configuration may name another folder; the usual one is
        // looked at all the same.
        (true, None) => Some(PathBuf::from("workflows"))
            .filter(|folder| folder.is_dir())
            .into_iter()
            .collect(),
    };
    let found = workflow_files(&folders, seen.config.as_ref(), seams);
    let files = found.count;
    problems.extend(found.problems);
    let zone = seen
        .config
        .as_ref()
        .map(|config| config.business.zone.as_str());
    let schedules = schedules(&found.sound, zone.unwrap_or("UTC"));
    let count = |severity| {
        let of_it = problems.iter().filter(|one| one.severity == severity);
        of_it.count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if cli.common.json {
        let answer = json!({
            "config": seen.file.as_ref().map(|file| file.display().to_string()),
            "files": files,
            "errors": errors,
            "warnings": warnings,
            "problems": problems,
            "schedules": schedules.iter().map(|one| json!({
                "file": one.file,
                "cron": one.cron,
                "next": one.next.iter().map(|at| json!({
                    "at": at.timestamp(),
                    "local": at.strftime(LOCAL).to_string(),
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        });
        output::json(out, &answer)?;
    } else {
        for problem in &problems {
            writeln!(out, "{}\n", problem.render())?;
        }
        for schedule in &schedules {
            writeln!(out, "{}: `{}` fires next", schedule.file, schedule.cron)?;
            for at in &schedule.next {
                let utc = at.timestamp().strftime("%H:%M UTC");
                writeln!(out, "  {} ({utc})", at.strftime(LOCAL))?;
            }
            writeln!(out)?;
        }
        let config = match &seen.file {
            Some(file) => file.display().to_string(),
            None => "no ringback.toml".to_owned(),
        };
        writeln!(
            out,
            "{config}, {}: {}, {}",
            counted(files, "workflow file"),
            counted(errors, "error"),
            counted(warnings, "warning")
        )?;
    }
    Ok(u8::from(errors > 0))
}

/// Workflow files, as far as they could be read.
#[derive(Default)]
pub(super) struct Found {
    /// How many there are.
    pub(super) count: usize,
    /// Everything there is to say about them.
    pub(super) problems: Vec<Diagnostic>,
    /// Those that nothing is wrong with, by their names.
    pub(super) sound: Vec<(String, Workflow)>,
}

/// Reads the workflow files of these folders as a host would.
pub(super) fn workflow_files(
    folders: &[PathBuf],
    config: Option<&Config>,
    seams: Seams<'_>,
) -> Found {
    let mut found = Found::default();
    let names = config.map(Config::names);
    let mut files = Vec::new();
    for folder in folders {
        match yaml_files(folder) {
            Ok(found) => files.extend(found),
            Err(error) => found.problems.push(Diagnostic::whole(
                &folder.display().to_string(),
                format!("could not read it: {error}"),
            )),
        }
    }
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for file in &files {
        let name = file.display().to_string();
        let source = match read(file) {
            Ok(source) => source,
            Err(error) => {
                let message = format!("could not read it: {error}");
                found.problems.push(Diagnostic::whole(&name, message));
                continue;
            }
        };
        let checked = seams.workflows.check(&source, &name, names.as_ref());
        found.problems.extend(checked.problems);
        let Some(workflow) = checked.workflow else {
            continue;
        };
        let id = workflow.definition.id.clone();
        if let Some(other) = owners.insert(id.clone(), name.clone()) {
            let message = format!("its name makes the id `{id}`, which {other} has already");
            found.problems.push(Diagnostic::whole(&name, message));
        }
        found.sound.push((name, workflow));
    }
    let together: Vec<File<'_>> = found
        .sound
        .iter()
        .map(|(name, workflow)| File { name, workflow })
        .collect();
    found.problems.extend(seams.workflows.together(&together));
    found.count = files.len();
    found
}

/// A schedule of a file, and when it fires.
struct Schedule<'a> {
    file: &'a str,
    cron: &'a str,
    next: Vec<Zoned>,
}

/// The schedules of these files with their next firings.
fn schedules<'a>(sound: &'a [(String, Workflow)], zone: &str) -> Vec<Schedule<'a>> {
    let mut all = Vec::new();
    for (file, workflow) in sound {
        for trigger in &workflow.definition.triggers {
            if let On::Schedule(schedule) = &trigger.on {
                all.push(Schedule {
                    file,
                    cron: &schedule.cron,
                    next: upcoming(schedule, zone, clock::now(), FIRINGS),
                });
            }
        }
    }
    all
}

/// `1 workflow file`, `2 workflow files`.
pub(super) fn counted(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

/// The file itself, or the workflow files of a folder in the order of their
/// names.
fn yaml_files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        std::fs::metadata(path)?;
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let end = file.extension().and_then(|end| end.to_str());
        let hidden = file
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if matches!(end, Some("yaml" | "yml")) && !hidden && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> std::io::Result<String> {
    use std::io::{Error, ErrorKind, Read};
    let mut text = String::new();
    let open = std::fs::File::open(file)?;
    open.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(Error::new(
            ErrorKind::FileTooLarge,
            "it is larger than 4 MiB",
        ));
    }
    Ok(text)
}
