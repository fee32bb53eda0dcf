//! ringback: a self-hosted runtime that follows up.
//!
//! The binary puts the parts together and owns nothing itself: `config` reads
//! `ringback.toml`, `runtime` is the shell around the engine, `api`, `dashboard`
//! and `simulator` are what is served, `cli` is what a person types.

mod api;
mod archives;
mod cli;
mod config;
mod dashboard;
mod refresh;
mod runtime;
mod seams;
mod serve;
mod simulator;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = match cli::Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) => usage.exit(),
    };
    let serves = matches!(cli.command, None | Some(cli::Command::Serve(_)));
    log(if serves { "info" } else { "error" });
    // One provider for all TLS; a second call would only say that it is there.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(problem) => return failed(&format!("could not start: {problem}"), 3),
    };
    let code = runtime.block_on(async {
        if !serves {
            return others(&cli).await;
        }
        let overrides = cli.overrides();
        let mut out = std::io::stdout();
        match serve::serve(cli.common.config.as_deref(), &overrides, &mut out).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                let code = problem
                    .downcast_ref::<cli::Failure>()
                    .map_or(3, cli::Failure::code);
                failed(&format!("{problem:#}"), code)
            }
        }
    });
    // Do not wait for a thread that is busy compiling a plugin.
    runtime.shutdown_background();
    code
}

async fn others(cli: &cli::Cli) -> ExitCode {
    let seams = cli::Seams {
        environment: &config::System,
        workflows: &seams::Files,
        plugins: &seams::Components,
        keys: &seams::StoredKeys,
        archives: &archives::Files,
        free_space: ringback_store::free_bytes,
    };
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let mut io = cli::Io {
        out: &mut out,
        err: &mut err,
    };
    ExitCode::from(cli::run(cli, seams, &mut io).await)
}

fn failed(problem: &str, code: u8) -> ExitCode {
    // Where even standard error is gone there is nobody left to tell.
    drop(writeln!(std::io::stderr(), "error: {problem}"));
    ExitCode::from(code)
}

/// Logs go to standard error; `RINGBACK_LOG` says how much of them.
fn log(usual: &str) {
    let filter = EnvFilter::try_from_env("RINGBACK_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
