//! The relay behind its door, in process: gateway events in, answers and queued messages out.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod delivery;
mod gateways;
mod outside;
mod refusals;
mod rooms;
mod samples;
mod secrets;
mod sources;
mod time;
mod training;
