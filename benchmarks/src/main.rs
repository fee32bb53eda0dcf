//! Measures what the machine can do and what ringback does on it, in one run, and
//! prints the ratios. It builds nothing, talks to loopback only, and leaves
//! nothing behind.

mod board;
mod ceilings;
mod figures;
mod host;
mod j1;
mod load;
mod process;
mod report;
mod sink;
mod twilio;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt as _;
use clap::{Args, Parser, Subcommand};

use board::Board;
use ceilings::{bare, client, disk, floor};
use host::Home;
use report::{Report, Start};
use sink::Sink;

/// Measures ringback against the ceilings of this machine.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Command {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    part: Option<Parts>,
}

#[derive(Args)]
struct Options {
    /// The ringback to measure; the one beside this program when left out
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// About a third of the time, and less steady figures
    #[arg(long)]
    quick: bool,
    /// Only what the machine can do: no ringback is needed
    #[arg(long)]
    ceilings: bool,
    /// Where data is written meanwhile; it must be on a real disk [default: the
    /// folder of this program]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Writes every figure to a file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Parts {
    /// One of the small programs by itself, to be measured by hand
    #[command(subcommand)]
    Part(Part),
}

#[derive(Subcommand)]
enum Part {
    /// Reads JSON and answers: POST /json
    Bare(Server),
    /// Keeps a record before it answers: POST /json; and sends a text: POST
    /// /hooks/main/call
    Floor {
        #[command(flatten)]
        server: Server,
        /// Where records go
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Where texts go
        #[arg(long, value_name = "URL")]
        forward: Option<String>,
    },
    /// The provider: answers 201 to whatever is posted
    Sink(Server),
    /// Posts with reqwest; prints requests a second, and microseconds for each
    Client {
        /// Where to
        url: String,
        /// Requests in flight
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// For how long
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        #[command(flatten)]
        life: Life,
    },
}

#[derive(Args)]
struct Server {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    life: Life,
}

#[derive(Args)]
struct Life {
    /// End when the standard input does
    #[arg(long, hide = true)]
    attached: bool,
}

fn main() -> ExitCode {
    let command = Command::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(problem) => return fail(&problem.into()),
    };
    let done = runtime.block_on(async {
        let work = async {
            match command.part {
                Some(Parts::Part(part)) => run_part(part).await.map(|()| ExitCode::SUCCESS),
                None => measure(command.options).await,
            }
        };
        // What is dropped here takes its processes and folders with it.
        tokio::select! {
            done = work => done,
            () = interrupted() => Err(anyhow::anyhow!("interrupted")),
        }
    });
    done.unwrap_or_else(|problem| fail(&problem))
}

#[expect(clippy::print_stderr, reason = "a command says what went wrong there")]
fn fail(problem: &anyhow::Error) -> ExitCode {
    eprintln!("error: {problem:#}");
    ExitCode::FAILURE
}

#[expect(
    clippy::print_stderr,
    reason = "progress, beside the table on standard output"
)]
fn say(what: &str) {
    eprintln!("{what} …");
}

#[expect(
    clippy::print_stdout,
    reason = "the table and the parts' answers are this program's output"
)]
fn answer(text: impl std::fmt::Display) {
    println!("{text}");
}

/// Returns when somebody wants this process to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => std::future::pending().await,
    }
}

async fn run_part(part: Part) -> anyhow::Result<()> {
    match part {
        Part::Bare(server) => serve(server, bare::routes()).await,
        Part::Floor {
            server,
            file,
            forward,
        } => serve(server, floor::routes(&file, forward)?).await,
        Part::Sink(server) => {
            let listener = open(server).await?;
            Ok(sink::serve(listener, Board::new(1)).await?)
        }
        Part::Client {
            url,
            connections,
            seconds,
            life,
        } => {
            live(&life);
            let time = Duration::try_from_secs_f64(seconds).context("that is no time")?;
            let rate = client::run(&url, connections, time).await?;
            let cpu = rate.cpu_us.map(|cpu| cpu.to_string()).unwrap_or_default();
            answer(format_args!("{} {cpu}", rate.per_second));
            Ok(())
        }
    }
}

fn live(life: &Life) {
    if life.attached {
        process::end_with_input();
    }
}

async fn open(server: Server) -> anyhow::Result<tokio::net::TcpListener> {
    live(&server.life);
    let (listener, address) = sink::listen(server.listen).await?;
    answer(address);
    Ok(listener)
}

