//! ringback.
#[expect(dead_code, reason = "taken up by the host")]
mod config;
fn main() {}
