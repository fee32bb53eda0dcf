//! End to end: the real binary, started in a folder of its own, against a Twilio
//! that listens on this machine. Nothing here knows the program's insides; it
//! sees what an operator, a client and a provider see: files, HTTP, the log,
//! exit codes.
//!
//! No port is fixed, nothing leaves the loopback address, and nothing sleeps where
//! something can be waited for. What a started host printed is shown when its test
//! fails.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "helpers of tests; clippy spares only the test functions themselves, and the rules \
              about the clock and about bounded reading are the host's"
)]

mod api;
mod backtest;
mod calls;
mod commands;
mod crashes;
mod dashboard;
mod demo;
mod examples;
mod incoming;
mod letters;
mod mistakes;
mod opt_out;
mod outside;
mod plugins;
mod proof;
mod reload;
mod schedules;
mod shutdown;
mod support;
mod texts;
mod unknown;
