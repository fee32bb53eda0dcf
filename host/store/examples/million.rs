//! What a million waiting runs cost: bytes on the disk, seconds to open, memory.
//! The engine itself writes them, through the embedded store. A measurement, not
//! a test; each step is a process of its own, so that memory is that step's:
//!
//! ```text
//! cargo run --release -p ringback-store --example million fill DIR 1000000 texted
//! cargo run --release -p ringback-store --example million open DIR     (and again)
//! cargo run --release -p ringback-store --example million kill DIR
//! cargo run --release -p ringback-store --example million rebuild DIR
//! cargo run --release -p ringback-store --example million tables DIR
//! cargo run --release -p ringback-store --example million compact DIR
//! ```
//!
//! `waiting` is a run that waits before its first text, `texted` one whose first
//! text was accepted by the provider and that waits for an hour since.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use ringback_core::engine::{
    self, Agent, Business, CallOutcome, CallReport, Catalog, Command, Connection, Decision, Facts,
    InService, Inbound, Input, SendResult, Setup, World,
};
use ringback_core::model::{Direction as Way, Key, PhoneNumber, keys};
use ringback_core::workflow;
use ringback_store::{Commit, Direction, Options, Sled, Store, archive};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const TASKS: u64 = 64;

const WAITING: &str = "
name: Missed-call text-back
on: { call.missed: { direction: inbound } }
cancel_on: [reply, opt_out, handoff, call.answered]
steps:
  - { id: settle, wait: 1h }
  - { id: hello, send: 'Hi, this is {{ agent.business }}. Sorry we missed your call.' }
";

const TEXTED: &str = "
name: Missed-call text-back
on: { call.missed: { direction: inbound } }
cancel_on: [reply, opt_out, handoff, call.answered]
steps:
  - { id: hello, send: 'Hi, this is {{ agent.business }}. Sorry we missed your call. Reply here and we will get right back to you. Text STOP to opt out.' }
  - { id: later, wait: 1h }
  - { id: once_more, send: '{{ agent.business }} again: can we still help? Just reply to this text.' }
";

fn say(text: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["fill", dir, count, kind] => fill(dir.into(), count.parse()?, kind).await,
        ["open", dir] => open(dir.into()).await.map(drop),
        ["kill", dir] => kill(dir.into()).await,
        ["tables", dir] => tables(dir.into()).await,
        ["rebuild", dir] => {
            fs::write(Path::new(dir).join("rebuild"), "measured")?;
            open(dir.into()).await.map(drop)
        }
        ["compact", dir] => {
            let (options, began) = (options(dir.into()), Instant::now());
            let told = tokio::task::spawn_blocking(move || archive::compact(options)).await??;
            say(&format!(
                "compact: {told:?} in {:.1?}, {}",
                began.elapsed(),
                memory()?
            ))?;
            disk(Path::new(dir))
        }
        _ => Err(
            "fill DIR COUNT waiting|texted, open DIR, kill DIR, rebuild DIR, compact DIR".into(),
        ),
    }
}

fn options(dir: PathBuf) -> Options {
    let mut options = Options::new(dir);
    options.cache_bytes = 32 * 1024 * 1024;
    options
}

async fn open(dir: PathBuf) -> Result<(), Failure> {
    let (began, options) = (Instant::now(), options(dir.clone()));
    let store = tokio::task::spawn_blocking(move || Sled::open(options)).await??;
    let opened = began.elapsed();
    // What a start does next: the timers that are due soon.
    let (from, to) = keys::table(b't');
    let timers = store.scan(&from, &to, 10_000, Direction::Forward).await?;
    let first = began.elapsed();
    say(&format!(
        "open: {opened:.2?}, {} timers by {first:.2?}, revision {}, {}",
        timers.len(),
        store.health().await.revision,
        memory()?
    ))?;
    let began = Instant::now();
    store.close().await?;
    say(&format!("close: {:.2?}, {}", began.elapsed(), memory()?))?;
    disk(&dir)
}

