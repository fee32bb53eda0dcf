//! One call of a plugin: a fresh store, every limit set, and a failure told so
//! that the author knows what to change.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi::I32Exit;

use crate::engine::Host;
use crate::limits::{Limits, Reached};
use crate::plugin::Context;
use crate::state::State;

/// A call that gave no result. Says which plugin, which function, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The name the plugin was loaded under.
    pub plugin: String,
    /// Interface and function, for example "texting.send".
    pub function: &'static str,
    /// Why.
    pub cause: Cause,
    /// The newest 4 KiB of the plugin's standard error; a panic's text.
    pub stderr: String,
    /// The last lines the plugin logged in this call.
    pub log: Vec<String>,
}

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Its own code ran longer than `guest_time`.
    GuestTime(Duration),
    /// The call took longer than `wall_time`.
    WallTime(Duration),
    /// It wanted more memory than these bytes.
    Memory(usize),
    /// It wanted a table with more entries than these.
    Table(usize),
    /// It handed over, or was handed, more than these bytes.
    Copied(usize),
    /// It logged more lines than these.
    Log(u32),
    /// It panicked or aborted.
    Panicked,
    /// It ended itself; WASI tells only success (0) and failure (1).
    Exited(i32),
    /// It crashed; what the machine said, and the innermost named functions.
    Crashed(String),
    /// It gave a result that the contract does not allow.
    Unfit(String),
    /// It does not have this role.
    NoRole,
    /// The webhook was verified for another connection.
    NotVerified,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "plugin `{}`, {}: {}",
            self.plugin, self.function, self.cause
        )?;
        if !self.stderr.is_empty() {
            write!(f, "; it said: {}", self.stderr.trim())?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::GuestTime(limit) => write!(
                f,
                "its code ran for more than {} ms (limit `guest_time`)",
                limit.as_millis()
            ),
            Cause::WallTime(limit) => write!(
                f,
                "it took longer than {} ms (limit `wall_time`)",
                limit.as_millis()
            ),
            Cause::Memory(limit) => write!(
                f,
                "it wanted more than {} MiB of memory (limit `memory`)",
                limit >> 20
            ),
            Cause::Table(limit) => write!(
                f,
                "it wanted a table of more than {limit} entries (limit `table_elements`)"
            ),
            Cause::Copied(limit) => write!(
                f,
                "more than {} KiB were to be copied between it and the host (limit `copied`)",
                limit >> 10
            ),
            Cause::Log(limit) => write!(
                f,
                "it logged more than {limit} lines in one call (limit `log_lines`)"
            ),
            Cause::Panicked => f.write_str("it panicked"),
            Cause::Exited(code) => write!(f, "it ended itself (exit code {code})"),
            Cause::Crashed(how) => write!(f, "it crashed: {how}"),
            Cause::Unfit(what) => write!(f, "its result breaks the contract: {what}"),
            Cause::NoRole => f.write_str("it has no such role"),
            Cause::NotVerified => f.write_str("the webhook was not verified for this connection"),
        }
    }
}

/// Who calls what; the head of every error.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) host: &'a Host,
    pub(crate) plugin: &'a str,
    pub(crate) function: &'static str,
}

impl Frame<'_> {
    /// A store with every limit set.
    pub(crate) fn store(
        &self,
        context: Option<&Context>,
        received_at: Option<u32>,
    ) -> Store<State> {
        let limits = &self.host.limits;
        let mut state = State::new(self.plugin, context, limits);
        state.received_at = received_at;
        let mut store = Store::new(&self.host.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.copied);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            let state = store.data_mut();
            state.ticks_left = state.ticks_left.checked_sub(1).ok_or(Reached::GuestTime)?;
            // Other tasks of this thread get their turn at every tick.
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        store
    }

    /// The error without anything of a store.
    pub(crate) fn error(&self, cause: Cause) -> Error {
        Error {
            plugin: self.plugin.to_owned(),
            function: self.function,
            cause,
            stderr: String::new(),
            log: Vec::new(),
        }
    }

    /// The error with what the plugin said before it.
    pub(crate) fn failed(&self, state: &State, cause: Cause) -> Error {
        Error {
            stderr: state.stderr.text(),
            log: state.last_lines.iter().cloned().collect(),
            ..self.error(cause)
        }
    }
}

