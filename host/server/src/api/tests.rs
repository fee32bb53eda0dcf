//! The API as a client sees it: requests to the router, over a host with a
//! store in memory, the real simulator component and a provider of one line.

mod edges;
mod harness;

pub(super) use harness::{ALICE, KEY, OURS, World, json_of, setup};
