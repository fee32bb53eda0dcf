//! ringback.

pub mod simulator;

fn main() {}
