//! ringback.

#[expect(dead_code, reason = "taken up by the host")]
mod cli;
#[expect(dead_code, unused_imports, reason = "taken up by the host")]
mod config;

fn main() {}
