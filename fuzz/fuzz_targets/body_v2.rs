//! Bodies of v2 webhooks: the same oracle as `body_v1`, with other seeds and another dictionary.

#![no_main]

#[allow(dead_code, reason = "each target uses one of the oracles")]
#[path = "../../tests/fuzzed/main.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::event::check(input));
