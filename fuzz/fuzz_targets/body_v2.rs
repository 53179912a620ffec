//! Bodies of the second shape. The same reader reads them; the seeds and the dictionary are others.

#![no_main]

#[allow(dead_code, reason = "each target plays to one of the oracles")]
#[path = "../../tests/fuzzed/main.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::event::check(input));