/// What wasmtime's error means in terms of the limits.
pub(crate) fn cause(error: &wasmtime::Error, limits: &Limits) -> Cause {
    if let Some(reached) = error.downcast_ref::<Reached>() {
        return match reached {
            Reached::GuestTime => Cause::GuestTime(limits.guest_time),
            Reached::Memory => Cause::Memory(limits.memory),
            Reached::Table => Cause::Table(limits.table_elements),
            Reached::Log => Cause::Log(limits.log_lines),
        };
    }
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        return Cause::Exited(*code);
    }
    let text = error.root_cause().to_string();
    // wasmtime has no type for this one.
    if text.contains("fuel allocated for hostcalls") {
        return Cause::Copied(limits.copied);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => Cause::Panicked,
        Some(Trap::StackOverflow) => {
            Cause::Crashed("its stack overflowed (endless recursion?)".to_owned())
        }
        Some(Trap::MemoryOutOfBounds) => {
            Cause::Crashed("it left its memory (a wrong pointer, or endless recursion)".to_owned())
        }
        Some(trap) => Cause::Crashed(trap.to_string()),
        None => Cause::Crashed(text),
    }
}

/// An instance that was started and may be called: once, or again for the same
/// webhook, which is no new matter. Its slot is taken for as long as it lives.
pub(crate) struct Session {
    pub(crate) store: Store<State>,
    pub(crate) instance: Instance,
    _slot: OwnedSemaphorePermit,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    /// Makes it as it was before its first call, as far as limits go.
    pub(crate) fn renew(
        &mut self,
        limits: &Limits,
        context: Option<&Context>,
        received_at: Option<u32>,
    ) {
        self.store.set_hostcall_fuel(limits.copied);
        let state = self.store.data_mut();
        state.renew(limits);
        state.context = context.cloned();
        state.received_at = received_at;
    }
}

impl Frame<'_> {
    /// Starts an instance.
    pub(crate) async fn open(
        &self,
        pre: &InstancePre<State>,
        context: Option<&Context>,
        received_at: Option<u32>,
    ) -> Result<Session, Error> {
        let limits = &self.host.limits;
        let mut store = self.store(context, received_at);
        let slots = Arc::clone(&self.host.slots);
        let work = async {
            let slot = slots.acquire_owned().await?;
            let _ticking = self.host.tick();
            let instance = pre.instantiate_async(&mut store).await?;
            wasmtime::Result::Ok((instance, slot))
        };
        let cause = match timeout(limits.wall_time, work).await {
            Ok(Ok((instance, slot))) => {
                return Ok(Session {
                    store,
                    instance,
                    _slot: slot,
                });
            }
            Ok(Err(error)) => cause(&error, limits),
            Err(_) => Cause::WallTime(limits.wall_time),
        };
        Err(self.failed(store.data(), cause))
    }
}

/// Runs one function of one interface, in the session that is given or in one of
/// its own, and gives its result and the session. `$exports` is the place of the
/// interface, if the plugin has it.
macro_rules! invoke {
    ($frame:expr, $pre:expr, $exports:expr, $context:expr, $received_at:expr, $session:expr, $method:ident($($arg:expr),*)) => {{
        let frame: $crate::call::Frame<'_> = $frame;
        let (context, received_at) = ($context, $received_at);
        let limits = &frame.host.limits;
        match $exports {
            None => Err(frame.error($crate::call::Cause::NoRole)),
            Some(exports) => {
                let session: Option<$crate::call::Session> = $session;
                let session = match session {
                    Some(mut session) => {
                        session.renew(limits, context, received_at);
                        Ok(session)
                    }
                    None => frame.open(&$pre, context, received_at).await,
                };
                match session {
                    Err(error) => Err(error),
                    Ok(mut session) => {
                        let work = async {
                            let _ticking = frame.host.tick();
                            let guest = exports.load(&mut session.store, &session.instance)?;
                            guest.$method(&mut session.store, $($arg),*).await
                        };
                        let cause = match ::tokio::time::timeout(limits.wall_time, work).await {
                            Ok(Ok(value)) => Ok(value),
                            Ok(Err(error)) => Err($crate::call::cause(&error, limits)),
                            Err(_) => Err($crate::call::Cause::WallTime(limits.wall_time)),
                        };
                        match cause {
                            Ok(value) => Ok((value, session)),
                            Err(cause) => Err(frame.failed(session.store.data(), cause)),
                        }
                    }
                }
            }
        }
    }};
}
pub(crate) use invoke;
