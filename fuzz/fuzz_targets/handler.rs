//! Gateway events, through the whole relay.

#![no_main]

#[allow(dead_code, reason = "each target uses one of the oracles")]
#[path = "../../tests/fuzzed/main.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::handler::check(input));
