//! Bodies of the first shape.

#![no_main]

#[allow(dead_code, reason = "each target plays to one of the oracles")]
#[path = "../../tests/fuzzed/main.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::event::check(input));
