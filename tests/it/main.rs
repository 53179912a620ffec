//! Integration tests: the handler with fake services, and the binary as a process.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "the tests control the clock, or measure the time that passes"
)]

mod adversarial_input;
mod architecture;
mod archive;
mod deadlines;
mod delivery;
mod durability;
mod fakes;
mod fixture;
mod gateways;
mod memory;
mod module_graph;
mod process;
mod properties;
mod redaction;
mod refresh_limit;
mod rejections;
mod requests;
mod sample_events;
mod secrets;
mod source_allowlist;
mod telemetry;
mod trace_logging;
mod training;
