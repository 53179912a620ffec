//! The relay behind its door, in process: gateway events in, answers and queued messages out.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "on a paused clock, time is what the test makes of it"
)]

mod abuse;
mod architecture;
mod canaries;
mod delivery;
mod durable;
mod filled;
mod gateways;
mod memory;
mod module_graph;
mod outside;
mod printable;
mod process;
mod properties;
mod refusals;
mod requests;

mod samples;
mod secrets;
mod shapes;
mod shown;
mod sources;
mod talkative;
mod telemetry;
mod time;
mod training;
