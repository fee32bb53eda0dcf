//! What a store holds during one call, and the host functions behind `log` and
//! `settings`.

use std::collections::VecDeque;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::generated::ringback::plugin::{http, log, prompts, settings, types, webhook};
use crate::limits::{LOG_LINE, Limiter, Limits, Reached};
use crate::plugin::Context;
use crate::stderr::Tail;

/// Log lines that an error repeats.
const LAST_LINES: usize = 10;

/// One call's own data. Made before the call, dropped after it.
pub(crate) struct State {
    wasi: WasiCtx,
    resources: ResourceTable,
    pub(crate) limiter: Limiter,
    plugin: Arc<str>,
    /// None while a plugin is being loaded: then it has no settings.
    pub(crate) context: Option<Context>,
    /// The clock that a webhook came with, for tokens that expire.
    pub(crate) received_at: Option<u32>,
    pub(crate) ticks_left: u32,
    lines_left: u32,
    pub(crate) last_lines: VecDeque<String>,
    pub(crate) stderr: Tail,
}

impl State {
    pub(crate) fn new(plugin: &str, context: Option<&Context>, limits: &Limits) -> Self {
        let stderr = Tail::default();
        Self {
            wasi: WasiCtx::builder()
                .stderr(stderr.clone())
                .max_random_size(64 << 10)
                .build(),
            resources: ResourceTable::new(),
            limiter: Limiter::new(limits),
            plugin: plugin.into(),
            context: context.cloned(),
            received_at: None,
            ticks_left: limits.ticks(),
            lines_left: limits.log_lines,
            last_lines: VecDeque::new(),
            stderr,
        }
    }

    /// Allows another call as much as the first had.
    pub(crate) fn renew(&mut self, limits: &Limits) {
        self.ticks_left = limits.ticks();
        self.lines_left = limits.log_lines;
        self.last_lines.clear();
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.resources,
        }
    }
}

impl types::Host for State {}
impl http::Host for State {}
impl webhook::Host for State {}
impl prompts::Host for State {}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.lines_left = self.lines_left.checked_sub(1).ok_or(Reached::Log)?;
        let line = one_line(&message);
        let (connection, label) = match &self.context {
            Some(context) => (context.connection.name.as_str(), context.label.as_str()),
            None => ("", ""),
        };
        let plugin = &*self.plugin;
        match level {
            log::Level::Debug => {
                tracing::debug!(target: "plugin", plugin, connection, label, "{line}");
            }
            log::Level::Info => {
                tracing::info!(target: "plugin", plugin, connection, label, "{line}");
            }
            log::Level::Warn => {
                tracing::warn!(target: "plugin", plugin, connection, label, "{line}");
            }
            log::Level::Error => {
                tracing::error!(target: "plugin", plugin, connection, label, "{line}");
            }
        }
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line);
        Ok(())
    }
}

impl settings::Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let connection = self.context.as_ref().map(|context| &context.connection);
        Ok(connection.and_then(|connection| connection.values.get(&name).cloned()))
    }
}

/// Cut to the longest line allowed, and without line breaks or terminal
/// controls, so that a plugin cannot forge lines of the host's log.
fn one_line(message: &str) -> String {
    let mut end = message.len().min(LOG_LINE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message
        .get(..end)
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
