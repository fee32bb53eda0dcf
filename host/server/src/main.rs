//! ringback: a self-hosted runtime that follows up.

mod api;
mod cli;
mod config;
mod dashboard;
mod refresh;
mod runtime;
mod serve;
mod simulator;

fn main() -> std::process::ExitCode {
    cli::run()
}