async fn serve(server: Server, app: Router) -> anyhow::Result<()> {
    let listener = open(server).await?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

/// The whole run.
async fn measure(options: Options) -> anyhow::Result<ExitCode> {
    let here = std::env::current_exe().context("could not find this program")?;
    let here = here.parent().context("this program lies nowhere")?;
    let binary = options.binary.unwrap_or_else(|| here.join("ringback"));
    let parent = options.dir.as_deref().unwrap_or(here);
    let folder = tempfile::Builder::new()
        .prefix("ringback-bench-")
        .tempdir_in(parent);
    let folder = folder.with_context(|| format!("could not write to {}", parent.display()))?;
    let home = folder.path().join("home");
    // A program that is not there should not be missed a minute later.
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    if !options.ceilings {
        Home::new(&binary, &home, nowhere)?;
    }

    let seconds =
        |full: f64, quick: f64| Duration::from_secs_f64(if options.quick { quick } else { full });
    let plan = j1::Plan {
        slow: seconds(10.0, 3.0),
        full: seconds(4.0, 1.5),
        half: seconds(4.0, 1.0),
    };
    say("the machine's ceilings");
    let ceilings = ceilings::measure(folder.path(), seconds(2.0, 0.7)).await?;
    say("the floor of J1");
    let floor = measure_floor(folder.path(), plan).await?;
    let mut problems: Vec<String> = floor
        .problems()
        .into_iter()
        .map(|what| format!("the floor: {what}"))
        .collect();
    let (mut ringback, mut start) = (None, None);
    if !options.ceilings {
        say("J1 of ringback");
        let (figures, times, trouble) = measure_host(&binary, &home, plan).await?;
        problems.extend(trouble);
        (ringback, start) = (Some(figures), Some(times));
    }
    let machine = machine(parent);
    let report = Report {
        machine,
        ceilings,
        floor,
        ringback,
        start,
        problems,
    };
    answer(report.table());
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report.json())?;
        let written = std::fs::write(file, text + "\n");
        written.with_context(|| format!("could not write {}", file.display()))?;
    }
    let fine = report.problems.is_empty();
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn measure_floor(folder: &Path, plan: j1::Plan) -> anyhow::Result<j1::Figures> {
    let board = Board::new(twilio::CALLERS);
    let sink = Sink::start(board.clone()).await?;
    let file = folder.join("floor.bin");
    let file = file.to_str().context("the folder's name is no text")?;
    let url = format!("http://{}/messages", sink.address);
    let arguments = ["part", "floor", "--file", file, "--forward", &url];
    let (floor, address) = ceilings::server(&arguments).await?;
    let figures = j1::measure(&j1::target(address, &board)?, floor.pid, plan).await;
    figures.context("could not measure the floor")
}

async fn measure_host(
    binary: &Path,
    folder: &Path,
    plan: j1::Plan,
) -> anyhow::Result<(j1::Figures, Start, Vec<String>)> {
    let board = Board::new(twilio::CALLERS);
    let sink = Sink::start(board.clone()).await?;
    let home = Home::new(binary, folder, sink.address)?;
    let first = home.start().await?;
    let cold = first.ready;
    first.stop().await.with_context(|| home.log())?;

    let host = home.start().await?;
    let target = j1::target(host.address, &board)?;
    let taken = target.first().await?;
    let start = Start {
        cold_s: cold.as_secs_f64(),
        warm_s: host.ready.as_secs_f64(),
        first_webhook_s: taken.duration_since(host.started).as_secs_f64(),
    };
    let measured = j1::measure(&target, host.pid, plan).await;
    let figures = measured.with_context(|| format!("the program wrote:\n{}", home.log()))?;
    let mut problems = figures.problems();
    if let Err(problem) = host.stop().await {
        problems.push(format!("{problem:#}"));
    }
    if !problems.is_empty() {
        problems.push(format!("the program wrote last:\n{}", home.log()));
    }
    Ok((figures, start, problems))
}

/// What this was measured on.
fn machine(folder: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |name| {
        name.trim_start_matches([' ', '\t', ':'])
    });
    let memory = if disk::in_memory(folder) {
        "; DATA IS KEPT IN MEMORY, so nothing here is durable: choose a disk with --dir"
    } else {
        ""
    };
    format!("{cores} cores, {model}{memory}")
}
