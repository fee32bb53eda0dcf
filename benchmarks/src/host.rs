//! The real program: a folder for it, its configuration, its start and its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::line::{self, Line};
use crate::process::{self, Running};
use crate::twilio::{ACCOUNT, CONNECTION, NUMBER, OTHER_NUMBER};

/// What the texts say.
pub(crate) const TEXT: &str = "Sorry we missed you! How can we help?";
/// What the program believes its address to be. Signatures cover it; nobody asks it.
pub(crate) const PUBLIC_URL: &str = "https://bench.example.com";
/// The secret that signs webhooks.
pub(crate) const TOKEN: &str = "be9c4a00be9c4a00be9c4a00be9c4a00";
/// The key of its API.
pub(crate) const API_KEY: &str = "rb_bench_7f41c0a2d6e94b3f8a15";
/// The variable that holds it.
const KEY_VARIABLE: &str = "BENCH_API_KEY";
/// The variable that holds the secret.
const TOKEN_VARIABLE: &str = "BENCH_AUTH_TOKEN";
/// How long a start may take; the first one compiles the plugins.
/// With millions of records it may also take longer than it should, and is measured.
const START: Duration = Duration::from_mins(5);
/// How long an end may take.
const END: Duration = Duration::from_mins(2);
/// The file of the usual workflow, and of another one.
const USUAL: &str = "workflows/bench.yaml";
const OTHER: &str = "workflows/other.yaml";

/// A folder in which the program can be started.
pub(crate) struct Home {
    folder: PathBuf,
    binary: PathBuf,
}

/// The program, ready.
pub(crate) struct Host {
    running: Running,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its process id.
    pub(crate) pid: u32,
    /// When it was started.
    pub(crate) started: Instant,
    /// How long it took to be ready.
    pub(crate) ready: Duration,
}

/// `data/host.json`, as far as it is needed here.
#[derive(Deserialize)]
struct HostFile {
    url: String,
    pid: u32,
}

impl Home {
    /// Writes the configuration and a workflow into an empty folder. Texts go to
    /// the sink.
    pub(crate) fn new(
        binary: &Path,
        folder: &Path,
        sink: SocketAddr,
        workflow: &str,
    ) -> anyhow::Result<Self> {
        for name in ["workflows", "plugins"] {
            std::fs::create_dir_all(folder.join(name))?;
        }
        std::fs::write(folder.join("ringback.toml"), configuration(sink))?;
        std::fs::write(folder.join(USUAL), workflow)?;
        // The program is started in the folder, where a relative path is another.
        let binary = binary.canonicalize().with_context(|| {
            let help = "build it with `cargo build --release`, or name it with --binary";
            format!("could not find the program {}; {help}", binary.display())
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            binary,
        })
    }

    /// Writes another workflow beside the usual one. The program must not run.
    pub(crate) fn add_workflow(&self, workflow: &str) -> anyhow::Result<()> {
        std::fs::write(self.folder.join(OTHER), workflow).context("could not write a workflow")
    }

    /// Bytes that its data takes on the disk.
    pub(crate) fn data_bytes(&self) -> anyhow::Result<u64> {
        let folder = self.folder.join("data");
        process::on_disk(&folder).with_context(|| format!("could not look at {}", folder.display()))
    }

    /// Removes everything.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("could not remove {}", self.folder.display()))
    }

    /// Starts the program and waits until it is ready.
    pub(crate) async fn start(&self) -> anyhow::Result<Host> {
        let log = std::fs::File::create(self.folder.join("host.log"))?;
        let mut command = Command::new(&self.binary);
        command.arg("serve").current_dir(&self.folder);
        // The configuration alone decides, whatever is set where this runs.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RINGBACK_") {
                command.env_remove(name);
            }
        }
        command
            .env(TOKEN_VARIABLE, TOKEN)
            .env(KEY_VARIABLE, API_KEY);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let started = Instant::now();
        let mut running = Running::start(&mut command)?;
        let pid = running.pid;
        while started.elapsed() < START {
            if let Some(address) = self.address(pid)
                && is_ready(address).await
            {
                return Ok(Host {
                    running,
                    address,
                    pid,
                    started,
                    ready: started.elapsed(),
                });
            }
            if let Some(status) = running.ended() {
                bail!("the program ended at its start ({status}):\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!(
            "the program was not ready within {START:?}:\n{}",
            self.log()
        )
    }

    /// Where the program of this process id listens, as soon as it has said so.
    fn address(&self, pid: u32) -> Option<SocketAddr> {
        let text = std::fs::read_to_string(self.folder.join("data/host.json")).ok()?;
        // Half a file, or the file of an earlier start, is not there yet.
        let file: HostFile = serde_json::from_str(&text).ok()?;
        let address = file
            .url
            .strip_prefix("http://")?
            .trim_end_matches('/')
            .parse()
            .ok()?;
        (file.pid == pid).then_some(address)
    }

    /// The last lines that the program wrote.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read(self.folder.join("host.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(30)..)
            .unwrap_or_default();
        last.join("\n")
    }
}

impl Host {
    /// Kills the program where it stands.
    pub(crate) async fn kill(self) -> anyhow::Result<()> {
        self.running.kill().await
    }

    /// Asks the program to end, and waits for that.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.running
            .stop(END)
            .await
            .context("could not stop the program")
    }
}

/// Whether `/readyz` answers 200.
async fn is_ready(address: SocketAddr) -> bool {
    let asked = async {
        let mut line = Line::open(address).await?;
        line.ask(line::get(address, "/readyz", None)?).await
    };
    asked.await.is_ok_and(|status| status == 200)
}

fn configuration(sink: SocketAddr) -> String {
    format!(
        r#"[server]
listen     = "127.0.0.1:0"
public_url = "{PUBLIC_URL}"
api_keys   = [{{ env = "{KEY_VARIABLE}" }}]

[business]
name = "Benchmark"
zone = "America/Chicago"

[limits]
duplicates = "0s"

[connections.{CONNECTION}]
connector   = "twilio"
account_sid = "{ACCOUNT}"
auth_token  = {{ env = "{TOKEN_VARIABLE}" }}
base_url    = "http://{sink}"
settle      = "2s"

[agents.front-desk]
numbers    = ["{NUMBER}"]
connection = "{CONNECTION}"

[agents.other]
numbers    = ["{OTHER_NUMBER}"]
connection = "{CONNECTION}"
"#
    )
}

/// The workflow of J1: a missed call becomes a text.
pub(crate) fn text_back() -> String {
    workflow("bench", "front-desk", None)
}

/// A workflow for the missed calls of an agent, which waits before its text.
pub(crate) fn workflow(name: &str, agent: &str, wait: Option<&str>) -> String {
    let wait = wait.map_or_else(String::new, |wait| format!("  - wait: {wait}\n"));
    format!(
        r#"name: {name}
on: {{ call.missed: {{ agent: {agent} }} }}
enroll: {{ again: always }}
steps:
{wait}  - send: "{TEXT}"
"#
    )
}