/// Pairs and bytes by table.
async fn tables(dir: PathBuf) -> Result<(), Failure> {
    let store = Sled::open(options(dir))?;
    for table in b'a'..=b'z' {
        let (mut from, to) = keys::table(table);
        let (mut count, mut names, mut bytes, mut one) = (0, 0, 0, None);
        loop {
            let page = store.scan(&from, &to, 1000, Direction::Forward).await?;
            let Some((last, value)) = page.last() else {
                break;
            };
            from = Key::new([last.as_bytes(), &[0]].concat());
            one = Some(String::from_utf8_lossy(&value.value).into_owned());
            count += page.len();
            names += page
                .iter()
                .map(|(key, _)| key.as_bytes().len())
                .sum::<usize>();
            bytes += page
                .iter()
                .map(|(_, value)| value.value.len())
                .sum::<usize>();
        }
        if let Some(one) = one {
            let name = char::from(table);
            say(&format!(
                "{name}: {count} pairs, keys {names}, values {bytes}: {one}"
            ))?;
        }
    }
    store.close().await?;
    Ok(())
}

/// Leaves the store as a kill does, with commits after the last checkpoint.
async fn kill(dir: PathBuf) -> Result<(), Failure> {
    let store = Arc::new(Sled::open(options(dir))?);
    let health = store.health().await;
    let first = health.revision + 1_000_000_000;
    runs(&store, "texted", first, 5000).await?;
    say(&format!(
        "killed at revision {}",
        store.health().await.revision
    ))?;
    std::process::abort()
}

async fn fill(dir: PathBuf, count: u64, kind: &str) -> Result<(), Failure> {
    let store = Arc::new(Sled::open(options(dir.clone()))?);
    let began = Instant::now();
    runs(&store, kind, 0, count).await?;
    let seconds = began.elapsed().as_secs_f64();
    let revision = store.health().await.revision;
    say(&format!(
        "filled: {count} runs, {revision} commits in {seconds:.0} s, {:.0} runs/s, {}",
        count as f64 / seconds,
        memory()?
    ))?;
    let began = Instant::now();
    store.close().await?;
    say(&format!("close: {:.2?}, {}", began.elapsed(), memory()?))?;
    disk(&dir)
}

