//! The whole run: which jobs are measured, one after the other, for how long, and
//! what becomes of the figures.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::board::Board;
use crate::host::{Home, text_back};
use crate::machine::{self, Watch};
use crate::report::{Report, Start};
use crate::sink::Sink;
use crate::{answer, ceilings, flat, j1, j2, j3, j6, picture, say, twilio};

/// Callers of J1 at most: what the floor takes in all its turns, and more.
const CALLERS: usize = 2_000_000;

/// What to measure, and how.
#[derive(Args)]
pub(crate) struct Options {
    /// The ringback to measure; the one beside this program when left out
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// A minute or two, smaller numbers, less steady figures
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// A million finished and a million waiting runs: an hour, up to 25 GB of disk
    #[arg(long)]
    full: bool,
    /// Only these jobs, separated by commas
    #[arg(
        long,
        value_name = "JOBS",
        value_delimiter = ',',
        conflicts_with = "ceilings"
    )]
    only: Vec<Job>,
    /// Only what the machine can do: no ringback is needed
    #[arg(long)]
    ceilings: bool,
    /// Finished runs in the store of J1 with a history [default: 100,000]
    #[arg(long, value_name = "N")]
    finished: Option<usize>,
    /// Waiting runs of J2 [default: 100,000]
    #[arg(long, value_name = "N")]
    waiting: Option<usize>,
    /// Kills of J3 [default: 5]
    #[arg(long, value_name = "N")]
    kills: Option<usize>,
    /// Where data is written meanwhile; it must be on a real disk [default: the
    /// folder of this program]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Writes every figure to a file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draws the figures into a file as well
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Job {
    /// What the machine can do
    Ceilings,
    /// A missed call becomes a text
    J1,
    /// The same with many finished runs
    Flat,
    /// Runs that wait
    J2,
    /// Kills
    J3,
    /// Texts over the API
    J6,
}

/// A figure for the usual run, the quick one, and the full one.
#[derive(Clone, Copy)]
enum Size {
    Usual,
    Quick,
    Full,
}

impl Size {
    fn pick<T>(self, usual: T, quick: T, full: T) -> T {
        match self {
            Self::Usual => usual,
            Self::Quick => quick,
            Self::Full => full,
        }
    }

    fn seconds(self, usual: f64, quick: f64) -> Duration {
        Duration::from_secs_f64(self.pick(usual, quick, usual))
    }
}

impl Options {
    fn size(&self) -> Size {
        match (self.quick, self.full) {
            (true, _) => Size::Quick,
            (_, true) => Size::Full,
            _ => Size::Usual,
        }
    }

    fn wants(&self, job: Job) -> bool {
        if self.ceilings {
            return job == Job::Ceilings || job == Job::J1;
        }
        self.only.is_empty() || self.only.contains(&job)
    }
}

/// The whole run.
pub(crate) async fn measure(options: Options) -> anyhow::Result<ExitCode> {
    let here = std::env::current_exe().context("could not find this program")?;
    let here = here.parent().context("this program lies nowhere")?;
    let beside = here.join("ringback");
    let binary = options.binary.as_deref().unwrap_or(&beside);
    let parent = options.dir.as_deref().unwrap_or(here);
    let folder = tempfile::Builder::new()
        .prefix("ringback-bench-")
        .tempdir_in(parent);
    let folder = folder.with_context(|| format!("could not write to {}", parent.display()))?;
    // A program that is not there should not be missed a minute later.
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    if !options.ceilings {
        Home::new(binary, &folder.path().join("none"), nowhere, &text_back())?.remove()?;
    }
    let mut report = Report {
        machine: machine::describe(parent),
        day: machine::day(),
        ceilings: None,
        floor: None,
        ringback: None,
        start: None,
        flat: None,
        j2: None,
        j3: None,
        j6: None,
        noise: Vec::new(),
        problems: Vec::new(),
    };
    jobs(&options, binary, folder.path(), &mut report).await?;
    answer(report.table());
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report.json())?;
        write(file, text + "\n")?;
    }
    if let Some(file) = &options.svg {
        write(file, picture::draw(&report)?)?;
    }
    let fine = report.problems.is_empty();
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Draws the figures that a run wrote down.
pub(crate) fn draw_again(json: &Path, svg: &Path) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(json)
        .with_context(|| format!("could not read {}", json.display()))?;
    let report = Report::read(&text).with_context(|| {
        let help = "is it what --json wrote?";
        format!("could not understand {}; {help}", json.display())
    })?;
    write(svg, picture::draw(&report)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a result.
fn write(file: &Path, text: String) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("could not write {}", file.display()))
}

