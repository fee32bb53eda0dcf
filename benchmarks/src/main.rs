//! Measures what the machine can do and what ringback does on it, in one run, and
//! prints the ratios. It builds nothing, talks to loopback only, and leaves
//! nothing behind.

mod board;
mod book;
mod ceilings;
mod figures;
mod flat;
mod goal;
mod host;
mod j1;
mod j2;
mod j3;
mod j6;
mod line;
mod load;
mod machine;
mod metrics;
mod peers;
mod picture;
mod process;
mod report;
mod rows;
mod run;
mod sink;
mod twilio;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt as _;
use clap::{Args, Parser, Subcommand};

use board::Board;
use ceilings::{bare, client, floor};
use run::Options;

/// Measures ringback against the ceilings of this machine.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Command {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    part: Option<Parts>,
}

#[derive(Subcommand)]
enum Parts {
    /// Draws the figures of an earlier run, from what --json wrote
    Draw {
        /// The figures
        json: PathBuf,
        /// The picture
        svg: PathBuf,
    },
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
                Some(Parts::Draw { json, svg }) => run::draw_again(&json, &svg),
                None => run::measure(command.options).await,
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
            Ok(sink::serve(listener, Board::new(1), Duration::ZERO).await?)
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
