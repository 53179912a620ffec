//! What the relay must make of any input at all: an oracle for each fuzz target, and the stored inputs played to it.
//!
//! `fuzz/` plays inputs of its own making to these oracles, for hours; here they see its seeds, and every input that
//! ever failed, in a moment. An oracle panics when the relay did something else than it expected.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

pub(crate) mod door;
pub(crate) mod event;
mod gateway;
mod json;
mod mac;
pub(crate) mod secret;
mod sent;
pub(crate) mod signature;
mod time;
mod verdict;
mod world;

#[cfg(test)]
mod stored;