async fn runs(store: &Arc<Sled>, kind: &str, first: u64, count: u64) -> Result<(), Failure> {
    let host = Arc::new(Host::new(kind)?);
    let (workflow, _) = host.workflow()?;
    host.take(store, &Input::Define(workflow), host.start, 1)
        .await?;
    let next = Arc::new(AtomicU64::new(first));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let (host, store, next) = (Arc::clone(&host), Arc::clone(store), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= first + count {
                    return Ok::<_, Failure>(());
                }
                host.run(&store, number).await?;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// The shell around the engine, as short as it can be.
struct Host {
    setup: Setup,
    catalog: Catalog,
    start: Timestamp,
}

fn phone(text: &str) -> Result<PhoneNumber, Failure> {
    PhoneNumber::parse(text).ok_or_else(|| format!("{text} is no number").into())
}

impl Host {
    fn new(kind: &str) -> Result<Self, Failure> {
        let source = if kind == "waiting" { WAITING } else { TEXTED };
        let agent = Agent {
            id: "front-desk".into(),
            name: "Front desk".into(),
            numbers: vec![phone("+13125550100")?],
            connection: Some("main".into()),
            calls: Some(engine::Calls::Missed),
            voice: None,
            inbound: Inbound::Off,
        };
        let connection = Connection {
            name: "main".into(),
            idempotent: false,
            handles_opt_out: true,
            chooses_sender: false,
            settle_ms: 60_000,
            segment_us: None,
        };
        let setup = Setup {
            business: Business {
                name: "Lakeside Plumbing".into(),
                zone: "America/Chicago".into(),
            },
            agents: BTreeMap::from([(agent.id.clone(), agent)]),
            connections: BTreeMap::from([(connection.name.clone(), connection)]),
            ..Setup::default()
        };
        let parsed = workflow::parse(source, "missed-call-text-back.yaml", &setup.known());
        let workflow = parsed.result.map_err(|problems| format!("{problems:?}"))?;
        let mut catalog = Catalog::default();
        let workflow = Arc::new(workflow);
        catalog
            .by_hash
            .insert(workflow.hash.clone(), Arc::clone(&workflow));
        let id = workflow.definition.id.clone();
        catalog.in_service.insert(
            id,
            InService {
                workflow,
                version: 1,
            },
        );
        Ok(Self {
            setup,
            catalog,
            start: "2026-11-18T16:00:00Z".parse()?,
        })
    }

    fn workflow(&self) -> Result<(Arc<workflow::Workflow>, u32), Failure> {
        let one = self.catalog.in_service.values().next();
        let one = one.ok_or("no workflow")?;
        Ok((Arc::clone(&one.workflow), one.version))
    }

    /// A missed call, and what follows until the run waits.
    async fn run(&self, store: &Sled, number: u64) -> Result<(), Failure> {
        // A million within an hour.
        let now =
            self.start + SignedDuration::from_micros(i64::try_from(number % 1_000_000)? * 3600);
        let now = Timestamp::from_millisecond(now.as_millisecond())?;
        let seed = u128::from(number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        let call = CallReport {
            connection: "main".into(),
            provider_id: format!("CA{seed:032x}"),
            id: None,
            direction: Way::Inbound,
            from: Some(phone(&format!(
                "+1312{:07}",
                2_000_000 + number % 8_000_000
            ))?),
            to: Some(phone("+13125550100")?),
            outcome: CallOutcome::NoAnswer,
            forwarded: true,
            started_at: None,
            ended_at: Some(now),
            duration: None,
            summary: None,
            transcript: None,
            recording_url: None,
            cause: None,
        };
        let commands = self.take(store, &Input::Call(call), now, seed).await?;
        for command in commands {
            let Command::Send(gated) = command else {
                continue;
            };
            let accepted = SendResult::Accepted {
                provider_id: format!("SM{seed:032x}"),
            };
            let later = now + SignedDuration::from_millis(180);
            let input = Input::Sent(gated.message().clone(), accepted);
            self.take(store, &input, later, seed ^ 1).await?;
        }
        Ok(())
    }

    async fn take(
        &self,
        store: &Sled,
        input: &Input,
        now: Timestamp,
        seed: u128,
    ) -> Result<Vec<Command>, Failure> {
        let world = World {
            setup: &self.setup,
            workflows: &self.catalog,
        };
        let mut wanted: Vec<Key> = engine::expected(input);
        let mut facts = Facts::default();
        loop {
            let found = store.get_many(&wanted).await?;
            for (key, value) in wanted.drain(..).zip(found) {
                facts.insert(key, value);
            }
            match engine::step(world, &facts, input, now, seed)? {
                Decision::Need(keys) => wanted = keys,
                Decision::Turns(_) => return Err("a number without a rate asks for a turn".into()),
                Decision::Act(act) => match store.commit(act.batch).await? {
                    Commit::Done(_) => return Ok(act.commands),
                    Commit::Conflict(lost) => return Err(format!("conflict at {lost:?}").into()),
                },
            }
        }
    }
}

/// Resident memory now, and at most since the process began.
fn memory() -> Result<String, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kb.unwrap_or(0) / 1024
    };
    Ok(format!(
        "memory {} MiB, at most {}",
        line("VmRSS:"),
        line("VmHWM:")
    ))
}

/// Bytes on the disk, by what they are.
fn disk(dir: &Path) -> Result<(), Failure> {
    let mut total = 0;
    let mut parts = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let bytes = blocks(&entry.path())?;
        total += bytes;
        if bytes > 1024 * 1024 {
            let name = entry.file_name().to_string_lossy().into_owned();
            parts.push(format!("{name} {} MiB", bytes / 1024 / 1024));
        }
    }
    say(&format!(
        "disk: {} MiB: {}",
        total / 1024 / 1024,
        parts.join(", ")
    ))
}

fn blocks(path: &Path) -> Result<u64, Failure> {
    let about = fs::symlink_metadata(path)?;
    if !about.is_dir() {
        return Ok(about.blocks() * 512);
    }
    fs::read_dir(path)?
        .map(|entry| blocks(&entry?.path()))
        .sum()
}
