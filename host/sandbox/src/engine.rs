//! The one engine, its linker, and the thread that drives its epochs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tokio::sync::Semaphore;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bindings::generated::Everything;
use crate::cache::Cache;
use crate::limits::{Limits, TICK};
use crate::state::State;

/// Calls that may be inside a guest at once. A connector's call takes
/// microseconds, so more would only wait for a core.
const CALLS: u32 = 128;

/// Memory of a slot that stays mapped between two calls. A Rust guest keeps its
/// data above a stack of 1 MiB, so less than that would keep nothing of use.
const KEEP_RESIDENT: usize = 1 << 20;

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refused its configuration, on this machine.
    #[error("could not start the WebAssembly engine: {0}")]
    Engine(String),
    /// The operating system gave no thread.
    #[error("could not start the sandbox's clock: {0}")]
    Thread(std::io::Error),
}

/// How a sandbox is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where compiled components are kept; nowhere when `None`. The folder must
    /// belong to the host alone: what lies in it is run as native code.
    pub cache_dir: Option<PathBuf>,
    /// What one call may take.
    pub limits: Limits,
}

/// Loads plugins. Clones share one engine.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) host: Arc<Host>,
}

/// What all plugins of a sandbox share.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) limits: Limits,
    pub(crate) cache: Option<Cache>,
    pub(crate) slots: Arc<Semaphore>,
    ticker: Ticker,
}

impl Sandbox {
    /// Starts an engine. Prefers pooled instances; where the machine refuses
    /// the address space for a pool, instances are made on demand, which is
    /// slower and otherwise the same.
    pub fn new(options: Options) -> Result<Self, Error> {
        let engine = engine(&options.limits).map_err(|e| Error::Engine(format!("{e:#}")))?;
        let linker = linker(&engine).map_err(|e| Error::Engine(format!("{e:#}")))?;
        let ticker = Ticker::start(&engine).map_err(Error::Thread)?;
        let cache = options.cache_dir.map(|dir| Cache::new(dir, &engine));
        Ok(Self {
            host: Arc::new(Host {
                engine,
                linker,
                limits: options.limits,
                cache,
                slots: Arc::new(Semaphore::new(CALLS as usize)),
                ticker,
            }),
        })
    }

    /// The limits that every call is held to.
    pub fn limits(&self) -> &Limits {
        &self.host.limits
    }
}

impl Host {
    /// Keeps the epochs moving for as long as the guard lives.
    pub(crate) fn tick(&self) -> Ticking<'_> {
        self.ticker.begin()
    }
}

fn engine(limits: &Limits) -> wasmtime::Result<Engine> {
    let mut config = config();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(CALLS)
        .total_stacks(CALLS)
        .total_core_instances(CALLS * 8)
        .total_memories(CALLS)
        .total_tables(CALLS * 4)
        .max_tables_per_module(4)
        .table_elements(limits.table_elements)
        .max_memory_size(limits.memory)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).or_else(|refused| {
        tracing::warn!("no pool of plugin instances ({refused:#}); they are made on demand");
        Engine::new(&self::config())
    })
}

fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.wasm_component_model(true);
    config
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    // All of WASI, because even a plugin that uses none of it imports some; an
    // empty context behind it denies files, sockets and the environment.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Everything::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// A thread that moves the epoch on every 10 ms while a call is running, sleeps
/// while none is, and ends with its owner.
struct Ticker {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    stop: AtomicBool,
}

/// One running call; see [`Host::tick`].
pub(crate) struct Ticking<'a>(&'a Ticker);

impl Ticker {
    fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (weak, seen) = (engine.weak(), shared.clone());
        let thread = thread::Builder::new()
            .name("plugin-epochs".to_owned())
            .spawn(move || {
                while !seen.stop.load(Ordering::Acquire) {
                    if seen.running.load(Ordering::Acquire) == 0 {
                        thread::park();
                        continue;
                    }
                    thread::sleep(TICK);
                    match weak.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => return,
                    }
                }
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    fn begin(&self) -> Ticking<'_> {
        if self.shared.running.fetch_add(1, Ordering::AcqRel) == 0 {
            self.wake();
        }
        Ticking(self)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.shared.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It sleeps 10 ms at most, and a panic in it has nobody to tell.
            drop(thread.join());
        }
    }
}
