//! ringback: a self-hosted runtime that follows up.
#![allow(dead_code)]
mod api;
mod runtime;
fn main() {}