async fn jobs(
    options: &Options,
    binary: &Path,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let size = options.size();
    if options.wants(Job::Ceilings) {
        say("the machine's ceilings");
        let watch = Watch::start("the ceilings");
        let found = ceilings::measure(folder, size.seconds(2.0, 0.7)).await?;
        report.ceilings = Some(found);
        report.noise.extend(watch.stop());
    }
    if options.wants(Job::J1) {
        say("J1: a missed call becomes a text");
        let plan = j1::Plan {
            rounds: size.pick(5, 2, 5),
            slow: size.seconds(8.0, 2.0),
            full: size.seconds(2.0, 1.0),
            half: size.seconds(2.0, 1.0),
        };
        let watch = Watch::start("J1");
        let binary = (!options.ceilings).then_some(binary);
        job_1(binary, folder, plan, report).await?;
        report.noise.extend(watch.stop());
    }
    if options.wants(Job::Flat) && !options.ceilings {
        say("J1 with a history");
        let plan = flat::Plan {
            finished: options
                .finished
                .unwrap_or_else(|| size.pick(100_000, 10_000, 1_000_000)),
            rounds: size.pick(3, 2, 3),
            idle: size.seconds(5.0, 2.0),
            slow: size.seconds(8.0, 2.0),
            runs: size.pick(5_000, 2_000, 5_000),
        };
        let watch = Watch::start("J1 with a history");
        let found = flat::measure(binary, folder, plan).await?;
        report.noise.extend(watch.stop());
        let problems = found.problems.iter();
        report
            .problems
            .extend(problems.map(|what| format!("J1 with a history: {what}")));
        report.flat = Some(found);
    }
    if options.wants(Job::J2) && !options.ceilings {
        say("J2: runs that wait");
        let waiting = options
            .waiting
            .unwrap_or_else(|| size.pick(100_000, 10_000, 1_000_000));
        let watch = Watch::start("J2");
        let found = j2::measure(binary, &folder.join("waiting"), waiting).await?;
        report.noise.extend(watch.stop());
        let problems = found.problems().into_iter();
        report
            .problems
            .extend(problems.map(|what| format!("J2: {what}")));
        report.j2 = Some(found);
    }
    if options.wants(Job::J3) && !options.ceilings {
        say("J3: kills");
        let kills = options.kills.unwrap_or_else(|| size.pick(5, 2, 10));
        let found = j3::measure(binary, &folder.join("killed"), kills).await?;
        let problems = found.problems().into_iter();
        report
            .problems
            .extend(problems.map(|what| format!("J3: {what}")));
        report.j3 = Some(found);
    }
    if options.wants(Job::J6) && !options.ceilings {
        say("J6: texts over the API");
        let plan = j6::Plan {
            rounds: size.pick(5, 2, 5),
            time: size.seconds(2.0, 1.0),
        };
        let watch = Watch::start("J6");
        let found = j6::measure(binary, folder, plan).await?;
        report.noise.extend(watch.stop());
        let problems = found.problems().into_iter();
        report
            .problems
            .extend(problems.map(|what| format!("J6: {what}")));
        report.j6 = Some(found);
    }
    Ok(())
}

/// J1 of the floor and, if there is one, of the program.
async fn job_1(
    binary: Option<&Path>,
    folder: &Path,
    plan: j1::Plan,
    report: &mut Report,
) -> anyhow::Result<()> {
    let floor_board = Board::new(twilio::CALLERS.min(CALLERS));
    let floor_sink = Sink::start(floor_board.clone()).await?;
    let file = folder.join("floor.bin");
    let file = file.to_str().context("the folder's name is no text")?;
    let url = format!("http://{}/messages", floor_sink.address);
    let arguments = ["part", "floor", "--file", file, "--forward", &url];
    let (floor, address) = ceilings::server(&arguments).await?;
    let floor_target = j1::target(address, &floor_board)?;
    let mut sides = vec![j1::Side {
        target: &floor_target,
        pid: floor.pid,
        counts: false,
    }];
    let Some(binary) = binary else {
        let found = j1::measure(&sides, plan).await?;
        report.floor = found.into_iter().next();
        return Ok(());
    };

    let board = Board::new(twilio::CALLERS.min(CALLERS));
    let sink = Sink::start(board.clone()).await?;
    let home = Home::new(binary, &folder.join("home"), sink.address, &text_back())?;
    let first = home.start().await?;
    let cold = first.ready;
    first.stop().await.with_context(|| home.log())?;
    let host = home.start().await?;
    let target = j1::target(host.address, &board)?;
    let taken = target.first().await?;
    report.start = Some(Start {
        cold_s: cold.as_secs_f64(),
        warm_s: host.ready.as_secs_f64(),
        first_webhook_s: taken.duration_since(host.started).as_secs_f64(),
    });
    sides.push(j1::Side {
        target: &target,
        pid: host.pid,
        counts: true,
    });
    let measured = j1::measure(&sides, plan).await;
    let found = measured.with_context(|| format!("the program wrote:\n{}", home.log()))?;
    let mut found = found.into_iter();
    (report.floor, report.ringback) = (found.next(), found.next());
    let sides = [("the floor", &report.floor), ("J1", &report.ringback)];
    for (name, figures) in sides {
        let problems = figures.iter().flat_map(j1::Figures::problems);
        report
            .problems
            .extend(problems.map(|what| format!("{name}: {what}")));
    }
    if let Err(problem) = host.stop().await {
        report.problems.push(format!("J1: {problem:#}"));
    }
    if !report.problems.is_empty() {
        report
            .problems
            .push(format!("the program wrote last:\n{}", home.log()));
    }
    home.remove()
}
