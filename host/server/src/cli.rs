//! Temporary entry point.
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
pub(crate) mod hostfile {
    pub(crate) struct HostFile(std::path::PathBuf);
    impl HostFile {
        pub(crate) fn write(
            data: &std::path::Path,
            url: &str,
            key: &ringback_core::model::Secret,
        ) -> std::io::Result<Self> {
            let path = data.join("host.json");
            std::fs::write(
                &path,
                serde_json::json!({"url": url, "key": key.expose(), "pid": std::process::id()})
                    .to_string(),
            )?;
            Ok(Self(path))
        }
    }
    impl Drop for HostFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);
impl Failure {
    pub(crate) fn input(text: String) -> Self {
        Self(text)
    }
}
#[derive(Parser)]
struct Args {
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(long)]
    listen: Option<std::net::SocketAddr>,
    #[arg(long)]
    data: Option<PathBuf>,
    #[arg(long)]
    workflows: Option<PathBuf>,
}
pub(crate) fn run() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("info"))
        .with_writer(std::io::stderr)
        .init();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let overrides = crate::config::Overrides {
        listen: args.listen,
        data: args.data,
        workflows: args.workflows,
        ..Default::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(crate::serve::serve(
        args.config.as_deref(),
        &overrides,
        &mut std::io::stdout(),
    )) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e:#}");
            ExitCode::from(1)
        }
    }
}
