//! How much one call may take. Every call is limited in every way, always.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// How often the epoch moves on; the grain of `guest_time`.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The longest line a plugin may log, in bytes (`wit/host.wit`).
pub(crate) const LOG_LINE: usize = 8 * 1024;

/// The largest state a connector may carry from a request to its answer, in
/// bytes (`wit/types.wit`).
pub(crate) const ASK_STATE: usize = 64 * 1024;

/// What one call of a plugin may take. The defaults suit connectors, which
/// finish within a millisecond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time the guest's own code may run, to 10 ms. Waiting does not count.
    pub guest_time: Duration,
    /// Time the whole call may take, waits included.
    pub wall_time: Duration,
    /// Linear memory, in bytes.
    pub memory: usize,
    /// Entries of one table. Big guests (Python) need some 60,000.
    pub table_elements: usize,
    /// Core instances inside the component, and as many tables.
    pub instances: usize,
    /// Bytes copied between guest and host in one crossing, roughly.
    pub copied: usize,
    /// Lines logged.
    pub log_lines: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            guest_time: Duration::from_millis(500),
            wall_time: Duration::from_secs(2),
            memory: 64 << 20,
            table_elements: 20_000,
            instances: 64,
            copied: 4 << 20,
            log_lines: 200,
        }
    }
}

impl Limits {
    /// Epochs that fit into `guest_time`, at least one.
    pub(crate) fn ticks(&self) -> u32 {
        let ticks = self.guest_time.as_millis() / TICK.as_millis();
        u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
    }
}

/// A limit that was reached. Travels through wasmtime as an error, so that the
/// caller can tell it from a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reached {
    #[error("guest time used up")]
    GuestTime,
    #[error("memory used up")]
    Memory,
    #[error("table used up")]
    Table,
    #[error("log lines used up")]
    Log,
}

/// Stops memories and tables from growing past the limits, with a typed error
/// instead of the guest's own idea of what an allocation failure looks like.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: usize,
    table_elements: usize,
    instances: usize,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: limits.memory,
            table_elements: limits.table_elements,
            instances: limits.instances,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.memory {
            return Err(Reached::Memory.into());
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.table_elements {
            return Err(Reached::Table.into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}
