#![no_main]

#[path = "../entry.rs"]
#[expect(dead_code, reason = "each target uses one of them")]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &str| entry::template(data));
