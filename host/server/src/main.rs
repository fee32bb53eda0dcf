//! ringback.

pub mod dashboard;
pub mod simulator;

fn main() {}
