//! `simulate` and `test`: workflow files in virtual time. Nothing is started, opened
//! or sent: the configuration is read for its names, files of rows for their rows.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringback_core::engine::{Catalog, Setup};
use ringback_core::rehearsal::{self, Outcome, Plan, Stage, Words};
use ringback_core::workflow::expression::Rows;
use serde_json::{Value, json};

use super::arguments::Simulate;
use super::check::{Found, counted, workflow_files};
use super::client::Failure;
use super::{Cli, Seams, output};
use crate::config::{self, Config, ConnectorTraits, Diagnostic, Severity};
use crate::runtime::{clock, read_rows, rehearsing};

/// The configuration, when there is one; one that is wrong is refused.
fn configuration(
    cli: &Cli,
    seams: Seams<'_>,
    out: &mut (dyn Write + Send),
) -> Result<Result<Option<Config>, u8>, Failure> {
    let Some(file) = config::find(cli.common.config.as_deref()) else {
        return Ok(Ok(None));
    };
    match config::load(&file, &cli.overrides(), seams.environment) {
        Ok(loaded) => Ok(Ok(Some(loaded.config))),
        Err(problems) => {
            tell(&problems, out)?;
            Ok(Err(1))
        }
    }
}

/// Prints problems; says whether one of them is an error.
fn tell(problems: &[Diagnostic], out: &mut (dyn Write + Send)) -> Result<bool, Failure> {
    for problem in problems {
        writeln!(out, "{}\n", problem.render())?;
    }
    Ok(problems.iter().any(|one| one.severity == Severity::Error))
}

fn setup(config: Option<&Config>) -> Setup {
    config.map_or_else(Setup::default, |config| {
        config.setup(|_| ConnectorTraits::default())
    })
}

/// The folder that paths of rows are relative to.
fn folder(config: Option<&Config>) -> PathBuf {
    let file = config.and_then(|config| config.source.as_ref());
    let folder = file.and_then(|file| file.parent());
    folder.map(Path::to_path_buf).unwrap_or_default()
}

/// The workflows of the configured folder, as they would serve: they can be called.
fn siblings(config: Option<&Config>, seams: Seams<'_>) -> Catalog {
    let mut catalog = Catalog::default();
    let folder = config.map(|config| config.workflows.clone());
    if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
        for (_, workflow) in workflow_files(&[folder], config, seams).sound {
            rehearsing::serve(&mut catalog, &Arc::new(workflow));
        }
    }
    catalog
}

/// `simulate FILE`
pub(super) fn simulate(
    cli: &Cli,
    wanted: &Simulate,
    seams: Seams<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, Failure> {
    let config = match configuration(cli, seams, out)? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let found = workflow_files(std::slice::from_ref(&wanted.file), config.as_ref(), seams);
    let errors = |one: &&Diagnostic| one.severity == Severity::Error;
    let wrong: Vec<Diagnostic> = found.problems.iter().filter(errors).cloned().collect();
    if tell(&wrong, out)? {
        return Ok(1);
    }
    let Some((name, workflow)) = found.sound.first() else {
        return Err(Failure::Input(format!(
            "{}: there is no workflow",
            wanted.file.display()
        )));
    };
    let (setup, made_up) = rehearsal::stand_in(workflow, &setup(config.as_ref()));
    let words = Words {
        on: wanted.on.as_deref(),
        text: wanted.text.as_deref(),
        input: &wanted.input,
        replies: &wanted.reply,
        calls: &wanted.call,
        approvals: &wanted.approve,
        deliver: &wanted.deliver,
        at: wanted.at.as_deref(),
        contact: wanted.contact.as_deref(),
        zone: wanted.zone.as_deref(),
        fields: &wanted.field,
        agent: wanted.agent.as_deref(),
    };
    let plan = Plan::from_words(&words, workflow, &setup, clock::now()).map_err(Failure::Input)?;
    let others = siblings(config.as_ref(), seams);
    let folder = folder(config.as_ref());
    let rows = |rows: &Rows| read_rows(&folder, rows);
    let stage = Stage {
        setup: &setup,
        others: &others,
        rows: Some(&rows),
    };
    let transcript = rehearsal::play(&stage, workflow, &plan);
    if cli.common.json {
        let answer = json!({ "file": name, "made_up": made_up, "transcript": transcript });
        output::json(out, &answer)?;
        return Ok(0);
    }
    if !made_up.is_empty() {
        writeln!(
            out,
            "Made up, because no configuration says it: {}.\n",
            made_up.join("; ")
        )?;
    }
    writeln!(out, "{transcript}")?;
    Ok(0)
}

/// `test [PATHS]`
pub(super) fn test(
    cli: &Cli,
    paths: &[PathBuf],
    seams: Seams<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, Failure> {
    let config = match configuration(cli, seams, out)? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let folders = match (paths.is_empty(), &config) {
        (false, _) => paths.to_vec(),
        (true, Some(config)) => vec![config.workflows.clone()],
        (true, None) => vec![PathBuf::from("workflows")],
    };
    let Found {
        problems, sound, ..
    } = workflow_files(&folders, config.as_ref(), seams);
    let errors: Vec<Diagnostic> = problems
        .into_iter()
        .filter(|one| one.severity == Severity::Error)
        .collect();
    let others = siblings(config.as_ref(), seams);
    let folder = folder(config.as_ref());
    let rows = |rows: &Rows| read_rows(&folder, rows);
    let (mut passed, mut failed, mut shown) = (0_usize, 0_usize, Vec::new());
    if !cli.common.json {
        tell(&errors, out)?;
    }
    for (name, workflow) in &sound {
        let (setup, _) = rehearsal::stand_in(workflow, &setup(config.as_ref()));
        let stage = Stage {
            setup: &setup,
            others: &others,
            rows: Some(&rows),
        };
        let outcomes = rehearsal::test(&stage, workflow);
        let bad = outcomes.iter().filter(|one| !one.passed()).count();
        passed += outcomes.len() - bad;
        failed += bad;
        if cli.common.json {
            shown.push(json!({ "file": name, "tests": outcomes }));
        } else {
            print(name, &outcomes, out)?;
        }
    }
    let code = u8::from(failed > 0 || !errors.is_empty());
    if cli.common.json {
        let answer: Value = json!({
            "files": shown, "passed": passed, "failed": failed, "problems": errors,
        });
        output::json(out, &answer)?;
        return Ok(code);
    }
    writeln!(
        out,
        "{}: {passed} passed, {failed} failed",
        counted(sound.len(), "workflow file")
    )?;
    Ok(code)
}

fn print(name: &str, outcomes: &[Outcome], out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    if outcomes.is_empty() {
        writeln!(out, "{name}: no tests\n")?;
        return Ok(());
    }
    writeln!(out, "{name}")?;
    for outcome in outcomes {
        for line in outcome.render(name).lines() {
            writeln!(out, "  {line}")?;
        }
    }
    writeln!(out)?;
    Ok(())
}
